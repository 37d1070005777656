// SPDX-License-Identifier: BSD-3-Clause
#include "control/option.h"

#include "control/mistakes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct values {
	bool is_on;
	uint64_t n;
	double percent;
	char *text;
	int word;
	char **list;
	GArray *percents;
	struct ctl_hours hours;
};

static const char *const words[] = {"red", "green", NULL};

static int set(enum ctl_option_type type, const char *text, struct values *v, char *expected)
{
	static const size_t off[CTL_OPTION_TYPE_COUNT] = {
		[CTL_OPTION_BOOL] = offsetof(struct values, is_on),
		[CTL_OPTION_COUNT] = offsetof(struct values, n),
		[CTL_OPTION_DURATION] = offsetof(struct values, n),
		[CTL_OPTION_SIZE] = offsetof(struct values, n),
		[CTL_OPTION_RATE] = offsetof(struct values, n),
		[CTL_OPTION_TIME] = offsetof(struct values, n),
		[CTL_OPTION_PERCENT] = offsetof(struct values, percent),
		[CTL_OPTION_STRING] = offsetof(struct values, text),
		[CTL_OPTION_ENUM] = offsetof(struct values, word),
		[CTL_OPTION_STRINGS] = offsetof(struct values, list),
		[CTL_OPTION_PERCENTS] = offsetof(struct values, percents),
		[CTL_OPTION_HOURS] = offsetof(struct values, hours),
	};
	const struct ctl_option option = {
		.name = "x", .type = type, .off = off[type], .values = words};

	return ctl_option_set(&option, text, v, expected);
}

static void a_number_is_scaled_by_its_unit_exactly(void **)
{
	static const struct {
		enum ctl_option_type type;
		const char *text;
		uint64_t value;
	} rows[] = {
		{CTL_OPTION_COUNT, "17", 17}, {CTL_OPTION_COUNT, "512k", 512000},
		{CTL_OPTION_COUNT, "4M", 4000000}, {CTL_OPTION_COUNT, "1.5M", 1500000},
		{CTL_OPTION_COUNT, "0", 0}, {CTL_OPTION_DURATION, "100ms", 100000000},
		{CTL_OPTION_DURATION, "10min", 600000000000},
		{CTL_OPTION_DURATION, "7d", 604800000000000},
		{CTL_OPTION_DURATION, "0.5s", 500000000}, {CTL_OPTION_DURATION, "0s", 0},
		{CTL_OPTION_SIZE, "150MB", 150000000}, {CTL_OPTION_SIZE, "4MiB", 4194304},
		{CTL_OPTION_SIZE, "1B", 1}, {CTL_OPTION_SIZE, "2.5kB", 2500},
		{CTL_OPTION_RATE, "200kbit", 200000}, {CTL_OPTION_RATE, "2Gbit", 2000000000},
		{CTL_OPTION_TIME, "1970-01-01T00:00:01Z", 1000000000},
		{CTL_OPTION_TIME, "2026-03-01T00:00:00Z", 1772323200000000000},
		{CTL_OPTION_TIME, "2026-03-01T01:00:00+01:00", 1772323200000000000},
		{CTL_OPTION_TIME, "2026-03-01T00:00:00.25Z", 1772323200250000000},
		{CTL_OPTION_TIME, "9999-12-31T23:59:59Z", INT64_MAX}, // "for ever" of an export
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct values v = {0};
		char expected[CTL_EXPECTED_MAX] = "";

		if (set(rows[i].type, rows[i].text, &v, expected) < 0)
			fail_msg("'%s' is refused: %s", rows[i].text, expected);
		if (v.n != rows[i].value)
			fail_msg("'%s' is %" G_GUINT64_FORMAT, rows[i].text, v.n);
	}
}

