// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/datagram_rig.h"

/* What is sent once more, contradicts itself, never comes, or comes too often. */

/* --- repetitions ----------------------------------------------------------------------------- */

static void a_repetition_is_dropped_before_and_behind_the_end(void **)
{
	static struct packet inner, p;

	for (int is_tunnel = 0; is_tunnel < 2; is_tunnel++) {
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){.drops_repeated = true});
		packet_udp(&inner, false, 1000, 7);
		p = inner;
		if (is_tunnel)
			packet_tunnel(&p, inner.bytes, inner.len, 78);
		for (int i = 0; i < 2; i++)
			assert_int_equal(rig_piece(&r, &p, 504, packet_payload(&p)),
				i == 0 ? DP_DATAGRAM_HELD : DP_DATAGRAM_REPEATED);
		for (int i = 0; i < 3; i++)
			assert_int_equal(rig_piece(&r, &p, 0, 504),
				i == 0 ? DP_DATAGRAM_WHOLE : DP_DATAGRAM_REPEATED);
		assert_int_equal(rig_piece(&r, &p, 504, packet_payload(&p)), DP_DATAGRAM_REPEATED);
		rig_end(&r);
		assert_int_equal(r.n_duplicates, 4);
		assert_int_equal(rig_count(&rig_counters(&r)->repeated), 4);
		assert_int_equal(rig_count(&rig_counters(&r)->overlapped), 0);
		assert_int_equal(r.ip_bytes, is_tunnel ? inner.len : p.len + p.header_len);
		rig_fini(&r);
	}
}

static void a_repetition_that_is_not_dropped_goes_to_the_flow(void **)
{
	static struct packet p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&p, false, 1000, 7);
	assert_int_equal(rig_piece(&r, &p, 504, packet_payload(&p)), DP_DATAGRAM_HELD);
	assert_int_equal(rig_piece(&r, &p, 504, packet_payload(&p)), DP_DATAGRAM_HELD);
	assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_WHOLE);
	assert_int_equal(r.out[0].pkt.n_packets, 3);
	assert_int_equal(rig_piece(&r, &p, 504, packet_payload(&p)), DP_DATAGRAM_CREDIT);
	assert_int_equal(r.out[1].pkt.tuple.dport, 443);
	assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_CREDIT);
	rig_end(&r);
	assert_int_equal(rig_count(&rig_counters(&r)->repeated), 3);
	assert_int_equal(rig_count(&rig_counters(&r)->rebuilt), 1);
	rig_fini(&r);
}

/* A mirror delivers everything twice, and nobody wants copies recognised: two inner packets. */
static void a_tunnel_that_comes_twice_is_opened_twice(void **)
{
	static struct packet inner, p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&inner, false, 1000, 7);
	packet_tunnel(&p, inner.bytes, inner.len, 78);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_HELD);
		assert_int_equal(rig_piece(&r, &p, 504, packet_payload(&p)), DP_DATAGRAM_WHOLE);
	}
	assert_int_equal(rig_piece(&r, &p, 504, packet_payload(&p)), DP_DATAGRAM_HELD);
	assert_int_equal(r.ip_bytes, 2 * inner.len);
	rig_end(&r); // the fifth, alone, to the gateways' flow
	assert_int_equal(r.n_packets, 3);
	assert_int_equal(r.out[2].pkt.tuple.dport, 2152);
	rig_fini(&r);
}

static void repetitions_without_end_do_not_wait_without_end(void **)
{
	static struct packet p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&p, false, 1000, 7);
	for (int i = 0; i < 1000; i++) {
		(void)rig_piece(&r, &p, 504, packet_payload(&p));
		assert_in_range(
			rig_count(&rig_counters(&r)->held), 0, 4 * DP_DATAGRAM_FRAGMENTS_MAX);
	}
	assert_in_range(r.n_frames, 1000 - 4 * DP_DATAGRAM_FRAGMENTS_MAX, 1000);
	rig_end(&r);
	rig_fini(&r);
}

/* --- contradictions -------------------------------------------------------------------------- */

/* In a datagram of 1008 bytes payload there is 400 to 800. Each piece overlaps it, or says something
 * else of it. */
