// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame_l2.h"

enum { MPLS = 0x8847, MULTICAST = 0x8848 };

static const uint32_t OPEN = WALK_ENCAP(MPLS), WIRE = WALK_ENCAP(MPLS) | WALK_ENCAP(PSEUDOWIRE);

static void labels(struct frame *f, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		frame_label(f, 1000 + i, i == 0);
	frame_ethernet(f, MPLS);
}

static void up_to_eight_labels_are_passed(void **)
{
	struct frame f;

	for (unsigned int n = 1; n <= DP_WALK_LABELS_MAX; n++) {
		l2_ipv4(&f);
		labels(&f, n);
		l2_found(&f, DP_LINK_ETHERNET, false, OPEN);
		l2_ipv6(&f);
		labels(&f, n);
		l2_found(&f, DP_LINK_ETHERNET, true, OPEN);
	}
	l2_ipv4(&f);
	labels(&f, DP_WALK_LABELS_MAX + 1);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_TOO_DEEP, "mpls too_deep");
}

static void multicast_labels_and_labels_behind_tags_are_passed(void **)
{
	struct frame f;

	l2_ipv4(&f);
	frame_label(&f, 16, true);
	frame_tag(&f, MULTICAST, 7);
	frame_ethernet(&f, 0x8100);
	l2_found(&f, DP_LINK_ETHERNET, false, OPEN | WALK_ENCAP(VLAN));
}

static void an_explicit_null_says_the_version(void **)
{
	struct frame f;

	l2_ipv4(&f);
	frame_label(&f, 0, true);
	frame_ethernet(&f, MPLS);
	l2_found(&f, DP_LINK_ETHERNET, false, OPEN);
	l2_ipv6(&f);
	frame_label(&f, 2, true);
	frame_ethernet(&f, MPLS);
	l2_found(&f, DP_LINK_ETHERNET, true, OPEN);
	l2_ipv6(&f);
	frame_label(&f, 0, true);
	frame_ethernet(&f, MPLS);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_MALFORMED, "mpls malformed");
}

static void entropy_and_router_alert_labels_are_labels(void **)
{
	struct frame f;

	l2_ipv4(&f);
	frame_label(&f, 0xabcde, true); // RFC 6790: the entropy label
	frame_label(&f, 7, false); // its indicator
	frame_label(&f, 1, false);
	frame_ethernet(&f, MPLS);
	l2_found(&f, DP_LINK_ETHERNET, false, OPEN);
}

static void signalling_under_labels_is_no_user_data(void **)
{
	static const uint8_t channel[4] = {0x10, 0, 0, 7}; // RFC 4385 5
	static const uint32_t alerts[] = {13, 14};
	struct frame f;

	frame_put(frame_new(&f), "hello", 5);
	frame_put(&f, channel, sizeof(channel));
	labels(&f, 1);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_NOT_IP, "pseudowire not_user_data");
	for (unsigned int i = 0; i < 2; i++) {
		frame_put(frame_new(&f), "hello", 5);
		frame_put(&f, channel, sizeof(channel));
		frame_label(&f, alerts[i], true);
		labels(&f, 0);
		l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_NOT_IP, "mpls not_user_data");
	}
}

static void a_control_word_leads_to_ethernet(void **)
{
	struct frame f;
	uint8_t word[4] = {0};

	for (int sequence = 0; sequence < 2; sequence++) {
		word[3] = (uint8_t)sequence;
		l2_ipv4(&f);
		frame_ethernet(&f, 0x0800);
		l2_append(&f, 13); // up to 60 bytes
		frame_put(&f, word, sizeof(word));
		labels(&f, 2);
		l2_found(&f, DP_LINK_ETHERNET, false, WIRE);
		l2_ipv6(&f);
		frame_tag(&f, 0x86dd, 5);
		frame_ethernet(&f, 0x8100);
		frame_put(&f, word, sizeof(word));
		labels(&f, 1);
		l2_found(&f, DP_LINK_ETHERNET, true, WIRE | WALK_ENCAP(VLAN));
	}
}

