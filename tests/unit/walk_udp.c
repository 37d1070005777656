// SPDX-License-Identifier: BSD-3-Clause
/* Tunnels in UDP that stay closed, and why. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/tunnel_closed.h"
#include "tests/unit/walk_check.h"

#include <netinet/in.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void vxlan_needs_a_network_and_a_sound_frame(void **)
{
	static const struct tunnel_change rows[] = {
		{"VXLAN", 0, "\x00", 1, "vxlan malformed"},
		{"VXLAN", 0, "\xf7", 1, "vxlan malformed"},
		{"VXLAN", 0, "\xff\xff\xff\xff\xff\xff\xff\xff", 8,
			NULL}, // reserved bits, any network
		{"VXLAN", 8 + 12, "\x08\x06", 2, "vxlan not_ip"},
		{"VXLAN", 8 + 12, "\x86\xdd", 2, "vxlan malformed"},
		{"VXLAN", 8 + 14, "\x44", 1, "vxlan malformed"},
		{"VXLAN", 8 + 14 + 2, "\x00\x22", 2,
			"vxlan malformed"}, // a byte more than there is
	};

	tunnel_check_changes(rows, LENGTH(rows));
	tunnel_check_short("VXLAN", 8 + 14 + 20, "vxlan malformed");
}

static void geneve_is_opened_around_ip_ethernet_and_labels_only(void **)
{
	static const struct tunnel_change rows[] = {
		{"GENEVE", 0, "\x40", 1, "geneve unsupported"}, // version
		{"GENEVE", 0, "\xc0", 1, "geneve unsupported"},
		{"GENEVE", 1, "\x80", 1, "geneve not_user_data"}, // control
		{"GENEVE", 1, "\x7f", 1, NULL}, // critical options, reserved
		{"GENEVE", 0, "\x3f", 1, "geneve malformed"}, // more options than there is
		{"GENEVE", 0, "\x09", 1, "geneve malformed"},
		{"GENEVE", 0, "\x08", 1, "geneve malformed"}, // one byte left for IP
		{"GENEVE", 2, "\x08\x06", 2, "geneve not_ip"},
		{"GENEVE", 2, "\x00\x00", 2, "geneve not_ip"},
		{"GENEVE", 2, "\x86\xdd", 2, "geneve malformed"},
		{"GENEVE", 4, "\xff\xff\xff\xff", 4, NULL},
	};

	tunnel_check_changes(rows, LENGTH(rows));
	tunnel_check_short("GENEVE", 8 + 20, "geneve malformed");
	tunnel_check_short(
		"GENEVE with Ethernet, options", 8 + 63 * 4 + 14 + 20, "geneve malformed");
}

static void teredo_needs_ipv6_behind_its_indications(void **)
{
	static const struct tunnel_change rows[] = {
		{"Teredo", 0, "\x45", 1, "teredo malformed"}, // IPv4
		{"Teredo", 24 + 3, "\x01", 1, "teredo not_ip"}, // nobody is a client
		{"Teredo", 24, "\xfe\xc0", 2, "teredo not_ip"},
		{"Teredo", 0, "\x00\x02", 2, "teredo malformed"}, // no known indication
		{"Teredo with origin", 1, "\x01", 1, "teredo malformed"}, // authentication, longer
		{"Teredo with origin", 2, "\x12\x34\x56\x78\x9a\xbc", 6, NULL},
		{"Teredo with authentication", 2, "\xff\xff", 2, "teredo malformed"},
		{"Teredo with authentication", 2, "\x01", 1, "teredo not_ip"},
		{"Teredo with authentication", 4, "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x01", 9, NULL},
		{"Teredo with both", 13 + 23, "\x00\x01", 2,
			"teredo not_ip"}, // authentication twice
		{"Teredo with both", 13 + 23 + 8 + 5, "\x0e", 1, "teredo malformed"}, // too long
	};

	tunnel_check_changes(rows, LENGTH(rows));
	tunnel_check_short("Teredo", 40, "teredo malformed");
	tunnel_check_short("Teredo with both", 13 + 23 + 8 + 40, "teredo malformed");
}

/* RFC 4380 2.8: an IPv6 header and nothing behind it; 5.2.1: before it has an address of its own. */
static void a_teredo_bubble_of_a_new_client_is_an_ip_packet(void **)
{
	const struct walk_want want = {
		.src = "febf::1",
		.dst = "ff02::2",
		.proto = IPPROTO_NONE,
		.n_ip = 2,
		.ip_bytes = 40,
		.encaps = WALK_ENCAP(TEREDO),
	};
	struct frame f;

	frame_ipv6(frame_new(&f), IPPROTO_NONE, want.src, want.dst);
	tunnel_named("Teredo")->wrap(&f, 0);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_RAW_IP, &want);
}

