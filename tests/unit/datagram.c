// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/datagram_rig.h"

enum { N_PIECES = 4, N_ORDERS = 24 };

/* Order i of four. */
static void order_of(uint32_t i, uint32_t ret_order[N_PIECES])
{
	uint32_t left[N_PIECES] = {0, 1, 2, 3};

	for (uint32_t n = N_PIECES; n > 0; i /= n--) {
		const uint32_t k = i % n;

		ret_order[N_PIECES - n] = left[k];
		memmove(left + k, left + k + 1, (n - 1 - k) * sizeof(*left));
	}
}

/* Send p in four pieces of about a quarter, in order i. Returns what came of the last one. */
static enum dp_datagram send_in_order(struct rig *r, const struct packet *p, uint32_t i)
{
	const uint32_t n = packet_payload(p), step = (n / N_PIECES + 7) / 8 * 8;
	enum dp_datagram last = DP_DATAGRAM_HELD;
	uint32_t order[N_PIECES];

	order_of(i, order);
	for (uint32_t k = 0; k < N_PIECES; k++) {
		const uint32_t begin = order[k] * step;

		assert_int_not_equal(last, DP_DATAGRAM_WHOLE);
		last = rig_piece(r, p, begin, order[k] == N_PIECES - 1 ? n : begin + step);
	}
	return last;
}

/* RFC 1071 over the header, its checksum included. */
static uint32_t header_sum(const uint8_t *header, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* o is p, without a trace of fragments. */
static void assert_is_packet(const struct rig_out *o, const struct packet *p)
{
	const bool is_ipv6 = p->bytes[0] >> 4 == 6;
	static uint8_t bytes[RIG_PACKET_MAX];

	assert_true(o->is_whole);
	assert_int_equal(o->n_bytes, p->len);
	memcpy(bytes, o->l3, o->n_bytes);
	if (!is_ipv6) {
		assert_int_equal(header_sum(bytes, p->header_len), 0xffff);
		frame_set16(bytes + 10, 0); // hand-made packets have none
	}
	assert_memory_equal(bytes, p->bytes, p->len);
}

static void fragments_of_a_plain_datagram_make_it_whole_in_every_order(void **)
{
	static struct packet p;

	for (uint32_t i = 0; i < 2 * N_ORDERS; i++) {
		const bool is_ipv6 = i >= N_ORDERS;
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){0});
		packet_udp(&p, is_ipv6, 1001, 77);
		assert_int_equal(send_in_order(&r, &p, i % N_ORDERS), DP_DATAGRAM_WHOLE);
		assert_is_packet(&r.out[r.n_out - 1], &p);
		for (uint32_t k = 0; k < r.n_out; k++) {
			assert_int_equal(r.out[k].pkt.tuple.sport, 50000);
			assert_int_equal(r.out[k].pkt.tuple.dport, 443);
			assert_int_equal(r.out[k].is_whole, k == r.n_out - 1);
			assert_true((r.out[k].pkt.flags & DP_PKT_UP) != 0);
		}
		assert_int_equal(r.out[r.n_out - 1].pkt.payload_bytes, 1001);
		rig_end(&r);
		assert_int_equal(r.n_packets, N_PIECES);
		assert_int_equal(r.ip_bytes,
			p.len + (N_PIECES - 1) * p.header_len + (is_ipv6 ? N_PIECES * 8 : 0));
		assert_int_equal(rig_count(&rig_counters(&r)->rebuilt), 1);
		assert_int_equal(rig_count(&rig_counters(&r)->fragments), N_PIECES);
		rig_fini(&r);
	}
}

