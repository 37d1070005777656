// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LINE(version, what) \
	"{\"version\":" version ",\"time\":\"2026-03-01T18:00:00.000Z\",\"what\":\"" what \
	"\",\"who\":\"root\",\"why\":\"\",\"file\":\"/etc/wirecue/apps.yaml\",\"sha256\":\"" SHA_A \
	"\",\"configured\":\"" SHA_B "\"}\n"

/* From a heap block of its own, so that a read behind the end is seen. */
static void parse(struct ctl_history *history, const char *text, size_t len)
{
	char *copy = g_malloc(MAX(len, 1));

	memcpy(copy, text, len);
	ctl_history_init(history);
	ctl_history_parse(history, copy, len);
	g_free(copy);
}

static uint32_t in_force(const struct ctl_history *history)
{
	const struct ctl_history_line *line = ctl_history_in_force(history);

	return line == NULL ? 0 : line->version;
}

static void the_last_line_is_in_force(void **)
{
	static const char text[] = LINE("1", "started") LINE("2", "committed")
		LINE("1", "rolled back");
	struct ctl_history history;

	parse(&history, text, strlen(text));
	assert_int_equal(history.lines->len, 3);
	assert_int_equal(in_force(&history), 1);
	assert_int_equal(ctl_history_in_force(&history)->what, CTL_HISTORY_ROLLED_BACK);
	assert_string_equal(ctl_history_in_force(&history)->sha256, SHA_A);
	assert_string_equal(ctl_history_in_force(&history)->configured, SHA_B);
	assert_string_equal(ctl_history_file_name(ctl_history_in_force(&history)), "apps.yaml");
	assert_int_equal(history.n_damaged, 0);
	ctl_history_fini(&history);
}

static void cut_off_anywhere_it_is_damaged_or_an_earlier_history(void **)
{
	static const char text[] = LINE("1", "started") LINE("2", "committed");
	const size_t len = strlen(text), first = strlen(LINE("1", "started"));

	for (size_t n = 0; n <= len; n++) {
		const bool is_whole = n == 0 || n == first || n == len;
		struct ctl_history history;

		parse(&history, text, n);
		assert_int_equal(history.is_end_damaged, !is_whole);
		assert_int_equal(in_force(&history), !is_whole || n == 0 ? 0 : n == first ? 1 : 2);
		ctl_history_fini(&history);
	}
}

static void a_line_of_nonsense_is_dropped_and_counted(void **)
{
	static const char *const bad[] = {"\n", "{}\n", "[]\n", "null\n", LINE("0", "committed"),
		LINE("1000000", "committed"), LINE("-1", "committed"), LINE("\"1\"", "committed"),
		LINE("1", "guessed"), LINE("1", "committed") "x\n", "{\"version\":1}\n", "\xff\n"};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *middle = g_strconcat(bad[i], LINE("7", "committed"), NULL);
		struct ctl_history history;

		parse(&history, bad[i], strlen(bad[i]));
		assert_true(history.is_end_damaged);
		assert_int_equal(in_force(&history), 0);
		ctl_history_fini(&history);
		parse(&history, middle, strlen(middle));
		assert_int_equal(in_force(&history), 7);
		assert_true(history.n_damaged > 0);
		ctl_history_fini(&history);
	}
}

/* The copy is looked for under the name of the file: it must be one. */
static void no_name_leads_out_of_the_folder(void **)
{
	static const char *const files[] = {"", "/", "/etc/", "..", "/etc/..", ".", "/etc/."};
	const char *const line = LINE("1", "committed");

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		GString *text = g_string_new(line);
		struct ctl_history history;

		assert_int_equal(g_string_replace(text, "/etc/wirecue/apps.yaml", files[i], 1), 1);
		parse(&history, text->str, text->len);
		assert_int_equal(in_force(&history), 0);
		ctl_history_fini(&history);
		g_string_free(text, TRUE);
	}
}

static void rolling_back_twice_goes_back_two_changes(void **)
{
	static const struct {
		const char *text;
		uint32_t before;
	} rows[] = {
		{"", 0},
		{LINE("1", "started"), 0},
		{LINE("1", "started") LINE("2", "committed"), 1},
		{LINE("1", "started") LINE("2", "committed") LINE("3", "committed"), 2},
		{LINE("1", "started") LINE("2", "committed") LINE("3", "committed")
				LINE("2", "rolled back"),
			1},
		{LINE("1", "started") LINE("2", "committed") LINE("1", "rolled back")
				LINE("3", "committed"),
			1},
		{LINE("1", "started") LINE("2", "committed") LINE("2", "file"), 1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_history history;

		parse(&history, rows[i].text, strlen(rows[i].text));
		assert_int_equal(ctl_history_before(&history, in_force(&history)), rows[i].before);
		ctl_history_fini(&history);
	}
}

static void it_does_not_grow_for_ever(void **)
{
	const struct ctl_history_line line = {.version = 1, .file = (char *)"a", .sha256 = SHA_A};
	struct ctl_history history;

	ctl_history_init(&history);
	for (int i = 0; i < CTL_HISTORY_LINES_MAX + 10; i++)
		ctl_history_add(&history, &line);
	assert_int_equal(history.lines->len, CTL_HISTORY_LINES_MAX);
	ctl_history_fini(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_line_is_in_force),
		cmocka_unit_test(cut_off_anywhere_it_is_damaged_or_an_earlier_history),
		cmocka_unit_test(a_line_of_nonsense_is_dropped_and_counted),
		cmocka_unit_test(no_name_leads_out_of_the_folder),
		cmocka_unit_test(rolling_back_twice_goes_back_two_changes),
		cmocka_unit_test(it_does_not_grow_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
