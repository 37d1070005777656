// SPDX-License-Identifier: BSD-3-Clause
#include "control/dict.h"

#include <glib.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIRST = 5, N_NAMES = 300000 };

/* Reads a catalogue, as it were. */
static void *add_names(void *dict)
{
	for (uint32_t i = 0; i < N_NAMES; i++) {
		char name[16];
		uint32_t id;

		(void)g_snprintf(name, sizeof(name), "n%u", i);
		if (ctl_dict_id(dict, name, &id) < 0 || id != FIRST + i)
			return (void *)"wrong";
	}
	return NULL;
}

static void names_can_be_asked_for_while_others_are_added(void **)
{
	struct ctl_dict *dict = ctl_dict_new(FIRST, UINT32_MAX - 1);
	const char *first = NULL;
	pthread_t thread;
	void *wrong;
	uint32_t end = FIRST;

	assert_int_equal(pthread_create(&thread, NULL, add_names, dict), 0);
	while (end < FIRST + N_NAMES) {
		const uint32_t before = end;

		end = ctl_dict_end(dict);
		assert_true(end >= before);
		// All that lie before the end are there, and the first stays where it was.
		for (uint32_t id = MAX(before, FIRST + 1) - 1; id < end; id++) {
			const char *name = ctl_dict_name(dict, id);

			assert_non_null(name);
			assert_int_equal(strtoul(name + 1, NULL, 10), id - FIRST);
		}
		if (first == NULL)
			first = ctl_dict_name(dict, FIRST);
		assert_true(first == NULL || ctl_dict_name(dict, FIRST) == first);
		assert_true(first == NULL || ctl_dict_has(dict, "n0")); // however it grows
	}
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_null(wrong);
	assert_true(ctl_dict_has(dict, "n0"));
	assert_int_equal(ctl_dict_count(dict), N_NAMES);
	ctl_dict_free(dict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_can_be_asked_for_while_others_are_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
