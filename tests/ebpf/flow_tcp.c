// SPDX-License-Identifier: BSD-3-Clause

/* What TCP connections tell in the kernel is what they tell in a worker: the same code, called for each packet of the
 * same connections (docs/quality.md). */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

#include "dataplane/tcp.h"

#include <errno.h>

enum { ENTRY = 7, PACKETS = 150, CONNECTIONS = 150, IP_TCP_LEN = 40, PORTS = 10 };

static struct dp_offload_usage usage[RIG_ENTRIES];
static uint64_t rng_state;

static uint32_t rnd(uint32_t n) // below n
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(((rng_state >> 32) * n) >> 32);
}

/* A connection as a worker would follow it, whose classifier has no state: ports beside rig_tuple()'s. */
struct conn {
	struct dp_flow flow;
	struct dp_flow_rest rest;
	struct dp_five_tuple tuple;
	bool is_up; // src is the endpoint
	uint32_t number; // of the kernel's flow
	bool is_decided;
	struct dp_quality kept; // what it is to have counted
};

/* --- as a worker ------------------------------------------------------------------------------- */

static struct conn conn_of(uint16_t port, bool is_up)
{
	struct conn c = {.tuple = rig_tuple(IPPROTO_TCP), .is_up = is_up};

	c.tuple.sport = port;
	c.flow.flags = is_up ? DP_FLOW_ENDPOINT_IS_SRC : 0;
	c.flow.last_ns = rig.now_ns;
	return c;
}

static void add_event(struct dp_quality *q, const struct dp_tcp_event *e)
{
	const unsigned int dir = e->is_up ? 0 : 1, side = e->is_rtt_of_endpoint ? 0 : 1;

	q->retransmitted[dir] += (e->what & DP_TCP_RETRANSMITTED) != 0;
	q->out_of_order[dir] += (e->what & DP_TCP_OUT_OF_ORDER) != 0;
	q->zero_windows[dir] += (e->what & DP_TCP_ZERO_WINDOW) != 0;
	q->n_handshake_rtt[side] += (e->what & DP_TCP_RTT_HANDSHAKE) != 0;
	q->handshake_rtt_us[side] += (e->what & DP_TCP_RTT_HANDSHAKE) != 0 ? e->rtt_us : 0;
	q->n_data_rtt[side] += (e->what & DP_TCP_RTT_DATA) != 0;
	q->data_rtt_us[side] += (e->what & DP_TCP_RTT_DATA) != 0 ? e->rtt_us : 0;
}

static struct dp_tcp_event follow(struct conn *c, const struct dp_pkt *p, bool is_reverse)
{
	struct dp_tcp_event event = {0};

	if (p->tcp_flags != 0)
		dp_tcp_track(&c->flow, &c->rest, p, is_reverse, &event);
	if ((p->tcp_flags & (DP_TCP_SYN | DP_TCP_RST | DP_TCP_ACK)) == DP_TCP_ACK)
		c->flow.flags |= DP_FLOW_TALKED;
	dp_flow_count(&c->flow, is_reverse, 1, p->payload_bytes + IP_TCP_LEN);
	c->flow.last_ns = p->time_ns;
	return event;
}

/* --- in the kernel ----------------------------------------------------------------------------- */

static void send_to_kernel(const struct conn *c, const struct dp_pkt *p, bool is_reverse)
{
	const bool is_up = c->is_up != is_reverse;
	struct frame f;
	uint8_t *tcp;

	if (is_up)
		rig_tcp(&f, "10.0.0.7", c->tuple.sport, "203.0.113.9", 443, p->tcp_flags,
			p->tcp_seq, p->payload_bytes);
	else
		rig_tcp(&f, "203.0.113.9", 443, "10.0.0.7", c->tuple.sport, p->tcp_flags,
			p->tcp_seq, p->payload_bytes);
	tcp = frame_bytes(&f) + 14 + 20;
	frame_set32(tcp + 8, p->tcp_ack);
	frame_set16(tcp + 14, p->tcp_window);
	rig_send(&f);
}

