// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

enum { ANY = 0, WINDOW_NS = 2000000, N_CLIENTS = 640 };
static const uint32_t ALL = UINT32_MAX;

static struct rig *rig_with(enum dp_duplicates_mode mode, unsigned int n_inputs, unsigned int burst)
{
	return rig_new(
		(struct dp_worker_config){.duplicates = mode, .duplicate_window_ns = WINDOW_NS},
		n_inputs, burst);
}

static uint64_t outcome(const struct rig *r, enum dp_outcome id)
{
	return dp_counter_get(&dp_worker_counters(r->worker)->outcomes[id]);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223; // Numerical Recipes
	return *state >> 8;
}

/* Traffic of n packets, all different, each n_times. */
static void send_traffic(struct rig *r, unsigned int n, unsigned int n_times)
{
	uint32_t seed = 7;
	uint64_t ms = 1000;

	for (unsigned int i = 0; i < n; i++) {
		struct rig_packet p = {.ms = ms,
			.client = 1 + next_random(&seed) % 5,
			.sport = (uint16_t)(50000 + next_random(&seed) % 4),
			.server_port = (uint16_t)(RIG_AT_FIRST + next_random(&seed) % 5),
			.l4_proto = next_random(&seed) % 3 == 0 ? IPPROTO_UDP : IPPROTO_TCP,
			.is_down = next_random(&seed) % 2 == 0,
			.is_empty = next_random(&seed) % 4 == 0,
			.id = (uint16_t)i,
			.ip_bytes = 40 + next_random(&seed) % 1400};

		if (p.l4_proto == IPPROTO_TCP && next_random(&seed) % 8 == 0)
			p.tcp_flags = next_random(&seed) % 2 == 0 ? DP_TCP_SYN : DP_TCP_FIN;
		for (unsigned int copy = 0; copy < n_times; copy++) {
			p.ttl = (uint8_t)(64 - copy);
			rig_send(r, 0, p);
		}
		ms += next_random(&seed) % 100 == 0 ? 90000 : next_random(&seed) % 40;
	}
	rig_finish(r);
}

static void assert_same_records(const struct rig *a, const struct rig *b)
{
	assert_int_equal(a->n_records, b->n_records);
	assert_memory_equal(a->records, b->records, a->n_records * sizeof(*a->records));
}

static void a_capture_that_is_mirrored_twice_gives_the_records_of_once(void **)
{
	struct rig *once = rig_with(DP_DUPLICATES_OFF, 1, 1);
	struct rig *thrice = rig_with(DP_DUPLICATES_DROP, 1, 1);

	send_traffic(once, 5000, 1);
	send_traffic(thrice, 5000, 3);
	assert_same_records(once, thrice);
	assert_int_equal(thrice->n_given, once->n_given);
	assert_int_equal(outcome(once, DP_OUTCOME_DUPLICATE), 0);
	assert_int_equal(outcome(thrice, DP_OUTCOME_ACCOUNTED), 5000);
	assert_int_equal(outcome(thrice, DP_OUTCOME_DUPLICATE), 10000);
	rig_free(once);
	rig_free(thrice);
}

static void dropping_takes_nothing_where_there_is_no_copy(void **)
{
	struct rig *off = rig_with(DP_DUPLICATES_OFF, 1, 1);
	struct rig *drop = rig_with(DP_DUPLICATES_DROP, 1, 1);

	send_traffic(off, 5000, 1);
	send_traffic(drop, 5000, 1);
	assert_same_records(off, drop);
	assert_int_equal(outcome(drop, DP_OUTCOME_DUPLICATE), 0);
	assert_int_equal(dp_counter_get(&dp_worker_counters(drop->worker)->copies_looked), 5000);
	assert_int_equal(dp_counter_get(&dp_worker_counters(off->worker)->copies_looked), 0);
	rig_free(off);
	rig_free(drop);
}

