// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/packet_shapes.h"
#include "tests/unit/walk_check.h"

#include <netinet/in.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct dp_endpoint_nets nets;

static enum dp_outcome parse(struct frame *f, enum dp_link link, struct dp_pkt *ret_pkt)
{
	return dp_packet_parse(frame_bytes(f), frame_len(f), frame_len(f), link, &nets, ret_pkt);
}

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

static void assert_addr(const struct dp_addr *a, const char *text)
{
	char buf[DP_ADDR_STRLEN];

	assert_string_equal(dp_addr_format(a, buf), text);
}

static int setup(void **)
{
	dp_endpoint_nets_default(&nets);
	return 0;
}

static void every_shape_is_described_down_to_its_innermost_packet(void **)
{
	for (size_t i = 0; i < LENGTH(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct dp_pkt p = {.time_ns = 42, .hash = 43};
		struct frame f;
		const bool has_ports = (s->flags & DP_PKT_HAS_PORTS) != 0;

		s->build(&f, 0);
		assert_int_equal(parse(&f, s->link, &p), DP_OUTCOME_ACCOUNTED);
		assert_addr(&p.tuple.src, s->is_v6 ? V6[0] : V4[0]);
		assert_addr(&p.tuple.dst, s->is_v6 ? V6[1] : V4[1]);
		assert_addr(&p.endpoint, s->is_v6 ? "fd00:1:2:3::" : V4[0]);
		assert_int_equal(p.tuple.l4_proto, s->proto);
		assert_int_equal(p.tuple.sport, has_ports ? 50000 : 0);
		assert_int_equal(p.tuple.dport, has_ports ? 53 : 0);
		assert_int_equal(p.flags, s->flags | DP_PKT_UP);
		assert_int_equal(p.encaps, s->encaps);
		assert_int_equal(p.n_frames, 1);
		assert_int_equal(p.n_packets, 1);
		assert_int_equal(p.l3_off, s->l3_off);
		assert_int_equal(p.ip_bytes, s->ip_bytes);
		assert_int_equal(p.l3_len, s->ip_bytes);
		assert_int_equal(p.payload_bytes, s->payload_bytes);
		assert_int_equal(p.wire_bytes, frame_len(&f));
		assert_int_equal(p.tcp_flags, s->proto == IPPROTO_TCP ? 0x12 : 0);
		assert_int_equal(p.tcp_seq, s->proto == IPPROTO_TCP ? 0x01020304 : 0);
		assert_int_equal(p.time_ns, 42); // the source's
		assert_int_equal(p.hash, 43);
	}
}

static void turning_a_packet_round_changes_only_the_direction(void **)
{
	for (size_t i = 0; i < LENGTH(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct dp_pkt there = {0}, back = {0};
		struct frame f;

		s->build(&f, 0);
		assert_int_equal(parse(&f, s->link, &there), DP_OUTCOME_ACCOUNTED);
		s->build(&f, 1);
		assert_int_equal(parse(&f, s->link, &back), DP_OUTCOME_ACCOUNTED);
		assert_int_equal(there.flags ^ back.flags, DP_PKT_UP);
		assert_int_equal(dp_addr_cmp(&there.endpoint, &back.endpoint), 0);
		assert_int_equal(
			dp_endpoint_hash(&there.endpoint), dp_endpoint_hash(&back.endpoint));
		assert_int_equal(dp_addr_cmp(&there.tuple.src, &back.tuple.dst), 0);
		assert_int_equal(there.tuple.sport, back.tuple.dport);
		assert_int_equal(there.ip_bytes, back.ip_bytes);
		assert_int_equal(there.payload_bytes, back.payload_bytes);
	}
}

static void two_inside_addresses_are_ambiguous_whoever_sends(void **)
{
	struct dp_pkt p[2] = {0};
	struct frame f;

	for (int from = 0; from < 2; from++) {
		put_udp(&f, from);
		frame_ipv4(&f, IPPROTO_UDP, from == 0 ? "10.0.0.7" : "10.0.0.8",
			from == 0 ? "10.0.0.8" : "10.0.0.7");
		assert_int_equal(parse(&f, DP_LINK_RAW_IP, &p[from]), DP_OUTCOME_ACCOUNTED);
		assert_addr(&p[from].endpoint, "10.0.0.7");
		assert_true((p[from].flags & DP_PKT_AMBIGUOUS) != 0);
	}
	assert_int_equal(p[0].flags ^ p[1].flags, DP_PKT_UP);
}

static void every_truncation_and_every_flipped_bit_is_survived(void **)
{
	for (size_t i = 0; i < LENGTH(shapes); i++) {
		struct frame f;

		shapes[i].build(&f, 0);
		walk_check_mutants(frame_bytes(&f), frame_len(&f), shapes[i].link);
	}
}

static void what_has_no_packet_for_us_says_why(void **)
{
	static const struct {
		uint16_t ethertype;
		enum dp_outcome outcome;
	} rows[] = {{0x0806, DP_OUTCOME_NOT_IP}, {0x88cc, DP_OUTCOME_NOT_IP},
		{46, DP_OUTCOME_NOT_IP}}; // IEEE 802.3 length
	struct dp_pkt p;
	struct frame f;

	for (size_t i = 0; i < LENGTH(rows); i++) {
		put_ipv4(&f, 0);
		frame_ethernet(&f, rows[i].ethertype);
		assert_int_equal(parse(&f, DP_LINK_ETHERNET, &p), rows[i].outcome);
	}
	five_tags(&f, 0);
	assert_int_equal(parse(&f, DP_LINK_ETHERNET, &p), DP_OUTCOME_TOO_DEEP);
}

static void an_ip_header_that_contradicts_itself_is_malformed(void **)
{
	struct dp_pkt p;
	struct frame f;

	put_udp(&f, 0);
	frame_ipv4(&f, IPPROTO_UDP, V4[0], V4[1])[0] = 0x44; // header of 16 bytes
	assert_int_equal(parse(&f, DP_LINK_RAW_IP, &p), DP_OUTCOME_MALFORMED);
	put_udp(&f, 0);
	frame_set16(frame_ipv4(&f, IPPROTO_UDP, V4[0], V4[1]) + 2, 19);
	assert_int_equal(parse(&f, DP_LINK_RAW_IP, &p), DP_OUTCOME_MALFORMED);
	put_udp(&f, 0);
	frame_ipv4(&f, IPPROTO_UDP, V4[0], V4[1])[0] = 0x55;
	assert_int_equal(parse(&f, DP_LINK_RAW_IP, &p), DP_OUTCOME_MALFORMED);
	put_ipv6(&f, 0);
	frame_bytes(&f)[0] = 0x40;
	frame_ethernet(&f, 0x86dd);
	assert_int_equal(parse(&f, DP_LINK_ETHERNET, &p), DP_OUTCOME_MALFORMED);
}

static void an_ip_length_beyond_the_frame_credits_what_the_frame_holds(void **)
{
	struct dp_pkt p = {0};
	struct frame f;

	put_udp(&f, 0);
	frame_set16(frame_ipv4(&f, IPPROTO_UDP, V4[0], V4[1]) + 2, 1500);
	frame_ethernet(&f, 0x0800);
	assert_int_equal(parse(&f, DP_LINK_ETHERNET, &p), DP_OUTCOME_ACCOUNTED);
	assert_int_equal(p.ip_bytes, 33);
	// Unless a snap length cut it: then the wire held it.
	assert_int_equal(
		dp_packet_parse(frame_bytes(&f), frame_len(&f), 1514, DP_LINK_ETHERNET, &nets, &p),
		DP_OUTCOME_ACCOUNTED);
	assert_int_equal(p.ip_bytes, 1500);
	assert_int_equal(p.l3_len, 33);
}

static void a_chain_of_nine_extension_headers_leaves_a_packet_without_ports(void **)
{
	struct dp_pkt p = {0};
	struct frame f;

	nine_extensions(&f, 0);
	assert_int_equal(parse(&f, DP_LINK_ETHERNET, &p), DP_OUTCOME_ACCOUNTED);
	assert_int_equal(p.tuple.l4_proto, IPPROTO_DSTOPTS);
	assert_int_equal(p.flags & DP_PKT_HAS_PORTS, 0);
	assert_int_equal(p.ip_bytes, 40 + 9 * 8 + 13);
}

static void assert_not_opened(struct frame *f)
{
	struct dp_pkt p = {0};

	assert_int_equal(parse(f, DP_LINK_RAW_IP, &p), DP_OUTCOME_ACCOUNTED);
	assert_int_equal(p.encaps, 0);
	assert_int_equal(p.l3_off, 0);
	assert_int_equal(p.tuple.dport, 2152);
	assert_addr(&p.tuple.src, OUTER[0]);
}

/* Change n bytes of a tunnel with one extension header, `off` from where GTP-U begins. */
static void assert_change_closes(uint32_t off, const void *bytes, uint32_t n)
{
	struct frame f;

	put_ipv4(&f, 0);
	put_tunnel(&f, 0, 1);
	memcpy(frame_bytes(&f) + 28 + off, bytes, n);
	assert_not_opened(&f);
}

static void a_tunnel_that_is_not_sound_stays_closed(void **)
{
	static const struct {
		uint32_t off;
		const char *bytes;
		uint32_t n;
	} rows[] = {
		{0, "\x54", 1}, // version 2
		{0, "\x24", 1}, // GTP'
		{1, "\x01", 1}, // echo request
		{1, "\xfe", 1}, // end marker
		{2, "\xff\xff", 2}, // longer than its datagram
		{2, "\x00\x03", 2}, // ends in its own optional fields
		{2, "\x00\x06", 2}, // ends in its extension header
		{12, "\x00", 1}, // an extension header of no length
		{12, "\xff", 1}, // one that runs past the packet
		{16, "\x75", 1}, // no IP version
		{16, "\x44", 1}, // an IP header that is too short
		{18, "\xff\xff", 2}, // an IP packet longer than the tunnel
		{18, "\x00\x22", 2}, // by one byte
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_change_closes(rows[i].off, rows[i].bytes, rows[i].n);
}

static void a_tunnel_in_a_fragment_stays_closed(void **)
{
	struct frame f;

	put_ipv4(&f, 0);
	frame_gtpu(&f, 1, 0);
	frame_udp(&f, 2152, 2152);
	frame_ipv4_with(&f, IPPROTO_UDP, OUTER[0], OUTER[1], 0x2000, 0);
	assert_not_opened(&f);
}

static void a_packet_is_opened_six_deep(void **)
{
	struct dp_pkt p = {0};
	struct frame f;

	put_ipv4(&f, 0);
	for (int i = 0; i < DP_WALK_IP_MAX; i++)
		put_tunnel(&f, 0, 0);
	assert_int_equal(parse(&f, DP_LINK_RAW_IP, &p), DP_OUTCOME_ACCOUNTED);
	assert_int_equal(p.l3_off, (DP_WALK_IP_MAX - 1) * 36);
	assert_addr(&p.tuple.src, OUTER[0]);
	assert_int_equal(p.tuple.sport, 2152);
}

static void a_tunnel_may_leave_from_any_port(void **)
{
	struct dp_pkt p = {0};
	struct frame f;

	put_ipv4(&f, 0);
	frame_gtpu(&f, 1, 0);
	frame_udp(&f, 33000, 2152); // 3GPP TS 29.281 4.4.2.3
	frame_ipv4(&f, IPPROTO_UDP, OUTER[0], OUTER[1]);
	assert_int_equal(parse(&f, DP_LINK_RAW_IP, &p), DP_OUTCOME_ACCOUNTED);
	assert_addr(&p.tuple.src, V4[0]);
}

static void a_tcp_header_is_believed_only_as_far_as_the_packet_goes(void **)
{
	static const struct {
		uint8_t data_offset;
		uint32_t payload_bytes;
	} rows[] = {{0x50, 5}, {0x60, 1}, {0x40, 0}, {0xf0, 0}, {0x00, 0}};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct dp_pkt p = {0};
		struct frame f;

		tcp(&f, 0);
		frame_bytes(&f)[14 + 20 + 12] = rows[i].data_offset;
		assert_int_equal(parse(&f, DP_LINK_ETHERNET, &p), DP_OUTCOME_ACCOUNTED);
		assert_int_equal(p.payload_bytes, rows[i].payload_bytes);
	}
}

static void neighbours_of_an_address_plan_spread_over_workers(void **)
{
	unsigned int n[8] = {0};

	for (uint32_t i = 0; i < 8000; i++) {
		struct dp_addr a = addr("10.0.0.0");

		frame_set32(a.b + 12, 0x0a000000 + i);
		n[(uint64_t)dp_endpoint_hash(&a) * 8 >> 32]++;
	}
	for (int i = 0; i < 8; i++)
		assert_in_range(n[i], 800, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_is_described_down_to_its_innermost_packet),
		cmocka_unit_test(turning_a_packet_round_changes_only_the_direction),
		cmocka_unit_test(two_inside_addresses_are_ambiguous_whoever_sends),
		cmocka_unit_test(every_truncation_and_every_flipped_bit_is_survived),
		cmocka_unit_test(what_has_no_packet_for_us_says_why),
		cmocka_unit_test(an_ip_header_that_contradicts_itself_is_malformed),
		cmocka_unit_test(an_ip_length_beyond_the_frame_credits_what_the_frame_holds),
		cmocka_unit_test(a_chain_of_nine_extension_headers_leaves_a_packet_without_ports),
		cmocka_unit_test(a_tunnel_that_is_not_sound_stays_closed),
		cmocka_unit_test(a_tunnel_in_a_fragment_stays_closed),
		cmocka_unit_test(a_packet_is_opened_six_deep),
		cmocka_unit_test(a_tunnel_may_leave_from_any_port),
		cmocka_unit_test(a_tcp_header_is_believed_only_as_far_as_the_packet_goes),
		cmocka_unit_test(neighbours_of_an_address_plan_spread_over_workers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
