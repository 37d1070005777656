// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_files.h"
#include "control/apps_yaml.h"

#include "tests/unit/mistake_list.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder with a catalogue and what lies beside it; the working directory is in it. */
struct folder {
	char *path;
	struct ctl_dict *apps, *tags;
	struct ctl_mistakes *mistakes;
	struct ctl_apps read;
};

/* Nobody waits for the disk. */
static void put_bytes(const char *name, const char *bytes, size_t len)
{
	g_autofree char *dir = g_path_get_dirname(name);
	FILE *file;

	assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
	file = fopen(name, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static int folder_make(void **state)
{
	struct folder *f = g_new0(struct folder, 1);

	f->path = g_dir_make_tmp("wirecue-apps-XXXXXX", NULL);
	f->apps = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	f->tags = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
	f->mistakes = ctl_mistakes_new();
	*state = f;
	return f->path != NULL && chdir(f->path) == 0 ? 0 : -1;
}

static void remove_below(const char *dir)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d != NULL && (name = g_dir_read_name(d)) != NULL) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (g_file_test(path, G_FILE_TEST_IS_DIR) &&
			!g_file_test(path, G_FILE_TEST_IS_SYMLINK))
			remove_below(path);
		(void)g_remove(path);
	}
	if (d != NULL)
		g_dir_close(d);
}

static int folder_remove(void **state)
{
	struct folder *f = *state;

	(void)chdir("/");
	remove_below(f->path);
	(void)g_rmdir(f->path);
	if (f->read.names != NULL)
		ctl_apps_fini(&f->read);
	ctl_mistakes_free(f->mistakes);
	ctl_dict_free(f->apps);
	ctl_dict_free(f->tags);
	g_free(f->path);
	g_free(f);
	return 0;
}

static int load(struct folder *f, const char *path)
{
	if (f->read.names != NULL)
		ctl_apps_fini(&f->read);
	ctl_mistakes_free(f->mistakes);
	f->mistakes = ctl_mistakes_new();
	return ctl_apps_load(path, f->apps, f->tags, f->mistakes, &f->read);
}

#define ONE "apps:\n  - {name: one, category: web, hosts_file: list}\n"

static void a_hosts_file_makes_hosts_and_tags_like_the_catalogue_itself(void **state)
{
	struct folder *f = *state;
	struct cls_match m;

	put("apps.yaml",
		"apps:\n"
		"  - {name: one, category: web, hosts: [a.example], hosts_file: lists/one.txt}\n"
		"  - {name: two, category: web, hosts_file: two.txt, nets: [192.0.2.0/24]}\n");
	put("lists/one.txt", "# of one\r\nb.example plans\r\nb.b.example");
	put("two.txt", "c.example\na.a.example plans\n");
	assert_int_equal(load(f, "apps.yaml"), 0);
	assert_mistakes(f->mistakes, "");
	assert_int_equal(f->read.n_hosts, 5);
	assert_int_equal(f->read.n_nets, 1);
	m = cls_match_host(f->read.catalogue, "x.b.example", 11);
	assert_string_equal(cls_app_name(f->read.catalogue, m.app), "one");
	assert_string_equal(cls_tag_name(f->read.catalogue, m.tag), "plans");
	m = cls_match_host(f->read.catalogue, "b.b.example", 11);
	assert_int_equal(m.tag, DP_TAG_NONE);
	m = cls_match_host(f->read.catalogue, "www.a.a.example", 15);
	assert_string_equal(cls_app_name(f->read.catalogue, m.app), "two");
	assert_int_equal(f->read.files->len, 2);
	assert_string_equal(f->read.files->pdata[0], "lists/one.txt");
	assert_string_equal(f->read.files->pdata[1], "two.txt");
}

static void a_path_is_relative_to_the_folder_of_the_catalogue(void **state)
{
	struct folder *f = *state;
	g_autofree char *whole = g_build_filename(f->path, "below/apps.yaml", NULL);

	put("below/apps.yaml", ONE);
	put("below/list", "a.example\nB.example\n");
	assert_int_equal(load(f, "below/apps.yaml"), -EINVAL);
	assert_mistakes(f->mistakes,
		"below/list:2:1: 'B.example', expected a DNS name in lower case, without "
		"wildcard, such as netflix.com");
	put("below/list", "a.example\n");
	assert_int_equal(load(f, "below/apps.yaml"), 0);
	assert_int_equal(load(f, whole), 0);
}

