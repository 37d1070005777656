// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame_l2.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { SESSION = 0x8864, DISCOVERY = 0x8863, IPV4 = 0x0021, IPV6 = 0x0057 };

static const uint32_t PPP = WALK_ENCAP(PPP), PPPOE = WALK_ENCAP(PPPOE) | WALK_ENCAP(PPP);

static void ip_is_found_behind_every_form_of_the_header(void **)
{
	static const enum dp_link links[] = {DP_LINK_PPP, DP_LINK_PPP_HDLC};

	for (unsigned int i = 0; i < 8 * LENGTH(links); i++) {
		const bool is_v6 = (i & 1) != 0;
		struct frame f;

		(void)(is_v6 ? l2_ipv6(&f) : l2_ipv4(&f));
		frame_ppp(&f, is_v6 ? IPV6 : IPV4, (i & 2) != 0);
		if ((i & 4) != 0)
			frame_hdlc(&f);
		l2_found(&f, links[i / 8], is_v6, PPP);
	}
}

static void labels_are_found_in_ppp(void **)
{
	struct frame f;

	for (uint16_t protocol = 0x0281; protocol <= 0x0283; protocol += 2) {
		l2_ipv4(&f);
		frame_label(&f, 16, true);
		frame_label(&f, 17, false);
		frame_ppp(&f, protocol, false);
		frame_hdlc(&f);
		l2_found(&f, DP_LINK_PPP, false, PPP | WALK_ENCAP(MPLS));
	}
}

