// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/walk.h"
#include "tests/unit/frame.h"

#include <netinet/in.h>
#include <stdlib.h>

static const char V4[] = "10.0.0.7", V4_SERVER[] = "203.0.113.9";
static const char V6[] = "2001:db8::7", V6_SERVER[] = "2001:db8:1::9";
static const char TEXT[] = "what is carried";

enum { TEXT_LEN = sizeof(TEXT) - 1 };

static struct dp_stage_item item_of(struct frame *f)
{
	return (struct dp_stage_item){
		.l3 = frame_bytes(f), .l3_len = frame_len(f), .tcp_seq = 4000000000};
}

static void put_udp(struct frame *f)
{
	frame_put(frame_new(f), TEXT, TEXT_LEN);
	frame_udp(f, 50000, 53);
}

static void put_tcp(struct frame *f, uint8_t flags, uint32_t n_options)
{
	uint8_t options[40] = {1, 1, 1, 1};

	frame_put(frame_new(f), TEXT, TEXT_LEN);
	frame_put(f, options, 4 * n_options);
	frame_tcp(f, 50000, 443, flags, 4000000000);
	frame_bytes(f)[12] = (uint8_t)((5 + n_options) << 4);
}

static void expect_text(struct frame *f, uint8_t proto)
{
	const struct dp_stage_item item = item_of(f);
	struct cls_segment s;

	assert_true(cls_segment_of(&item, &s));
	assert_int_equal(s.l4_proto, proto);
	assert_int_equal(s.sport, 50000);
	assert_int_equal(s.dport, proto == IPPROTO_UDP ? 53 : 443);
	assert_int_equal(s.len, TEXT_LEN);
	assert_memory_equal(s.payload, TEXT, TEXT_LEN);
}

static bool is_none(struct frame *f)
{
	const struct dp_stage_item item = item_of(f);
	struct cls_segment s;

	return !cls_segment_of(&item, &s);
}

static void payload_stands_behind_ipv4_with_options(void **)
{
	struct frame f;

	for (uint32_t n_options = 0; n_options <= 10; n_options++) {
		put_udp(&f);
		frame_ipv4_with(&f, IPPROTO_UDP, V4, V4_SERVER, 0x4000, n_options); // DF
		expect_text(&f, IPPROTO_UDP);
		put_tcp(&f, 0x18, n_options);
		frame_ipv4_with(&f, IPPROTO_TCP, V4, V4_SERVER, 0, 0);
		expect_text(&f, IPPROTO_TCP);
	}
}

static void payload_stands_behind_extension_headers(void **)
{
	static const uint8_t kinds[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_MH, 139, 140};
	struct frame f;

	for (size_t i = 0; i < sizeof(kinds); i++) {
		put_udp(&f);
		frame_ipv6_ext(&f, IPPROTO_UDP, (uint8_t)i);
		frame_ah(&f, kinds[i]);
		frame_ipv6_ext(&f, IPPROTO_AH, 0); // an atomic fragment
		frame_ipv6(&f, IPPROTO_FRAGMENT, V6, V6_SERVER);
		expect_text(&f, IPPROTO_UDP);
	}
	put_tcp(&f, 0x18, 3);
	for (int i = 0; i < DP_WALK_EXT_HEADERS_MAX; i++)
		frame_ipv6_ext(&f, i == 0 ? IPPROTO_TCP : IPPROTO_DSTOPTS, 0);
	frame_ipv6(&f, IPPROTO_DSTOPTS, V6, V6_SERVER);
	expect_text(&f, IPPROTO_TCP);
	f.off += 40;
	frame_ipv6_ext(&f, IPPROTO_DSTOPTS, 0);
	frame_ipv6(&f, IPPROTO_DSTOPTS, V6, V6_SERVER); // one more than the walk opens
	assert_true(is_none(&f));
}

static void the_sequence_number_is_of_the_first_byte(void **)
{
	struct dp_stage_item item;
	struct cls_segment s;
	struct frame f;

	put_tcp(&f, 0x18, 0);
	frame_ipv4(&f, IPPROTO_TCP, V4, V4_SERVER);
	item = item_of(&f);
	assert_true(cls_segment_of(&item, &s));
	assert_int_equal(s.seq, 4000000000);
	put_tcp(&f, 0x02, 0);
	frame_ipv4(&f, IPPROTO_TCP, V4, V4_SERVER);
	item = item_of(&f);
	assert_true(cls_segment_of(&item, &s));
	assert_int_equal(s.seq, 4000000001);
}

