// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"

#include "control/detector.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ctl_option no_params[] = {{.name = NULL}};
static const struct ctl_detector plain = {.name = "plain", .help = "Plain.", .params = no_params};

const struct ctl_detector *const ctl_detectors[] = {&plain, NULL};

struct outcome {
	int code;
	char *out, *err;
};

static void outcome_clear(struct outcome *o)
{
	g_free(o->out);
	g_free(o->err);
}

static char *content(int fd)
{
	char *text = g_malloc0(65536);

	assert_true(pread(fd, text, 65535, 0) >= 0);
	(void)close(fd);
	return text;
}

/* What the command prints, and its exit code. */
static struct outcome run(char *const *args)
{
	const int out = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	const int err = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	const int own_out = dup(STDOUT_FILENO), own_err = dup(STDERR_FILENO);
	struct outcome o;

	assert_true(out >= 0 && err >= 0 && own_out >= 0 && own_err >= 0);
	(void)fflush(stdout);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(err, STDERR_FILENO);
	o.code = ctl_cmd_check((int)g_strv_length((char **)args), (char **)args);
	(void)fflush(stdout);
	(void)dup2(own_out, STDOUT_FILENO);
	(void)dup2(own_err, STDERR_FILENO);
	(void)close(own_out);
	(void)close(own_err);
	o.out = content(out);
	o.err = content(err);
	return o;
}

static struct outcome run_on(const char *text)
{
	g_autofree char *dir = g_dir_make_tmp("wirecue-check-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "wirecue.yaml", NULL);
	g_autofree char *apps = g_build_filename(dir, "apps.yaml", NULL);
	char *const args[] = {(char *)"check", (char *)"-c", path, NULL};
	struct outcome o;

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_true(g_file_set_contents(
		apps, "apps: [{name: a, category: web, hosts: [a.example]}]\n", -1, NULL));
	o = run(args);
	(void)g_unlink(path);
	(void)g_unlink(apps);
	(void)g_rmdir(dir);
	return o;
}

static void a_right_file_is_one_line_and_zero(void **)
{
	struct outcome o = run_on("apps: apps.yaml\nprivacy: {subject: plain}\n"
				  "rules: [{id: r, detect: plain, class: service}]\n");

	assert_int_equal(o.code, 0);
	assert_string_equal(o.err, "");
	assert_true(g_str_has_prefix(o.out,
		"ok: 1 apps, 1 hosts, 0 networks, 0 hosts files, 1 rules, 0 subscribers, "
		"0 plans, 0 ports; catalogue /"));
	assert_ptr_equal(strchr(o.out, '\n'), o.out + strlen(o.out) - 1);
	outcome_clear(&o);
}

static void mistakes_go_to_standard_error_and_end_with_two(void **)
{
	struct outcome o = run_on("apps: apps.yaml\nprivacy: {subject: plain}\ntick: 1\ntock: 1\n");

	assert_int_equal(o.code, 2);
	assert_string_equal(o.out, "");
	assert_non_null(strstr(o.err, "wirecue.yaml:3:7: '1', expected a duration"));
	assert_non_null(strstr(o.err, "wirecue.yaml:4:1: 'tock', expected a known key"));
	outcome_clear(&o);
}

static void a_command_with_too_few_or_too_many_words_says_what_is_expected(void **)
{
	static const char *const rows[][5] = {{"check", NULL}, {"check", "-c", NULL},
		{"check", "-c", "x", "y", NULL}, {"check", "--nonsense", NULL},
		{"check", "-c", "x", "--options", NULL}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct outcome o = run((char *const *)rows[i]);

		assert_int_equal(o.code, 2);
		assert_string_equal(o.out, "");
		assert_true(g_str_has_prefix(o.err, "wirecue: check: "));
		assert_non_null(strstr(o.err, "expected"));
		outcome_clear(&o);
	}
}

static void the_reference_names_every_table(void **)
{
	char *const args[] = {(char *)"check", (char *)"--options", NULL};
	static const char *const parts[] = {"### wirecue.yaml\n",
		"| `tick` | duration, 100ms to 10s", "#### `detect: plain`\n\nPlain.\n",
		"### apps.yaml\n", "| `hosts` |", "### Told facts\n", "| `day_reached` |"};
	struct outcome o = run(args);

	assert_int_equal(o.code, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		if (strstr(o.out, parts[i]) == NULL)
			fail_msg("'%s' is missing", parts[i]);
	outcome_clear(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_file_is_one_line_and_zero),
		cmocka_unit_test(mistakes_go_to_standard_error_and_end_with_two),
		cmocka_unit_test(a_command_with_too_few_or_too_many_words_says_what_is_expected),
		cmocka_unit_test(the_reference_names_every_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