static void other_protocols_say_why_they_are_not_opened(void **)
{
	static const struct {
		uint16_t protocol;
		enum dp_outcome outcome;
		const char *refusal;
	} rows[] = {{0xc021, DP_OUTCOME_NOT_IP, "ppp not_user_data"}, // LCP
		{0xc023, DP_OUTCOME_NOT_IP, "ppp not_user_data"}, // PAP
		{0xc223, DP_OUTCOME_NOT_IP, "ppp not_user_data"}, // CHAP
		{0x8021, DP_OUTCOME_NOT_IP, "ppp not_user_data"}, // IPCP
		{0x8057, DP_OUTCOME_NOT_IP, "ppp not_user_data"}, // IPV6CP
		{0x002b, DP_OUTCOME_NOT_IP, "ppp not_ip"}, // IPX
		{0x4021, DP_OUTCOME_NOT_IP, "ppp not_ip"},
		{0x002d, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"}, // Van Jacobson
		{0x002f, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"},
		{0x0031, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"}, // bridged
		{0x003d, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"}, // multilink
		{0x0053, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"}, // encrypted
		{0x00fd, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"}, // compressed
		{0x0061, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"}, // header compression
		{0x2067, DP_OUTCOME_UNSUPPORTED, "ppp unsupported"},
		{0x0020, DP_OUTCOME_MALFORMED, "ppp malformed"}, // even
		{0x0800, DP_OUTCOME_MALFORMED, "ppp malformed"}};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct frame f;

		l2_ipv4(&f);
		frame_ppp(&f, rows[i].protocol, false);
		l2_none(&f, DP_LINK_PPP, rows[i].outcome, rows[i].refusal);
		frame_pppoe(&f, 0);
		l2_none(&f, DP_LINK_PPPOE, rows[i].outcome, rows[i].refusal);
	}
}

static void an_ip_packet_that_is_none_closes_ppp(void **)
{
	struct frame f;

	l2_ipv4(&f);
	frame_ppp(&f, IPV6, false);
	l2_none(&f, DP_LINK_PPP, DP_OUTCOME_TRUNCATED, "ppp truncated"); // 33 bytes of 40
	l2_ipv6(&f);
	frame_ppp(&f, IPV4, false);
	l2_none(&f, DP_LINK_PPP, DP_OUTCOME_MALFORMED, "ppp malformed");
	frame_ppp(frame_new(&f), IPV4, false);
	l2_none(&f, DP_LINK_PPP, DP_OUTCOME_TRUNCATED, "ppp truncated");
	frame_hdlc(frame_new(&f));
	l2_none(&f, DP_LINK_PPP, DP_OUTCOME_TRUNCATED, "ppp truncated");
	l2_none(frame_new(&f), DP_LINK_PPP, DP_OUTCOME_TRUNCATED, "ppp truncated");
}

static void a_session_is_opened_in_every_form(void **)
{
	for (unsigned int i = 0; i < 8; i++) {
		const bool is_v6 = (i & 1) != 0;
		struct frame f;

		(void)(is_v6 ? l2_ipv6(&f) : l2_ipv4(&f));
		frame_ppp(&f, is_v6 ? IPV6 : IPV4, (i & 2) != 0);
		if ((i & 4) != 0)
			frame_hdlc(&f);
		frame_pppoe(&f, 0);
		l2_found(&f, DP_LINK_PPPOE, is_v6, PPPOE);
		frame_tag(&f, SESSION, 100);
		frame_ethernet(&f, 0x8100);
		l2_found(&f, DP_LINK_ETHERNET, is_v6, PPPOE | WALK_ENCAP(VLAN));
	}
}

/* A super-frame has no length of its own: the session's is what bounds it. */
static void what_stands_behind_a_session_is_no_part_of_it(void **)
{
	const struct walk_want want = l2_want(false, PPPOE);
	struct frame f;

	frame_set16(l2_ipv4(&f) + 2, 0);
	frame_ppp(&f, IPV4, false);
	frame_pppoe(&f, 0);
	l2_append(&f, 20);
	frame_ethernet(&f, SESSION);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &want);
}

static void a_session_longer_than_its_frame_credits_what_the_frame_holds(void **)
{
	struct walk_want want = l2_want(false, PPPOE);
	struct frame f;

	frame_set16(l2_ipv4(&f) + 2, 1400);
	frame_ppp(&f, IPV4, false);
	frame_set16(frame_pppoe(&f, 0) + 4, 1402);
	frame_ethernet(&f, SESSION);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &want);
}

static void what_is_no_session_data_says_so(void **)
{
	struct frame f;

	l2_ipv4(&f);
	frame_ppp(&f, IPV4, false);
	frame_pppoe(&f, 0);
	frame_ethernet(&f, DISCOVERY);
	l2_none(&f, DP_LINK_ETHERNET, DP_OUTCOME_NOT_IP, "pppoe not_user_data");
	l2_ipv4(&f);
	frame_ppp(&f, IPV4, false);
	frame_pppoe(&f, 0x65); // a session confirmed
	l2_none(&f, DP_LINK_PPPOE, DP_OUTCOME_NOT_IP, "pppoe not_user_data");
	l2_ipv4(&f);
	frame_ppp(&f, IPV4, false);
	frame_pppoe(&f, 0)[0] = 0x21;
	l2_none(&f, DP_LINK_PPPOE, DP_OUTCOME_UNSUPPORTED, "pppoe unsupported");
	l2_ipv4(&f);
	frame_ppp(&f, IPV4, false);
	frame_set16(frame_pppoe(&f, 0) + 4, 1);
	l2_none(&f, DP_LINK_PPPOE, DP_OUTCOME_TRUNCATED, "ppp truncated");
	frame_put(frame_new(&f), "\x11\0\0\1\0", 5);
	l2_none(&f, DP_LINK_PPPOE, DP_OUTCOME_TRUNCATED, "pppoe truncated");
}

static void cisco_hdlc_is_told_by_its_first_byte(void **)
{
	static const enum dp_link links[] = {DP_LINK_PPP, DP_LINK_PPP_HDLC, DP_LINK_CHDLC};
	struct frame f;

	for (unsigned int i = 0; i < 2 * LENGTH(links); i++) {
		const uint8_t address = i % 2 == 0 ? 0x0f : 0x8f;

		l2_ipv4(&f);
		frame_chdlc(&f, address, 0x0800);
		l2_found(&f, links[i / 2], false, 0);
		l2_ipv6(&f);
		frame_chdlc(&f, address, 0x86dd);
		l2_found(&f, links[i / 2], true, 0);
		l2_ipv4(&f);
		frame_label(&f, 16, true);
		frame_chdlc(&f, address, 0x8847);
		l2_found(&f, links[i / 2], false, WALK_ENCAP(MPLS));
		l2_ipv4(&f);
		frame_chdlc(&f, address, 0x8035); // SLARP
		l2_none(&f, links[i / 2], DP_OUTCOME_NOT_IP, NULL);
		frame_put(frame_new(&f), "\x0f\0\x08", 3);
		l2_none(&f, links[i / 2], DP_OUTCOME_TRUNCATED, NULL);
	}
}

static void two_directions_may_have_different_sessions(void **)
{
	struct frame there, back;

	l2_ipv4(&there);
	frame_ppp(&there, IPV4, false);
	frame_pppoe(&there, 0);
	frame_tag(&there, SESSION, 100);
	frame_ethernet(&there, 0x8100);
	frame_put(frame_new(&back), "hello", 5);
	frame_udp(&back, 53, 50000);
	frame_ipv4(&back, IPPROTO_UDP, "203.0.113.9", "10.0.0.7");
	frame_ppp(&back, IPV4, true);
	frame_pppoe(&back, 0)[3] = 43;
	frame_ethernet(&back, SESSION);
	walk_check_one_flow(frame_bytes(&there), frame_len(&there), frame_bytes(&back),
		frame_len(&back), DP_LINK_ETHERNET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_is_found_behind_every_form_of_the_header),
		cmocka_unit_test(labels_are_found_in_ppp),
		cmocka_unit_test(other_protocols_say_why_they_are_not_opened),
		cmocka_unit_test(an_ip_packet_that_is_none_closes_ppp),
		cmocka_unit_test(a_session_is_opened_in_every_form),
		cmocka_unit_test(what_stands_behind_a_session_is_no_part_of_it),
		cmocka_unit_test(a_session_longer_than_its_frame_credits_what_the_frame_holds),
		cmocka_unit_test(what_is_no_session_data_says_so),
		cmocka_unit_test(cisco_hdlc_is_told_by_its_first_byte),
		cmocka_unit_test(two_directions_may_have_different_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
