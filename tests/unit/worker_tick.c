// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

enum { ANY = 0, N_CLIENTS = 600 }; // more than two slices of 256
static const uint32_t ALL = UINT32_MAX;

static uint64_t bytes(struct dp_usage u)
{
	return u.bytes[0] + u.bytes[1];
}

static struct rig_packet of_client(uint32_t client, uint64_t ms, uint32_t ip_bytes)
{
	return (struct rig_packet){.ms = ms,
		.client = client,
		.sport = 50000,
		.server_port = RIG_AT_FIRST,
		.l4_proto = IPPROTO_UDP,
		.ip_bytes = ip_bytes};
}

/* Bytes of the usage records of one tick. */
static uint64_t bytes_of_tick(const struct rig *r, uint64_t tick)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_records; i++) {
		if (r->records[i].kind == DP_RECORD_USAGE && r->records[i].tick == tick)
			sum += bytes(r->records[i].usage);
	}
	return sum;
}

/* Whether nothing of the tick comes behind its end. */
static bool is_complete_at_its_end(const struct rig *r, uint64_t tick)
{
	bool has_ended = false;

	for (size_t i = 0; i < r->n_records; i++) {
		const struct dp_record *x = &r->records[i];

		if (x->kind == DP_RECORD_TICK_END)
			has_ended |= x->tick == tick;
		else if (has_ended && x->kind != DP_RECORD_NOTE && x->tick <= tick)
			return false;
	}
	return has_ended;
}

static void a_tick_is_reported_when_it_closes_and_not_before(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0, of_client(1, 5000, 100));
	rig_send(r, 0, of_client(1, 5999, 100));
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, ALL, ANY)), 0);
	rig_send(r, 0, of_client(1, 6000, 7));
	assert_true(is_complete_at_its_end(r, 5));
	assert_int_equal(bytes_of_tick(r, 5), 200);
	rig_finish(r);
	assert_int_equal(bytes_of_tick(r, 6), 7);
	rig_free(r);
}

static void many_entries_close_in_slices_with_the_next_tick_in_between(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 100000);

	for (uint32_t i = 1; i <= N_CLIENTS; i++)
		rig_send(r, 0, of_client(i, 5000, 100));
	for (uint32_t i = N_CLIENTS; i > 0; i--) // the end of the list first
		rig_send(r, 0, of_client(i, 6000, 7));
	while (!rig_has_closed(r, 5)) {
		rig_poll(r); // a burst of the next tick, a slice of this one
		rig_take(r);
	}
	assert_true(is_complete_at_its_end(r, 5));
	assert_int_equal(bytes_of_tick(r, 5), 100 * N_CLIENTS);
	rig_mark(r, 0, 6);
	rig_run(r);
	assert_true(is_complete_at_its_end(r, 6));
	assert_int_equal(bytes_of_tick(r, 6), 7 * N_CLIENTS);
	for (uint32_t i = 1; i <= N_CLIENTS; i++)
		assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, 10, i)), 107);
	rig_free(r);
}

static void many_flows_expire_in_slices_with_the_next_tick_in_between(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 100000);
	struct rig_packet p;

	for (uint32_t i = 1; i <= N_CLIENTS; i++) {
		p = of_client(i, 5000, 100);
		p.server_port = RIG_NEVER;
		rig_send(r, 0, p);
	}
	rig_mark(r, 0, 185); // all of them are over, their last word is owed in this close
	for (uint32_t i = 1; i <= N_CLIENTS; i++) {
		p = of_client(i, 186000, 7);
		p.server_port = RIG_NEVER;
		rig_send(r, 0, p);
	}
	while (!rig_has_closed(r, 185)) {
		rig_poll(r);
		rig_take(r);
	}
	assert_true(is_complete_at_its_end(r, 185));
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, 13, ANY)), 100 * N_CLIENTS);
	rig_finish(r);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, 13, ANY)), 107 * N_CLIENTS);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, ALL, ANY)), r->bytes_in);
	rig_free(r);
}

