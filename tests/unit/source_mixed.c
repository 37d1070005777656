// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/pcapng.h"
#include "tests/unit/source_rig.h"

/* Interfaces of the link types in one file, and a packet of each in turn. Its first byte is the interface's
 * number, counted from `first`. */
static void mixed(
	struct capture *c, const uint16_t *link_types, unsigned int n_packets, uint8_t first)
{
	capture_section(c);
	for (unsigned int i = 0; i < 4; i++)
		(void)capture_interface(c, link_types[i], 65535 - i, 9);
	for (unsigned int i = 0; i < n_packets; i++) {
		const uint8_t interface = (uint8_t)(i * 7 % 4), byte = (uint8_t)(first + interface);

		capture_packet(c, interface, SOURCE_S + i, 60, &byte, 1);
	}
}

static void pcapng_interfaces_may_differ_in_link_type(void **)
{
	static const uint16_t link_types[2][4] = {{1, 101, 127, 113}, {113, 113, 0, 9}};
	static const enum dp_link links[2][4] = {
		{DP_LINK_ETHERNET, DP_LINK_RAW_IP, DP_LINK_RADIOTAP, DP_LINK_SLL},
		{DP_LINK_SLL, DP_LINK_SLL, DP_LINK_NULL, DP_LINK_PPP}};

	for (int i = 0; i < 2; i++) {
		source_clear(NULL);
		mixed(&source_a, link_types[i], 100, 0);

		const struct source_reading r = source_read_one(&source_a);

		assert_int_equal(r.end, DP_POLL_END);
		assert_int_equal(r.n, 100);
		for (unsigned int n = 0; n < r.n; n++) {
			assert_int_equal(r.first_byte[n], n * 7 % 4);
			assert_int_equal(r.link[n], links[i][r.first_byte[n]]);
		}
	}
}

/* The first interface's snap length is nothing to the others; to a packet without an interface it is. */
static void a_snap_length_is_that_of_the_packets_own_interface(void **)
{
	static const uint8_t bytes[200];

	for (int is_big = 0; is_big < 2; is_big++) {
		source_clear(NULL);
		source_a.is_big_endian = is_big != 0;
		capture_section(&source_a);
		(void)capture_interface(&source_a, 1, 96, 9);
		(void)capture_interface(&source_a, 101, 0, 9);
		capture_packet(&source_a, 1, SOURCE_S, 1500, bytes, 200);
		capture_put32(&source_a, 3);
		capture_put32(&source_a, 112);
		capture_put32(&source_a, 1400); // on the wire
		capture_put(&source_a, bytes, 96);
		capture_put32(&source_a, 112);
		capture_packet(&source_a, 0, 2ULL * SOURCE_S, 1300, bytes, 90);

		const struct source_reading r = source_read_one(&source_a);

		assert_int_equal(r.end, DP_POLL_END);
		assert_int_equal(r.n, 3);
		assert_int_equal(r.cap_len[0], 200);
		assert_int_equal(r.wire_bytes[0], 1500);
		assert_int_equal(r.cap_len[1], 96);
		assert_int_equal(r.wire_bytes[1], 1400);
		assert_int_equal(r.link[1], DP_LINK_ETHERNET);
		assert_int_equal(r.cap_len[2], 90);
		assert_int_equal(r.wire_bytes[2], 1300);
	}
}