static void mistakes_of_catalogue_and_hosts_files_come_in_one_run(void **state)
{
	struct folder *f = *state;

	put("apps.yaml",
		"apps:\n"
		"  - name: one\n"
		"    category: web\n"
		"    hosts_file: one.txt\n"
		"  - name: two\n"
		"    category: web\n"
		"    hosts: [a.example, c.example]\n"
		"    hosts_file: two.txt\n"
		"  - {name: three, category: web, hosts_file: one.txt}\n"
		"  - {name: four, category: web, hosts_file: absent.txt}\n"
		"  - {name: five, category: web, hosts_file: empty.txt}\n"
		"  - {name: six, category: web, hosts_file: lists}\n"
		"  - {name: seven, category: web, hosts_file: fifo}\n"
		"  - {name: eight, category: web, hosts_file: two.txt/x}\n"
		"  - {name: nine, category: web, hosts_file: [a, b]}\n"
		"  - {name: ten, category: web, hosts_file: }\n"
		"  - {name: eleven, category: web, hosts_fil: x}\n");
	put("one.txt", "a.example\nb.example\na.example\n");
	put("two.txt", "b.example\n\nd.example Tag\nc.example\n");
	put("empty.txt", "# nothing yet\n");
	put("lists/x", "");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(load(f, "apps.yaml"), -EINVAL);
	assert_mistakes(f->mistakes,
		"apps.yaml:7:13: 'a.example', expected each host once; app 'one' has it at "
		"one.txt:1:1\n"
		"apps.yaml:9:46: 'one.txt', expected each hosts file once; app 'one' has it at "
		"apps.yaml:4:17\n"
		"apps.yaml:10:45: 'absent.txt' cannot be opened (No such file or directory), "
		"expected a text with a host a line, below '.'\n"
		"apps.yaml:11:45: 'empty.txt' has no host, expected one a line, or no "
		"'hosts_file'\n"
		"apps.yaml:12:44: 'lists' is no regular file, expected a text with a host a line\n"
		"apps.yaml:13:46: 'fifo' is no regular file, expected a text with a host a line\n"
		"apps.yaml:14:46: 'two.txt/x' cannot be opened (Not a directory), expected a text "
		"with a host a line, below '.'\n"
		"apps.yaml:15:45: a list, expected a text that is not empty\n"
		"apps.yaml:16:32: nothing, expected a text that is not empty\n"
		"apps.yaml:17:5: nothing to recognise the app by, expected ndpi, hosts, "
		"hosts_file, tags, nets or ports\n"
		"apps.yaml:17:35: 'hosts_fil', expected a known key such as 'hosts_file'\n"
		"one.txt:3:1: 'a.example', expected each host once; app 'one' has it at "
		"one.txt:1:1\n"
		"two.txt:1:1: 'b.example', expected each host once; app 'one' has it at "
		"one.txt:2:1\n"
		"two.txt:3:11: 'Tag', expected a word of a-z, 0-9 and '_', at most 32 characters\n"
		"two.txt:4:1: 'c.example', expected each host once; app 'two' has it at "
		"apps.yaml:7:24");
	assert_int_equal(ctl_dict_end(f->apps), DP_APP_FIRST);
	assert_int_equal(ctl_dict_end(f->tags), DP_TAG_NONE + 1);
}

static void a_name_that_leaves_the_folder_is_refused_before_anything_is_opened(void **)
{
	static const char *const wrong[] = {"/etc/passwd", "../x", "a/../x", "a/..", "..", ".",
		"./x", "a/./x", "a//x", "a/", "/", "", "a\nb", "\x7f"};
	static const char *const right[] = {
		"x", "a/x", "...", "..a", ".a/b..", "a b", "caf\xc3\xa9"};
	g_autofree char *longest = g_strnfill(255, 'a');
	g_autofree char *too_long = g_strnfill(256, 'a');

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_string_equal(ctl_check_hosts_file(wrong[i]),
			"expected a path below the catalogue's folder, without '..', such as "
			"lists/video.txt");
	for (size_t i = 0; i < G_N_ELEMENTS(right); i++)
		assert_null(ctl_check_hosts_file(right[i]));
	assert_null(ctl_check_hosts_file(longest));
	assert_non_null(ctl_check_hosts_file(too_long));
}