static void an_overlap_gives_the_datagram_up(void **)
{
	static const struct {
		uint32_t begin, end, seed;
	} pieces[] = {
		{0, 408, 0}, // its head
		{792, 1000, 0}, // its tail
		{480, 560, 0}, // inside
		{400, 480, 0}, // its first part
		{720, 800, 0}, // its last part
		{0, 1000, 0}, // around
		{400, 800, 1}, // the same place, other bytes
		{792, 1008, 0}, // its tail, and the end
		{0, 1008, 0}, // hardly a fragment
	};
	static struct packet p;
	static uint8_t bytes[RIG_PACKET_MAX];

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		struct rig r;
		uint32_t len;

		rig_init(&r, (struct dp_datagram_config){0});
		packet_udp(&p, false, 1000, 7);
		assert_int_equal(rig_piece(&r, &p, 400, 800), DP_DATAGRAM_HELD);
		p.bytes[20 + 404] ^= (uint8_t)pieces[i].seed;
		len = packet_fragment(&p, pieces[i].begin, pieces[i].end,
			pieces[i].end < 1008 || pieces[i].begin == 0, bytes);
		(void)rig_send(&r, bytes, len);
		assert_int_equal(rig_count(&rig_counters(&r)->overlapped), 1);
		(void)rig_piece(&r, &p, 0, 400);
		assert_int_equal(rig_piece(&r, &p, 800, 1008), DP_DATAGRAM_CREDIT);
		rig_end(&r);
		assert_int_equal(r.n_packets, 4);
		for (uint32_t k = 0; k < r.n_out; k++) {
			assert_false(r.out[k].is_whole);
			assert_int_equal(r.out[k].pkt.tuple.dport, 443);
		}
		assert_int_equal(rig_count(&rig_counters(&r)->overlapped), 1);
		assert_int_equal(rig_count(&rig_counters(&r)->expired), 0);
		rig_fini(&r);
	}
}

/* A sender that uses one number for all it sends: each train belongs to the flow it begins with. */
static void what_follows_another_first_fragment_is_of_its_flow(void **)
{
	static struct packet p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&p, false, 2000, 7);
	for (uint32_t i = 0; i < 3; i++) {
		frame_set16(p.bytes + 20, 50000 + i);
		for (uint32_t at = 0; at < 1504; at += 504)
			assert_int_equal(rig_piece(&r, &p, at, at + 504), DP_DATAGRAM_CREDIT);
	}
	assert_int_equal(rig_piece(&r, &p, 1512, packet_payload(&p)), DP_DATAGRAM_CREDIT);
	for (uint32_t i = 0; i < r.n_out; i++)
		assert_int_equal(r.out[i].pkt.tuple.sport, 50000 + (i < 9 ? i / 3 : 2));
	assert_int_equal(rig_count(&rig_counters(&r)->overlapped), 1);
	rig_end(&r);
	rig_fini(&r);
}

/* A tunnel that waits is its carrier's as soon as two of its fragments overlap. */
static void an_overlap_in_a_tunnel_credits_the_carrier(void **)
{
	static struct packet inner, p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){0});
	packet_udp(&inner, false, 1000, 7);
	packet_tunnel(&p, inner.bytes, inner.len, 78);
	assert_int_equal(rig_piece(&r, &p, 0, 400), DP_DATAGRAM_HELD);
	assert_int_equal(rig_piece(&r, &p, 392, 800), DP_DATAGRAM_CREDIT);
	assert_int_equal(r.out[0].pkt.n_packets, 2);
	assert_int_equal(r.out[0].pkt.ip_bytes, 400 + 408 + 2 * 20);
	assert_int_equal(r.out[0].pkt.tuple.sport, 2152);
	assert_int_equal(rig_piece(&r, &p, 800, packet_payload(&p)), DP_DATAGRAM_CREDIT);
	rig_end(&r);
	rig_fini(&r);
}

