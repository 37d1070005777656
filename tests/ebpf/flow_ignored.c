// SPDX-License-Identifier: BSD-3-Clause

/* What a port is told to ignore ends in the kernel with that outcome, and begins no flow. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

enum { VLAN = 0x8100, QINQ = 0x88a8, ARP = 0x0806, IPV4 = 0x0800, MORE_FRAGMENTS = 0x2000 };

static struct dp_ignore ignore;
static uint64_t n_ignored; // when was_ignored() looked last

static struct dp_prefix prefix(const char *addr, uint8_t len)
{
	struct dp_prefix p = {.len = len};

	assert_int_equal(dp_addr_parse(addr, &p.addr), 0);
	return p;
}

static int setup_ignoring(void **)
{
	memset(&ignore, 0, sizeof(ignore));
	n_ignored = 0;
	dp_ignore_vlan(&ignore, 100);
	dp_ignore_vlan(&ignore, 4094);
	ignore.nets[0] = prefix("203.0.113.0", 96 + 24); // lengths are those of ::ffff:a.b.c.d
	ignore.nets[1] = prefix("2001:db8:1::", 48);
	ignore.n_nets = 2;
	rig_defaults();
	rig.cfg.replay_ignore = &ignore;
	rig_open();
	return 0;
}

/* The last frame: whether it was ignored, or came up. */
static bool was_ignored(void)
{
	const uint64_t n = rig_stats().outcomes[DP_OUTCOME_IGNORED];
	const bool is_ignored = n != n_ignored;

	n_ignored = n;
	assert_int_equal(rig_take_all(), is_ignored ? 0 : 1);
	return is_ignored;
}

/* inner: 0: one tag. */
static bool is_tag_ignored(uint16_t outer, uint16_t inner)
{
	struct frame f;

	frame_put(frame_new(&f), "somebody", 8);
	frame_udp(&f, 50000, 443);
	frame_ipv4(&f, IPPROTO_UDP, "10.0.0.7", "198.51.100.1");
	if (inner != 0)
		frame_tag(&f, IPV4, inner);
	frame_tag(&f, inner != 0 ? VLAN : IPV4, outer);
	frame_ethernet(&f, inner != 0 ? QINQ : VLAN);
	rig_send(&f);
	return was_ignored();
}

static void a_listed_vlan_is_at_any_depth(void **)
{
	assert_true(is_tag_ignored(100, 0));
	assert_true(is_tag_ignored(4094, 0));
	assert_true(is_tag_ignored(100 | 7 << 13, 0)); // priority is none of the id
	assert_true(is_tag_ignored(100, 5));
	assert_true(is_tag_ignored(5, 100));
	assert_false(is_tag_ignored(101, 0));
	assert_false(is_tag_ignored(36, 0)); // the same bit of another word
	assert_false(is_tag_ignored(5, 6));
	rig_check_ledger(3);
}

static void a_listed_vlan_s_frames_need_no_packet(void **)
{
	struct frame f;

	for (uint16_t vid = 100; vid <= 101; vid++) {
		frame_put(frame_new(&f), "whoever has 10.0.0.7 may tell.", 30);
		frame_tag(&f, ARP, vid);
		frame_ethernet(&f, VLAN);
		rig_send(&f);
	}
	assert_int_equal(rig_take_all(), 0);
	assert_int_equal(rig_stats().outcomes[DP_OUTCOME_IGNORED], 1);
	rig_check_ledger(0);
}

static bool is_pair_ignored(const char *src, const char *dst)
{
	struct frame f;

	rig_udp(&f, src, 50000, dst, 443, 100);
	rig_send(&f);
	return was_ignored();
}

static void a_listed_network_is_of_either_end(void **)
{
	struct dp_offload_counts c;

	assert_true(is_pair_ignored("10.0.0.7", "203.0.113.9"));
	assert_true(is_pair_ignored("203.0.113.9", "10.0.0.7"));
	assert_true(is_pair_ignored("2001:db8:7788::1", "2001:db8:1:2::3"));
	assert_int_equal(seam_look(IPPROTO_UDP, 0, &c), -ENOENT); // no flow began
	assert_false(is_pair_ignored("10.0.0.7", "203.0.114.9"));
	assert_false(is_pair_ignored("2001:db8:7788::1", "2001:db8:2::3"));
	assert_int_equal(rig_stats().packets, 0);
	rig_check_ledger(2);
}

/* Whom it is credited to is known in user space. */
static void a_fragment_from_there_comes_up(void **)
{
	struct frame f;

	frame_put(frame_new(&f), "part of a datagram......", 24);
	frame_udp(&f, 50000, 443);
	frame_ipv4_with(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9", MORE_FRAGMENTS, 0);
	frame_ethernet(&f, IPV4);
	rig_send(&f);
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.up.last.handed, DP_HANDED_PLAIN);
	assert_int_equal(rig_stats().outcomes[DP_OUTCOME_IGNORED], 0);
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup_ignoring, rig_teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(a_listed_vlan_is_at_any_depth),
		FLOW_TEST(a_listed_vlan_s_frames_need_no_packet),
		FLOW_TEST(a_listed_network_is_of_either_end),
		FLOW_TEST(a_fragment_from_there_comes_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
