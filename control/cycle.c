// SPDX-License-Identifier: BSD-3-Clause
#include "control/cycle.h"

enum { DAY_S = 86400, JULIAN_1970 = 719163 }; // GDate counts from 0001-01-01 = 1

static int64_t offset_at(GTimeZone *tz, int64_t unix_s)
{
	return g_time_zone_get_offset(
		tz, g_time_zone_find_interval(tz, G_TIME_TYPE_UNIVERSAL, unix_s));
}

/* Seconds since the epoch at which the local date begins.
 *
 * An offset is right when it is in force at the instant it leads to. Where two are (the clock went
 * back over midnight) the earlier instant counts; where none is (it went forward) the one by the
 * old offset, which is the change itself. Offsets change at most once within the two days looked
 * at, so the two ends name all candidates. */
static int64_t midnight(GTimeZone *tz, int64_t day)
{
	const int64_t local_s = day * DAY_S;
	const int64_t before = offset_at(tz, local_s - DAY_S);
	const int64_t after = offset_at(tz, local_s + DAY_S);
	const int64_t early = local_s - MAX(before, after);
	const int64_t late = local_s - MIN(before, after);

	if (offset_at(tz, early) == local_s - early)
		return early;
	if (offset_at(tz, late) == local_s - late)
		return late;
	return local_s - before;
}

/* Local date by the wall clock; near a change of the clock it may be one off from the interval the
 * instant lies in, which the callers correct. */
static int64_t wall_day(GTimeZone *tz, int64_t unix_s)
{
	const int64_t local_s = unix_s + offset_at(tz, unix_s);

	return local_s >= 0 ? local_s / DAY_S : -((-local_s + DAY_S - 1) / DAY_S);
}

static int64_t to_s(uint64_t t_ns)
{
	return (int64_t)(t_ns / CTL_SECOND_NS);
}

static uint64_t to_ns(int64_t unix_s)
{
	return unix_s <= 0 ? 0 : (uint64_t)unix_s * CTL_SECOND_NS;
}

static int64_t day_number(GTimeZone *tz, int64_t unix_s)
{
	int64_t day = wall_day(tz, unix_s);

	while (unix_s < midnight(tz, day))
		day--;
	while (unix_s >= midnight(tz, day + 1))
		day++;
	return day;
}

struct ctl_day ctl_day_at(GTimeZone *tz, uint64_t t_ns)
{
	const int64_t day = day_number(tz, to_s(t_ns));

	return (struct ctl_day){
		.start_ns = to_ns(midnight(tz, day)),
		.end_ns = to_ns(midnight(tz, day + 1)),
		.number = (int32_t)day,
	};
}

/* Months are counted from year 0, so that the neighbours are +-1. */
static int64_t month_start(GTimeZone *tz, uint8_t anchor_day, int month)
{
	const GDateMonth m = (GDateMonth)(month % 12 + 1);
	const GDateYear y = (GDateYear)(month / 12);
	const uint8_t n_days = g_date_get_days_in_month(m, y);
	GDate date;

	g_date_clear(&date, 1);
	g_date_set_dmy(&date, MIN(anchor_day, n_days), m, y);
	return midnight(tz, (int64_t)g_date_get_julian(&date) - JULIAN_1970);
}

struct ctl_cycle ctl_cycle_at(GTimeZone *tz, uint8_t anchor_day, uint64_t t_ns)
{
	const int64_t t = to_s(t_ns);
	GDate date;
	int month;

	g_date_clear(&date, 1);
	g_date_set_julian(&date, (guint32)(wall_day(tz, t) + JULIAN_1970));
	month = g_date_get_year(&date) * 12 + (int)g_date_get_month(&date) - 1;
	while (t < month_start(tz, anchor_day, month))
		month--;
	while (t >= month_start(tz, anchor_day, month + 1))
		month++;
	return (struct ctl_cycle){
		.start_ns = to_ns(month_start(tz, anchor_day, month)),
		.end_ns = to_ns(month_start(tz, anchor_day, month + 1)),
	};
}

int32_t ctl_cycle_day_of(GTimeZone *tz, const struct ctl_cycle *cycle, uint64_t t_ns)
{
	return (int32_t)(day_number(tz, to_s(t_ns)) - day_number(tz, to_s(cycle->start_ns)) + 1);
}

int32_t ctl_cycle_n_days(GTimeZone *tz, const struct ctl_cycle *cycle)
{
	return ctl_cycle_day_of(tz, cycle, cycle->end_ns) - 1;
}

uint64_t ctl_day_after(GTimeZone *tz, uint64_t t_ns, int32_t n_days)
{
	return to_ns(midnight(tz, day_number(tz, to_s(t_ns)) + n_days));
}

int ctl_local_hour(GTimeZone *tz, uint64_t t_ns)
{
	const int64_t t = to_s(t_ns);

	return (int)((t + offset_at(tz, t) - wall_day(tz, t) * DAY_S) / 3600);
}

const struct ctl_day *ctl_zone_day(struct ctl_zone *zone, uint64_t t_ns)
{
	struct ctl_day *turn;

	for (size_t i = 0; i < G_N_ELEMENTS(zone->recent); i++)
		if (t_ns >= zone->recent[i].start_ns && t_ns < zone->recent[i].end_ns)
			return &zone->recent[i];
	turn = &zone->recent[zone->n_turns++ % G_N_ELEMENTS(zone->recent)];
	*turn = ctl_day_at(zone->tz, t_ns);
	return turn;
}
