// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/tcp_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MSS = 1460 };

static void expect_rtt(const struct conn *c, uint32_t us, bool is_of_endpoint)
{
	assert_int_equal(c->event.rtt_us, us);
	assert_int_equal(c->event.is_rtt_of_endpoint, is_of_endpoint);
}

static void round_trips_of_the_handshake_have_their_sides(void **)
{
	struct conn c;

	conn_begin(&c); // the endpoint asks
	assert_int_equal(conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000), 0);
	wait_us(&c, 20000);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, UINT32_MAX, 10, 0, 1000),
		DP_TCP_RTT_HANDSHAKE);
	expect_rtt(&c, 20000, false);
	wait_us(&c, 30000);
	// A stream that begins at 0 looks as if it was not known yet.
	assert_int_equal(data(&c, UP, 10, 0, 0), DP_TCP_RTT_HANDSHAKE);
	expect_rtt(&c, 30000, true);

	conn_begin(&c); // the endpoint is asked, with data (RFC 7413), of which nothing is taken
	c.flow.flags &= (uint16_t)~DP_FLOW_ENDPOINT_IS_SRC;
	assert_int_equal(conn_send(&c, 0, DP_TCP_SYN, 9, 0, 100, 1000), 0);
	assert_int_equal(c.event.n_segments, 1);
	wait_us(&c, 40000);
	assert_int_equal(
		conn_send(&c, 1, DP_TCP_SYN | DP_TCP_ACK, 99, 10, 0, 1000), DP_TCP_RTT_HANDSHAKE);
	expect_rtt(&c, 40000, true);
	wait_us(&c, 7);
	assert_int_equal(conn_send(&c, 0, DP_TCP_ACK | DP_TCP_FIN, 10, 100, 5, 1000),
		DP_TCP_RTT_HANDSHAKE | DP_TCP_RETRANSMITTED);
	expect_rtt(&c, 7, false);
}

static void what_was_sent_twice_has_no_round_trip(void **)
{
	struct conn c;

	conn_begin(&c);
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	wait_us(&c, 1000000);
	assert_int_equal(conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000), 0);
	wait_us(&c, 10);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 99, 10, 0, 1000), 0);
	wait_us(&c, 30000); // this one passed once
	assert_int_equal(data(&c, UP, 10, 100, 0), DP_TCP_RTT_HANDSHAKE);
	expect_rtt(&c, 30000, true);

	conn_begin(&c);
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 99, 10, 0, 1000),
		DP_TCP_RTT_HANDSHAKE);
	wait_us(&c, 1000000);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 99, 10, 0, 1000), 0);
	assert_int_equal(data(&c, UP, 10, 100, 0), 0);
}

static void answers_that_do_not_fit_end_no_round_trip(void **)
{
	struct conn c;

	conn_begin(&c);
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 99, 1u << 30, 0, 1000), 0);
	assert_int_equal(c.flow.next_seq[DOWN], 0);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 99, 11, 0, 1000), 0);
	assert_int_equal(data(&c, UP, 10, 101, 0), 0); // more than was sent
	assert_int_equal(data(&c, UP, 10, 99, 0), 0);
	assert_int_equal(data(&c, UP, 10, 100, 0), 0);

	conn_begin(&c); // the SYN-ACK went another way
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	assert_int_equal(data(&c, DOWN, 100, 10, 50), 0);
	assert_int_equal(c.flow.flags & DP_FLOW_SCRATCH, DP_SCRATCH_NONE);
}

static void round_trips_of_data_come_two_a_period(void **)
{
	uint32_t up = 1000, down = 77;
	struct conn c;

	conn_middle(&c, up, down);
	for (int n = 0; n < 3; n++) {
		wait_period(&c);
		assert_int_equal(data(&c, UP, up, down, 100), 0);
		up += 100;
		wait_us(&c, 20000);
		// The answer acknowledges, and its own round trip is the second.
		assert_int_equal(data(&c, DOWN, down, up, MSS), DP_TCP_RTT_DATA);
		expect_rtt(&c, 20000, false);
		down += MSS;
		wait_us(&c, 500);
		assert_int_equal(data(&c, DOWN, down, up, MSS), 0);
		down += MSS;
		wait_us(&c, 500);
		assert_int_equal(data(&c, UP, up, down, 0), DP_TCP_RTT_DATA);
		expect_rtt(&c, 1000, true);
		wait_us(&c, 10);
		assert_int_equal(c.flow.flags & (DP_FLOW_SCRATCH | DP_FLOW_LOOK), 0);
		assert_int_equal(data(&c, UP, up, down, 100), 0);
		up += 100;
		assert_int_equal(data(&c, DOWN, down, up, 0), 0);
	}
}

static void what_else_happens_while_one_is_awaited_is_seen(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	wait_period(&c);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), 0);
	assert_int_equal(conn_send(&c, UP, DP_TCP_ACK, 1000 + MSS, 77, MSS, 0), DP_TCP_ZERO_WINDOW);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_ACK, 77, 1000, 10, 0), DP_TCP_ZERO_WINDOW);
	assert_int_equal(data(&c, DOWN, 87, 1000, 10), 0);
	assert_int_equal(data(&c, DOWN, 87, 1000, 10), DP_TCP_RETRANSMITTED);
	assert_int_equal(conn_send(&c, UP, 0, 1000 + 2 * MSS, 97, MSS, 1000), 0);
	assert_int_equal(conn_send(&c, UP, DP_TCP_RST, 1000 + 2 * MSS, 97, 0, 0), DP_TCP_RESET);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_FIN | DP_TCP_ACK, 97, 1000, 0, 1000), 0);
	assert_int_equal(c.flow.next_seq[DOWN], 98);
	wait_us(&c, 500);
	assert_int_equal(data(&c, DOWN, 98, 1000 + 2 * MSS, 0), DP_TCP_RTT_DATA);
	expect_rtt(&c, 500, false);
}

