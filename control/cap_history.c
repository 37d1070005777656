// SPDX-License-Identifier: BSD-3-Clause
#include "control/cap_history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ctl_cap_is_near(const struct ctl_cap_cycle *cycle)
{
	return cycle->cap_bytes > 0 &&
		(unsigned __int128)cycle->bytes * 100 >=
		(unsigned __int128)cycle->cap_bytes * CTL_NEAR_CAP_PERCENT;
}

double ctl_cap_percent(const struct ctl_cap_cycle *cycle)
{
	if (cycle->cap_bytes == 0)
		return 0;
	return (double)cycle->bytes * 100 / (double)cycle->cap_bytes;
}

/* Insert in order of start; of two with one start the larger stays. Full: the oldest gives way. */
static void insert(struct ctl_cap_history *h, const struct ctl_cap_cycle *cycle)
{
	uint32_t i = h->n_cycles;

	while (i > 0 && h->cycles[i - 1].start_ns > cycle->start_ns)
		i--;
	if (i > 0 && h->cycles[i - 1].start_ns == cycle->start_ns) {
		if (cycle->bytes > h->cycles[i - 1].bytes)
			h->cycles[i - 1] = *cycle;
		return;
	}
	if (h->n_cycles == CTL_CYCLES_MAX - 1) { // one place is kept for the running one
		if (i == 0)
			return;
		memmove(&h->cycles[0], &h->cycles[1], (i - 1) * sizeof(h->cycles[0]));
		h->cycles[i - 1] = *cycle;
		return;
	}
	memmove(&h->cycles[i + 1], &h->cycles[i], (h->n_cycles - i) * sizeof(h->cycles[0]));
	h->cycles[i] = *cycle;
	h->n_cycles++;
}

static struct ctl_cap_cycle seen(const struct ctl_cycle_row *row)
{
	return (struct ctl_cap_cycle){
		.start_ns = row->start_ns,
		.bytes = row->bytes,
		.cap_bytes = row->cap_bytes,
		.day_reached = row->day_reached,
	};
}

/* A told start is moved to the start of the cycle it lies in, so that both agree. */
static struct ctl_cap_cycle told(const struct ctl_bucket *bucket, const struct ctl_past_cycle *past)
{
	return (struct ctl_cap_cycle){
		.start_ns = ctl_cycle_at(bucket->tz, bucket->anchor_day, past->start_ns).start_ns,
		.bytes = past->bytes,
		.cap_bytes = past->cap_bytes > 0 ? past->cap_bytes : bucket->cap_bytes,
		.day_reached = past->day_reached,
	};
}

void ctl_cap_history_make(const struct ctl_bucket_use *bucket, const struct ctl_person *person,
	struct ctl_cap_history *ret_history)
{
	const uint64_t now_start_ns = bucket->cycle.start_ns;
	struct ctl_cap_history h = {0};
	// The history is told per person: it is the first bucket's.
	const size_t n_past = bucket->told == &person->buckets[0] ? person->n_past : 0;

	for (size_t i = 0; i < n_past; i++) {
		const struct ctl_cap_cycle c = told(bucket->told, &person->past[i]);

		if (c.start_ns < now_start_ns)
			insert(&h, &c);
	}
	for (uint32_t i = 0; i + 1 < bucket->n_rows; i++) {
		const struct ctl_cap_cycle c = seen(&bucket->rows[i]);

		if (!bucket->rows[i].is_partial || ctl_cap_is_near(&c))
			insert(&h, &c);
	}
	h.cycles[h.n_cycles] = seen(&bucket->rows[bucket->n_rows - 1]);
	h.cycles[h.n_cycles++].is_running = true;
	*ret_history = h;
}

uint32_t ctl_cap_count_near(const struct ctl_cap_history *history, uint32_t n_last)
{
	uint32_t n_near = 0;

	for (uint32_t i = 0; i < MIN(n_last, history->n_cycles); i++)
		n_near += ctl_cap_is_near(&history->cycles[history->n_cycles - 1 - i]);
	return n_near;
}

static int u64_cmp(const void *pa, const void *pb)
{
	const uint64_t a = *(const uint64_t *)pa;
	const uint64_t b = *(const uint64_t *)pb;

	return a < b ? -1 : a > b;
}

uint64_t ctl_cap_median(const struct ctl_cap_history *history)
{
	const uint32_t n = history->n_cycles - 1;
	uint64_t bytes[CTL_CYCLES_MAX];

	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = history->cycles[i].bytes;
	qsort(bytes, n, sizeof(bytes[0]), u64_cmp);
	if (n % 2 == 1)
		return bytes[n / 2];
	return bytes[n / 2 - 1] + (bytes[n / 2] - bytes[n / 2 - 1]) / 2;
}

double ctl_cap_slope(const struct ctl_cap_history *history)
{
	const double n = history->n_cycles;
	double sum_y = 0, sum_xy = 0;
	const double mean_x = (n - 1) / 2;
	const double var_x = n * (n * n - 1) / 12; // sum of (x - mean)^2 over 0..n-1

	if (history->n_cycles < 2)
		return 0;
	for (uint32_t i = 0; i < history->n_cycles; i++) {
		const double y = ctl_cap_percent(&history->cycles[i]);

		sum_y += y;
		sum_xy += i * y;
	}
	return round((sum_xy - mean_x * sum_y) / var_x * 10) / 10;
}

uint64_t ctl_cap_projected(const struct ctl_cycle *cycle, uint64_t bytes, uint64_t now_ns)
{
	const uint64_t elapsed_ns = MAX(now_ns - cycle->start_ns, CTL_DAY_NS);
	const uint64_t length_ns = cycle->end_ns - cycle->start_ns;

	return (uint64_t)((unsigned __int128)bytes * length_ns / elapsed_ns);
}

static uint64_t need_of(const struct ctl_cap_cycle *c, const struct ctl_bucket *told,
	const struct ctl_cycle *running, uint64_t now_ns)
{
	struct ctl_cycle cycle;
	uint64_t by_pace;

	if (c->is_running)
		return MAX(c->bytes, ctl_cap_projected(running, c->bytes, now_ns));
	if (c->day_reached <= 0 || c->bytes < c->cap_bytes ||
		c->bytes > c->cap_bytes + c->cap_bytes / 20)
		return c->bytes;
	// It stopped at the cap, so it was throttled or barred there: what it wanted is more.
	cycle = ctl_cycle_at(told->tz, told->anchor_day, c->start_ns);
	by_pace = (uint64_t)((unsigned __int128)c->cap_bytes * CTL_NEAR_CAP_PERCENT *
		(unsigned)ctl_cycle_n_days(told->tz, &cycle) / 100 / (unsigned)c->day_reached);
	return MAX(c->bytes, by_pace);
}

uint64_t ctl_cap_needed(const struct ctl_cap_history *history, const struct ctl_bucket *told,
	const struct ctl_cycle *running, uint64_t now_ns)
{
	const uint32_t n = history->n_cycles;
	uint64_t needs[CTL_CYCLES_MAX];

	for (uint32_t i = 0; i < n; i++)
		needs[i] = need_of(&history->cycles[i], told, running, now_ns);
	qsort(needs, n, sizeof(needs[0]), u64_cmp);
	return needs[(n * 9 + 9) / 10 - 1]; // ceil(0.9 n)
}
