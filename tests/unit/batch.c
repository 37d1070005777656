// SPDX-License-Identifier: BSD-3-Clause
/* What becomes durable together: operations come out as they went in. */
#include "control/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void operations_come_out_in_their_order(void **)
{
	struct ctl_batch *batch = ctl_batch_new(7, 123456789);
	struct ctl_op op;

	ctl_batch_put(batch, CTL_TABLE_PROFILES, UINT64_MAX, "image", 5);
	ctl_batch_delete(batch, CTL_TABLE_OUTBOX, 3);
	ctl_batch_cut(batch, CTL_TABLE_JOURNAL, 4);
	ctl_batch_put(batch, CTL_TABLE_APPS, 0, NULL, 0);

	assert_int_equal(ctl_batch_serial(batch), 7);
	assert_int_equal(ctl_batch_watermark(batch), 123456789);
	assert_int_equal(ctl_batch_n_ops(batch), 4);
	assert_int_equal(ctl_batch_bytes(batch), 4 * 8 + 5);
	op = ctl_batch_op(batch, 0);
	assert_int_equal(op.kind, CTL_OP_PUT);
	assert_int_equal(op.table, CTL_TABLE_PROFILES);
	assert_true(op.key == UINT64_MAX);
	assert_int_equal(op.len, 5);
	assert_memory_equal(op.value, "image", 5);
	op = ctl_batch_op(batch, 1);
	assert_int_equal(op.kind, CTL_OP_DELETE);
	assert_int_equal(op.table, CTL_TABLE_OUTBOX);
	assert_int_equal(op.key, 3);
	op = ctl_batch_op(batch, 2);
	assert_int_equal(op.kind, CTL_OP_CUT);
	assert_int_equal(op.key, 4);
	op = ctl_batch_op(batch, 3);
	assert_int_equal(op.kind, CTL_OP_PUT);
	assert_int_equal(op.len, 0);
	ctl_batch_free(batch);
}

static void it_grows_as_needed_and_keeps_what_was_put(void **)
{
	enum { N = 50000 };
	struct ctl_batch *batch = ctl_batch_new(1, 0);
	uint8_t value[600];

	for (size_t i = 0; i < N; i++) {
		memset(value, (int)(i % 251), sizeof(value));
		ctl_batch_put(batch, CTL_TABLE_PROFILES, i, value, i % sizeof(value));
		memset(value, 0xee, sizeof(value)); // it was copied
	}
	assert_int_equal(ctl_batch_n_ops(batch), N);
	for (size_t i = 0; i < N; i++) {
		const struct ctl_op op = ctl_batch_op(batch, i);

		memset(value, (int)(i % 251), sizeof(value));
		assert_int_equal(op.key, i);
		assert_int_equal(op.len, i % sizeof(value));
		if (op.len > 0)
			assert_memory_equal(op.value, value, op.len);
	}
	ctl_batch_free(batch);
	ctl_batch_free(NULL);
}

static void every_table_has_a_name(void **)
{
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++)
		assert_non_null(ctl_table_names[i]);
	assert_null(ctl_table_names[CTL_TABLE_COUNT]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_come_out_in_their_order),
		cmocka_unit_test(it_grows_as_needed_and_keeps_what_was_put),
		cmocka_unit_test(every_table_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
