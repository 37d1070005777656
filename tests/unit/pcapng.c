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

/* Two sections with two interfaces each; all snap lengths differ. */
static struct capture *mixed(size_t snap_offs[4], bool first_is_big, bool second_is_big)
{
	struct capture *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->is_big_endian = first_is_big;
	capture_section(c);
	snap_offs[0] = capture_interface(c, 1, 0x00010203, 6);
	capture_packet(c, 0, 1, 60, "\1\0\0\0\24\0\0\0 looks like an interface block", 37);
	snap_offs[1] = capture_interface(c, 1, 96, 6);
	c->is_big_endian = second_is_big;
	capture_section(c);
	snap_offs[2] = capture_interface(c, 1, 0, 9);
	capture_packet(c, 0, 2, 60, "frame", 5);
	snap_offs[3] = capture_interface(c, 1, 262144, 9);
	capture_packet(c, 1, 3, 60, "", 0);
	return c;
}

static void pass(const struct capture *c, uint8_t *ret, size_t piece)
{
	struct dp_pcapng w = {0};

	memcpy(ret, c->bytes, c->len);
	for (size_t off = 0; off < c->len; off += piece)
		dp_pcapng_pass(&w, ret + off, c->len - off < piece ? c->len - off : piece);
}

static void every_interface_gets_the_snap_length_of_the_first(void **)
{
	for (unsigned int order = 0; order < 4; order++) {
		const bool is_big[2] = {(order & 1) != 0, (order & 2) != 0};
		size_t off[4];
		struct capture *c = mixed(off, is_big[0], is_big[1]);
		uint8_t *got = malloc(c->len), *want = malloc(c->len);
		struct capture snap[2] = {
			{.is_big_endian = is_big[0]}, {.is_big_endian = is_big[1]}};

		assert_non_null(got);
		assert_non_null(want);
		memcpy(want, c->bytes, c->len);
		for (int i = 0; i < 2; i++)
			capture_put32(&snap[i], 0x00010203);
		for (int i = 0; i < 4; i++)
			memcpy(want + off[i], snap[i / 2].bytes, 4);
		for (size_t piece = 1; piece <= c->len; piece++) {
			pass(c, got, piece);
			assert_memory_equal(got, want, c->len);
		}
		free(got);
		free(want);
		free(c);
	}
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
		assert_memory_equal(block, whole, len);
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

		assert_non_null(block);
		memcpy(block, rows[i].bytes, rows[i].len);
		dp_pcapng_pass(&w, block, rows[i].len);
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
		(void)capture_interface(&c, 1, 65535, 6);
		capture_put32(&c, 6);
		capture_put32(&c, lengths[i]);
		(void)capture_interface(&c, 1, 96, 6);
		assert_true(c.len <= sizeof(got));
		pass(&c, got, c.len);
		assert_memory_equal(got, c.bytes, c.len);
	}
}

static void a_block_of_four_gigabytes_is_only_as_long_as_the_file(void **)
{
	struct capture c = {0};
	uint8_t got[1024];

	capture_section(&c);
	(void)capture_interface(&c, 1, 65535, 6);
	capture_put32(&c, 6);
	capture_put32(&c, 0xfffffffc);
	(void)capture_interface(&c, 1, 96, 6); // inside that block
	assert_true(c.len <= sizeof(got));
	pass(&c, got, c.len);
	assert_memory_equal(got, c.bytes, c.len);
}

static void an_interface_block_without_a_snap_length_keeps_its_bytes(void **)
{
	struct capture c = {0};
	uint8_t got[1024];

	capture_section(&c);
	(void)capture_interface(&c, 1, 65535, 6);
	capture_put32(&c, 1);
	capture_put32(&c, 16);
	capture_put32(&c, 1);
	capture_put32(&c, 16); // the trailing length, where a longer block has its snap length
	pass(&c, got, c.len);
	assert_memory_equal(got, c.bytes, c.len);
}

static void the_stream_reads_the_changed_bytes_and_closes_the_file(void **)
{
	size_t off[4];
	struct capture *c = mixed(off, false, false);
	uint8_t got[1024], want[1024];
	FILE *f;

	assert_true(c->len <= sizeof(want));
	pass(c, want, c->len);
	assert_non_null(capture_file(c));

	const int fd = open(c->path, O_RDONLY | O_CLOEXEC);

	f = dp_pcapng_open(fd);
	assert_non_null(f);
	assert_int_equal(fread(got, 1, sizeof(got), f), c->len);
	assert_memory_equal(got, want, c->len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	capture_close(c);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interface_gets_the_snap_length_of_the_first),
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
