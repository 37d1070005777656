// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ignore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame_tunnel.h"

#include <netinet/in.h>

static struct dp_walk walk(struct frame *f)
{
	struct dp_walk w;

	(void)dp_walk(frame_bytes(f), frame_len(f), frame_len(f), DP_LINK_ETHERNET, &w);
	return w;
}

static struct dp_walk tagged(uint16_t inner, uint16_t outer)
{
	static struct frame f;

	frame_put(frame_new(&f), "hello", 5);
	frame_udp(&f, 50000, 53);
	frame_ipv4(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9");
	frame_tag(&f, 0x0800, inner);
	frame_tag(&f, 0x8100, outer);
	frame_ethernet(&f, 0x88a8);
	return walk(&f);
}

static void put_net(struct dp_ignore *ignore, const char *prefix)
{
	assert_int_equal(dp_prefix_parse(prefix, &ignore->nets[ignore->n_nets++]), 0);
}

/* By the frame's tags, or by the addresses of its innermost packet. */
static bool is_ignored(const struct dp_ignore *ignore, const struct dp_walk *w)
{
	return dp_ignore_has_vlan(ignore, &w->vlans) ||
		(w->n_ip > 0 && dp_ignore_has_addr(ignore, &w->ip.src, &w->ip.dst));
}

static void nothing_is_ignored_unless_listed(void **)
{
	static const struct dp_ignore nothing;
	const struct dp_walk w = tagged(0, 4095);

	assert_false(is_ignored(&nothing, &w));
}

static void a_frame_with_a_listed_vlan_is_ignored(void **)
{
	static const uint16_t ids[] = {0, 1, 63, 64, 4094, 4095};

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		struct dp_ignore ignore = {0};

		dp_ignore_vlan(&ignore, ids[i]);
		for (uint32_t id = 0; id < DP_VLAN_IDS; id++) {
			const struct dp_walk outer = tagged(100, (uint16_t)id);
			const struct dp_walk inner = tagged((uint16_t)id, 100);

			assert_int_equal(is_ignored(&ignore, &outer), id == ids[i]);
			assert_int_equal(is_ignored(&ignore, &inner), id == ids[i]);
		}
	}
}

static void a_vlan_is_ignored_with_whatever_it_holds(void **)
{
	struct dp_ignore ignore = {0};
	struct dp_walk w;
	struct frame f;

	frame_put(frame_new(&f), "arp", 3);
	frame_tag(&f, 0x0806, 7);
	frame_ethernet(&f, 0x8100);
	w = walk(&f);
	assert_int_equal(w.n_ip, 0);
	dp_ignore_vlan(&ignore, 8);
	assert_false(is_ignored(&ignore, &w));
	dp_ignore_vlan(&ignore, 7);
	assert_true(is_ignored(&ignore, &w));
}

/* Whoever writes a tunnel's header in front of a tag must not take his packet out of the count. */
static void a_tag_in_what_is_not_opened_is_none_of_the_frames(void **)
{
	for (uint16_t id = 7; id <= 9; id++) {
		struct dp_ignore ignore = {0};
		struct dp_walk w;
		struct frame f;

		frame_put(frame_new(&f), "no packet", 9);
		frame_tag(&f, 0x0800, 8);
		frame_ethernet(&f, 0x8100);
		frame_vxlan(&f, 1);
		frame_udp(&f, 50000, 4789);
		frame_ipv4(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9");
		frame_tag(&f, 0x0800, 7);
		frame_ethernet(&f, 0x8100);
		w = walk(&f);
		assert_int_equal(w.n_ip, 1);
		dp_ignore_vlan(&ignore, id);
		assert_int_equal(dp_ignore_has_vlan(&ignore, &w.vlans), id == 7);
	}
}

static void either_address_of_the_innermost_packet_counts(void **)
{
	static const struct {
		const char *prefix;
		bool is_ignored;
	} nets[] = {
		{"10.0.0.7", true},
		{"203.0.113.0/24", true},
		{"10.0.0.6", false},
		{"192.0.2.0/24", false}, // the tunnel's
		{"2001:db8::/32", false},
	};
	struct dp_walk w;
	struct frame f;

	frame_put(frame_new(&f), "hello", 5);
	frame_udp(&f, 50000, 53);
	frame_ipv4(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9");
	frame_gtpu(&f, 1, 0);
	frame_udp(&f, 2152, 2152);
	frame_ipv4(&f, IPPROTO_UDP, "192.0.2.1", "192.0.2.2");
	frame_ethernet(&f, 0x0800);
	w = walk(&f);
	for (size_t i = 0; i < sizeof(nets) / sizeof(*nets); i++) {
		struct dp_ignore ignore = {0};

		put_net(&ignore, "198.51.100.0/24");
		put_net(&ignore, nets[i].prefix);
		assert_int_equal(is_ignored(&ignore, &w), nets[i].is_ignored);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_ignored_unless_listed),
		cmocka_unit_test(a_frame_with_a_listed_vlan_is_ignored),
		cmocka_unit_test(a_vlan_is_ignored_with_whatever_it_holds),
		cmocka_unit_test(a_tag_in_what_is_not_opened_is_none_of_the_frames),
		cmocka_unit_test(either_address_of_the_innermost_packet_counts),
	};

	return cmocka_run_group_tests_name("ignore", tests, NULL, NULL);
}
