// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/survey_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

static void take_end(
	struct rig *rig, uint16_t worker, uint64_t flow, uint64_t first_ns, bool was_told)
{
	const struct dp_record r = note(worker, DP_NOTE_END, flow, first_ns, was_told);

	take(rig, &r);
}

static void take_living(struct rig *rig, uint16_t worker, uint64_t flow, uint64_t first_ns)
{
	const struct dp_record r = note(worker, DP_NOTE_LIVING, flow, first_ns, false);

	take(rig, &r);
}

static void take_told(struct rig *rig, uint16_t worker)
{
	ctl_survey_told(rig->survey, worker, rig->request);
}

static void told_by_all(struct rig *rig)
{
	for (uint16_t i = 0; i < N_WORKERS; i++)
		take_told(rig, i);
}

static void work_to_the_end(struct rig *rig)
{
	const unsigned int n_done = rig->n_done;

	while (ctl_survey_work(rig->survey))
		;
	assert_int_equal(rig->n_done, n_done + 1);
	assert_false(ctl_survey_is_busy(rig->survey));
}

static void expect_visits(const struct rig *rig, uint64_t flow, unsigned int n)
{
	if (rig->visits[flow] != n)
		fail_msg("flow %u was visited %u times, expected %u", (unsigned)flow,
			rig->visits[flow], n);
}

