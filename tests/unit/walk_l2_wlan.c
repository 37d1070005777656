// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame_l2.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { DATA = 0x08, QOS = 0x88, TO_DS = 0x01, BOTH_DS = 0x03, HTC = 0x80 };

static const uint32_t OPEN = WALK_ENCAP(WLAN) | WALK_ENCAP(LLC);

static void put_snap(struct frame *f, bool is_v6)
{
	(void)(is_v6 ? l2_ipv6(f) : l2_ipv4(f));
	frame_snap(f, 0, is_v6 ? 0x86dd : 0x0800);
}

static void data_is_found_behind_every_form_of_the_header(void **)
{
	static const uint8_t first[] = {DATA, QOS, 0x18, 0xb8}; // the last: with an acknowledgement
	static const uint8_t second[] = {
		0, TO_DS, 0x02, BOTH_DS, HTC, BOTH_DS | HTC, 0x38}; // the last: resent, asleep

	for (unsigned int i = 0; i < LENGTH(first) * LENGTH(second) * 2; i++) {
		const uint8_t *two = &second[i / 2 % LENGTH(second)];
		struct frame f;

		put_snap(&f, i % 2 == 1);
		frame_wlan(&f, first[i / 2 / LENGTH(second)], *two);
		l2_found(&f, DP_LINK_WLAN, i % 2 == 1, OPEN);
	}
}

static void what_is_no_data_is_not_ip(void **)
{
	static const uint8_t first[] = {
		0x80, 0x40, 0xb4, 0xd4, 0x0c, 0x48, 0xc8}; // beacon to QoS null

	for (size_t i = 0; i < LENGTH(first); i++) {
		struct frame f;

		put_snap(&f, false);
		frame_wlan(&f, first[i], 0);
		l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_NOT_IP, "wlan not_ip");
	}
}

static void data_that_cannot_be_read_is_unsupported(void **)
{
	struct frame f;

	put_snap(&f, false);
	frame_wlan(&f, QOS, TO_DS | 0x40); // protected
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_UNSUPPORTED, "wlan unsupported");
	put_snap(&f, false);
	frame_wlan(&f, QOS, TO_DS | 0x04); // more fragments
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_UNSUPPORTED, "wlan unsupported");
	put_snap(&f, false);
	frame_wlan(&f, QOS, TO_DS)[22] |= 1; // the second fragment
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_UNSUPPORTED, "wlan unsupported");
	put_snap(&f, false);
	frame_wlan(&f, QOS, BOTH_DS)[30] |= 0x80; // A-MSDU
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_UNSUPPORTED, "wlan unsupported");
	put_snap(&f, false);
	frame_wlan(&f, DATA | 1, 0); // version
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_UNSUPPORTED, "wlan unsupported");
}

static void a_header_that_is_cut_says_so(void **)
{
	struct frame f;

	frame_put(frame_new(&f), "\x08", 1);
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_TRUNCATED, "wlan truncated");
	frame_put(frame_new(&f), "\x88\x03 to be continued", 18);
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_TRUNCATED, "wlan truncated");
	frame_wlan(frame_new(&f), QOS, 0);
	l2_none(&f, DP_LINK_WLAN, DP_OUTCOME_TRUNCATED, "llc truncated");
}

static void radiotap_is_passed_with_every_bitmap(void **)
{
	for (unsigned int i = 0; i < 16; i++) {
		struct frame f;

		put_snap(&f, (i & 1) != 0);
		frame_wlan(&f, QOS, TO_DS);
		frame_radiotap(&f, (i & 2) != 0, 0, i >> 2);
		l2_found(&f, DP_LINK_RADIOTAP, (i & 1) != 0, OPEN);
	}
}

/* A super-frame has no length of its own: the frame without its check sequence is what bounds it. */
static void a_check_sequence_is_no_part_of_the_packet(void **)
{
	const struct walk_want want = l2_want(false, OPEN);
	struct frame f;

	for (unsigned int i = 0; i < 4; i++) {
		frame_set16(l2_ipv4(&f) + 2, 0);
		frame_snap(&f, 0, 0x0800);
		l2_append(&f, 4);
		frame_wlan(&f, DATA, TO_DS);
		frame_radiotap(&f, (i & 1) != 0, 0x10, i >> 1);
		walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_RADIOTAP, &want);
		walk_check_mutants(frame_bytes(&f), frame_len(&f), DP_LINK_RADIOTAP);
	}
	for (uint32_t len = 0; len < 8; len++) { // a frame that is hardly longer than one
		frame_put(frame_new(&f), "\x08\0\0\0\0\0\0\0", len);
		frame_radiotap(&f, false, 0x10, 0);
		l2_none(&f, DP_LINK_RADIOTAP, DP_OUTCOME_TRUNCATED, "wlan truncated");
	}
}

static void a_padded_header_is_passed(void **)
{
	struct frame f;

	put_snap(&f, false);
	frame_put(&f, "\0\0", 2); // behind 26 bytes
	frame_wlan(&f, QOS, TO_DS);
	frame_radiotap(&f, true, 0x20, 0);
	l2_found(&f, DP_LINK_RADIOTAP, false, OPEN);
	put_snap(&f, false);
	frame_wlan(&f, DATA, TO_DS); // 24
	frame_radiotap(&f, true, 0x20, 0);
	l2_found(&f, DP_LINK_RADIOTAP, false, OPEN);
}

static void radiotap_that_contradicts_itself_stays_closed(void **)
{
	static const struct {
		uint32_t off;
		uint8_t byte;
		enum dp_outcome outcome;
		const char *refusal;
	} rows[] = {{0, 1, DP_OUTCOME_UNSUPPORTED, "wlan unsupported"}, // version
		{2, 7, DP_OUTCOME_MALFORMED, "wlan malformed"}, // its length
		{2, 8, DP_OUTCOME_MALFORMED, "wlan malformed"}, // no flags in it
		{3, 0xff, DP_OUTCOME_TRUNCATED, "wlan truncated"},
		{7, 0x80, DP_OUTCOME_MALFORMED, "wlan malformed"}}; // a bitmap behind its end

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct frame f;

		put_snap(&f, false);
		frame_wlan(&f, DATA, 0);
		frame_radiotap(&f, false, 0, 0)[rows[i].off] = rows[i].byte;
		l2_none(&f, DP_LINK_RADIOTAP, rows[i].outcome, rows[i].refusal);
	}
}

static void a_presence_bitmap_is_walked_eight_words_long(void **)
{
	struct frame f;

	put_snap(&f, false);
	frame_wlan(&f, DATA, 0);
	frame_radiotap(&f, false, 0, 7);
	l2_found(&f, DP_LINK_RADIOTAP, false, OPEN);
	put_snap(&f, false);
	frame_wlan(&f, DATA, 0);
	frame_radiotap(&f, false, 0, 8);
	l2_none(&f, DP_LINK_RADIOTAP, DP_OUTCOME_MALFORMED, "wlan malformed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_found_behind_every_form_of_the_header),
		cmocka_unit_test(what_is_no_data_is_not_ip),
		cmocka_unit_test(data_that_cannot_be_read_is_unsupported),
		cmocka_unit_test(a_header_that_is_cut_says_so),
		cmocka_unit_test(radiotap_is_passed_with_every_bitmap),
		cmocka_unit_test(a_check_sequence_is_no_part_of_the_packet),
		cmocka_unit_test(a_padded_header_is_passed),
		cmocka_unit_test(radiotap_that_contradicts_itself_stays_closed),
		cmocka_unit_test(a_presence_bitmap_is_walked_eight_words_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
