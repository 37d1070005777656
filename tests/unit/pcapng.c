// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pcapng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { ETHERNET = 1, RAW = 101, SLL = 113 };

/* Two sections with two interfaces each, whose link types and snap lengths differ. The link type stands
 * four bytes in front of the snap length. */
static struct capture *mixed(size_t snap_offs[4], bool first_is_big, bool second_is_big)
{
	struct capture *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->is_big_endian = first_is_big;
	capture_section(c);
	snap_offs[0] = capture_interface(c, ETHERNET, 0x00010203, 6);
	capture_packet(c, 0, 1, 60, "\1\0\0\0\24\0\0\0 looks like an interface block", 37);
	snap_offs[1] = capture_interface(c, RAW, 96, 6);
	c->is_big_endian = second_is_big;
	capture_section(c);
	snap_offs[2] = capture_interface(c, SLL, 0, 9);
	capture_packet(c, 0, 2, 60, "frame", 5);
	snap_offs[3] = capture_interface(c, ETHERNET, 262144, 9);
	capture_packet(c, 1, 3, 60, "", 0);
	return c;
}

/* As a stream gives it: `piece` bytes at hand, or more where that is too little, or what is left. */
static void pass(const struct capture *c, uint8_t *ret, size_t piece)
{
	struct dp_pcapng w = {0};

	memcpy(ret, c->bytes, c->len);
	for (size_t off = 0, n = 0; off < c->len;) {
		const size_t left = c->len - off;

		n = n + piece < left ? n + piece : left;

		const size_t done = dp_pcapng_pass(&w, ret + off, n);

		assert_in_range(done, 0, n);
		assert_true(done > 0 || n < DP_PCAPNG_HEAD_BYTES);
		if (done == 0 && n == left)
			return;
		off += done;
		n = done > 0 ? 0 : n;
	}
}

static void every_interface_gets_the_link_type_of_the_first_and_no_snap_length(void **)
{
	for (unsigned int order = 0; order < 4; order++) {
		const bool is_big[2] = {(order & 1) != 0, (order & 2) != 0};
		size_t off[4];
		struct capture *c = mixed(off, is_big[0], is_big[1]);
		uint8_t *got = malloc(c->len), *want = malloc(c->len);
		struct capture first[2] = {
			{.is_big_endian = is_big[0]}, {.is_big_endian = is_big[1]}};

		assert_non_null(got);
		assert_non_null(want);
		memcpy(want, c->bytes, c->len);
		for (int i = 0; i < 2; i++) {
			capture_put16(&first[i], ETHERNET);
			capture_put16(&first[i], 0);
			capture_put32(&first[i], 0);
		}
		for (int i = 0; i < 4; i++)
			memcpy(want + off[i] - 4, first[i / 2].bytes, 8);
		for (size_t piece = 1; piece <= c->len; piece++) {
			pass(c, got, piece);
			assert_memory_equal(got, want, c->len);
		}
		free(got);
		free(want);
		free(c);
	}
}

/* Pass the next block and nothing of what is behind it. */
static void pass_block(struct dp_pcapng *w, struct capture *c, size_t *off)
{
	const size_t done = dp_pcapng_pass(w, c->bytes + *off, c->len - *off);

	assert_in_range(done, 12, c->len - *off);
	*off += done;
}

/* The obsolete block (2) and the simple one (3). */
static void old_packets(struct capture *c, uint16_t interface)
{
	capture_put32(c, 2);
	capture_put32(c, 32);
	capture_put16(c, interface);
	capture_put16(c, 0);
	for (int i = 0; i < 4; i++)
		capture_put32(c, 0);
	capture_put32(c, 32);
	capture_put32(c, 3);
	capture_put32(c, 16);
	capture_put32(c, 0);
	capture_put32(c, 16);
}

