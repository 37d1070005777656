// SPDX-License-Identifier: BSD-3-Clause
/* A set of ids: what was put in comes out once, in order. */
#include "control/idset.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void ids_come_in_order(void **)
{
	static const uint64_t ids[] = {70000, 0, 63, 64, 65, 127, 128, 4095, 4096, 64};
	static const uint64_t sorted[] = {0, 63, 64, 65, 127, 128, 4095, 4096, 70000};
	struct ctl_idset set = {0};
	uint64_t id = 0;

	assert_int_equal(ctl_idset_next(&set, 0), UINT64_MAX);
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		ctl_idset_add(&set, ids[i]);
	assert_int_equal(set.n_ids, G_N_ELEMENTS(sorted));
	for (size_t i = 0; i < G_N_ELEMENTS(sorted); i++) {
		id = ctl_idset_next(&set, id);
		assert_int_equal(id, sorted[i]);
		assert_true(ctl_idset_has(&set, id));
		id++;
	}
	assert_int_equal(ctl_idset_next(&set, id), UINT64_MAX);
	ctl_idset_fini(&set);
}

static void what_is_removed_is_gone(void **)
{
	struct ctl_idset set = {0};

	for (uint64_t id = 0; id < 1000; id++)
		ctl_idset_add(&set, id);
	for (uint64_t id = 0; id < 1000; id += 2)
		ctl_idset_remove(&set, id);
	ctl_idset_remove(&set, 0);
	ctl_idset_remove(&set, UINT64_MAX - 1);
	assert_int_equal(set.n_ids, 500);
	assert_false(ctl_idset_has(&set, 998));
	assert_false(ctl_idset_has(&set, UINT64_MAX - 1));
	assert_int_equal(ctl_idset_next(&set, 998), 999);
	ctl_idset_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_come_in_order),
		cmocka_unit_test(what_is_removed_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
