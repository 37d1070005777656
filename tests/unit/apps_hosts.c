// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_hosts.h"

#include "tests/unit/mistake_list.h"

#include <stdlib.h>

/* One catalogue: what an app says in YAML, then hosts files. */
struct fixture {
	struct ctl_mistakes *mistakes;
	struct ctl_hosts *hosts;
	struct ctl_source yaml, list;
	GPtrArray *texts;
};

static void fixture_init(struct fixture *f)
{
	f->mistakes = ctl_mistakes_new();
	f->hosts = ctl_hosts_new(f->mistakes);
	f->yaml = (struct ctl_source){
		"one", "apps.yaml", ctl_mistakes_add_file(f->mistakes, "apps.yaml")};
	f->list = (struct ctl_source){"two", "list", ctl_mistakes_add_file(f->mistakes, "list")};
	f->texts = g_ptr_array_new_with_free_func(g_free);
}

static void fixture_fini(struct fixture *f)
{
	ctl_hosts_free(f->hosts);
	ctl_mistakes_free(f->mistakes);
	g_ptr_array_unref(f->texts);
}

/* From a heap block of its own: AddressSanitizer sees a byte too far. */
static void read_bytes(struct fixture *f, const char *bytes, size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memcpy(text, bytes, len);
	text[len] = '\0';
	g_ptr_array_add(f->texts, text);
	ctl_hosts_read(f->hosts, &f->list, text, len);
}

static void read_text(struct fixture *f, const char *text)
{
	read_bytes(f, text, strlen(text));
}

/* "host" or "host/tag", a space behind each. */
static char *all_hosts(const struct fixture *f)
{
	g_autoptr(GHashTable) tags = g_hash_table_new(g_str_hash, g_str_equal);
	GString *all = g_string_new(NULL);

	for (guint i = 0; i < f->hosts->tags->len; i++)
		assert_true(g_hash_table_add(tags, f->hosts->tags->pdata[i])); // each once

	for (guint i = 0; i < f->hosts->defs->len; i++) {
		const struct cls_host_def *def = &g_array_index(
			f->hosts->defs, struct cls_host_def, i);

		g_string_append(all, def->host);
		if (def->tag != 0)
			g_string_append_printf(
				all, "/%s", (char *)f->hosts->tags->pdata[def->tag - 1]);
		g_string_append_c(all, ' ');
	}
	return g_string_free(all, FALSE);
}