static void what_is_a_copy_does_not_depend_on_where_bursts_begin(void **)
{
	static const unsigned int bursts[] = {7, 32, 1000};
	struct rig *first = rig_with(DP_DUPLICATES_DROP, 1, 1);
	struct dp_usage all;

	send_traffic(first, 2000, 2);
	all = rig_sum(first, DP_RECORD_USAGE, ALL, ANY);
	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		struct rig *r = rig_with(DP_DUPLICATES_DROP, 1, bursts[i]);
		struct dp_usage sum;

		send_traffic(r, 2000, 2);
		sum = rig_sum(r, DP_RECORD_USAGE, ALL, ANY);
		assert_memory_equal(&sum, &all, sizeof(sum));
		assert_int_equal(r->n_given, first->n_given);
		assert_int_equal(outcome(r, DP_OUTCOME_DUPLICATE), 2000);
		rig_free(r);
	}
	rig_free(first);
}

static void a_copy_makes_no_flow_and_is_not_classified(void **)
{
	struct rig *r = rig_with(DP_DUPLICATES_DROP, 1, 32);
	struct rig_packet p = {.ms = 1000,
		.client = 1,
		.server_port = RIG_UNKNOWN,
		.tcp_flags = DP_TCP_SYN,
		.seq = 1,
		.ip_bytes = 100};

	rig_send(r, 0, p);
	p.tcp_flags = DP_TCP_RST;
	rig_send(r, 0, p);
	p.tcp_flags = DP_TCP_SYN; // of a flow that is closed: a new one would begin
	p.n_frames = 3;
	rig_send(r, 0, p);
	rig_finish(r);
	assert_int_equal(dp_counter_get(&dp_worker_counters(r->worker)->flows), 1);
	assert_int_equal(r->n_given, 2);
	assert_int_equal(rig_sum(r, DP_RECORD_USAGE, ALL, ANY).bytes[0], 200);
	assert_int_equal(outcome(r, DP_OUTCOME_DUPLICATE), 3);
	assert_int_equal(outcome(r, DP_OUTCOME_ACCOUNTED), 2);
	rig_free(r);
}

static void a_packet_that_comes_again_behind_the_window_is_counted_again(void **)
{
	struct rig *r = rig_with(DP_DUPLICATES_DROP, 1, 32);
	struct rig_packet p = {.ms = 1000, .client = 1, .server_port = RIG_NEVER, .ip_bytes = 100};

	rig_send(r, 0, p);
	p.ms += 3; // a retransmission, say
	rig_send(r, 0, p);
	rig_finish(r);
	assert_int_equal(outcome(r, DP_OUTCOME_ACCOUNTED), 2);
	rig_free(r);
}

/* One fibre on two ports, or a link mirrored at both of its ends. */
static void a_copy_on_another_port_is_known(void **)
{
	struct rig *r = rig_with(DP_DUPLICATES_DROP, 2, 1);
	struct rig_packet p = {.ms = 1000, .client = 1, .server_port = RIG_NEVER, .ip_bytes = 100};

	for (p.id = 1; p.id <= 20; p.id++) {
		rig_send(r, 0, p);
		rig_send(r, 1, p);
	}
	rig_finish(r);
	assert_int_equal(outcome(r, DP_OUTCOME_ACCOUNTED), 20);
	assert_int_equal(outcome(r, DP_OUTCOME_DUPLICATE), 20);
	rig_free(r);
}

static void fragments_that_waited_have_no_bytes_and_are_no_copies(void **)
{
	struct rig *r = rig_with(DP_DUPLICATES_DROP, 1, 32);
	const struct rig_packet p = {.ms = 1000,
		.client = 1,
		.l4_proto = IPPROTO_UDP,
		.is_fragment = true,
		.is_credit = true,
		.ip_bytes = 100};

	rig_send(r, 0, p);
	rig_send(r, 0, p);
	rig_finish(r);
	assert_int_equal(outcome(r, DP_OUTCOME_ACCOUNTED), 2);
	assert_int_equal(dp_counter_get(&dp_worker_counters(r->worker)->copies_looked), 0);
	rig_free(r);
}

/* A fragment that brings others which waited: that it came by another port says nothing of them. One
 * that makes a datagram whole does: the other port has had all of it. */
