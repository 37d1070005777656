// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/offload_model.h"
#include "tests/unit/offload_rig.h"
#include "tests/unit/offload_traffic.h"

/* An offload that has no room on the way up, forgets flows, has few entries or wants to see less: what is counted when
 * is another matter then, but every byte is some endpoint's, its own. */

enum { N_ENTRIES = 8192, N_FLOWS = 4096, N_SEEDS = 4 };

static const uint64_t S = 1000000000;

struct losses {
	struct offload_model_config model; // what is to go wrong
	uint32_t n_flows; // of user space; 0: enough
	uint32_t oddities, renew_every;
	// What has gone wrong, over all seeds.
	struct offload_model_stats seen;
	uint64_t n_handed_lost, unknown_bytes;
};

static uint64_t sum(const struct dp_usage *u)
{
	return u->bytes[0] + u->bytes[1];
}

static uint64_t n_packets(const struct dp_usage *u)
{
	return u->packets[0] + u->packets[1];
}

/* No endpoint has more than its own; all that it lacks stands in the ledger. */
static void assert_own(const struct offload_run *without, const struct offload_run *with)
{
	const uint64_t missing = with->stats.undecided_bytes - with->stats.taken_bytes;

	for (size_t i = 0; i < with->n_rows; i++) {
		const struct dp_usage is = offload_rig_total(with, &with->rows[i]);
		const struct dp_usage was = offload_rig_total(without, &with->rows[i]);

		// Who sent first says which way is up for one that talks to itself: only both are sure.
		assert_true(sum(&is) <= sum(&was));
		assert_true(n_packets(&is) <= n_packets(&was));
		if (missing == 0)
			assert_int_equal(n_packets(&is), n_packets(&was));
	}

	const struct dp_usage is = offload_rig_total(with, NULL);
	const struct dp_usage was = offload_rig_total(without, NULL);

	assert_int_equal(sum(&was) - sum(&is), missing);
}

static void replay(struct losses *l, uint32_t seed)
{
	const struct offload_traffic_config traffic = {.seed = seed,
		.n_frames = 20000,
		.n_tuples = seed % 2 ? 12 : 300,
		.step_us = 2000,
		.pauses = 300,
		.oddities = l->oddities};
	struct offload_rig_config rig = {.n_workers = seed % 2 ? 1 : 3,
		.tick_ns = S,
		.n_flows = N_FLOWS,
		.renew_every = l->renew_every};
	struct offload_model_config config = l->model;
	struct offload_model_stats told;
	struct offload_run without, with;
	struct offload_traffic capture;
	struct dp_endpoint_nets nets;
	struct offload_model *m;

	dp_endpoint_nets_default(&nets);
	config.nets = &nets;
	config.tick_ns = rig.tick_ns;
	config.n_workers = rig.n_workers;
	config.n_entries = config.n_entries > 0 ? config.n_entries : N_ENTRIES;
	config.seed = seed;
	offload_traffic_init(&capture, &traffic);
	rig.capture = capture.path;
	offload_rig_run(&rig, &without);
	offload_rig_assert_ledger(&without);
	m = offload_model_new(&config);
	rig.offload = offload_model_offload(m);
	rig.n_flows = l->n_flows > 0 ? l->n_flows : N_FLOWS;
	offload_rig_run(&rig, &with);
	offload_model_stats(m, &told);
	if (offload_model_fault(m) != NULL)
		fail_msg("%s", offload_model_fault(m));
	assert_int_equal(with.stats.frames, without.stats.frames);
	offload_rig_assert_ledger(&with);
	assert_own(&without, &with);
	l->seen.kept_decided += told.kept_decided;
	l->seen.kept_undecided += told.kept_undecided;
	l->seen.n_lost += told.n_lost;
	l->seen.n_forgotten += told.n_forgotten;
	l->seen.waiting_bytes += told.waiting_bytes;
	l->unknown_bytes += with.stats.undecided_bytes - with.stats.taken_bytes;
	l->n_handed_lost += with.stats.n_handed_lost;
	offload_rig_fini(&without);
	offload_rig_fini(&with);
	offload_model_free(m);
	offload_traffic_fini(&capture);
}

static void replay_all(struct losses *l)
{
	for (uint32_t seed = 1; seed <= N_SEEDS; seed++)
		replay(l, seed);
	assert_true(l->seen.kept_decided > 0);
}

static void what_nobody_wants_to_see_is_told_when_the_flow_is_decided_or_over(void **)
{
	struct losses l = {0};

	replay_all(&l);
	assert_true(l.seen.kept_undecided > 0);
	assert_int_equal(l.unknown_bytes, 0);
}

static void packets_without_room_on_the_way_up_are_counted(void **)
{
	struct losses l = {.model.lost = 3};

	replay_all(&l);
	assert_true(l.seen.n_lost > 0 && l.seen.kept_undecided > 0);
	assert_int_equal(l.n_handed_lost, l.seen.n_lost);
	// Of some flows nothing came up, to the end.
	assert_int_equal(l.unknown_bytes, l.seen.waiting_bytes);
}

static void a_flow_that_was_forgotten_asks_again(void **)
{
	struct losses l = {.model = {.forgotten = 20, .has_no_budget = true}};

	replay_all(&l);
	assert_true(l.seen.n_forgotten > 0);
	assert_int_equal(l.unknown_bytes, 0); // nothing stood on those without a verdict
}

static void what_stood_on_a_forgotten_flow_stands_in_the_ledger(void **)
{
	struct losses l = {.model = {.forgotten = 20, .lost = 3, .in_parts = 5}, .renew_every = 3};

	replay_all(&l);
	assert_true(l.seen.n_forgotten > 0);
	assert_true(l.unknown_bytes > 0);
}

static void flows_on_entries_that_it_has_not_are_counted_on_them(void **)
{
	struct losses l = {.model = {.n_entries = 8}, .renew_every = 2};

	replay_all(&l);
	assert_int_equal(l.unknown_bytes, 0);
}

static void flows_given_up_for_others_keep_to_their_endpoints(void **)
{
	struct losses l = {.model = {.lost = 7, .in_parts = 9}, .n_flows = 24, .renew_every = 4};

	replay_all(&l);
	assert_true(l.seen.kept_undecided > 0);
	assert_int_equal(l.unknown_bytes, l.seen.waiting_bytes);
}

/* A kernel takes no frame of a few bytes, and none of many: these come up as they are. */
static void frames_that_it_does_not_take_are_counted_here(void **)
{
	struct losses l = {
		.model = {.cap_min = 60, .cap_max = 160, .has_no_budget = true}, .oddities = 40};

	replay_all(&l);
	assert_int_equal(l.unknown_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_wants_to_see_is_told_when_the_flow_is_decided_or_over),
		cmocka_unit_test(packets_without_room_on_the_way_up_are_counted),
		cmocka_unit_test(a_flow_that_was_forgotten_asks_again),
		cmocka_unit_test(what_stood_on_a_forgotten_flow_stands_in_the_ledger),
		cmocka_unit_test(flows_on_entries_that_it_has_not_are_counted_on_them),
		cmocka_unit_test(flows_given_up_for_others_keep_to_their_endpoints),
		cmocka_unit_test(frames_that_it_does_not_take_are_counted_here),
	};

	return cmocka_run_group_tests_name(
		"offload_losses", tests, offload_rig_start, offload_rig_stop);
}