static void a_packet_has_the_link_type_its_interface_had(void **)
{
	for (int is_big = 0; is_big < 2; is_big++) {
		static const uint16_t want[] = {0, 0, 0, RAW, ETHERNET, ETHERNET, RAW, ETHERNET,
			ETHERNET, ETHERNET, ETHERNET, SLL, ETHERNET, SLL};
		struct dp_pcapng w = {0};
		struct capture c = {.is_big_endian = is_big != 0};
		size_t off = 0;

		capture_section(&c);
		(void)capture_interface(&c, ETHERNET, 65535, 6);
		(void)capture_interface(&c, RAW, 65535, 6);
		capture_packet(&c, 1, 1, 60, "one", 3);
		capture_packet(&c, 0, 2, 60, "two", 3);
		capture_packet(&c, 2, 2, 60, "an interface that does not exist", 32);
		old_packets(&c, 1);
		c.is_big_endian = !c.is_big_endian;
		capture_section(&c); // forgets the interfaces
		capture_packet(&c, 1, 1, 60, "nowhere", 7);
		(void)capture_interface(&c, SLL, 65535, 6);
		capture_packet(&c, 0, 1, 60, "", 0);
		old_packets(&c, 7);
		for (size_t i = 0; off < c.len; i++) {
			assert_true(i < sizeof(want) / sizeof(want[0]));
			pass_block(&w, &c, &off);
			assert_int_equal(w.packet_link, want[i]);
		}
		assert_int_equal(w.link, ETHERNET);
		assert_false(w.is_passing);
	}
}

static void a_simple_packet_is_as_long_as_the_first_interface_lets_it(void **)
{
	static const struct {
		uint32_t snap_len, wire_len, want;
	} rows[] = {{0, 1514, 1514}, {96, 1514, 96}, {96, 96, 96}, {96, 60, 60}};

	for (size_t i = 0; i < 2 * (sizeof(rows) / sizeof(rows[0])); i++) {
		struct dp_pcapng w = {0};
		struct capture c = {.is_big_endian = i % 2 == 1}, want = c;
		size_t off = 0;

		capture_section(&c);
		(void)capture_interface(&c, ETHERNET, rows[i / 2].snap_len, 6);
		(void)capture_interface(&c, ETHERNET, 20, 6);
		capture_put32(&c, 3);
		capture_put32(&c, 16);
		capture_put32(&c, rows[i / 2].wire_len);
		capture_put32(&c, 16);
		capture_packet(&c, 0, 1, 60, "enhanced", 8);
		capture_put32(&want, rows[i / 2].want);
		for (int n = 0; n < 4; n++)
			pass_block(&w, &c, &off);
		assert_memory_equal(c.bytes + off - 8, want.bytes, 4);
		assert_int_equal(w.packet_bytes, rows[i / 2].wire_len);
		pass_block(&w, &c, &off);
		assert_int_equal(w.packet_bytes, 0);
	}
}

static void interfaces_behind_the_bound_keep_their_link_type(void **)
{
	struct capture c = {0};
	struct dp_pcapng w = {0};
	size_t off = 0, snap_off = 0;

	capture_section(&c);
	for (int i = 0; i < DP_PCAPNG_INTERFACES_MAX + 2; i++)
		snap_off = capture_interface(&c, i == 0 ? ETHERNET : RAW, 65535, 6);
	capture_packet(&c, DP_PCAPNG_INTERFACES_MAX - 1, 1, 60, "known", 5);
	for (int i = 0; i < DP_PCAPNG_INTERFACES_MAX + 4; i++)
		pass_block(&w, &c, &off);
	assert_int_equal(off, c.len);
	assert_int_equal(w.packet_link, RAW);
	assert_int_equal(c.bytes[snap_off - 4], RAW); // the last one's
	assert_int_equal(c.bytes[snap_off - 4 - 64], ETHERNET); // the last one that is remembered
}

static void a_file_cut_anywhere_gives_the_beginning_of_what_the_whole_one_gives(void **)
{
	size_t off[4];
	struct capture *c = mixed(off, false, true);
	const size_t whole_len = c->len;
	uint8_t *whole = malloc(whole_len);

	assert_non_null(whole);
	pass(c, whole, whole_len);
	for (size_t len = 1; len <= whole_len; len++) {
		uint8_t *block = malloc(len);

		assert_non_null(block);
		c->len = len;
		pass(c, block, len);
		for (size_t i = 0; i < len;
			i++) // the beginning of a block without its end is nobody's
			assert_true(block[i] == whole[i] ||
				(len - i < DP_PCAPNG_HEAD_BYTES && block[i] == c->bytes[i]));
		free(block);
	}
	free(whole);
	free(c);
}