static void a_line_is_a_host_with_or_without_a_tag(void **)
{
	static const struct {
		const char *text, *hosts;
	} rows[] = {
		{"a.example\nb.example\n", "a.example b.example "},
		{"a.example\nb.example", "a.example b.example "}, // a last line that does not end
		{"a.example\r\nb.example plans\r\n", "a.example b.example/plans "},
		{"a.example\r", "a.example "},
		{"\xef\xbb\xbf"
		 "a.example\n",
			"a.example "},
		{"\n\n  \n\t\r\n# none\n", ""},
		{" a.example\tplans # why\n", "a.example/plans "},
		{"a.example #why\na.a.example\t# w\xc3\xa4hrung\n", "a.example a.a.example "},
		{"#a.example\nb.example store\nc.example plans\nd.example store",
			"b.example/store c.example/plans d.example/store "},
		{"xn--bcher-kva.example\n_dmarc.example\n0.example\n1.2.3.four\n",
			"xn--bcher-kva.example _dmarc.example 0.example 1.2.3.four "},
		{"", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *found = NULL;
		struct fixture f;

		fixture_init(&f);
		read_text(&f, rows[i].text);
		found = all_hosts(&f);
		assert_mistakes(f.mistakes, "");
		assert_string_equal(found, rows[i].hosts);
		fixture_fini(&f);
	}
}

#define NO_NAME ", expected a DNS name in lower case, without wildcard, such as netflix.com"

static void each_mistake_has_its_place_and_says_what_would_be_right(void **)
{
	struct fixture f;
	g_autofree char *found = NULL;

	fixture_init(&f);
	read_text(&f,
		"a.example\n"
		"  *.b.example\n"
		"B.example Plans\n"
		"\tc.example plans more # why\n"
		"https://d.example/\n"
		"192.0.2.1\n"
		"0.0.0.0 e.example\n"
		"f.example#why\n"
		"a.example plans\n"
		"g.example\x01\n"
		"# caf\xe9\n"
		"b\xc3\xbc"
		"cher.example shop!\n"
		"h..example\n"
		"-i.example\n"
		"example\n"
		"j.example\rk.example\n"
		"l.example plans\n");
	assert_mistakes(f.mistakes,
		"list:2:3: '*.b.example'" NO_NAME "\n"
		"list:3:1: 'B.example'" NO_NAME "\n"
		"list:3:11: 'Plans', expected a word of a-z, 0-9 and '_', at most 32 characters\n"
		"list:4:18: 'more', expected a host, its tag and then at most a '#' comment\n"
		"list:5:1: 'https://d.example/'" NO_NAME "\n"
		"list:6:1: '192.0.2.1'" NO_NAME "\n"
		"list:7:1: '0.0.0.0'" NO_NAME "\n"
		"list:7:9: 'e.example', expected a word of a-z, 0-9 and '_', at most 32 "
		"characters\n"
		"list:8:1: 'f.example#why'" NO_NAME "\n"
		"list:9:1: 'a.example', expected each host once; app 'two' has it at list:1:1\n"
		"list:10:10: a byte 0x01, expected UTF-8 text without control characters\n"
		"list:11:6: a byte 0xe9, expected UTF-8 text without control characters\n"
		"list:12:1: 'b\xc3\xbc"
		"cher.example'" NO_NAME "\n"
		"list:12:16: 'shop!', expected a word of a-z, 0-9 and '_', at most 32 characters\n"
		"list:13:1: 'h..example'" NO_NAME "\n"
		"list:14:1: '-i.example'" NO_NAME "\n"
		"list:15:1: 'example'" NO_NAME "\n"
		"list:16:10: a byte 0x0d, expected UTF-8 text without control characters");
	found = all_hosts(&f);
	assert_string_equal(found, "a.example c.example/plans l.example/plans ");
	fixture_fini(&f);
}

static void a_nul_byte_is_a_mistake_of_its_line_alone(void **)
{
	static const char text[] = "a.example\nb.exa\0mple\n\0\nc.example\0";
	g_autofree char *found = NULL;
	struct fixture f;

	fixture_init(&f);
	read_bytes(&f, text, sizeof(text) - 1);
	assert_mistakes(f.mistakes,
		"list:2:6: a byte 0x00, expected UTF-8 text without control characters\n"
		"list:3:1: a byte 0x00, expected UTF-8 text without control characters\n"
		"list:4:10: a byte 0x00, expected UTF-8 text without control characters");
	found = all_hosts(&f);
	assert_string_equal(found, "a.example ");
	fixture_fini(&f);
}

static void a_line_has_at_most_so_many_bytes(void **)
{
	g_autoptr(GString) text = g_string_new("a.example #");
	struct fixture f;

	fixture_init(&f);
	while (text->len < CTL_HOSTS_LINE_MAX)
		g_string_append_c(text, '-');
	g_string_append(text, "\r\n");
	read_text(&f, text->str);
	assert_mistakes(f.mistakes, "");
	g_string_insert_c(text, 11, '-');
	text->str[0] = 'b';
	read_text(&f, text->str);
	assert_mistakes(f.mistakes, "list:1:1: a line of 1025 bytes, expected at most 1024");
	assert_int_equal(f.hosts->defs->len, 1);
	fixture_fini(&f);
}

static void a_host_has_at_most_253_characters_and_63_a_label(void **)
{
	g_autofree char *label = g_strnfill(63, 'a');
	g_autofree char *longest = g_strdup_printf("%s.%s.%s.%.61s", label, label, label, label);
	g_autofree char *too_long = g_strdup_printf("%s.%s.%s.%.62s", label, label, label, label);
	g_autofree char *long_label = g_strdup_printf("%sa.example", label);
	struct fixture f;

	fixture_init(&f);
	read_text(&f, longest);
	assert_mistakes(f.mistakes, "");
	assert_int_equal(strlen(g_array_index(f.hosts->defs, struct cls_host_def, 0).host), 253);
	read_text(&f, too_long);
	read_text(&f, long_label);
	assert_int_equal(ctl_mistakes_count(f.mistakes), 2);
	assert_int_equal(f.hosts->defs->len, 1);
	fixture_fini(&f);
}

static void a_host_that_another_source_has_is_reported_with_the_place_of_the_first(void **)
{
	struct ctl_source later = {"three", "more", 0}, beside = {"four", "apps.yaml", 0};
	char more[] = "c.example\na.example\nb.example\nd.example\n";
	struct fixture f;

	fixture_init(&f);
	later.file = ctl_mistakes_add_file(f.mistakes, "more");
	beside.file = f.yaml.file;
	ctl_hosts_add(f.hosts, &f.yaml, (struct ctl_spot){4, 13}, "a.example", 0);
	ctl_hosts_add(f.hosts, &beside, (struct ctl_spot){6, 13}, "d.example", 0);
	read_text(&f, "# none\n  b.example\na.example\n");
	ctl_hosts_read(f.hosts, &later, more, strlen(more));
	ctl_hosts_add(f.hosts, &f.yaml, (struct ctl_spot){9, 70000}, "c.example", 0);
	assert_mistakes(f.mistakes,
		"apps.yaml:9:70000: 'c.example', expected each host once; app 'three' has it at "
		"more:1:1\n"
		"list:3:1: 'a.example', expected each host once; app 'one' has it at "
		"apps.yaml:4:13\n"
		"more:2:1: 'a.example', expected each host once; app 'one' has it at "
		"apps.yaml:4:13\n"
		"more:3:1: 'b.example', expected each host once; app 'two' has it at list:2:3\n"
		"more:4:1: 'd.example', expected each host once; app 'four' has it at "
		"apps.yaml:6:13");
	fixture_fini(&f);
}

/* "hN.example" for N in [0, n), in an order of no kind. */
static char *many(uint32_t n)
{
	GString *text = g_string_new(NULL);

	for (uint32_t i = 0; i < n; i++)
		g_string_append_printf(text, "h%u.example\n", (i * 7919u) % n);
	return g_string_free(text, FALSE);
}

static void of_many_hosts_each_is_found_again(void **)
{
	enum { N = 50021 }; // a prime, so that many() has each once
	g_autofree char *text = many(N);
	struct fixture f;

	fixture_init(&f);
	read_text(&f, text);
	assert_int_equal(ctl_mistakes_count(f.mistakes), 0);
	assert_int_equal(f.hosts->defs->len, N);
	read_text(&f, text);
	assert_int_equal(ctl_mistakes_count(f.mistakes), N);
	assert_int_equal(f.hosts->defs->len, N);
	fixture_fini(&f);
}

static void keep_last(void *last, const char *text)
{
	g_string_assign(last, text);
}

static void of_10001_mistakes_the_last_is_counted(void **)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GString) last = g_string_new(NULL);
	struct fixture f;

	fixture_init(&f);
	for (int i = 0; i <= CTL_MISTAKES_REPORTED_MAX; i++)
		g_string_append(text, "x\n");
	read_text(&f, text->str);
	assert_int_equal(ctl_mistakes_count(f.mistakes), CTL_MISTAKES_REPORTED_MAX + 1);
	ctl_mistakes_report(f.mistakes, keep_last, last);
	assert_string_equal(last->str, "1 more mistakes are not shown");
	fixture_fini(&f);
}