/* Lengths no two receivers agree about; 0 to 504 of the datagram is there. */
static void impossible_lengths_give_the_datagram_up(void **)
{
	static const struct {
		uint32_t begin, end;
		bool has_more;
		uint32_t claimed; // more than the frame has
	} pieces[] = {
		{504, 504, true, 0}, // nothing in it
		{504, 504, false, 0}, {504, 1004, true, 0}, // ends inside a unit of eight
		{504, 1008, true, 1}, // claims more than there is
		{65528, 65536, false, 0}, // behind the last byte there can be
		{65512, 65535, false, 0}, // with a header too long for Total Length
		{496, 504, false, 0}, // ends the datagram inside it
	};
	static struct packet p;
	static uint8_t bytes[RIG_PACKET_MAX];

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		struct rig r;
		uint32_t len;

		rig_init(&r, (struct dp_datagram_config){.n_buffers = 64});
		packet_udp(&p, false, 1000, 7);
		p.len = 20 + 65536;
		assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_CREDIT);
		if (pieces[i].begin == 65512) { // all the others are there
			for (uint32_t at = 504; at < 65512; at += 2048) {
				const uint32_t end = at + 2048 < 65512 ? at + 2048 : 65512;

				(void)rig_piece(&r, &p, at, end);
			}
		}
		len = packet_fragment(
			&p, pieces[i].begin, pieces[i].end, pieces[i].has_more, bytes);
		frame_set16(bytes + 2, len + pieces[i].claimed);
		assert_int_equal(rig_send(&r, bytes, len), DP_DATAGRAM_CREDIT);
		assert_int_equal(rig_count(&rig_counters(&r)->overlapped), 1);
		assert_int_equal(rig_count(&rig_counters(&r)->rebuilt), 0);
		rig_end(&r);
		rig_fini(&r);
	}
}

/* What stands behind the last fragment, or a second last one. */
static void fragments_behind_the_last_give_the_datagram_up(void **)
{
	for (int i = 0; i < 4; i++) {
		static struct packet p;
		static uint8_t bytes[RIG_PACKET_MAX];
		const bool is_first = (i & 1) != 0, has_more = (i & 2) != 0;
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){0});
		packet_udp(&p, false, 2000, 7);
		for (int k = 0; k < 2; k++) {
			const uint32_t len = (k == 0) == is_first
				? packet_fragment(&p, 1008, 1200, has_more, bytes)
				: packet_fragment(&p, 504, 1008, false, bytes);

			assert_int_equal(rig_send(&r, bytes, len), DP_DATAGRAM_HELD);
		}
		assert_int_equal(rig_count(&rig_counters(&r)->overlapped), 1);
		assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_CREDIT);
		assert_int_equal(r.out[0].pkt.n_packets, 3);
		rig_end(&r);
		rig_fini(&r);
	}
}

/* --- what never comes ------------------------------------------------------------------------ */

static void what_is_lost_leaves_the_others_to_the_carrier_in_time(void **)
{
	static struct packet inner, p;

	for (int i = 0; i < 4; i++) {
		const bool is_tunnel = (i & 1) != 0, has_first = (i & 2) != 0;
		const uint32_t begin = has_first ? 0 : 504;
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){0});
		packet_udp(&inner, false, 1600, 7);
		p = inner;
		if (is_tunnel)
			packet_tunnel(&p, inner.bytes, inner.len, 78);
		(void)rig_piece(&r, &p, begin, begin + 304);
		rig_advance(&r, RIG_S);
		assert_int_equal(rig_piece(&r, &p, 1008, 1208),
			has_first && !is_tunnel ? DP_DATAGRAM_CREDIT : DP_DATAGRAM_HELD);
		rig_advance(&r, RIG_TIMEOUT - RIG_S - 1);
		assert_int_equal(r.n_packets, has_first && !is_tunnel ? 2 : 0);
		rig_advance(&r, 1);
		assert_int_equal(r.n_packets, 2);
		assert_int_equal(r.ip_bytes, 304 + 200 + 2 * 20);
		assert_int_equal(rig_count(&rig_counters(&r)->expired), 1);
		assert_int_equal(rig_count(&rig_counters(&r)->held), 0);
		assert_int_equal((r.out[0].pkt.flags & DP_PKT_HAS_PORTS) != 0, has_first);
		assert_int_equal(r.out[0].pkt.tuple.dport, !has_first ? 0 : is_tunnel ? 2152 : 443);
		if (r.n_out == 1)
			assert_int_equal(r.out[0].pkt.time_ns, r.now_ms * 1000000);
		assert_int_equal(rig_piece(&r, &p, 304, 504), DP_DATAGRAM_HELD); // too late
		rig_end(&r);
		assert_int_equal(r.out[r.n_out - 1].pkt.time_ns, r.now_ms * 1000000);
		rig_fini(&r);
	}
}