static void a_link_may_lead_to_within_the_folder_and_nowhere_else(void **state)
{
	struct folder *f = *state;

	put("in/apps.yaml",
		"apps:\n"
		"  - {name: one, category: web, hosts_file: out}\n"
		"  - {name: two, category: web, hosts_file: away}\n"
		"  - {name: three, category: web, hosts_file: dir/list}\n"
		"  - {name: four, category: web, hosts_file: self}\n"
		"  - {name: five, category: web, hosts_file: lists/good}\n");
	put("list", "secret\n");
	put("in/lists/list", "a.example\n");
	assert_int_equal(symlink("../list", "in/out"), 0);
	assert_int_equal(symlink("/etc/hostname", "in/away"), 0);
	assert_int_equal(symlink("..", "in/dir"), 0);
	assert_int_equal(symlink("self", "in/self"), 0);
	assert_int_equal(symlink("../lists/list", "in/lists/good"), 0);
	assert_int_equal(load(f, "in/apps.yaml"), -EINVAL);
	assert_mistakes(f->mistakes,
		"in/apps.yaml:2:44: 'out' leads out of the catalogue's folder, expected links to "
		"within 'in' only\n"
		"in/apps.yaml:3:44: 'away' leads out of the catalogue's folder, expected links to "
		"within 'in' only\n"
		"in/apps.yaml:4:46: 'dir/list' leads out of the catalogue's folder, expected links "
		"to within 'in' only\n"
		"in/apps.yaml:5:45: 'self' cannot be opened (Too many levels of symbolic links), "
		"expected a text with a host a line, below 'in'");
	put("in/apps.yaml", "apps: [{name: five, category: web, hosts_file: lists/good}]\n");
	assert_int_equal(load(f, "in/apps.yaml"), 0);
	// A catalogue that is a link itself: the folder is where the link stands.
	assert_int_equal(symlink("in/apps.yaml", "apps.yaml"), 0);
	assert_int_equal(load(f, "apps.yaml"), -EINVAL);
	put("lists/good", "b.example\n");
	assert_int_equal(load(f, "apps.yaml"), 0);
}

static void load_either_way(struct folder *f)
{
	const bool is_loaded = load(f, "apps.yaml") == 0;

	assert_int_equal(is_loaded, ctl_mistakes_count(f->mistakes) == 0);
	assert_int_equal(is_loaded, f->read.catalogue != NULL);
}

static void every_truncation_of_catalogue_and_hosts_file_is_read_or_refused(void **state)
{
	static const char yaml[] = "apps:\n"
				   "  - name: one\n"
				   "    category: web\n"
				   "    hosts: [x.example]\n"
				   "    hosts_file: list\n"
				   "  - {name: two, category: web, tags: {plans: y.example}}\n";
	static const char list[] = "\xef\xbb\xbf# two\r\na.example\tplans # why\r\nb.example\n";
	struct folder *f = *state;

	put("list", list);
	for (size_t len = 0; len < sizeof(yaml); len++) {
		put_bytes("apps.yaml", yaml, len);
		load_either_way(f);
	}
	assert_int_equal(f->read.n_hosts, 4);
	for (size_t len = 0; len < sizeof(list) - 1; len++) {
		put_bytes("list", list, len);
		load_either_way(f);
		assert_true(f->read.n_hosts >= 2 && f->read.n_hosts <= 4);
	}
}

