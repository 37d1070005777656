// SPDX-License-Identifier: BSD-3-Clause
/* Versions of the catalogue on a real disk. */
#include "tests/unit/versions_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- what is kept ------------------------------------------------------------------------------ */

static void the_first_start_keeps_the_configured_file(void **state)
{
	struct rig *rig = *state;
	const struct ctl_versions_choice choice = rig_begin(rig);

	assert_int_equal(choice.version, 0);
	assert_int_equal(choice.what, CTL_HISTORY_STARTED);
	assert_int_equal(ctl_versions_in_force(rig->versions), 1);
	rig_assert_chosen(rig, 1, "first");
	rig_shut(rig);
	assert_int_equal(rig_begin(rig).version, 1);
	assert_int_equal(ctl_versions_next(rig->versions), 2);
}

static void what_was_committed_outlives_the_process(void **state)
{
	struct rig *rig = *state;

	(void)rig_begin(rig);
	assert_int_equal(rig_commit(rig, "second"), 2);
	assert_int_equal(ctl_versions_in_force(rig->versions), 2);
	rig_put(rig, "work/mine.yaml", "changed behind it");
	rig_shut(rig);
	rig_assert_chosen(rig, 2, "second");
	assert_int_equal(rig_begin(rig).version, 2);
	assert_int_equal(ctl_versions_before(rig->versions), 1);
}

static void the_newest_wins(void **state)
{
	struct rig *rig = *state;
	struct ctl_versions_choice choice;

	(void)rig_begin(rig);
	assert_int_equal(rig_commit(rig, "second"), 2);
	rig_shut(rig);
	rig_put(rig, "etc/apps.yaml", "third");
	choice = rig_begin(rig);
	assert_int_equal(choice.version, 0);
	assert_int_equal(choice.what, CTL_HISTORY_FILE);
	assert_int_equal(ctl_versions_in_force(rig->versions), 3);
	rig_assert_chosen(rig, 3, "third");
	assert_int_equal(rig_commit(rig, "fourth"), 4);
	rig_shut(rig);
	rig_assert_chosen(rig, 4, "fourth");
}

static void a_file_that_became_what_is_in_force_is_no_new_version(void **state)
{
	struct rig *rig = *state;

	(void)rig_begin(rig);
	assert_int_equal(rig_commit(rig, "second"), 2);
	rig_shut(rig);
	rig_put(rig, "etc/apps.yaml", "second");
	(void)rig_begin(rig);
	assert_int_equal(ctl_versions_in_force(rig->versions), 2);
	assert_int_equal(ctl_versions_next(rig->versions), 3);
	assert_int_equal(ctl_versions_before(rig->versions), 1);
	rig_assert_chosen(rig, 2, "second");
}

static void a_rollback_is_one_more_line_and_outlives_the_process(void **state)
{
	struct rig *rig = *state;
	g_autofree char *copy = NULL;
	char sha256[CTL_SHA256_MAX];
	struct dp_err err;

	(void)rig_begin(rig);
	(void)rig_commit(rig, "second");
	(void)rig_commit(rig, "third");
	rig_roll_back(rig, ctl_versions_before(rig->versions));
	rig_assert_chosen(rig, 2, "second");
	rig_roll_back(rig, ctl_versions_before(rig->versions));
	rig_assert_chosen(rig, 1, "first");
	assert_int_equal(ctl_versions_before(rig->versions), 0);
	rig_roll_back(rig, 3);
	rig_shut(rig);
	rig_assert_chosen(rig, 3, "third");
	(void)rig_begin(rig);
	assert_int_equal(ctl_versions_find(rig->versions, 9, &copy, sha256, &err), -ENOENT);
	assert_string_equal(err.text, "the history has no version 9");
}

/* For a configured file that is newer, and wrong. */
static void what_was_in_force_can_be_chosen_though_the_configured_file_is_newer(void **state)
{
	struct rig *rig = *state;
	g_autofree char *folder = rig_path(rig, "store/catalogues");
	g_autofree char *text = NULL;
	struct ctl_versions_choice choice;
	struct dp_err err;

	ctl_versions_choose_kept(folder, &choice); // there is none yet
	assert_int_equal(choice.version, 0);
	ctl_versions_choice_fini(&choice);
	(void)rig_begin(rig);
	assert_int_equal(rig_commit(rig, "second"), 2);
	rig_shut(rig);
	rig_put(rig, "etc/apps.yaml", "wrong");
	assert_int_equal(rig_chosen(rig, &text), 0);
	ctl_versions_choose_kept(folder, &choice);
	assert_int_equal(choice.version, 2);
	assert_int_equal(ctl_versions_open(rig->store, &rig->versions, &err), 0);
	assert_int_equal(ctl_versions_take(rig->versions, &choice, rig->configured, &err), 0);
	ctl_versions_choice_fini(&choice);
	assert_int_equal(ctl_versions_in_force(rig->versions), 2);
	ctl_versions_choose_again(rig->versions, rig->configured, &choice);
	assert_int_equal(choice.version, 0); // a reload looks at the file, and says what is wrong
	ctl_versions_choice_fini(&choice);
	rig_shut(rig);
	rig_put(rig, "store/catalogues/000002/mine.yaml", "damaged");
	ctl_versions_choose_kept(folder, &choice);
	assert_int_equal(choice.version, 0);
	ctl_versions_choice_fini(&choice);
}

