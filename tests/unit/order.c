// SPDX-License-Identifier: BSD-3-Clause
#include "control/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

enum { N_MAX = 3000 };

static uint64_t random_word(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state ^ *state >> 29;
}

static int by_words(const struct ctl_order *a, const struct ctl_order *b, unsigned int n_words)
{
	for (unsigned int i = 0; i < n_words; i++)
		if (a->words[i] != b->words[i])
			return a->words[i] < b->words[i] ? -1 : 1;
	return 0;
}

/* Each entry keeps in its last word where it stood. */
static void check(const struct ctl_order *given, size_t n, unsigned int n_words)
{
	static struct ctl_order memory[2 * N_MAX];
	static bool is_seen[N_MAX];
	const struct ctl_order *sorted;

	memcpy(memory, given, n * sizeof(*given));
	memset(is_seen, 0, sizeof(is_seen));
	sorted = ctl_order_sort(memory, memory + n, n, n_words);
	assert_true(sorted == memory || sorted == memory + n);
	for (size_t i = 0; i < n; i++) {
		const size_t from = sorted[i].words[3];

		assert_true(from < n && !is_seen[from]);
		is_seen[from] = true;
		assert_memory_equal(&sorted[i], &given[from], sizeof(*given));
		if (i == 0)
			continue;

		const int r = by_words(&sorted[i - 1], &sorted[i], n_words);

		assert_true(r < 0 || (r == 0 && sorted[i - 1].words[3] < from));
	}
}

/* Keys of all sizes, many of them equal, by one to three words. */
static void test_random(void **)
{
	static struct ctl_order given[N_MAX];
	static const uint64_t masks[] = {0, 1, 0xff, 0xff00, UINT64_C(0x8000000000000001),
		UINT64_C(0xf0f0000000000f00), UINT64_MAX};
	uint64_t state = 1;

	for (int round = 0; round < 200; round++) {
		const size_t n = random_word(&state) % (round < 100 ? 20 : N_MAX);
		uint64_t mask[3];

		for (int w = 0; w < 3; w++)
			mask[w] = masks[random_word(&state) % 7];
		for (size_t i = 0; i < n; i++) {
			for (int w = 0; w < 3; w++)
				given[i].words[w] = (random_word(&state) & mask[w]) | 0x5000;
			given[i].words[3] = i;
		}
		check(given, n, 1 + (unsigned int)round % 3);
	}
}

static void test_words_weigh_by_place(void **)
{
	const struct ctl_order given[] = {
		{{2, 0, 0, 0}},
		{{1, UINT64_MAX, UINT64_MAX, 1}},
		{{1, UINT64_MAX, 0, 2}},
		{{1, 3, UINT64_MAX, 3}},
	};
	struct ctl_order memory[8];
	const struct ctl_order *sorted;

	memcpy(memory, given, sizeof(given));
	sorted = ctl_order_sort(memory, memory + 4, 4, 3);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sorted[i].words[3], 3 - i);
}

static void test_few(void **)
{
	struct ctl_order memory[2] = {{{7, 8, 9, 10}}};

	assert_ptr_equal(ctl_order_sort(memory, memory, 0, 3), memory);
	assert_ptr_equal(ctl_order_sort(memory, memory + 1, 1, 3), memory);
	assert_int_equal(memory[0].words[3], 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_words_weigh_by_place),
		cmocka_unit_test(test_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
