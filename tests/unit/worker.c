// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>

enum { ANY = 0 };
static const uint32_t ALL = UINT32_MAX;
static const uint64_t MS = 1000000;

static uint64_t bytes(struct dp_usage u)
{
	return u.bytes[0] + u.bytes[1];
}

static uint64_t packets(struct dp_usage u)
{
	return u.packets[0] + u.packets[1];
}

/* The invariant of the ledger: every byte is reported once, and at the end none is undecided. */
static void assert_ledger(const struct rig *r)
{
	const struct dp_usage all = rig_sum(r, DP_RECORD_USAGE, ALL, ANY);
	const struct dp_usage undecided = rig_sum(r, DP_RECORD_USAGE, DP_APP_UNDECIDED, ANY);
	const struct dp_usage moved = rig_sum(r, DP_RECORD_MOVE, ALL, ANY);

	assert_int_equal(bytes(all), r->bytes_in);
	for (int dir = 0; dir < 2; dir++) {
		assert_int_equal(undecided.bytes[dir], moved.bytes[dir]);
		assert_int_equal(undecided.packets[dir], moved.packets[dir]);
	}
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, DP_APP_UNDECIDED, ANY)), 0);
}

/* --- traffic without a pattern, the same every time ------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223; // Numerical Recipes
	return *state >> 8;
}

static void send_traffic(struct rig *r, unsigned int n)
{
	uint32_t seed = 7;
	uint64_t ms = 1000;

	for (unsigned int i = 0; i < n; i++) {
		const uint32_t what = next_random(&seed);
		struct rig_packet p = {.ms = ms,
			.client = 1 + what % 5,
			.sport = (uint16_t)(50000 + next_random(&seed) % 4),
			.server_port = (uint16_t)(RIG_AT_FIRST + next_random(&seed) % 5),
			.l4_proto = what % 3 == 0 ? IPPROTO_UDP : IPPROTO_TCP,
			.is_down = next_random(&seed) % 2 == 0,
			.is_empty = next_random(&seed) % 4 == 0,
			.ip_bytes = 40 + next_random(&seed) % 1400};

		if (p.l4_proto == IPPROTO_TCP && next_random(&seed) % 8 == 0) {
			static const uint8_t flags[] = {DP_TCP_SYN, DP_TCP_SYN | DP_TCP_ACK,
				DP_TCP_FIN | DP_TCP_ACK, DP_TCP_RST};

			p.tcp_flags = flags[next_random(&seed) % 4];
			p.seq = next_random(&seed) % 3;
			p.is_empty = true;
		}
		rig_send(r, 0, p);
		ms += next_random(&seed) % 100 == 0 ? 90000 : next_random(&seed) % 40;
	}
	rig_finish(r);
}

static void every_byte_is_reported_once_and_none_stays_undecided(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 32);
	const struct dp_worker_counters *c = dp_worker_counters(r->worker);

	send_traffic(r, 5000);
	assert_ledger(r);
	assert_int_equal(dp_counter_get(&c->ip_bytes), r->bytes_in);
	assert_int_equal(dp_counter_get(&c->outcomes[DP_OUTCOME_ACCOUNTED]), 5000);
	assert_int_equal(dp_counter_get(&c->classified_packets), r->n_given);
	assert_int_equal(packets(rig_sum(r, DP_RECORD_USAGE, ALL, ANY)), 5000);
	assert_int_equal(
		rig_sum(r, DP_RECORD_USAGE, ALL, ANY).n_new_flows, dp_counter_get(&c->flows));
	rig_free(r);
}

/* Order in which neither the number of records nor their ticks' slices show. */
static int by_meaning(const void *a, const void *b)
{
	const struct dp_record *x = a, *y = b;
	int r = memcmp(&x->endpoint, &y->endpoint, sizeof(x->endpoint));

	if (r == 0)
		r = (x->tick > y->tick) - (x->tick < y->tick);
	if (r == 0)
		r = (x->app > y->app) - (x->app < y->app);
	if (r == 0)
		r = x->kind - y->kind;
	if (r == 0 && x->kind == DP_RECORD_NOTE)
		r = memcmp(&x->note, &y->note, sizeof(x->note));
	return r;
}