static void fragments_of_a_tunnel_are_one_inner_packet_in_every_order(void **)
{
	static struct packet inner, p;

	for (uint32_t i = 0; i < N_ORDERS; i++) {
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){0});
		packet_udp(&inner, (i & 1) != 0, 1400, 0);
		packet_tunnel(&p, inner.bytes, inner.len, 78);
		assert_int_equal(send_in_order(&r, &p, i), DP_DATAGRAM_WHOLE);
		assert_int_equal(r.n_out, 1);
		assert_true(r.out[0].is_whole);
		assert_int_equal(r.out[0].pkt.n_frames, N_PIECES);
		assert_int_equal(r.out[0].pkt.n_packets, 1);
		assert_int_equal(r.out[0].pkt.ip_bytes, inner.len);
		assert_int_equal(r.out[0].pkt.tuple.dport, 443);
		assert_int_equal(r.out[0].pkt.encaps, UINT32_C(1) << DP_ENCAP_GTPU);
		assert_int_equal(r.out[0].pkt.wire_bytes, p.len + (N_PIECES - 1) * p.header_len);
		assert_int_equal(r.out[0].n_bytes, inner.len);
		assert_memory_equal(r.out[0].l3, inner.bytes, inner.len);
		rig_end(&r);
		rig_fini(&r);
	}
}

/* The inner packet is in fragments, and each of them travels in an outer one that is. */
static void fragments_in_fragments_are_one_packet(void **)
{
	static struct packet inner, outer[2];
	static uint8_t bytes[RIG_PACKET_MAX];
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&inner, false, 2000, 5);
	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t begin = i * 1200, end = i == 0 ? 1200 : packet_payload(&inner);
		const uint32_t len = packet_fragment(&inner, begin, end, i == 0, bytes);

		packet_tunnel(&outer[i], bytes, len, 100 + i);
	}
	assert_int_equal(
		rig_piece(&r, &outer[1], 800, packet_payload(&outer[1])), DP_DATAGRAM_HELD);
	assert_int_equal(rig_piece(&r, &outer[0], 0, 800), DP_DATAGRAM_HELD);
	assert_int_equal(rig_piece(&r, &outer[1], 0, 800), DP_DATAGRAM_HELD);
	assert_int_equal(rig_count(&rig_counters(&r)->held), 3);
	assert_int_equal(
		rig_piece(&r, &outer[0], 800, packet_payload(&outer[0])), DP_DATAGRAM_WHOLE);
	assert_int_equal(r.n_out, 1);
	assert_int_equal(r.out[0].pkt.n_frames, 4);
	assert_int_equal(r.out[0].pkt.n_packets, 2);
	assert_int_equal(r.out[0].pkt.ip_bytes, inner.len + inner.header_len);
	assert_int_equal(r.out[0].pkt.payload_bytes, 2000);
	assert_is_packet(&r.out[0], &inner);
	assert_int_equal(rig_count(&rig_counters(&r)->fragments), 6);
	assert_int_equal(rig_count(&rig_counters(&r)->rebuilt), 3);
	rig_end(&r);
	rig_fini(&r);
}

/* p in two fragments, each of them in a tunnel, which again goes in two, so many levels deep. */
static void send_nested(struct rig *r, const struct packet *p, unsigned int n_levels)
{
	const uint32_t middle = packet_payload(p) / 16 * 8;
	struct packet *outer = malloc(sizeof(*outer));
	uint8_t *bytes = malloc(RIG_PACKET_MAX);

	assert_true(outer != NULL && bytes != NULL);
	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t begin = i * middle, end = i == 0 ? middle : packet_payload(p);
		const uint32_t len = packet_fragment(p, begin, end, i == 0, bytes);

		if (n_levels == 1) {
			(void)rig_send(r, bytes, len);
			continue;
		}
		packet_tunnel(outer, bytes, len, 2 * p->id + i);
		send_nested(r, outer, n_levels - 1);
	}
	free(bytes);
	free(outer);
}

static void fragments_are_followed_into_each_other_up_to_a_bound(void **)
{
	static struct packet p;

	packet_udp(&p, false, 2000, 1);
	for (unsigned int n_levels = 1; n_levels <= DP_DATAGRAM_NESTING_MAX + 1; n_levels++) {
		const bool is_followed = n_levels <= DP_DATAGRAM_NESTING_MAX;
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){.n_buffers = 1 << n_levels});
		send_nested(&r, &p, n_levels);
		assert_int_equal(r.n_packets, 2);
		assert_int_equal(r.n_frames, 1 << n_levels);
		assert_int_equal(r.ip_bytes, p.len + p.header_len);
		assert_int_equal(r.out[r.n_out - 1].is_whole, is_followed);
		if (is_followed)
			assert_is_packet(&r.out[r.n_out - 1], &p);
		rig_end(&r);
		rig_fini(&r);
	}
}

