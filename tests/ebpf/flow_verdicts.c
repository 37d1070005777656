// SPDX-License-Identifier: BSD-3-Clause

/* What a verdict changes in the kernel, and whose it has to be. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

#include "dataplane/packet.h"

/* A flow that asks. Returns its number. */
static uint32_t begin(void)
{
	rig_send_up();
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS);
	return seam_flow();
}

static void a_verdict_of_another_flow_changes_nothing(void **)
{
	struct dp_offload_counts c;
	const uint32_t flow = begin();

	assert_int_equal(seam_decide(IPPROTO_UDP, flow ^ 2, 7, false, &c), -ENOENT);
	assert_int_equal(
		seam_decide(IPPROTO_UDP, 0, 7, false, &c), -ENOENT); // which has no verdict
	assert_int_equal(seam_decide(IPPROTO_TCP, flow, 7, false, &c), -ENOENT);
	seam_assert_counts(&c, 0, 0);
	rig_send_up();
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS);
	assert_int_equal(seam_look(IPPROTO_UDP, flow ^ 2, &c), -ENOENT);
	assert_int_equal(seam_end(IPPROTO_UDP, flow ^ 2, &c), -ENOENT);
	assert_int_equal(seam_look(IPPROTO_UDP, flow, &c), 0);
	rig_check_ledger(2);
}

static void another_verdict_moves_what_comes_and_not_what_was(void **)
{
	struct dp_offload_usage usage[RIG_ENTRIES];
	struct dp_offload_counts c;
	const uint32_t flow = begin();

	assert_int_equal(seam_decide(IPPROTO_UDP, flow, 7, false, &c), 0);
	rig_send_up();
	rig_send_up();
	assert_int_equal(
		seam_decide(IPPROTO_UDP, 0, 9, false, &c), 0); // whichever is there, decided
	seam_assert_counts(&c, 0, 0);
	rig_send_down();
	assert_int_equal(rig_take_all(), 0);
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage);
	seam_assert_packets(usage[7].packets, 2, 0);
	seam_assert_packets(usage[9].packets, 0, 1);
	assert_int_equal(seam_look(IPPROTO_UDP, flow, &c), 0);
	seam_assert_counts(&c, 2, 1);
	assert_int_equal(c.tcp, DP_OFFLOAD_DECIDED);
}

static void payload_of_a_watched_flow_goes_on_coming_up(void **)
{
	struct dp_offload_counts c;
	struct frame f;

	rig_tcp(&f, "10.0.0.7", 50000, "203.0.113.9", 443, DP_TCP_ACK, 1, 10);
	rig_send(&f);
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(seam_decide(IPPROTO_TCP, seam_flow(), 7, true, &c), 0);
	rig_send(&f);
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_FOLLOWS);
	rig_tcp(&f, "10.0.0.7", 50000, "203.0.113.9", 443, DP_TCP_ACK, 11, 0);
	rig_send(&f);
	assert_int_equal(rig_take_all(), 0);
	assert_int_equal(seam_decide(IPPROTO_TCP, 0, 7, false, &c), 0);
	rig_tcp(&f, "10.0.0.7", 50000, "203.0.113.9", 443, DP_TCP_ACK, 11, 10);
	rig_send(&f);
	assert_int_equal(rig_take_all(), 0);
	assert_int_equal(seam_look(IPPROTO_TCP, 0, &c), 0);
	seam_assert_packets(c.packets, 2, 0);
	rig_check_ledger(2);
}

static void events_of_tcp_come_up_of_a_decided_flow_too(void **)
{
	static const uint8_t events[] = {DP_TCP_SYN | DP_TCP_ACK, DP_TCP_FIN | DP_TCP_ACK};
	struct dp_offload_counts c;
	struct frame f;

	rig_tcp(&f, "10.0.0.7", 50000, "203.0.113.9", 443, DP_TCP_SYN, 1, 0);
	rig_send(&f);
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(seam_decide(IPPROTO_TCP, seam_flow(), 7, false, &c), 0);
	for (size_t i = 0; i < sizeof(events); i++) {
		rig_tcp(&f, "203.0.113.9", 443, "10.0.0.7", 50000, events[i], 1, 0);
		rig_send(&f);
		assert_int_equal(rig_take_all(), 1);
		assert_int_equal(rig.up.last.handed, DP_HANDED_FOLLOWS);
	}
	assert_int_equal(seam_look(IPPROTO_TCP, 0, &c), 0);
	assert_int_equal(c.tcp & DP_OFFLOAD_FIN_DOWN, DP_OFFLOAD_FIN_DOWN);
	assert_int_equal(c.tcp & (DP_OFFLOAD_FIN_UP | DP_OFFLOAD_RST), 0);
	seam_assert_packets(c.packets, 0, 0);
}

static void what_is_forgotten_tells_its_counts_and_asks_anew(void **)
{
	struct dp_offload_usage usage[RIG_ENTRIES];
	struct dp_offload_counts c;
	const uint32_t flow = begin();

	assert_int_equal(seam_decide(IPPROTO_UDP, flow, 7, false, &c), 0);
	rig_send_up();
	rig_send_down();
	assert_int_equal(seam_end(IPPROTO_UDP, flow, &c), 0);
	seam_assert_counts(&c, 1, 1);
	assert_int_equal(seam_look(IPPROTO_UDP, 0, &c), -ENOENT);
	assert_int_equal(seam_end(IPPROTO_UDP, 0, &c), -ENOENT);
	seam_assert_counts(&c, 0, 0);
	rig_send_up();
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS); // nothing ended with it
	assert_int_not_equal(seam_flow(), flow);
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage); // that stays
	seam_assert_packets(usage[7].packets, 1, 1);
	rig_check_ledger(2);
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(a_verdict_of_another_flow_changes_nothing),
		FLOW_TEST(another_verdict_moves_what_comes_and_not_what_was),
		FLOW_TEST(payload_of_a_watched_flow_goes_on_coming_up),
		FLOW_TEST(events_of_tcp_come_up_of_a_decided_flow_too),
		FLOW_TEST(what_is_forgotten_tells_its_counts_and_asks_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
