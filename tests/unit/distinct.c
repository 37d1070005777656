// SPDX-License-Identifier: BSD-3-Clause
#include "control/distinct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct dp_addr v4(uint32_t n)
{
	return dp_addr_from_v4((uint8_t[]){10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n});
}

static struct dp_addr v6(uint32_t n)
{
	struct dp_addr a = {.b = {0x20, 0x01, 0x0d, 0xb8}};

	a.b[6] = (uint8_t)(n >> 8); // the /64 is the endpoint: the rest stays 0
	a.b[7] = (uint8_t)n;
	return a;
}

static void add_range(struct ctl_distinct *d, uint32_t begin, uint32_t end)
{
	for (uint32_t i = begin; i < end; i++) {
		const struct dp_addr a = v4(i);

		ctl_distinct_add(d, &a);
	}
}

static void assert_near(uint64_t got, uint64_t want)
{
	assert_in_range(got, want - want / 10, want + want / 10);
}

static void few_are_counted_exactly_however_often_they_come(void **)
{
	struct ctl_distinct d = {0};

	assert_int_equal(ctl_distinct_count(&d), 0);
	for (uint32_t n = 1; n <= CTL_DISTINCT_EXACT; n++) {
		add_range(&d, 0, n);
		assert_int_equal(ctl_distinct_count(&d), n);
	}
	assert_false(d.is_estimate);
	ctl_distinct_clear(&d);
	assert_int_equal(ctl_distinct_count(&d), 0);
}

static void networks_of_version_6_are_told_apart(void **)
{
	struct ctl_distinct d = {0};

	for (uint32_t n = 0; n < 100; n++) {
		const struct dp_addr a = v6(n);

		ctl_distinct_add(&d, &a);
	}
	assert_int_equal(ctl_distinct_count(&d), 100);
	ctl_distinct_clear(&d);
}

static void many_are_estimated_within_a_tenth(void **)
{
	static const uint32_t numbers[] = {
		129, 200, 500, 1000, 2000, 3000, 5000, 10000, 100000, 1000000};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct ctl_distinct d = {0};

		add_range(&d, 0, numbers[i]);
		assert_true(d.is_estimate);
		assert_near(ctl_distinct_count(&d), numbers[i]);
		ctl_distinct_clear(&d);
	}
}

static void neither_order_nor_repetition_makes_a_difference(void **)
{
	struct ctl_distinct up = {0}, down = {0};

	add_range(&up, 0, 4000);
	add_range(&up, 1000, 2000);
	for (uint32_t i = 4000; i > 0; i--)
		add_range(&down, i - 1, i);
	assert_int_equal(ctl_distinct_count(&up), ctl_distinct_count(&down));
	assert_memory_equal(up.registers, down.registers, CTL_DISTINCT_REGISTERS);
	ctl_distinct_clear(&up);
	ctl_distinct_clear(&down);
}

/* Of every pair of an exact one and an estimate. */
static void a_union_is_what_all_would_have_been_in_one(void **)
{
	static const uint32_t ends[] = {0, 3, 100, 128, 129, 3000};
	const size_t n = sizeof(ends) / sizeof(ends[0]);

	for (size_t i = 0; i < n * n; i++) {
		struct ctl_distinct a = {0}, b = {0}, all = {0};

		add_range(&a, 0, ends[i / n]);
		add_range(&b, 50, 50 + ends[i % n]);
		add_range(&all, 0, ends[i / n]);
		add_range(&all, 50, 50 + ends[i % n]);
		ctl_distinct_merge(&a, &b);
		assert_int_equal(ctl_distinct_count(&a), ctl_distinct_count(&all));
		ctl_distinct_clear(&a);
		ctl_distinct_clear(&b);
		ctl_distinct_clear(&all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_are_counted_exactly_however_often_they_come),
		cmocka_unit_test(networks_of_version_6_are_told_apart),
		cmocka_unit_test(many_are_estimated_within_a_tenth),
		cmocka_unit_test(neither_order_nor_repetition_makes_a_difference),
		cmocka_unit_test(a_union_is_what_all_would_have_been_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