static void the_headers_in_front_of_ipv6_fragments_stay(void **)
{
	static struct packet p;
	struct frame f;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	put_pattern(&f, 600, 3);
	frame_udp(&f, 50000, 443);
	frame_ipv6_ext(&f, IPPROTO_UDP, 1);
	frame_ipv6_ext(&f, IPPROTO_ROUTING, 2);
	frame_ipv6(&f, IPPROTO_HOPOPTS, RIG_CLIENT6, RIG_SERVER6);
	packet_of(&p, frame_bytes(&f), frame_len(&f), 0x01020304);
	p.header_len = 40 + 24 + 16;
	p.next_off = 40 + 24;
	assert_int_equal(send_in_order(&r, &p, 17), DP_DATAGRAM_WHOLE);
	assert_is_packet(&r.out[r.n_out - 1], &p);
	assert_int_equal(r.out[r.n_out - 1].pkt.tuple.sport, 50000);
	rig_end(&r);
	rig_fini(&r);
}

/* Destination Options behind the Fragment header: the ports are known when all of it is there. */
static void ports_behind_an_extension_header_are_found_when_the_datagram_is_whole(void **)
{
	static struct packet p;
	struct frame f;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	put_pattern(&f, 600, 3);
	frame_udp(&f, 50000, 443);
	frame_ipv6_ext(&f, IPPROTO_UDP, 1);
	frame_ipv6(&f, IPPROTO_DSTOPTS, RIG_CLIENT6, RIG_SERVER6);
	packet_of(&p, frame_bytes(&f), frame_len(&f), 9);
	assert_int_equal(send_in_order(&r, &p, 0), DP_DATAGRAM_WHOLE);
	assert_int_equal(r.n_out, 1);
	assert_is_packet(&r.out[0], &p);
	assert_int_equal(r.out[0].pkt.tuple.dport, 443);
	assert_int_equal(r.out[0].pkt.tuple.l4_proto, IPPROTO_UDP);
	assert_int_equal(r.out[0].pkt.n_packets, N_PIECES);
	assert_int_equal(r.out[0].pkt.ip_bytes, p.len + N_PIECES * 8 + (N_PIECES - 1) * 40);
	rig_fini(&r);
}

/* RFC 8200 4.5: only the first fragment's Next Header counts. */
static void ipv6_fragments_need_not_agree_about_the_next_header(void **)
{
	static struct packet p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&p, true, 600, 9);
	assert_int_equal(rig_piece(&r, &p, 0, 400), DP_DATAGRAM_CREDIT);
	p.bytes[6] = IPPROTO_TCP;
	assert_int_equal(rig_piece(&r, &p, 400, packet_payload(&p)), DP_DATAGRAM_WHOLE);
	assert_int_equal(r.out[1].pkt.tuple.l4_proto, IPPROTO_UDP);
	assert_int_equal(r.out[1].pkt.tuple.sport, 50000);
	rig_fini(&r);
}

/* A first fragment of 8 bytes does not show the tunnel. What was credited stays where it is. */
static void a_tunnel_that_is_seen_late_stays_with_its_carrier(void **)
{
	static struct packet inner, p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&inner, false, 400, 0);
	packet_tunnel(&p, inner.bytes, inner.len, 78);
	assert_int_equal(rig_piece(&r, &p, 0, 8), DP_DATAGRAM_CREDIT);
	assert_int_equal(rig_piece(&r, &p, 8, packet_payload(&p)), DP_DATAGRAM_CREDIT);
	rig_end(&r);
	assert_int_equal(r.n_packets, 2);
	assert_int_equal(r.ip_bytes, p.len + p.header_len);
	assert_int_equal(r.out[1].pkt.tuple.dport, 2152);
	rig_fini(&r);
}