static void assert_same_event(const struct dp_tcp_event *a, const struct dp_tcp_event *b)
{
	assert_int_equal(a->what, b->what);
	assert_int_equal(a->n_segments, b->n_segments);
	if (a->what != 0)
		assert_int_equal(a->is_up, b->is_up);
	if ((a->what & (DP_TCP_RTT_HANDSHAKE | DP_TCP_RTT_DATA)) != 0) {
		assert_int_equal(a->is_rtt_of_endpoint, b->is_rtt_of_endpoint);
		assert_int_equal(a->rtt_us, b->rtt_us);
	}
}

/* The packet passes here and there. What comes up tells the same; what does not is to be counted. */
static unsigned int pass(struct conn *c, const struct dp_pkt *p, bool is_reverse)
{
	const struct dp_tcp_event event = follow(c, p, is_reverse);

	send_to_kernel(c, p, is_reverse);
	if (rig_take_all() == 0) {
		assert_true(c->is_decided);
		add_event(&c->kept, &event);
		c->kept.segments[c->is_up != is_reverse ? 0 : 1] += event.n_segments;
		return event.what;
	}
	// With the first packet of another flow comes what stood on the one before; it is the worker's own to follow.
	if ((rig.up.last.handed & DP_HANDED_ENDED) == 0)
		assert_same_event(&event, &rig.up.last.head.event);
	if (c->number != 0)
		assert_int_equal(rig.up.last.head.flow, c->number);
	c->number = rig.up.last.head.flow;
	return event.what;
}

static void decide(struct conn *c, uint64_t since_ns)
{
	struct dp_offload_counts counts;

	assert_int_equal(rig.offload->ops->decide(rig.offload->self, 0, &c->tuple, c->number, ENTRY,
				 false, since_ns, &counts),
		0);
	c->is_decided = true;
}

static void assert_counted(const struct dp_quality *want)
{
	const struct dp_quality *q = &usage[ENTRY].quality;

	(void)rig_drain(0, rig.now_ns + 10 * RIG_S, usage);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(q->segments[i], want->segments[i]);
		assert_int_equal(q->retransmitted[i], want->retransmitted[i]);
		assert_int_equal(q->out_of_order[i], want->out_of_order[i]);
		assert_int_equal(q->zero_windows[i], want->zero_windows[i]);
		assert_int_equal(q->n_handshake_rtt[i], want->n_handshake_rtt[i]);
		assert_int_equal(q->handshake_rtt_us[i], want->handshake_rtt_us[i]);
		assert_int_equal(q->n_data_rtt[i], want->n_data_rtt[i]);
		assert_int_equal(q->data_rtt_us[i], want->data_rtt_us[i]);
		assert_int_equal(q->resets[i], 0); // who resets comes up
	}
	assert_int_equal(q->handshakes_failed, 0);
}

/* --- connections ------------------------------------------------------------------------------- */

static uint32_t number_near(uint32_t next)
{
	static const uint32_t steps[] = {1, 100, 200, 65536, 1 << 24, (1 << 24) + 1, 1u << 31};

	const uint32_t step = steps[rnd(rnd(4) == 0 ? 7 : 3)];

	switch (rnd(10)) {
	case 0:
	case 1:
		return next + step;
	case 2:
	case 3:
		return next - step;
	default:
		return next;
	}
}

static uint8_t some_flags(uint32_t i, uint32_t n)
{
	if (i == 0 && rnd(2) == 0)
		return DP_TCP_SYN;
	if (i == 1 && rnd(2) == 0)
		return DP_TCP_SYN | DP_TCP_ACK;
	if (i + 5 > n && rnd(8) == 0)
		return DP_TCP_RST | (rnd(2) ? DP_TCP_ACK : 0);
	if (rnd(24) == 0)
		return DP_TCP_FIN | DP_TCP_ACK;
	return rnd(32) != 0 ? DP_TCP_ACK : 0;
}

