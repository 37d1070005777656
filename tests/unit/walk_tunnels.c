// SPDX-License-Identifier: BSD-3-Clause
/* What holds of every tunnel: opened whatever is inside, one flow both ways, and closed without a
 * trace where it is cut, too deep or in a fragment. */

#include "tests/unit/walk_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame_l2.h"
#include "tests/unit/frame_tunnel.h"
#include "tests/unit/tunnel_shapes.h"

#include <netinet/in.h>
#include <stdlib.h>

enum { INSIDE_V4 = 20 + 8 + 5, INSIDE_V6 = 40 + 8 + 5 };

typedef void shape_fn(const struct tunnel_shape *s, bool is_v6);

/* Each tunnel around each family that it can carry. */
static void for_each_shape(shape_fn *f)
{
	for (size_t i = 0; i < n_tunnel_shapes; i++) {
		const struct tunnel_shape *s = &tunnel_shapes[i];

		walk_check_trying(s->name);
		if (tunnel_is_around(s, false))
			f(s, false);
		if (tunnel_is_around(s, true))
			f(s, true);
	}
	walk_check_trying(NULL);
}

static struct walk_want inside(const struct tunnel_shape *s, bool is_v6)
{
	return (struct walk_want){
		.src = is_v6 ? TUNNEL_V6[0] : TUNNEL_V4[0],
		.dst = is_v6 ? TUNNEL_V6[1] : TUNNEL_V4[1],
		.sport = 50000,
		.dport = 53,
		.proto = IPPROTO_UDP,
		.n_ip = 2,
		.ip_bytes = is_v6 ? INSIDE_V6 : INSIDE_V4,
		.encaps = s->encaps,
	};
}

static uint32_t header_len(bool is_v6)
{
	return is_v6 ? 40 : 20;
}

/* Where the packet inside begins. */
static uint32_t inside_off(const struct frame *f, bool is_v6)
{
	return frame_len(f) - (is_v6 ? INSIDE_V6 : INSIDE_V4);
}

static void opened(const struct tunnel_shape *s, bool is_v6)
{
	const struct walk_want want = inside(s, is_v6);
	struct frame f;

	tunnel_build(s, &f, 0, is_v6);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_RAW_IP, &want);
	walk_check_mutants(frame_bytes(&f), frame_len(&f), DP_LINK_RAW_IP);
}

static void every_tunnel_is_opened_and_survives_every_cut_and_flip(void **)
{
	for_each_shape(opened);
}

static void one_flow(const struct tunnel_shape *s, bool is_v6)
{
	struct frame f[2];

	for (int from = 0; from < 2; from++) {
		tunnel_build(s, &f[from], from, is_v6);
		frame_tag(&f[from], frame_bytes(&f[from])[0] >> 4 == 4 ? 0x0800 : 0x86dd,
			(uint16_t)(10 + from));
		frame_ethernet(&f[from], 0x8100);
	}
	walk_check_one_flow(frame_bytes(&f[0]), frame_len(&f[0]), frame_bytes(&f[1]),
		frame_len(&f[1]), DP_LINK_ETHERNET);
}

static void two_directions_in_networks_of_their_own_are_one_flow(void **)
{
	for_each_shape(one_flow);
}

/* What carries the tunnel, described as if there were none. */
static void assert_carrier(
	const struct tunnel_shape *s, const struct dp_walk *w, uint32_t cap_len, uint32_t wire_len)
{
	struct dp_endpoint_nets nets;
	struct dp_pkt p = {0};

	dp_endpoint_nets_init(&nets, NULL, 0, 64);
	dp_packet_of(w, &nets, wire_len, &p);
	assert_int_equal(w->n_ip, 1);
	assert_int_equal(p.encaps, 0);
	assert_int_equal(p.l3_off, 0);
	assert_int_equal(p.l3_len, cap_len);
	assert_int_equal(p.ip_bytes, wire_len);
	if (cap_len < w->ip.l4_off + 4 || p.tuple.l4_proto != IPPROTO_UDP)
		return;
	assert_int_equal(p.tuple.sport, s->ports[0]);
	assert_int_equal(p.tuple.dport, s->ports[1]);
	if (cap_len >= w->ip.l4_off + 8)
		assert_int_equal(p.payload_bytes, wire_len - w->ip.l4_off - 8);
}