/* What begins as a tunnel and is none: its header claims more than the whole datagram has. */
static void a_tunnel_that_does_not_hold_is_its_carrier_whole(void **)
{
	static struct packet inner, p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&inner, false, 400, 0);
	packet_tunnel(&p, inner.bytes, inner.len, 78);
	frame_set16(p.bytes + 20 + 4, 8 + 8 + inner.len + 1);
	frame_set16(p.bytes + 20 + 8 + 2, inner.len + 1);
	assert_int_equal(rig_piece(&r, &p, 0, 200), DP_DATAGRAM_HELD);
	assert_int_equal(rig_piece(&r, &p, 200, packet_payload(&p)), DP_DATAGRAM_WHOLE);
	assert_is_packet(&r.out[0], &p);
	assert_int_equal(r.out[0].pkt.n_packets, 2);
	assert_int_equal(r.out[0].pkt.n_frames, 2);
	assert_int_equal(r.out[0].pkt.ip_bytes, p.len + p.header_len);
	assert_int_equal(r.out[0].pkt.tuple.dport, 2152);
	rig_fini(&r);
}

static void a_long_datagram_is_whole_with_its_first_bytes(void **)
{
	static struct packet p;

	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		const uint32_t repeated = is_ipv6 ? 48 : 20;
		const struct rig_out *last;
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){0});
		packet_udp(&p, is_ipv6, 100, 3);
		p.len = is_ipv6 ? 40 + 65535 : 65535; // the largest there can be
		for (uint32_t begin = 0; begin < packet_payload(&p); begin += 1480) {
			const bool is_last = begin + 1480 >= packet_payload(&p);

			assert_int_equal(rig_piece(&r, &p, begin,
						 is_last ? packet_payload(&p) : begin + 1480),
				is_last ? DP_DATAGRAM_WHOLE : DP_DATAGRAM_CREDIT);
		}
		last = &r.out[r.n_out - 1];
		assert_int_equal(last->n_bytes, p.header_len + DP_DATAGRAM_BYTES);
		assert_memory_equal(
			last->l3 + p.header_len, p.bytes + p.header_len, DP_DATAGRAM_BYTES);
		assert_int_equal(last->pkt.payload_bytes, packet_payload(&p) - 8);
		// nDPI takes no packet that claims more than it is given.
		assert_int_equal(is_ipv6 ? last->l3[4] << 8 | last->l3[5]
					 : (last->l3[2] << 8 | last->l3[3]) - 20,
			DP_DATAGRAM_BYTES);
		if (!is_ipv6)
			assert_int_equal(header_sum(last->l3, 20), 0xffff);
		rig_end(&r);
		assert_int_equal(r.ip_bytes, packet_payload(&p) + 45 * repeated);
		rig_fini(&r);
	}
}

/* FIN once: a flow that ended must not hear of it again from the whole datagram. */
static void tcp_flags_are_told_once(void **)
{
	static struct packet p;

	for (uint32_t i = 0; i < N_ORDERS; i++) {
		struct frame f;
		struct rig r;
		uint32_t n_told = 0;

		rig_init(&r, (struct dp_datagram_config){0});
		put_pattern(&f, 600, 3);
		frame_tcp(&f, 50000, 443, DP_TCP_FIN, 1);
		frame_ipv4(&f, IPPROTO_TCP, RIG_CLIENT, RIG_SERVER);
		packet_of(&p, frame_bytes(&f), frame_len(&f), 9);
		assert_int_equal(send_in_order(&r, &p, i), DP_DATAGRAM_WHOLE);
		for (uint32_t k = 0; k < r.n_out; k++)
			n_told += r.out[k].pkt.tcp_flags == DP_TCP_FIN;
		assert_int_equal(n_told, 1);
		assert_int_equal(r.out[r.n_out - 1].pkt.payload_bytes, 600);
		rig_fini(&r);
	}
}

/* An IPv6 header with extensions that take ext_len bytes; n bytes of payload in two pieces, of the
 * first of which cap_len bytes are there. */
