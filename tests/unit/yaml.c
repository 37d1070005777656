// SPDX-License-Identifier: BSD-3-Clause
#include "control/yaml.h"

#include "tests/unit/mistake_list.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct ctl_yaml *parse(const char *text, struct ctl_mistakes *m)
{
	struct ctl_yaml *doc = NULL;

	(void)ctl_yaml_parse("f.yaml", text, strlen(text), false, m, &doc);
	return doc;
}

static void every_node_knows_its_line_and_column(void **)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	struct ctl_yaml *doc = parse("a: 1\nb: {x: [10, 2], \"y\": \n}\nc:\n  - k: v\n    é: |\n"
				     "      t\n      u\n  -\n",
		m);
	const struct ctl_yaml_node *b, *x, *c;

	assert_int_equal(ctl_mistakes_count(m), 0);
	b = ctl_yaml_get(doc->root, "b");
	assert_int_equal(b->line, 2);
	assert_int_equal(b->column, 4);
	x = ctl_yaml_get(b, "x");
	assert_int_equal(x->kind, CTL_YAML_LIST);
	assert_string_equal(x->first->next->text, "2");
	assert_int_equal(x->first->next->column, 13);
	assert_string_equal(ctl_yaml_get(b, "y")->text, "");
	c = ctl_yaml_get(doc->root, "c");
	assert_string_equal(ctl_yaml_get(c->first, "é")->text, "t\nu\n");
	assert_int_equal(c->first->first->next->line, 6);
	assert_int_equal(c->first->first->next->column, 5);
	assert_string_equal(c->first->next->text, "");
	assert_null(c->first->next->next);
	ctl_yaml_free(doc);
	ctl_mistakes_free(m);
}

static void a_syntax_error_is_one_line_with_its_position(void **)
{
	static const struct {
		const char *text, *position;
	} rows[] = {
		{"a: [1, 2\nb: 3\n", "f.yaml:3:1: "},
		{"a: b: c\n", "f.yaml:1:5: "},
		{"a: \"x\\q\"\n", "f.yaml:1:6: "},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_mistakes *m = ctl_mistakes_new();
		GString *lines;

		assert_null(parse(rows[i].text, m));
		lines = mistake_lines(m);
		// What stands between is the library's and differs between its versions.
		if (!g_str_has_prefix(lines->str, rows[i].position) ||
			!g_str_has_suffix(lines->str, ", expected valid YAML"))
			fail_msg("%s", lines->str);
		assert_null(strchr(lines->str, '\n'));
		g_string_free(lines, TRUE);
		ctl_mistakes_free(m);
	}
}

static void what_is_not_taken_of_yaml_has_its_position(void **)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document, expected one in a file"},
		{"a: 1\nb: \x01\n",
			"f.yaml:2:4: a byte 0x01, expected UTF-8 text without control characters"},
		{"a: \xff\n",
			"f.yaml:1:4: a byte 0xff, expected UTF-8 text without control characters"},
		{"{a: 1, a: 2}\n",
			"f.yaml:1:8: 'a', expected each key once; it is also at f.yaml:1:2"},
		{"a: &x 1\nb: *x\n",
			"f.yaml:1:7: an anchor, expected each value written where it is used\n"
			"f.yaml:2:4: an alias, expected the value itself"},
		{"a: !!int 1\n", "f.yaml:1:10: a tag, expected a value without one"},
		{"? [a]\n: 1\n", "f.yaml:1:3: expected a word as the key of a mapping"},
		{"a: \"x\\0y\"\n", "f.yaml:1:4: a text with a NUL character, expected none"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_mistakes *m = ctl_mistakes_new();

		ctl_yaml_free(parse(rows[i].text, m));
		assert_mistakes(m, rows[i].line);
		ctl_mistakes_free(m);
	}
}

static void a_nul_byte_does_not_end_the_file_silently(void **)
{
	static const char text[] = "a: 1\nb\0: 2\n";
	struct ctl_mistakes *m = ctl_mistakes_new();
	struct ctl_yaml *doc = NULL;

	assert_int_equal(ctl_yaml_parse("f", text, sizeof(text) - 1, false, m, &doc), -EINVAL);
	assert_mistakes(m, "f:2:2: a byte 0x00, expected UTF-8 text without control characters");
	ctl_mistakes_free(m);
}

static void duplicate_keys_of_a_large_mapping_are_found(void **)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	g_autoptr(GString) text = g_string_new(NULL);

	for (int i = 0; i < 100; i++)
		g_string_append_printf(text, "k%d: 1\n", i);
	g_string_append(text, "k42: 2\n");
	ctl_yaml_free(parse(text->str, m));
	assert_mistakes(
		m, "f.yaml:101:1: 'k42', expected each key once; it is also at f.yaml:43:1");
	ctl_mistakes_free(m);
}

static void depth_and_size_are_limited(void **)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	g_autoptr(GString) text = g_string_new(NULL);
	struct ctl_yaml *doc = NULL;

	for (int i = 0; i <= CTL_YAML_DEPTH_MAX; i++)
		g_string_append_c(text, '[');
	ctl_yaml_free(parse(text->str, m));
	assert_mistakes(m, "f.yaml:1:25: more than 24 levels, expected a flatter file");
	ctl_mistakes_free(m);

	m = ctl_mistakes_new();
	g_string_set_size(text, CTL_YAML_BYTES_MAX + 1);
	memset(text->str, ' ', text->len);
	assert_int_equal(ctl_yaml_parse("big", text->str, text->len, false, m, &doc), -EINVAL);
	assert_mistakes(m, "big: expected a file of at most 64 MiB");
	ctl_mistakes_free(m);
}

