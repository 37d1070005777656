// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The whole screen of `wirecue top` from a view and from what its user wants to see. Pure. */

#include "control/top_tables.h"

enum ctl_top_pane {
	CTL_TOP_PANE_OVERVIEW,
	CTL_TOP_PANE_TROUBLE, // every alarm, losses, gaps
	CTL_TOP_PANE_APPS,
	CTL_TOP_PANE_PORTS,
	CTL_TOP_PANE_WORKERS,
	CTL_TOP_PANE_TRIGGERS,
	CTL_TOP_PANE_COUNT,
};

/* What the user chose, and what the loop knows. */
struct ctl_top_ui {
	enum ctl_top_pane pane;
	enum ctl_top_order order;
	int scroll; // rows of the pane's scrolling table that are above it
	int n_page; // rows of it that were visible: written by ctl_top_draw()
	bool is_paused, is_help;
	double interval_s;
	const char *away; // why nobody answers; borrowed, NULL: somebody does
	double away_s; // for how long
};

enum ctl_top_key {
	CTL_TOP_KEY_NONE,
	CTL_TOP_KEY_QUIT,
	CTL_TOP_KEY_HELP,
	CTL_TOP_KEY_PAUSE,
	CTL_TOP_KEY_SORT,
	CTL_TOP_KEY_SLOWER,
	CTL_TOP_KEY_FASTER,
	CTL_TOP_KEY_UP,
	CTL_TOP_KEY_DOWN,
	CTL_TOP_KEY_PAGE_UP,
	CTL_TOP_KEY_PAGE_DOWN,
	CTL_TOP_KEY_HOME,
	CTL_TOP_KEY_PANE,
	CTL_TOP_KEY_PANE_BACK,
};

#define CTL_TOP_INTERVAL_MIN_S 0.2
#define CTL_TOP_INTERVAL_MAX_S 3600.0

/* Fill the screen. */
void ctl_top_draw(struct ctl_top_screen *s, const struct ctl_top_view *view, struct ctl_top_ui *ui);

/* What a key changes. */
void ctl_top_ui_press(struct ctl_top_ui *ui, const struct ctl_top_view *view, enum ctl_top_key key);
