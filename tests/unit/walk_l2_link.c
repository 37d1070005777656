// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame_l2.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t LLC = WALK_ENCAP(LLC), VLAN = WALK_ENCAP(VLAN);

/* IEEE 802.3 with the length of what is there. */
static void ieee_802_3(struct frame *f)
{
	frame_ethernet(f, (uint16_t)frame_len(f));
}

static void snap_names_an_ethertype(void **)
{
	static const uint32_t ouis[] = {0x000000, 0x0000f8};

	for (size_t i = 0; i < LENGTH(ouis); i++) {
		struct frame f;

		l2_ipv4(&f);
		frame_snap(&f, ouis[i], 0x0800);
		ieee_802_3(&f);
		l2_found(&f, DP_LINK_ETHERNET, false, LLC);
		l2_ipv6(&f);
		frame_snap(&f, ouis[i], 0x86dd);
		ieee_802_3(&f);
		l2_found(&f, DP_LINK_ETHERNET, true, LLC);
		l2_ipv4(&f);
		frame_label(&f, 16, true);
		frame_snap(&f, ouis[i], 0x8847);
		ieee_802_3(&f);
		l2_found(&f, DP_LINK_ETHERNET, false, LLC | WALK_ENCAP(MPLS));
	}
}

static void a_length_may_follow_tags_and_tags_snap(void **)
{
	struct frame f;

	l2_ipv4(&f);
	frame_snap(&f, 0, 0x0800);
	frame_tag(&f, (uint16_t)frame_len(&f), 7);
	frame_ethernet(&f, 0x8100);
	l2_found(&f, DP_LINK_ETHERNET, false, LLC | VLAN);
	l2_ipv4(&f);
	frame_tag(&f, 0x0800, 7);
	frame_snap(&f, 0, 0x8100);
	ieee_802_3(&f);
	l2_found(&f, DP_LINK_ETHERNET, false, LLC | VLAN);
}

/* A super-frame has no length of its own: the one of the frame is what bounds it. */
static void padding_behind_the_length_is_no_part_of_the_packet(void **)
{
	const struct walk_want want = l2_want(false, LLC);
	struct frame f;

	frame_set16(l2_ipv4(&f) + 2, 0);
	frame_snap(&f, 0, 0x0800);

	const uint16_t len = (uint16_t)frame_len(&f);

	l2_append(&f, 10);
	frame_ethernet(&f, len);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &want);
}

static void a_length_beyond_the_frame_credits_what_the_frame_holds(void **)
{
	const struct walk_want want = l2_want(false, LLC);
	struct frame f;

	frame_set16(l2_ipv4(&f) + 2, 1000);
	frame_snap(&f, 0, 0x0800);
	frame_ethernet(&f, 1008);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &want);
}

static void from_1501_on_it_is_a_type(void **)
{
	struct frame f;

	l2_ipv4(&f);
	frame_snap(&f, 0, 0x0800);
	frame_ethernet(&f, 1500);
	l2_found(&f, DP_LINK_ETHERNET, false, LLC);
	l2_ipv4(&f);
	frame_snap(&f, 0, 0x0800);
	frame_ethernet(&f, 1501);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_NOT_IP, NULL);
}

static void other_llc_frames_are_not_ip(void **)
{
	static const struct {
		const char *bytes;
		uint32_t n;
		enum dp_outcome outcome;
		const char *refusal;
	} rows[] = {
		{"\x42\x42\x03 spanning tree", 16, DP_OUTCOME_NOT_IP, "llc not_ip"},
		{"\xff\xff novell", 9, DP_OUTCOME_NOT_IP, "llc not_ip"},
		{"\xaa\xaa\x13\0\0\0\x08\0", 8, DP_OUTCOME_NOT_IP, "llc not_ip"},
		{"\xaa\xaa\x03\0\0\x0c\x20\0", 8, DP_OUTCOME_NOT_IP, "llc not_ip"}, // CDP
		{"\xaa\xaa\x03\0\0\0\x08\x06", 8, DP_OUTCOME_NOT_IP, "llc not_ip"}, // ARP
		{"\xaa\xaa\x03\0\0\0\x08\0", 8, DP_OUTCOME_TRUNCATED, "llc truncated"},
		{"\xaa\xaa\x03\0\0\0\x08", 7, DP_OUTCOME_TRUNCATED, "llc truncated"},
		{"\xaa\xaa", 2, DP_OUTCOME_TRUNCATED, "llc truncated"},
		{"", 0, DP_OUTCOME_TRUNCATED, "llc truncated"},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct frame f;

		frame_put(frame_new(&f), rows[i].bytes, rows[i].n);
		ieee_802_3(&f);
		l2_none(&f, DP_LINK_ETHERNET, rows[i].outcome, rows[i].refusal);
	}
}

