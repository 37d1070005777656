// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_lines.h"

#include "control/commands.h"

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> // after the headers that it needs

/* The child is this program once more: what it does is said by its last argument, the capture. So it can
 * do what a replay does never, or not when it is told to. tests/golden has the real one. */

static void write_line(FILE *out, int i)
{
	(void)fprintf(out, "{\"n\":%d}\n", i);
}

static void write_long(FILE *out, size_t len)
{
	(void)fputs("{\"x\":\"", out);
	for (size_t i = 0; i < len - sizeof("{\"x\":\"\"}\n") + 1; i++)
		(void)fputc('x', out);
	(void)fputs("\"}\n", out);
}

static void write_arguments(FILE *out, int argc, char **argv)
{
	json_t *all = json_array();
	char *text;

	for (int i = 0; i < argc; i++)
		(void)json_array_append_new(all, json_string(argv[i]));
	text = json_dumps(all, JSON_COMPACT);
	(void)fprintf(out, "{\"arguments\":%s}\n", text);
	free(text);
	json_decref(all);
}

static int play(int argc, char **argv)
{
	const char *what = argv[argc - 1];
	FILE *out = fopen(argv[4], "we");

	if (out == NULL)
		return 99;
	(void)puts("a report, which nobody wants to see");
	if (strcmp(what, "lines") == 0) {
		for (int i = 0; i < 20000; i++) // more than fits a pipe
			write_line(out, i);
	} else if (strcmp(what, "arguments") == 0) {
		write_arguments(out, argc, argv);
	} else if (strcmp(what, "longest") == 0) {
		write_long(out, CTL_FLOW_LINE_MAX);
		write_line(out, 1);
	} else if (strcmp(what, "too-long") == 0) {
		write_long(out, CTL_FLOW_LINE_MAX + 1);
	} else if (strcmp(what, "no-json") == 0) {
		(void)fputs("{\"n\":0}\n{\"n\":\n", out);
	} else if (strcmp(what, "no-object") == 0) {
		(void)fputs("[1]\n", out);
	} else if (strcmp(what, "twice") == 0) {
		(void)fputs("{\"n\":0,\"n\":1}\n", out);
	} else if (strcmp(what, "nul") == 0) {
		(void)fwrite("{\"n\":0}\0\n{}\n", 1, 12, out);
	} else if (strcmp(what, "cut") == 0) {
		(void)fputs("{\"n\":0}\n{\"n\"", out);
	} else if (strcmp(what, "says-no") == 0) {
		write_line(out, 0);
		(void)fclose(out);
		return ctl_complain(CTL_EXIT_USAGE, "'%s', expected another", what);
	} else if (strcmp(what, "killed") == 0) {
		(void)fputs("{\"n\":0}\n{\"n\"", out);
		(void)fflush(out);
		(void)raise(SIGKILL);
	} else if (strcmp(what, "talks") == 0) {
		for (int i = 0; i < 2 * CTL_FLOW_SAID_MAX; i++)
			(void)fputc('x', stderr);
	} else if (strcmp(what, "stays") == 0) {
		write_line(out, 0);
		(void)fflush(out);
		(void)pause();
	}
	return fclose(out) == 0 ? CTL_EXIT_OK : CTL_EXIT_FAILURE;
}

static struct ctl_flow_lines *begin(const char *what)
{
	const char *const captures[] = {what};
	struct ctl_flow_lines *lines = NULL;

	assert_int_equal(ctl_flow_lines_open(
				 &(struct ctl_flow_lines_config){
					 .captures = captures, .n_captures = 1, .is_silent = true},
				 &lines, NULL),
		0);
	return lines;
}

static void assert_next_is(struct ctl_flow_lines *lines, int n)
{
	json_t *flow = NULL;

	assert_int_equal(ctl_flow_lines_next(lines, &flow, NULL), 1);
	assert_int_equal(json_integer_value(json_object_get(flow, "n")), n);
	json_decref(flow);
}