static void cut(const struct tunnel_shape *s, bool is_v6)
{
	struct frame f;
	struct dp_walk w;

	tunnel_build(s, &f, 0, is_v6);

	const uint32_t len = frame_len(&f);
	const uint32_t open_len = inside_off(&f, is_v6) + header_len(is_v6);

	for (uint32_t cap_len = 0; cap_len <= len; cap_len++) {
		const enum dp_outcome r = dp_walk(
			frame_bytes(&f), cap_len, len, DP_LINK_RAW_IP, &w);

		if (r != DP_OUTCOME_ACCOUNTED) {
			assert_int_equal(r, DP_OUTCOME_TRUNCATED);
			assert_true(cap_len < 40); // not even what carries it
		} else if (cap_len < open_len) {
			assert_carrier(s, &w, cap_len, len);
			if (w.refused != DP_REFUSED_NONE)
				assert_int_equal(w.reason, DP_REFUSAL_TRUNCATED);
			else // nobody knows yet that it is a tunnel
				assert_true(cap_len < w.ip.l4_off + 8);
		} else {
			assert_int_equal(w.n_ip, 2);
			assert_int_equal(w.encaps, s->encaps);
			assert_int_equal(w.ip.bytes, is_v6 ? INSIDE_V6 : INSIDE_V4);
		}
	}
}

static void a_tunnel_cut_before_its_packet_leaves_what_carries_it(void **)
{
	for_each_shape(cut);
}

/* One byte of the packet inside was not on the wire, though every header around it is right. */
static void overlong(const struct tunnel_shape *s, bool is_v6)
{
	struct walk_want want = inside(s, is_v6);
	struct frame f;
	struct dp_walk w;

	tunnel_inside(&f, 0, is_v6);
	if (is_v6)
		frame_set16(frame_bytes(&f) + 4, INSIDE_V6 - 40 + 1);
	else
		frame_set16(frame_bytes(&f) + 2, INSIDE_V4 + 1);
	s->wrap(&f, 0);
	if (!s->is_guessed) { // no doubt what it is: credit what was on the wire
		walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_RAW_IP, &want);
		return;
	}
	assert_int_equal(dp_walk(frame_bytes(&f), frame_len(&f), frame_len(&f), DP_LINK_RAW_IP, &w),
		DP_OUTCOME_ACCOUNTED);
	assert_carrier(s, &w, frame_len(&f), frame_len(&f));
	assert_int_equal(w.reason, DP_REFUSAL_MALFORMED);
}

static void a_tunnel_guessed_by_its_port_must_be_sound_to_the_last_byte(void **)
{
	for_each_shape(overlong);
}

/* Padding behind the packet inside belongs to nobody. */
static void padded(const struct tunnel_shape *s, bool is_v6)
{
	const struct walk_want want = inside(s, is_v6);
	struct frame f, packet;

	tunnel_inside(&packet, 0, is_v6);
	frame_put(frame_new(&f), "padding", 7);
	frame_put(&f, frame_bytes(&packet), frame_len(&packet));
	s->wrap(&f, 0);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_RAW_IP, &want);
}

static void what_stands_behind_the_packet_inside_is_not_its(void **)
{
	for_each_shape(padded);
}

/* Six IP packets in each other, and a seventh that is not looked at. Tunnels that carry one family
 * only alternate with GRE. */
static void too_deep(const struct tunnel_shape *s, bool is_v6)
{
	const uint32_t max = DP_WALK_IP_MAX;
	struct frame f;
	struct dp_walk w;
	uint32_t n = 1;

	tunnel_inside(&f, 0, is_v6);
	for (; n < 2 * max; n++) {
		const bool now_v6 = frame_bytes(&f)[0] >> 4 == 6;

		if (tunnel_is_around(s, now_v6)) {
			s->wrap(&f, 0);
			if (n == max)
				break; // it was around the sixth
		} else if (now_v6) {
			tunnel_named("GRE")->wrap(&f, 0);
		} else {
			frame_type(&f, 0x0800);
			frame_type(&f, 0);
			frame_ipv6(&f, IPPROTO_GRE, TUNNEL_OUTER_V6[0], TUNNEL_OUTER_V6[1]);
		}
	}
	assert_int_equal(dp_walk(frame_bytes(&f), frame_len(&f), frame_len(&f), DP_LINK_RAW_IP, &w),
		DP_OUTCOME_ACCOUNTED);
	assert_int_equal(w.n_ip, max);
	assert_int_equal(w.reason, DP_REFUSAL_TOO_DEEP);
	assert_true(w.refused != DP_REFUSED_NONE);
	walk_check_sound(frame_bytes(&f), frame_len(&f), frame_len(&f), DP_LINK_RAW_IP);
}

static void the_seventh_packet_is_too_deep_and_the_sixth_is_it(void **)
{
	for_each_shape(too_deep);
}

