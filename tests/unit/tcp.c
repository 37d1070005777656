// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/tcp_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MSS = 1460 };

/* Where streams begin: inside, across the wrap of the numbers, across the wrap of their sign. */
static const uint32_t starts[] = {1, 1000000, UINT32_MAX - 2 * MSS, UINT32_MAX, INT32_MAX - MSS};

static void what_goes_as_expected_says_nothing(void **)
{
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		const uint32_t s = starts[i];
		struct conn c;

		conn_middle(&c, s, 77);
		for (uint32_t n = 0; n < 20; n++) {
			wait_us(&c, 500);
			assert_int_equal(data(&c, UP, s + n * MSS, 77, MSS), 0);
			assert_int_equal(c.event.n_segments, 1);
			assert_int_equal(data(&c, DOWN, 77, s + (n + 1) * MSS, 0), 0);
			assert_int_equal(c.event.n_segments, 0);
		}
		assert_int_equal(c.flow.next_seq[UP], s + 20 * MSS);
	}
}

static void data_that_passed_before_is_retransmitted(void **)
{
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		const uint32_t s = starts[i];
		struct conn c;

		conn_middle(&c, 77, s);
		for (uint32_t n = 0; n < 4; n++)
			assert_int_equal(data(&c, DOWN, s + n * MSS, 77, MSS), 0);
		wait_us(&c, 30000);
		assert_int_equal(data(&c, DOWN, s + 2 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);
		assert_false(c.event.is_up);
		assert_int_equal(data(&c, DOWN, s + 3 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);
		assert_int_equal(c.event.n_segments, 1);
		assert_int_equal(data(&c, DOWN, s + 4 * MSS, 77, MSS), 0);
	}
}

static void a_segment_that_repeats_a_part_counts_once_and_goes_on(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000, 77, 500), 0);
	assert_int_equal(data(&c, UP, 1200, 77, 1000), DP_TCP_RETRANSMITTED);
	assert_int_equal(c.flow.next_seq[UP], 2200);
	assert_int_equal(data(&c, UP, 2200, 77, 10), 0);
}

static void missing_data_that_comes_soon_was_overtaken(void **)
{
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		const uint32_t s = starts[i];
		struct conn c;

		conn_middle(&c, s, 77);
		assert_int_equal(data(&c, UP, s + MSS, 77, MSS), 0);
		wait_us(&c, 2980);
		assert_int_equal(data(&c, UP, s, 77, MSS), DP_TCP_OUT_OF_ORDER);
		assert_true(c.event.is_up);
		assert_int_equal(c.flow.next_seq[UP], s + 2 * MSS);
		// Once it has come it is not missing any more.
		assert_int_equal(data(&c, UP, s, 77, MSS), DP_TCP_RETRANSMITTED);
	}
}

static void missing_data_that_comes_late_was_lost_and_sent_again(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), 0);
	wait_us(&c, 3020);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_RETRANSMITTED);

	// Others in between make the hole no younger.
	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), 0);
	for (uint32_t n = 2; n < 6; n++) {
		wait_us(&c, 1000);
		assert_int_equal(data(&c, UP, 1000 + n * MSS, 77, MSS), 0);
	}
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_RETRANSMITTED);

	// Nor does a silence after which the 16 bits of its age have come round.
	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), 0);
	c.now_ns += (1ULL << 30) + 1000000;
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_RETRANSMITTED);
}

static void sooner_than_a_round_trip_nothing_is_sent_again(void **)
{
	struct conn c;

	for (uint32_t late_us = 1400; late_us <= 1600; late_us += 200) {
		conn_begin(&c);
		(void)conn_send(&c, UP, DP_TCP_SYN, 999, 0, 0, 1000);
		wait_us(&c, 500);
		(void)conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 76, 1000, 0, 1000);
		wait_us(&c, 1000);
		assert_int_equal(data(&c, UP, 1000, 77, 0), DP_TCP_RTT_HANDSHAKE);
		wait_us(&c, 100000);
		assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), 0);
		wait_us(&c, late_us);
		assert_int_equal(data(&c, UP, 1000, 77, MSS),
			late_us < 1500 ? DP_TCP_OUT_OF_ORDER : DP_TCP_RETRANSMITTED);
	}
}

