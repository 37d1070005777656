// SPDX-License-Identifier: BSD-3-Clause
#include "control/cycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t at(const char *text)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(text, utc);

	assert_non_null(t);
	return (uint64_t)g_date_time_to_unix(t) * CTL_SECOND_NS;
}

static GTimeZone *zone(const char *name)
{
	GTimeZone *tz = g_time_zone_new_identifier(name);

	if (tz == NULL)
		fail_msg("the tz database has no %s", name);
	return tz;
}

static void a_cycle_runs_from_local_midnight_to_local_midnight(void **)
{
	static const struct {
		const char *zone;
		uint8_t anchor_day;
		const char *t, *start, *end;
	} rows[] = {
		{"UTC", 1, "2026-03-14T20:41:07Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"},
		{"UTC", 15, "2026-03-14T23:59:59Z", "2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z"},
		{"UTC", 15, "2026-03-15T00:00:00Z", "2026-03-15T00:00:00Z", "2026-04-15T00:00:00Z"},
		// the last day of the month, leap year or not
		{"UTC", 31, "2026-02-27T23:59:59Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"UTC", 31, "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
		{"UTC", 31, "2028-02-28T12:00:00Z", "2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"UTC", 30, "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-30T00:00:00Z"},
		{"UTC", 29, "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-29T00:00:00Z"},
		// over the turn of the year
		{"UTC", 20, "2026-01-03T00:00:00Z", "2025-12-20T00:00:00Z", "2026-01-20T00:00:00Z"},
		{"UTC", 20, "2026-12-31T23:59:59Z", "2026-12-20T00:00:00Z", "2027-01-20T00:00:00Z"},
		// summer time begins and ends inside: one end is +1, the other +2
		{"Europe/Berlin", 1, "2026-03-29T12:00:00Z", "2026-02-28T23:00:00Z",
			"2026-03-31T22:00:00Z"},
		{"Europe/Berlin", 1, "2026-10-25T12:00:00Z", "2026-09-30T22:00:00Z",
			"2026-10-31T23:00:00Z"},
		// the last minute of a cycle is the first of the next day in UTC
		{"America/New_York", 1, "2026-03-01T04:59:59Z", "2026-02-01T05:00:00Z",
			"2026-03-01T05:00:00Z"},
		{"Pacific/Auckland", 1, "2026-02-28T11:00:00Z", "2026-02-28T11:00:00Z",
			"2026-03-31T11:00:00Z"},
		// midnight does not exist: the clock goes from 23:59:59 to 01:00 (Cairo, 2024-04-26)
		{"Africa/Cairo", 26, "2024-04-25T22:00:00Z", "2024-04-25T22:00:00Z",
			"2024-05-25T21:00:00Z"},
		{"Africa/Cairo", 26, "2024-04-25T21:59:59Z", "2024-03-25T22:00:00Z",
			"2024-04-25T22:00:00Z"},
		// midnight comes twice: the first one counts (Havana, 2024-11-03, 01:00 to 00:00)
		{"America/Havana", 3, "2024-11-03T04:00:00Z", "2024-11-03T04:00:00Z",
			"2024-12-03T05:00:00Z"},
		{"America/Havana", 3, "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z",
			"2024-12-03T05:00:00Z"},
		// a date that never was: Samoa skipped 2011-12-30
		{"Pacific/Apia", 30, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z",
			"2012-01-29T10:00:00Z"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GTimeZone) tz = zone(rows[i].zone);
		const struct ctl_cycle c = ctl_cycle_at(tz, rows[i].anchor_day, at(rows[i].t));

		if (c.start_ns != at(rows[i].start) || c.end_ns != at(rows[i].end))
			fail_msg("%s anchor %d at %s: [%ld, %ld), expected [%s, %s)", rows[i].zone,
				rows[i].anchor_day, rows[i].t, (long)(c.start_ns / CTL_SECOND_NS),
				(long)(c.end_ns / CTL_SECOND_NS), rows[i].start, rows[i].end);
	}
}

/* Every instant lies in exactly one cycle and one day, and they touch. */
static void cycles_and_days_leave_no_gap(void **)
{
	static const char *const zones[] = {"UTC", "Europe/Berlin", "America/Havana",
		"Africa/Cairo", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu",
		"Pacific/Apia"};

	for (size_t z = 0; z < G_N_ELEMENTS(zones); z++) {
		g_autoptr(GTimeZone) tz = zone(zones[z]);

		for (uint8_t anchor_day = 1; anchor_day <= 31; anchor_day += 10) {
			struct ctl_cycle c = ctl_cycle_at(
				tz, anchor_day, at("2010-06-01T00:00:00Z"));

			for (int i = 0; i < 36; i++) {
				const struct ctl_cycle next = ctl_cycle_at(
					tz, anchor_day, c.end_ns);
				const struct ctl_cycle last = ctl_cycle_at(
					tz, anchor_day, c.end_ns - 1);

				assert_true(next.start_ns == c.end_ns);
				assert_true(last.start_ns == c.start_ns);
				assert_true(last.end_ns == c.end_ns);
				assert_true(next.end_ns > next.start_ns);
				c = next;
			}
		}
		for (uint64_t t = at("2010-06-01T00:00:00Z"); t < at("2012-06-01T00:00:00Z");) {
			const struct ctl_day day = ctl_day_at(tz, t);
			const struct ctl_day next = ctl_day_at(tz, day.end_ns);

			assert_true(ctl_day_at(tz, day.end_ns - 1).number == day.number);
			assert_true(next.start_ns == day.end_ns);
			assert_true(next.number > day.number);
			t = day.end_ns;
		}
	}
}

static void a_day_can_have_23_or_25_hours(void **)
{
	g_autoptr(GTimeZone) tz = zone("Europe/Berlin");
	const struct ctl_day spring = ctl_day_at(tz, at("2026-03-29T12:00:00Z"));
	const struct ctl_day autumn = ctl_day_at(tz, at("2026-10-25T12:00:00Z"));

	assert_int_equal((spring.end_ns - spring.start_ns) / CTL_SECOND_NS, 23 * 3600);
	assert_int_equal((autumn.end_ns - autumn.start_ns) / CTL_SECOND_NS, 25 * 3600);
	assert_int_equal(ctl_local_hour(tz, at("2026-03-29T00:59:59Z")), 1);
	assert_int_equal(ctl_local_hour(tz, at("2026-03-29T01:00:00Z")), 3);
	assert_int_equal(ctl_local_hour(tz, at("2026-10-25T00:30:00Z")), 2);
	assert_int_equal(ctl_local_hour(tz, at("2026-10-25T01:30:00Z")), 2);
	assert_int_equal(ctl_local_hour(tz, at("2026-12-31T23:30:00Z")), 0);
}

static void days_of_a_cycle_count_from_one(void **)
{
	g_autoptr(GTimeZone) tz = zone("Europe/Berlin");
	const struct ctl_cycle c = ctl_cycle_at(tz, 1, at("2026-03-14T12:00:00Z"));

	assert_int_equal(ctl_cycle_n_days(tz, &c), 31);
	assert_int_equal(ctl_cycle_day_of(tz, &c, c.start_ns), 1);
	assert_int_equal(ctl_cycle_day_of(tz, &c, at("2026-03-14T12:00:00Z")), 14);
	assert_int_equal(ctl_cycle_day_of(tz, &c, c.end_ns - 1), 31);
	assert_true(ctl_day_after(tz, c.end_ns, 13) == at("2026-04-13T22:00:00Z"));
}

static void a_zone_remembers_two_days_and_says_the_same(void **)
{
	g_autoptr(GTimeZone) tz = zone("Europe/Berlin");
	struct ctl_zone remembered = {.tz = tz};
	const uint64_t midnight = at("2026-03-14T23:00:00Z");

	for (int i = 0; i < 10; i++) {
		const uint64_t t = midnight + (uint64_t)(i * 37) * 3600 * CTL_SECOND_NS;

		assert_int_equal(ctl_zone_day(&remembered, t)->number, ctl_day_at(tz, t).number);
		assert_int_equal(ctl_zone_day(&remembered, midnight - 1)->number,
			ctl_day_at(tz, midnight).number - 1);
	}
	assert_int_equal(ctl_zone_day(&remembered, midnight - 1)->number,
		ctl_zone_day(&remembered, midnight)->number - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cycle_runs_from_local_midnight_to_local_midnight),
		cmocka_unit_test(cycles_and_days_leave_no_gap),
		cmocka_unit_test(a_day_can_have_23_or_25_hours),
		cmocka_unit_test(days_of_a_cycle_count_from_one),
		cmocka_unit_test(a_zone_remembers_two_days_and_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
