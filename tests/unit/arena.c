// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

enum { SLAB_BYTES = 65536, N_BLOCKS = 512, N_STEPS = 200000 };

/* What the model says of a block: its bytes all have the same value. */
struct told {
	uint8_t *p;
	size_t size;
	uint8_t fill;
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223; // any generator that repeats
	return *seed >> 8;
}

/* Mostly the sizes that nDPI asks for: short texts, a TLS buffer, sometimes a large one. */
static size_t random_size(uint32_t *seed)
{
	const uint32_t r = next_random(seed);

	switch (r % 8) {
	case 0:
		return 2048 + r / 8 % 2100;
	case 1:
		return r / 8 % 10000;
	default:
		return r / 8 % 100;
	}
}

static void check(const struct told *b)
{
	for (size_t i = 0; i < b->size; i++)
		assert_int_equal(b->p[i], b->fill);
}

static void random_steps(struct cls_arena *a, uint32_t seed)
{
	struct told blocks[N_BLOCKS] = {0};

	for (uint32_t step = 0; step < N_STEPS; step++) {
		struct told *b = &blocks[next_random(&seed) % N_BLOCKS];

		if (b->p != NULL) {
			check(b);
			cls_arena_release(a, b->p);
			b->p = NULL;
			continue;
		}
		b->size = random_size(&seed);
		b->fill = (uint8_t)step;
		b->p = cls_arena_alloc(a, b->size);
		assert_non_null(b->p);
		assert_int_equal((uintptr_t)b->p % _Alignof(max_align_t), 0);
		memset(b->p, b->fill, b->size);
	}
	for (size_t i = 0; i < N_BLOCKS; i++) {
		if (blocks[i].p == NULL)
			continue;
		check(&blocks[i]);
		cls_arena_release(a, blocks[i].p);
	}
}

static void no_block_touches_another(void **)
{
	// Room for all, room for some of them (the heap helps out), and no arena at all.
	static const size_t rooms[] = {64 * SLAB_BYTES, 4 * SLAB_BYTES, 1};

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct cls_arena *a = cls_arena_new(rooms[i]);

		assert_non_null(a);
		random_steps(a, (uint32_t)i + 1);
		assert_true(cls_arena_bytes(a) <= (rooms[i] > SLAB_BYTES ? rooms[i] : SLAB_BYTES));
		cls_arena_free(a);
	}
	random_steps(NULL, 4);
}

static void what_was_freed_is_used_again(void **)
{
	struct cls_arena *a = cls_arena_new(64 * SLAB_BYTES);
	size_t bytes_after_first = 0;

	assert_non_null(a);
	for (int round = 0; round < 1000; round++) {
		void *blocks[64];

		for (size_t i = 0; i < 64; i++)
			blocks[i] = cls_arena_alloc(a, 2048);
		for (size_t i = 0; i < 64; i++)
			cls_arena_release(a, blocks[i]);
		if (round == 0)
			bytes_after_first = cls_arena_bytes(a);
	}
	assert_int_equal(bytes_after_first, 2 * SLAB_BYTES);
	assert_int_equal(cls_arena_bytes(a), bytes_after_first);
	cls_arena_free(a);
}

static void the_edges_of_the_classes_hold_what_was_asked_for(void **)
{
	static const size_t sizes[] = {
		0, 1, 31, 32, 33, 63, 64, 65, 2047, 2048, 2049, 4095, 4096, 4097, SLAB_BYTES};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct cls_arena *a = cls_arena_new(4 * SLAB_BYTES);
		uint8_t *x = cls_arena_alloc(a, sizes[i]);
		uint8_t *y = cls_arena_alloc(a, sizes[i]);

		assert_non_null(x);
		assert_non_null(y);
		assert_ptr_not_equal(x, y);
		memset(x, 1, sizes[i]);
		memset(y, 2, sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(x[k], 1);
		assert_int_equal(cls_arena_bytes(a), sizes[i] <= 4096 ? SLAB_BYTES : 0);
		cls_arena_release(a, x);
		cls_arena_release(a, y);
		cls_arena_free(a);
	}
}

static void a_block_of_the_heap_goes_back_to_the_heap(void **)
{
	struct cls_arena *a = cls_arena_new(SLAB_BYTES);

	cls_arena_release(a, malloc(64)); // a leak checker sees what is not freed
	cls_arena_release(a, NULL);
	assert_int_equal(cls_arena_bytes(a), 0);
	cls_arena_free(a);
	cls_arena_free(NULL);
}

#if defined(__SANITIZE_ADDRESS__)
static void bytes_that_nobody_has_are_poisoned(void **)
{
	struct cls_arena *a = cls_arena_new(SLAB_BYTES);
	uint8_t *p = cls_arena_alloc(a, 40);

	assert_false(__asan_address_is_poisoned(p + 39));
	assert_true(__asan_address_is_poisoned(p + 40));
	cls_arena_release(a, p);
	assert_true(__asan_address_is_poisoned(p));
	assert_ptr_equal(cls_arena_alloc(a, 64), p);
	assert_false(__asan_address_is_poisoned(p + 63));
	cls_arena_free(a);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_block_touches_another),
		cmocka_unit_test(what_was_freed_is_used_again),
		cmocka_unit_test(the_edges_of_the_classes_hold_what_was_asked_for),
		cmocka_unit_test(a_block_of_the_heap_goes_back_to_the_heap),
#if defined(__SANITIZE_ADDRESS__)
		cmocka_unit_test(bytes_that_nobody_has_are_poisoned),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