static void several_overtaken_segments_are_told_from_repeated_ones(void **)
{
	const uint32_t order[] = {1, 3, 5, 0, 2, 4};
	struct conn c;

	conn_middle(&c, 1000, 77);
	for (unsigned int i = 0; i < 6; i++) {
		wait_us(&c, 100);
		assert_int_equal(data(&c, UP, 1000 + order[i] * MSS, 77, MSS),
			i < 3 ? 0 : DP_TCP_OUT_OF_ORDER);
	}

	// From its beginning, its end and inside, what has come is not missing any more, as far as
	// the hole stays in one piece.
	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000 + 5 * MSS, 77, MSS), 0);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 1000 + 4 * MSS, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(data(&c, UP, 1000 + 4 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 1000 + 2 * MSS, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(data(&c, UP, 1000 + 3 * MSS, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(data(&c, UP, 1000 + 3 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);

	// What lies outside of the hole has passed.
	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), 0);
	assert_int_equal(data(&c, UP, 1000 + 2 * MSS, 77, MSS), 0);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 1000 + 2 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, 2 * MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), DP_TCP_OUT_OF_ORDER);

	// The other direction has numbers of its own.
	conn_middle(&c, 1000, 1000);
	assert_int_equal(data(&c, UP, 1000 + MSS, 1000, MSS), 0);
	assert_int_equal(data(&c, DOWN, 1000, 1000, MSS), 0);
	assert_int_equal(data(&c, DOWN, 1000, 1000, MSS), DP_TCP_RETRANSMITTED);
}

static void of_a_large_hole_the_first_64_kb_are_remembered(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000 + 200 * MSS, 77, MSS), 0);
	assert_int_equal(data(&c, UP, 1000 + 100 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_OUT_OF_ORDER);
	for (uint32_t n = 1; n < 44; n++)
		assert_int_equal(data(&c, UP, 1000 + n * MSS, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(data(&c, UP, 1000 + 44 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);
}

static void while_the_classifier_has_the_scratch_pauses_tell(void **)
{
	struct conn c;
	int state;

	conn_middle(&c, 1000, 77);
	c.flow.flags |= DP_SCRATCH_STAGE;
	c.rest.scratch.stage_state = &state;
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), 0);
	wait_us(&c, 2000);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(data(&c, UP, 1000 + 3 * MSS, 77, MSS), 0);
	wait_us(&c, 4000);
	assert_int_equal(data(&c, UP, 1000 + 2 * MSS, 77, MSS), DP_TCP_RETRANSMITTED);
	wait_period(&c);
	assert_int_equal(data(&c, UP, 1000 + 4 * MSS, 77, MSS), 0);
	assert_int_equal(data(&c, DOWN, 77, 1000 + 5 * MSS, 0), 0);
	assert_ptr_equal(c.rest.scratch.stage_state, &state);
	assert_int_equal(c.flow.flags & DP_FLOW_SCRATCH, DP_SCRATCH_STAGE);
}

static void keep_alives_and_window_probes_are_no_retransmissions(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000, 77, 100), 0);
	wait_us(&c, 900000);
	assert_int_equal(data(&c, UP, 1099, 77, 0), 0);
	assert_int_equal(c.event.n_segments, 0);
	assert_int_equal(data(&c, UP, 1099, 77, 1), 0);
	assert_int_equal(c.event.n_segments, 0);
	assert_int_equal(data(&c, DOWN, 77, 1100, 0), 0);

	// A probe's byte passes once, then again and again, then with what follows it.
	assert_int_equal(data(&c, UP, 1100, 77, 1), 0);
	assert_int_equal(data(&c, UP, 1100, 77, 1), 0);
	assert_int_equal(data(&c, UP, 1100, 77, 500), 0);
	assert_int_equal(c.event.n_segments, 1);
	assert_int_equal(data(&c, UP, 1600, 77, 500), 0);
}

static void syn_and_fin_count_one(void **)
{
	struct conn c;

	conn_begin(&c);
	assert_int_equal(conn_send(&c, UP, DP_TCP_SYN, UINT32_MAX - 1, 0, 0, 1000), 0);
	(void)conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 500, UINT32_MAX, 0, 1000);
	(void)data(&c, UP, UINT32_MAX, 501, 10);
	assert_int_equal(c.flow.next_seq[UP], 9);
	assert_int_equal(conn_send(&c, UP, DP_TCP_FIN | DP_TCP_ACK, 9, 501, 5, 1000), 0);
	assert_int_equal(c.event.n_segments, 1);
	assert_int_equal(c.flow.next_seq[UP], 15);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_FIN | DP_TCP_ACK, 501, 15, 0, 1000), 0);
	assert_int_equal(data(&c, UP, 15, 502, 0), 0);
	// A FIN again carries nothing; with its data it does.
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_FIN | DP_TCP_ACK, 501, 15, 0, 1000), 0);
	assert_int_equal(
		conn_send(&c, UP, DP_TCP_FIN | DP_TCP_ACK, 9, 501, 5, 1000), DP_TCP_RETRANSMITTED);
	assert_int_equal(c.flow.next_seq[UP], 15);
}

