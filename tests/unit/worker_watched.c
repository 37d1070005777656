// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

static struct rig_packet udp(enum rig_port server_port, uint64_t ms)
{
	return (struct rig_packet){.ms = ms,
		.client = 1,
		.sport = 50000,
		.server_port = (uint16_t)server_port,
		.l4_proto = IPPROTO_UDP,
		.ip_bytes = 100};
}

static const struct dp_note *only_end(const struct rig *r)
{
	const struct dp_record *end = rig_note(r, DP_NOTE_END, 0);

	assert_non_null(end);
	assert_null(rig_note(r, DP_NOTE_END, 1));
	assert_int_equal(end->app, 14);
	return &end->note;
}

/* The rig's stage says nonsense in item->verdict whenever it is not to be read. */
static void a_watched_flow_is_heard_behind_its_verdict_and_that_is_no_effort(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	const struct dp_worker_counters *c = dp_worker_counters(r->worker);
	struct rig_packet empty = udp(RIG_WATCHED, 1002), down = udp(RIG_WATCHED, 1003),
			  cut = udp(RIG_WATCHED, 1004);

	empty.is_empty = true;
	down.is_down = true;
	cut.is_credit = true;
	rig_send(r, 0, udp(RIG_WATCHED, 1000));
	assert_int_equal(r->n_given, 1);
	assert_int_equal(r->n_overheard, 0);
	rig_send(r, 0, udp(RIG_WATCHED, 1001));
	rig_send(r, 0, empty);
	rig_send(r, 0, down);
	rig_send(r, 0, cut);
	assert_int_equal(r->n_given, 1);
	assert_int_equal(r->n_overheard, 2); // with payload
	assert_int_equal(r->last.n_packets, 4);
	rig_finish(r);

	const struct dp_note *end = only_end(r);

	assert_int_equal(end->effort, 0);
	assert_string_equal(end->host, "");
	assert_int_equal(end->packets[0] + end->packets[1], 5);
	assert_null(rig_note(r, DP_NOTE_VERDICT, 1));
	assert_int_equal(dp_counter_get(&c->classified_packets), 1);
	assert_int_equal(dp_counter_get(&c->verdicts_cut), 0);
	rig_free(r);
}

static void who_has_heard_enough_hears_no_more(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	rig_send(r, 0, udp(RIG_WATCHED_TWICE, 1000));
	rig_send(r, 0, udp(RIG_WATCHED_TWICE, 1001));
	assert_int_equal(r->n_states, 1); // taken behind the verdict
	for (uint64_t ms = 1002; ms < 1010; ms++)
		rig_send(r, 0, udp(RIG_WATCHED_TWICE, ms));
	assert_int_equal(r->n_states, 0);
	assert_int_equal(r->n_given, 1);
	assert_int_equal(r->n_overheard, 2);
	rig_finish(r);
	assert_int_equal(only_end(r)->packets[0], 10);
	rig_free(r);
}

/* Of three flows one idles out, one makes room for another and one is alive when the worker stops. */
static void however_a_watched_flow_ends_its_state_is_freed(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_flows = 2}, 1, 1);
	struct rig_packet p = udp(RIG_WATCHED_STATE, 1000);

	rig_send(r, 0, p);
	p.ms = 500000;
	rig_send(r, 0, p); // the flow before is over
	assert_int_equal(r->n_states, 1);
	assert_int_equal(only_end(r)->packets[0], 1);
	p.sport++;
	rig_send(r, 0, p);
	assert_int_equal(r->n_states, 2);
	p.sport++;
	rig_send(r, 0, p); // no room
	assert_int_equal(r->n_states, 2);
	assert_int_equal(dp_counter_get(&dp_worker_counters(r->worker)->flows_evicted), 1);
	p.ms++;
	rig_send(r, 0, p);
	assert_int_equal(r->n_overheard, 1);
	for (size_t i = 0; i < 2; i++) {
		const struct dp_record *end = rig_note(r, DP_NOTE_END, i);

		assert_int_equal(end->app, 14);
		assert_string_equal(end->note.host, "");
	}
	rig_free(r); // which counts the states
}

static void a_new_handshake_ends_a_watched_flow(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	struct rig_packet syn = udp(RIG_WATCHED_STATE, 1000), data = syn;

	syn.l4_proto = data.l4_proto = IPPROTO_TCP;
	syn.tcp_flags = DP_TCP_SYN;
	syn.is_empty = true;
	data.tcp_flags = DP_TCP_ACK;
	rig_send(r, 0, syn);
	rig_send(r, 0, data);
	rig_send(r, 0, data);
	assert_int_equal(r->n_overheard, 1);
	syn.seq = 7;
	rig_send(r, 0, syn);
	assert_int_equal(r->n_states, 0);
	rig_send(r, 0, data);
	assert_int_equal(r->n_given, 2);
	rig_finish(r);
	assert_int_equal(r->n_states, 0);
	rig_free(r);
}

