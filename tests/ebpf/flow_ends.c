// SPDX-License-Identifier: BSD-3-Clause

/* Where flows end in the kernel: as in a worker (dataplane/flow_life.h), each told once, with all that was kept. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

#include "dataplane/flow_life.h"

enum { UDP_LIFE_S = 180, TCP_LIFE_S = 300, CLOSED_LIFE_S = 10, ENTRY = 7 };

static void send_tcp(bool is_up, uint8_t flags, uint32_t seq)
{
	struct frame f;

	if (is_up)
		rig_tcp(&f, "10.0.0.7", 50000, "203.0.113.9", 443, flags, seq, 0);
	else
		rig_tcp(&f, "203.0.113.9", 443, "10.0.0.7", 50000, flags, seq, 0);
	rig_send(&f);
}

/* The last frame came up, alone, so. */
static void assert_up(uint8_t handed)
{
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, handed);
}

/* A connection whose SYN has number 1, decided, with two packets kept: one each way. */
static uint32_t connect_tcp(void)
{
	struct dp_offload_counts c;
	uint32_t flow;

	send_tcp(true, DP_TCP_SYN, 1);
	assert_up(DP_HANDED_ASKS);
	flow = seam_flow();
	assert_int_equal(seam_decide(IPPROTO_TCP, flow, ENTRY, false, &c), 0);
	send_tcp(true, DP_TCP_ACK, 2);
	send_tcp(false, DP_TCP_ACK, 2);
	assert_int_equal(rig_take_all(), 0);
	return flow;
}

/* What came up last ended a flow with those two, and begins another one. */
static void assert_ended(uint32_t flow)
{
	struct dp_offload_counts c;

	assert_up(DP_HANDED_ASKS | DP_HANDED_ENDED);
	seam_assert_packets(rig.up.last.head.ended.packets, 1, 1);
	assert_int_equal(rig.up.last.head.ended.tcp & DP_OFFLOAD_DECIDED, DP_OFFLOAD_DECIDED);
	assert_int_not_equal(seam_flow(), flow);
	assert_int_equal(seam_look(IPPROTO_TCP, flow, &c), -ENOENT);
	assert_int_equal(seam_look(IPPROTO_TCP, seam_flow(), &c), 0);
	seam_assert_packets(c.packets, 0, 0);
	assert_int_equal(c.tcp & (DP_OFFLOAD_DECIDED | DP_OFFLOAD_RST | DP_OFFLOAD_FIN_UP), 0);
}

static void silence_ends_a_flow_when_its_life_span_is_over(void **)
{
	struct dp_offload_counts c;
	uint32_t flow;

	rig_send_up();
	assert_up(DP_HANDED_ASKS);
	flow = seam_flow();
	assert_int_equal(seam_decide(IPPROTO_UDP, flow, ENTRY, false, &c), 0);
	rig_send_up();
	rig.now_ns += (UDP_LIFE_S + 1) * RIG_S - 1; // the second it was seen in counts whole
	rig_send_down();
	assert_int_equal(rig_take_all(), 0);
	rig.now_ns = rig.now_ns / RIG_S * RIG_S + (UDP_LIFE_S + 1) * RIG_S;
	rig_send_down();
	assert_up(DP_HANDED_ASKS | DP_HANDED_ENDED);
	seam_assert_counts(&rig.up.last.head.ended, 1, 1);
	assert_int_not_equal(seam_flow(), flow);
	rig_send_down();
	assert_up(DP_HANDED_ASKS); // once
	assert_int_equal(seam_decide(IPPROTO_UDP, seam_flow(), ENTRY, false, &c), 0);
	seam_assert_counts(&c, 0, 0);
	assert_int_equal(seam_look(IPPROTO_UDP, seam_flow(), &c), 0);
	seam_assert_counts(&c, 0, 0); // nothing of the one before
	rig_check_ledger(3);
}

static void a_connection_lives_longer(void **)
{
	const uint32_t flow = connect_tcp();

	rig.now_ns += TCP_LIFE_S * RIG_S;
	send_tcp(true, DP_TCP_ACK, 2);
	assert_int_equal(rig_take_all(), 0);
	rig.now_ns += (TCP_LIFE_S + 1) * RIG_S;
	send_tcp(true, DP_TCP_ACK, 2);
	assert_up(DP_HANDED_ASKS | DP_HANDED_ENDED);
	assert_int_not_equal(seam_flow(), flow);
}

static void a_new_handshake_ends_one_that_is_open(void **)
{
	const uint32_t flow = connect_tcp();

	send_tcp(true, DP_TCP_SYN, 1); // sent again
	assert_up(DP_HANDED_FOLLOWS);
	assert_int_equal(seam_flow(), flow);
	send_tcp(true, DP_TCP_SYN, 99);
	assert_ended(flow);
	send_tcp(true, DP_TCP_SYN, 99);
	assert_up(DP_HANDED_ASKS);
}

static void both_ends_have_to_say_fin(void **)
{
	const uint32_t flow = connect_tcp();
	struct dp_offload_counts c;

	send_tcp(true, DP_TCP_FIN | DP_TCP_ACK, 3);
	assert_up(DP_HANDED_FOLLOWS);
	send_tcp(true, DP_TCP_FIN | DP_TCP_ACK, 3);
	assert_up(DP_HANDED_FOLLOWS);
	send_tcp(true, DP_TCP_SYN, 1);
	assert_up(DP_HANDED_FOLLOWS); // half closed: the same number is the same handshake
	send_tcp(false, DP_TCP_FIN | DP_TCP_ACK, 3);
	assert_up(DP_HANDED_FOLLOWS);
	assert_int_equal(seam_look(IPPROTO_TCP, flow, &c), 0);
	assert_int_equal(c.tcp & (DP_OFFLOAD_FIN_UP | DP_OFFLOAD_FIN_DOWN),
		DP_OFFLOAD_FIN_UP | DP_OFFLOAD_FIN_DOWN);
	send_tcp(true, DP_TCP_SYN, 1);
	assert_ended(flow);
}

static void a_reset_closes_at_once(void **)
{
	const uint32_t flow = connect_tcp();

	send_tcp(false, DP_TCP_RST, 3);
	assert_up(DP_HANDED_FOLLOWS);
	rig.now_ns += CLOSED_LIFE_S * RIG_S;
	send_tcp(false, DP_TCP_RST, 3); // late ones belong to it
	assert_up(DP_HANDED_FOLLOWS);
	assert_int_equal(seam_flow(), flow);
	rig.now_ns += (CLOSED_LIFE_S + 1) * RIG_S;
	send_tcp(true, DP_TCP_ACK, 3);
	assert_ended(flow);
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(silence_ends_a_flow_when_its_life_span_is_over),
		FLOW_TEST(a_connection_lives_longer),
		FLOW_TEST(a_new_handshake_ends_one_that_is_open),
		FLOW_TEST(both_ends_have_to_say_fin),
		FLOW_TEST(a_reset_closes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
