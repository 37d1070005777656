// SPDX-License-Identifier: BSD-3-Clause
#include "control/trigger_file.h"

#include "tests/unit/outbox_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static char *path_of(const struct outbox_rig *rig)
{
	return g_strdup_printf("%s/triggers.jsonl", rig->dir);
}

static char *text_of(const struct outbox_rig *rig)
{
	g_autofree char *path = path_of(rig);
	char *text;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static void start(struct outbox_rig *rig)
{
	g_autofree char *path = path_of(rig);

	assert_int_equal(ctl_trigger_file_open(path, true, &rig->config.file, NULL), 0);
	box_open(rig);
}

/* The stream's buffer dies with the process: what was not handed to the kernel is not in the file. */
static void die(struct outbox_rig *rig)
{
	box_kill(rig);
	assert_int_equal(ctl_trigger_file_close(rig->config.file, NULL), 0);
	rig->config.file = NULL;
}

static void lines_are_with_the_kernel_when_the_seal_returns(void **state)
{
	struct outbox_rig *rig = *state;

	box_kill(rig);
	start(rig);
	box_seal(rig, 3);

	g_autofree char *text = text_of(rig);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 0);

	assert_int_equal(g_strv_length(lines), 4); // the last is empty
	die(rig);
}

/* Trigger numbers of a life that is cut off and taken up again: the engine decides anew what was
 * not committed. */
static void a_file_is_the_same_whether_the_process_was_killed_or_not(void **state)
{
	g_autofree char *undisturbed = NULL, *disturbed = NULL;

	for (unsigned is_killed = 0; is_killed < 2; is_killed++) {
		struct outbox_rig *rig = *state;

		rig->config.is_replay = true;
		box_kill(rig);
		start(rig);
		for (unsigned tick = 0; tick < 9; tick++) {
			if (is_killed != 0 && tick % 2 == 1) {
				box_seal(rig, 5); // in the file, not in the store
				die(rig);
				rig->n_pushed -= 5;
				start(rig);
			}
			box_tick(rig, 5);
		}
		*(is_killed != 0 ? &disturbed : &undisturbed) = text_of(rig);
		die(rig);
		(void)box_teardown(state);
		(void)box_setup(state);
	}
	assert_string_equal(disturbed, undisturbed);
	assert_non_null(strstr(disturbed,
		",\"sequence\":\"00000000000000000045\",\"typesequence\":\"00000000000000000015\"}\n"));
}

static void a_new_store_begins_the_file_anew(void **state)
{
	struct outbox_rig *rig = *state;
	g_autofree char *path = path_of(rig);

	box_kill(rig);
	assert_true(g_file_set_contents(path, "of yesterday\n", -1, NULL));
	start(rig);

	g_autofree char *text = text_of(rig);

	assert_string_equal(text, "");
	die(rig);
}

/* Five lines are known; the file has others. Returns what is said; the file stays as it was. */
static void expect_refusal(struct outbox_rig *rig, const char *text, const char *says)
{
	g_autofree char *path = path_of(rig), *after = NULL;
	g_autofree char *sentence = g_strdup_printf(says, path);
	struct dp_err err = {0};

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_int_equal(ctl_trigger_file_open(path, true, &rig->config.file, NULL), 0);
	box_open_refused(rig, &err);
	assert_string_equal(err.text, sentence);
	die(rig);
	after = text_of(rig);
	assert_string_equal(after, text);
}

static void a_file_that_is_not_the_one_is_refused_and_left_alone(void **state)
{
	struct outbox_rig *rig = *state;
	g_autofree char *text = NULL, *few = NULL, *shifted = NULL;

	box_kill(rig);
	start(rig);
	box_tick(rig, 5);
	die(rig);
	text = text_of(rig);
	shifted = g_strconcat("\n", text, NULL);
	few = g_strndup(text, strlen(text) - 1); // the last one has no end
	expect_refusal(rig, few,
		"'%s' has 4 lines, expected at least the 5 that the store has seen: "
		"the file that it was made with, or an empty store");
	expect_refusal(rig, shifted,
		"line 5 of '%s' is not trigger number 5, "
		"expected the file that the store was made with");
	expect_refusal(rig, "1\n2\n3\n4\n5\n6\n",
		"line 5 of '%s' is not trigger number 5, "
		"expected the file that the store was made with");
}

/* The place is found wherever the reader's chunks end. */
static void a_long_file_is_cut_behind_each_of_its_lines(void **state)
{
	enum { N = 400 };
	static const uint64_t cuts[] = {400, 399, 257, 200, 100, 99, 2, 1, 0};
	struct outbox_rig *rig = *state;
	g_autofree char *path = path_of(rig), *text = NULL;

	box_kill(rig);
	start(rig);
	box_tick(rig, N);
	die(rig);
	text = text_of(rig);
	assert_true(strlen(text) > 131072);
	for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
		g_autofree char *cut = NULL;
		const char *end = text;

		for (uint64_t line = 0; line < cuts[i]; line++)
			end = strchr(end, '\n') + 1;
		assert_int_equal(ctl_trigger_file_open(path, true, &rig->config.file, NULL), 0);
		assert_int_equal(ctl_trigger_file_cut(rig->config.file, cuts[i], NULL), 0);
		ctl_trigger_file_write(rig->config.file, "{\"a\":1}", cuts[i] + 1, 1);
		assert_int_equal(ctl_trigger_file_close(rig->config.file, NULL), 0);
		cut = text_of(rig);
		assert_memory_equal(cut, text, (size_t)(end - text));
		assert_true(g_str_has_prefix(cut + (end - text), "{\"a\":1,\"sequence\":\""));
		assert_true(strchr(cut + (end - text), '\n')[1] == '\0');
		assert_true(g_file_set_contents(path, text, (gssize)strlen(text), NULL));
	}
	rig->config.file = NULL;
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(lines_are_with_the_kernel_when_the_seal_returns),
		FILE_TEST(a_file_is_the_same_whether_the_process_was_killed_or_not),
		FILE_TEST(a_new_store_begins_the_file_anew),
		FILE_TEST(a_file_that_is_not_the_one_is_refused_and_left_alone),
		FILE_TEST(a_long_file_is_cut_behind_each_of_its_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
