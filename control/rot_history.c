// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_state.h"

#include <stdlib.h>

enum {
	GAP_S = 180, // of an hour, that do not make it a bad one
	LEAST_PERCENT = 30, // of what that hour mostly has on the whole node
};
static const uint64_t HOUR_NS = 3600ULL * 1000000000;
static const uint64_t S_NS = 1000000000;

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* --- hours ------------------------------------------------------------------------------------ */

enum rot_hour ctl_rot_hour_of(const struct ctl_rot *rot, uint64_t hour)
{
	if (hour >= rot->hour || rot->hour - hour > CTL_ROT_HOURS)
		return ROT_HOUR_NONE;
	return rot->hours[hour % CTL_ROT_HOURS];
}

static uint64_t gap_ns(const struct ctl_rot *rot, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t sum_ns = 0;

	for (size_t i = 0; rot->gaps != NULL && i < ctl_gaps_count(rot->gaps); i++) {
		const struct ctl_gap *gap = ctl_gaps_at(rot->gaps, i);
		const uint64_t begin = MAX(gap->from_ns, from_ns), end = MIN(gap->to_ns, to_ns);

		sum_ns += begin < end ? end - begin : 0;
	}
	return sum_ns;
}

/* The node has next to nothing of what it mostly has at that hour: something is missing. */
static bool is_void(const struct ctl_rot *rot, uint64_t hour)
{
	const uint64_t bytes = ctl_rot_series_at(&rot->all, hour);
	uint64_t before[CTL_ROT_DAYS];
	size_t n = 0;

	for (uint64_t d = 1; d <= CTL_ROT_DAYS; d++) {
		const uint64_t h = hour - d * CTL_ROT_DAY;

		if (ctl_rot_hour_of(rot, h) == ROT_HOUR_GOOD)
			before[n++] = ctl_rot_series_at(&rot->all, h);
	}
	if (n < CTL_ROT_DAYS_MIN)
		return bytes == 0;
	qsort(before, n, sizeof(before[0]), compare_u64);
	return bytes < before[(n - 1) / 2] / 100 * LEAST_PERCENT;
}

enum rot_hour ctl_rot_judge_hour(const struct ctl_rot *rot, uint64_t hour)
{
	const uint64_t from_ns = hour * HOUR_NS;

	if (hour == rot->first || hour <= rot->broken ||
		gap_ns(rot, from_ns, from_ns + HOUR_NS) > GAP_S * S_NS)
		return ROT_HOUR_BAD;
	return is_void(rot, hour) ? ROT_HOUR_BAD : ROT_HOUR_GOOD;
}

/* --- days ------------------------------------------------------------------------------------- */

struct rot_span ctl_rot_span_of(const struct ctl_rot *rot, int n_hours)
{
	struct rot_span s = {.end = rot->hour, .n_hours = n_hours};

	for (int i = 0; i < n_hours; i++) {
		const uint64_t hour = s.end - 1 - (uint64_t)i;

		if (ctl_rot_hour_of(rot, hour) != ROT_HOUR_GOOD)
			continue;
		s.n_good++;
		for (uint64_t d = 0; d <= CTL_ROT_DAYS; d++)
			s.is_good[d][i] = ctl_rot_hour_of(rot, hour - d * CTL_ROT_DAY) ==
				ROT_HOUR_GOOD;
	}
	return s;
}

bool ctl_rot_sum_of_day(const struct ctl_rot_series *series, uint64_t since,
	const struct rot_span *s, uint64_t d, uint64_t *ret_sum)
{
	uint64_t sum = 0;
	int n = 0;

	for (int i = 0; i < s->n_hours; i++) {
		const uint64_t hour = s->end - 1 - (uint64_t)i - d * CTL_ROT_DAY;

		if (!s->is_good[d][i] || hour < since)
			continue;
		sum += ctl_rot_series_at(series, hour);
		n++;
	}
	if (n == 0 || n * 4 < s->n_good * 3)
		return false;
	*ret_sum = sum / (uint64_t)n * (uint64_t)s->n_good;
	return true;
}

struct rot_held ctl_rot_hold(
	const struct ctl_rot_series *series, uint64_t since, const struct rot_span *s)
{
	struct rot_held h = {0};

	for (int i = 0; i < s->n_hours; i++) {
		if (s->is_good[0][i])
			h.now += ctl_rot_series_at(series, s->end - 1 - (uint64_t)i);
	}
	for (uint64_t d = 1; d <= CTL_ROT_DAYS; d++) {
		uint64_t sum;

		if (!ctl_rot_sum_of_day(series, since, s, d, &sum))
			continue;
		h.days[h.n_days++] = sum;
		if (d % CTL_ROT_WEEK != 0)
			continue;
		h.week_least = h.has_week ? MIN(h.week_least, sum) : sum;
		h.week_most = MAX(h.week_most, sum);
		h.has_week = true;
	}
	qsort(h.days, (size_t)h.n_days, sizeof(h.days[0]), compare_u64);
	return h;
}

uint64_t ctl_rot_least(const struct rot_held *h)
{
	const uint64_t median = h->n_days > 0 ? h->days[(h->n_days - 1) / 2] : 0;

	return h->has_week ? MIN(median, h->week_least) : median;
}

uint64_t ctl_rot_most(const struct rot_held *h)
{
	const uint64_t median = h->n_days > 0 ? h->days[h->n_days / 2] : 0;

	return h->has_week ? MAX(median, h->week_most) : median;
}
