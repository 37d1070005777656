// SPDX-License-Identifier: BSD-3-Clause

/* The flows with most bytes, and answers that are kept. */

#include "control/flow_pick.h"

#include "control/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

static struct dp_record flow(uint64_t bytes, uint64_t first_ns, uint64_t number)
{
	return (struct dp_record){.kind = DP_RECORD_NOTE,
		.note = {.bytes = {bytes, 1},
			.packets = {2, 3},
			.first_ns = first_ns,
			.risk_bits = number}};
}

static void up_is_what_the_endpoint_sent(void **)
{
	struct dp_record r = flow(10, 0, 0);

	assert_int_equal(ctl_flow_bytes(&r, true), 10);
	assert_int_equal(ctl_flow_bytes(&r, false), 1);
	r.note.server_is_src = true;
	assert_int_equal(ctl_flow_bytes(&r, true), 1);
	assert_int_equal(ctl_flow_bytes(&r, false), 10);
}

static int most_first(const void *a, const void *b)
{
	const struct dp_record *x = a, *y = b;

	if (x->note.bytes[0] != y->note.bytes[0])
		return x->note.bytes[0] < y->note.bytes[0] ? 1 : -1;
	return (x->note.first_ns > y->note.first_ns) - (x->note.first_ns < y->note.first_ns);
}

/* Whatever the order in which they come: the same as sorting them all. */
static void those_with_most_bytes_are_kept_in_order(void **)
{
	enum { N = 3000 };
	static const size_t kept[] = {1, 2, 3, 7, 100, N - 1, N, N + 1};
	struct dp_record *all = g_new(struct dp_record, N);
	GRand *rand = g_rand_new_with_seed(1);

	for (size_t k = 0; k < G_N_ELEMENTS(kept); k++) {
		struct ctl_flow_pick *pick = ctl_flow_pick_new(kept[k]);
		struct ctl_flow_totals t;
		uint64_t bytes = 0;

		for (uint64_t i = 0; i < N; i++) { // many of the same size, none of the same age
			all[i] = flow(g_rand_int_range(rand, 0, 500), i ^ (uint64_t)k * 1021, i);
			bytes += all[i].note.bytes[0];
			ctl_flow_pick_add(pick, &all[i]);
		}
		ctl_flow_pick_seal(pick);
		qsort(all, N, sizeof(*all), most_first);
		assert_int_equal(ctl_flow_pick_count(pick), MIN(kept[k], N));
		for (size_t i = 0; i < MIN(kept[k], N); i++)
			assert_int_equal(
				ctl_flow_pick_at(pick, i)->note.risk_bits, all[i].note.risk_bits);
		t = ctl_flow_pick_totals(pick);
		assert_int_equal(t.flows, N);
		assert_int_equal(t.up_bytes, bytes);
		assert_int_equal(t.down_bytes, N);
		assert_int_equal(t.packets, 5 * N);
		ctl_flow_pick_free(pick);
	}
	g_rand_free(rand);
	g_free(all);
}

static void of_none_there_is_none(void **)
{
	struct ctl_flow_pick *pick = ctl_flow_pick_new(5);

	ctl_flow_pick_seal(pick);
	assert_int_equal(ctl_flow_pick_count(pick), 0);
	ctl_flow_pick_free(pick);
	ctl_flow_pick_free(NULL);
}

/* --- answers that are kept ------------------------------------------------------------------------ */

static void what_was_asked_for_longest_ago_gives_way(void **)
{
	struct ctl_kept *kept = ctl_kept_new(2, g_free);

	ctl_kept_add(kept, 1, g_strdup("one"));
	g_usleep(2);
	ctl_kept_add(kept, 2, g_strdup("two"));
	g_usleep(2);
	assert_string_equal(ctl_kept_get(kept, 1), "one");
	ctl_kept_add(kept, 3, g_strdup("three"));
	assert_null(ctl_kept_get(kept, 2));
	assert_string_equal(ctl_kept_get(kept, 1), "one");
	assert_string_equal(ctl_kept_get(kept, 3), "three");
	assert_null(ctl_kept_get(kept, 4));
	ctl_kept_tend(kept); // none is a minute old
	assert_non_null(ctl_kept_get(kept, 1));
	ctl_kept_free(kept);
	ctl_kept_free(NULL);
}

static void a_cursor_names_a_row_and_nonsense_none(void **)
{
	static const char *const nonsense[] = {"", ":", "1", "1:", ":1", "0:1", "-1:1", "1:-1",
		"1:1:1", "1 :1", "x:1", "1:x", "18446744073709551616:1",
		"1111111111111111111111111111111111111111111111111:1"};
	char text[CTL_KEPT_CURSOR_MAX];
	uint64_t number = 7;
	size_t row = 8;

	for (size_t i = 0; i < G_N_ELEMENTS(nonsense); i++)
		assert_false(ctl_kept_read_cursor(nonsense[i], &number, &row));
	assert_int_equal(number, 7);
	assert_int_equal(row, 8);
	ctl_kept_cursor(UINT64_MAX, SIZE_MAX, text);
	assert_true(ctl_kept_read_cursor(text, &number, &row));
	assert_true(number == UINT64_MAX && row == SIZE_MAX);
	ctl_kept_cursor(3, 0, text);
	assert_string_equal(text, "3:0");
	for (size_t len = 0; len < strlen(text); len++) {
		g_autofree char *cut = g_strndup(text, len);

		assert_false(ctl_kept_read_cursor(cut, &number, &row));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_is_what_the_endpoint_sent),
		cmocka_unit_test(those_with_most_bytes_are_kept_in_order),
		cmocka_unit_test(of_none_there_is_none),
		cmocka_unit_test(what_was_asked_for_longest_ago_gives_way),
		cmocka_unit_test(a_cursor_names_a_row_and_nonsense_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
