// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/offload_model.h"
#include "tests/unit/offload_rig.h"
#include "tests/unit/offload_traffic.h"

#include <stdlib.h>

/* The same captures with an offload and without: all that control hears is the same. */

enum {
	N_ENTRIES = 8192,
	N_FLOWS = 4096,
	SPARE_FLOWS = 10, // of fragments without ports
};

static const uint64_t MS = 1000000;

struct pair {
	struct offload_traffic_config traffic;
	uint16_t n_workers;
	uint64_t tick_ns;
	uint32_t n_flows; // 0: many
	uint32_t renew_every, tell_every, in_parts;
	bool ignores;
};

static void assert_same(const struct pair *p)
{
	struct dp_ignore ignore = {0};
	struct dp_endpoint_nets nets;
	struct offload_model_config model = {.nets = &nets,
		.ignore = &ignore,
		.tick_ns = p->tick_ns,
		.n_workers = p->n_workers,
		.n_entries = N_ENTRIES,
		.has_no_budget = true,
		.in_parts = p->in_parts,
		.seed = p->traffic.seed};
	struct offload_rig_config rig = {.n_workers = p->n_workers,
		.tick_ns = p->tick_ns,
		.n_flows = p->n_flows > 0 ? p->n_flows : N_FLOWS,
		.ignore = &ignore,
		.renew_every = p->renew_every,
		.tell_every = p->tell_every};
	struct offload_model_stats told;
	struct offload_run without, with;
	struct offload_traffic traffic;
	struct offload_model *m;

	dp_endpoint_nets_default(&nets);
	if (p->ignores)
		dp_ignore_vlan(&ignore, OFFLOAD_TRAFFIC_VLAN);
	offload_traffic_init(&traffic, &p->traffic);
	rig.capture = traffic.path;
	offload_rig_run(&rig, &without);
	assert_int_equal(without.stats.frames, traffic.n_frames);
	assert_int_equal(without.stats.flows_evicted, 0);
	offload_rig_assert_ledger(&without);
	m = offload_model_new(&model);
	rig.offload = offload_model_offload(m);
	offload_rig_run(&rig, &with);
	offload_model_stats(m, &told);
	if (offload_model_fault(m) != NULL)
		fail_msg("%s", offload_model_fault(m));
	offload_rig_assert_same(&without, &with);
	assert_int_equal(told.repeated, 0);
	assert_true(told.kept_decided > 0 && told.handed_ended > 0);
	offload_rig_assert_ledger(&with);
	offload_rig_fini(&without);
	offload_rig_fini(&with);
	offload_model_free(m);
	offload_traffic_fini(&traffic);
}

static struct pair pair_of(uint32_t seed)
{
	static const uint64_t ticks_ms[] = {1000, 100, 10000};

	// A fragment may find its flow over in the middle of a tick, of which the offload has gone on to count: then
	// A fragment may find its flow over in the middle of a tick that the offload has counted farther: what that
	// kept comes too late for the note of the flow's end. Flows end with whole seconds, as ticks do but for these.
	const bool is_long = seed % 3 == 2;

	return (struct pair){.traffic = {.seed = seed,
				     .n_frames = 20000,
				     .n_tuples = 60,
				     .step_us = 20000,
				     .pauses = seed % 2 ? 400 : 60,
				     .oddities = is_long ? 0 : 40},
		.n_workers = seed % 2 ? 1 : 3,
		.tick_ns = ticks_ms[seed % 3] * MS,
		.in_parts = seed % 2 ? 10 : 0,
		.ignores = true};
}

static void the_same_is_told_with_an_offload(void **)
{
	for (uint32_t seed = 1; seed <= 6; seed++) {
		const struct pair p = pair_of(seed);

		assert_same(&p);
	}
}

static void ticks_of_any_length_are_told_alike(void **)
{
	static const uint64_t ticks_ms[] = {200, 700, 1700};

	for (uint32_t seed = 11; seed <= 13; seed++) {
		struct pair p = pair_of(seed);

		p.tick_ns = ticks_ms[seed - 11] * MS;
		p.traffic.oddities = 0; // as of long ones
		assert_same(&p);
	}
}

static void flows_judged_anew_count_where_they_would_without(void **)
{
	for (uint32_t seed = 21; seed <= 24; seed++) {
		struct pair p = pair_of(seed);

		p.renew_every = 5;
		assert_same(&p);
	}
}

static void flows_that_live_are_told_of_alike(void **)
{
	for (uint32_t seed = 31; seed <= 33; seed++) {
		struct pair p = pair_of(seed);

		p.tell_every = 7;
		assert_same(&p);
	}
}

/* As many as there are at a time: entries of flows that are over still rest when others want one. */
static void a_table_that_is_just_large_enough_is_enough(void **)
{
	for (uint32_t seed = 41; seed <= 44; seed++) {
		struct pair p = pair_of(seed);

		p.n_flows = (p.traffic.n_tuples + SPARE_FLOWS) * p.n_workers;
		assert_same(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_told_with_an_offload),
		cmocka_unit_test(ticks_of_any_length_are_told_alike),
		cmocka_unit_test(flows_judged_anew_count_where_they_would_without),
		cmocka_unit_test(flows_that_live_are_told_of_alike),
		cmocka_unit_test(a_table_that_is_just_large_enough_is_enough),
	};

	return cmocka_run_group_tests_name(
		"offload_parity", tests, offload_rig_start, offload_rig_stop);
}
