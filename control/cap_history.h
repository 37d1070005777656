// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The cycles of a bucket as a series: what was seen and what was told, and what they say about
 * need. Pure but for date arithmetic. */

#include "control/profile.h"

#include <stdint.h>

struct ctl_cap_cycle {
	uint64_t start_ns;
	uint64_t bytes;
	uint64_t cap_bytes;
	int32_t day_reached; // day of the cycle on which 80 % were reached; 0 = never
	bool is_running;
};

struct ctl_cap_history {
	struct ctl_cap_cycle cycles[CTL_CYCLES_MAX]; // oldest first, the running one last
	uint32_t n_cycles;
};

/* Join told and seen cycles up to the running one. Of a cycle that is both, the one with more
 * bytes counts: each may miss something, neither counts twice. A cycle whose begin was not seen
 * counts only when told, or when it came near the cap all the same. */
void ctl_cap_history_make(const struct ctl_bucket_use *bucket, const struct ctl_person *person,
	struct ctl_cap_history *ret_history);

/* Percent of the cap; 0 without a cap. */
double ctl_cap_percent(const struct ctl_cap_cycle *cycle);

bool ctl_cap_is_near(const struct ctl_cap_cycle *cycle);

/* How many of the newest n_last cycles came near the cap, the running one included. */
uint32_t ctl_cap_count_near(const struct ctl_cap_history *history, uint32_t n_last);

/* Median bytes of the cycles before the running one; of an even number the lower mean. */
uint64_t ctl_cap_median(const struct ctl_cap_history *history);

/* Least-squares slope of the percentages, per cycle, rounded to one decimal. */
double ctl_cap_slope(const struct ctl_cap_history *history);

/* Bytes of the whole cycle at the pace so far: of at least one day. */
uint64_t ctl_cap_projected(const struct ctl_cycle *cycle, uint64_t bytes, uint64_t now_ns);

/* 90th percentile (nearest rank) of what the cycles needed: the running one projected to its end;
 * one that stopped within 5 % above its cap, by the pace at which it came near the cap. */
uint64_t ctl_cap_needed(const struct ctl_cap_history *history, const struct ctl_bucket *told,
	const struct ctl_cycle *running, uint64_t now_ns);
