// SPDX-License-Identifier: BSD-3-Clause

/* Another catalogue while flows are alive: what was counted stays, what comes counts for what the flow is now. */

#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

enum { ANY = 0, SLICE = 8, N_FLOWS = 600 }; // a slice of flows that all change
static const uint32_t ALL = UINT32_MAX;

static uint64_t bytes(struct dp_usage u)
{
	return u.bytes[0] + u.bytes[1];
}

static struct rig_packet packet(enum rig_port server_port, uint64_t ms, uint32_t ip_bytes)
{
	return (struct rig_packet){.ms = ms,
		.client = 1,
		.sport = 50000,
		.server_port = (uint16_t)server_port,
		.l4_proto = IPPROTO_UDP,
		.ip_bytes = ip_bytes};
}

static const struct dp_worker_counters *counters(const struct rig *r)
{
	return dp_worker_counters(r->worker);
}

/* Bytes of the app, those of its moves included. */
static uint64_t credited(const struct rig *r, uint32_t app)
{
	return bytes(rig_sum(r, DP_RECORD_USAGE, app, ANY)) +
		bytes(rig_sum(r, DP_RECORD_MOVE, app, ANY));
}

/* Every byte counts once, every flow too, whatever happened in between. */
static void assert_nothing_lost(const struct rig *r)
{
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, ALL, ANY)), r->bytes_in);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, ALL, ANY)),
		bytes(rig_sum(r, DP_RECORD_USAGE, DP_APP_UNDECIDED, ANY)));
	assert_int_equal(rig_sum(r, DP_RECORD_USAGE, ALL, ANY).n_new_flows,
		dp_counter_get(&counters(r)->flows));
}

static void a_decided_flow_counts_for_its_new_app_from_the_next_packet_on(void **)
{
	static const enum rig_port ports[] = {RIG_AT_FIRST, RIG_WATCHED};

	for (size_t i = 0; i < 2; i++) {
		const uint32_t app = i == 0 ? 10 : 14;
		struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

		rig_send(r, 0, packet(ports[i], 1000, 100));
		r->world = 1;
		rig_run(r);
		assert_int_equal(r->n_resolved, 1);
		assert_int_equal(dp_counter_get(&counters(r)->catalogues), 1);
		assert_int_equal(dp_counter_get(&counters(r)->to_resolve), 0);
		assert_int_equal(dp_counter_get(&counters(r)->resolved_again), 1);
		rig_send(r, 0, packet(ports[i], 1001, 7));
		rig_send(r, 0, packet(ports[i], 2000, 9));
		rig_finish(r);
		assert_int_equal(credited(r, app), 100);
		assert_int_equal(credited(r, app + 100), 7 + 9);
		assert_int_equal(rig_sum(r, DP_RECORD_USAGE, app, ANY).n_new_flows, 1);
		assert_int_equal(rig_sum(r, DP_RECORD_USAGE, app + 100, ANY).n_new_flows, 0);
		assert_int_equal(rig_note(r, DP_NOTE_VERDICT, 0)->app, app);
		assert_int_equal(rig_note(r, DP_NOTE_VERDICT, 1)->app, app + 100);
		assert_int_equal(rig_note(r, DP_NOTE_END, 0)->app, app + 100);
		assert_nothing_lost(r);
		rig_free(r);
	}
}

/* Its state knows more than what is remembered. */
static void a_flow_that_is_still_looked_at_is_judged_by_its_next_packet(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0, packet(RIG_REFINED, 1000, 100));
	r->world = 1;
	rig_run(r);
	assert_int_equal(r->n_resolved, 0);
	assert_int_equal(dp_counter_get(&counters(r)->resolved_again), 0);
	rig_send(r, 0, packet(RIG_REFINED, 1001, 7));
	assert_int_equal(dp_counter_get(&counters(r)->resolved_again), 1);
	r->world = 2;
	rig_send(r, 0, packet(RIG_REFINED, 1002, 9)); // final, before the walk of its round
	assert_int_equal(r->n_resolved, 1);
	assert_int_equal(dp_counter_get(&counters(r)->resolved_again), 2);
	r->world = 3;
	rig_run(r);
	assert_int_equal(r->n_resolved, 2);
	rig_send(r, 0, packet(RIG_REFINED, 1003, 11));
	rig_finish(r);
	assert_int_equal(credited(r, 12), 100);
	assert_int_equal(credited(r, 112), 7);
	assert_int_equal(credited(r, 212), 9);
	assert_int_equal(credited(r, 312), 11);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->app, 312);
	assert_nothing_lost(r);
	rig_free(r);
}