static void hosts_behind_the_last_that_fits_are_one_mistake(void **)
{
	struct fixture f;

	fixture_init(&f);
	f.hosts->n_max = 2;
	read_text(&f, "a.example\nb.example\n");
	assert_mistakes(f.mistakes, "");
	read_text(&f, "c.example\nd.example\n");
	assert_mistakes(f.mistakes, "list:1:1: host number 3, expected at most 2 in a catalogue");
	assert_int_equal(f.hosts->defs->len, 2);
	fixture_fini(&f);
}

static void tags_behind_the_last_that_fits_are_one_mistake(void **)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct fixture f;

	fixture_init(&f);
	for (int i = 1; i <= CTL_HOSTS_TAGS_MAX; i++)
		g_string_append_printf(text, "h%d.example t%d\n", i, i);
	read_text(&f, text->str);
	assert_mistakes(f.mistakes, "");
	assert_int_equal(f.hosts->tags->len, CTL_HOSTS_TAGS_MAX);
	read_text(&f, "x.example t9\ny.example new\nz.example newer\n");
	assert_mistakes(f.mistakes,
		"list:2:11: 'new', expected at most 65535 different tags in a catalogue");
	fixture_fini(&f);
}

/* Bytes that are no text, from a generator that always gives the same. */
static void no_bytes_are_read_or_written_outside_of_the_text(void **)
{
	static const char alphabet[] = "ab.-_ \t\r\n#\0\xc3\xbc\xffZ";
	uint32_t x = 1;

	for (int i = 0; i < 20000; i++) {
		char bytes[24];
		struct fixture f;
		size_t len;

		for (size_t j = 0; j < sizeof(bytes); j++) {
			x = x * 1664525 + 1013904223;
			bytes[j] = alphabet[(x >> 16) % (sizeof(alphabet) - 1)];
		}
		len = x >> 24 & 15;
		fixture_init(&f);
		read_bytes(&f, bytes, len);
		// Each line is a host, a mistake or nothing.
		assert_true(f.hosts->defs->len + ctl_mistakes_count(f.mistakes) <= 3 * len);
		fixture_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_host_with_or_without_a_tag),
		cmocka_unit_test(each_mistake_has_its_place_and_says_what_would_be_right),
		cmocka_unit_test(a_nul_byte_is_a_mistake_of_its_line_alone),
		cmocka_unit_test(a_line_has_at_most_so_many_bytes),
		cmocka_unit_test(a_host_has_at_most_253_characters_and_63_a_label),
		cmocka_unit_test(
			a_host_that_another_source_has_is_reported_with_the_place_of_the_first),
		cmocka_unit_test(of_many_hosts_each_is_found_again),
		cmocka_unit_test(of_10001_mistakes_the_last_is_counted),
		cmocka_unit_test(hosts_behind_the_last_that_fits_are_one_mistake),
		cmocka_unit_test(tags_behind_the_last_that_fits_are_one_mistake),
		cmocka_unit_test(no_bytes_are_read_or_written_outside_of_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