static void a_fragment_of_a_frame_is_not_opened(void **)
{
	static const uint8_t word[4] = {0, 0x40};
	struct frame f;

	l2_ipv4(&f);
	frame_ethernet(&f, 0x0800);
	frame_put(&f, word, sizeof(word));
	labels(&f, 1);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_UNSUPPORTED, "pseudowire unsupported");
}

/* Without a control word, a destination may begin like one, or like an IP packet. */
static void ethernet_is_found_whatever_its_first_bytes_are(void **)
{
	for (unsigned int first = 0; first < 256; first++) {
		static const uint8_t seconds[] = {0x00, 0x1b, 0xff};

		for (unsigned int i = 0; i < sizeof(seconds); i++) {
			const struct walk_want v4 = l2_want(false, WIRE), v6 = l2_want(true, WIRE);
			struct frame f;

			l2_ipv4(&f);
			frame_ethernet_to(&f, (uint8_t)first, seconds[i], 0x0800);
			labels(&f, 1);
			walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &v4);
			l2_ipv6(&f);
			frame_ethernet_to(&f, (uint8_t)first, seconds[i], 0x86dd);
			labels(&f, 1);
			walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &v6);
		}
	}
}

static void every_way_ethernet_lies_under_a_label_is_survived_cut_and_damaged(void **)
{
	static const uint8_t firsts[] = {0x00, 0x02, 0x10, 0x46, 0x60, 0xfe};
	struct frame f;

	for (unsigned int i = 0; i < sizeof(firsts); i++) {
		l2_ipv4(&f);
		frame_ethernet_to(&f, firsts[i], 0x1b, 0x0800);
		labels(&f, 1);
		l2_found(&f, DP_LINK_ETHERNET, false, WIRE);
	}
}

static void other_frames_in_a_pseudowire_say_what_they_are(void **)
{
	static const struct {
		uint16_t type;
		enum dp_outcome outcome;
		const char *refusal;
	} rows[] = {{0x0806, DP_OUTCOME_NOT_IP, "pseudowire not_ip"},
		{0x88cc, DP_OUTCOME_NOT_IP, "pseudowire not_ip"},
		{0x8863, DP_OUTCOME_NOT_IP, "pppoe not_user_data"},
		{38, DP_OUTCOME_NOT_IP, "llc not_ip"}};
	static const uint8_t word[4] = {0}, bpdu[38] = {0x42, 0x42, 0x03};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int has_word = 0; has_word < 2; has_word++) {
			struct frame f;

			frame_put(frame_new(&f), bpdu, sizeof(bpdu));
			frame_ethernet(&f, rows[i].type);
			frame_bytes(&f)[0] = 0x20; // no nibble that means something
			if (has_word)
				frame_put(&f, word, sizeof(word));
			labels(&f, 1);
			l2_none(&f, DP_LINK_ETHERNET, rows[i].outcome, rows[i].refusal);
		}
	}
}

static void labels_and_sessions_in_a_pseudowire_are_opened(void **)
{
	static const uint8_t word[4] = {0};
	struct frame f;

	for (int has_word = 0; has_word < 2; has_word++) {
		l2_ipv4(&f);
		frame_ppp(&f, 0x0021, false);
		frame_pppoe(&f, 0);
		frame_ethernet(&f, 0x8864);
		if (has_word)
			frame_put(&f, word, sizeof(word));
		labels(&f, 1);
		l2_found(&f, DP_LINK_ETHERNET, false, WIRE | WALK_ENCAP(PPPOE) | WALK_ENCAP(PPP));
		l2_ipv6(&f);
		frame_label(&f, 99, true);
		frame_ethernet(&f, MPLS);
		if (has_word)
			frame_put(&f, word, sizeof(word));
		labels(&f, 1);
		l2_found(&f, DP_LINK_ETHERNET, true, WIRE);
	}
}