/* It ends without another packet: no byte is of the new app, but that is what it was at the end. */
static void a_flow_that_ends_while_it_is_looked_at_ends_as_what_it_is_by_then(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0, packet(RIG_NEVER, 1000, 100));
	rig_send(r, 0, packet(RIG_AT_THIRD, 1000, 10));
	rig_send(r, 0, packet(RIG_AT_THIRD, 1000, 10));
	r->world = 1;
	rig_run(r);
	rig_send(r, 0, packet(RIG_AT_THIRD, 1001, 10)); // its verdict
	rig_finish(r);
	assert_int_equal(credited(r, 113), 100);
	assert_int_equal(credited(r, 111), 30);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, 113, ANY)), 100);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, 111, ANY)), 20);
	assert_int_equal(
		dp_counter_get(&counters(r)->resolved_again), 0); // they were nothing before
	assert_nothing_lost(r);
	rig_free(r);
}

/* What its state would have said by the new is lost: what is remembered says it. */
static void a_flow_whose_state_was_taken_away_is_judged_by_what_is_remembered(void **)
{
	for (uint32_t world = 0; world <= 1; world++) {
		struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
		const struct dp_record *end;

		rig_send(r, 0, packet(RIG_CUT, 1000, 100));
		r->world = world;
		rig_run(r);
		assert_int_equal(r->n_resolved, 0);
		rig_send(r, 0, packet(RIG_CUT, 1001, 7));
		assert_int_equal(dp_counter_get(&counters(r)->verdicts_cut), 1);
		assert_int_equal(dp_counter_get(&counters(r)->resolved_again), world);
		rig_finish(r);
		assert_int_equal(credited(r, 15), world == 0 ? 107 : 100);
		assert_int_equal(credited(r, 115), world == 0 ? 0 : 7);
		end = rig_note(r, DP_NOTE_END, 0);
		assert_string_equal(end->note.host, "a.example");
		assert_int_equal(end->note.basis, 1);
		assert_nothing_lost(r);
		rig_free(r);
	}
}

/* Then the app rests on what is not remembered, and that is. */
static void a_verdict_without_state_adds_how_it_came_about(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	const struct dp_record *end;

	rig_send(r, 0, packet(RIG_CUT_FIRST, 1000, 100));
	rig_send(r, 0, packet(RIG_CUT_FIRST, 1001, 7));
	rig_finish(r);
	end = rig_note(r, DP_NOTE_END, 0);
	assert_int_equal(end->app, 16);
	assert_string_equal(end->note.host, "a.example");
	assert_int_equal(end->note.basis, 0x81);
	assert_nothing_lost(r);
	rig_free(r);
}

static void what_nobody_decided_is_left_alone(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	struct rig_packet p = packet(RIG_AT_FIRST, 1000, 100);

	p.is_fragment = true;
	rig_send(r, 0, p);
	r->world = 1;
	rig_run(r);
	assert_int_equal(r->n_resolved, 0);
	rig_finish(r);
	assert_int_equal(credited(r, DP_APP_UNKNOWN), 100);
	assert_nothing_lost(r);
	rig_free(r);
}

/* There is an entry for each of two flows, and none more. */
static void a_flow_without_room_for_its_new_app_counts_as_before(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_entries = 3}, 1, 1);
	struct rig_packet p = packet(RIG_AT_FIRST, 1000, 100);

	rig_send(r, 0, p);
	p.client = 2;
	rig_send(r, 0, p);
	r->world = 1;
	rig_run(r);
	assert_int_equal(dp_counter_get(&counters(r)->resolved_again) +
			dp_counter_get(&counters(r)->resolve_refused),
		2);
	assert_true(dp_counter_get(&counters(r)->resolve_refused) > 0);
	assert_int_equal(dp_counter_get(&counters(r)->to_resolve), 0);
	p.ms = 1001;
	p.ip_bytes = 7;
	rig_send(r, 0, p);
	p.client = 1;
	rig_send(r, 0, p);
	rig_finish(r);
	assert_int_equal(credited(r, 110), 7 * dp_counter_get(&counters(r)->resolved_again));
	assert_nothing_lost(r);
	rig_free(r);
}

static void send_all(struct rig *r, uint64_t ms, uint32_t ip_bytes)
{
	for (uint16_t i = 0; i < N_FLOWS; i++) {
		struct rig_packet p = packet(RIG_AT_FIRST, ms, ip_bytes);

		p.client = 1 + i % 7;
		p.sport = i;
		rig_send(r, 0, p);
	}
}

