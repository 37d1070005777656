// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

enum { N = 4 };

static struct cls_library *lib;
static struct cls_names *names;
static struct cls_hints *hints;
static struct cls_overhear *overhear;
static struct cls_pool *pool;

static int setup(void **)
{
	lib = cls_library_new();
	names = cls_names_new();
	hints = cls_hints_new(64);
	overhear = cls_overhear_new(hints);
	pool = cls_pool_new(N, lib, names, overhear);
	return overhear == NULL || lib == NULL || names == NULL || pool == NULL;
}

static int teardown(void **)
{
	cls_pool_free(pool);
	cls_overhear_free(overhear);
	cls_hints_free(hints);
	cls_names_free(names);
	cls_library_free(lib);
	return 0;
}

/* A flow whose first packet was tried, marked by its effort. */
static void *keep(uint8_t mark)
{
	void *slot = NULL;

	cls_pool_scratch(pool)->verdict.effort = mark;
	assert_non_null(cls_pool_keep(pool, &slot));
	assert_non_null(slot);
	return slot;
}

static void assert_is(const void *slot, uint8_t mark)
{
	const struct cls_state *state = cls_pool_find(pool, slot);

	assert_non_null(state);
	assert_int_equal(state->verdict.effort, mark);
}

static void test_a_kept_state_is_found_and_scratch_is_clean(void **)
{
	const void *one = keep(1), *two = keep(2);

	assert_is(one, 1);
	assert_is(two, 2);
	assert_int_equal(cls_pool_scratch(pool)->verdict.effort, 0);
	assert_int_equal(cls_pool_scratch(pool)->name_step, CLS_NAME_MORE);
}

static void test_a_full_pool_takes_from_the_oldest(void **)
{
	void *slots[N + 2];

	for (uint8_t i = 0; i < N + 2; i++)
		slots[i] = keep((uint8_t)(i + 1));
	assert_null(cls_pool_find(pool, slots[0]));
	assert_null(cls_pool_find(pool, slots[1]));
	for (uint8_t i = 2; i < N + 2; i++)
		assert_is(slots[i], (uint8_t)(i + 1));
}

static void test_one_given_back_is_no_longer_the_oldest(void **)
{
	void *slots[N];

	for (uint8_t i = 0; i < N; i++)
		slots[i] = keep((uint8_t)(i + 1));
	for (uint8_t i = 0; i < 2; i++)
		cls_pool_give(pool, cls_pool_find(pool, slots[i]));
	assert_null(cls_pool_find(pool, slots[0]));
	(void)keep(11);
	(void)keep(12);
	assert_is(slots[2], 3);
	(void)keep(13);
	assert_null(cls_pool_find(pool, slots[2]));
	assert_is(slots[3], 4);
}

static void test_a_state_is_wiped_before_its_next_flow(void **)
{
	void *slots[N];

	for (uint8_t i = 0; i < N; i++)
		slots[i] = keep((uint8_t)(i + 1));

	struct cls_state *state = cls_pool_find(pool, slots[1]);

	memcpy(state->verdict.host, "a.example", sizeof("a.example"));
	state->is_library_done = true;
	cls_pool_give(pool, state);

	void *next = NULL;

	state = cls_pool_keep(pool, &next);
	assert_ptr_not_equal(next, slots[1]);
	assert_string_equal(state->verdict.host, "");
	assert_false(state->is_library_done);
}

static void test_scratch_is_given_back_in_place(void **)
{
	struct cls_state *scratch = cls_pool_scratch(pool);

	scratch->verdict.effort = 7;
	cls_pool_give(pool, scratch);
	assert_ptr_equal(cls_pool_scratch(pool), scratch);
	assert_int_equal(scratch->verdict.effort, 0);
	assert_is(keep(3), 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_kept_state_is_found_and_scratch_is_clean),
		TEST(test_a_full_pool_takes_from_the_oldest),
		TEST(test_one_given_back_is_no_longer_the_oldest),
		TEST(test_a_state_is_wiped_before_its_next_flow),
		TEST(test_scratch_is_given_back_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
