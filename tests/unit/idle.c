// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/idle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MANY = 1000 };

/* Waits of one kind, up to the first of another, at most MANY; *ret_ns says which. */
static unsigned int count_waits(struct dp_idle *idle, uint32_t sleep_ns, uint32_t *ret_ns)
{
	struct dp_idle next = *idle;
	unsigned int n = 0;

	*ret_ns = dp_idle_sleep_ns(&next, sleep_ns);
	do {
		*idle = next;
		n++;
	} while (n < MANY && dp_idle_sleep_ns(&next, sleep_ns) == *ret_ns);
	return n;
}

static void others_go_first_then_it_sleeps(void **)
{
	struct dp_idle idle = {0};
	uint32_t ns;

	assert_int_equal(count_waits(&idle, DP_IDLE_SHORT_NS, &ns), DP_IDLE_YIELDS);
	assert_int_equal(ns, 0);
	assert_int_equal(count_waits(&idle, DP_IDLE_SHORT_NS, &ns), MANY); // for good
	assert_int_equal(ns, DP_IDLE_SHORT_NS);
}

static void behind_an_offload_it_sleeps_deeper(void **)
{
	struct dp_idle idle = {0};
	uint32_t ns;

	assert_int_equal(count_waits(&idle, DP_IDLE_LONG_NS, &ns), DP_IDLE_YIELDS);
	assert_int_equal(ns, 0);
	assert_int_equal(count_waits(&idle, DP_IDLE_LONG_NS, &ns), DP_IDLE_LONGS);
	assert_int_equal(ns, DP_IDLE_LONG_NS);
	assert_int_equal(count_waits(&idle, DP_IDLE_LONG_NS, &ns), MANY);
	assert_int_equal(ns, DP_IDLE_DEEP_NS);
}

static void what_came_wakes_it(void **)
{
	struct dp_idle idle = {0};
	uint32_t ns;

	for (int i = 0; i < MANY; i++)
		(void)dp_idle_sleep_ns(&idle, DP_IDLE_LONG_NS);
	dp_idle_over(&idle);
	assert_int_equal(count_waits(&idle, DP_IDLE_LONG_NS, &ns), DP_IDLE_YIELDS);
	assert_int_equal(ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_go_first_then_it_sleeps),
		cmocka_unit_test(behind_an_offload_it_sleeps_deeper),
		cmocka_unit_test(what_came_wakes_it),
	};

	return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
