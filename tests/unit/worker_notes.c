// SPDX-License-Identifier: BSD-3-Clause

/* What control is told of single flows: of those that end, and, when it asks, of those that live. */

#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

enum {
	N_FLOWS = 200,
	SLICE = 16, // of flows that there is something to tell of
	SPORTS = 50000, // flow i has the port behind it
};

static const struct dp_worker_counters *counters(const struct rig *r)
{
	return dp_worker_counters(r->worker);
}

static void send_one(struct rig *r, uint64_t ms, unsigned int flow)
{
	rig_send(r, 0,
		(struct rig_packet){.ms = ms,
			.client = 1,
			.sport = (uint16_t)(SPORTS + flow),
			.server_port = RIG_AT_FIRST,
			.l4_proto = IPPROTO_UDP,
			.ip_bytes = 100});
}

static void send_flows(struct rig *r, uint64_t ms, unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++)
		send_one(r, ms, i);
}

/* The record that ends telling `request`, or NULL. */
static const struct dp_record *told(const struct rig *r, uint64_t request)
{
	for (size_t i = 0; i < r->n_records; i++) {
		if (r->records[i].kind == DP_RECORD_TOLD && r->records[i].told.request == request)
			return &r->records[i];
	}
	return NULL;
}

static bool is_of(const struct dp_record *record, enum dp_note_why why)
{
	return record->kind == DP_RECORD_NOTE && record->note.why == why;
}

/* How often flow i is in the telling that ends at `end`. */
static unsigned int count(const struct rig *r, const struct dp_record *end, unsigned int flow)
{
	unsigned int n = 0;

	for (const struct dp_record *p = r->records; p < end; p++) {
		const bool is_in = is_of(p, DP_NOTE_LIVING) ||
			(is_of(p, DP_NOTE_END) && !p->note.was_told);

		n += is_in && p->note.sport == SPORTS + flow;
	}
	return n;
}

static void run_to_the_end(struct rig *r, uint64_t request)
{
	for (int n = 0; n < 100 && told(r, request) == NULL; n++)
		rig_run(r); // a full ring ends a run
	assert_non_null(told(r, request));
}

static void live_only_the_ends_are_told(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.notes = DP_NOTES_ENDS}, 1, 1);

	send_flows(r, 1000, 0, 3);
	assert_null(rig_note(r, DP_NOTE_VERDICT, 0));
	assert_null(rig_note(r, DP_NOTE_END, 0));
	rig_finish(r);
	assert_null(rig_note(r, DP_NOTE_VERDICT, 0));
	for (unsigned int i = 0; i < 3; i++) {
		const struct dp_record *end = rig_note(r, DP_NOTE_END, i);

		assert_int_equal(end->app, 10);
		assert_int_equal(end->note.bytes[0], 100);
		assert_false(end->note.was_told);
	}
	assert_null(rig_note(r, DP_NOTE_END, 3));
	assert_int_equal(dp_counter_get(&counters(r)->notes_dropped), 0);
	rig_free(r);
}

/* Nothing that is counted is postponed because of notes: they leave half of the ring. */
static void live_ends_leave_room_for_usage(void **)
{
	enum { N_RECORDS = 64, ROOM = 32 };
	struct rig *r = rig_new(
		(struct dp_worker_config){
			.notes = DP_NOTES_ENDS, .n_flows = N_FLOWS, .n_records = N_RECORDS},
		1, 100000);

	send_flows(r, 1000, 0, 2 * N_FLOWS); // half of them must go for others
	for (int n = 0; n < 100; n++)
		rig_poll(r); // and control takes nothing
	assert_int_equal(dp_ring_count(dp_worker_ring(r->worker)), ROOM);
	assert_int_equal(dp_counter_get(&counters(r)->flows_evicted), N_FLOWS);
	assert_int_equal(dp_counter_get(&counters(r)->notes_dropped), N_FLOWS - ROOM);
	assert_int_equal(dp_counter_get(&counters(r)->postponed), 0);
	rig_finish(r);
	rig_free(r);
}

static void each_flow_that_lives_is_told_of_once(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.notes = DP_NOTES_ENDS}, 1, 100000);
	const struct dp_record *end;

	send_flows(r, 1000, 0, N_FLOWS);
	rig_run(r);
	assert_null(rig_note(r, DP_NOTE_LIVING, 0)); // nobody has asked
	dp_worker_tell(r->worker, 7);
	rig_poll(r);
	rig_take(r);
	assert_non_null(rig_note(r, DP_NOTE_LIVING, SLICE - 1));
	assert_null(rig_note(r, DP_NOTE_LIVING, SLICE)); // packets have their turn in between
	run_to_the_end(r, 7);
	end = told(r, 7);
	for (unsigned int i = 0; i < N_FLOWS; i++)
		assert_int_equal(count(r, end, i), 1);
	assert_ptr_equal(end, &r->records[r->n_records - 1]);
	assert_int_equal(rig_note(r, DP_NOTE_LIVING, 0)->app, 10);
	assert_int_equal(rig_note(r, DP_NOTE_LIVING, 0)->note.bytes[0], 100);
	assert_false(dp_worker_poll(r->worker)); // and that was it
	rig_finish(r);
	rig_free(r);
}