static void l2tp_carries_ppp_in_data_messages_of_version_2(void **)
{
	static const struct tunnel_change rows[] = {
		{"L2TP", 0, "\xc8\x02", 2, "l2tp not_user_data"}, // control
		{"L2TP", 0, "\xc8\x03", 2, "l2tp not_user_data"}, // of version 3
		{"L2TP", 0, "\xc8\x01", 2, "l2tp unsupported"},
		{"L2TP", 1, "\x03", 1, "l2tp unsupported"}, // version
		{"L2TP", 1, "\x01", 1, "l2tp unsupported"}, // L2F
		{"L2TP", 0, "\x35\xf2", 2, NULL}, // reserved bits, priority
		{"L2TP", 2, "\xff\xff\xff\xff", 4, NULL}, // tunnel and session
		{"L2TP", 6 + 2, "\xc0\x21", 2, "ppp not_user_data"},
		{"L2TP", 6 + 2, "\x00\xfd", 2, "ppp unsupported"},
		{"L2TP", 6 + 4 + 2, "\x00\x22", 2, "ppp malformed"}, // a byte more than there is
		{"L2TP with all fields", 2, "\x00\x36", 2, "l2tp malformed"}, // so is the message
		{"L2TP with all fields", 2, "\x00\x34", 2, "ppp malformed"}, // it cuts the packet
		{"L2TP with all fields", 2, "\x00\x12", 2, "l2tp malformed"}, // and its own padding
		{"L2TP with all fields", 2, "\x00\x00", 2, "l2tp malformed"},
		{"L2TP with all fields", 12, "\xff\xff", 2, "l2tp malformed"}, // padding
		{"L2TP with all fields", 14, "\xff\xff\xff\xff\xff", 5, NULL},
	};

	tunnel_check_changes(rows, LENGTH(rows));
	tunnel_check_short("L2TP", 6, "l2tp malformed");
	tunnel_check_short("L2TP with all fields", 19, "l2tp malformed");
}

static void gtpu_that_is_no_user_data_stays_closed(void **)
{
	static const struct tunnel_change rows[] = {
		{"GTP-U", 1, "\x01", 1, "gtpu not_user_data"}, // echo request
		{"GTP-U", 1, "\x02", 1, "gtpu not_user_data"}, // echo response
		{"GTP-U", 1, "\x1a", 1, "gtpu not_user_data"}, // error indication
		{"GTP-U", 1, "\x1f", 1, "gtpu not_user_data"}, // supported extension headers
		{"GTP-U", 1, "\xfd", 1, "gtpu not_user_data"}, // tunnel status
		{"GTP-U", 1, "\xfe", 1, "gtpu not_user_data"}, // end marker
		{"GTP-U", 8, "\x00", 1, "gtpu not_ip"}, // an Ethernet frame, or unstructured
		{"GTP-U", 8, "\x72", 1, "gtpu not_ip"},
	};

	tunnel_check_changes(rows, LENGTH(rows));
}

static void gtpu_must_be_version_1_with_lengths_that_agree(void **)
{
	static const struct tunnel_change rows[] = {
		{"GTP-U", 0, "\x10", 1, "gtpu unsupported"}, // version 0
		{"GTP-U", 0, "\x50", 1, "gtpu unsupported"}, // version 2
		{"GTP-U", 0, "\x20", 1, "gtpu unsupported"}, // GTP'
		{"GTP-U", 0, "\x38", 1, NULL}, // the spare bit
		{"GTP-U", 2, "\x00\x22", 2, "gtpu malformed"}, // longer than its datagram
		{"GTP-U", 2, "\x00\x20", 2, "gtpu malformed"}, // shorter than the packet inside
		{"GTP-U", 2, "\x00\x00", 2, "gtpu malformed"},
		{"GTP-U", 4, "\xff\xff\xff\xff", 4, NULL},
		{"GTP-U", 8, "\x44", 1, "gtpu malformed"},
		{"GTP-U with extensions", 2, "\x00\x03", 2,
			"gtpu malformed"}, // ends in its options,
		{"GTP-U with extensions", 2, "\x00\x06", 2, "gtpu malformed"}, // in an extension
		{"GTP-U with extensions", 12, "\x00", 1, "gtpu malformed"}, // of no length
		{"GTP-U with extensions", 12, "\xff", 1, "gtpu malformed"},
		{"GTP-U with extensions", 12 + 7 * 4 + 3, "\x85", 1, "gtpu too_deep"}, // a ninth
		{"GTP-U with extensions", 11, "\x00", 1,
			"gtpu not_ip"}, // the chain begins with none
		{"GTP-U with an N-PDU", 0, "\x35", 1,
			"gtpu malformed"}, // an extension 0x45 words long
		{"GTP-U with an N-PDU", 8, "\xff\xff\xff", 3, NULL},
	};

	tunnel_check_changes(rows, LENGTH(rows));
	tunnel_check_short("GTP-U", 8, "gtpu malformed");
}

