// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void a_name_is_stored_once_and_counted(void **)
{
	struct dp_hosts h;

	assert_int_equal(dp_hosts_init(&h, 2), 0);

	const uint32_t a = dp_hosts_get(&h, "a.example");
	const uint32_t b = dp_hosts_get(&h, "b.example");

	assert_true(a != DP_HOST_NONE && b != DP_HOST_NONE && a != b);
	assert_int_equal(dp_hosts_get(&h, "a.example"), a);
	assert_string_equal(dp_hosts_name(&h, a), "a.example");
	dp_hosts_put(&h, a);
	assert_string_equal(dp_hosts_name(&h, a), "a.example"); // one reference is left
	dp_hosts_put(&h, a);

	const uint32_t c = dp_hosts_get(&h, "c.example"); // in its place

	assert_int_equal(c, a);
	assert_string_equal(dp_hosts_name(&h, c), "c.example");
	assert_string_equal(dp_hosts_name(&h, b), "b.example");
	dp_hosts_fini(&h);
}

static void a_full_table_leaves_a_flow_without_a_name_and_counts_it(void **)
{
	struct dp_hosts h;

	assert_int_equal(dp_hosts_init(&h, 1), 0);

	const uint32_t a = dp_hosts_get(&h, "a.example");

	assert_int_equal(dp_hosts_get(&h, "b.example"), DP_HOST_NONE);
	assert_int_equal(dp_hosts_get(&h, "a.example"), a); // known names need no room
	assert_int_equal(h.n_refused, 1);
	dp_hosts_fini(&h);
}

static void no_name_is_no_reference(void **)
{
	struct dp_hosts h;

	assert_int_equal(dp_hosts_init(&h, 1), 0);
	assert_int_equal(dp_hosts_get(&h, ""), DP_HOST_NONE);
	assert_int_equal(h.n_refused, 0);
	assert_string_equal(dp_hosts_name(&h, DP_HOST_NONE), "");
	dp_hosts_put(&h, DP_HOST_NONE);
	assert_true(dp_hosts_get(&h, "a.example") != DP_HOST_NONE);
	dp_hosts_fini(&h);
}

static void the_longest_name_fits_and_a_shorter_one_leaves_nothing_of_it(void **)
{
	struct dp_hosts h;
	char name[DP_HOST_MAX];

	assert_int_equal(dp_hosts_init(&h, 1), 0);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';

	const uint32_t id = dp_hosts_get(&h, name);

	assert_string_equal(dp_hosts_name(&h, id), name);
	dp_hosts_put(&h, id);
	assert_int_equal(dp_hosts_get(&h, "a.example"), id);
	assert_string_equal(dp_hosts_name(&h, id), "a.example");
	// A note copies the whole field: nothing of another flow's name may go with it.
	for (size_t i = strlen("a.example"); i < DP_HOST_MAX; i++)
		assert_int_equal(dp_hosts_name(&h, id)[i], '\0');
	dp_hosts_fini(&h);
}

static void many_names_come_and_go(void **)
{
	enum { N = 1000 };
	struct dp_hosts h;
	uint32_t ids[N];
	char name[32];

	assert_int_equal(dp_hosts_init(&h, N), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			(void)snprintf(name, sizeof(name), "%d.%d.example", round, i);
			ids[i] = dp_hosts_get(&h, name);
			assert_true(ids[i] != DP_HOST_NONE);
		}
		for (int i = N; i-- > 0;) {
			(void)snprintf(name, sizeof(name), "%d.%d.example", round, i);
			assert_string_equal(dp_hosts_name(&h, ids[i]), name);
			dp_hosts_put(&h, ids[i]);
		}
	}
	assert_int_equal(h.n_refused, 0);
	dp_hosts_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_stored_once_and_counted),
		cmocka_unit_test(a_full_table_leaves_a_flow_without_a_name_and_counts_it),
		cmocka_unit_test(no_name_is_no_reference),
		cmocka_unit_test(the_longest_name_fits_and_a_shorter_one_leaves_nothing_of_it),
		cmocka_unit_test(many_names_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
