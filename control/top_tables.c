// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_tables.h"

#include "control/top_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 12, FIRST_MIN = 12, FIRST_MAX = 36, CELL_MAX = 256 };

/* A cell on its way to the screen. */
struct cell {
	char text[CELL_MAX];
	enum ctl_top_style style;
};

struct column {
	const char *title;
	int width; // 0: what is left over, in the first column; to the edge, in the last
	bool is_left;
};

struct table {
	const char *none; // instead of rows
	struct column columns[COLUMNS_MAX]; // ends with title NULL
	/* Write what stands in the column-th cell of a row. */
	void (*fill)(const void *row, int column, struct cell *ret_cell);
};

static void put_si(struct cell *cell, double v)
{
	char text[CTL_TOP_FIGURE_MAX];

	(void)g_strlcpy(cell->text, ctl_top_si(v, text), sizeof(cell->text));
}

static void put_share(struct cell *cell, double share)
{
	char text[CTL_TOP_FIGURE_MAX];

	(void)g_strlcpy(cell->text, ctl_top_share(share, text), sizeof(cell->text));
}

static void put_count(struct cell *cell, uint64_t n)
{
	char text[CTL_TOP_FIGURE_MAX];

	(void)g_strlcpy(cell->text, ctl_top_count(n, text), sizeof(cell->text));
}

static void put_clock(struct cell *cell, uint64_t t_ns)
{
	char text[CTL_TOP_FIGURE_MAX];

	(void)g_strlcpy(cell->text, ctl_top_clock(t_ns, text), sizeof(cell->text));
}

static void put(struct cell *cell, const char *text)
{
	ctl_top_copy(cell->text, sizeof(cell->text), text);
}

static void mark(struct cell *cell, bool is_marked, enum ctl_top_style style)
{
	if (is_marked)
		cell->style = style;
}

static void fill_port(const void *row, int column, struct cell *cell)
{
	const struct ctl_top_port_row *p = row;
	const double figures[] = {p->wire_bps, p->frames_ps, p->up_pps, p->down_pps, p->lost_ps};

	mark(cell, strcmp(p->now.state, "up") != 0, CTL_TOP_ALARM);
	if (column == 0)
		put(cell, p->now.name);
	else if (column == 1)
		put(cell, p->now.state);
	else if (column <= 6)
		put_si(cell, figures[column - 2]);
	else if (column == 7)
		put_count(cell, p->now.lost);
	else if (column == 8)
		put_share(cell, p->now.busy_ms > 0 ? p->load : NAN); // NAN: workers receive
	else
		put(cell, p->now.cause);
	mark(cell, (column == 6 || column == 7) && p->lost_ps > 0, CTL_TOP_ALARM);
	mark(cell, column == 3 && p->frames_ps == 0, CTL_TOP_CAREFUL);
}

static void fill_worker(const void *row, int column, struct cell *cell)
{
	const struct ctl_top_worker_row *w = row;
	const double figures[] = {
		w->bps, w->packets_ps, w->flows_ps, w->postponed_ps, w->evicted_ps, w->taken_ps};

	if (column == 0)
		put_count(cell, w->now.number);
	else if (column == 1)
		put_share(cell, w->load);
	else if (column == 2)
		(void)snprintf(cell->text, sizeof(cell->text), "%.2f", MIN(w->now.of_mean, 9999));
	else if (column <= 8)
		put_si(cell, figures[column - 3]);
	else if (w->is_swapping)
		put_count(cell, w->now.to_resolve);
	else
		put(cell, "-");
	mark(cell, column == 1 && w->load >= 0.9, CTL_TOP_CAREFUL);
	mark(cell, column == 6 && w->postponed_ps > 0, CTL_TOP_CAREFUL);
	mark(cell, column == 7 && w->evicted_ps > 0, CTL_TOP_CAREFUL);
}

static void fill_trigger(const void *row, int column, struct cell *cell)
{
	const struct ctl_top_decision_row *t = row;

	mark(cell, strcmp(t->now.state, "decided") != 0, CTL_TOP_FAINT);
	if (column == 0)
		put(cell, t->now.name);
	else if (column == 1)
		put(cell, t->now.state);
	else if (column == 2)
		put_count(cell, t->lately);
	else if (column == 3)
		put_count(cell, t->now.count);
	else
		put(cell, t->now.reason);
}

static void fill_app(const void *row, int column, struct cell *cell)
{
	const struct ctl_top_app_row *a = row;
	const double figures[] = {a->flows_ps, a->packets_ps, (double)a->now.bytes};

	mark(cell, strcmp(a->now.name, "unknown") == 0, CTL_TOP_CAREFUL);
	if (column == 0)
		put(cell, a->now.name);
	else if (column == 1)
		put_si(cell, a->bps);
	else if (column == 2)
		put_share(cell, a->share);
	else if (column <= 5)
		put_si(cell, figures[column - 3]);
	else if (column == 6)
		put_share(cell, a->share_total);
	else
		put(cell, a->now.category);
}

