// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define S 1000000000ULL
#define NOW (1795464902 * S) // 2026-11-23T20:15:02Z

struct rig {
	char *top, *path;
	struct ctl_sample_files *files;
	struct dp_err err;
	uint64_t now_ns;
};

/* 1000 bytes a file, 5000 in all, a day. */
static struct rig new_rig(void)
{
	struct rig r = {.top = g_dir_make_tmp("wirecue-samples-XXXXXX", NULL), .now_ns = NOW};

	assert_non_null(r.top);
	r.path = g_build_filename(r.top, "samples", NULL);
	r.files = ctl_sample_files_new(r.path);
	ctl_sample_files_set_bounds(r.files, &(struct ctl_sample_bounds){1000, 5000, 86400 * S});
	return r;
}

static void end_rig(struct rig *r)
{
	ctl_sample_files_free(r->files);
	ctl_folder_remove(r->top);
	g_free(r->top);
	g_free(r->path);
}

/* A flow of len bytes; whether it began a file. */
static bool add(struct rig *r, size_t len)
{
	char bytes[4096];
	bool is_new = false;

	memset(bytes, 'a', sizeof(bytes));
	if (ctl_sample_files_ready(r->files, r->now_ns, len, &is_new, &r->err) < 0 ||
		ctl_sample_files_write(r->files, bytes, len, &r->err) < 0)
		fail_msg("%s", r->err.text);
	return is_new;
}

static int try_ready(struct rig *r)
{
	bool is_new;

	return ctl_sample_files_ready(r->files, r->now_ns, 100, &is_new, &r->err);
}

/* Names in the folder, sorted, with their sizes: "a:1 b:2". */
static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *list(const struct rig *r)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	DIR *dir = opendir(r->path);
	const struct dirent *e;
	GString *text = g_string_new(NULL);

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] != '.')
			g_ptr_array_add(names, g_strdup(e->d_name));
	}
	(void)closedir(dir);
	g_ptr_array_sort(names, by_text);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(r->path, names->pdata[i], NULL);
		struct stat st;

		assert_int_equal(lstat(path, &st), 0);
		g_string_append_printf(text, "%s%s:%d", i > 0 ? " " : "", (char *)names->pdata[i],
			(int)st.st_size);
	}
	return g_string_free(text, FALSE);
}

static void holds(const struct rig *r, const char *expected)
{
	g_autofree char *text = list(r);

	assert_string_equal(text, expected);
}

