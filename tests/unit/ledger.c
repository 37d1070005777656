// SPDX-License-Identifier: BSD-3-Clause
/* The ledger's sums, right and wrong. */
#include "control/ledger.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* 100 frames with an outcome each, 90 of them credited with all their bytes. */
static struct dp_path_stats right(void)
{
	return (struct dp_path_stats){
		.frames = 100,
		.outcomes = {[DP_OUTCOME_ACCOUNTED] = 90,
			[DP_OUTCOME_NOT_IP] = 6,
			[DP_OUTCOME_IGNORED] = 4},
		.ip_bytes = 9000,
		.accounted_bytes = 9000,
	};
}

static void assert_wrong(const struct dp_path_stats *s, const char *both_sides)
{
	struct dp_err err = {0};

	assert_int_equal(ctl_ledger_check_end(s, &err), -EPROTO);
	if (strstr(err.text, both_sides) == NULL)
		fail_msg("%s\nexpected to say: %s", err.text, both_sides);
}

static void a_capture_whose_frames_all_ended_adds_up(void **)
{
	struct dp_path_stats s = right();
	const struct dp_path_stats empty = {0};

	assert_int_equal(ctl_ledger_check_end(&s, NULL), 0);
	assert_int_equal(ctl_ledger_check_end(&empty, NULL), 0);
	s.lost = 17; // before us: in no sum
	assert_int_equal(ctl_ledger_check_end(&s, NULL), 0);
}

static void one_frame_more_or_less_in_any_outcome_is_found(void **)
{
	for (int i = 0; i < DP_OUTCOME_COUNT; i++) {
		struct dp_path_stats s = right();

		s.outcomes[i]++;
		assert_wrong(&s, "100 frames were read, 101 have an outcome");
		if (s.outcomes[i] < 2)
			continue;
		s.outcomes[i] -= 2;
		assert_wrong(&s, "100 frames were read, 99 have an outcome");
	}
}

static void a_frame_that_still_waits_is_found(void **)
{
	struct dp_path_stats s = right();

	s.datagrams.held = 1;
	assert_wrong(&s, "1 wait for the rest");
	s.frames++; // it would add up, but nobody will ever count it
	assert_wrong(&s, "101 frames were read, 100 have an outcome, 1 wait");
}

static void bytes_that_are_credited_to_nobody_or_twice_are_found(void **)
{
	static const enum dp_outcome drops[] = {
		DP_OUTCOME_NO_ROOM, DP_OUTCOME_DUPLICATE, DP_OUTCOME_QUEUE_FULL};
	struct dp_path_stats s = right();

	s.accounted_bytes--;
	assert_wrong(&s, "packets of 9000 bytes were found, 8999 bytes are credited");
	for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++) {
		s = right();
		s.outcomes[DP_OUTCOME_ACCOUNTED]--;
		s.outcomes[drops[i]]++;
		s.accounted_bytes -= 100; // those of the packet that was dropped
		assert_int_equal(ctl_ledger_check_end(&s, NULL), 0);
		s.accounted_bytes = 9001;
		assert_wrong(&s, "9001 bytes are credited");
	}
}

static void what_is_lost_is_what_no_flow_has_seen(void **)
{
	struct dp_path_stats s = right();

	assert_int_equal(ctl_ledger_lost(&s), 0);
	s.lost = 1;
	s.outcomes[DP_OUTCOME_QUEUE_FULL] = 20;
	s.outcomes[DP_OUTCOME_NO_ROOM] = 300;
	assert_int_equal(ctl_ledger_lost(&s), 321);
}

static void what_runs_adds_up_while_frames_are_under_way(void **)
{
	struct dp_path_stats before = right(), after;
	struct ctl_ledger ledger;

	before.frames = 110; // 3 wait, 7 are in the queues
	before.datagrams.held = 3;
	after = before;
	ctl_ledger_of(&before, &after, 2, &ledger);
	assert_int_equal(ledger.received, 110);
	assert_int_equal(ledger.done, 100);
	assert_int_equal(ledger.held, 3);
	assert_int_equal(ledger.in_flight, 7);
	assert_int_equal(ctl_ledger_off(&ledger), 0);

	after.frames = 5000110; // meanwhile: it was a long look
	after.outcomes[DP_OUTCOME_ACCOUNTED] += 5000000;
	ctl_ledger_of(&before, &after, 2, &ledger);
	assert_int_equal(ledger.in_flight, 5000007);
	assert_int_equal(ctl_ledger_off(&ledger), 0);

	before.frames = after.frames = 101; // two of those that waited went on between the looks
	ctl_ledger_of(&before, &after, 2, &ledger);
	assert_int_equal(ledger.in_flight, -2);
	assert_int_equal(ctl_ledger_off(&ledger), 0);
}

static void what_runs_and_does_not_add_up_is_found(void **)
{
	struct dp_path_stats before = right(), after;
	struct ctl_ledger ledger;

	before.frames = 98; // counted twice
	after = before;
	ctl_ledger_of(&before, &after, 1, &ledger);
	assert_int_equal(ctl_ledger_off(&ledger), -2);

	before.datagrams.held = 1; // excuses one of them at most
	ctl_ledger_of(&before, &after, 1, &ledger);
	assert_int_equal(ctl_ledger_off(&ledger), -2);

	before.datagrams.held = 0;
	before.frames = after.frames = 100 + (1 << 20); // more than any queue holds
	ctl_ledger_of(&before, &after, 1, &ledger);
	assert_true(ctl_ledger_off(&ledger) > 0);
	assert_int_equal((uint64_t)ctl_ledger_off(&ledger) + ledger.in_flight_max, 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_capture_whose_frames_all_ended_adds_up),
		cmocka_unit_test(one_frame_more_or_less_in_any_outcome_is_found),
		cmocka_unit_test(a_frame_that_still_waits_is_found),
		cmocka_unit_test(bytes_that_are_credited_to_nobody_or_twice_are_found),
		cmocka_unit_test(what_is_lost_is_what_no_flow_has_seen),
		cmocka_unit_test(what_runs_adds_up_while_frames_are_under_way),
		cmocka_unit_test(what_runs_and_does_not_add_up_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