static void fill_loss(const void *row, int column, struct cell *cell)
{
	const struct ctl_top_loss *l = row;

	mark(cell, l->ps > 0, CTL_TOP_ALARM);
	if (column == 0)
		put(cell, l->part);
	else if (column == 1)
		put(cell, l->what);
	else if (column == 2)
		put_si(cell, l->ps);
	else if (column == 3)
		put_count(cell, l->total);
	else
		put_clock(cell, column == 4 ? l->since_ns : l->last_ns);
}

static void fill_outcome(const void *row, int column, struct cell *cell)
{
	const struct ctl_top_outcome_row *o = row;

	if (column == 0)
		put(cell, o->now.what);
	else if (column == 1)
		put_si(cell, o->ps);
	else
		put_count(cell, o->now.count > 0 ? (uint64_t)o->now.count : 0);
}

static void fill_gap(const void *row, int column, struct cell *cell)
{
	const struct ctl_top_gap *g = row;
	char text[CTL_TOP_FIGURE_MAX];

	if (column == 0)
		put(cell, g->from);
	else if (column == 1)
		(void)g_strlcpy(cell->text, ctl_top_span(g->seconds, text), sizeof(cell->text));
	else
		put(cell, g->cause);
}

static const struct table tables[CTL_TOP_TABLE_COUNT] = {
	[CTL_TOP_TABLE_PORTS] = {"no port is open",
		{{"PORT", 0, true}, {"STATE", 9, true}, {"BIT/S", 6}, {"FRAMES/S", 8},
			{"UP P/S", 6}, {"DOWN P/S", 8}, {"LOST/S", 6}, {"LOST", 8}, {"LOAD", 7},
			{"CAUSE", 0, true}, {0}},
		fill_port},
	[CTL_TOP_TABLE_WORKERS] = {"no worker is known of",
		{{"WORKER", 12, true}, {"LOAD", 7}, {"OF MEAN", 7}, {"BIT/S", 6}, {"PACKETS/S", 9},
			{"FLOWS/S", 7}, {"POSTPONED/S", 11}, {"EVICTED/S", 9}, {"TAKEN/S", 7},
			{"SWAP", 7}, {0}},
		fill_worker},
	[CTL_TOP_TABLE_TRIGGERS] = {"no trigger was decided or withheld since the start",
		{{"TRIGGER OR RULE", 0, true}, {"STATE", 8, true}, {"LATELY", 7}, {"TOTAL", 8},
			{"REASON", 0, true}, {0}},
		fill_trigger},
	[CTL_TOP_TABLE_APPS] = {"no app has been seen since the start",
		{{"APP", 0, true}, {"BIT/S", 6}, {"SHARE", 7}, {"FLOWS/S", 7}, {"PACKETS/S", 9},
			{"BYTES", 6}, {"OF ALL", 7}, {"CATEGORY", 0, true}, {0}},
		fill_app},
	[CTL_TOP_TABLE_LOSSES] = {"no frame was lost since the start",
		{{"LOST IN", 0, true}, {"AS", 10, true}, {"LOST/S", 6}, {"LOST", 8}, {"SINCE", 8},
			{"LAST", 8}, {0}},
		fill_loss},
	[CTL_TOP_TABLE_OUTCOMES] = {"the ledger was not told",
		{{"FRAMES", 0, true}, {"A SECOND", 8}, {"TOTAL", 8}, {0}}, fill_outcome},
	[CTL_TOP_TABLE_GAPS] = {"no gap is known of",
		{{"GAP FROM", 24, true}, {"LASTED", 12}, {"CAUSE", 0, true}, {0}}, fill_gap},
};

static const GArray *rows_of(const struct ctl_top_view *view, enum ctl_top_table table)
{
	const GArray *const rows[CTL_TOP_TABLE_COUNT] = {
		[CTL_TOP_TABLE_PORTS] = view->ports,
		[CTL_TOP_TABLE_WORKERS] = view->workers,
		[CTL_TOP_TABLE_TRIGGERS] = view->triggers,
		[CTL_TOP_TABLE_APPS] = view->apps,
		[CTL_TOP_TABLE_LOSSES] = view->losses,
		[CTL_TOP_TABLE_OUTCOMES] = view->outcomes,
		[CTL_TOP_TABLE_GAPS] = view->now != NULL ? view->now->gaps : NULL,
	};

	return rows[table];
}

int ctl_top_table_rows(const struct ctl_top_view *view, enum ctl_top_table table)
{
	const GArray *rows = rows_of(view, table);

	return rows != NULL ? (int)rows->len : 0;
}

/* Those first that somebody has to look at. */
static int worst_port_first(const void *a, const void *b)
{
	const struct ctl_top_port_row *x = *(const void *const *)a, *y = *(const void *const *)b;
	const int worse = (strcmp(y->now.state, "up") != 0) - (strcmp(x->now.state, "up") != 0);

	return worse != 0 ? worse : (y->lost_ps > 0) - (x->lost_ps > 0);
}