static unsigned int some_packet(struct conn *c, uint32_t i, uint32_t n)
{
	static const uint64_t waits[] = {0, 1000, 100000, 1000000, 2500000, 5000000, 1200000000};
	static const uint32_t sizes[] = {0, 0, 1, 100, 100, 1000};
	const bool is_reverse = i == 0 ? false : i == 1 ? true : rnd(2);
	struct dp_pkt p = {.tcp_flags = some_flags(i, n),
		.tcp_seq = number_near(c->flow.next_seq[is_reverse]),
		.tcp_ack = number_near(c->flow.next_seq[!is_reverse]),
		.tcp_window = rnd(12) != 0 ? 1000 : 0,
		.payload_bytes = sizes[rnd(6)]};

	if ((p.tcp_flags & DP_TCP_SYN) != 0)
		p.payload_bytes = 0;
	if (i == 0 && p.tcp_flags == DP_TCP_SYN)
		c->flow.flags |= DP_FLOW_SYN_START;
	rig.now_ns += waits[rnd(rnd(8) == 0 ? 7 : 6)];
	p.time_ns = rig.now_ns;
	return pass(c, &p, is_reverse);
}

static void a_connection_tells_what_it_tells_a_worker(void **)
{
	unsigned int seen[7] = {0};

	for (uint32_t seed = 0; seed < CONNECTIONS; seed++) {
		struct conn c = conn_of((uint16_t)(40000 + seed % PORTS), seed % 2);
		uint32_t decided_at;

		rig.now_ns += 400 * RIG_S /
			PORTS; // ports are used again, when nothing lives any more
		c.flow.last_ns = rig.now_ns;
		rng_state = seed * 77;
		decided_at = rnd(seed % 3 == 0 ? 3 : PACKETS);
		for (uint32_t i = 0; i < PACKETS; i++) {
			const unsigned int what = some_packet(&c, i, PACKETS);

			for (int bit = 0; bit < 7; bit++)
				seen[bit] += what >> bit & 1;
			if (i == decided_at)
				decide(&c, 0);
		}
		assert_counted(&c.kept);
	}
	for (int bit = 0; bit < 7; bit++) {
		print_message("%u times %#x\n", seen[bit], 1u << bit);
		if (1u << bit != DP_TCP_HANDSHAKE_FAILED)
			assert_true(seen[bit] > 20);
	}
}

/* Data or an acknowledgement. */
static unsigned int data(struct conn *c, bool is_reverse, uint32_t seq, uint32_t ack, uint32_t n)
{
	const struct dp_pkt p = {.tcp_flags = DP_TCP_ACK,
		.tcp_seq = seq,
		.tcp_ack = ack,
		.tcp_window = 1000,
		.payload_bytes = n,
		.time_ns = rig.now_ns};

	return pass(c, &p, is_reverse);
}

static void the_next_connection_of_the_same_ports_has_its_own_numbers(void **)
{
	struct conn c = conn_of(50000, true), next;

	(void)data(&c, false, 5000, 1, 100);
	(void)data(&c, true, 1, 5100, 100);
	decide(&c, 0);
	(void)data(&c, false, 5100, 101, 100);
	rig.now_ns += 400 * RIG_S;
	next = conn_of(50000, true);
	assert_int_equal(data(&next, false, 5000, 1, 100), 0);
	assert_int_not_equal(next.number, c.number);
	assert_int_equal(data(&next, false, 5050, 1, 10), DP_TCP_RETRANSMITTED);
	decide(&next, 0);
	assert_int_equal(data(&next, false, 5000, 1, 100), DP_TCP_RETRANSMITTED);
	next.kept.segments[0]++; // of the first one
	assert_counted(&next.kept);
}

