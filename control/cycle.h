// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Local days and billing cycles as half-open intervals of event time.
 *
 * Both begin at local midnight: the first instant whose wall clock shows 00:00 of that date, or,
 * where a change of the clock skips midnight, the instant of that change. Pure date arithmetic by
 * GTimeZone, which needs no process-global TZ; control thread only. Times are ns since the epoch. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CTL_SECOND_NS UINT64_C(1000000000)
#define CTL_DAY_NS (86400 * CTL_SECOND_NS) // 24 hours, whatever the wall clock says

struct ctl_day {
	uint64_t start_ns, end_ns; // [start, end)
	int32_t number; // local date as days since 1970-01-01
};

struct ctl_cycle {
	uint64_t start_ns, end_ns; // [start, end); both 0 = not known yet
};

/* The local day t_ns lies in. */
struct ctl_day ctl_day_at(GTimeZone *tz, uint64_t t_ns);

/* The cycle t_ns lies in. anchor_day 1..31; a month without that day starts on its last day. */
struct ctl_cycle ctl_cycle_at(GTimeZone *tz, uint8_t anchor_day, uint64_t t_ns);

/* 1 for the local day in which the cycle starts. */
int32_t ctl_cycle_day_of(GTimeZone *tz, const struct ctl_cycle *cycle, uint64_t t_ns);

/* Number of local days of the cycle. */
int32_t ctl_cycle_n_days(GTimeZone *tz, const struct ctl_cycle *cycle);

/* Local midnight n_days after the local day t_ns lies in. */
uint64_t ctl_day_after(GTimeZone *tz, uint64_t t_ns, int32_t n_days);

/* Hour of the wall clock, 0..23. */
int ctl_local_hour(GTimeZone *tz, uint64_t t_ns);

static inline bool ctl_cycle_has(const struct ctl_cycle *cycle, uint64_t t_ns)
{
	return t_ns >= cycle->start_ns && t_ns < cycle->end_ns;
}

/* A time zone with the two days asked for last, so that no date arithmetic runs per record. */
struct ctl_zone {
	GTimeZone *tz; // borrowed
	struct ctl_day recent[2]; // private
	unsigned n_turns; // private
};

/* As ctl_day_at, remembered. */
const struct ctl_day *ctl_zone_day(struct ctl_zone *zone, uint64_t t_ns);