static void a_packet_that_was_overtaken_by_a_bare_one_is_noticed(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, 0), 0); // sent behind data
	wait_us(&c, 100);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_OUT_OF_ORDER);
	assert_int_equal(
		conn_send(&c, UP, DP_TCP_FIN | DP_TCP_ACK, 1000 + 2 * MSS, 77, 0, 1000), 0);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), DP_TCP_OUT_OF_ORDER);
	// An old acknowledgement is no data.
	assert_int_equal(data(&c, UP, 1000, 77, 0), 0);
}

static void a_connection_is_picked_up_in_its_middle(void **)
{
	struct conn c;

	conn_begin(&c);
	assert_int_equal(data(&c, DOWN, 5000, 900, MSS), 0);
	assert_int_equal(data(&c, DOWN, 5000, 900, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, UP, 900, 5000 + MSS, 10), 0);
	assert_int_equal(data(&c, UP, 900, 5000 + MSS, 10), DP_TCP_RETRANSMITTED);

	// At 0, where the number looks as if it was not known.
	conn_begin(&c);
	assert_int_equal(data(&c, UP, 0u - MSS, 7, MSS), 0);
	assert_int_equal(data(&c, UP, 0, 7, MSS), 0);
	assert_int_equal(data(&c, UP, 0, 7, MSS), DP_TCP_RETRANSMITTED);
}

static void one_direction_is_enough(void **)
{
	struct conn c;

	conn_begin(&c);
	assert_int_equal(conn_send(&c, UP, DP_TCP_SYN, 99, 0, 0, 1000), 0);
	wait_us(&c, 20000);
	assert_int_equal(data(&c, UP, 100, 500, 0), 0);
	for (uint32_t n = 0; n < 300; n++) {
		wait_us(&c, 20000);
		assert_int_equal(data(&c, UP, 100 + n * MSS, 501 + n * 3000000, MSS), 0);
		// Nothing is waited for that will never come.
		assert_int_equal(c.flow.flags & (DP_FLOW_SCRATCH | DP_FLOW_LOOK), 0);
	}
	assert_int_equal(data(&c, UP, 100, 501, MSS), DP_TCP_RETRANSMITTED);
}

static void segments_larger_than_a_frame_are_segments(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, DOWN, 77, 1000, 65000), 0);
	assert_int_equal(c.event.n_segments, 1);
	assert_int_equal(data(&c, DOWN, 65077, 1000, 65000), 0);
	wait_us(&c, 20000);
	assert_int_equal(data(&c, DOWN, 77 + 40 * MSS, 1000, MSS), DP_TCP_RETRANSMITTED);
}

static void zero_windows_are_counted_where_they_mean_something(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(conn_send(&c, UP, DP_TCP_ACK, 1000, 77, 0, 0), DP_TCP_ZERO_WINDOW);
	assert_true(c.event.is_up);
	assert_int_equal(conn_send(&c, UP, DP_TCP_ACK, 1000, 77, 0, 0), DP_TCP_ZERO_WINDOW);
	assert_int_equal(conn_send(&c, UP, DP_TCP_ACK, 1000, 77, 10, 0), DP_TCP_ZERO_WINDOW);
	assert_int_equal(conn_send(&c, UP, DP_TCP_ACK, 1000, 77, 10, 0),
		DP_TCP_ZERO_WINDOW | DP_TCP_RETRANSMITTED);
	assert_int_equal(conn_send(&c, UP, DP_TCP_ACK | DP_TCP_FIN, 1010, 77, 0, 0), 0);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST, 77, 0, 0, 0), DP_TCP_RESET);
	conn_begin(&c);
	assert_int_equal(conn_send(&c, UP, DP_TCP_SYN, 1, 0, 0, 0), 0);
	assert_int_equal(
		conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 1, 2, 0, 0), DP_TCP_RTT_HANDSHAKE);
}