static void fragments_behind_a_copy_are_not_lost_with_it(void **)
{
	for (int is_fragment = 0; is_fragment < 2; is_fragment++) {
		struct rig *r = rig_with(DP_DUPLICATES_DROP, 2, 1);
		struct rig_packet p = {.ms = 1000,
			.client = 1,
			.server_port = RIG_NEVER,
			.l4_proto = IPPROTO_UDP,
			.is_fragment = is_fragment != 0,
			.ip_bytes = 100};

		rig_send(r, 0, p);
		p.n_packets = p.n_frames = 3;
		rig_send(r, 1, p);
		p.n_packets = p.n_frames = 1;
		rig_send(r, 0, p); // still known
		rig_finish(r);
		assert_int_equal(outcome(r, DP_OUTCOME_ACCOUNTED), is_fragment ? 4 : 1);
		assert_int_equal(outcome(r, DP_OUTCOME_DUPLICATE), is_fragment ? 1 : 4);
		assert_int_equal(dp_counter_get(&dp_worker_counters(r->worker)->copies_seen),
			is_fragment ? 1 : 2);
		rig_free(r);
	}
}

static void watching_looks_at_the_same_few_endpoints_always_and_drops_nothing(void **)
{
	struct rig *r = rig_with(DP_DUPLICATES_WATCH, 1, 32);
	const struct dp_worker_counters *c = dp_worker_counters(r->worker);
	struct rig_packet p = {.ms = 1000, .server_port = RIG_NEVER, .ip_bytes = 100};
	unsigned int n_looked = 0;

	for (p.client = 1; p.client <= N_CLIENTS; p.client++) {
		const uint8_t be[4] = {10, 0, (uint8_t)(p.client >> 8), (uint8_t)p.client};
		const struct dp_addr endpoint = dp_addr_from_v4(be);

		n_looked += dp_endpoint_hash(&endpoint) % DP_DUPLICATES_SAMPLE == 0;
		rig_send(r, 0, p);
		rig_send(r, 0, p);
	}
	rig_finish(r);
	assert_in_range(n_looked, 1, N_CLIENTS / 16);
	assert_int_equal(dp_counter_get(&c->copies_looked), 2 * n_looked);
	assert_int_equal(dp_counter_get(&c->copies_seen), n_looked);
	assert_int_equal(outcome(r, DP_OUTCOME_ACCOUNTED), 2 * N_CLIENTS);
	assert_int_equal(outcome(r, DP_OUTCOME_DUPLICATE), 0);
	rig_free(r);
}

static void more_packets_than_are_remembered_are_counted(void **)
{
	enum { REMEMBERED = 32768 }; // for 2 ms
	struct rig *r = rig_with(DP_DUPLICATES_DROP, 1, 32);
	struct rig_packet p = {
		.ms = 1000, .client = 1, .server_port = RIG_AT_FIRST, .ip_bytes = 100};

	for (uint32_t i = 0; i < REMEMBERED + 10; i++) {
		p.seq = i;
		rig_send(r, 0, p);
	}
	rig_finish(r);
	assert_int_equal(dp_counter_get(&dp_worker_counters(r->worker)->copies_forgotten), 10);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_capture_that_is_mirrored_twice_gives_the_records_of_once),
		cmocka_unit_test(dropping_takes_nothing_where_there_is_no_copy),
		cmocka_unit_test(what_is_a_copy_does_not_depend_on_where_bursts_begin),
		cmocka_unit_test(a_copy_makes_no_flow_and_is_not_classified),
		cmocka_unit_test(a_packet_that_comes_again_behind_the_window_is_counted_again),
		cmocka_unit_test(a_copy_on_another_port_is_known),
		cmocka_unit_test(fragments_that_waited_have_no_bytes_and_are_no_copies),
		cmocka_unit_test(fragments_behind_a_copy_are_not_lost_with_it),
		cmocka_unit_test(watching_looks_at_the_same_few_endpoints_always_and_drops_nothing),
		cmocka_unit_test(more_packets_than_are_remembered_are_counted),
	};

	return cmocka_run_group_tests_name("worker_copies", tests, rig_start, rig_stop);
}