/* RFC 768: what stands behind the datagram is not of it. */
static void a_datagram_is_as_long_as_it_says(void **)
{
	struct dp_stage_item item;
	struct cls_segment s;
	struct frame f;

	put_udp(&f);
	frame_set16(frame_bytes(&f) + 4, 8 + 4);
	frame_ipv4(&f, IPPROTO_UDP, V4, V4_SERVER);
	item = item_of(&f);
	assert_true(cls_segment_of(&item, &s));
	assert_int_equal(s.len, 4);
	frame_set16(frame_bytes(&f) + 20 + 4, 8 + TEXT_LEN + 1);
	assert_true(cls_segment_of(&item, &s));
	assert_int_equal(s.len, TEXT_LEN); // it was cut
	frame_set16(frame_bytes(&f) + 20 + 4, 0);
	assert_true(cls_segment_of(&item, &s));
	assert_int_equal(s.len, TEXT_LEN);
	frame_set16(frame_bytes(&f) + 20 + 4, 7);
	assert_true(is_none(&f));
}

static void what_is_no_whole_header_is_nothing(void **)
{
	struct frame f;

	put_udp(&f);
	frame_ipv4_with(&f, IPPROTO_UDP, V4, V4_SERVER, 0x2000, 0);
	assert_true(is_none(&f));
	put_udp(&f);
	frame_ipv4_with(&f, IPPROTO_UDP, V4, V4_SERVER, 5, 0);
	assert_true(is_none(&f));
	put_udp(&f);
	frame_set16(frame_ipv6_ext(&f, IPPROTO_UDP, 0) + 2, 1); // more fragments
	frame_ipv6(&f, IPPROTO_FRAGMENT, V6, V6_SERVER);
	assert_true(is_none(&f));
	put_udp(&f);
	frame_ipv4(&f, IPPROTO_SCTP, V4, V4_SERVER);
	assert_true(is_none(&f));
	frame_bytes(&f)[0] = 0x44; // a header of 16 bytes
	assert_true(is_none(&f));
	frame_bytes(&f)[0] = 0x55;
	assert_true(is_none(&f));
	put_tcp(&f, 0x18, 0);
	frame_bytes(&f)[12] = 0x40;
	frame_ipv4(&f, IPPROTO_TCP, V4, V4_SERVER);
	assert_true(is_none(&f));

	const struct dp_stage_item item = {.l3 = NULL, .l3_len = 0};
	struct cls_segment s;

	assert_false(cls_segment_of(&item, &s));
}

/* Each prefix in a block of its own: either nothing, or payload inside it. */
static void try_truncations(struct frame *f, uint32_t header_len)
{
	for (uint32_t len = 0; len <= frame_len(f); len++) {
		uint8_t *block = malloc(len > 0 ? len : 1);
		const struct dp_stage_item item = {.l3 = block, .l3_len = len};
		struct cls_segment s;

		assert_non_null(block);
		memcpy(block, frame_bytes(f), len);
		assert_int_equal(cls_segment_of(&item, &s), len >= header_len);
		if (len >= header_len) {
			assert_ptr_equal(s.payload, block + header_len);
			assert_int_equal(s.len, len - header_len);
		}
		free(block);
	}
}

static void every_truncation_is_survived(void **)
{
	struct frame f;

	put_udp(&f);
	frame_ipv6_ext(&f, IPPROTO_UDP, 2);
	frame_ah(&f, IPPROTO_HOPOPTS);
	frame_ipv6(&f, IPPROTO_AH, V6, V6_SERVER);
	try_truncations(&f, 40 + 24 + 24 + 8);
	put_tcp(&f, 0x18, 4);
	frame_ipv4_with(&f, IPPROTO_TCP, V4, V4_SERVER, 0, 3);
	try_truncations(&f, 20 + 12 + 20 + 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payload_stands_behind_ipv4_with_options),
		cmocka_unit_test(payload_stands_behind_extension_headers),
		cmocka_unit_test(the_sequence_number_is_of_the_first_byte),
		cmocka_unit_test(a_datagram_is_as_long_as_it_says),
		cmocka_unit_test(what_is_no_whole_header_is_nothing),
		cmocka_unit_test(every_truncation_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
