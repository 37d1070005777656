// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_counted.h"

#include <math.h>
#include <string.h>

enum { PATIENCE_US = 2000000 }; // beyond three ticks: start value

void ctl_top_counted_fini(struct ctl_top_counted *counted)
{
	if (counted->apps != NULL)
		g_array_free(counted->apps, TRUE);
	*counted = (struct ctl_top_counted){0};
}

void ctl_top_counted_forget(struct ctl_top_counted *counted)
{
	ctl_top_counted_fini(counted);
}

/* It wraps, as hostile counters may. */
static int64_t sum(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t difference(int64_t now, int64_t before)
{
	return (int64_t)((uint64_t)now - (uint64_t)before);
}

static double share_of(double part, double whole)
{
	return whole > 0 ? CLAMP(part / whole, 0, 1) : NAN;
}

/* Name -> index in apps, of what was counted before. */
static GHashTable *index_of(const GArray *apps)
{
	GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; apps != NULL && i < apps->len; i++)
		(void)g_hash_table_insert(index, ctl_top_row(ctl_top_app, apps, i)->name,
			ctl_top_row(ctl_top_app, apps, i));
	return index;
}

/* Undecided bytes that find their app go from one to the other: what fell has no rate of its own. */
static double per_second(int64_t n, double seconds)
{
	return n > 0 ? (double)n / seconds : 0;
}

static void add_rates(struct ctl_top_app_row *row, const struct ctl_top_app *before, double seconds)
{
	static const struct ctl_top_app none;
	const struct ctl_top_app *now = &row->now;

	if (before == NULL)
		before = &none; // apps that stand at zero are left out
	row->bps = 8 * per_second(difference(now->bytes, before->bytes), seconds);
	row->up_bps = 8 * per_second(difference(now->up_bytes, before->up_bytes), seconds);
	row->down_bps = 8 * per_second(difference(now->down_bytes, before->down_bytes), seconds);
	row->packets_ps = per_second(difference(now->packets, before->packets), seconds);
	row->flows_ps = now->flows >= before->flows ? (double)(now->flows - before->flows) / seconds
						    : 0;
}

static void add_rows(struct ctl_top_view *view, const struct ctl_top_sample *now)
{
	g_array_set_size(view->apps, 0);
	for (guint i = 0; i < now->apps->len; i++) {
		const struct ctl_top_app_row row = {
			.now = *ctl_top_row(ctl_top_app, now->apps, i),
			.bps = NAN,
			.up_bps = NAN,
			.down_bps = NAN,
			.packets_ps = NAN,
			.flows_ps = NAN,
			.share = NAN,
			.share_total = NAN,
		};

		g_array_append_val(view->apps, row);
	}
	view->up_bps = view->down_bps = NAN;
	view->unknown_share = view->undecided_share = NAN;
}

static void rate_rows(
	struct ctl_top_view *view, const struct ctl_top_counted *before, double seconds)
{
	GHashTable *index = index_of(before->apps);
	int64_t up = 0, down = 0;

	for (guint i = 0; i < view->apps->len; i++) {
		struct ctl_top_app_row *row = ctl_top_row(ctl_top_app_row, view->apps, i);

		add_rates(row, g_hash_table_lookup(index, row->now.name), seconds);
		up = sum(up, row->now.up_bytes);
		down = sum(down, row->now.down_bytes);
	}
	g_hash_table_destroy(index);
	for (guint i = 0; i < before->apps->len; i++) {
		const struct ctl_top_app *app = ctl_top_row(ctl_top_app, before->apps, i);

		up = difference(up, app->up_bytes);
		down = difference(down, app->down_bytes);
	}
	view->up_bps = 8 * per_second(up, seconds);
	view->down_bps = 8 * per_second(down, seconds);
}

/* Shares of all bytes, of those lately and of those since the start. */
static void add_shares(struct ctl_top_view *view)
{
	double lately = 0, total = 0;

	view->unknown_share_total = 0;
	for (guint i = 0; i < view->apps->len; i++) {
		const struct ctl_top_app_row *row = ctl_top_row(ctl_top_app_row, view->apps, i);

		lately += row->bps; // NAN of all or of none
		total += MAX((double)row->now.bytes, 0);
	}
	view->unknown_share = view->undecided_share = lately > 0 ? 0 : NAN;
	for (guint i = 0; i < view->apps->len; i++) {
		struct ctl_top_app_row *row = ctl_top_row(ctl_top_app_row, view->apps, i);

		row->share = share_of(row->bps, lately);
		row->share_total = share_of((double)row->now.bytes, total);
		if (strcmp(row->now.name, "unknown") == 0) {
			view->unknown_share = row->share;
			view->unknown_share_total = row->share_total;
		} else if (strcmp(row->now.name, "undecided") == 0) {
			view->undecided_share = row->share;
		}
	}
}

static void keep(struct ctl_top_counted *counted, const struct ctl_top_sample *now, uint64_t at_ns)
{
	if (counted->apps != NULL)
		g_array_free(counted->apps, TRUE);
	counted->apps = g_array_copy(now->apps);
	counted->watermark_ns = at_ns;
	counted->moved_us = now->node.uptime_us;
}

/* Ticks are complete every now and then, or control is held up. */
static double stalled_s(const struct ctl_top_counted *counted, const struct ctl_top_sample *now)
{
	const uint64_t still_us = now->node.uptime_us - MIN(counted->moved_us, now->node.uptime_us);
	const uint64_t tick_us = MIN(now->node.tick_ms, 60000) * 1000;

	return still_us > 3 * tick_us + PATIENCE_US ? (double)still_us / 1e6 : 0;
}

void ctl_top_counted_take(struct ctl_top_counted *counted, const struct ctl_top_sample *now,
	struct ctl_top_view *view)
{
	const uint64_t at_ns = now->counted_ns[0];
	const bool is_sure = now->was_told[CTL_TOP_APPS] && at_ns == now->counted_ns[1];
	const bool is_known = counted->apps != NULL;

	if (!is_known) {
		add_rows(view, now);
		add_shares(view);
		if (is_sure)
			keep(counted, now, at_ns);
		view->stalled_s = 0;
		return;
	}
	if (!is_sure || at_ns <= counted->watermark_ns) {
		view->stalled_s = stalled_s(counted, now);
		if (view->stalled_s > 0) {
			add_rows(view, now);
			add_shares(view);
		}
		return;
	}
	add_rows(view, now);
	if (counted->watermark_ns > 0)
		rate_rows(view, counted, (double)(at_ns - counted->watermark_ns) / 1e9);
	add_shares(view);
	keep(counted, now, at_ns);
	view->stalled_s = 0;
}
