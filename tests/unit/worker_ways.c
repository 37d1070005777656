// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

enum { ANY = 0 };
static const uint32_t ALL = UINT32_MAX;
static const uint64_t MS = 1000000;

/* --- traffic of one direction ----------------------------------------------------------------- */

struct ways {
	uint64_t ended, up_only, down_only;
};

static struct ways ways(const struct rig *r)
{
	const struct dp_worker_counters *c = dp_worker_counters(r->worker);

	return (struct ways){.ended = dp_counter_get(&c->tcp_ended),
		.up_only = dp_counter_get(&c->tcp_one_way[0]),
		.down_only = dp_counter_get(&c->tcp_one_way[1])};
}

static void assert_ways(const struct rig *r, uint64_t ended, uint64_t up_only, uint64_t down_only)
{
	const struct ways w = ways(r);

	assert_int_equal(w.ended, ended);
	assert_int_equal(w.up_only, up_only);
	assert_int_equal(w.down_only, down_only);
}

static struct rig_packet tcp(uint16_t sport, uint8_t flags, bool is_down)
{
	static uint64_t ms = 1000;

	return (struct rig_packet){.ms = ms++,
		.client = 1,
		.sport = sport,
		.server_port = RIG_UNKNOWN,
		.tcp_flags = flags,
		.is_down = is_down,
		.ip_bytes = 60};
}

static void send_n(struct rig *r, unsigned int n, struct rig_packet p)
{
	for (unsigned int i = 0; i < n; i++)
		rig_send(r, 0, p);
}

static void a_connection_seen_from_one_side_is_counted_by_that_side(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	send_n(r, 4, tcp(1, DP_TCP_ACK, false));
	send_n(r, 4, tcp(2, DP_TCP_ACK, true));
	send_n(r, 4, tcp(3, DP_TCP_ACK, true));
	send_n(r, 3, tcp(4, DP_TCP_ACK, false));
	send_n(r, 1, tcp(4, DP_TCP_ACK, true));
	assert_ways(r, 0, 0, 0);
	rig_finish(r);
	assert_ways(r, 4, 1, 2);
	rig_free(r);
}

static void few_packets_handshakes_and_resets_say_nothing(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	struct rig_packet udp = tcp(6, 0, false);

	udp.l4_proto = IPPROTO_UDP;
	send_n(r, 3, tcp(1, DP_TCP_ACK, false));
	send_n(r, 7, tcp(2, DP_TCP_SYN, false)); // nobody answers
	send_n(r, 7, tcp(3, DP_TCP_SYN | DP_TCP_ACK, true)); // to an address that was forged
	send_n(r, 7, tcp(4, DP_TCP_RST | DP_TCP_ACK, true));
	send_n(r, 7, udp);
	rig_finish(r);
	assert_ways(r, 0, 0, 0);
	rig_free(r);
}

static void fragments_without_ports_are_nobodys_connection(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	struct rig_packet p = tcp(0, DP_TCP_ACK, false);

	p.is_fragment = true;
	send_n(r, 7, p);
	rig_finish(r);
	assert_ways(r, 0, 0, 0);
	rig_free(r);
}

/* The table is full, a new handshake takes the ports, the time is over. */
static void a_flow_counts_however_it_ends(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_flows = 2}, 1, 1);
	struct rig_packet syn;

	send_n(r, 4, tcp(1, DP_TCP_ACK, false));
	send_n(r, 4, tcp(2, DP_TCP_ACK, false));
	send_n(r, 4, tcp(3, DP_TCP_ACK, false)); // no room: 1 goes
	assert_ways(r, 1, 1, 0);
	send_n(r, 1, tcp(2, DP_TCP_RST, false));
	syn = tcp(2, DP_TCP_SYN, false);
	syn.seq = 9;
	send_n(r, 1, syn); // 2 again
	assert_ways(r, 2, 2, 0);
	rig_finish(r);
	assert_ways(r, 3, 3, 0); // 3; the new 2 had a handshake only
	rig_free(r);
}

static void the_answer_first_does_not_turn_the_sides(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	send_n(r, 1, tcp(1, DP_TCP_SYN | DP_TCP_ACK, true)); // the flow's source is the client
	send_n(r, 4, tcp(1, DP_TCP_ACK, true));
	rig_finish(r);
	assert_ways(r, 1, 0, 1);
	rig_free(r);
}

/* --- packets that speak for several ----------------------------------------------------------- */

