// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/quic_rig.h"

#include "classifier/quic_google.h"

static uint8_t chlo[CLS_JOIN_BYTES];
static size_t n_chlo;

static const uint8_t cid[8] = {1, 2, 3, 4, 5, 6, 7, 8};
// Versions that were seen in the wild, of each layout at least one.
static const uint32_t numbers[] = {24, 25, 30, 33, 34, 35, 37, 39, 43, 44, 46};

static int setup(void **)
{
	n_chlo = quic_wire_chlo(NAME, 900, chlo);
	return quic_rig_setup(NULL);
}

/* Bytes begin to end of the hello as a frame of its stream. */
static void put_stream(uint32_t number, size_t begin, size_t end)
{
	const bool is_be = number >= 39;
	const uint8_t hi = (uint8_t)((end - begin) >> 8), lo = (uint8_t)(end - begin);
	const uint8_t ohi = (uint8_t)(begin >> 8), olo = (uint8_t)begin;
	uint8_t head[6] = {begin > 0 ? 0xa4 : 0xa0, 1};
	size_t n = 2;

	if (begin > 0) {
		head[n++] = is_be ? ohi : olo;
		head[n++] = is_be ? olo : ohi;
	}
	head[n++] = is_be ? hi : lo;
	head[n++] = is_be ? lo : hi;
	quic_rig_put(&rig, head, n);
	quic_rig_put(&rig, chlo + begin, end - begin);
}

static void put_clear(uint32_t number)
{
	rig.len = quic_wire_clear(number, cid, 1, rig.frames, rig.n_frames, rig.datagram);
	rig.n_frames = 0;
}

static void the_hash_is_fnv_1a(void **)
{
	static const uint8_t of_a[16] = {0xd2, 0x28, 0xcb, 0x69, 0x6f, 0x1a, 0x8c, 0xaf, //
		0x78, 0x91, 0x2b, 0x70, 0x4e, 0x4a, 0x89, 0x64}; // RFC 9923
	uint8_t hash[16];

	quic_wire_hash((const uint8_t *)"a", 1, hash);
	assert_memory_equal(hash, of_a, sizeof(of_a));
}

static void each_version_in_clear_is_read(void **)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		put_stream(numbers[i], 0, n_chlo);
		quic_rig_put(&rig, "\x00\x00\x07\x00", 4);
		put_clear(numbers[i]);
		assert_int_equal(quic_rig_send(&rig), FOUND);
		assert_string_equal(rig.name.host, NAME);
		assert_false(rig.name.has_ech);
		quic_rig_again(&rig);
	}
}

static void a_packet_that_is_cut_tells_no_name(void **)
{
	static const uint32_t some[] = {33, 43, 46};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		put_stream(some[i], 0, n_chlo);
		put_clear(some[i]);
		for (size_t len = 0; len < rig.len; len++) {
			assert_int_not_equal(quic_rig_look(&rig, rig.datagram, len), FOUND);
			cls_quic_drop(rig.quic, &rig.flow);
		}
		assert_int_equal(quic_rig_send(&rig), FOUND);
		quic_rig_again(&rig);
	}
}

static void a_packet_with_a_wrong_bit_tells_no_name(void **)
{
	n_chlo = quic_wire_chlo(NAME, 50, chlo);
	for (uint32_t number = 43; number <= 46; number += 3) {
		put_stream(number, 0, n_chlo);
		put_clear(number);
		for (size_t bit = 0; bit < rig.len * 8; bit++) {
			rig.datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(quic_rig_look(&rig, rig.datagram, rig.len), FOUND);
			rig.datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cls_quic_drop(rig.quic, &rig.flow);
		}
		assert_int_equal(quic_rig_send(&rig), FOUND);
		quic_rig_again(&rig);
	}
}

static void two_packets_in_either_order_make_the_hello(void **)
{
	for (int first = 0; first < 2; first++) {
		for (int i = 0; i < 2; i++) {
			const bool is_begin = i == first;

			put_stream(43, is_begin ? 0 : 500, is_begin ? 500 : n_chlo);
			put_clear(43);
			assert_int_equal(quic_rig_send(&rig), i == 0 ? MORE : FOUND);
		}
		assert_string_equal(rig.name.host, NAME);
		quic_rig_again(&rig);
	}
}