static void put(const struct rig *r, const char *name, size_t len)
{
	g_autofree char *path = g_build_filename(r->path, name, NULL);
	g_autofree char *bytes = g_strnfill(len, 'b');

	assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

static void files_are_for_their_owner_alone(void **)
{
	struct rig r = new_rig();
	g_autofree char *path = g_build_filename(
		r.path, "unknown-20261123T201502Z-0000.pcap", NULL);
	g_autofree char *text = NULL;
	struct stat st;
	size_t len;

	(void)umask(0);
	assert_true(add(&r, 100));
	assert_false(add(&r, 100));
	assert_int_equal(stat(r.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(g_file_get_contents(path, &text, &len, NULL));
	assert_int_equal(len, 224);
	assert_memory_equal(text, "\x4d\x3c\xb2\xa1\x02\0\x04\0", 8); // nanoseconds, 2.4
	assert_int_equal(text[20], 101); // LINKTYPE_RAW
	end_rig(&r);
}

static void a_file_ends_with_its_size(void **)
{
	struct rig r = new_rig();

	assert_true(add(&r, 500));
	assert_false(add(&r, 476));
	holds(&r, "unknown-20261123T201502Z-0000.pcap:1000");
	assert_true(add(&r, 1));
	holds(&r, "unknown-20261123T201502Z-0000.pcap:1000 unknown-20261123T201502Z-0001.pcap:25");
	r.now_ns += S;
	assert_true(add(&r, 976));
	assert_true(add(&r, 976));
	holds(&r,
		"unknown-20261123T201502Z-0000.pcap:1000 unknown-20261123T201502Z-0001.pcap:25 "
		"unknown-20261123T201503Z-0000.pcap:1000 unknown-20261123T201503Z-0001.pcap:1000");
	assert_int_equal(ctl_sample_files_state(r.files).n_files, 4);
	assert_int_equal(ctl_sample_files_state(r.files).bytes, 3025);
	assert_int_equal(ctl_sample_files_state(r.files).oldest_ns, NOW);
	end_rig(&r);
}

static void and_with_its_time(void **)
{
	struct rig r = new_rig();

	assert_true(add(&r, 10));
	r.now_ns += 3600 * S - 1;
	assert_false(add(&r, 10));
	r.now_ns += 1;
	assert_true(add(&r, 10));
	ctl_sample_files_end(r.files);
	assert_true(add(&r, 10));
	ctl_sample_files_set_bounds(r.files, &(struct ctl_sample_bounds){1000, 5000, 240 * S});
	r.now_ns += 10 * S;
	assert_true(add(&r, 10)); // a 24th
	r.now_ns -= 20 * S;
	assert_true(add(&r, 10)); // the clock was set back
	end_rig(&r);
}

static void all_together_never_have_more_than_their_total(void **)
{
	struct rig r = new_rig();

	for (int i = 0; i < 200; i++) {
		g_autofree char *text = NULL;
		uint64_t bytes = 0;

		r.now_ns += S;
		(void)add(&r, (size_t)(100 + i * 37 % 800));
		text = list(&r);
		for (const char *at = text; (at = strchr(at, ':')) != NULL;)
			bytes += g_ascii_strtoull(++at, NULL, 10);
		assert_true(bytes <= 5000);
		assert_int_equal(bytes, ctl_sample_files_state(r.files).bytes);
		assert_true(i < 20 || bytes > 3000); // and no fewer stay than may
	}
	ctl_sample_files_set_bounds(r.files, &(struct ctl_sample_bounds){1000, 1000, 86400 * S});
	assert_int_equal(ctl_sample_files_tend(r.files, r.now_ns, &r.err), 0);
	assert_int_equal(ctl_sample_files_state(r.files).n_files, 1); // the one being written
	end_rig(&r);
}

static void what_is_too_old_goes_and_what_an_earlier_process_left(void **)
{
	struct rig r = new_rig();

	assert_int_equal(mkdir(r.path, 0700), 0);
	put(&r, "unknown-20261122T201502Z-0007.pcap", 10); // a day
	put(&r, "unknown-20261122T201503Z-0000.pcap", 10); // a second less
	put(&r, "unknown-20271122T201503Z-0000.pcap", 10); // of a clock that was wrong
	put(&r, "unknown-20261124T201502Z-0000.pcap", 10); // not so wrong that it is known
	assert_int_equal(ctl_sample_files_tend(r.files, r.now_ns, &r.err), 0);
	holds(&r, "unknown-20261122T201503Z-0000.pcap:10 unknown-20261124T201502Z-0000.pcap:10");
	assert_int_equal(ctl_sample_files_state(r.files).n_files, 2);
	assert_int_equal(ctl_sample_files_tend(r.files, r.now_ns + S, &r.err), 0);
	holds(&r, "unknown-20261124T201502Z-0000.pcap:10");
	end_rig(&r);
}

static void what_is_not_ours_is_left_alone(void **)
{
	static const char *const names[] = {"a.pcap", "unknown-20200101T000000Z-0000.pcap.bak",
		"unknown-20200101T000000Z-0.pcap", "unknown-20200101T000000Z-00000.pcap",
		"unknown-20200101T250000Z-0000.pcap", "unknown-20200230T000000Z-0000.pcap",
		"unknown- 2020101T000000Z-0000.pcap", "unknown-20200101T000000Z--001.pcap",
		"unknown-20200101T000000Z-0000.PCAP", "unknown-20200101T000000+-0000.pcap"};
	struct rig r = new_rig();
	g_autofree char *link = g_build_filename(
		r.path, "unknown-20200101T000000Z-0001.pcap", NULL);
	g_autofree char *folder = g_build_filename(
		r.path, "unknown-20200101T000000Z-0002.pcap", NULL);
	g_autofree char *before = NULL;

	assert_int_equal(mkdir(r.path, 0700), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		put(&r, names[i], 6000);
	assert_int_equal(symlink("a.pcap", link), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	before = list(&r);
	assert_int_equal(ctl_sample_files_tend(r.files, r.now_ns, &r.err), 0);
	holds(&r, before);
	end_rig(&r);
}

static void no_link_is_followed_and_no_file_is_written_over(void **)
{
	struct rig r = new_rig();
	g_autofree char *name = g_build_filename(
		r.path, "unknown-20261123T201502Z-0000.pcap", NULL);
	g_autofree char *target = g_build_filename(r.top, "target", NULL);

	assert_int_equal(mkdir(r.path, 0700), 0);
	assert_int_equal(symlink(target, name), 0);
	put(&r, "unknown-20261123T201502Z-0001.pcap", 7);
	assert_true(add(&r, 100));
	assert_int_not_equal(access(target, F_OK), 0);
	assert_int_equal(unlink(name), 0);
	holds(&r, "unknown-20261123T201502Z-0001.pcap:7 unknown-20261123T201502Z-0002.pcap:124");
	end_rig(&r);
}

static void a_folder_that_others_may_enter_is_refused(void **)
{
	struct rig r = new_rig();
	g_autofree char *other = g_build_filename(r.top, "other", NULL);

	assert_int_equal(mkdir(r.path, 0700), 0);
	assert_int_equal(chmod(r.path, 0750), 0);
	assert_int_equal(try_ready(&r), -EPERM);
	assert_non_null(strstr(r.err.text, "chmod 700"));
	assert_int_equal(chmod(r.path, 0700), 0);
	assert_int_equal(try_ready(&r), 0); // and then it goes on
	ctl_sample_files_end(r.files);
	ctl_folder_remove(r.path);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(symlink("other", r.path), 0);
	ctl_sample_files_free(r.files);
	r.files = ctl_sample_files_new(r.path);
	ctl_sample_files_set_bounds(r.files, &(struct ctl_sample_bounds){1000, 5000, 86400 * S});
	assert_int_equal(try_ready(&r), -ENOTDIR);
	assert_int_equal(unlink(r.path), 0);
	assert_true(g_file_set_contents(r.path, "a", 1, NULL));
	assert_int_equal(try_ready(&r), -ENOTDIR);
	assert_int_equal(unlink(r.path), 0);
	assert_int_equal(rmdir(other), 0);
	end_rig(&r);
}

static void a_folder_that_went_away_is_made_again(void **)
{
	struct rig r = new_rig();

	assert_true(add(&r, 100));
	ctl_folder_remove(r.path);
	r.now_ns += 3600 * S;
	assert_true(try_ready(&r) < 0);
	assert_true(add(&r, 100));
	holds(&r, "unknown-20261123T211502Z-0000.pcap:124");
	end_rig(&r);
}

/* RLIMIT_FSIZE stands for a disk that takes no more: write(2) takes a part, then says EFBIG. */
static void of_a_flow_that_does_not_fit_nothing_stays(void **)
{
	struct rig r = new_rig();
	struct rlimit before;
	char bytes[400] = {0};
	bool is_new;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(add(&r, 300));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){500, before.rlim_max}), 0);
	assert_int_equal(ctl_sample_files_ready(r.files, r.now_ns, 400, &is_new, &r.err), 0);
	assert_int_equal(ctl_sample_files_write(r.files, bytes, 400, &r.err), -EFBIG);
	holds(&r, "unknown-20261123T201502Z-0000.pcap:324");
	assert_int_equal(ctl_sample_files_state(r.files).bytes, 324);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){200, before.rlim_max}), 0);
	assert_int_equal(ctl_sample_files_ready(r.files, r.now_ns, 400, &is_new, &r.err), 0);
	assert_int_equal(ctl_sample_files_write(r.files, bytes, 400, &r.err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	holds(&r, "unknown-20261123T201502Z-0000.pcap:324"); // and no empty one
	assert_true(add(&r, 400));
	holds(&r, "unknown-20261123T201502Z-0000.pcap:324 unknown-20261123T201502Z-0001.pcap:424");
	end_rig(&r);
}

static void a_flow_larger_than_a_file_is_refused(void **)
{
	struct rig r = new_rig();
	bool is_new;

	assert_int_equal(ctl_sample_files_ready(r.files, r.now_ns, 977, &is_new, &r.err), -EFBIG);
	assert_int_equal(ctl_sample_files_ready(r.files, r.now_ns, 976, &is_new, &r.err), 0);
	end_rig(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_for_their_owner_alone),
		cmocka_unit_test(a_file_ends_with_its_size),
		cmocka_unit_test(and_with_its_time),
		cmocka_unit_test(all_together_never_have_more_than_their_total),
		cmocka_unit_test(what_is_too_old_goes_and_what_an_earlier_process_left),
		cmocka_unit_test(what_is_not_ours_is_left_alone),
		cmocka_unit_test(no_link_is_followed_and_no_file_is_written_over),
		cmocka_unit_test(a_folder_that_others_may_enter_is_refused),
		cmocka_unit_test(a_folder_that_went_away_is_made_again),
		cmocka_unit_test(of_a_flow_that_does_not_fit_nothing_stays),
		cmocka_unit_test(a_flow_larger_than_a_file_is_refused),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
