// SPDX-License-Identifier: BSD-3-Clause
#include "control/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_busiest_worker_stands_beside_the_mean(void **)
{
	struct ctl_balance b = {0};

	ctl_balance_look(&b, (const uint64_t[]){300, 100, 0, 0}, 4);
	assert_float_equal(b.of_mean[0], 3, 1e-9);
	assert_float_equal(b.of_mean[1], 1, 1e-9);
	assert_float_equal(b.of_mean[3], 0, 1e-9);
	assert_float_equal(b.busiest, 3, 1e-9);
}

static void what_was_before_the_interval_does_not_count(void **)
{
	struct ctl_balance b = {0};

	ctl_balance_look(&b, (const uint64_t[]){1000, 0}, 2);
	assert_float_equal(b.busiest, 2, 1e-9);
	ctl_balance_look(&b, (const uint64_t[]){1050, 50}, 2);
	assert_float_equal(b.busiest, 1, 1e-9);
	ctl_balance_look(&b, (const uint64_t[]){1050, 50}, 2); // nothing came
	assert_float_equal(b.busiest, 0, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_busiest_worker_stands_beside_the_mean),
		cmocka_unit_test(what_was_before_the_interval_does_not_count),
	};

	return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