static void the_last_frame_needs_no_length(void **)
{
	quic_rig_put(&rig, "\x80\x01", 2);
	quic_rig_put(&rig, chlo, n_chlo);
	put_clear(43);
	assert_int_equal(quic_rig_send(&rig), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static const struct {
	uint32_t number;
	const char *bytes;
	size_t len;
} frames[] = {
	{43, "\x40\x01\x00\x02\x01\x00", 6}, // ACK of one packet
	{43,
		"\x6d\x00\x00\x00\x00\x00\x09\x00\x02\x02\x00\x03\x01\x00\x01\x01\x00\x02"
		"\x02\x01\x00\x00\x00\x00\x02\x00\x00",
		27}, // with two gaps and two times
	{43, "\x06\x00\x00\x00\x01", 5}, // STOP_WAITING
	{33, "\x06\x55\x01\x00\x00\x00", 6}, // with entropy
	{43, "\x80\x03", 2}, // another stream, to the end
	{43, "\xbd\x05\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00\x01?",
		14}, // long offset, 2 bytes of number
	{46, "\x07", 1}, {39, "\x40\x01\x00\x02\x01\x00", 6}, // the first version with this ACK
	{43, "\xa0\x03\x00\x04????", 8}, // the beginning of another stream
};

static void other_frames_are_skipped(void **)
{
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		const bool is_last = i == 4;

		if (!is_last)
			quic_rig_put(&rig, frames[i].bytes, frames[i].len);
		put_stream(frames[i].number, 0, n_chlo);
		quic_rig_put(&rig, frames[i].bytes, frames[i].len);
		put_clear(frames[i].number);
		assert_int_equal(quic_rig_send(&rig), FOUND);
		assert_string_equal(rig.name.host, NAME);
		quic_rig_again(&rig);
	}
}

static void a_packet_with_a_frame_that_is_cut_tells_nothing(void **)
{
	for (size_t i = 0; i < 4; i++)
		for (size_t len = 1; len < frames[i].len; len++) {
			put_stream(frames[i].number, 0, n_chlo);
			quic_rig_put(&rig, frames[i].bytes, len);
			put_clear(frames[i].number);
			assert_int_equal(quic_rig_send(&rig), NONE);
			quic_rig_again(&rig);
		}
}

static void a_packet_with_a_frame_that_has_no_place_tells_nothing(void **)
{
	static const struct {
		uint32_t number;
		uint8_t type;
	} odd[] = {{43, 1}, {43, 2}, {43, 3}, {43, 4}, {43, 5}, {43, 8}, {43, 9}, {43, 0x3f},
		{46, 6}, {46, 8}, {33, 0x40}};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		put_stream(odd[i].number, 0, n_chlo);
		quic_rig_put(&rig, &odd[i].type, 1);
		quic_rig_put(&rig, "\x00\x00\x00\x00\x00\x00\x00\x00", 8);
		put_clear(odd[i].number);
		assert_int_equal(quic_rig_send(&rig), NONE);
		quic_rig_again(&rig);
	}
}

static void the_servers_connection_ids_are_unlike(void **)
{
	put_stream(46, 0, n_chlo);
	put_clear(46);
	rig.datagram[5] = 0x55;
	assert_int_equal(quic_rig_send(&rig), NONE);
}

/* --- encrypted ------------------------------------------------------------------------------- */