static void what_has_no_unit_or_a_wrong_one_is_refused(void **)
{
	static const struct {
		enum ctl_option_type type;
		const char *text, *expected;
	} rows[] = {
		{CTL_OPTION_DURATION, "10",
			"expected a duration with a unit such as 10min (ms, s, min, h, d)"},
		{CTL_OPTION_DURATION, "1 tick", NULL},
		{CTL_OPTION_DURATION, "10 min", NULL},
		{CTL_OPTION_DURATION, "10m", NULL},
		{CTL_OPTION_DURATION, "-1s", NULL},
		{CTL_OPTION_DURATION, "0", NULL},
		{CTL_OPTION_DURATION, "1e3s", NULL},
		{CTL_OPTION_DURATION, "", NULL},
		{CTL_OPTION_DURATION, "s", NULL},
		{CTL_OPTION_DURATION, "1.s", NULL},
		{CTL_OPTION_DURATION, ".5s", NULL},
		{CTL_OPTION_DURATION, "18446744074s", NULL}, // one second more than 64 bits hold
		{CTL_OPTION_DURATION, "9999999999999999999999s", NULL},
		{CTL_OPTION_SIZE, "15",
			"expected a size with a unit such as 150MB (B, kB, MB, GB, TB, KiB, MiB, GiB, "
			"TiB)"},
		{CTL_OPTION_SIZE, "15mb", NULL},
		{CTL_OPTION_SIZE, "1.5B", NULL},
		{CTL_OPTION_RATE, "200", NULL},
		{CTL_OPTION_RATE, "200kB", NULL},
		{CTL_OPTION_COUNT, "1.5", NULL},
		{CTL_OPTION_COUNT, "4m", NULL},
		{CTL_OPTION_COUNT, "0x10", NULL},
		{CTL_OPTION_PERCENT, "80", "expected a percentage such as 80%"},
		{CTL_OPTION_PERCENT, "%", NULL},
		{CTL_OPTION_PERCENTS, "nan%", NULL},
		{CTL_OPTION_BOOL, "yes", "expected true or false"},
		{CTL_OPTION_BOOL, "True", NULL},
		{CTL_OPTION_STRING, "", "expected a text that is not empty"},
		{CTL_OPTION_ENUM, "blue", "expected one of red, green"},
		{CTL_OPTION_HOURS, "18", NULL},
		{CTL_OPTION_HOURS, "18-25", NULL},
		{CTL_OPTION_HOURS, "24-6", NULL},
		{CTL_OPTION_HOURS, "18-18", NULL},
		{CTL_OPTION_HOURS, "18-24h", NULL},
		{CTL_OPTION_TIME, "2026-03-01", NULL},
		{CTL_OPTION_TIME, "2026-03-01T00:00:00", NULL}, // whose midnight?
		{CTL_OPTION_TIME, "2026-13-01T00:00:00Z", NULL},
		{CTL_OPTION_TIME, "2026-02-29T00:00:00Z", NULL},
		{CTL_OPTION_TIME, "1960-01-01T00:00:00Z", NULL},
		{CTL_OPTION_TIME, "2026-03-01T00:00:00.Z", NULL},
		{CTL_OPTION_TIME, "20260301T000000Z", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct values v = {0};
		char expected[CTL_EXPECTED_MAX] = "";

		if (set(rows[i].type, rows[i].text, &v, expected) != -EINVAL)
			fail_msg("'%s' is taken", rows[i].text);
		if (rows[i].expected != NULL)
			assert_string_equal(expected, rows[i].expected);
		assert_memory_equal(&v, &(struct values){0}, sizeof(v));
	}
}

static void every_truncation_of_a_value_is_read_inside_its_bounds(void **)
{
	static const char *const texts[] = {"true", "1.5M", "10.25min", "150.5MiB", "200kbit",
		"99.5%", "green", "18-24", "2026-03-01T00:00:00.123456+01:00"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			char *text = g_strndup(texts[i], len); // its own block: ASan guards the end

			for (int type = 0; type < CTL_OPTION_TYPE_COUNT; type++) {
				struct values v = {0};
				char expected[CTL_EXPECTED_MAX];

				(void)set((enum ctl_option_type)type, text, &v, expected);
				g_free(v.text);
				g_strfreev(v.list);
				if (v.percents != NULL)
					g_array_unref(v.percents);
			}
			g_free(text);
		}
	}
}

static const char *no_b(const char *text)
{
	return strchr(text, 'b') == NULL ? NULL : "expected no b";
}

static const struct ctl_option table[] = {
	{.name = "tick",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct values, n),
		.def = "1s",
		.min = "100ms",
		.max = "10s",
		.help = "How long."},
	{.name = "share",
		.type = CTL_OPTION_PERCENT,
		.off = offsetof(struct values, percent),
		.def = "12.5%",
		.max = "100%",
		.help = "How much."},
	{.name = "list",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct values, list),
		.def = "[a, c]",
		.check = no_b,
		.env = "WIRECUE_LIST",
		.help = "Which."},
	{.name = "steps",
		.type = CTL_OPTION_PERCENTS,
		.off = offsetof(struct values, percents),
		.def = "[80%, 90%]",
		.min = "1%",
		.help = "Where."},
	{.name = "word",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct values, word),
		.values = words,
		.required = true,
		.help = "Colour."},
	{.name = NULL},
};

