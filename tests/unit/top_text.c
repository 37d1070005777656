// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

static char text[CTL_TOP_FIGURE_MAX];

static void figures_have_three_places_and_a_prefix(void **)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0"},
		{0.004, "0"},
		{0.05, "0.05"},
		{7.2, "7.2"},
		{9.996, "10"},
		{42, "42"},
		{999.4, "999"},
		{999.5, "1k"},
		{1234, "1.23k"},
		{99950, "100k"},
		{45.6e6, "45.6M"},
		{1e9, "1G"},
		{1e26, "100Y"},
		{1e27, ">1R"},
		{INFINITY, ">1R"},
		{-1234, "-1.23k"},
		{-0.001, "0"},
		{NAN, "-"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(ctl_top_si(cases[i].v, text), cases[i].text);
	assert_string_equal(ctl_top_unit(1.21e9, "bit/s", text), "1.21 Gbit/s");
	assert_string_equal(ctl_top_unit(-INFINITY, "bit/s", text), "->1R bit/s");
}

static void of_a_loss_each_frame_counts(void **)
{
	assert_string_equal(ctl_top_count(9999999, text), "9999999");
	assert_string_equal(ctl_top_count(10000000, text), "10M");
	assert_string_equal(ctl_top_count(UINT64_MAX, text), "18.4E");
}

static void a_share_is_never_rounded_to_none(void **)
{
	assert_string_equal(ctl_top_share(0, text), "0 %");
	assert_string_equal(ctl_top_share(0.0001, text), "<0.1 %");
	assert_string_equal(ctl_top_share(0.1234, text), "12.3 %");
	assert_string_equal(ctl_top_share(1, text), "100 %");
	assert_string_equal(ctl_top_share(1e300, text), "999 %");
	assert_string_equal(ctl_top_share(-1, text), "0 %");
	assert_string_equal(ctl_top_share(NAN, text), "-");
}

static void spans_have_two_units(void **)
{
	assert_string_equal(ctl_top_span(0.9, text), "0 s");
	assert_string_equal(ctl_top_span(59.9, text), "59 s");
	assert_string_equal(ctl_top_span(192, text), "3 min 12 s");
	assert_string_equal(ctl_top_span(5 * 3600 + 121, text), "5 h 02 min");
	assert_string_equal(ctl_top_span(3 * 86400 + 4 * 3600, text), "3 d 04 h");
	assert_string_equal(ctl_top_span(1e300, text), "0 s");
	assert_string_equal(ctl_top_span(NAN, text), "-");
	assert_string_equal(ctl_top_clock(1772388000123000000, text), "18:00:00");
	assert_string_equal(ctl_top_clock(0, text), "-");
}

/* As a terminal would get it. */
static char *drawn(const char *foreign, bool is_utf8)
{
	static char out[64];
	size_t n = 0;

	memset(out, 0, sizeof(out));
	while (*foreign != '\0' && n < sizeof(out) - 1) {
		const uint32_t c = ctl_top_char(&foreign, is_utf8);

		out[n++] = c < 0x80 ? (char)c : 'U';
	}
	return out;
}

static void a_terminal_obeys_nothing_of_what_is_foreign(void **)
{
	assert_string_equal(drawn("a\x1b[2Jb\r\n\x7f", true), "a?[2Jb???");
	assert_string_equal(drawn("\xc2\x9b[2J", true), "?[2J"); // U+009B, CSI in one character
	assert_string_equal(drawn("a\xe2\x80\xae"
				  "b",
				    true),
		"a?b"); // U+202E, right to left
	assert_string_equal(
		drawn("\xef\xbf\xbd\xcc\x81", true), "U?"); // U+FFFD; a combining accent
	assert_string_equal(drawn("\xe6\x97\xa5", true), "?"); // two cells wide
	assert_string_equal(drawn("\xc3\xa9", true), "U");
	assert_string_equal(drawn("\xc3\xa9", false), "?");
	assert_string_equal(drawn("\xff\xc3", true), "??"); // no UTF-8
}

static void texts_are_cut_between_characters(void **)
{
	char out[4];

	ctl_top_copy(out, sizeof(out), "ab\xc3\xa9z");
	assert_string_equal(out, "ab");
	ctl_top_copy(out, sizeof(out), "abc");
	assert_string_equal(out, "abc");
	ctl_top_copy(out, sizeof(out), "abcd");
	assert_string_equal(out, "abc");
	ctl_top_copy(out, sizeof(out), "\x80\x80\x80\x80\x80");
	assert_string_equal(out, "");
	ctl_top_copy(out, sizeof(out), NULL);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_have_three_places_and_a_prefix),
		cmocka_unit_test(of_a_loss_each_frame_counts),
		cmocka_unit_test(a_share_is_never_rounded_to_none),
		cmocka_unit_test(spans_have_two_units),
		cmocka_unit_test(a_terminal_obeys_nothing_of_what_is_foreign),
		cmocka_unit_test(texts_are_cut_between_characters),
	};

	return cmocka_run_group_tests_name("top_text", tests, NULL, NULL);
}
