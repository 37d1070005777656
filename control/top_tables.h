// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The tables of `wirecue top`: which columns they have and what stands in them. Pure. Columns that do
 * not fit the screen are left out, the least needed first: they stand to the right. */

#include "control/top_order.h"
#include "control/top_screen.h"

enum ctl_top_table {
	CTL_TOP_TABLE_PORTS,
	CTL_TOP_TABLE_WORKERS,
	CTL_TOP_TABLE_TRIGGERS,
	CTL_TOP_TABLE_APPS,
	CTL_TOP_TABLE_LOSSES,
	CTL_TOP_TABLE_OUTCOMES,
	CTL_TOP_TABLE_GAPS,
	CTL_TOP_TABLE_COUNT,
};

/* Rows that the view has for it. */
int ctl_top_table_rows(const struct ctl_top_view *view, enum ctl_top_table table);

/* Draw the title and rows from `first` on into the lines [begin, end) of the screen; when rows are left
 * over, the title says how many. With no rows: a sentence. order: of apps. Returns the line behind. */
int ctl_top_table_draw(struct ctl_top_screen *s, int begin, int end,
	const struct ctl_top_view *view, enum ctl_top_table table, enum ctl_top_order order,
	int first);
