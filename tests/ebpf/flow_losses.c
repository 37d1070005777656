// SPDX-License-Identifier: BSD-3-Clause

/* The way up is full, or the table of flows: what nobody was told of is kept, counted once, and told when that goes. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

enum { SENT = 60, SMALL_FLOWS = 64, MANY_FLOWS = 2000 };

static int setup_small(void **)
{
	rig_defaults();
	rig.cfg.ring_bytes = 4096; // two dozen of our frames
	rig.cfg.n_flows = SMALL_FLOWS;
	rig_open();
	return 0;
}

/* Packets of one flow until the way up has been full for a while. Returns how many found no room. */
static uint64_t overflow(void)
{
	uint64_t n_lost;

	for (int i = 0; i < SENT; i++)
		rig_send_up();
	n_lost = rig_stats().lost;
	assert_in_range(n_lost, 1, SENT - 1);
	return n_lost;
}

static void what_found_no_room_waits_for_the_verdict(void **)
{
	struct dp_offload_counts c;
	const uint64_t n_lost = overflow();

	assert_int_equal(rig_take_all(), SENT - n_lost);
	assert_int_equal(rig_stats().undecided_bytes, n_lost * SEAM_BYTES);
	assert_int_equal(seam_look(IPPROTO_UDP, seam_flow(), &c), 0);
	seam_assert_counts(&c, n_lost, 0);
	assert_int_equal(rig_stats().taken_bytes, 0); // looking takes nothing
	assert_int_equal(seam_decide(IPPROTO_UDP, seam_flow(), 7, false, &c), 0);
	seam_assert_counts(&c, n_lost, 0);
	assert_int_equal(rig_stats().taken_bytes, n_lost * SEAM_BYTES);
	assert_int_equal(seam_decide(IPPROTO_UDP, seam_flow(), 8, false, &c), 0);
	seam_assert_counts(&c, 0, 0); // once
	assert_int_equal(seam_end(IPPROTO_UDP, seam_flow(), &c), 0);
	seam_assert_counts(&c, 0, 0);
	rig_check_ledger(SENT - n_lost);
}

static void with_room_it_asks_again(void **)
{
	struct dp_offload_counts c;
	const uint64_t n_lost = overflow();

	(void)rig_take_all();
	rig_send_up();
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS);
	assert_int_equal(rig_stats().lost, n_lost);
	assert_int_equal(seam_end(IPPROTO_UDP, seam_flow(), &c), 0);
	seam_assert_counts(&c, n_lost, 0);
	assert_int_equal(rig_stats().taken_bytes, n_lost * SEAM_BYTES);
}

static void a_flow_that_ends_without_a_verdict_tells_what_waited(void **)
{
	const uint64_t n_lost = overflow();

	(void)rig_take_all();
	rig.now_ns += 1000 * RIG_S;
	rig_send_down();
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS | DP_HANDED_ENDED);
	seam_assert_counts(&rig.up.last.head.ended, n_lost, 0);
	assert_int_equal(rig.up.last.head.ended.tcp & DP_OFFLOAD_DECIDED, 0);
	assert_int_equal(rig_stats().taken_bytes, n_lost * SEAM_BYTES);
}

/* Its first packet cannot say that another one ended: that is for the next one. */
static void an_end_that_finds_no_room_comes_later(void **)
{
	const uint64_t n_lost = overflow();

	rig.now_ns += 1000 * RIG_S;
	rig_send_down();
	assert_int_equal(rig_stats().lost, n_lost + 1);
	(void)rig_take_all();
	rig_send_down();
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS | DP_HANDED_ENDED);
	seam_assert_counts(&rig.up.last.head.ended, n_lost, 1);
}

static void send_flow(uint32_t i)
{
	struct frame f;

	rig_udp(&f, "10.0.0.7", (uint16_t)(20000 + i), "203.0.113.9", 443, 100);
	rig_send(&f);
}

/* More flows than the table has room for, each with one packet that waits. */
static void the_bytes_of_flows_that_were_forgotten_are_known(void **)
{
	struct dp_five_tuple t = rig_tuple(IPPROTO_UDP);
	struct dp_offload_counts c;
	struct dp_offload_stats s;
	uint64_t n_there = 0;

	(void)overflow();
	for (uint32_t i = 0; i < MANY_FLOWS; i++)
		send_flow(i);
	for (uint32_t i = 0; i < MANY_FLOWS; i++) {
		t.sport = (uint16_t)(20000 + i);
		if (rig.offload->ops->end(rig.offload->self, 0, &t, 0, 0, &c) < 0)
			continue;
		seam_assert_counts(&c, 1, 0);
		n_there++;
	}
	s = rig_stats();
	assert_in_range(n_there, 1, 2 * SMALL_FLOWS); // the kernel's rounds to pages of its own
	assert_int_equal(s.lost * SEAM_BYTES, s.undecided_bytes);
	assert_int_equal(s.taken_bytes, n_there * SEAM_BYTES);
	assert_int_equal(s.packets, s.lost);
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup_small, rig_teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(what_found_no_room_waits_for_the_verdict),
		FLOW_TEST(with_room_it_asks_again),
		FLOW_TEST(a_flow_that_ends_without_a_verdict_tells_what_waited),
		FLOW_TEST(an_end_that_finds_no_room_comes_later),
		FLOW_TEST(the_bytes_of_flows_that_were_forgotten_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