/* Refused: the answer to the SYN comes up with both. */
static void a_refused_handshake_comes_up_with_that(void **)
{
	struct conn c = conn_of(50000, true);
	const struct dp_pkt syn = {.tcp_flags = DP_TCP_SYN, .tcp_seq = 5000, .time_ns = rig.now_ns};
	const struct dp_pkt rst = {
		.tcp_flags = DP_TCP_RST | DP_TCP_ACK, .tcp_ack = 5001, .time_ns = rig.now_ns};

	c.flow.flags |= DP_FLOW_SYN_START;
	assert_int_equal(pass(&c, &syn, false), 0);
	decide(&c, 0);
	assert_int_equal(pass(&c, &rst, true), DP_TCP_RESET | DP_TCP_HANDSHAKE_FAILED);
	assert_counted(&c.kept);
}

static void who_has_spoken_is_not_refused(void **)
{
	struct conn c = conn_of(50000, true);
	const struct dp_pkt syn = {.tcp_flags = DP_TCP_SYN, .tcp_seq = 5000, .time_ns = rig.now_ns};
	const struct dp_pkt rst = {
		.tcp_flags = DP_TCP_RST | DP_TCP_ACK, .tcp_ack = 5101, .time_ns = rig.now_ns};

	c.flow.flags |= DP_FLOW_SYN_START;
	(void)pass(&c, &syn, false);
	(void)data(&c, false, 5001, 1, 100);
	assert_int_equal(pass(&c, &rst, true), DP_TCP_RESET);
}

/* Both sides are known, and a round trip is under way. */
static struct conn begin_round_trip(uint64_t *ret_begun_ns)
{
	struct conn c = conn_of(50000, true);

	(void)data(&c, false, 5000, 1, 0);
	(void)data(&c, true, 1, 5000, 0);
	rig.now_ns = ((rig.now_ns >> 30) + 1) << 30;
	*ret_begun_ns = rig.now_ns;
	(void)data(&c, false, 5000, 1, 100);
	return c;
}

/* A worker begins none as long as the classifier has its state. */
static void round_trips_that_a_worker_had_not_begun_are_none(void **)
{
	static const struct {
		int64_t since_ns; // after the round trip began
		unsigned int n;
	} cases[] = {{1000, 0}, {-1, 1}, {0, 0}};
	struct dp_quality want;
	uint64_t begun_ns;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn c;

		rig.now_ns += 400 * RIG_S; // another flow
		c = begin_round_trip(&begun_ns);
		decide(&c, begun_ns + (uint64_t)cases[i].since_ns);
		rig.now_ns += 5000000;
		assert_int_equal(data(&c, true, 1, 5100, 0), DP_TCP_RTT_DATA);
		want = (struct dp_quality){
			.n_data_rtt = {0, cases[i].n}, .data_rtt_us = {0, cases[i].n * 5000}};
		assert_counted(&want);
	}
}