/* Here the addresses are what an Ethernet header and a packet in it need. */
static void a_sound_ipv4_packet_is_never_taken_for_ethernet(void **)
{
	struct walk_want want = {.src = "8.0.69.0", .dst = "0.20.0.0", .encaps = OPEN, .n_ip = 1};
	struct frame f;
	uint8_t *p;

	frame_put(frame_new(&f), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 14);
	frame_ipv4(&f, 253, want.src, want.dst);
	l2_checksum(frame_bytes(&f) + 14); // the packet in the Ethernet header is sound
	l2_checksum(frame_bytes(&f)); // and this one
	labels(&f, 1);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &want);

	// The same bytes with another checksum in front are Ethernet, and only then.
	p = frame_bytes(&f) + 18;
	p[10] ^= 0xff;
	want = (struct walk_want){.encaps = WIRE, .n_ip = 1};
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &want);
}

static void a_packet_with_a_wrong_checksum_is_one_where_no_ethernet_is(void **)
{
	struct frame f;

	frame_set16(l2_ipv4(&f) + 10, 0);
	labels(&f, 1);
	l2_found(&f, DP_LINK_ETHERNET, false, OPEN);
	frame_set16(l2_ipv4(&f) + 2, 19); // shorter than its header
	labels(&f, 1);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_MALFORMED, "mpls malformed");
	l2_ipv6(&f);
	l2_append(&f, 40); // what a mirror appends
	labels(&f, 1);
	l2_found(&f, DP_LINK_ETHERNET, true, OPEN);
}

static void labels_that_end_in_the_stack_are_cut(void **)
{
	struct frame f;

	frame_new(&f);
	frame_label(&f, 16, false);
	frame_ethernet(&f, MPLS);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_TRUNCATED, "mpls truncated");
	frame_new(&f);
	labels(&f, 1);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_TRUNCATED, "mpls truncated");
	frame_put(frame_new(&f), "\0\0\0", 3);
	labels(&f, 1);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_TRUNCATED, "pseudowire truncated");
	frame_put(frame_new(&f), "\0\0\0\0\2\0\0\0\0\1\2", 11);
	labels(&f, 1);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_TRUNCATED, "pseudowire truncated");
}

static void two_directions_may_have_different_labels(void **)
{
	struct frame there, back;

	l2_ipv4(&there);
	labels(&there, 1);
	frame_put(frame_new(&back), "hello", 5);
	frame_udp(&back, 53, 50000);
	frame_ipv4(&back, IPPROTO_UDP, "203.0.113.9", "10.0.0.7");
	frame_label(&back, 77, true);
	frame_label(&back, 7, false);
	labels(&back, 0);
	walk_check_one_flow(frame_bytes(&there), frame_len(&there), frame_bytes(&back),
		frame_len(&back), DP_LINK_ETHERNET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_to_eight_labels_are_passed),
		cmocka_unit_test(multicast_labels_and_labels_behind_tags_are_passed),
		cmocka_unit_test(an_explicit_null_says_the_version),
		cmocka_unit_test(entropy_and_router_alert_labels_are_labels),
		cmocka_unit_test(signalling_under_labels_is_no_user_data),
		cmocka_unit_test(a_control_word_leads_to_ethernet),
		cmocka_unit_test(a_fragment_of_a_frame_is_not_opened),
		cmocka_unit_test(ethernet_is_found_whatever_its_first_bytes_are),
		cmocka_unit_test(every_way_ethernet_lies_under_a_label_is_survived_cut_and_damaged),
		cmocka_unit_test(other_frames_in_a_pseudowire_say_what_they_are),
		cmocka_unit_test(labels_and_sessions_in_a_pseudowire_are_opened),
		cmocka_unit_test(a_sound_ipv4_packet_is_never_taken_for_ethernet),
		cmocka_unit_test(a_packet_with_a_wrong_checksum_is_one_where_no_ethernet_is),
		cmocka_unit_test(labels_that_end_in_the_stack_are_cut),
		cmocka_unit_test(two_directions_may_have_different_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
