// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_order.h"

#include <math.h>
#include <string.h>

const char *const ctl_top_order_names[CTL_TOP_BY_COUNT] = {
	[CTL_TOP_BY_RATE] = "rate",
	[CTL_TOP_BY_TOTAL] = "total",
	[CTL_TOP_BY_FLOWS] = "flows",
};

static double measure(const struct ctl_top_app_row *row, enum ctl_top_order order)
{
	const double v = order == CTL_TOP_BY_RATE ? row->bps
		: order == CTL_TOP_BY_FLOWS	  ? row->flows_ps
						  : (double)row->now.bytes;

	return isnan(v) ? -1 : v; // nothing known: what follows decides
}

static int most_first(const void *a, const void *b, void *ctx)
{
	const struct ctl_top_app_row *x = *(const void *const *)a, *y = *(const void *const *)b;
	const enum ctl_top_order order = *(const enum ctl_top_order *)ctx;
	const double m = measure(x, order), n = measure(y, order);

	if (m != n)
		return m > n ? -1 : 1;
	if (x->now.bytes != y->now.bytes)
		return x->now.bytes > y->now.bytes ? -1 : 1;
	return strcmp(x->now.name, y->now.name);
}

GPtrArray *ctl_top_order_apps(const struct ctl_top_view *view, enum ctl_top_order order)
{
	GPtrArray *rows = g_ptr_array_new();

	for (guint i = 0; i < view->apps->len; i++)
		g_ptr_array_add(rows, ctl_top_row(ctl_top_app_row, view->apps, i));
	g_ptr_array_sort_with_data(rows, most_first, &order);
	return rows;
}