static void a_hello_of_tags_may_be_encrypted(void **)
{
	const struct quic_wire w = {.version = CLS_QUIC_Q050, .dcid = "01234567", .dcid_len = 8};

	quic_rig_put(&rig, "\x07", 1);
	rig.n_frames += quic_wire_crypto(8, 0, chlo, n_chlo, rig.frames + rig.n_frames);
	quic_rig_packet(&rig, &w);
	assert_int_equal(quic_rig_send(&rig), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void a_hello_of_tls_may_be_in_googles_frames(void **)
{
	static const uint32_t versions[] = {0x54303530, 0x54303531};

	for (size_t i = 0; i < 2; i++) {
		const struct quic_wire w = {
			.version = versions[i], .dcid = "01234567", .dcid_len = 8};

		rig.n_frames = quic_wire_crypto(8, 0, rig.hello.bytes, rig.hello.len, rig.frames);
		quic_rig_packet(&rig, &w);
		assert_int_equal(quic_rig_send(&rig), FOUND);
		assert_string_equal(rig.name.host, NAME);
		quic_rig_again(&rig);
	}
}

/* --- hello ----------------------------------------------------------------------------------- */

static int look(size_t len, bool is_last)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int step;

	assert_non_null(copy);
	memcpy(copy, chlo, len);
	step = (int)cls_quic_chlo_name(copy, len, is_last, &rig.name);
	free(copy);
	return step;
}

static void a_hello_that_is_cut_has_its_name_once_it_is_there(void **)
{
	const size_t name_end = n_chlo - 4; // before the version

	for (size_t len = 0; len < n_chlo; len++) {
		assert_int_equal(look(len, false), MORE);
		assert_int_equal(look(len, true), len >= name_end ? FOUND : NONE);
	}
	assert_int_equal(look(n_chlo, false), FOUND);
	assert_string_equal(rig.name.host, NAME);
	chlo[n_chlo] = 0;
	assert_int_equal(look(n_chlo + 1, false), FOUND);
}

static void a_hello_without_a_name_is_none(void **)
{
	n_chlo = quic_wire_chlo(NULL, 100, chlo);
	assert_int_equal(look(n_chlo, false), NONE);
	n_chlo = quic_wire_chlo("", 100, chlo);
	assert_int_equal(look(n_chlo, false), NONE);
	chlo[0] = 'S';
	assert_int_equal(look(n_chlo, false), NONE);
	chlo[0] = 'X';
	assert_int_equal(look(1, false), NONE);
}

static void tags_that_go_back_are_none(void **)
{
	chlo[20] = 1; // the name would end before it begins: 0x0101 and 0x0001
	chlo[21] = 0;
	assert_int_equal(look(n_chlo, true), NONE);
}

static void too_many_tags_are_none(void **)
{
	memset(chlo + 8, 0, n_chlo - 8); // all of them without a value
	chlo[4] = 128;
	assert_int_equal(look(n_chlo, false), MORE);
	chlo[4] = 129;
	assert_int_equal(look(n_chlo, false), NONE);
	chlo[4] = 128;
	chlo[5] = 1;
	assert_int_equal(look(n_chlo, false), NONE);
}

static void a_name_with_a_nul_is_none(void **)
{
	chlo[n_chlo - 6] = '\0';
	assert_int_equal(look(n_chlo, false), NONE);
}

#define CHLO_TEST(test) cmocka_unit_test_setup_teardown(test, setup, quic_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHLO_TEST(the_hash_is_fnv_1a),
		CHLO_TEST(each_version_in_clear_is_read),
		CHLO_TEST(a_packet_that_is_cut_tells_no_name),
		CHLO_TEST(a_packet_with_a_wrong_bit_tells_no_name),
		CHLO_TEST(two_packets_in_either_order_make_the_hello),
		CHLO_TEST(the_last_frame_needs_no_length),
		CHLO_TEST(other_frames_are_skipped),
		CHLO_TEST(a_packet_with_a_frame_that_is_cut_tells_nothing),
		CHLO_TEST(a_packet_with_a_frame_that_has_no_place_tells_nothing),
		CHLO_TEST(the_servers_connection_ids_are_unlike),
		CHLO_TEST(a_hello_of_tags_may_be_encrypted),
		CHLO_TEST(a_hello_of_tls_may_be_in_googles_frames),
		CHLO_TEST(a_hello_that_is_cut_has_its_name_once_it_is_there),
		CHLO_TEST(a_hello_without_a_name_is_none),
		CHLO_TEST(tags_that_go_back_are_none),
		CHLO_TEST(too_many_tags_are_none),
		CHLO_TEST(a_name_with_a_nul_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