static void cooked_frames_are_read_by_type_and_hardware(void **)
{
	struct frame f;

	for (int is_v2 = 0; is_v2 < 2; is_v2++) {
		void (*const cooked)(struct frame *, uint16_t) = is_v2 ? frame_sll2 : frame_sll;
		const enum dp_link link = is_v2 ? DP_LINK_SLL2 : DP_LINK_SLL;
		const uint32_t hardware_off = is_v2 ? 8 : 2;

		l2_ipv4(&f);
		frame_snap(&f, 0, 0x0800);
		cooked(&f, 4); // 802.2
		l2_found(&f, link, false, LLC);
		l2_ipv4(&f);
		frame_label(&f, 16, true);
		cooked(&f, 0x8847);
		l2_found(&f, link, false, WALK_ENCAP(MPLS));
		l2_ipv4(&f);
		cooked(&f, 1); // Novell
		l2_none(&f, link, DP_OUTCOME_NOT_IP, NULL);
		l2_ipv4(&f);
		cooked(&f, 0x0800);
		frame_set16(frame_bytes(&f) + hardware_off, 824); // netlink
		l2_none(&f, link, DP_OUTCOME_NOT_IP, NULL);
		frame_set16(frame_bytes(&f) + hardware_off, 770); // frame relay
		l2_none(&f, link, DP_OUTCOME_UNSUPPORTED, NULL);
		frame_set16(frame_bytes(&f) + hardware_off, 512); // PPP: IP all the same
		l2_found(&f, link, false, 0);
		l2_ipv4(&f);
		frame_snap(&f, 0, 0x0800);
		frame_wlan(&f, 0x88, 0x01);
		frame_radiotap(&f, true, 0, 0);
		cooked(&f, 0);
		frame_set16(frame_bytes(&f) + hardware_off, 803);
		l2_found(&f, link, false, WALK_ENCAP(WLAN) | LLC);
	}
}

static void a_loopback_frame_names_its_family_in_either_byte_order(void **)
{
	static const uint32_t families[] = {10, 23, 24, 28, 30};
	struct frame f;
	uint8_t h[4];

	for (int is_little = 0; is_little < 2; is_little++) {
		l2_ipv4(&f);
		frame_set32(h, is_little ? 2U << 24 : 2);
		frame_put(&f, h, sizeof(h));
		l2_found(&f, DP_LINK_NULL, false, 0);
		for (size_t i = 0; i < LENGTH(families); i++) {
			l2_ipv6(&f);
			frame_set32(h, is_little ? families[i] << 24 : families[i]);
			frame_put(&f, h, sizeof(h));
			l2_found(&f, DP_LINK_NULL, true, 0);
		}
		l2_ipv4(&f);
		frame_set32(h, is_little ? 7U << 24 : 7);
		frame_put(&f, h, sizeof(h));
		l2_none(&f, DP_LINK_NULL, DP_OUTCOME_NOT_IP, NULL);
		l2_ipv4(&f);
		frame_set32(h, is_little ? 30U << 24 : 30);
		frame_put(&f, h, sizeof(h));
		l2_none(&f, DP_LINK_NULL, DP_OUTCOME_TRUNCATED, NULL); // 33 bytes of 40
		frame_put(frame_new(&f), h, 3);
		l2_none(&f, DP_LINK_NULL, DP_OUTCOME_TRUNCATED, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snap_names_an_ethertype),
		cmocka_unit_test(a_length_may_follow_tags_and_tags_snap),
		cmocka_unit_test(padding_behind_the_length_is_no_part_of_the_packet),
		cmocka_unit_test(a_length_beyond_the_frame_credits_what_the_frame_holds),
		cmocka_unit_test(from_1501_on_it_is_a_type),
		cmocka_unit_test(other_llc_frames_are_not_ip),
		cmocka_unit_test(cooked_frames_are_read_by_type_and_hardware),
		cmocka_unit_test(a_loopback_frame_names_its_family_in_either_byte_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