static bool count_row(void *ctx, size_t, json_t *given)
{
	GString *rows = ctx;

	g_string_append_printf(rows, "%lld%s %s %s\n",
		json_integer_value(json_object_get(given, "version")),
		json_is_true(json_object_get(given, "in_force")) ? "*" : "",
		json_string_value(json_object_get(given, "what")),
		json_is_string(json_object_get(given, "who"))
			? json_string_value(json_object_get(given, "who"))
			: "-");
	json_decref(given);
	return true;
}

static void the_history_says_what_who_and_which_is_in_force(void **state)
{
	struct rig *rig = *state;
	g_autoptr(GString) rows = g_string_new(NULL);

	(void)rig_begin(rig);
	(void)rig_commit(rig, "second");
	rig_roll_back(rig, 1);
	ctl_versions_each(rig->versions, 0, count_row, rows);
	assert_string_equal(rows->str, "1* rolled back tester\n2 committed tester\n1 started -\n");
}

static void hosts_files_are_part_of_a_version(void **state)
{
	static const char text[] = "apps:\n  - {name: a, category: b, hosts_file: lists/a.txt}\n"
				   "  - {name: c, category: b, hosts_file: lists/deep/c.txt}\n"
				   "  - {name: d, category: b, hosts_file: ../d.txt}\n"
				   "  - {name: e, category: b, hosts_file: /etc/hostname}\n";
	struct rig *rig = *state;
	g_autofree char *list = NULL, *found = NULL;

	(void)rig_begin(rig);
	rig_put(rig, "work/lists/a.txt", "a.example\n");
	rig_put(rig, "work/lists/deep/c.txt", "c.example\n");
	rig_put(rig, "d.txt", "d.example\n");
	assert_int_equal(rig_commit(rig, text), 2);
	list = rig_get(rig, "store/catalogues/000002/lists/deep/c.txt");
	assert_string_equal(list, "c.example\n");
	assert_false(rig_has(rig, "store/catalogues/d.txt"));
	assert_false(rig_has(rig, "store/catalogues/000002/etc/hostname"));
	rig_assert_chosen(rig, 2, text);
	rig_put(rig, "work/lists/a.txt", "another.example\n");
	assert_int_equal(rig_commit(rig, text), 3);
	rig_shut(rig);
	rig_put(rig, "store/catalogues/000003/lists/a.txt", "forged.example\n");
	assert_int_equal(rig_chosen(rig, &found), 0);
}

static void a_hosts_file_that_changed_makes_the_configured_file_another(void **state)
{
	struct rig *rig = *state;

	rig_put(rig, "etc/apps.yaml", "apps: [{name: a, category: b, hosts_file: a.txt}]");
	rig_put(rig, "etc/a.txt", "a.example\n");
	(void)rig_begin(rig);
	rig_shut(rig);
	assert_int_equal(rig_begin(rig).version, 1);
	rig_shut(rig);
	rig_put(rig, "etc/a.txt", "b.example\n");
	assert_int_equal(rig_begin(rig).version, 0);
	assert_int_equal(ctl_versions_in_force(rig->versions), 2);
}

static void the_digest_is_what_sha256sum_prints(void **state)
{
	struct rig *rig = *state;
	char sha256[CTL_SHA256_MAX];
	struct dp_err err;

	assert_int_equal(ctl_catalogue_digest(rig->configured, false, sha256, &err), 0);
	assert_string_equal(
		sha256, "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e");
}

static void old_copies_go_but_not_the_two_that_count(void **state)
{
	struct rig *rig = *state;

	(void)rig_begin(rig);
	for (int i = 2; i <= 30; i++) {
		g_autofree char *text = g_strdup_printf("number %d", i);

		assert_int_equal(rig_commit(rig, text), i);
	}
	assert_false(rig_has(rig, "store/catalogues/000010"));
	assert_true(rig_has(rig, "store/catalogues/000011"));
	rig_roll_back(rig, 11);
	for (int i = 31; i <= 60; i++) {
		g_autofree char *text = g_strdup_printf("number %d", i);

		assert_int_equal(rig_commit(rig, text), i);
		if (i > 31)
			continue;
		assert_true(rig_has(rig, "store/catalogues/000011")); // was before it
		rig_roll_back(rig, 11);
		assert_true(rig_has(rig, "store/catalogues/000011")); // is in force
	}
	assert_false(rig_has(rig, "store/catalogues/000011"));
	assert_false(rig_has(rig, "store/catalogues/000040"));
	assert_true(rig_has(rig, "store/catalogues/000041"));
}