static void a_full_ring_postpones_and_loses_no_byte(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_records = 16}, 1, 100000);
	const struct dp_worker_counters *c = dp_worker_counters(r->worker);
	uint64_t n_notes_dropped;

	for (uint64_t s = 5; s < 10; s++) {
		for (uint32_t i = 1; i <= N_CLIENTS; i++) {
			struct rig_packet p = of_client(i, s * 1000, 100);

			p.server_port = (uint16_t)(RIG_AT_FIRST + i % 5);
			rig_send(r, 0, p);
		}
		for (int i = 0; i < 50; i++)
			rig_poll(r); // nobody takes
	}
	assert_int_equal(dp_counter_get(&c->outcomes[DP_OUTCOME_ACCOUNTED]), N_CLIENTS * 5);
	assert_int_equal(dp_ring_count(dp_worker_ring(r->worker)), 15);
	rig_take(r);
	for (uint64_t s = 10; s < 1000; s++) { // ever more ticks, 15 records each
		rig_mark(r, 0, s);
		for (int i = 0; i < 8; i++) {
			rig_poll(r);
			rig_take(r);
		}
	}
	n_notes_dropped = dp_counter_get(&c->notes_dropped);
	assert_true(n_notes_dropped > 0);
	assert_true(dp_counter_get(&c->postponed) > 0);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, ALL, ANY)), r->bytes_in);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, DP_APP_UNDECIDED, ANY)),
		bytes(rig_sum(r, DP_RECORD_MOVE, ALL, ANY)));
	for (uint32_t i = 1; i <= N_CLIENTS; i++)
		assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, ALL, i)), 500);
	rig_free(r);
}

static void what_was_postponed_belongs_to_the_tick_that_reports_it(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_records = 4}, 1, 100000);

	for (uint32_t i = 1; i <= 10; i++)
		rig_send(r, 0, of_client(i, 5000, 100));
	rig_mark(r, 0, 5);
	for (int i = 0; i < 10; i++)
		rig_poll(r);
	rig_mark(r, 0, 6);
	for (uint64_t s = 7; s < 20; s++) {
		rig_take(r);
		rig_poll(r);
		rig_take(r);
		rig_mark(r, 0, s);
		rig_poll(r);
	}
	for (int i = 0; i < 100; i++) {
		rig_take(r);
		rig_poll(r);
	}
	for (uint64_t s = 5; s < 19; s++)
		assert_true(is_complete_at_its_end(r, s));
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, ALL, ANY)), r->bytes_in);
	rig_free(r);
}

static void a_tick_closes_only_when_both_inputs_have_passed_it(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 2, 1);

	rig_send(r, 0, of_client(1, 5000, 100));
	rig_send(r, 1, of_client(2, 5000, 100));
	rig_send(r, 0, of_client(1, 6000, 7)); // its mark holds input 0
	assert_false(rig_has_closed(r, 5));
	rig_send(r, 1, of_client(2, 5999, 50)); // the other still may bring packets of tick 5
	assert_false(rig_has_closed(r, 5));
	assert_int_equal(
		dp_counter_get(&dp_worker_counters(r->worker)->outcomes[DP_OUTCOME_ACCOUNTED]), 3);
	rig_mark(r, 1, 5);
	rig_run(r);
	assert_true(is_complete_at_its_end(r, 5));
	assert_int_equal(bytes_of_tick(r, 5), 250);
	rig_finish(r);
	assert_int_equal(bytes_of_tick(r, 6), 7);
	rig_free(r);
}

static void inputs_that_jump_over_ticks_wait_for_the_slower_one(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 2, 1);

	rig_send(r, 0, of_client(1, 5000, 1));
	rig_send(r, 1, of_client(2, 5000, 1));
	rig_send(r, 0, of_client(1, 9000, 10)); // mark 8
	rig_send(r, 1, of_client(2, 7000, 100)); // mark 6
	assert_true(rig_has_closed(r, 6));
	assert_false(rig_has_closed(r, 8));
	rig_send(r, 1, of_client(2, 9000, 1000)); // mark 8
	assert_true(is_complete_at_its_end(r, 8));
	assert_int_equal(bytes_of_tick(r, 5), 2);
	assert_int_equal(bytes_of_tick(r, 7), 100);
	rig_finish(r);
	assert_int_equal(bytes_of_tick(r, 9), 1010);
	rig_free(r);
}

static void active_time_counts_each_tenth_of_a_second_once(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	static const uint64_t at_ms[] = {5000, 5010, 5099, 5100, 5950, 5999};

	for (size_t i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++)
		rig_send(r, 0, of_client(1, at_ms[i], 100));
	rig_finish(r);
	assert_int_equal(rig_sum(r, DP_RECORD_USAGE, 10, 1).active_ms, 300);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tick_is_reported_when_it_closes_and_not_before),
		cmocka_unit_test(many_entries_close_in_slices_with_the_next_tick_in_between),
		cmocka_unit_test(many_flows_expire_in_slices_with_the_next_tick_in_between),
		cmocka_unit_test(a_full_ring_postpones_and_loses_no_byte),
		cmocka_unit_test(what_was_postponed_belongs_to_the_tick_that_reports_it),
		cmocka_unit_test(a_tick_closes_only_when_both_inputs_have_passed_it),
		cmocka_unit_test(inputs_that_jump_over_ticks_wait_for_the_slower_one),
		cmocka_unit_test(active_time_counts_each_tenth_of_a_second_once),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