static void a_remembered_datagram_is_forgotten_in_time(void **)
{
	static struct packet p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){.drops_repeated = true});
	packet_udp(&p, false, 1000, 7);
	(void)rig_piece(&r, &p, 0, 504);
	(void)rig_piece(&r, &p, 504, packet_payload(&p));
	rig_advance(&r, RIG_TIMEOUT - 1);
	assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_REPEATED);
	rig_advance(&r, 1);
	assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_CREDIT);
	assert_int_equal(rig_count(&rig_counters(&r)->expired), 0);
	rig_fini(&r);
}

/* --- too many -------------------------------------------------------------------------------- */

static void the_number_of_a_whole_datagram_comes_round(void **)
{
	static struct packet inner, p;

	for (int is_tunnel = 0; is_tunnel < 2; is_tunnel++) {
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){.drops_repeated = true});
		for (uint32_t i = 0; i < 5; i++) {
			packet_udp(&inner, false, 1000, i);
			inner.id = 7;
			frame_set16(inner.bytes + 4, 7);
			p = inner;
			if (is_tunnel)
				packet_tunnel(&p, inner.bytes, inner.len, 78);
			// the end first: it is not known yet that the number is in use again
			assert_int_equal(
				rig_piece(&r, &p, 504, packet_payload(&p)), DP_DATAGRAM_HELD);
			assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_WHOLE);
			assert_memory_equal(r.out[i].l3 + 28, inner.bytes + 28, inner.len - 28);
		}
		rig_end(&r);
		assert_int_equal(rig_count(&rig_counters(&r)->rebuilt), 5);
		rig_fini(&r);
	}
}

static void a_full_table_lets_the_oldest_go(void **)
{
	static struct packet p;
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){.n_datagrams = 8, .n_buffers = 64});
	for (uint32_t i = 0; i < 100; i++) {
		packet_udp(&p, false, 1000, i);
		p.bytes[14] = (uint8_t)i; // another client
		assert_int_equal(rig_piece(&r, &p, 504, 800), DP_DATAGRAM_HELD);
		assert_in_range(rig_count(&rig_counters(&r)->held), 1, 9);
	}
	assert_int_equal(r.out[0].pkt.tuple.src.b[14], 0);
	assert_int_equal(r.out[5].pkt.tuple.src.b[14], 5);
	assert_int_equal(rig_piece(&r, &p, 0, 504), DP_DATAGRAM_CREDIT); // the last is still there
	assert_int_equal(rig_count(&rig_counters(&r)->evicted), 92);
	rig_end(&r);
	assert_int_equal(rig_count(&rig_counters(&r)->expired), 8);
	rig_fini(&r);
}

static void without_buffers_the_oldest_is_not_rebuilt_and_yet_credited(void **)
{
	static struct packet p[3];
	struct rig r;

	rig_init(&r, (struct dp_datagram_config){.n_buffers = 1}); // and one that may be lent
	for (uint32_t i = 0; i < 3; i++) {
		packet_udp(&p[i], false, 1000, i);
		assert_int_equal(rig_piece(&r, &p[i], 504, 1008), DP_DATAGRAM_HELD);
	}
	assert_int_equal(rig_count(&rig_counters(&r)->crowded), 1);
	assert_int_equal(rig_piece(&r, &p[0], 0, 504), DP_DATAGRAM_CREDIT);
	assert_int_equal(r.out[0].pkt.n_packets, 2);
	assert_int_equal(r.out[0].pkt.tuple.dport, 443);
	assert_int_equal(rig_piece(&r, &p[2], 0, 504), DP_DATAGRAM_WHOLE);
	assert_int_equal(rig_piece(&r, &p[1], 0, 504), DP_DATAGRAM_WHOLE);
	rig_end(&r);
	rig_fini(&r);
}

static void as_many_fragments_as_are_kept_apart_make_a_datagram(void **)
{
	static struct packet p;

	for (uint32_t n = DP_DATAGRAM_FRAGMENTS_MAX; n <= DP_DATAGRAM_FRAGMENTS_MAX + 1; n++) {
		const bool is_kept = n == DP_DATAGRAM_FRAGMENTS_MAX;
		struct rig r;

		rig_init(&r, (struct dp_datagram_config){0});
		packet_udp(&p, false, n * 16 - 8, 7);
		for (uint32_t i = 0; i < n; i++) {
			const uint32_t begin = (i + 1) % n * 16; // the first one last

			assert_int_equal(rig_piece(&r, &p, begin, begin + 16),
				i < n - 1	  ? DP_DATAGRAM_HELD
					: is_kept ? DP_DATAGRAM_WHOLE
						  : DP_DATAGRAM_CREDIT);
		}
		assert_int_equal(rig_count(&rig_counters(&r)->crowded), !is_kept);
		assert_int_equal(r.n_packets, n);
		rig_end(&r);
		rig_fini(&r);
	}
}