static void what_is_read_has_a_bound(void **state)
{
	struct folder *f = *state;
	char *text = NULL;
	struct dp_err err;

	put("list", "a.example\n");
	assert_int_equal(ctl_apps_file_read("apps.yaml", "list", 10, &text, &err), 10);
	assert_string_equal(text, "a.example\n");
	text[10] = 'x'; // one byte more is the caller's
	g_free(text);
	assert_int_equal(ctl_apps_file_read("apps.yaml", "list", 9, &text, &err), -EFBIG);
	assert_string_equal(
		err.text, "'list' is too large, expected hosts files of at most 256 MiB together");
	// A file whose size says nothing is read as far as it may be.
	assert_int_equal(ctl_apps_file_read("/proc/apps.yaml", "version", 5, &text, &err), -EFBIG);
	put("apps.yaml", ONE "  - {name: two, category: web, hosts_file: second}\n");
	put("second", "");
	assert_int_equal(truncate("second", CTL_HOSTS_BYTES_MAX - 9), 0); // holes: no disk
	assert_int_equal(load(f, "apps.yaml"), -EINVAL);
	assert_mistakes(f->mistakes,
		"apps.yaml:3:44: 'second' is too large, expected hosts files of at most 256 MiB "
		"together");
	put("apps.yaml", ONE);
	assert_int_equal(truncate("list", CTL_HOSTS_BYTES_MAX + 1LL), 0);
	assert_int_equal(load(f, "apps.yaml"), -EINVAL);
	assert_mistakes(f->mistakes,
		"apps.yaml:2:44: 'list' is too large, expected hosts files of at most 256 MiB "
		"together");
}

static void a_catalogue_names_at_most_1000_hosts_files(void **state)
{
	g_autoptr(GString) text = g_string_new("apps:\n");
	struct folder *f = *state;

	for (int i = 1; i <= CTL_HOSTS_FILES_MAX + 2; i++) {
		g_autofree char *name = g_strdup_printf("%d", i);
		g_autofree char *host = g_strdup_printf("h%d.example", i);

		g_string_append_printf(
			text, "  - {name: a%d, category: web, hosts_file: %d}\n", i, i);
		if (i == CTL_HOSTS_FILES_MAX) {
			put("apps.yaml", text->str);
			put(name, host);
			assert_int_equal(load(f, "apps.yaml"), 0);
			assert_int_equal(f->read.n_hosts, CTL_HOSTS_FILES_MAX);
		}
		put(name, host);
	}
	put("apps.yaml", text->str);
	assert_int_equal(load(f, "apps.yaml"), -EINVAL);
	assert_mistakes(f->mistakes,
		"apps.yaml:1002:46: '1001', expected at most 1000 hosts files in a catalogue\n"
		"apps.yaml:1003:46: '1002', expected at most 1000 hosts files in a catalogue");
}

static void the_files_that_a_document_names_can_be_asked_for(void **)
{
	static const char text[] = "apps:\n"
				   "  - {name: one, hosts_file: b}\n"
				   "  - {hosts_file: ../x}\n"
				   "  - nonsense\n"
				   "  - {hosts_file: [c]}\n"
				   "  - {hosts_file: a/c, hosts_file: d}\n"
				   "  - {hosts_file: b}\n"
				   "  - {hosts_file: }\n";
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	struct ctl_yaml *doc;
	GPtrArray *files;

	assert_int_equal(ctl_yaml_parse("apps.yaml", text, strlen(text), false, mistakes, &doc), 0);
	files = ctl_apps_files(doc);
	assert_int_equal(files->len, 2);
	assert_string_equal(files->pdata[0], "b");
	assert_string_equal(files->pdata[1], "a/c");
	g_ptr_array_unref(files);
	ctl_yaml_free(doc);
	assert_int_equal(ctl_yaml_parse("apps.yaml", "", 0, false, mistakes, &doc), 0);
	files = ctl_apps_files(doc);
	assert_int_equal(files->len, 0);
	g_ptr_array_unref(files);
	ctl_yaml_free(doc);
	ctl_mistakes_free(mistakes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_hosts_file_makes_hosts_and_tags_like_the_catalogue_itself),
		TEST(a_path_is_relative_to_the_folder_of_the_catalogue),
		TEST(mistakes_of_catalogue_and_hosts_files_come_in_one_run),
		cmocka_unit_test(
			a_name_that_leaves_the_folder_is_refused_before_anything_is_opened),
		TEST(a_link_may_lead_to_within_the_folder_and_nowhere_else),
		TEST(every_truncation_of_catalogue_and_hosts_file_is_read_or_refused),
		TEST(what_is_read_has_a_bound),
		TEST(a_catalogue_names_at_most_1000_hosts_files),
		cmocka_unit_test(the_files_that_a_document_names_can_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