static void without_a_store_it_ends_with_the_process(void **state)
{
	struct rig *rig = *state;
	g_autofree char *tmp = rig_path(rig, "tmp");
	struct dp_err err = {""};
	struct ctl_versions_choice choice;

	assert_int_equal(setenv("TMPDIR", tmp, 1), 0);
	assert_int_equal(g_mkdir(tmp, 0700), 0);
	ctl_versions_choose(NULL, rig->configured, &choice);
	assert_int_equal(choice.what, CTL_HISTORY_STARTED);
	assert_int_equal(ctl_versions_open(NULL, &rig->versions, &err), 0);
	assert_int_equal(ctl_versions_take(rig->versions, &choice, rig->configured, &err), 0);
	ctl_versions_choice_fini(&choice);
	assert_false(ctl_versions_are_kept(rig->versions));
	assert_int_equal(rig_commit(rig, "second"), 2);
	rig_roll_back(rig, 1);
	assert_int_equal(rmdir(tmp), -1); // something is in it
	rig_shut(rig);
	assert_int_equal(rmdir(tmp), 0);
	assert_int_equal(unsetenv("TMPDIR"), 0);
}

static void without_any_folder_it_still_starts(void **state)
{
	struct rig *rig = *state;
	struct ctl_versions_choice choice;
	g_autofree char *copy = NULL;
	bool is_source;
	struct dp_err err = {""};

	ctl_versions_choose(NULL, rig->configured, &choice);
	assert_int_equal(setenv("TMPDIR", "/proc/none", 1), 0);
	assert_int_equal(ctl_versions_open(NULL, &rig->versions, &err), 0);
	assert_int_equal(unsetenv("TMPDIR"), 0);
	assert_int_equal(ctl_versions_take(rig->versions, &choice, rig->configured, &err), -ENOENT);
	ctl_versions_choice_fini(&choice);
	assert_int_equal(ctl_versions_in_force(rig->versions), 0);
	assert_int_equal(
		ctl_versions_stage_begin(rig->versions, rig->configured, &copy, &is_source, &err),
		-ENOENT);
	assert_false(is_source);
	assert_non_null(strstr(err.text, "cannot make a folder for versions"));
}

/* --- what is refused ----------------------------------------------------------------------------- */

static void what_cannot_be_read_is_not_staged(void **state)
{
	struct rig *rig = *state;
	g_autofree char *missing = rig_path(rig, "work/no.yaml"), *folder = rig_path(rig, "etc");
	g_autofree char *fifo = rig_path(rig, "fifo"), *copy = NULL, *file = NULL;
	const char *const paths[] = {missing, folder, fifo, "/dev/zero"};
	char sha256[CTL_SHA256_MAX];
	bool is_source;
	struct dp_err err;

	(void)rig_begin(rig);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		assert_true(ctl_versions_stage_begin(
				    rig->versions, paths[i], &copy, &is_source, &err) < 0);
		assert_true(is_source);
	}
	assert_false(rig_has(rig, "store/catalogues/staging"));
	assert_false(ctl_versions_staged(rig->versions, sha256, &file));
}

static void nothing_staged_is_nothing_to_commit(void **state)
{
	struct rig *rig = *state;
	uint32_t version;
	struct dp_err err;

	(void)rig_begin(rig);
	assert_int_equal(ctl_versions_commit(rig->versions, "tester", "", &version, &err), -ENOENT);
	(void)rig_commit(rig, "second");
	assert_int_equal(ctl_versions_commit(rig->versions, "tester", "", &version, &err), -ENOENT);
	assert_string_equal(err.text, "nothing is staged");
}

static void a_configured_file_that_changes_meanwhile_is_taken_next_time(void **state)
{
	struct rig *rig = *state;
	g_autofree char *folder = ctl_versions_folder(rig->store);
	struct ctl_versions_choice choice;
	struct dp_err err;

	ctl_versions_choose(folder, rig->configured, &choice);
	rig_put(rig, "etc/apps.yaml", "changed");
	assert_int_equal(ctl_versions_open(rig->store, &rig->versions, &err), 0);
	assert_int_equal(ctl_versions_take(rig->versions, &choice, rig->configured, &err), -EAGAIN);
	ctl_versions_choice_fini(&choice);
	assert_int_equal(ctl_versions_in_force(rig->versions), 0);
	rig_shut(rig);
	(void)rig_begin(rig);
	rig_assert_chosen(rig, 1, "changed");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_start_keeps_the_configured_file),
		TEST(what_was_committed_outlives_the_process),
		TEST(the_newest_wins),
		TEST(a_file_that_became_what_is_in_force_is_no_new_version),
		TEST(a_rollback_is_one_more_line_and_outlives_the_process),
		TEST(what_was_in_force_can_be_chosen_though_the_configured_file_is_newer),
		TEST(the_history_says_what_who_and_which_is_in_force),
		TEST(hosts_files_are_part_of_a_version),
		TEST(a_hosts_file_that_changed_makes_the_configured_file_another),
		TEST(the_digest_is_what_sha256sum_prints),
		TEST(old_copies_go_but_not_the_two_that_count),
		TEST(without_a_store_it_ends_with_the_process),
		TEST(without_any_folder_it_still_starts),
		TEST(what_cannot_be_read_is_not_staged),
		TEST(nothing_staged_is_nothing_to_commit),
		TEST(a_configured_file_that_changes_meanwhile_is_taken_next_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
