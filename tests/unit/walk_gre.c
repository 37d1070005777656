// SPDX-License-Identifier: BSD-3-Clause
/* GRE and ERSPAN that stay closed, and why. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/tunnel_closed.h"
#include "tests/unit/walk_check.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void gre_is_opened_around_ip_ethernet_and_labels_only(void **)
{
	static const struct tunnel_change rows[] = {
		{"GRE", 2, "\x00\x00", 2, "gre not_user_data"}, // keepalive
		{"GRE", 2, "\x88\x3e", 2, "gre unsupported"}, // WCCP
		{"GRE", 2, "\x89\x09", 2, "gre unsupported"}, // Cisco metadata
		{"GRE", 2, "\x08\x06", 2, "gre not_ip"}, // ARP
		{"GRE", 2, "\x20\x00", 2, "gre not_ip"}, // CDP
		{"GRE", 2, "\x20\x01", 2, "gre not_ip"}, // NHRP
		{"GRE", 2, "\x00\xfe", 2, "gre not_ip"}, // OSI
		{"GRE", 2, "\x81\x00", 2, "gre not_ip"}, // a tag without Ethernet
		{"GRE with Ethernet", 8 + 12, "\x08\x06", 2, "gre not_ip"},
		{"NVGRE with a tag", 8 + 12 + 4, "\x08\x06", 2, "vlan not_ip"},
	};

	tunnel_check_changes(rows, LENGTH(rows));
}

static void gre_must_be_of_a_known_form_around_a_sound_packet(void **)
{
	static const struct tunnel_change rows[] = {
		{"GRE", 0, "\x40", 1, "gre unsupported"}, // routes
		{"GRE with all fields", 0, "\xf0", 1, "gre unsupported"},
		{"GRE", 1, "\x02", 1, "gre unsupported"}, // version
		{"GRE", 1, "\x07", 1, "gre unsupported"},
		{"GRE", 0, "\x0f\x78", 2, NULL}, // source route without routes, recursion, reserved
		{"GRE with all fields", 4, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12,
			NULL},
		{"GRE", 2, "\x86\xdd", 2, "gre malformed"}, // IPv4 inside
		{"GRE", 4, "\x44", 1, "gre malformed"}, // a header of 16 bytes
		{"GRE", 4, "\x4f", 1, "gre malformed"}, // one longer than the packet
		{"GRE", 4 + 2, "\x00\x13", 2, "gre malformed"}, // 19 bytes
	};

	tunnel_check_changes(rows, LENGTH(rows));
}

static void pptp_carries_ppp_in_sequence_and_nothing_else(void **)
{
	static const struct tunnel_change rows[] = {
		{"PPTP", 0, "\x20\x01", 2, "gre not_user_data"}, // nothing acknowledged
		{"PPTP", 0, "\x20\x81", 2, "gre not_user_data"}, // an acknowledgement
		{"PPTP", 4, "\x00\x00", 2, "gre not_user_data"}, // a sequence number alone
		{"PPTP", 2, "\x08\x00", 2, "gre unsupported"},
		{"PPTP", 0, "\x10", 1, "gre malformed"}, // no key
		{"PPTP", 0, "\xb0", 1, "gre malformed"}, // a checksum
		{"PPTP", 0, "\x70", 1, "gre malformed"}, // routes
		{"PPTP", 4, "\x00\x26", 2, "gre malformed"}, // a byte more than there is
		{"PPTP", 4, "\x00\x17", 2, "ppp malformed"}, // it ends in the packet's header
		{"PPTP", 6, "\xff\xff\xff\xff\xff\xff", 6, NULL}, // call and sequence
		{"PPTP", 12 + 2, "\xc0\x21", 2, "ppp not_user_data"}, // LCP
		{"PPTP", 12 + 2, "\x00\xfd", 2, "ppp unsupported"}, // encrypted
		{"GRE with PPP", 8, "\xc0\x21", 2, "ppp not_user_data"},
		{"GRE with labels", 4 + 4, "\x00\x00\xd1\x40", 4, "mpls not_user_data"},
	};

	tunnel_check_changes(rows, LENGTH(rows));
}

static void erspan_must_be_of_a_known_version_and_frame_type(void **)
{
	static const struct tunnel_change rows[] = {
		{"ERSPAN I", 4 + 12, "\x08\x06", 2, "erspan not_ip"},
		{"ERSPAN II with a tag", 8, "\x20", 1, "erspan unsupported"}, // III
		{"ERSPAN II with a tag", 8, "\x00", 1, "erspan unsupported"},
		{"ERSPAN II with a tag", 9, "\xff\xff\xff\xff\xff\xff\xff", 7, NULL},
		{"ERSPAN III", 8, "\x10", 1, "erspan unsupported"}, // II
		{"ERSPAN III", 8 + 10, "\x84", 1, "erspan unsupported"}, // frame type 1
		{"ERSPAN III", 8 + 10, "\x88", 1, "erspan not_ip"}, // IP, with Ethernet there
		{"ERSPAN III", 8 + 10, "\x03\xfe", 2, NULL}, // without a subheader
		{"ERSPAN III", 9, "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, NULL},
		{"ERSPAN III with IP", 4 + 20, "\x44", 1, "erspan malformed"},
	};

	tunnel_check_changes(rows, LENGTH(rows));
}

static void a_header_that_does_not_fit_is_malformed(void **)
{
	tunnel_check_short("GRE", 4 + 20, "gre malformed");
	tunnel_check_short("GRE with all fields", 16 + 20, "gre malformed");
	tunnel_check_short("PPTP", 12, "gre malformed");
	tunnel_check_short("GRE with Ethernet", 8 + 14 + 20, "gre malformed");
	tunnel_check_short("IPv4 in IPv4", 20, "ipip malformed");
	tunnel_check_short("IPv6 in IPv4", 40, "6in4 malformed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			gre_is_opened_around_ip_ethernet_and_labels_only, walk_check_teardown),
		cmocka_unit_test_teardown(
			gre_must_be_of_a_known_form_around_a_sound_packet, walk_check_teardown),
		cmocka_unit_test_teardown(
			pptp_carries_ppp_in_sequence_and_nothing_else, walk_check_teardown),
		cmocka_unit_test_teardown(
			erspan_must_be_of_a_known_version_and_frame_type, walk_check_teardown),
		cmocka_unit_test_teardown(
			a_header_that_does_not_fit_is_malformed, walk_check_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