static void a_flood_of_brackets_is_refused_before_it_is_parsed(void **)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	g_autofree char *text = g_strnfill(CTL_YAML_BYTES_MAX, '[');

	ctl_yaml_free(parse(text, m)); // the time-out of the test, and of every service manager
	assert_mistakes(m, "f.yaml: more than 4096 open brackets, expected at most 24 levels");
	ctl_mistakes_free(m);
}

static void what_cannot_be_read_is_said_once(void **)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	struct ctl_yaml *doc = NULL;

	assert_int_equal(ctl_yaml_load("/nowhere/x.yaml", false, m, &doc), -ENOENT);
	assert_int_equal(ctl_yaml_load("/", false, m, &doc), -EISDIR);
	assert_mistakes(m,
		"/nowhere/x.yaml: cannot be read (No such file or directory), expected a readable "
		"YAML file\n"
		"/: cannot be read (Is a directory), expected a readable YAML file");
	ctl_mistakes_free(m);
}

static void a_file_is_read_whole(void **)
{
	char path[] = "/tmp/wirecue-yaml-XXXXXX";
	const int fd = mkstemp(path);
	struct ctl_mistakes *m = ctl_mistakes_new();
	g_autoptr(GString) text = g_string_new(NULL);
	struct ctl_yaml *doc = NULL;

	for (int i = 0; i < 50000; i++) // more than one read()
		g_string_append_printf(text, "- %d\n", i);
	assert_int_equal(write(fd, text->str, text->len), text->len);
	(void)close(fd);
	assert_int_equal(ctl_yaml_load(path, false, m, &doc), 0);
	(void)unlink(path);
	size_t n = 0;
	for (const struct ctl_yaml_node *node = doc->root->first; node != NULL; node = node->next)
		assert_int_equal(atoi(node->text), n++);
	assert_int_equal(n, 50000);
	ctl_yaml_free(doc);
	ctl_mistakes_free(m);
}

static void every_truncation_is_read_inside_its_bounds(void **)
{
	static const char text[] = "%YAML 1.2\n---\na: {b: [\"c\\u0041\", 'd'], e: >-\n  f\n  g\n"
				   "}\n? h\n: !t &i |\n  j\nk: *i\n# é\n";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = g_memdup2(text, MAX(len, 1));
		struct ctl_mistakes *m = ctl_mistakes_new();
		struct ctl_yaml *doc = NULL;

		(void)ctl_yaml_parse("f", copy, len, false, m, &doc);
		ctl_yaml_free(doc);
		ctl_mistakes_free(m);
		g_free(copy);
	}
}

static void mistakes_are_sorted_by_file_and_position(void **)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	const unsigned a = ctl_mistakes_add_file(m, "a"), b = ctl_mistakes_add_file(m, "b");

	ctl_mistake(m, b, 1, 1, "five");
	ctl_mistake(m, a, 10, 2, "four");
	ctl_mistake(m, a, 2, 10, "two");
	ctl_mistake(m, a, 2, 10, "three");
	ctl_mistake(m, 0, 0, 0, "NAME: one");
	assert_mistakes(m, "NAME: one\na:2:10: two\na:2:10: three\na:10:2: four\nb:1:1: five");
	ctl_mistakes_free(m);
}

static void a_flood_of_mistakes_ends_with_their_number(void **)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	const unsigned file = ctl_mistakes_add_file(m, "a");
	GString *lines;

	for (uint32_t i = 0; i < CTL_MISTAKES_REPORTED_MAX + 7; i++)
		ctl_mistake(m, file, i + 1, 1, "x");
	lines = mistake_lines(m);
	assert_true(g_str_has_suffix(lines->str, "\n7 more mistakes are not shown"));
	g_string_free(lines, TRUE);
	ctl_mistakes_free(m);
}

static void a_relative_name_is_relative_to_the_file(void **)
{
	static const struct {
		const char *file, *name, *path;
	} rows[] = {
		{"/etc/wirecue/wirecue.yaml", "apps.yaml", "/etc/wirecue/apps.yaml"},
		{"conf/wirecue.yaml", "../apps.yaml", "conf/../apps.yaml"},
		{"wirecue.yaml", "apps.yaml", "apps.yaml"},
		{"conf/wirecue.yaml", "/x/apps.yaml", "/x/apps.yaml"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct ctl_yaml doc = {.path = (char *)rows[i].file};
		g_autofree char *path = ctl_yaml_resolve(&doc, rows[i].name);

		assert_string_equal(path, rows[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_node_knows_its_line_and_column),
		cmocka_unit_test(a_syntax_error_is_one_line_with_its_position),
		cmocka_unit_test(what_is_not_taken_of_yaml_has_its_position),
		cmocka_unit_test(a_nul_byte_does_not_end_the_file_silently),
		cmocka_unit_test(duplicate_keys_of_a_large_mapping_are_found),
		cmocka_unit_test(depth_and_size_are_limited),
		cmocka_unit_test(a_flood_of_brackets_is_refused_before_it_is_parsed),
		cmocka_unit_test(what_cannot_be_read_is_said_once),
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(every_truncation_is_read_inside_its_bounds),
		cmocka_unit_test(mistakes_are_sorted_by_file_and_position),
		cmocka_unit_test(a_flood_of_mistakes_ends_with_their_number),
		cmocka_unit_test(a_relative_name_is_relative_to_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
