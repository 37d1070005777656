// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_loss.h"

#include "control/top_model.h"

#include <math.h>
#include <string.h>

static const uint64_t BREAK_NS = 60ULL * 1000000000; // less between two is one loss, as for gaps

/* When a place lost frames, by the daemon's wall clock. */
struct when {
	uint64_t since_ns, last_ns;
};

void ctl_top_losses_fini(struct ctl_top_losses *losses)
{
	if (losses->places != NULL)
		g_hash_table_destroy(losses->places);
	losses->places = NULL;
}

/* Want of CPU or room: what somebody has to do something about. */
static bool is_loss(const struct ctl_top_frames *row)
{
	return strcmp(row->what, "lost") == 0 || strcmp(row->what, "queue_full") == 0 ||
		strcmp(row->what, "no_room") == 0;
}

static bool is_total(const struct ctl_top_frames *row)
{
	return strcmp(row->part, "total") == 0;
}

static char *key_of(const struct ctl_top_frames *row)
{
	return g_strconcat(row->part, " ", row->what, NULL);
}

/* Key (owned) -> row, borrowed. */
static GHashTable *index_of(const struct ctl_top_sample *before)
{
	GHashTable *index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; before != NULL && i < before->ledger->len; i++) {
		struct ctl_top_frames *row = ctl_top_row(ctl_top_frames, before->ledger, i);

		(void)g_hash_table_insert(index, key_of(row), row);
	}
	return index;
}

static uint64_t counted(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

/* A row that is not there stands at zero. */
static double rate_of(
	const struct ctl_top_frames *row, const char *key, GHashTable *before, double seconds)
{
	const struct ctl_top_frames *old = g_hash_table_lookup(before, key);

	return ctl_top_rate(counted(row->count), old != NULL ? counted(old->count) : 0, seconds);
}

/* Remember that it grew just now, where it did. */
static struct when note(struct ctl_top_losses *losses, const char *key, double ps, uint64_t now_ns)
{
	struct when *when = g_hash_table_lookup(losses->places, key);

	if (!(ps > 0))
		return when != NULL ? *when : (struct when){0};
	if (when == NULL && g_hash_table_size(losses->places) < CTL_TOP_ROWS_MAX) {
		when = g_new0(struct when, 1);
		(void)g_hash_table_insert(losses->places, g_strdup(key), when);
	}
	if (when == NULL)
		return (struct when){0};
	if (when->last_ns == 0 || now_ns < when->last_ns || now_ns - when->last_ns > BREAK_NS)
		when->since_ns = now_ns;
	when->last_ns = now_ns;
	return *when;
}

static void add_place(struct ctl_top_losses *losses, const struct ctl_top_frames *row,
	const char *key, double ps, const struct ctl_top_sample *now, struct ctl_top_view *view)
{
	const struct when when = note(losses, key, ps, now->node.now_ns);
	struct ctl_top_loss loss = {.total = counted(row->count),
		.ps = ps,
		.since_ns = when.since_ns,
		.last_ns = when.last_ns};

	memcpy(loss.part, row->part, sizeof(loss.part));
	memcpy(loss.what, row->what, sizeof(loss.what));
	g_array_append_val(view->losses, loss);
}

/* A row of the whole: an outcome, or a part of what is lost. */
static void add_to_total(const struct ctl_top_frames *row, double ps, struct ctl_top_view *view)
{
	const struct ctl_top_outcome_row outcome = {.now = *row, .ps = ps};

	if (strcmp(row->what, "balance") == 0) {
		view->ledger_off = row->count;
		return;
	}
	if (row->count > 0)
		g_array_append_val(view->outcomes, outcome);
	if (!is_loss(row))
		return;
	view->lost_total += counted(row->count);
	view->lost_ps += ps;
}

static int most_lost_first(const void *a, const void *b)
{
	const struct ctl_top_loss *x = a, *y = b;

	if ((x->ps > 0 || y->ps > 0) && x->ps != y->ps)
		return x->ps > y->ps || isnan(y->ps) ? -1 : 1;
	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return strcmp(x->part, y->part);
}

/* lost is beside received, the others are in it. */
static double share_lost(const struct ctl_top_view *view)
{
	double received = NAN, before_us = 0;

	for (guint i = 0; i < view->outcomes->len; i++) {
		const struct ctl_top_outcome_row *row = ctl_top_row(
			ctl_top_outcome_row, view->outcomes, i);

		if (strcmp(row->now.what, "received") == 0)
			received = row->ps;
		else if (strcmp(row->now.what, "lost") == 0)
			before_us = row->ps;
	}
	return received + before_us > 0 ? CLAMP(view->lost_ps / (received + before_us), 0, 1) : NAN;
}

void ctl_top_losses_take(struct ctl_top_losses *losses, const struct ctl_top_sample *before,
	const struct ctl_top_sample *now, struct ctl_top_view *view)
{
	const bool has_before = before != NULL && before->was_told[CTL_TOP_LEDGER] &&
		now->was_told[CTL_TOP_LEDGER];
	const double seconds = has_before ? view->seconds : NAN;
	GHashTable *index = index_of(before);
	struct when when;

	if (losses->places == NULL)
		losses->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_array_set_size(view->losses, 0);
	g_array_set_size(view->outcomes, 0);
	view->lost_total = 0;
	view->ledger_off = 0;
	view->lost_ps = has_before ? 0 : NAN;
	for (guint i = 0; i < now->ledger->len; i++) {
		const struct ctl_top_frames *row = ctl_top_row(ctl_top_frames, now->ledger, i);
		g_autofree char *key = key_of(row);
		const double ps = rate_of(row, key, index, seconds);

		if (is_total(row))
			add_to_total(row, ps, view);
		else if (is_loss(row) && row->count > 0)
			add_place(losses, row, key, ps, now, view);
	}
	g_hash_table_destroy(index);
	g_array_sort(view->losses, most_lost_first);
	view->lost_share = share_lost(view);
	when = note(losses, "total", view->lost_ps, now->node.now_ns);
	view->lost_since_ns = when.since_ns;
	view->lost_last_ns = when.last_ns;
}