/* Headers that are no IP packets count as well: frames in labels in frames, in VXLAN. */
static void too_many_headers_in_a_tunnel_are_too_deep(void **)
{
	const struct walk_want want = {
		.src = TUNNEL_OUTER_V4[0],
		.dst = TUNNEL_OUTER_V4[1],
		.sport = 40000,
		.dport = 4789,
		.n_ip = 1,
		.refusal = "pseudowire too_deep",
	};
	struct frame f;

	tunnel_inside(&f, 0, false);
	frame_ethernet(&f, 0x0800);
	for (uint32_t i = 0; i < DP_WALK_STEPS_MAX / 3; i++) {
		frame_label(&f, 16 + i, true);
		frame_ethernet(&f, 0x8847);
	}
	frame_vxlan(&f, 1);
	frame_udp(&f, 40000, 4789);
	frame_ipv4(&f, IPPROTO_UDP, TUNNEL_OUTER_V4[0], TUNNEL_OUTER_V4[1]);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_RAW_IP, &want);
}

/* A mirror over an operator's network of an operator's network. */
static void a_stack_of_many_kinds_is_opened_to_its_end(void **)
{
	const struct walk_want want = {
		.src = TUNNEL_V6[0],
		.dst = TUNNEL_V6[1],
		.sport = 50000,
		.dport = 53,
		.n_ip = 5,
		.ip_bytes = INSIDE_V6,
		.encaps = WALK_ENCAP(VLAN) | WALK_ENCAP(MPLS) | WALK_ENCAP(GRE) |
			WALK_ENCAP(ERSPAN) | WALK_ENCAP(GTPU) | WALK_ENCAP(L2TP) | WALK_ENCAP(PPP) |
			WALK_ENCAP(6IN4),
	};
	struct frame f;

	tunnel_inside(&f, 0, true);
	tunnel_named("IPv6 in IPv4")->wrap(&f, 0);
	tunnel_named("L2TP")->wrap(&f, 0);
	tunnel_named("GTP-U with extensions")->wrap(&f, 0);
	tunnel_named("ERSPAN II with a tag")->wrap(&f, 0);
	frame_label(&f, 100, true);
	frame_label(&f, 101, false);
	frame_tag(&f, 0x8847, 12);
	frame_ethernet(&f, 0x88a8);
	walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET, &want);
	walk_check_mutants(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET);
}

/* --- in fragments ----------------------------------------------------------------------------- */

/* The first `payload_len` bytes of what the IP packet in *whole carries, as its first fragment. */
static void first_fragment(const struct frame *whole, uint32_t payload_len, struct frame *ret_f)
{
	const uint8_t *p = whole->room + whole->off;
	const bool is_v4 = p[0] >> 4 == 4;
	const uint32_t head = is_v4 ? (p[0] & 15) * 4U : 40;

	frame_put(frame_new(ret_f), p + head, payload_len);
	if (is_v4) {
		frame_put(ret_f, p, head);
		frame_set16(frame_bytes(ret_f) + 2, head + payload_len);
		frame_set16(frame_bytes(ret_f) + 6, 0x2000);
		return;
	}
	frame_set16(frame_ipv6_ext(ret_f, p[6], 0) + 2, 1);
	frame_put(ret_f, p, head);
	frame_bytes(ret_f)[6] = IPPROTO_FRAGMENT;
	frame_set16(frame_bytes(ret_f) + 4, 8 + payload_len);
}

static void assert_first_fragment(const struct tunnel_shape *s, bool is_v6,
	const struct frame *whole, uint32_t payload_len, bool is_tunnel)
{
	struct dp_walk first, rebuilt;
	struct frame f;

	first_fragment(whole, payload_len, &f);
	frame_tag(&f, frame_bytes(&f)[0] >> 4 == 4 ? 0x0800 : 0x86dd, 3);
	frame_ethernet(&f, 0x8100);
	walk_check_sound(frame_bytes(&f), frame_len(&f), frame_len(&f), DP_LINK_ETHERNET);
	assert_int_equal(
		dp_walk(frame_bytes(&f), frame_len(&f), frame_len(&f), DP_LINK_ETHERNET, &first),
		DP_OUTCOME_ACCOUNTED);
	assert_true(first.ip.is_fragment);
	assert_int_equal(first.n_ip, 1);
	assert_int_equal(first.encaps, WALK_ENCAP(VLAN));
	assert_int_equal(dp_walk_is_tunnel(&first), is_tunnel);
	assert_int_equal(dp_walk_rebuilt(&first, whole->room + whole->off, frame_len(whole),
				 frame_len(whole), &rebuilt),
		DP_OUTCOME_ACCOUNTED);
	assert_int_equal(rebuilt.n_ip, 2);
	assert_int_equal(rebuilt.ip.off, inside_off(whole, is_v6));
	assert_int_equal(rebuilt.ip.bytes, is_v6 ? INSIDE_V6 : INSIDE_V4);
	assert_int_equal(rebuilt.encaps, s->encaps | WALK_ENCAP(VLAN));
	assert_int_equal(rebuilt.refused, DP_REFUSED_NONE);
	assert_int_equal(rebuilt.vlans.id[0], 3);
}