/* Who sent a packet, for whom, and where its bytes stand. */
static void a_packet_says_where_it_belongs(void **)
{
	static const enum rig_port ports[] = {RIG_NEVER, RIG_WATCHED}; // shown, overheard
	struct dp_addr endpoint;

	assert_int_equal(dp_addr_parse("10.0.0.1", &endpoint), 0);
	for (size_t i = 0; i < 2; i++) {
		struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
		struct rig_packet p = udp(ports[i], 1000);

		p.l4_proto = IPPROTO_TCP;
		p.tcp_flags = DP_TCP_SYN;
		p.is_empty = true;
		p.seq = 4000000000;
		rig_send(r, 0, p);
		p.tcp_flags = DP_TCP_ACK;
		p.is_empty = false;
		p.seq = 4000000001;
		rig_send(r, 0, p);
		p.seq = 4000000081;
		rig_send(r, 0, p);
		assert_int_equal(r->last.tcp_seq, 4000000081);
		assert_true(r->last.has_syn);
		assert_int_equal(r->last.syn_seq, 4000000000);
		assert_false(r->last.is_from_dst);
		assert_false(r->last.server_is_src);
		assert_memory_equal(&r->last_endpoint, &endpoint, sizeof(endpoint));
		p.is_down = true;
		p.seq = 7;
		rig_send(r, 0, p);
		assert_int_equal(r->last.tcp_seq, 7);
		assert_int_equal(r->last.syn_seq, 4000000000);
		assert_true(r->last.is_from_dst);
		assert_memory_equal(&r->last_endpoint, &endpoint, sizeof(endpoint));
		assert_int_equal(r->n_given + r->n_overheard, 3);
		rig_finish(r);
		rig_free(r);
	}
}

/* Round trips of data that were measured on a connection to this port. */
static uint32_t n_round_trips(enum rig_port server_port)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	struct rig_packet p = udp(server_port, 1000);
	uint32_t n = 0;

	p.l4_proto = IPPROTO_TCP;
	p.tcp_flags = DP_TCP_ACK;
	p.window = 1000;
	p.ip_bytes = 120; // 100 of payload
	for (uint32_t i = 0; i < 6; i++) { // a question and its answer, 0.7 s apart
		p.ms = 1000 + 700 * i;
		p.is_down = i % 2 != 0;
		p.seq = 5000 + 100 * (i / 2);
		p.ack = 5000 + 100 * ((i + 1) / 2);
		rig_send(r, 0, p);
	}
	rig_finish(r);
	for (size_t i = 0; i < r->n_records; i++) {
		const struct dp_record *record = &r->records[i];

		if (record->kind == DP_RECORD_QUALITY)
			n += record->quality.n_data_rtt[0] + record->quality.n_data_rtt[1];
	}
	rig_free(r);
	return n;
}

/* Both have their place in one slot: it is the stage's only as long as it holds state. */
static void round_trips_are_measured_while_a_watched_flow_has_no_state(void **)
{
	assert_true(n_round_trips(RIG_AT_FIRST) > 0);
	assert_int_equal(n_round_trips(RIG_WATCHED), n_round_trips(RIG_AT_FIRST));
	assert_int_equal(n_round_trips(RIG_WATCHED_STATE), 0);
}

/* A SYN-ACK first: its receiver is src, whose SYN nobody saw. Data first: who sends it is src. */
static void a_flow_that_did_not_begin_with_a_syn_has_none(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	struct rig_packet p = udp(RIG_WATCHED, 1000);

	p.l4_proto = IPPROTO_TCP;
	p.is_down = true;
	p.tcp_flags = DP_TCP_SYN | DP_TCP_ACK;
	p.is_empty = true;
	rig_send(r, 0, p);
	p.tcp_flags = DP_TCP_ACK;
	p.is_empty = false;
	rig_send(r, 0, p);
	assert_false(r->last.has_syn);
	assert_true(r->last.is_from_dst);
	assert_false(r->last.server_is_src);
	p.sport++;
	rig_send(r, 0, p);
	assert_false(r->last.has_syn);
	assert_false(r->last.is_from_dst);
	assert_true(r->last.server_is_src);
	p.is_down = false;
	rig_send(r, 0, p);
	assert_true(r->last.is_from_dst);
	rig_finish(r);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watched_flow_is_heard_behind_its_verdict_and_that_is_no_effort),
		cmocka_unit_test(who_has_heard_enough_hears_no_more),
		cmocka_unit_test(however_a_watched_flow_ends_its_state_is_freed),
		cmocka_unit_test(a_new_handshake_ends_a_watched_flow),
		cmocka_unit_test(a_packet_says_where_it_belongs),
		cmocka_unit_test(a_flow_that_did_not_begin_with_a_syn_has_none),
		cmocka_unit_test(round_trips_are_measured_while_a_watched_flow_has_no_state),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