static void a_table_gives_defaults_and_frees_them(void **)
{
	struct values v = {0};

	ctl_options_init(table, &v);
	assert_int_equal(v.n, 1000000000);
	assert_true(v.percent == 12.5);
	assert_string_equal(v.list[0], "a");
	assert_string_equal(v.list[1], "c");
	assert_null(v.list[2]);
	assert_int_equal(v.percents->len, 2);
	assert_true(g_array_index(v.percents, double, 1) == 90);
	ctl_options_fini(table, &v);
	assert_null(v.list);
	assert_null(v.percents);
}

static void a_value_outside_its_range_names_the_range(void **)
{
	static const struct {
		size_t row;
		const char *text, *expected;
	} rows[] = {
		{0, "99ms", "expected 100ms to 10s"},
		{0, "11s", "expected 100ms to 10s"},
		{1, "100.5%", "expected at most 100%"},
		{3, "0.5%", "expected at least 1%"},
		{2, "ab", "expected no b"},
	};
	struct values v = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		char expected[CTL_EXPECTED_MAX];

		assert_int_equal(
			ctl_option_set(&table[rows[i].row], rows[i].text, &v, expected), -EINVAL);
		assert_string_equal(expected, rows[i].expected);
	}
	assert_memory_equal(&v, &(struct values){0}, sizeof(v));
}

static void the_bounds_themselves_are_inside(void **)
{
	struct values v = {0};
	char expected[CTL_EXPECTED_MAX];

	assert_int_equal(ctl_option_set(&table[0], "100ms", &v, expected), 0);
	assert_int_equal(ctl_option_set(&table[0], "10s", &v, expected), 0);
	assert_int_equal(ctl_option_set(&table[1], "100%", &v, expected), 0);
}

static void a_table_prints_as_markdown(void **)
{
	g_autoptr(GString) out = g_string_new(NULL);

	ctl_options_print(table, out);
	assert_string_equal(out->str,
		"| `tick` | duration, 100ms to 10s | `1s` | How long. |\n"
		"| `share` | percentage, at most 100% | `12.5%` | How much. |\n"
		"| `list` | list of texts | `[a, c]` | Which. (`WIRECUE_LIST` in the environment "
		"overrides it) |\n"
		"| `steps` | list of percentages, at least 1% | `[80%, 90%]` | Where. |\n"
		"| `word` | `red` `green` | required | Colour. |\n");
}

static void the_nearest_word_is_at_most_two_edits_away(void **)
{
	static const char *const known[] = {"tick", "node", "privacy", "id", NULL};

	assert_string_equal(ctl_nearest("tik", known), "tick");
	assert_string_equal(ctl_nearest("Privcay", known), "privacy");
	assert_string_equal(ctl_nearest("nodes", known), "node");
	assert_null(ctl_nearest("ports", known));
	assert_null(ctl_nearest("xl", known)); // as far from "id" as any two letters
	assert_null(ctl_nearest("", known));
}

static void a_quoted_word_is_short_printable_and_holds_no_password(void **)
{
	char buf[CTL_QUOTE_MAX];
	g_autofree char *long_word = g_strnfill(500, 'x');

	assert_string_equal(ctl_quote("a\nb\x1b[2J", buf), "'a?b?[2J'");
	assert_string_equal(ctl_quote("redis://u:secret@h:1", buf), "'redis://***@h:1'");
	(void)ctl_quote(long_word, buf);
	assert_true(g_str_has_suffix(buf, "x...'"));
	assert_true(strlen(buf) < CTL_QUOTE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_scaled_by_its_unit_exactly),
		cmocka_unit_test(what_has_no_unit_or_a_wrong_one_is_refused),
		cmocka_unit_test(every_truncation_of_a_value_is_read_inside_its_bounds),
		cmocka_unit_test(a_table_gives_defaults_and_frees_them),
		cmocka_unit_test(a_value_outside_its_range_names_the_range),
		cmocka_unit_test(the_bounds_themselves_are_inside),
		cmocka_unit_test(a_table_prints_as_markdown),
		cmocka_unit_test(the_nearest_word_is_at_most_two_edits_away),
		cmocka_unit_test(a_quoted_word_is_short_printable_and_holds_no_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