static size_t merge(struct dp_record *records, size_t n)
{
	size_t kept = 0;

	qsort(records, n, sizeof(*records), by_meaning);
	for (size_t i = 0; i < n; i++) {
		struct dp_record *to = kept > 0 ? &records[kept - 1] : NULL;

		if (to == NULL || records[i].kind == DP_RECORD_NOTE ||
			by_meaning(to, &records[i]) != 0) {
			records[kept++] = records[i];
			continue;
		}
		for (int dir = 0; dir < 2; dir++) {
			to->usage.bytes[dir] += records[i].usage.bytes[dir];
			to->usage.packets[dir] += records[i].usage.packets[dir];
		}
		to->usage.n_new_flows += records[i].usage.n_new_flows;
		to->usage.active_ms += records[i].usage.active_ms;
		to->usage.first_ns = RTE_MIN(to->usage.first_ns, records[i].usage.first_ns);
		to->usage.last_ns = RTE_MAX(to->usage.last_ns, records[i].usage.last_ns);
	}
	return kept;
}

static void results_do_not_depend_on_where_bursts_begin(void **)
{
	static const unsigned int bursts[] = {1, 7, 32, 1000};
	struct rig *first = NULL;
	size_t n_first = 0;

	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		struct rig *r = rig_new((struct dp_worker_config){0}, 1, bursts[i]);

		send_traffic(r, 5000);

		const size_t n = merge(r->records, r->n_records);

		if (first == NULL) {
			first = r;
			n_first = n;
			continue;
		}
		assert_int_equal(r->n_given, first->n_given);
		assert_int_equal(n, n_first);
		assert_memory_equal(r->records, first->records, n * sizeof(*r->records));
		rig_free(r);
	}
	rig_free(first);
}

/* --- verdicts --------------------------------------------------------------------------------- */

static void a_verdict_moves_exactly_what_was_undecided(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	const struct rig_packet up = {
		.client = 1, .sport = 50000, .server_port = RIG_AT_THIRD, .ip_bytes = 100};

	for (uint64_t i = 0; i < 5; i++) {
		struct rig_packet p = up;

		p.ms = 1000 + 10 * i;
		p.is_down = i % 2 == 1;
		p.ip_bytes = 100 + (uint32_t)i;
		rig_send(r, 0, p);
	}
	rig_mark(r, 0, 1);
	rig_run(r);

	const struct dp_usage undecided = rig_sum(r, DP_RECORD_USAGE, DP_APP_UNDECIDED, 1);
	const struct dp_usage moved = rig_sum(r, DP_RECORD_MOVE, 11, 1);
	const struct dp_usage app = rig_sum(r, DP_RECORD_USAGE, 11, 1);

	assert_int_equal(undecided.bytes[0], 100);
	assert_int_equal(undecided.bytes[1], 101);
	assert_int_equal(moved.bytes[0], 100);
	assert_int_equal(moved.bytes[1], 101);
	assert_int_equal(moved.packets[0] + moved.packets[1], 2);
	assert_int_equal(moved.first_ns, 1000 * MS);
	assert_int_equal(moved.last_ns, 1010 * MS); // not the packet that brought the verdict
	assert_int_equal(app.bytes[0], 102 + 104);
	assert_int_equal(app.bytes[1], 103);
	assert_int_equal(app.n_new_flows, 1);
	assert_int_equal(rig_note(r, DP_NOTE_VERDICT, 0)->note.last_ns, 1010 * MS);
	assert_int_equal(r->n_given, 3); // nothing more after a final verdict
	rig_finish(r);
	assert_ledger(r);
	rig_free(r);
}

static void a_verdict_of_the_first_packet_moves_nothing(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0,
		(struct rig_packet){
			.ms = 1000, .client = 1, .server_port = RIG_AT_FIRST, .ip_bytes = 100});
	rig_finish(r);
	assert_int_equal(packets(rig_sum(r, DP_RECORD_MOVE, ALL, ANY)), 0);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, 10, 1)), 100);
	assert_ledger(r);
	rig_free(r);
}

static void a_name_may_be_refined_until_the_verdict_is_final_but_the_app_stays(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 8);

	for (uint64_t i = 0; i < 6; i++)
		rig_send(r, 0,
			(struct rig_packet){.ms = 1000 + i,
				.client = 1,
				.server_port = RIG_REFINED,
				.ip_bytes = 100});
	rig_finish(r);
	assert_string_equal(rig_note(r, DP_NOTE_VERDICT, 0)->note.host, "a.example");
	assert_null(rig_note(r, DP_NOTE_VERDICT, 1));
	assert_string_equal(rig_note(r, DP_NOTE_END, 0)->note.host, "b.example");
	assert_int_equal(r->n_given, 3);
	assert_ledger(r);
	rig_free(r);
}

static void fragments_without_ports_are_credited_and_not_classified(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0,
		(struct rig_packet){.ms = 1000,
			.client = 1,
			.l4_proto = IPPROTO_UDP,
			.is_fragment = true,
			.ip_bytes = 100});
	rig_finish(r);
	assert_int_equal(r->n_given, 0);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, DP_APP_UNKNOWN, 1)), 100);
	assert_ledger(r);
	rig_free(r);
}

