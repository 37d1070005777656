// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/dns_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/dns_message.h"

#include <stdlib.h>

enum { N_MAX = 16 };

static const uint32_t FIRST_SEQ = UINT32_MAX - 50; // numbers wrap inside of what is sent

/* What a server sends: messages, each behind its length, whose ids are their numbers. */
static struct {
	uint8_t bytes[32768];
	uint32_t len;
	uint32_t at[N_MAX + 1]; // where each begins, and the end
	uint32_t n;
} sent;

static struct cls_dns_tcp_pool *pool;
static void *waiting;
static uint32_t n_taken[N_MAX]; // how often each

static void take(void *, const uint8_t *message, size_t len)
{
	const uint32_t i = (uint32_t)(message[0] << 8 | message[1]);

	assert_true(len >= 12 && i < sent.n);
	assert_int_equal(len, sent.at[i + 1] - sent.at[i] - 2);
	assert_memory_equal(message, sent.bytes + sent.at[i] + 2, len);
	n_taken[i]++;
}

static const struct cls_dns_sink sink = {.take = take};

static int begin(void **)
{
	pool = cls_dns_tcp_pool_new(4);
	memset(&sent, 0, sizeof(sent));
	memset(n_taken, 0, sizeof(n_taken));
	waiting = NULL;
	return pool != NULL ? 0 : -1;
}

static int end(void **)
{
	cls_dns_tcp_drop(pool, &waiting);
	assert_null(waiting);
	cls_dns_tcp_drop(pool, &waiting); // nothing waits
	cls_dns_tcp_pool_free(pool);
	return 0;
}

/* The server sends one more answer, with so many bytes of text in it. */
static void send_answer(uint32_t n_text)
{
	static const uint8_t text[8192];
	struct dns_message m;

	dns_begin(&m, "www.films.example", DNS_A);
	dns_put_name(&m, "www.films.example");
	dns_put_data(&m, DNS_TXT, 60, text, n_text);
	dns_put_a(&m, "www.films.example", "203.0.113.9", 60);
	dns_set16(&m, 0, sent.n);
	sent.bytes[sent.len] = (uint8_t)(m.len >> 8);
	sent.bytes[sent.len + 1] = (uint8_t)m.len;
	memcpy(sent.bytes + sent.len + 2, m.bytes, m.len);
	sent.len += 2 + m.len;
	sent.at[++sent.n] = sent.len;
}

/* A segment with [from, to) of what was sent, from a block of its own. */
static void see(uint32_t from, uint32_t to)
{
	uint8_t *block = malloc(to > from ? to - from : 1);

	assert_non_null(block);
	memcpy(block, sent.bytes + from, to - from);
	cls_dns_tcp_put(pool, &waiting, FIRST_SEQ + from, block, to - from, &sink);
	free(block);
}

static void expect_taken(uint32_t i, uint32_t n)
{
	assert_int_equal(n_taken[i], n);
}

/* Each once since the last time, and nothing waits. */
static void expect_all(void)
{
	for (uint32_t i = 0; i < sent.n; i++)
		expect_taken(i, 1);
	assert_null(waiting);
	memset(n_taken, 0, sizeof(n_taken));
}

static void messages_in_one_segment_are_taken_one_by_one(void **)
{
	send_answer(0);
	send_answer(100);
	send_answer(7);
	see(0, sent.len);
	expect_all();
	see(0, 0);
	expect_taken(0, 0);
}

static void a_stream_may_be_cut_anywhere(void **)
{
	send_answer(0);
	send_answer(30);
	send_answer(1);
	for (uint32_t cut = 0; cut <= sent.len; cut++) {
		see(0, cut);
		see(cut, sent.len);
		expect_all();
	}
	for (uint32_t step = 1; step < 40; step++) {
		for (uint32_t at = 0; at < sent.len; at += step)
			see(at, at + step < sent.len ? at + step : sent.len);
		expect_all();
	}
}

/* Pieces of one message behind its first, in any order, twice, overlapping. */
static void a_message_comes_in_any_order(void **)
{
	uint32_t seed = 7;

	send_answer(3000);
	for (int round = 0; round < 200; round++) {
		const uint32_t len = sent.len, first = 3 + (uint32_t)round;
		bool is_there[8192] = {false};

		see(0, first);
		memset(is_there, true, first);
		while (memchr(is_there, false, len) != NULL) {
			uint32_t from, n;

			seed = seed * 1664525 + 1013904223; // Numerical Recipes
			from = (seed >> 8) % len;
			n = 1 + (seed >> 20) % 700;
			n = n < len - from ? n : len - from;
			expect_taken(0, 0);
			see(from, from + n);
			memset(is_there + from, true, n);
		}
		expect_all();
	}
}

static void what_came_first_stays(void **)
{
	send_answer(0);
	see(0, 20);
	sent.bytes[10] ^= 0xff;
	see(5, 20);
	sent.bytes[10] ^= 0xff;
	see(20, sent.len);
	expect_all();
}