static void what_is_no_pcapng_passes_untouched(void **)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"", 0}, {"\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0", 24}, // pcap
		{"\x1f\x8b\x08\0\0\0\0\0\0\3", 10}, // gzip
		{"\x0a\x0d\x0d\x0a\x1c\0\0\0none", 12}, // no byte order
		{"\x01\0\0\0\x14\0\0\0\1\0\0\0\1\2\3\4\x14\0\0\0", 20}, // no section before it
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_pcapng w = {0};
		uint8_t *block = malloc(rows[i].len + 1);
		const size_t want = rows[i].len < DP_PCAPNG_HEAD_BYTES ? 0 : rows[i].len;

		assert_non_null(block);
		memcpy(block, rows[i].bytes, rows[i].len);
		assert_int_equal(dp_pcapng_pass(&w, block, rows[i].len), want);
		assert_memory_equal(block, rows[i].bytes, rows[i].len);
		free(block);
	}
}

static void behind_a_length_that_cannot_be_nothing_is_changed(void **)
{
	static const uint32_t lengths[] = {0, 4, 8, 11, 13, 14, 15, 0xffffffff};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct capture c = {0};
		uint8_t got[sizeof(c.bytes) / 64];

		capture_section(&c);

		const size_t snap_off = capture_interface(&c, 1, 65535, 6);

		capture_put32(&c, 6);
		capture_put32(&c, lengths[i]);
		(void)capture_interface(&c, RAW, 96, 6);
		assert_true(c.len <= sizeof(got));
		pass(&c, got, c.len);
		assert_memory_equal(got, c.bytes, snap_off);
		assert_memory_equal(
			got + snap_off + 4, c.bytes + snap_off + 4, c.len - snap_off - 4);
	}
}

static void a_block_of_four_gigabytes_is_only_as_long_as_the_file(void **)
{
	struct capture c = {0};
	uint8_t got[1024];

	capture_section(&c);

	const size_t snap_off = capture_interface(&c, 1, 65535, 6);

	capture_put32(&c, 6);
	capture_put32(&c, 0xfffffffc);
	(void)capture_interface(&c, RAW, 96, 6); // inside that block
	assert_true(c.len <= sizeof(got));
	pass(&c, got, c.len);
	assert_memory_equal(got, c.bytes, snap_off);
	assert_memory_equal(got + snap_off + 4, c.bytes + snap_off + 4, c.len - snap_off - 4);
}

static void an_interface_block_without_a_snap_length_keeps_its_bytes(void **)
{
	struct capture c = {0};
	uint8_t got[1024];

	capture_section(&c);
	(void)capture_interface(&c, 1, 0, 6);
	capture_put32(&c, 1);
	capture_put32(&c, 16);
	capture_put32(&c, RAW);
	capture_put32(&c, 16); // the trailing length, where a longer block has its snap length
	pass(&c, got, c.len);
	assert_memory_equal(got, c.bytes, c.len);
}

static void the_stream_reads_the_changed_bytes_and_closes_the_file(void **)
{
	size_t off[4];
	struct capture *c = mixed(off, false, false);
	uint8_t got[1024], want[1024];
	const struct dp_pcapng *walk;
	FILE *f;

	assert_true(c->len <= sizeof(want));
	pass(c, want, c->len);
	assert_non_null(capture_file(c));

	const int fd = open(c->path, O_RDONLY | O_CLOEXEC);

	f = dp_pcapng_open(fd, &walk);
	assert_non_null(f);
	assert_int_equal(fread(got, 1, sizeof(got), f), c->len);
	assert_memory_equal(got, want, c->len);
	assert_int_equal(walk->packet_link, ETHERNET);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	capture_close(c);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_interface_gets_the_link_type_of_the_first_and_no_snap_length),
		cmocka_unit_test(a_packet_has_the_link_type_its_interface_had),
		cmocka_unit_test(a_simple_packet_is_as_long_as_the_first_interface_lets_it),
		cmocka_unit_test(interfaces_behind_the_bound_keep_their_link_type),
		cmocka_unit_test(
			a_file_cut_anywhere_gives_the_beginning_of_what_the_whole_one_gives),
		cmocka_unit_test(what_is_no_pcapng_passes_untouched),
		cmocka_unit_test(behind_a_length_that_cannot_be_nothing_is_changed),
		cmocka_unit_test(a_block_of_four_gigabytes_is_only_as_long_as_the_file),
		cmocka_unit_test(an_interface_block_without_a_snap_length_keeps_its_bytes),
		cmocka_unit_test(the_stream_reads_the_changed_bytes_and_closes_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