/* A worker knows of it when it has seen the SYN; what answers the SYN-ACK has not come yet. */
static void a_handshake_under_way_goes_on_if_it_began_since(void **)
{
	static const struct {
		uint64_t since_ns; // after the SYN
		unsigned int n;
	} cases[] = {{0, 1}, {1999000, 1}, {2000000, 0}, {3000000, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint64_t begin_ns = rig.now_ns += 400 * RIG_S;
		struct conn c = conn_of(50000, true);
		struct dp_pkt p = {.tcp_flags = DP_TCP_SYN, .tcp_seq = 5000, .time_ns = begin_ns};
		struct dp_quality want = {.n_handshake_rtt = {cases[i].n, 0},
			.handshake_rtt_us = {cases[i].n * 1000, 0}};

		(void)pass(&c, &p, false);
		rig.now_ns = begin_ns + 2000000;
		p = (struct dp_pkt){.tcp_flags = DP_TCP_SYN | DP_TCP_ACK,
			.tcp_seq = 1,
			.tcp_ack = 5001,
			.tcp_window = 1,
			.time_ns = rig.now_ns};
		assert_int_equal(pass(&c, &p, true), DP_TCP_RTT_HANDSHAKE);
		decide(&c, begin_ns + cases[i].since_ns);
		rig.now_ns = begin_ns + 3000000;
		assert_int_equal(data(&c, false, 5001, 2, 0), DP_TCP_RTT_HANDSHAKE);
		assert_counted(&want);
	}
}

/* What is missing is missing, whoever had the place. */
static void a_hole_outlives_the_verdict(void **)
{
	struct conn c = conn_of(50000, true);
	const struct dp_quality want = {.segments = {1, 0}, .out_of_order = {1, 0}};

	(void)data(&c, false, 5000, 1, 100);
	(void)data(&c, true, 1, 5100, 0);
	(void)data(&c, false, 5200, 1, 100);
	decide(&c, rig.now_ns + 1000);
	rig.now_ns += 500000;
	assert_int_equal(data(&c, false, 5100, 1, 100), DP_TCP_OUT_OF_ORDER);
	assert_counted(&want);
}

static void open_with_a_small_ring(void)
{
	rig_close();
	rig.cfg.ring_bytes = 4096;
	rig_open();
}

/* The SYN found no room: the connection is followed all the same. */
static void what_waits_is_followed(void **)
{
	struct conn other = conn_of(50001, true), c = conn_of(50000, true);
	const struct dp_pkt syn = {.tcp_flags = DP_TCP_SYN, .tcp_seq = 5000, .time_ns = rig.now_ns};
	const struct dp_pkt answer = {.tcp_flags = DP_TCP_SYN | DP_TCP_ACK,
		.tcp_ack = 5001,
		.tcp_window = 1,
		.time_ns = rig.now_ns + 2000000};

	open_with_a_small_ring();
	while (rig_stats().lost == 0)
		send_to_kernel(&other, &syn, false);
	send_to_kernel(&c, &syn, false);
	assert_int_equal(rig_stats().lost, 2);
	(void)rig_take_all();
	rig.now_ns = answer.time_ns;
	send_to_kernel(&c, &answer, true);
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.head.event.what, DP_TCP_RTT_HANDSHAKE);
	assert_int_equal(rig.up.last.head.event.rtt_us, 2000);
}

static void what_waits_has_its_segments(void **)
{
	struct dp_offload_counts counts;
	struct conn c = conn_of(50000, true);
	uint32_t seq = 5000, n_up = 0, n_kept = 0;

	open_with_a_small_ring();
	for (; n_kept < 10; seq += 100) {
		const uint64_t kept = rig_stats().frames;
		const struct dp_pkt p = {.tcp_flags = DP_TCP_ACK,
			.tcp_seq = seq,
			.tcp_window = 1,
			.payload_bytes = 100,
			.time_ns = rig.now_ns};

		send_to_kernel(&c, &p, false);
		n_up += rig_stats().frames == kept;
		n_kept += rig_stats().frames != kept;
	}
	assert_int_equal(rig_take_all(), n_up);
	c.number = seam_flow();
	assert_int_equal(rig.offload->ops->decide(rig.offload->self, 0, &c.tuple, c.number, ENTRY,
				 false, 0, &counts),
		0);
	seam_assert_packets(counts.packets, n_kept, 0);
	assert_int_equal(counts.segments[EBPF_UP], n_kept);
	assert_int_equal(counts.segments[EBPF_DOWN], 0);
	assert_counted(&(struct dp_quality){0});
}

#define TCP_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(a_connection_tells_what_it_tells_a_worker),
		TCP_TEST(the_next_connection_of_the_same_ports_has_its_own_numbers),
		TCP_TEST(a_refused_handshake_comes_up_with_that),
		TCP_TEST(who_has_spoken_is_not_refused),
		TCP_TEST(round_trips_that_a_worker_had_not_begun_are_none),
		TCP_TEST(a_handshake_under_way_goes_on_if_it_began_since),
		TCP_TEST(a_hole_outlives_the_verdict),
		TCP_TEST(what_waits_is_followed),
		TCP_TEST(what_waits_has_its_segments),
	};

	rig_defaults();
	rig_open(); // or skip
	rig_close();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