static const struct dp_worker_counters *run_credit(struct rig *r, bool has_ports)
{
	const struct rig_packet credit = {.ms = 1000,
		.client = 1,
		.sport = 50000,
		.server_port = RIG_AT_FIRST,
		.l4_proto = IPPROTO_UDP,
		.is_fragment = !has_ports,
		.is_credit = true,
		.n_frames = 5,
		.n_packets = 3,
		.ip_bytes = 3000};
	struct rig_packet next = credit;

	rig_send(r, 0, credit);
	assert_int_equal(r->n_given, 0);
	next.ms = 1250;
	next.is_credit = next.is_fragment = false;
	next.n_frames = next.n_packets = 0;
	next.ip_bytes = 100;
	rig_send(r, 0, next);
	rig_finish(r);
	assert_int_equal(r->n_given, 1);
	return dp_worker_counters(r->worker);
}

static void a_credit_counts_its_frames_packets_and_bytes_at_its_time(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	const struct dp_worker_counters *c = run_credit(r, true);
	const struct dp_usage all = rig_sum(r, DP_RECORD_USAGE, ALL, 1);
	const struct dp_usage moved = rig_sum(r, DP_RECORD_MOVE, 10, 1);
	const struct dp_note *end = &rig_note(r, DP_NOTE_END, 0)->note;

	assert_int_equal(dp_counter_get(&c->outcomes[DP_OUTCOME_ACCOUNTED]), 6);
	assert_int_equal(dp_counter_get(&c->packets), 4);
	assert_int_equal(dp_counter_get(&c->ip_bytes), 3100);
	assert_int_equal(dp_counter_get(&c->classified_packets), 1);
	assert_int_equal(dp_counter_get(&c->flows), 1);
	assert_int_equal(all.packets[0], 4);
	assert_int_equal(all.bytes[0], 3100);
	assert_int_equal(all.first_ns, 1000 * MS);
	assert_int_equal(all.last_ns, 1250 * MS);
	assert_int_equal(all.active_ms, 200); // a tenth of a second each
	assert_int_equal(moved.packets[0], 3); // what came before the verdict
	assert_int_equal(moved.last_ns, 1000 * MS);
	assert_int_equal(end->packets[0], 4);
	assert_int_equal(end->bytes[0], 3100);
	assert_int_equal(end->first_ns, 1000 * MS);
	assert_int_equal(end->last_ns, 1250 * MS);
	rig_free(r);
}

static void a_credit_without_ports_is_a_flow_of_its_own_and_never_classified(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);
	const struct dp_worker_counters *c = run_credit(r, false);
	const struct dp_usage unknown = rig_sum(r, DP_RECORD_MOVE, DP_APP_UNKNOWN, 1);

	assert_int_equal(dp_counter_get(&c->outcomes[DP_OUTCOME_ACCOUNTED]), 6);
	assert_int_equal(dp_counter_get(&c->flows), 2);
	assert_int_equal(unknown.packets[0], 3);
	assert_int_equal(unknown.bytes[0], 3000);
	assert_int_equal(rig_sum(r, DP_RECORD_USAGE, ALL, 1).bytes[0], 3100);
	rig_free(r);
}

static void a_credit_without_room_for_its_usage_loses_all_of_its_frames(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){.n_flows = 1}, 1, 1);
	const struct dp_worker_counters *c = dp_worker_counters(r->worker);
	struct rig_packet p = {.ms = 1000,
		.server_port = RIG_NEVER,
		.l4_proto = IPPROTO_UDP,
		.is_fragment = true,
		.is_credit = true,
		.n_frames = 5,
		.n_packets = 3,
		.ip_bytes = 3000};
	uint64_t accounted;

	for (p.client = 1; p.client <= 5; p.client++)
		rig_send(r, 0, p);
	rig_finish(r);
	accounted = dp_counter_get(&c->outcomes[DP_OUTCOME_ACCOUNTED]);
	assert_in_range(accounted, 5, 20);
	assert_int_equal(accounted + dp_counter_get(&c->outcomes[DP_OUTCOME_NO_ROOM]), 25);
	assert_int_equal(dp_counter_get(&c->packets) * 5, accounted * 3);
	assert_int_equal(dp_counter_get(&c->ip_bytes), accounted * 600);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_seen_from_one_side_is_counted_by_that_side),
		cmocka_unit_test(few_packets_handshakes_and_resets_say_nothing),
		cmocka_unit_test(fragments_without_ports_are_nobodys_connection),
		cmocka_unit_test(a_flow_counts_however_it_ends),
		cmocka_unit_test(the_answer_first_does_not_turn_the_sides),
		cmocka_unit_test(a_credit_counts_its_frames_packets_and_bytes_at_its_time),
		cmocka_unit_test(a_credit_without_ports_is_a_flow_of_its_own_and_never_classified),
		cmocka_unit_test(a_credit_without_room_for_its_usage_loses_all_of_its_frames),
	};

	return cmocka_run_group_tests_name("worker_ways", tests, rig_start, rig_stop);
}
