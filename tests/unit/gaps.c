// SPDX-License-Identifier: BSD-3-Clause
/* Gaps: noted, bounded, read back from what the batch would make durable. */
#include "control/gaps.h"

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static struct ctl_gap gap_at(uint64_t s)
{
	struct ctl_gap gap = {.from_ns = s * SECOND, .to_ns = (s + 1) * SECOND};

	(void)g_snprintf(gap.cause, sizeof(gap.cause), "cause %" G_GUINT64_FORMAT, s);
	return gap;
}

/* What the batch says, into another list. */
static void replay(const struct ctl_batch *batch, struct ctl_gaps *gaps, size_t *n_cuts)
{
	for (size_t i = 0; i < ctl_batch_n_ops(batch); i++) {
		const struct ctl_op op = ctl_batch_op(batch, i);

		assert_int_equal(op.table, CTL_TABLE_GAPS);
		if (op.kind == CTL_OP_PUT)
			assert_int_equal(ctl_gaps_load(gaps, op.key, op.value, op.len), 0);
		else
			*n_cuts += op.kind == CTL_OP_CUT;
	}
}

static void the_newest_are_kept(void **)
{
	struct ctl_gaps *gaps = ctl_gaps_new(), *again = ctl_gaps_new();
	struct ctl_batch *batch = ctl_batch_new(1, 0);
	size_t n_cuts = 0;

	for (uint64_t s = 0; s < CTL_GAPS_MAX + 3; s++) {
		const struct ctl_gap gap = gap_at(10 * s);

		ctl_gaps_add(gaps, &gap, batch);
	}
	assert_int_equal(ctl_gaps_count(gaps), CTL_GAPS_MAX);
	replay(batch, again, &n_cuts);
	assert_int_equal(n_cuts, 3);
	assert_int_equal(ctl_gaps_count(again), CTL_GAPS_MAX);
	for (size_t i = 0; i < CTL_GAPS_MAX; i++) {
		assert_int_equal(ctl_gaps_at(again, i)->from_ns, (i + 3) * 10 * SECOND);
		assert_int_equal(ctl_gaps_at(again, i)->to_ns, ((i + 3) * 10 + 1) * SECOND);
		assert_string_equal(ctl_gaps_at(again, i)->cause, ctl_gaps_at(gaps, i)->cause);
	}
	ctl_batch_free(batch);
	ctl_gaps_free(gaps);
	ctl_gaps_free(again);
}

static void what_is_no_gap_is_refused(void **)
{
	struct ctl_gaps *gaps = ctl_gaps_new(), *again = ctl_gaps_new();
	struct ctl_batch *batch = ctl_batch_new(1, 0);
	const struct ctl_gap gap = gap_at(5);
	struct ctl_op op;

	ctl_gaps_add(gaps, &gap, batch);
	op = ctl_batch_op(batch, 0);
	for (size_t cut = 0; cut < op.len; cut++) {
		g_autofree void *copy = g_memdup2(op.value, cut);

		assert_int_equal(ctl_gaps_load(again, op.key, copy, cut), -EBADMSG);
	}
	assert_int_equal(
		ctl_gaps_load(again, 100 * SECOND, op.value, op.len), -EBADMSG); // ends before
	assert_int_equal(ctl_gaps_count(again), 0);
	ctl_batch_free(batch);
	ctl_gaps_free(gaps);
	ctl_gaps_free(again);
}

static void gaps_are_shown_with_their_length(void **)
{
	struct ctl_gaps *gaps = ctl_gaps_new();
	const struct ctl_gap gap = {.from_ns = SECOND, .to_ns = SECOND * 5 / 2, .cause = "away"};
	json_t *rows, *row;

	ctl_gaps_add(gaps, &gap, NULL);
	rows = ctl_gaps_json(gaps);
	assert_int_equal(json_array_size(rows), 1);
	row = json_array_get(rows, 0);
	assert_string_equal(
		json_string_value(json_object_get(row, "from")), "1970-01-01T00:00:01.000Z");
	assert_true(json_real_value(json_object_get(row, "seconds")) == 1.5);
	assert_string_equal(json_string_value(json_object_get(row, "cause")), "away");
	json_decref(rows);
	ctl_gaps_free(gaps);
}

/* Killed before anything was kept, and started again: it is one gap, longer. */
static void two_starts_without_a_tick_between_them_are_one_gap(void **)
{
	struct ctl_gaps *gaps = ctl_gaps_new();
	struct ctl_gap gap = gap_at(10);

	ctl_gaps_add(gaps, &gap, NULL);
	gap.to_ns += SECOND;
	ctl_gaps_add(gaps, &gap, NULL);
	assert_int_equal(ctl_gaps_count(gaps), 1);
	assert_int_equal(ctl_gaps_at(gaps, 0)->to_ns, 12 * SECOND);
	ctl_gaps_free(gaps);
}

static void a_gap_that_lasts_is_saved_as_far_as_it_came(void **)
{
	struct ctl_gaps *gaps = ctl_gaps_new(), *again = ctl_gaps_new();
	struct ctl_gap one = gap_at(10), other = gap_at(10);
	size_t n_cuts = 0;

	ctl_gaps_begin(gaps, &one);
	ctl_gaps_begin(gaps, &other); // of another port: at the same time, and another one
	assert_int_equal(other.from_ns, one.from_ns + 1);
	for (uint64_t s = 12; s < 15; s++) {
		struct ctl_batch *batch = ctl_batch_new(s, 0);

		one.to_ns = s * SECOND;
		assert_true(ctl_gaps_change(gaps, &one));
		ctl_gaps_save(gaps, batch);
		assert_int_equal(ctl_batch_n_ops(batch), s == 12 ? 2 : 1); // what has changed
		replay(batch, again, &n_cuts);
		ctl_batch_free(batch);
		assert_int_equal(ctl_gaps_count(again), 2);
		assert_int_equal(ctl_gaps_at(again, 0)->to_ns, s * SECOND);
		assert_int_equal(ctl_gaps_at(again, 1)->to_ns, 11 * SECOND);
	}
	assert_int_equal(n_cuts, 0);
	ctl_gaps_free(gaps);
	ctl_gaps_free(again);
}

static void a_gap_that_was_pushed_out_cannot_change(void **)
{
	struct ctl_gaps *gaps = ctl_gaps_new();
	struct ctl_batch *batch = ctl_batch_new(1, 0);
	struct ctl_gap first = gap_at(1);

	ctl_gaps_begin(gaps, &first);
	for (uint64_t s = 2; s < CTL_GAPS_MAX + 2; s++) {
		struct ctl_gap gap = gap_at(s);

		ctl_gaps_begin(gaps, &gap);
	}
	assert_false(ctl_gaps_change(gaps, &first));
	ctl_gaps_save(gaps, batch);
	assert_int_equal(ctl_batch_n_ops(batch), CTL_GAPS_MAX + 1);
	assert_int_equal(ctl_batch_op(batch, CTL_GAPS_MAX).kind, CTL_OP_CUT);
	assert_int_equal(ctl_batch_op(batch, CTL_GAPS_MAX).key, 1 * SECOND);
	ctl_batch_free(batch);
	ctl_gaps_free(gaps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_are_kept),
		cmocka_unit_test(two_starts_without_a_tick_between_them_are_one_gap),
		cmocka_unit_test(a_gap_that_lasts_is_saved_as_far_as_it_came),
		cmocka_unit_test(a_gap_that_was_pushed_out_cannot_change),
		cmocka_unit_test(what_is_no_gap_is_refused),
		cmocka_unit_test(gaps_are_shown_with_their_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