/* Merged: the next record of one file waits while the other one's are read. */
static void two_mixed_files_keep_their_link_types(void **)
{
	static const uint16_t link_types[2][4] = {{1, 101, 127, 113}, {9, 0, 51, 104}};
	static const enum dp_link links[2][4] = {
		{DP_LINK_ETHERNET, DP_LINK_RAW_IP, DP_LINK_RADIOTAP, DP_LINK_SLL},
		{DP_LINK_PPP, DP_LINK_NULL, DP_LINK_PPPOE, DP_LINK_CHDLC}};
	unsigned int n[2] = {0};
	const char *paths[2];

	mixed(&source_a, link_types[0], 60, 0);
	mixed(&source_b, link_types[1], 60, 4);
	paths[0] = capture_file(&source_a);
	paths[1] = capture_file(&source_b);

	struct dp_source *s = source_open(paths, 2, false);
	const struct source_reading r = source_read_all(s);

	assert_int_equal(r.n, 120);
	for (unsigned int i = 0; i < r.n; i++) {
		const unsigned int file = r.first_byte[i] / 4;

		n[file]++;
		assert_int_equal(r.link[i], links[file][r.first_byte[i] % 4]);
	}
	assert_int_equal(n[0], 60);
	dp_source_close(s);
	capture_close(&source_a);
	capture_close(&source_b);
}

/* An interface of a kind that is not read hurts where it has a packet, and only there. */
static void a_packet_of_an_unknown_link_type_breaks_the_file_off_by_name(void **)
{
	static const uint16_t link_types[4] = {1, 1, 101, 189};

	mixed(&source_a, link_types, 1, 0); // of interface 0
	assert_int_equal(source_read_one(&source_a).end, DP_POLL_END);
	source_clear(NULL);
	mixed(&source_a, link_types, 20, 0); // of 0, 3, 2, 1

	const char *const path = capture_file(&source_a);
	struct dp_source *s = source_open(&path, 1, false);
	const struct source_reading r = source_read_all(s);

	assert_int_equal(r.n, 1);
	assert_int_equal(r.end, DP_POLL_BROKEN);
	assert_non_null(strstr(s->err.text, path));
	assert_non_null(strstr(s->err.text, "after frame 1: link type USB_LINUX (189)"));
	dp_source_close(s);
	capture_close(&source_a);
}

static void what_libpcap_refuses_of_a_mixed_file_ends_it_in_its_words(void **)
{
	static const uint16_t link_types[4] = {1, 101, 127, 113};
	static const char *const words[] = {
		"interface 7", "type 101 different", "not a multiple of 4", "byte order"};

	for (unsigned int i = 0; i < 4; i++) {
		source_clear(NULL);
		mixed(&source_a, link_types, 3, 0);
		if (i == 0) { // an interface that does not exist
			capture_packet(&source_a, 7, SOURCE_S, 5, "frame", 5);
		} else if (i == 1) { // one more interface than is remembered, of another link type
			for (int n = 4; n <= DP_PCAPNG_INTERFACES_MAX; n++)
				(void)capture_interface(&source_a, 101, 65535, 9);
		} else if (i == 2) { // a block whose length is none
			capture_put32(&source_a, 6);
			capture_put32(&source_a, 37);
			capture_put(&source_a, link_types, 8);
			capture_put(&source_a, &source_a, 64);
		} else { // a section of no byte order
			capture_put(&source_a, "\x0a\x0d\x0d\x0a\x1c\0\0\0", 8);
			capture_put(&source_a, "0123456789abcdef\x1c\0\0", 20);
		}
		mixed(&source_a, link_types, 3, 0); // nothing of it is read

		const char *const path = capture_file(&source_a);
		struct dp_source *s = source_open(&path, 1, false);
		const struct source_reading r = source_read_all(s);

		assert_int_equal(r.n, 3);
		assert_int_equal(r.end, DP_POLL_BROKEN);
		assert_non_null(strstr(s->err.text, "after frame 3:"));
		assert_non_null(strstr(s->err.text, words[i]));
		dp_source_close(s);
		capture_close(&source_a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pcapng_interfaces_may_differ_in_link_type),
		TEST(a_snap_length_is_that_of_the_packets_own_interface),
		TEST(two_mixed_files_keep_their_link_types),
		TEST(a_packet_of_an_unknown_link_type_breaks_the_file_off_by_name),
		TEST(what_libpcap_refuses_of_a_mixed_file_ends_it_in_its_words),
	};

	return cmocka_run_group_tests(tests, source_start, source_stop);
}