/* A packet in L2TP, behind padding, of whose header of 60 bytes the first n lie within what is kept. */
static void packet_behind_padding(struct packet *p, uint32_t n)
{
	enum { PACKET_LEN = 300, L2TP_LEN = 8 };
	static uint8_t bytes[RIG_PACKET_MAX];
	const uint32_t at = DP_DATAGRAM_BYTES - n; // in the datagram's payload
	uint8_t *udp = bytes + 20, *l2tp = udp + 8, *inner = udp + at;
	const uint32_t len = 20 + at + PACKET_LEN;
	struct frame f;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, frame_ipv4(frame_new(&f), IPPROTO_UDP, RIG_GATEWAY[0], RIG_GATEWAY[1]), 20);
	frame_set16(bytes + 2, len);
	frame_set16(udp, 1701);
	frame_set16(udp + 2, 1701);
	frame_set16(udp + 4, len - 20);
	frame_set16(l2tp, 0x0202); // version 2, an offset
	frame_set16(l2tp + 6, at - 8 - L2TP_LEN - 1);
	inner[-1] = 0x21; // PPP: IPv4
	memcpy(inner, frame_ipv4(frame_new(&f), IPPROTO_UDP, RIG_CLIENT, RIG_SERVER), 20);
	inner[0] = 0x4f;
	frame_set16(inner + 2, PACKET_LEN);
	packet_of(p, bytes, len, 7);
}

static void a_header_that_is_not_kept_to_its_end_is_left_alone(void **)
{
	static const uint32_t kept[] = {20, 56, 59, 60, 61};
	static struct packet p;

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		const uint8_t *l3;
		struct rig r;

		// There is one more: with one of them taken it is the last, at the end of its block.
		rig_init(&r, (struct dp_datagram_config){.n_buffers = 1});
		packet_udp(&p, false, 1000, 8);
		assert_int_equal(rig_piece(&r, &p, 504, 1008), DP_DATAGRAM_HELD);
		packet_behind_padding(&p, kept[i]);
		assert_int_equal(rig_piece(&r, &p, 0, 9400), DP_DATAGRAM_HELD);
		assert_int_equal(rig_piece(&r, &p, 9400, packet_payload(&p)), DP_DATAGRAM_WHOLE);
		assert_int_equal(r.out[0].pkt.ip_bytes, 300);
		assert_int_equal(r.out[0].n_bytes, kept[i]);
		l3 = r.out[0].l3;
		assert_int_equal(l3[2] << 8 | l3[3], kept[i] < 60 ? 300 : kept[i]);
		rig_end(&r);
		rig_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repetition_is_dropped_before_and_behind_the_end),
		cmocka_unit_test(a_repetition_that_is_not_dropped_goes_to_the_flow),
		cmocka_unit_test(a_tunnel_that_comes_twice_is_opened_twice),
		cmocka_unit_test(repetitions_without_end_do_not_wait_without_end),
		cmocka_unit_test(an_overlap_gives_the_datagram_up),
		cmocka_unit_test(what_follows_another_first_fragment_is_of_its_flow),
		cmocka_unit_test(an_overlap_in_a_tunnel_credits_the_carrier),
		cmocka_unit_test(impossible_lengths_give_the_datagram_up),
		cmocka_unit_test(fragments_behind_the_last_give_the_datagram_up),
		cmocka_unit_test(what_is_lost_leaves_the_others_to_the_carrier_in_time),
		cmocka_unit_test(a_remembered_datagram_is_forgotten_in_time),
		cmocka_unit_test(the_number_of_a_whole_datagram_comes_round),
		cmocka_unit_test(a_full_table_lets_the_oldest_go),
		cmocka_unit_test(without_buffers_the_oldest_is_not_rebuilt_and_yet_credited),
		cmocka_unit_test(as_many_fragments_as_are_kept_apart_make_a_datagram),
		cmocka_unit_test(a_header_that_is_not_kept_to_its_end_is_left_alone),
	};

	return cmocka_run_group_tests_name("datagram_odd", tests, NULL, NULL);
}