static void assert_no_more(struct ctl_flow_lines *lines)
{
	json_t *flow;

	assert_int_equal(ctl_flow_lines_next(lines, &flow, NULL), 0);
	assert_int_equal(ctl_flow_lines_next(lines, &flow, NULL), 0); // asked twice
}

static void every_line_comes_in_its_order(void **)
{
	struct ctl_flow_lines *lines = begin("lines");

	for (int i = 0; i < 20000; i++)
		assert_next_is(lines, i);
	assert_no_more(lines);
	assert_int_equal(ctl_flow_lines_end(lines, NULL), CTL_EXIT_OK);
	assert_string_equal(ctl_flow_lines_said(lines), "");
	ctl_flow_lines_free(lines);
}

static void two_at_once_are_read_in_turn(void **)
{
	struct ctl_flow_lines *a = begin("lines"), *b = begin("lines");

	for (int i = 0; i < 20000; i++) {
		assert_next_is(a, i);
		assert_next_is(b, i);
	}
	assert_no_more(b);
	assert_no_more(a);
	assert_int_equal(ctl_flow_lines_end(a, NULL), CTL_EXIT_OK);
	assert_int_equal(ctl_flow_lines_end(b, NULL), CTL_EXIT_OK);
	ctl_flow_lines_free(a);
	ctl_flow_lines_free(b);
}

/* Each is one argument whatever is in it, and none is an option that was not given as one. */
static void what_is_asked_is_what_the_child_is_told(void **)
{
	static const char *const want[] = {"wirecue", "replay", "--no-redis", "--flows",
		"/proc/self/fd/3", "-c", "a b.yaml", "--apps", "$(x)", "--workers", "3", "--",
		"--json", "arguments"};
	const char *const captures[] = {"--json", "arguments"};
	struct ctl_flow_lines *lines;
	json_t *flow, *all;

	assert_int_equal(ctl_flow_lines_open(&(struct ctl_flow_lines_config){.config = "a b.yaml",
						     .apps = "$(x)",
						     .n_workers = "3",
						     .captures = captures,
						     .n_captures = 2},
				 &lines, NULL),
		0);
	assert_int_equal(ctl_flow_lines_next(lines, &flow, NULL), 1);
	all = json_object_get(flow, "arguments");
	assert_int_equal(json_array_size(all), G_N_ELEMENTS(want));
	for (size_t i = 0; i < G_N_ELEMENTS(want); i++)
		assert_string_equal(json_string_value(json_array_get(all, i)), want[i]);
	json_decref(flow);
	assert_no_more(lines);
	assert_int_equal(ctl_flow_lines_end(lines, NULL), CTL_EXIT_OK);
	ctl_flow_lines_free(lines);
}

static void the_longest_line_is_read_and_a_longer_one_refused(void **)
{
	struct ctl_flow_lines *lines = begin("longest");
	struct dp_err err = {""};
	json_t *flow;

	assert_int_equal(ctl_flow_lines_next(lines, &flow, NULL), 1);
	json_decref(flow);
	assert_next_is(lines, 1);
	assert_no_more(lines);
	ctl_flow_lines_free(lines);
	lines = begin("too-long");
	assert_int_equal(ctl_flow_lines_next(lines, &flow, &err), -E2BIG);
	assert_string_equal(
		err.text, "flow 1 of the replay: more than 65536 bytes, expected a line of fewer");
	ctl_flow_lines_free(lines);
}

