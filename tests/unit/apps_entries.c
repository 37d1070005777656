// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_entries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

struct folder {
	char *path, *apps, *hosts;
};

static int make(void **state)
{
	struct folder *f = g_new0(struct folder, 1);

	f->path = g_dir_make_tmp("wirecue-entries-XXXXXX", NULL);
	assert_non_null(f->path);
	f->apps = g_build_filename(f->path, "apps.yaml", NULL);
	f->hosts = g_build_filename(f->path, "hosts.txt", NULL);
	*state = f;
	return 0;
}

static int clean(void **state)
{
	struct folder *f = *state;

	(void)g_unlink(f->apps);
	(void)g_unlink(f->hosts);
	(void)g_rmdir(f->path);
	g_free(f->path);
	g_free(f->apps);
	g_free(f->hosts);
	g_free(f);
	return 0;
}

/* One line an entry: "host a.example app category tag apps.yaml:1:2". */
static void note(void *ctx, const struct ctl_entry *entry)
{
	static const char *const kinds[] = {"host", "ndpi", "net", "port"};
	g_autofree char *file = g_path_get_basename(entry->file);

	g_string_append_printf(ctx, "%s %s %s %s %s %s:%u:%u\n", kinds[entry->kind], entry->text,
		entry->app, entry->category, entry->tag != NULL ? entry->tag : "-", file,
		entry->line, entry->column);
}

static char *entries_of(const struct folder *f, const char *apps, const char *hosts)
{
	GString *text = g_string_new(NULL);

	assert_true(g_file_set_contents(f->apps, apps, -1, NULL));
	if (hosts != NULL)
		assert_true(g_file_set_contents(f->hosts, hosts, -1, NULL));
	assert_int_equal(ctl_entries_read(f->apps, note, text, NULL), 0);
	return g_string_free(text, FALSE);
}

static void every_entry_has_its_app_and_its_place(void **state)
{
	g_autofree char *text = entries_of(*state,
		"apps:\n"
		"  - name: films\n"
		"    category: streaming\n"
		"    ndpi: [NetFlix, YouTube]\n"
		"    hosts: films.example\n"
		"    hosts_file: hosts.txt\n"
		"    tags: {plans: [p.films.example], shop: s.films.example}\n"
		"    nets: [192.0.2.0/24, \"2001:db8::/32\"]\n"
		"    ports: [udp:3478-3481]\n"
		"  - {name: mail, category: mail, hosts: [mail.example]}\n",
		"\xef\xbb\xbf"
		"a.example\r\n"
		"# nothing\n"
		"\n"
		"  \tb.example  page # why\n"
		"c.example # no tag\n"
		"d.example\tshop");

	assert_string_equal(text,
		"ndpi NetFlix films streaming - apps.yaml:4:12\n"
		"ndpi YouTube films streaming - apps.yaml:4:21\n"
		"host films.example films streaming - apps.yaml:5:12\n"
		"host p.films.example films streaming plans apps.yaml:7:20\n"
		"host s.films.example films streaming shop apps.yaml:7:44\n"
		"host a.example films streaming - hosts.txt:1:1\n"
		"host b.example films streaming page hosts.txt:4:4\n"
		"host c.example films streaming - hosts.txt:5:1\n"
		"host d.example films streaming shop hosts.txt:6:1\n"
		"net 192.0.2.0/24 films streaming - apps.yaml:8:12\n"
		"net 2001:db8::/32 films streaming - apps.yaml:8:26\n"
		"port udp:3478-3481 films streaming - apps.yaml:9:13\n"
		"host mail.example mail mail - apps.yaml:10:42\n");
}

static void what_is_no_entry_is_passed_over(void **state)
{
	g_autofree char *nothing = entries_of(*state, "", NULL);
	g_autofree char *text = entries_of(*state,
		"apps:\n"
		"  - 7\n"
		"  - {hosts: {a: b}, nets: [[1]], tags: [x], hosts_file: ../hosts.txt}\n"
		"  - {name: [a], hosts: [a.example], hosts_file: absent.txt}\n",
		NULL);

	assert_string_equal(nothing, "");
	assert_string_equal(text, "host a.example   - apps.yaml:4:25\n");
}

static void a_catalogue_that_is_gone_is_an_error(void **state)
{
	const struct folder *f = *state;
	struct dp_err err = {0};

	(void)g_unlink(f->apps);
	assert_int_equal(ctl_entries_read(f->apps, note, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "apps.yaml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_has_its_app_and_its_place),
		cmocka_unit_test(what_is_no_entry_is_passed_over),
		cmocka_unit_test(a_catalogue_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