static void a_datagram_must_fit_into_what_carries_it(void **)
{
	// The UDP header's length, which is 8 and the tunnel's.
	static const struct tunnel_change rows[] = {
		{"VXLAN", -4, "\x00\x00", 2, NULL}, // left to the NIC
		{"VXLAN", -4, "\x00\x07", 2, "vxlan malformed"},
		{"VXLAN", -4, "\x00\x08", 2, "vxlan malformed"},
		{"VXLAN", -4, "\x00\x3e", 2, "vxlan malformed"}, // cuts the packet inside
		{"VXLAN", -4, "\x00\x40", 2, "vxlan malformed"}, // longer than the IP packet
		{"GTP-U", -4, "\x00\x00", 2, NULL},
		{"GTP-U", -4, "\x00\x30", 2, "gtpu malformed"},
		{"GTP-U", -4, "\x00\x32", 2, "gtpu malformed"},
		{"Teredo", -4, "\x00\x3c", 2, "teredo malformed"},
		{"GENEVE", -4, "\x00\x30", 2, "geneve malformed"},
	};

	tunnel_check_changes(rows, LENGTH(rows));
}

static void only_the_ports_of_a_tunnel_mean_one(void **)
{
	static const struct {
		const char *shape;
		uint16_t sport, dport;
		bool is_opened;
	} rows[] = {
		{"VXLAN", 1, 4789, true},
		{"VXLAN", 1, 8472, true},
		{"VXLAN", 4789, 1, false}, // a hash may be 4789
		{"VXLAN", 1, 4790, false},
		{"GENEVE", 6081, 1, false},
		{"GENEVE", 6081, 6081, true},
		{"GTP-U", 2152, 1, true},
		{"GTP-U", 1, 2152, true},
		{"GTP-U", 2123, 2123, false},
		{"Teredo", 3544, 1, true},
		{"Teredo", 1, 2, false},
		{"L2TP", 1701, 1, true},
		{"L2TP", 1, 1701, true},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct tunnel_shape *s = tunnel_named(rows[i].shape);
		struct dp_walk w;
		struct frame f;

		tunnel_build(s, &f, 0, !tunnel_is_around(s, false));
		frame_set16(frame_bytes(&f) + 20, rows[i].sport);
		frame_set16(frame_bytes(&f) + 22, rows[i].dport);
		assert_int_equal(
			dp_walk(frame_bytes(&f), frame_len(&f), frame_len(&f), DP_LINK_RAW_IP, &w),
			DP_OUTCOME_ACCOUNTED);
		assert_int_equal(w.n_ip, rows[i].is_opened ? 2 : 1);
		assert_int_equal(w.refused, DP_REFUSED_NONE); // other traffic is none
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			vxlan_needs_a_network_and_a_sound_frame, walk_check_teardown),
		cmocka_unit_test_teardown(
			geneve_is_opened_around_ip_ethernet_and_labels_only, walk_check_teardown),
		cmocka_unit_test_teardown(
			teredo_needs_ipv6_behind_its_indications, walk_check_teardown),
		cmocka_unit_test_teardown(
			a_teredo_bubble_of_a_new_client_is_an_ip_packet, walk_check_teardown),
		cmocka_unit_test_teardown(
			l2tp_carries_ppp_in_data_messages_of_version_2, walk_check_teardown),
		cmocka_unit_test_teardown(
			gtpu_that_is_no_user_data_stays_closed, walk_check_teardown),
		cmocka_unit_test_teardown(
			gtpu_must_be_version_1_with_lengths_that_agree, walk_check_teardown),
		cmocka_unit_test_teardown(
			a_datagram_must_fit_into_what_carries_it, walk_check_teardown),
		cmocka_unit_test_teardown(only_the_ports_of_a_tunnel_mean_one, walk_check_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