static void resets_count_where_they_would_be_taken(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(conn_send(&c, UP, DP_TCP_RST | DP_TCP_ACK, 1000, 77, 30, 0), DP_TCP_RESET);
	assert_true(c.event.is_up);
	assert_int_equal(c.event.n_segments, 0); // text about the reason is no data
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST, 77, 0, 0, 0), DP_TCP_RESET);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST, 77 + (1 << 25), 0, 0, 0), 0);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST, 77u - (1 << 25), 0, 0, 0), 0);
	assert_int_equal(c.flow.next_seq[DOWN], 77);

	// Nothing is known of the sender: its acknowledgement must fit.
	conn_begin(&c);
	(void)data(&c, UP, 1000, 77, 100);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST | DP_TCP_ACK, 0, 1u << 30, 0, 0), 0);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST | DP_TCP_ACK, 0, 1100, 0, 0), DP_TCP_RESET);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST, 77, 0, 0, 0), DP_TCP_RESET);
}

static void a_packet_from_elsewhere_counts_nothing_and_changes_little(void **)
{
	const uint32_t far[] = {1u << 25, 1u << 30, 1u << 31, 3u << 30, 0u - (1u << 25)};

	for (size_t i = 0; i < sizeof(far) / sizeof(*far); i++) {
		struct conn c;

		conn_middle(&c, 1000, 77);
		assert_int_equal(data(&c, DOWN, 77, 1000, MSS), 0);
		assert_int_equal(conn_send(&c, DOWN, DP_TCP_ACK, 77 + far[i], 1000, MSS, 0), 0);
		assert_int_equal(data(&c, DOWN, 77 + MSS, 1000, MSS), 0);
		assert_int_equal(data(&c, DOWN, 77 + 2 * MSS, 1000, MSS), 0);
		assert_int_equal(data(&c, DOWN, 77 + MSS, 1000, MSS), DP_TCP_RETRANSMITTED);

		// A number that fits with an acknowledgement that does not.
		conn_middle(&c, 1000, 77);
		assert_int_equal(data(&c, DOWN, 77, 1000, MSS), 0);
		assert_int_equal(conn_send(&c, DOWN, DP_TCP_ACK, 78, 1000 + far[i], MSS, 0), 0);
		assert_int_equal(data(&c, UP, 1000, 77 + MSS, 10), 0);
		assert_int_equal(data(&c, UP, 1010, 77 + MSS, 10), 0);
		assert_int_equal(data(&c, UP, 1010, 77 + MSS, 10), DP_TCP_RETRANSMITTED);

		// Without ACK it is no segment at all (but in order nobody looks).
		assert_int_equal(conn_send(&c, UP, 0, 1000, 0, 10, 0), 0);
		assert_int_equal(c.flow.next_seq[UP], 1020);
	}
}

static void more_missing_than_any_window_is_no_hole(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000 + (1 << 25), 77, MSS), 0);
	assert_int_equal(c.flow.flags & DP_FLOW_SCRATCH, DP_SCRATCH_NONE);
	assert_int_equal(c.flow.next_seq[UP], 1000 + (1 << 25) + MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_as_expected_says_nothing),
		cmocka_unit_test(data_that_passed_before_is_retransmitted),
		cmocka_unit_test(a_segment_that_repeats_a_part_counts_once_and_goes_on),
		cmocka_unit_test(missing_data_that_comes_soon_was_overtaken),
		cmocka_unit_test(missing_data_that_comes_late_was_lost_and_sent_again),
		cmocka_unit_test(sooner_than_a_round_trip_nothing_is_sent_again),
		cmocka_unit_test(several_overtaken_segments_are_told_from_repeated_ones),
		cmocka_unit_test(of_a_large_hole_the_first_64_kb_are_remembered),
		cmocka_unit_test(while_the_classifier_has_the_scratch_pauses_tell),
		cmocka_unit_test(keep_alives_and_window_probes_are_no_retransmissions),
		cmocka_unit_test(syn_and_fin_count_one),
		cmocka_unit_test(a_packet_that_was_overtaken_by_a_bare_one_is_noticed),
		cmocka_unit_test(a_connection_is_picked_up_in_its_middle),
		cmocka_unit_test(one_direction_is_enough),
		cmocka_unit_test(segments_larger_than_a_frame_are_segments),
		cmocka_unit_test(zero_windows_are_counted_where_they_mean_something),
		cmocka_unit_test(resets_count_where_they_would_be_taken),
		cmocka_unit_test(a_packet_from_elsewhere_counts_nothing_and_changes_little),
		cmocka_unit_test(more_missing_than_any_window_is_no_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