static void in_fragments(const struct tunnel_shape *s, bool is_v6)
{
	struct frame whole;

	tunnel_build(s, &whole, 0, is_v6);

	const uint8_t *p = frame_bytes(&whole);
	const uint32_t head = p[0] >> 4 == 4 ? (p[0] & 15) * 4U : 40;
	const uint32_t open_len = inside_off(&whole, is_v6) + header_len(is_v6) - head;

	// behind a Fragment header that names another extension header nothing is read
	if (p[0] >> 4 == 6 && (p[6] == IPPROTO_HOPOPTS || p[6] == IPPROTO_DSTOPTS))
		return;
	for (uint32_t n = 8; n < frame_len(&whole) - head; n += 8)
		assert_first_fragment(s, is_v6, &whole, n, n >= open_len);
}

static void a_first_fragment_tells_a_tunnel_and_the_rebuilt_datagram_is_opened(void **)
{
	for_each_shape(in_fragments);
}

static void a_datagram_inside_a_tunnel_goes_on_where_it_was(void **)
{
	struct dp_walk first, rebuilt;
	struct frame whole, f;

	tunnel_inside(&whole, 0, false); // in GRE, in fragments, in GTP-U
	tunnel_named("GRE")->wrap(&whole, 0);
	first_fragment(&whole, 8, &f);
	frame_gtpu(&f, 7, 0);
	frame_udp(&f, 2152, 2152);
	frame_ipv4(&f, IPPROTO_UDP, TUNNEL_OUTER_V4[0], TUNNEL_OUTER_V4[1]);
	assert_int_equal(
		dp_walk(frame_bytes(&f), frame_len(&f), frame_len(&f), DP_LINK_RAW_IP, &first),
		DP_OUTCOME_ACCOUNTED);
	assert_int_equal(first.n_ip, 2);
	assert_int_equal(first.encaps, WALK_ENCAP(GTPU));
	assert_true(first.ip.is_fragment);
	assert_int_equal(dp_walk_rebuilt(&first, frame_bytes(&whole), frame_len(&whole),
				 frame_len(&whole), &rebuilt),
		DP_OUTCOME_ACCOUNTED);
	assert_int_equal(rebuilt.n_ip, 3);
	assert_int_equal(rebuilt.encaps, WALK_ENCAP(GTPU) | WALK_ENCAP(GRE));

	// Nothing of the frames that carried it may be read where it is no IP packet.
	assert_int_equal(dp_walk_rebuilt(&first, frame_bytes(&whole), 19, 19, &rebuilt),
		DP_OUTCOME_MALFORMED);
	assert_int_equal(rebuilt.n_ip, 0);
	assert_int_equal(rebuilt.encaps, 0);
}

static void a_plain_datagram_is_no_tunnel(void **)
{
	struct dp_walk first, rebuilt;
	struct frame whole, f;

	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		tunnel_inside(&whole, 0, is_v6);
		first_fragment(&whole, 8, &f);
		assert_int_equal(dp_walk(frame_bytes(&f), frame_len(&f), frame_len(&f),
					 DP_LINK_RAW_IP, &first),
			DP_OUTCOME_ACCOUNTED);
		assert_false(dp_walk_is_tunnel(&first));
		assert_int_equal(dp_walk_rebuilt(&first, frame_bytes(&whole), frame_len(&whole),
					 frame_len(&whole), &rebuilt),
			DP_OUTCOME_ACCOUNTED);
		assert_int_equal(rebuilt.n_ip, 1);
		assert_int_equal(rebuilt.encaps, 0);
		assert_false(rebuilt.ip.is_fragment);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_tunnel_is_opened_and_survives_every_cut_and_flip,
			walk_check_teardown),
		cmocka_unit_test_teardown(
			two_directions_in_networks_of_their_own_are_one_flow, walk_check_teardown),
		cmocka_unit_test_teardown(
			a_tunnel_cut_before_its_packet_leaves_what_carries_it, walk_check_teardown),
		cmocka_unit_test_teardown(
			a_tunnel_guessed_by_its_port_must_be_sound_to_the_last_byte,
			walk_check_teardown),
		cmocka_unit_test_teardown(
			what_stands_behind_the_packet_inside_is_not_its, walk_check_teardown),
		cmocka_unit_test_teardown(
			the_seventh_packet_is_too_deep_and_the_sixth_is_it, walk_check_teardown),
		cmocka_unit_test(too_many_headers_in_a_tunnel_are_too_deep),
		cmocka_unit_test(a_stack_of_many_kinds_is_opened_to_its_end),
		cmocka_unit_test_teardown(
			a_first_fragment_tells_a_tunnel_and_the_rebuilt_datagram_is_opened,
			walk_check_teardown),
		cmocka_unit_test_teardown(
			a_datagram_inside_a_tunnel_goes_on_where_it_was, walk_check_teardown),
		cmocka_unit_test_teardown(a_plain_datagram_is_no_tunnel, walk_check_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