/* Sent again with what follows, RFC 9293 3.8.1; what was taken before is taken again, which does no harm. */
static void a_retransmission_may_bring_more(void **)
{
	send_answer(50);
	send_answer(50);
	see(0, 20);
	see(10, sent.at[1] + 9);
	expect_taken(0, 1);
	assert_non_null(waiting);
	see(0, sent.at[1] - 3); // old
	see(sent.at[1] + 4, sent.len);
	expect_all();
	see(0, sent.at[1]);
	expect_taken(0, 1);
}

static void behind_a_hole_the_next_message_counts(void **)
{
	send_answer(100);
	send_answer(100);
	send_answer(100);
	see(0, 50);
	see(sent.at[1], sent.at[2]); // the rest of the first was missed
	expect_taken(0, 0);
	expect_taken(1, 1);
	assert_null(waiting);
	see(sent.at[2] + 40, sent.len); // the beginning of the third
	expect_taken(2, 0);
	see(sent.at[2], sent.len);
	expect_taken(2, 1);
	assert_null(waiting);
}

/* RFC 9293 3.8.4: a byte before the next, of any value. */
static void a_keep_alive_costs_no_message(void **)
{
	send_answer(10);
	for (uint32_t byte = 0; byte < 256; byte++) {
		const uint8_t bytes[1] = {(uint8_t)byte};

		// The id's lower half may look like the flags of an answer: not here.
		cls_dns_tcp_put(pool, &waiting, FIRST_SEQ - 1, bytes, 1, &sink);
		see(0, sent.len);
		expect_all();
	}
}

static void what_is_no_answer_is_passed_over(void **)
{
	static const uint8_t rows[][6] = {
		{0, 11, 0, 0, 0x80, 0}, // shorter than a header
		{0, 40, 0, 0, 0x01, 0}, // a query
		{0, 40, 0, 0, 0xa8, 0}, // an update's answer
		{0x16, 3, 1, 2, 0, 1}, // TLS
		{0x10, 0, 0, 0, 0x80, 0}, // too long to wait for
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cls_dns_tcp_put(pool, &waiting, 1, rows[i], sizeof(rows[i]), &sink);
		assert_null(waiting);
	}
}

static void messages_have_a_bound(void **)
{
	struct dns_message empty;

	dns_begin(&empty, "www.films.example", DNS_A);
	dns_put_name(&empty, "www.films.example");
	dns_put_data(&empty, DNS_TXT, 60, "", 0);
	dns_put_a(&empty, "www.films.example", "203.0.113.9", 60);
	send_answer(CLS_DNS_TCP_MAX - 2 - empty.len); // the longest
	send_answer(CLS_DNS_TCP_MAX - 2 - empty.len + 1);
	send_answer(5);
	for (uint32_t at = 0; at < sent.at[1]; at += 1000)
		see(at, at + 1000 < sent.at[1] ? at + 1000 : sent.at[1]);
	expect_taken(0, 1);
	see(0, sent.at[1]);
	expect_taken(0, 2);
	for (uint32_t at = sent.at[1]; at < sent.at[2]; at += 1000)
		see(at, at + 1000 < sent.at[2] ? at + 1000 : sent.at[2]);
	expect_taken(1, 0);
	cls_dns_tcp_drop(pool, &waiting); // what its middle looked like
	see(sent.at[2], sent.len);
	expect_taken(2, 1);
}

static void an_empty_pool_loses_messages_until_one_comes_back(void **)
{
	void *others[4] = {NULL};

	send_answer(10);
	for (int i = 0; i < 4; i++) {
		cls_dns_tcp_put(pool, &others[i], FIRST_SEQ, sent.bytes, 20, &sink);
		assert_non_null(others[i]);
	}
	assert_int_equal(cls_dns_tcp_refused(pool), 0);
	see(0, 20);
	assert_null(waiting);
	assert_int_equal(cls_dns_tcp_refused(pool), 1);
	see(20, sent.len);
	expect_taken(0, 0);
	cls_dns_tcp_drop(pool, &others[2]);
	see(0, 20);
	assert_non_null(waiting);
	assert_int_equal(cls_dns_tcp_refused(pool), 1);
	see(20, sent.len);
	expect_taken(0, 1);
	cls_dns_tcp_put(pool, &others[0], FIRST_SEQ + 20, sent.bytes + 20, sent.len - 20, &sink);
	assert_null(others[0]); // each connection has its own
	expect_taken(0, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			messages_in_one_segment_are_taken_one_by_one, begin, end),
		cmocka_unit_test_setup_teardown(a_stream_may_be_cut_anywhere, begin, end),
		cmocka_unit_test_setup_teardown(a_message_comes_in_any_order, begin, end),
		cmocka_unit_test_setup_teardown(what_came_first_stays, begin, end),
		cmocka_unit_test_setup_teardown(a_retransmission_may_bring_more, begin, end),
		cmocka_unit_test_setup_teardown(behind_a_hole_the_next_message_counts, begin, end),
		cmocka_unit_test_setup_teardown(a_keep_alive_costs_no_message, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_answer_is_passed_over, begin, end),
		cmocka_unit_test_setup_teardown(messages_have_a_bound, begin, end),
		cmocka_unit_test_setup_teardown(
			an_empty_pool_loses_messages_until_one_comes_back, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