static void send_with_header(struct rig *r, uint32_t ext_len, uint32_t n, uint32_t cap_len)
{
	static struct packet p;
	static uint8_t bytes[RIG_PACKET_MAX];
	uint8_t ext[1024] = {IPPROTO_UDP, (uint8_t)(ext_len / 8 - 1)};
	struct frame f;
	uint32_t len;

	frame_udp(frame_new(&f), 50000, 443);
	frame_put(&f, ext, ext_len);
	frame_ipv6(&f, IPPROTO_HOPOPTS, RIG_CLIENT6, RIG_SERVER6);
	packet_of(&p, frame_bytes(&f), frame_len(&f), 9);
	p.header_len = 40 + ext_len;
	p.next_off = 40;
	p.len = p.header_len + n;
	len = packet_fragment(&p, 0, 8, true, bytes);
	assert_int_equal(rig_cut(r, bytes, cap_len < len ? cap_len : len, len), DP_DATAGRAM_CREDIT);
	for (uint32_t begin = 8; begin < n; begin += 8000)
		(void)rig_piece(r, &p, begin, begin + 8000 < n ? begin + 8000 : n);
	rig_end(r);
}

static void a_header_that_cannot_be_kept_leaves_fragments(void **)
{
	static const struct {
		uint32_t ext_len, n, cap_len, is_rebuilt, is_crowded;
	} headers[] = {
		{DP_DATAGRAM_HEADER_MAX - 40, 1000, 70000, 1, 0},
		{DP_DATAGRAM_HEADER_MAX - 32, 1000, 70000, 0, 1}, {64, 1000, 40 + 64 + 8, 1, 0},
		{64, 65535 - 64, 70000, 1, 0},
		{64, 65535 - 63, 70000, 0, 0}, // longer than a Payload Length can say
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){0});
		send_with_header(&r, headers[i].ext_len, headers[i].n, headers[i].cap_len);
		assert_int_equal(rig_count(&rig_counters(&r)->rebuilt), headers[i].is_rebuilt);
		assert_int_equal(rig_count(&rig_counters(&r)->crowded), headers[i].is_crowded);
		assert_int_equal(rig_count(&rig_counters(&r)->overlapped),
			!headers[i].is_rebuilt && !headers[i].is_crowded);
		rig_fini(&r);
	}
}

/* A snap length cuts each frame: whole by wire lengths, with the bytes up to the first hole. */
static void cut_fragments_are_whole_up_to_the_first_hole(void **)
{
	static struct packet p;
	static uint8_t bytes[2][2000];
	uint32_t len[2];

	packet_udp(&p, false, 1000, 3);
	len[0] = packet_fragment(&p, 0, 504, true, bytes[0]);
	len[1] = packet_fragment(&p, 504, packet_payload(&p), false, bytes[1]);
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t cap = 20; cap <= len[i]; cap++) {
			struct rig r;

			rig_init(&r, (struct dp_datagram_config){0});
			(void)rig_cut(&r, bytes[!i], len[!i], len[!i]);
			assert_int_equal(rig_cut(&r, bytes[i], cap, len[i]), DP_DATAGRAM_WHOLE);
			assert_int_equal(r.out[r.n_out - 1].n_bytes,
				cap < len[i] ? (i == 0 ? cap : 524 + cap - 20) : p.len);
			rig_end(&r);
			assert_int_equal(r.ip_bytes, p.len + 20);
			assert_int_equal(r.n_packets, 2);
			rig_fini(&r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_of_a_plain_datagram_make_it_whole_in_every_order),
		cmocka_unit_test(fragments_of_a_tunnel_are_one_inner_packet_in_every_order),
		cmocka_unit_test(fragments_in_fragments_are_one_packet),
		cmocka_unit_test(fragments_are_followed_into_each_other_up_to_a_bound),
		cmocka_unit_test(the_headers_in_front_of_ipv6_fragments_stay),
		cmocka_unit_test(
			ports_behind_an_extension_header_are_found_when_the_datagram_is_whole),
		cmocka_unit_test(ipv6_fragments_need_not_agree_about_the_next_header),
		cmocka_unit_test(a_tunnel_that_is_seen_late_stays_with_its_carrier),
		cmocka_unit_test(a_tunnel_that_does_not_hold_is_its_carrier_whole),
		cmocka_unit_test(a_long_datagram_is_whole_with_its_first_bytes),
		cmocka_unit_test(tcp_flags_are_told_once),
		cmocka_unit_test(a_header_that_cannot_be_kept_leaves_fragments),
		cmocka_unit_test(cut_fragments_are_whole_up_to_the_first_hole),
	};

	return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