static void packets_without_payload_are_not_given_to_the_classifier(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0,
		(struct rig_packet){.ms = 1000,
			.client = 1,
			.server_port = RIG_NEVER,
			.tcp_flags = DP_TCP_SYN,
			.is_empty = true,
			.ip_bytes = 60});
	assert_int_equal(r->n_given, 0);
	rig_send(r, 0,
		(struct rig_packet){
			.ms = 1001, .client = 1, .server_port = RIG_NEVER, .ip_bytes = 60});
	assert_int_equal(r->n_given, 1);
	rig_finish(r);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->app, 13);
	assert_ledger(r);
	rig_free(r);
}

/* --- flows ------------------------------------------------------------------------------------ */

static size_t n_ended(const struct rig *r)
{
	size_t n = 0;

	while (rig_note(r, DP_NOTE_END, n) != NULL)
		n++;
	return n;
}

static void a_new_syn_starts_a_new_flow_and_a_repeated_one_does_not(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 32);
	const struct rig_packet syn = {.ms = 1000,
		.client = 1,
		.sport = 50000,
		.server_port = RIG_UNKNOWN,
		.tcp_flags = DP_TCP_SYN,
		.seq = 1,
		.is_empty = true,
		.ip_bytes = 60};
	struct rig_packet again = syn;

	rig_send(r, 0, syn);
	rig_send(r, 0, syn);
	again.seq = 2;
	again.ms = 1001;
	rig_send(r, 0, again);
	rig_finish(r);
	assert_int_equal(n_ended(r), 2);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->note.packets[0], 2);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->note.last_ns, 1000 * MS);
	assert_int_equal(rig_note(r, DP_NOTE_END, 1)->note.packets[0], 1);
	assert_true(rig_note(r, DP_NOTE_END, 1)->note.is_syn_start);
	rig_free(r);
}

static void late_packets_of_a_closed_flow_belong_to_it_until_a_syn_comes(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 32);
	struct rig_packet p = {.ms = 1000,
		.client = 1,
		.sport = 50000,
		.server_port = RIG_UNKNOWN,
		.is_empty = true,
		.ip_bytes = 60};

	rig_send(r, 0, p);
	p.tcp_flags = DP_TCP_FIN | DP_TCP_ACK;
	rig_send(r, 0, p);
	p.is_down = true;
	rig_send(r, 0, p);
	p.is_down = false;
	p.tcp_flags = DP_TCP_ACK;
	p.ms = 9000;
	rig_send(r, 0, p);
	p.tcp_flags = DP_TCP_SYN;
	p.ms = 9001;
	rig_send(r, 0, p);
	rig_finish(r);
	assert_int_equal(n_ended(r), 2);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->note.packets[0], 3);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->note.packets[1], 1);
	assert_false(rig_note(r, DP_NOTE_END, 0)->note.is_syn_start);
	rig_free(r);
}

static void a_syn_ack_first_names_its_receiver_as_the_source(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	const struct rig_packet syn_ack = {.ms = 1000,
		.client = 1,
		.sport = 50000,
		.server_port = RIG_AT_FIRST,
		.tcp_flags = DP_TCP_SYN | DP_TCP_ACK,
		.is_down = true,
		.is_empty = true,
		.ip_bytes = 60};
	struct rig_packet data = syn_ack;
	const struct dp_record *end;

	data.tcp_flags = DP_TCP_ACK;
	data.is_down = data.is_empty = false;
	data.ip_bytes = 500;
	rig_send(r, 0, syn_ack);
	rig_send(r, 0, data);
	rig_finish(r);
	end = rig_note(r, DP_NOTE_END, 0);
	assert_int_equal(end->note.sport, 50000);
	assert_int_equal(end->note.dport, RIG_AT_FIRST);
	assert_int_equal(end->note.bytes[0], 500);
	assert_int_equal(end->note.bytes[1], 60);
	assert_int_equal(end->app, 10); // so the server's port was seen as the server's
	assert_int_equal(rig_sum(r, DP_RECORD_MOVE, 10, 1).bytes[1], 60);
	assert_ledger(r);
	rig_free(r);
}

static void a_silent_flow_ends_when_the_tick_of_its_expiry_closes(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0,
		(struct rig_packet){.ms = 1500,
			.client = 1,
			.server_port = RIG_NEVER,
			.l4_proto = IPPROTO_UDP,
			.ip_bytes = 100});
	rig_mark(r, 0, 180); // up to 181 s
	rig_run(r);
	assert_int_equal(n_ended(r), 0);
	rig_mark(r, 0, 181); // its second, and 180 s
	rig_run(r);
	assert_int_equal(n_ended(r), 1);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->note.last_ns, 1500 * MS);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_MOVE, 13, 1)), 100);
	assert_true(rig_has_closed(r, 181));
	assert_ledger(r);
	rig_free(r);
}

