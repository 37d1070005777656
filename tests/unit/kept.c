// SPDX-License-Identifier: BSD-3-Clause

/* Which results are kept, and what a cursor may be. */

#include "control/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

enum { KEPT = 3 };

static struct ctl_kept *kept;
static unsigned int n_freed;
static int last_freed;

static void free_result(void *data)
{
	n_freed++;
	last_freed = *(int *)data;
	g_free(data);
}

static int setup(void **)
{
	n_freed = 0;
	kept = ctl_kept_new(KEPT, free_result);
	return 0;
}

static int teardown(void **)
{
	ctl_kept_free(kept);
	return 0;
}

static void add(uint64_t number)
{
	int *data = g_new(int, 1);

	*data = (int)number;
	ctl_kept_add(kept, number, data);
}

static bool has(uint64_t number)
{
	const int *data = ctl_kept_get(kept, number);

	return data != NULL && *data == (int)number;
}

/* Until the clock says something else: who is asked later is younger. */
static void pass_a_moment(void)
{
	const gint64 now_us = g_get_monotonic_time();

	while (g_get_monotonic_time() == now_us)
		;
}

static void who_was_asked_for_longest_ago_gives_way(void **)
{
	for (uint64_t number = 1; number <= KEPT; number++) {
		add(number);
		pass_a_moment();
	}
	assert_true(has(1));
	pass_a_moment();
	add(4);
	assert_int_equal(n_freed, 1);
	assert_int_equal(last_freed, 2);
	assert_true(has(1) && has(3) && has(4));
	assert_false(has(2) || has(0) || has(UINT64_MAX));
	ctl_kept_tend(kept); // nobody has been away for long
	assert_int_equal(n_freed, 1);
}

static void each_result_is_freed_once(void **)
{
	for (uint64_t number = 1; number <= 10; number++)
		add(number);
	ctl_kept_free(kept);
	assert_int_equal(n_freed, 10);
	kept = ctl_kept_new(KEPT, free_result);
	ctl_kept_free(NULL);
}

static void a_cursor_leads_back(void **)
{
	static const struct {
		uint64_t number;
		size_t row;
	} cases[] = {{1, 0}, {17, 256}, {UINT64_MAX, SIZE_MAX}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char text[CTL_KEPT_CURSOR_MAX];
		uint64_t number;
		size_t row;

		ctl_kept_cursor(cases[i].number, cases[i].row, text);
		assert_true(ctl_kept_read_cursor(text, &number, &row));
		assert_int_equal(number, cases[i].number);
		assert_int_equal(row, cases[i].row);
	}
}

static void what_is_none_is_refused(void **)
{
	static const char *const texts[] = {"", ":", "1", "1:", ":1", "0:0", "-1:0", "1:-1", "+1:0",
		" 1:0", "1: 0", "1:0 ", "1:0:0", "0x1:0", "18446744073709551616:0",
		"1:18446744073709551616", "1:000000000000000000000000000000000000000000000000000"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		uint64_t number = 7;
		size_t row = 7;

		if (ctl_kept_read_cursor(texts[i], &number, &row))
			fail_msg("'%s' is a cursor", texts[i]);
		assert_true(number == 7 && row == 7);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_was_asked_for_longest_ago_gives_way),
		TEST(each_result_is_freed_once),
		TEST(a_cursor_leads_back),
		TEST(what_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