static void nothing_sent_again_gives_a_round_trip_of_data(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	wait_period(&c);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), 0);
	wait_us(&c, 300000);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_RETRANSMITTED);
	wait_us(&c, 10);
	assert_int_equal(data(&c, DOWN, 77, 1000 + MSS, 0), 0);

	// Lost behind us before the one that is waited for: its acknowledgement waits, too.
	conn_middle(&c, 1000, 77);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), 0);
	wait_period(&c);
	assert_int_equal(data(&c, UP, 1000 + MSS, 77, MSS), 0);
	assert_int_equal(data(&c, DOWN, 77, 1000, 0), 0);
	wait_us(&c, 300000);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), DP_TCP_RETRANSMITTED);
	assert_int_equal(data(&c, DOWN, 77, 1000 + 2 * MSS, 0), 0);

	// A hole takes the place of what was waited for.
	conn_middle(&c, 1000, 77);
	wait_period(&c);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), 0);
	assert_int_equal(data(&c, UP, 1000 + 2 * MSS, 77, MSS), 0);
	assert_int_equal(data(&c, DOWN, 77, 1000 + MSS, 0), 0);
}

static void an_acknowledgement_that_late_is_no_round_trip(void **)
{
	struct conn c;

	conn_middle(&c, 1000, 77);
	wait_period(&c);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), 0);
	wait_us(&c, 10000001);
	assert_int_equal(data(&c, DOWN, 77, 1000 + MSS, 0), 0);

	conn_middle(&c, 1000, 77); // nor one before
	wait_period(&c);
	assert_int_equal(data(&c, UP, 1000, 77, MSS), 0);
	c.now_ns -= 1000;
	assert_int_equal(data(&c, DOWN, 77, 1000 + MSS, 0), 0);
}

static unsigned int end_of(struct conn *c)
{
	c->event = (struct dp_tcp_event){0};

	const bool has_any = dp_tcp_end(&c->flow, &c->event);

	assert_int_equal(has_any, c->event.what != 0);
	return c->event.what;
}

static void a_handshake_fails_once(void **)
{
	struct conn c;

	conn_begin(&c); // refused
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST | DP_TCP_ACK, 0, 10, 0, 0),
		DP_TCP_RESET | DP_TCP_HANDSHAKE_FAILED);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST | DP_TCP_ACK, 0, 10, 0, 0), DP_TCP_RESET);
	assert_int_equal(end_of(&c), 0);

	conn_begin(&c); // never answered
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	assert_int_equal(end_of(&c), DP_TCP_HANDSHAKE_FAILED);
	assert_true(c.event.is_up);

	conn_begin(&c); // given up
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	assert_int_equal(conn_send(&c, UP, DP_TCP_RST, 10, 0, 0, 0), DP_TCP_RESET);
	assert_int_equal(end_of(&c), DP_TCP_HANDSHAKE_FAILED);
}

static void what_was_answered_or_cannot_be_known_has_not_failed(void **)
{
	struct conn c;

	conn_begin(&c);
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	(void)conn_send(&c, DOWN, DP_TCP_SYN | DP_TCP_ACK, 99, 10, 0, 1000);
	assert_int_equal(conn_send(&c, UP, DP_TCP_RST, 10, 0, 0, 0), DP_TCP_RESET);
	assert_int_equal(end_of(&c), 0);

	conn_begin(&c); // only one direction is seen
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	(void)data(&c, UP, 10, 100, 0);
	assert_int_equal(end_of(&c), 0);

	conn_begin(&c); // no beginning
	(void)data(&c, UP, 10, 100, 0);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST, 100, 0, 0, 0), DP_TCP_RESET);
	assert_int_equal(end_of(&c), 0);

	conn_begin(&c); // a reset that does not answer the SYN
	(void)conn_send(&c, UP, DP_TCP_SYN, 9, 0, 0, 1000);
	assert_int_equal(conn_send(&c, DOWN, DP_TCP_RST, 100, 0, 0, 0), DP_TCP_RESET);
	assert_int_equal(end_of(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips_of_the_handshake_have_their_sides),
		cmocka_unit_test(what_was_sent_twice_has_no_round_trip),
		cmocka_unit_test(answers_that_do_not_fit_end_no_round_trip),
		cmocka_unit_test(round_trips_of_data_come_two_a_period),
		cmocka_unit_test(what_else_happens_while_one_is_awaited_is_seen),
		cmocka_unit_test(nothing_sent_again_gives_a_round_trip_of_data),
		cmocka_unit_test(an_acknowledgement_that_late_is_no_round_trip),
		cmocka_unit_test(a_handshake_fails_once),
		cmocka_unit_test(what_was_answered_or_cannot_be_known_has_not_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
