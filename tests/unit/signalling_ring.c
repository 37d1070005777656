// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/signalling_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* A message of len bytes that are all told by n. */
static bool post(struct dp_signalling_ring *ring, uint64_t n, uint16_t len)
{
	const struct dp_signalling head = {.time_ns = n, .sport = (uint16_t)n, .len = len};
	uint8_t payload[DP_SIGNALLING_MAX];

	memset(payload, (int)(n & 0xff), sizeof(payload));
	return dp_signalling_ring_post(ring, &head, payload);
}

static bool take(struct dp_signalling_ring *ring, uint64_t n, uint16_t len)
{
	struct dp_signalling *message = malloc(DP_SIGNALLING_ROOM);
	bool is_there;

	assert_non_null(message);
	is_there = dp_signalling_ring_take(ring, message);
	if (is_there) {
		assert_int_equal(message->time_ns, n);
		assert_int_equal(message->sport, (uint16_t)n);
		assert_int_equal(message->len, len);
		for (uint16_t i = 0; i < len; i++)
			assert_int_equal(message->bytes[i], n & 0xff);
	}
	free(message);
	return is_there;
}

static uint16_t len_of(uint64_t n)
{
	return (uint16_t)(n * 997 % (DP_SIGNALLING_MAX + 1));
}

/* Of all lengths, across the ring's end many times. */
static void messages_come_whole_and_in_order(void **)
{
	struct dp_signalling_ring *ring = dp_signalling_ring_new(DP_SIGNALLING_RING_MIN, false);

	assert_non_null(ring);
	assert_false(take(ring, 0, 0));
	for (uint64_t n = 0; n < 3 * DP_SIGNALLING_MAX; n++) {
		assert_true(post(ring, n, len_of(n)));
		assert_true(take(ring, n, len_of(n)));
	}
	assert_false(take(ring, 0, 0));
	dp_signalling_ring_free(ring);
}

static void a_full_ring_takes_nothing_of_a_message(void **)
{
	struct dp_signalling_ring *ring = dp_signalling_ring_new(DP_SIGNALLING_RING_MIN, false);
	uint64_t n = 0;

	while (post(ring, n, 1000))
		n++;
	assert_true(n >= DP_SIGNALLING_RING_MIN / 1064 - 1);
	assert_true(take(ring, 0, 1000));
	assert_true(post(ring, n, 900)); // there is room for it now
	for (uint64_t i = 1; i < n; i++)
		assert_true(take(ring, i, 1000));
	assert_true(take(ring, n, 900));
	assert_false(take(ring, 0, 0));
	dp_signalling_ring_free(ring);
}

/* Who stops taking does not leave a worker waiting. */
static void one_that_waits_is_let_go(void **)
{
	struct dp_signalling_ring *ring = dp_signalling_ring_new(DP_SIGNALLING_RING_MIN, true);

	dp_signalling_ring_abandon(ring);
	while (post(ring, 1, DP_SIGNALLING_MAX))
		;
	assert_true(take(ring, 1, DP_SIGNALLING_MAX));
	dp_signalling_ring_free(ring);
	dp_signalling_ring_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_whole_and_in_order),
		cmocka_unit_test(a_full_ring_takes_nothing_of_a_message),
		cmocka_unit_test(one_that_waits_is_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