static void what_is_no_object_is_refused(void **)
{
	static const struct {
		const char *what;
		int n_good;
		const char *said; // a part of it
	} cases[] = {
		{"no-json", 1, "flow 2 of the replay: "},
		{"no-object", 0, "flow 1 of the replay: no object, expected a JSON object a line"},
		{"twice", 0, "flow 1 of the replay: "},
		{"nul", 0, "flow 1 of the replay: a byte 0, expected text"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ctl_flow_lines *lines = begin(cases[i].what);
		struct dp_err err = {""};
		json_t *flow;

		for (int n = 0; n < cases[i].n_good; n++)
			assert_next_is(lines, n);
		assert_int_equal(ctl_flow_lines_next(lines, &flow, &err), -EPROTO);
		assert_non_null(strstr(err.text, cases[i].said));
		ctl_flow_lines_free(lines);
	}
}

static void a_child_that_says_no_is_quoted_and_its_exit_code_kept(void **)
{
	struct ctl_flow_lines *lines = begin("says-no");
	struct dp_err err = {""};

	assert_next_is(lines, 0);
	assert_no_more(lines);
	assert_int_equal(ctl_flow_lines_end(lines, &err), CTL_EXIT_USAGE);
	assert_string_equal(ctl_flow_lines_said(lines), "wirecue: 'says-no', expected another\n");
	assert_string_equal(err.text, ""); // it has said it
	ctl_flow_lines_free(lines);
}

static void a_child_that_a_signal_ends_is_a_failure(void **)
{
	struct ctl_flow_lines *lines = begin("killed");
	struct dp_err err = {""};

	assert_next_is(lines, 0);
	assert_no_more(lines);
	assert_int_equal(ctl_flow_lines_end(lines, &err), CTL_EXIT_FAILURE);
	assert_non_null(strstr(err.text, "ended by signal 9"));
	ctl_flow_lines_free(lines);
}

static void a_line_without_an_end_is_a_failure_even_of_one_that_is_content(void **)
{
	struct ctl_flow_lines *lines = begin("cut");
	struct dp_err err = {""};

	assert_next_is(lines, 0);
	assert_no_more(lines);
	assert_int_equal(ctl_flow_lines_end(lines, &err), CTL_EXIT_FAILURE);
	assert_string_equal(err.text, "the replay of the captures broke off in flow 2");
	ctl_flow_lines_free(lines);
}

static void of_a_child_that_talks_much_the_beginning_is_kept(void **)
{
	struct ctl_flow_lines *lines = begin("talks");

	assert_no_more(lines);
	assert_int_equal(ctl_flow_lines_end(lines, NULL), CTL_EXIT_OK);
	assert_int_equal(strlen(ctl_flow_lines_said(lines)), CTL_FLOW_SAID_MAX);
	ctl_flow_lines_free(lines);
}

static void a_child_that_nobody_reads_any_more_is_ended(void **)
{
	struct ctl_flow_lines *lines = begin("stays");

	assert_next_is(lines, 0);
	ctl_flow_lines_free(lines); // waits for it: the test would never end
	ctl_flow_lines_free(NULL);
}

static void a_program_that_is_not_there_is_a_failure_that_says_so(void **)
{
	const char *const captures[] = {"lines"};
	struct ctl_flow_lines *lines;

	assert_int_equal(ctl_flow_lines_open(&(struct ctl_flow_lines_config){.captures = captures,
						     .n_captures = 1,
						     .is_silent = true,
						     .program = "/nonexistent"},
				 &lines, NULL),
		0);
	assert_no_more(lines);
	assert_int_equal(ctl_flow_lines_end(lines, NULL), CTL_EXIT_FAILURE);
	assert_string_equal(ctl_flow_lines_said(lines),
		"wirecue: cannot run '/nonexistent': No such file or directory\n");
	ctl_flow_lines_free(lines);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_comes_in_its_order),
		cmocka_unit_test(two_at_once_are_read_in_turn),
		cmocka_unit_test(what_is_asked_is_what_the_child_is_told),
		cmocka_unit_test(the_longest_line_is_read_and_a_longer_one_refused),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(a_child_that_says_no_is_quoted_and_its_exit_code_kept),
		cmocka_unit_test(a_child_that_a_signal_ends_is_a_failure),
		cmocka_unit_test(a_line_without_an_end_is_a_failure_even_of_one_that_is_content),
		cmocka_unit_test(of_a_child_that_talks_much_the_beginning_is_kept),
		cmocka_unit_test(a_child_that_nobody_reads_any_more_is_ended),
		cmocka_unit_test(a_program_that_is_not_there_is_a_failure_that_says_so),
	};

	if (argc > 1 && strcmp(argv[1], "replay") == 0)
		return play(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