static void a_worker_without_flows_says_so(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	dp_worker_tell(r->worker, 1);
	run_to_the_end(r, 1);
	assert_int_equal(r->n_records, 1);
	rig_free(r);
}

/* Some end before their turn, some after it, and others take their places. */
static void flows_that_end_meanwhile_are_told_of_once(void **)
{
	enum { N = 64 };
	struct rig *r = rig_new(
		(struct dp_worker_config){.notes = DP_NOTES_ENDS, .n_flows = N}, 1, 100000);
	const struct dp_record *end;
	unsigned int n_early = 0, n_late = 0;

	send_flows(r, 1000, 0, N);
	send_flows(r, 1001, 0, N / 2); // the others are those idle longest now
	rig_run(r);
	dp_worker_tell(r->worker, 1);
	rig_poll(r); // past the first 16
	send_flows(r, 1002, N, N / 2 + 8); // for all of the others, and the first 8
	run_to_the_end(r, 1);
	end = told(r, 1);
	for (const struct dp_record *p = r->records; p < end; p++) {
		n_early += is_of(p, DP_NOTE_END) && !p->note.was_told;
		n_late += is_of(p, DP_NOTE_END) && p->note.was_told;
	}
	assert_true(n_early > 0 && n_late > 0);
	assert_int_equal(n_early + n_late, N / 2 + 8);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(count(r, end, i), 1);
	for (unsigned int i = N; i < N + N / 2 + 8; i++)
		assert_true(count(r, end, i) <= 1); // too young for it, or there in time
	rig_finish(r);
	rig_free(r);
}

static void telling_waits_while_the_ring_is_half_full(void **)
{
	enum { N_RECORDS = 64, MOST = 64 / 2 + SLICE };
	struct rig *r = rig_new(
		(struct dp_worker_config){.notes = DP_NOTES_ENDS, .n_records = N_RECORDS}, 1,
		100000);

	send_flows(r, 1000, 0, N_FLOWS);
	rig_run(r);
	dp_worker_tell(r->worker, 1);
	for (int n = 0; n < 100; n++)
		rig_poll(r); // and control takes nothing
	assert_in_range(dp_ring_count(dp_worker_ring(r->worker)), N_RECORDS / 2, MOST);
	assert_false(dp_worker_poll(r->worker)); // it does not keep a thread awake
	run_to_the_end(r, 1);
	for (unsigned int i = 0; i < N_FLOWS; i++)
		assert_int_equal(count(r, told(r, 1), i), 1);
	assert_int_equal(dp_counter_get(&counters(r)->notes_dropped), 0);
	rig_finish(r);
	rig_free(r);
}

static void another_request_takes_the_place_of_one_under_way(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.notes = DP_NOTES_ENDS}, 1, 100000);
	size_t n_before;

	send_flows(r, 1000, 0, N_FLOWS);
	rig_run(r);
	dp_worker_tell(r->worker, 1);
	for (int n = 0; n < 3; n++)
		rig_poll(r);
	rig_take(r);
	n_before = r->n_records;
	dp_worker_tell(r->worker, 2);
	run_to_the_end(r, 2);
	assert_null(told(r, 1));
	assert_int_equal(r->n_records - n_before, N_FLOWS + 1);
	rig_finish(r);
	rig_free(r);
}

/* What the tick owes goes first; so does a catalogue that was swapped. */
static void telling_goes_on_behind_a_tick_and_a_swap(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.notes = DP_NOTES_ENDS}, 1, 100000);

	send_flows(r, 1000, 0, N_FLOWS);
	rig_run(r);
	dp_worker_tell(r->worker, 1);
	rig_poll(r);
	rig_mark(r, 0, 1);
	r->world = 1;
	run_to_the_end(r, 1);
	assert_true(rig_has_closed(r, 1));
	assert_int_equal(dp_counter_get(&counters(r)->resolved_again), N_FLOWS);
	for (unsigned int i = 0; i < N_FLOWS; i++)
		assert_int_equal(count(r, told(r, 1), i), 1);
	assert_int_equal(rig_note(r, DP_NOTE_LIVING, 0)->app, 10);
	assert_int_equal(rig_note(r, DP_NOTE_LIVING, N_FLOWS - 1)->app, 110);
	rig_finish(r);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_only_the_ends_are_told),
		cmocka_unit_test(live_ends_leave_room_for_usage),
		cmocka_unit_test(each_flow_that_lives_is_told_of_once),
		cmocka_unit_test(a_worker_without_flows_says_so),
		cmocka_unit_test(flows_that_end_meanwhile_are_told_of_once),
		cmocka_unit_test(telling_waits_while_the_ring_is_half_full),
		cmocka_unit_test(another_request_takes_the_place_of_one_under_way),
		cmocka_unit_test(telling_goes_on_behind_a_tick_and_a_swap),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