static int setup(void **state)
{
	*state = rig_make(N_RECENT);
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

enum { BEFORE_NS = 1500, BEGIN_NS = 2000, AFTER_NS = 2500 };

static void each_flow_comes_once_whatever_becomes_of_it_meanwhile(void **state)
{
	static const unsigned int expected[] = {[1] = 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
	struct rig *rig = *state;

	rig->now_ns = BEGIN_NS;
	take_end(rig, 0, 1, BEFORE_NS, false); // ended before
	begin(rig);
	rig->now_ns = AFTER_NS;
	take_end(rig, 0, 2, BEFORE_NS, false); // ended, and its note was on its way
	take_living(rig, 0, 3, BEFORE_NS);
	take_end(rig, 0, 3, BEFORE_NS, true); // ends behind that
	take_end(rig, 0, 4, BEFORE_NS, false); // ends ahead of its turn
	take_living(rig, 0, 5, AFTER_NS); // began since
	take_end(rig, 0, 5, AFTER_NS, true);
	take_end(rig, 0, 6, AFTER_NS, false); // likewise, and was not met
	take_end(rig, 0, 7, AFTER_NS, true); // likewise, behind the walk
	take_living(rig, 0, 8, BEGIN_NS); // its first packet at that very moment
	take_told(rig, 0);
	take_end(rig, 0, 8, BEGIN_NS, false); // the worker's telling is over
	take_end(rig, 0, 9, AFTER_NS, false);
	assert_true(ctl_survey_work(rig->survey)); // what was before
	assert_true(ctl_survey_work(rig->survey));
	assert_int_equal(rig->n_done, 0); // the others have not told
	take_told(rig, 2);
	take_end(rig, 2, 10, AFTER_NS, false);
	take_living(rig, 1, 11, BEFORE_NS);
	take_told(rig, 1);
	assert_int_equal(rig->n_done, 0); // never from within a poll
	work_to_the_end(rig);
	for (uint64_t flow = 1; flow < G_N_ELEMENTS(expected); flow++)
		expect_visits(rig, flow, expected[flow]);
	assert_int_equal(rig->reach.begin_ns, BEGIN_NS);
	assert_int_equal(rig->reach.end_ns, AFTER_NS);
	assert_int_equal(rig->reach.since_ns, 1000);
	assert_int_equal(rig->reach.n_ended, 1);
	assert_int_equal(rig->reach.n_living, 5);
	assert_int_equal(rig->reach.n_overwritten, 0);
	assert_false(ctl_survey_work(rig->survey));
}

static void what_ended_meanwhile_is_among_the_ended_of_the_next_one(void **state)
{
	struct rig *rig = *state;

	rig->now_ns = BEGIN_NS;
	begin(rig);
	take_living(rig, 0, 1, BEFORE_NS);
	take_end(rig, 0, 1, BEFORE_NS, true);
	told_by_all(rig);
	work_to_the_end(rig);
	expect_visits(rig, 1, 1);
	rig->now_ns = AFTER_NS;
	begin(rig);
	told_by_all(rig);
	work_to_the_end(rig);
	expect_visits(rig, 1, 1);
	assert_int_equal(rig->reach.n_ended, 1);
	assert_int_equal(rig->reach.n_living, 0);
}

static void a_verdict_is_no_flow_and_an_unknown_worker_nobody(void **state)
{
	const struct dp_record verdict = note(0, DP_NOTE_VERDICT, 1, BEFORE_NS, false);
	struct rig *rig = *state;

	rig->now_ns = BEGIN_NS;
	begin(rig);
	ctl_survey_note(rig->survey, &verdict);
	take_living(rig, N_WORKERS, 2, BEFORE_NS);
	ctl_survey_told(rig->survey, N_WORKERS, rig->request);
	ctl_survey_told(rig->survey, 0, rig->request + 1); // of another one
	ctl_survey_told(rig->survey, 0, rig->request);
	ctl_survey_told(rig->survey, 0, rig->request); // once is enough
	take_told(rig, 1);
	(void)ctl_survey_work(rig->survey);
	(void)ctl_survey_work(rig->survey);
	assert_int_equal(rig->n_done, 0);
	take_told(rig, 2);
	work_to_the_end(rig);
	assert_int_equal(rig->n_visits, 0);
}

static void one_at_a_time(void **state)
{
	struct rig *rig = *state;
	struct dp_err err;

	begin(rig);
	assert_int_equal(ctl_survey_begin(rig->survey, &visitor, rig, &err), -EBUSY);
	assert_non_null(strstr(err.text, "try again"));
	assert_int_equal(rig->request, 1);
	told_by_all(rig);
	work_to_the_end(rig);
	begin(rig);
	assert_int_equal(rig->request, 2);
}

static void who_leaves_is_called_no_more_and_others_wait_for_the_workers(void **state)
{
	struct rig *rig = *state;

	rig->now_ns = BEGIN_NS;
	take_end(rig, 0, 1, BEFORE_NS, false);
	begin(rig);
	take_living(rig, 0, 2, BEFORE_NS);
	ctl_survey_leave(rig->survey, state); // somebody else
	take_living(rig, 0, 3, BEFORE_NS);
	ctl_survey_leave(rig->survey, rig);
	take_living(rig, 0, 4, BEFORE_NS);
	(void)ctl_survey_work(rig->survey);
	assert_int_equal(ctl_survey_begin(rig->survey, &visitor, rig, NULL), -EBUSY);
	told_by_all(rig);
	while (ctl_survey_work(rig->survey))
		;
	assert_int_equal(rig->n_done, 0);
	assert_int_equal(rig->n_visits, 2);
	begin(rig);
	told_by_all(rig);
	work_to_the_end(rig);
	expect_visits(rig, 1, 1);
}

static void begin_another(void *ctx, const struct ctl_survey_reach *reach)
{
	struct rig *rig = ctx;

	on_done(ctx, reach);
	begin(rig);
}

static void another_one_may_begin_where_one_ends(void **state)
{
	static const struct ctl_survey_visitor twice = {.flow = on_flow, .done = begin_another};
	struct rig *rig = *state;

	assert_int_equal(ctl_survey_begin(rig->survey, &twice, rig, NULL), 0);
	told_by_all(rig);
	while (rig->n_done == 0)
		assert_true(ctl_survey_work(rig->survey));
	assert_true(ctl_survey_is_busy(rig->survey));
	told_by_all(rig);
	work_to_the_end(rig);
	assert_int_equal(rig->n_done, 2);
}

static void without_flows_that_ended_those_that_live_are_all(void **)
{
	struct rig *rig = rig_make(0);

	rig->now_ns = BEGIN_NS;
	rig->n_dropped = 5;
	take_end(rig, 0, 1, BEFORE_NS, false);
	begin(rig);
	take_living(rig, 0, 2, BEFORE_NS);
	rig->n_dropped = 7;
	told_by_all(rig);
	work_to_the_end(rig);
	expect_visits(rig, 1, 0);
	expect_visits(rig, 2, 1);
	assert_int_equal(rig->reach.since_ns, 0);
	assert_int_equal(rig->reach.n_dropped, 2);
	rig_free(rig);
}

static void add_ended(struct rig *rig, uint64_t from, uint64_t n)
{
	for (uint64_t flow = from; flow < from + n; flow++) {
		struct dp_record r = note(0, DP_NOTE_END, flow, BEFORE_NS, false);

		r.tick = flow;
		rig->n_dropped++;
		take(rig, &r);
	}
}

static void the_reach_begins_behind_what_was_overwritten(void **state)
{
	struct rig *rig = *state;

	rig->now_ns = BEGIN_NS;
	add_ended(rig, 0, N_RECENT + 20); // the oldest is flow 20, of tick 20
	begin(rig);
	told_by_all(rig);
	work_to_the_end(rig);
	assert_int_equal(rig->reach.n_ended, N_RECENT);
	assert_int_equal(rig->reach.since_ns, (20 + 1) * TICK_NS);
	assert_int_equal(rig->reach.n_dropped, N_RECENT - 1);
	expect_visits(rig, 19, 0);
	expect_visits(rig, 20, 1);
}

static void what_gives_way_before_its_turn_is_counted(void **state)
{
	struct rig *rig = *state;

	rig->now_ns = BEGIN_NS;
	rig->is_slow = true;
	add_ended(rig, 0, N_RECENT);
	begin(rig);
	assert_true(ctl_survey_work(rig->survey)); // the first 64
	assert_int_equal(rig->n_visits, 64);
	told_by_all(rig);
	add_ended(rig, N_RECENT, 80); // 0 to 79 are gone
	work_to_the_end(rig);
	assert_int_equal(rig->reach.n_overwritten, 80 - 64);
	assert_int_equal(rig->reach.n_ended, 64 + N_RECENT - 80);
	assert_int_equal(rig->reach.since_ns, (80 + 1) * TICK_NS);
	for (uint64_t flow = 0; flow < N_RECENT + 80; flow++)
		expect_visits(rig, flow, flow < 64 || (flow >= 80 && flow < N_RECENT));
}

static void when_all_gives_way_nothing_that_ended_is_known(void **state)
{
	struct rig *rig = *state;

	rig->now_ns = BEGIN_NS;
	add_ended(rig, 0, N_RECENT);
	begin(rig);
	told_by_all(rig);
	add_ended(rig, N_RECENT, 3 * N_RECENT);
	work_to_the_end(rig);
	assert_int_equal(rig->reach.n_overwritten, N_RECENT);
	assert_int_equal(rig->n_visits, 0);
	assert_int_equal(rig->reach.since_ns, BEGIN_NS);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(each_flow_comes_once_whatever_becomes_of_it_meanwhile),
		RIG_TEST(what_ended_meanwhile_is_among_the_ended_of_the_next_one),
		RIG_TEST(a_verdict_is_no_flow_and_an_unknown_worker_nobody),
		RIG_TEST(one_at_a_time),
		RIG_TEST(who_leaves_is_called_no_more_and_others_wait_for_the_workers),
		RIG_TEST(another_one_may_begin_where_one_ends),
		cmocka_unit_test(without_flows_that_ended_those_that_live_are_all),
		RIG_TEST(the_reach_begins_behind_what_was_overwritten),
		RIG_TEST(what_gives_way_before_its_turn_is_counted),
		RIG_TEST(when_all_gives_way_nothing_that_ended_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
