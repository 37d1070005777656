// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_lately.h"

#include <string.h>

enum { SUM_S = 10, SUMS = CTL_TOP_LATELY_S / SUM_S }; // start value
static const uint64_t SUM_US = SUM_S * 1000000ULL;

struct counter {
	uint64_t seen; // count when last looked
	uint64_t slots[SUMS],
		slot_of[SUMS]; // sums, and of which ten seconds since the start each is
};

void ctl_top_lately_fini(struct ctl_top_lately *lately)
{
	if (lately->counters != NULL)
		g_hash_table_destroy(lately->counters);
	*lately = (struct ctl_top_lately){0};
}

static uint64_t sum_of(const struct counter *c, uint64_t slot)
{
	uint64_t sum = 0;

	for (int i = 0; i < SUMS; i++) {
		if (c->slot_of[i] <= slot && slot - c->slot_of[i] < SUMS)
			sum += c->slots[i];
	}
	return sum;
}

static void add(struct counter *c, uint64_t slot, uint64_t n)
{
	const size_t i = slot % SUMS;

	if (c->slot_of[i] != slot) {
		c->slot_of[i] = slot;
		c->slots[i] = 0;
	}
	c->slots[i] += n;
}

/* NULL: there are enough of them. A counter that comes later has counted from zero. */
static struct counter *counter_of(
	struct ctl_top_lately *lately, const struct ctl_top_decision *d, bool is_first)
{
	g_autofree char *key = g_strjoin("\n", d->state, d->name, d->reason, NULL);
	struct counter *c = g_hash_table_lookup(lately->counters, key);

	if (c != NULL || g_hash_table_size(lately->counters) >= CTL_TOP_ROWS_MAX)
		return c;
	c = g_new0(struct counter, 1);
	c->seen = is_first ? d->count : 0;
	(void)g_hash_table_insert(lately->counters, g_steal_pointer(&key), c);
	return c;
}

static int newest_first(const void *a, const void *b)
{
	const struct ctl_top_decision_row *x = a, *y = b;
	const bool is_decided[2] = {
		strcmp(x->now.state, "decided") == 0, strcmp(y->now.state, "decided") == 0};

	if (is_decided[0] != is_decided[1])
		return is_decided[0] ? -1 : 1;
	if (x->lately != y->lately)
		return x->lately > y->lately ? -1 : 1;
	if (x->now.count != y->now.count)
		return x->now.count > y->now.count ? -1 : 1;
	return strcmp(x->now.name, y->now.name) != 0 ? strcmp(x->now.name, y->now.name)
						     : strcmp(x->now.reason, y->now.reason);
}

void ctl_top_lately_take(
	struct ctl_top_lately *lately, const struct ctl_top_sample *now, struct ctl_top_view *view)
{
	const bool is_first = lately->counters == NULL;
	const uint64_t uptime_us = now->node.uptime_us, slot = uptime_us / SUM_US;

	if (!now->was_told[CTL_TOP_TRIGGERS])
		return;
	if (is_first) {
		lately->counters = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		lately->first_us = uptime_us;
	}
	g_array_set_size(view->triggers, 0);
	for (guint i = 0; i < now->triggers->len; i++) {
		struct ctl_top_decision_row row = {
			.now = *ctl_top_row(ctl_top_decision, now->triggers, i)};
		struct counter *c = counter_of(lately, &row.now, is_first);

		if (c != NULL) {
			add(c, slot, row.now.count - MIN(c->seen, row.now.count));
			c->seen = row.now.count;
			row.lately = sum_of(c, slot);
		}
		g_array_append_val(view->triggers, row);
	}
	g_array_sort(view->triggers, newest_first);
	view->lately_s = MIN((double)(uptime_us - MIN(lately->first_us, uptime_us)) / 1e6,
		(double)CTL_TOP_LATELY_S);
}