static void a_packet_behind_the_expiry_starts_a_new_flow(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 32); // no poll in between
	struct rig_packet p = {.ms = 1500,
		.client = 1,
		.sport = 50000,
		.server_port = RIG_NEVER,
		.l4_proto = IPPROTO_UDP,
		.ip_bytes = 100};

	rig_send(r, 0, p);
	p.ms = 181999;
	rig_send(r, 0, p);
	p.ms = 362000;
	rig_send(r, 0, p);
	rig_finish(r);
	assert_int_equal(n_ended(r), 2);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->note.packets[0], 2);
	assert_ledger(r);
	rig_free(r);
}

static void a_full_table_gives_up_the_flow_idle_longest_and_counts_it(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_flows = 4}, 1, 32);
	struct rig_packet p = {
		.client = 1, .server_port = RIG_UNKNOWN, .l4_proto = IPPROTO_UDP, .ip_bytes = 100};
	static const uint16_t order[] = {1, 2, 3, 4, 1, 5}; // 5 has no room; 2 is idle longest

	for (size_t i = 0; i < 6; i++) {
		p.ms = 1000 + 1000 * i;
		p.sport = order[i];
		rig_send(r, 0, p);
	}
	rig_run(r);
	assert_int_equal(dp_counter_get(&dp_worker_counters(r->worker)->flows_evicted), 1);
	assert_int_equal(n_ended(r), 1);
	assert_int_equal(rig_note(r, DP_NOTE_END, 0)->note.sport, 2);
	rig_finish(r);
	assert_int_equal(n_ended(r), 5);
	assert_ledger(r);
	rig_free(r);
}

static void a_packet_without_room_for_its_usage_is_an_outcome_of_its_own(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_flows = 1}, 1, 1);
	const struct dp_worker_counters *c = dp_worker_counters(r->worker);
	struct rig_packet p = {
		.ms = 1000, .server_port = RIG_NEVER, .l4_proto = IPPROTO_UDP, .ip_bytes = 100};

	for (p.client = 1; p.client <= 5; p.client++)
		rig_send(r, 0, p);
	rig_finish(r);

	const uint64_t n_lost = dp_counter_get(&c->outcomes[DP_OUTCOME_NO_ROOM]);

	assert_true(n_lost > 0);
	assert_int_equal(n_lost + dp_counter_get(&c->outcomes[DP_OUTCOME_ACCOUNTED]), 5);
	assert_int_equal(bytes(rig_sum(r, DP_RECORD_USAGE, ALL, ANY)) + 100 * n_lost, r->bytes_in);
	rig_free(r);
}

static void a_worker_stopped_in_the_middle_frees_what_it_holds(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1000);

	for (uint32_t i = 0; i < 100; i++)
		rig_send(r, 0,
			(struct rig_packet){.ms = 1000 + 100 * i,
				.client = 1 + i,
				.server_port = RIG_NEVER,
				.ip_bytes = 100});
	rig_poll(r); // up to the first mark: packets are left in the burst and in the ring
	assert_true(r->n_states > 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_reported_once_and_none_stays_undecided),
		cmocka_unit_test(results_do_not_depend_on_where_bursts_begin),
		cmocka_unit_test(a_verdict_moves_exactly_what_was_undecided),
		cmocka_unit_test(a_verdict_of_the_first_packet_moves_nothing),
		cmocka_unit_test(
			a_name_may_be_refined_until_the_verdict_is_final_but_the_app_stays),
		cmocka_unit_test(fragments_without_ports_are_credited_and_not_classified),
		cmocka_unit_test(packets_without_payload_are_not_given_to_the_classifier),
		cmocka_unit_test(a_new_syn_starts_a_new_flow_and_a_repeated_one_does_not),
		cmocka_unit_test(late_packets_of_a_closed_flow_belong_to_it_until_a_syn_comes),
		cmocka_unit_test(a_syn_ack_first_names_its_receiver_as_the_source),
		cmocka_unit_test(a_silent_flow_ends_when_the_tick_of_its_expiry_closes),
		cmocka_unit_test(a_packet_behind_the_expiry_starts_a_new_flow),
		cmocka_unit_test(a_full_table_gives_up_the_flow_idle_longest_and_counts_it),
		cmocka_unit_test(a_packet_without_room_for_its_usage_is_an_outcome_of_its_own),
		cmocka_unit_test(a_worker_stopped_in_the_middle_frees_what_it_holds),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