static int busiest_worker_first(const void *a, const void *b)
{
	const struct ctl_top_worker_row *x = *(const void *const *)a, *y = *(const void *const *)b;

	return (y->load > x->load) - (y->load < x->load);
}

/* Pointers to rows in the order to show: apps as wanted, gaps newest first. */
static GPtrArray *order_rows(
	const struct ctl_top_view *view, enum ctl_top_table table, enum ctl_top_order order)
{
	const GArray *rows = rows_of(view, table);
	GPtrArray *ordered;

	if (table == CTL_TOP_TABLE_APPS)
		return ctl_top_order_apps(view, order);
	ordered = g_ptr_array_new();
	for (guint i = 0; rows != NULL && i < rows->len; i++) {
		const guint at = table == CTL_TOP_TABLE_GAPS ? rows->len - 1 - i : i;

		g_ptr_array_add(ordered,
			rows->data +
				(size_t)at * g_array_get_element_size((GArray *)(uintptr_t)rows));
	}
	if (table == CTL_TOP_TABLE_PORTS)
		g_ptr_array_sort(ordered, worst_port_first); // stable
	else if (table == CTL_TOP_TABLE_WORKERS)
		g_ptr_array_sort(ordered, busiest_worker_first);
	return ordered;
}

/* How wide each column is on this screen: 0 from the first on that has no room. */
static void lay_out(const struct table *table, int n_cols, int ret_widths[COLUMNS_MAX])
{
	int fixed = 0, left;

	memset(ret_widths, 0, COLUMNS_MAX * sizeof(int));
	for (int i = 1; i < COLUMNS_MAX && table->columns[i].title != NULL; i++)
		fixed += table->columns[i].width > 0 ? table->columns[i].width + 1 : 0;
	ret_widths[0] = table->columns[0].width > 0
		? table->columns[0].width
		: CLAMP(n_cols - 1 - fixed, FIRST_MIN, FIRST_MAX);
	left = n_cols - 1 - ret_widths[0];
	for (int i = 1; i < COLUMNS_MAX && table->columns[i].title != NULL; i++) {
		const int width = table->columns[i].width;
		const int wanted = width > 0 ? width : MAX(left - 1, 0);

		// The last one takes what is left, if its title fits.
		if (wanted + 1 > left || wanted < (int)strlen(table->columns[i].title))
			return;
		ret_widths[i] = wanted;
		left -= wanted + 1;
	}
}

static void draw_cell(struct ctl_top_screen *s, int line, int col, int width, bool is_left,
	const struct cell *cell)
{
	if (is_left)
		(void)ctl_top_put(s, line, col, width, cell->style, cell->text);
	else
		ctl_top_put_right(s, line, col, width, cell->style, cell->text);
}

/* Titles; the first says how many rows are shown, where that is not all of them. */
static void draw_title(struct ctl_top_screen *s, int line, const struct table *table,
	const int widths[COLUMNS_MAX], int n_shown, int n)
{
	int col = 1;

	ctl_top_fill(s, line, CTL_TOP_TITLE);
	for (int i = 0; i < COLUMNS_MAX && widths[i] > 0; i++) {
		struct cell cell = {.style = CTL_TOP_TITLE};

		if (i == 0 && n_shown < n)
			(void)snprintf(cell.text, sizeof(cell.text), "%s %d/%d",
				table->columns[i].title, n_shown, n);
		else
			put(&cell, table->columns[i].title);
		draw_cell(s, line, col, widths[i], table->columns[i].is_left, &cell);
		col += widths[i] + 1;
	}
}

static void draw_row(struct ctl_top_screen *s, int line, const struct table *table,
	const int widths[COLUMNS_MAX], const void *row)
{
	int col = 1;

	for (int i = 0; i < COLUMNS_MAX && widths[i] > 0; i++) {
		struct cell cell = {.style = CTL_TOP_PLAIN};

		table->fill(row, i, &cell);
		draw_cell(s, line, col, widths[i], table->columns[i].is_left, &cell);
		col += widths[i] + 1;
	}
}

int ctl_top_table_draw(struct ctl_top_screen *s, int begin, int end,
	const struct ctl_top_view *view, enum ctl_top_table which, enum ctl_top_order order,
	int first)
{
	const struct table *table = &tables[which];
	GPtrArray *rows = order_rows(view, which, order);
	const int n = (int)rows->len;
	int widths[COLUMNS_MAX], line = begin;

	lay_out(table, s->n_cols, widths);
	if (n == 0 && line < end) {
		(void)ctl_top_put(s, line++, 1, s->n_cols - 1, CTL_TOP_FAINT, table->none);
	} else if (line + 1 < end) {
		const int n_shown = CLAMP(end - line - 1, 0, MAX(n - first, 0));

		draw_title(s, line++, table, widths, n_shown, n);
		for (int i = first; i < n && line < end; i++)
			draw_row(s, line++, table, widths, rows->pdata[i]);
	}
	g_ptr_array_free(rows, TRUE);
	return line;
}