static void many_flows_are_judged_in_slices_with_packets_in_between(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 100000);
	uint64_t left = N_FLOWS;
	unsigned int n_rounds = 0;

	send_all(r, 1000, 100);
	rig_run(r);
	r->world = 1;
	send_all(r, 1001, 7);
	while (left > 0) {
		rig_poll(r);
		assert_true(r->n_resolved <= SLICE * ++n_rounds);
		assert_int_equal(dp_counter_get(&counters(r)->to_resolve),
			left - (left < SLICE ? left : SLICE));
		left = dp_counter_get(&counters(r)->to_resolve);
	}
	assert_int_equal(r->n_resolved, N_FLOWS);
	assert_int_equal(dp_counter_get(&counters(r)->packets),
		N_FLOWS + RTE_MIN(N_FLOWS, n_rounds * DP_BURST));
	rig_run(r);
	send_all(r, 1002, 9);
	rig_finish(r);
	assert_int_equal(credited(r, 10) + credited(r, 110), N_FLOWS * (100 + 7 + 9));
	assert_true(credited(r, 110) >= N_FLOWS * 9);
	assert_true(credited(r, 10) >= N_FLOWS * 100);
	assert_nothing_lost(r);
	rig_free(r);
}

/* A swap in the middle of a walk: all flows are judged by the last one. */
static void a_walk_begins_again_with_each_swap(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 100000);

	send_all(r, 1000, 100);
	rig_run(r);
	for (uint32_t world = 1; world <= 100; world++) {
		r->world = world;
		for (int n = 0; n < 3; n++)
			rig_poll(r);
		assert_int_equal(dp_counter_get(&counters(r)->catalogues), world);
		assert_int_equal(dp_counter_get(&counters(r)->to_resolve), N_FLOWS - 3 * SLICE);
	}
	rig_run(r);
	assert_int_equal(dp_counter_get(&counters(r)->to_resolve), 0);
	send_all(r, 1001, 7);
	rig_finish(r);
	assert_int_equal(credited(r, 10), N_FLOWS * 100);
	assert_int_equal(credited(r, 10 + 100 * 100), N_FLOWS * 7);
	assert_nothing_lost(r);
	rig_free(r);
}

/* Places are free, and taken again, in the middle of a walk. */
static void flows_that_come_and_go_while_the_walk_goes_on_are_what_they_are(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 100000);

	send_all(r, 1000, 100);
	rig_mark(r, 0, 185);
	rig_run(r); // all are over
	assert_int_equal(rig_sum(r, DP_RECORD_USAGE, 10, ANY).n_new_flows, N_FLOWS);
	r->world = 1;
	send_all(r, 186000, 7);
	rig_poll(r);
	assert_true(dp_counter_get(&counters(r)->to_resolve) > 0);
	rig_run(r);
	assert_int_equal(dp_counter_get(&counters(r)->resolved_again), 0);
	rig_finish(r);
	assert_int_equal(credited(r, 10), N_FLOWS * 100);
	assert_int_equal(credited(r, 110), N_FLOWS * 7);
	assert_nothing_lost(r);
	rig_free(r);
}

/* What a tick owes goes first, so that one round never does both. */
static void a_walk_waits_while_a_tick_is_closed(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 100000);

	send_all(r, 1000, 100);
	rig_mark(r, 0, 1);
	r->world = 1;
	while (!rig_has_closed(r, 1)) {
		const unsigned int n = r->n_resolved;

		rig_poll(r);
		rig_take(r);
		assert_true(r->n_resolved == n || !rig_has_closed(r, 1));
	}
	rig_run(r);
	rig_finish(r);
	assert_int_equal(dp_counter_get(&counters(r)->resolved_again) +
			rig_sum(r, DP_RECORD_USAGE, 110, ANY).n_new_flows,
		N_FLOWS);
	assert_nothing_lost(r);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_decided_flow_counts_for_its_new_app_from_the_next_packet_on),
		cmocka_unit_test(a_flow_that_is_still_looked_at_is_judged_by_its_next_packet),
		cmocka_unit_test(a_flow_that_ends_while_it_is_looked_at_ends_as_what_it_is_by_then),
		cmocka_unit_test(a_flow_whose_state_was_taken_away_is_judged_by_what_is_remembered),
		cmocka_unit_test(a_verdict_without_state_adds_how_it_came_about),
		cmocka_unit_test(what_nobody_decided_is_left_alone),
		cmocka_unit_test(a_flow_without_room_for_its_new_app_counts_as_before),
		cmocka_unit_test(many_flows_are_judged_in_slices_with_packets_in_between),
		cmocka_unit_test(a_walk_begins_again_with_each_swap),
		cmocka_unit_test(flows_that_come_and_go_while_the_walk_goes_on_are_what_they_are),
		cmocka_unit_test(a_walk_waits_while_a_tick_is_closed),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
