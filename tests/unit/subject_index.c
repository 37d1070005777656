// SPDX-License-Identifier: BSD-3-Clause
/* Who has a subject is found, also beside others, after growth, and not when it is gone. */
#include "control/subject_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 5000 };

static void profile_destroy(gpointer profile)
{
	ctl_profile_free(profile);
}

static struct ctl_profile *add(GPtrArray *by_id, const char *subject)
{
	struct ctl_profile *profile = ctl_profile_new(by_id->len + 1);

	profile->subject = g_strdup(subject);
	g_ptr_array_add(by_id, profile);
	return profile;
}

static void make(GPtrArray *by_id, struct ctl_subject_index *index)
{
	for (int i = 0; i < MANY; i++) {
		g_autofree char *subject = g_strdup_printf("subject-%d", i);

		ctl_subject_index_add(index, by_id, add(by_id, subject)->id);
	}
}

static size_t count(GPtrArray *by_id, const struct ctl_subject_index *index)
{
	size_t n = 0;

	for (int i = 0; i < MANY; i++) {
		g_autofree char *subject = g_strdup_printf("subject-%d", i);
		const struct ctl_profile *profile = ctl_subject_index_find(index, by_id, subject);

		if (profile == NULL)
			continue;
		assert_string_equal(profile->subject, subject);
		n++;
	}
	return n;
}

static void all_are_found_and_others_are_not(void **)
{
	g_autoptr(GPtrArray) by_id = g_ptr_array_new_with_free_func(profile_destroy);
	struct ctl_subject_index *index = ctl_subject_index_new();

	assert_null(ctl_subject_index_find(index, by_id, "subject-0"));
	make(by_id, index);
	assert_int_equal(count(by_id, index), MANY);
	assert_null(ctl_subject_index_find(index, by_id, "subject-"));
	assert_null(ctl_subject_index_find(index, by_id, ""));
	ctl_subject_index_clear(index, MANY);
	assert_int_equal(count(by_id, index), 0);
	ctl_subject_index_free(index);
}

static void who_is_gone_is_not_found(void **)
{
	g_autoptr(GPtrArray) by_id = g_ptr_array_new_with_free_func(profile_destroy);
	struct ctl_subject_index *index = ctl_subject_index_new();
	struct ctl_profile *untold;

	make(by_id, index);
	for (int i = 0; i < MANY; i += 2) { // forgotten
		ctl_profile_free(by_id->pdata[i]);
		by_id->pdata[i] = NULL;
	}
	untold = by_id->pdata[1];
	g_clear_pointer(&untold->subject, g_free);
	assert_int_equal(count(by_id, index), MANY / 2 - 1);
	for (int i = 0; i < MANY; i++) { // growth leaves them behind
		g_autofree char *subject = g_strdup_printf("other-%d", i);

		ctl_subject_index_add(index, by_id, add(by_id, subject)->id);
	}
	assert_int_equal(count(by_id, index), MANY / 2 - 1);
	ctl_subject_index_free(index);
}

static void of_two_the_last_one_is_found(void **)
{
	g_autoptr(GPtrArray) by_id = g_ptr_array_new_with_free_func(profile_destroy);
	struct ctl_subject_index *index = ctl_subject_index_new();
	const struct ctl_profile *last;

	make(by_id, index);
	last = add(by_id, "subject-7");
	ctl_subject_index_add(index, by_id, last->id);
	assert_ptr_equal(ctl_subject_index_find(index, by_id, "subject-7"), last);
	assert_int_equal(count(by_id, index), MANY);
	ctl_subject_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_found_and_others_are_not),
		cmocka_unit_test(who_is_gone_is_not_found),
		cmocka_unit_test(of_two_the_last_one_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
