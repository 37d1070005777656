// SPDX-License-Identifier: BSD-3-Clause
/* The versions of the catalogue as a stream of bytes, and back. */
#include "control/catalogue_bundle.h"

#include "control/catalogue_restore.h"
#include "control/folder.h"
#include "tests/unit/versions_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char with_hosts[] = "apps:\n"
				 "  - {name: a, hosts_file: lists/deep/c.txt}\n"
				 "  - {name: b, hosts_file: b.txt}\n";

/* Three versions: one file, one file, one with hosts files; the second is in force again. */
static void make_versions(struct rig *rig)
{
	(void)rig_begin(rig);
	assert_int_equal(rig_commit(rig, "second"), 2);
	rig_put(rig, "work/lists/deep/c.txt", "c.example\n");
	rig_put(rig, "work/b.txt", "b.example\n");
	assert_int_equal(rig_commit(rig, with_hosts), 3);
	rig_roll_back(rig, 2);
	rig_shut(rig);
}

/* The bundle of the rig's store; g_free. */
static char *bundle(const struct rig *rig, size_t *ret_len, struct ctl_bundle_report *ret_report)
{
	g_autofree char *folder = rig_path(rig, "store/catalogues");
	g_autofree char *path = rig_path(rig, "bundle");
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct dp_err err = {""};
	char *bytes;

	assert_true(fd >= 0);
	if (ctl_bundle_write(folder, fd, ret_report, &err) < 0)
		fail_msg("%s", err.text);
	(void)close(fd);
	assert_true(g_file_get_contents(path, &bytes, ret_len, NULL));
	assert_int_equal(*ret_len, ret_report->n_bytes);
	return bytes;
}

/* The bytes in a heap block of their own. */
static int read_bytes(const char *bytes, size_t len, const char *to,
	struct ctl_bundle_report *ret_report, struct dp_err *reterr)
{
	char *own = g_memdup2(bytes, len);
	FILE *in = len == 0 ? fopen("/dev/null", "rb") : fmemopen(own, len, "rb");
	int r;

	assert_non_null(in);
	r = ctl_bundle_read(in, to, geteuid(), getegid(), ret_report, reterr);
	(void)fclose(in);
	g_free(own);
	return r;
}

static void assert_refused(const char *bytes, size_t len)
{
	struct ctl_bundle_report report;
	struct dp_err err = {""};

	assert_int_equal(read_bytes(bytes, len, NULL, &report, &err), -EBADMSG);
	assert_true(g_str_has_prefix(err.text, "its versions of the catalogue are damaged: "));
}

static void what_comes_back_is_what_was_there(void **state)
{
	struct rig *rig = *state;
	g_autofree char *old = rig_path(rig, "store/catalogues");
	g_autofree char *aside = rig_path(rig, "aside"), *bytes = NULL, *again = NULL, *list = NULL;
	struct ctl_bundle_report made, report;
	struct dp_err err = {""};
	size_t len, again_len;

	make_versions(rig);
	bytes = bundle(rig, &len, &made);
	assert_true(made.is_there);
	assert_int_equal(made.n_left_out, 0);
	assert_int_equal(g_rename(old, aside), 0);
	if (read_bytes(bytes, len, old, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(report.in_force, 2);
	assert_int_equal(report.n_versions, 3);
	assert_int_equal(report.n_lines, 4);
	assert_int_equal(report.n_bytes, len);
	rig_assert_chosen(rig, 2, "second");
	list = rig_get(rig, "store/catalogues/000003/lists/deep/c.txt");
	assert_string_equal(list, "c.example\n");
	again = bundle(rig, &again_len, &report);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, bytes, len);
	(void)rig_begin(rig);
	assert_int_equal(ctl_versions_next(rig->versions), 4);
	assert_int_equal(ctl_versions_before(rig->versions), 1);
}

static void every_truncation_and_every_flipped_bit_is_refused(void **state)
{
	struct rig *rig = *state;
	struct ctl_bundle_report report;
	g_autofree char *bytes = NULL;
	size_t len;

	make_versions(rig);
	bytes = bundle(rig, &len, &report);
	for (size_t cut = 0; cut < len; cut++)
		assert_refused(bytes, cut);
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= (char)(1 << i % 8);
		assert_refused(bytes, len);
		bytes[i] ^= (char)(1 << i % 8);
	}
	assert_int_equal(read_bytes(bytes, len, NULL, &report, NULL), 0);
}

struct failing {
	const char *bytes;
	size_t left;
};

static ssize_t read_failing(void *ctx, char *buf, size_t size)
{
	struct failing *f = ctx;
	const size_t n = MIN(size, f->left);

	errno = EIO;
	memcpy(buf, f->bytes, n);
	f->bytes += n;
	f->left -= n;
	return n > 0 ? (ssize_t)n : -1;
}

static void a_disk_that_fails_is_no_damage(void **state)
{
	struct rig *rig = *state;
	struct ctl_bundle_report report;
	g_autofree char *bytes = NULL;
	size_t len;

	make_versions(rig);
	bytes = bundle(rig, &len, &report);
	for (size_t cut = 0; cut < len; cut++) {
		struct failing failing = {bytes, cut};
		FILE *in = fopencookie(
			&failing, "r", (cookie_io_functions_t){.read = read_failing});
		struct dp_err err = {""};

		assert_non_null(in);
		assert_int_equal(ctl_bundle_read(in, NULL, 0, 0, &report, &err), -EIO);
		assert_string_equal(err.text, "cannot be read: Input/output error");
		assert_int_equal(fclose(in), 0);
	}
}

/* The daemon, in a process of its own: fewer than are kept, so none is removed. */
static pid_t commit_meanwhile(struct rig *rig)
{
	const pid_t child = fork();

	assert_true(child >= 0);
	for (int i = 0; child == 0 && i < CTL_VERSIONS_KEPT - 2; i++) {
		g_autofree char *text = g_strdup_printf("text %d", i);

		(void)rig_commit(rig, text);
	}
	if (child == 0)
		_exit(0);
	return child;
}

static void a_bundle_under_commits_is_of_one_moment(void **state)
{
	struct rig *rig = *state;
	struct ctl_bundle_report made, report;
	uint32_t last = 0;
	int status;
	pid_t child, ended = 0;

	(void)rig_begin(rig);
	child = commit_meanwhile(rig);
	while (ended == 0) {
		g_autofree char *bytes = NULL;
		size_t len;

		ended = waitpid(child, &status, WNOHANG); // then once more
		bytes = bundle(rig, &len, &made);
		assert_int_equal(made.n_left_out, 0);
		assert_int_equal(read_bytes(bytes, len, NULL, &report, NULL), 0);
		assert_int_equal(report.n_versions, report.in_force); // each has its copy
		assert_int_equal(report.n_lines, report.in_force);
		assert_true(report.in_force >= last);
		last = report.in_force;
	}
	assert_int_equal(ended, child);
	assert_int_equal(status, 0);
	assert_int_equal(last, CTL_VERSIONS_KEPT - 1);
}

/* --- hostile, with a right checksum ------------------------------------------------------------ */

static void add_file(GString *to, const char *name, const char *bytes)
{
	g_string_append_printf(
		to, "file %zu %zu\n%s\n%s", strlen(bytes), strlen(name), name, bytes);
}

static void add_end(GString *to)
{
	g_autofree char *sum = g_compute_checksum_for_data(
		G_CHECKSUM_SHA256, (const guchar *)to->str, to->len);

	g_string_append_printf(to, "end %s\n", sum);
}

static char *history_of(const char *file, const char *bytes)
{
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, bytes, -1);

	return g_strdup_printf(
		"{\"version\":1,\"time\":\"2026-03-01T18:00:00.000Z\",\"what\":\"started\","
		"\"who\":\"\",\"why\":\"\",\"file\":\"%s\",\"sha256\":\"%s\",\"configured\":\"\"}\n",
		file, sum);
}

static void a_right_checksum_does_not_make_a_name_good(void **)
{
	static const struct {
		const char *first, *second; // names; the bytes of both are "x"
		bool is_good;
	} cases[] = {
		{"000001/a.yaml", NULL, true},
		{"000001/../a.yaml", NULL, false},
		{"000001//a.yaml", NULL, false},
		{"/00001/a.yaml", NULL, false},
		{"000002/a.yaml", NULL, false},
		{"000000/a.yaml", NULL, false},
		{"0000001/a.yaml", NULL, false},
		{"000001/b.yaml", NULL, false},
		{"000001", NULL, false},
		{"000001/", NULL, false},
		{"history", NULL, false},
		{"000001/a.yaml", "000001/../../../x", false},
		{"000001/a.yaml", "000001//x", false},
		{"000001/a.yaml", "000001/b.txt", false}, // is not in the digest
		{"000001/a.yaml", "000001/a.yaml", false},
		{"000001/a.yaml", "staged/x", false},
	};
	g_autofree char *history = history_of("/etc/a.yaml", "x");

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) text = g_string_new(CTL_BUNDLE_HEAD);
		struct ctl_bundle_report report;

		add_file(text, "history", history);
		add_file(text, cases[i].first, "x");
		if (cases[i].second != NULL)
			add_file(text, cases[i].second, "x");
		add_end(text);
		if (cases[i].is_good)
			assert_int_equal(read_bytes(text->str, text->len, NULL, &report, NULL), 0);
		else
			assert_refused(text->str, text->len);
	}
}

static void nor_an_order_a_size_or_a_history(void **)
{
	static const char *const middles[] = {
		"", // nothing at all
		"absent\nabsent\n",
		"absent\nfile 0 7\nhistory\n",
		"file 0 7\nhistory\nabsent\n",
		"file 0 7\nhistory\nfile 0 7\nhistory\n",
		"file 0 13\n000001/a.yaml\n",
		"file 00 7\nhistory\n",
		"file -1 7\nhistory\n",
		"file 0 7 \nhistory\n",
		"file  7\nhistory\n",
		"file 99999999999999999999 7\nhistory\n",
		"file 8388609 7\nhistory\n", // more than a history may have
		"file 0 0\n\n",
		"file 0 999\nhistory\n",
		"file 3 7\nhistory\n{}\n",
		"file 2 7\nhistory\n{}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(middles); i++) {
		g_autoptr(GString) text = g_string_new(CTL_BUNDLE_HEAD);

		g_string_append(text, middles[i]);
		add_end(text);
		assert_refused(text->str, text->len);
	}
}

static void what_follows_the_end_is_refused(void **)
{
	g_autoptr(GString) text = g_string_new(CTL_BUNDLE_HEAD "absent\n");
	struct ctl_bundle_report report;

	add_end(text);
	assert_int_equal(read_bytes(text->str, text->len, NULL, &report, NULL), 0);
	assert_false(report.is_there);
	g_string_append_c(text, 'x');
	assert_refused(text->str, text->len);
}

/* --- a damaged store --------------------------------------------------------------------------- */

static void a_damaged_copy_is_left_out_and_told(void **state)
{
	struct rig *rig = *state;
	g_autofree char *link = rig_path(rig, "store/catalogues/000001/etc"), *bytes = NULL;
	struct ctl_bundle_report report;
	size_t len;

	make_versions(rig);
	rig_put(rig, "store/catalogues/000003/b.txt", "forged.example\n");
	assert_int_equal(symlink("/etc", link), 0);
	bytes = bundle(rig, &len, &report);
	assert_int_equal(report.n_left_out, 2);
	assert_string_equal(
		report.fault, "the copy of version 1 is damaged: 'etc' is no ordinary file");
	assert_int_equal(read_bytes(bytes, len, NULL, &report, NULL), 0);
	assert_int_equal(report.n_versions, 1);
	assert_int_equal(report.n_lines, 4);
}

static void without_a_history_that_can_be_read_there_is_nothing(void **state)
{
	struct rig *rig = *state;
	g_autofree char *history = NULL, *bytes = NULL;
	struct ctl_bundle_report report;
	size_t len;

	make_versions(rig);
	history = rig_get(rig, "store/catalogues/history");
	history[strlen(history) - 5] = '\0';
	rig_put(rig, "store/catalogues/history", history);
	bytes = bundle(rig, &len, &report);
	assert_false(report.is_there);
	assert_string_equal(
		report.fault, "the last line of the catalogue's history cannot be read");
	assert_int_equal(read_bytes(bytes, len, NULL, &report, NULL), 0);
	assert_false(report.is_there);
}

static void a_store_without_versions_has_a_bundle_without(void **state)
{
	struct rig *rig = *state;
	struct ctl_bundle_report report;
	size_t len;
	g_autofree char *bytes = bundle(rig, &len, &report);

	assert_true(report.is_there);
	assert_int_equal(read_bytes(bytes, len, NULL, &report, NULL), 0);
	assert_true(report.is_there);
	assert_int_equal(report.n_lines, 0);
}

/* --- the swap ---------------------------------------------------------------------------------- */

static ino_t inode_of(const struct rig *rig, const char *name)
{
	g_autofree char *path = rig_path(rig, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* The old folder has version 1 in force, the new one 2; wirecue.mdb is old, and a draft of the new one is there. */
static void make_pending(struct rig *rig)
{
	g_autofree char *folder = rig_path(rig, "store/catalogues");
	g_autofree char *next = rig_path(rig, "store/catalogues.next");
	g_autofree char *aside = rig_path(rig, "store/before-restore-x");
	struct dp_err err = {""};

	make_versions(rig);
	assert_int_equal(g_rename(folder, next), 0);
	(void)rig_begin(rig);
	rig_shut(rig);
	rig_assert_chosen(rig, 1, "first");
	rig_put(rig, "store/wirecue.mdb", "old");
	rig_put(rig, "store/draft", "new");
	rig_put(rig, "store/writer.lock", "");
	assert_int_equal(g_mkdir(aside, 0700), 0);
	if (ctl_versions_restore_ready(
		    rig->store, inode_of(rig, "store/draft"), "before-restore-x", &err) < 0)
		fail_msg("%s", err.text);
}

static void swap_file(const struct rig *rig)
{
	g_autofree char *draft = rig_path(rig, "store/draft");
	g_autofree char *file = rig_path(rig, "store/wirecue.mdb");

	assert_int_equal(g_rename(draft, file), 0);
}

static void assert_tidy(const struct rig *rig)
{
	assert_false(rig_has(rig, "store/catalogues.next"));
	assert_false(rig_has(rig, "store/catalogues.restore"));
}

static void before_the_file_is_swapped_the_old_versions_stay(void **state)
{
	struct rig *rig = *state;

	make_pending(rig);
	ctl_versions_restore_recover(rig->store);
	rig_assert_chosen(rig, 1, "first");
	assert_tidy(rig);
	swap_file(rig);
	ctl_versions_restore_recover(rig->store);
	rig_assert_chosen(rig, 1, "first");
}

static void behind_it_the_new_ones_come_whatever_step_was_last(void **state)
{
	struct rig *rig = *state;
	g_autofree char *folder = rig_path(rig, "store/catalogues");
	g_autofree char *to = rig_path(rig, "store/before-restore-x/catalogues");
	const bool is_moved = rig_has(rig, "etc/moved");

	make_pending(rig);
	swap_file(rig);
	if (is_moved) // a crash between the two renames
		assert_int_equal(g_rename(folder, to), 0);
	ctl_versions_restore_recover(rig->store);
	rig_assert_chosen(rig, 2, "second");
	assert_true(rig_has(rig, "store/before-restore-x/catalogues/000001"));
	assert_tidy(rig);
	ctl_versions_restore_recover(rig->store); // nothing more
	rig_assert_chosen(rig, 2, "second");
}

static int setup_moved(void **state)
{
	const int r = rig_setup(state);

	rig_put(*state, "etc/moved", "");
	return r;
}

static void they_come_though_the_folder_for_the_old_ones_is_gone(void **state)
{
	struct rig *rig = *state;
	g_autofree char *aside = rig_path(rig, "store/before-restore-x");

	make_pending(rig);
	swap_file(rig);
	assert_int_equal(g_rmdir(aside), 0);
	ctl_versions_restore_recover(rig->store);
	rig_assert_chosen(rig, 2, "second");
	assert_true(rig_has(rig, "store/before-restore-x/catalogues/000001"));
	assert_tidy(rig);
}

/* No descriptor is left, as one of many things that can be in the way for a while. */
static void while_the_journal_cannot_be_read_they_wait(void **state)
{
	struct rig *rig = *state;
	struct rlimit few, before;
	struct dp_err err = {""};
	int r;

	make_pending(rig);
	swap_file(rig);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = ctl_versions_restore_finish(rig->store, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_non_null(strstr(err.text, "catalogues.restore': Too many open files"));
	ctl_versions_restore_recover(rig->store);
	rig_assert_chosen(rig, 2, "second");
}

static void a_journal_that_is_none_decides_nothing(void **state)
{
	static const char *const texts[] = {"", "\n", "1\n", "x before-restore-x\n",
		"%llu before-restore-x", "%llu before-restore-../..\n", "%llu elsewhere\n",
		"%llu /before-restore-x\n"};
	struct rig *rig = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *next = rig_path(rig, "store/catalogues.next");
		g_auto(GStrv) parts = g_strsplit(texts[i], "%llu", 2);
		g_autofree char *inode = NULL, *text = NULL;

		rig_put(rig, "store/wirecue.mdb", "new");
		rig_put(rig, "store/writer.lock", "");
		assert_int_equal(g_mkdir(next, 0700), 0);
		inode = g_strdup_printf(
			"%llu", (unsigned long long)inode_of(rig, "store/wirecue.mdb"));
		text = g_strjoinv(inode, parts);
		rig_put(rig, "store/catalogues.restore", text);
		ctl_versions_restore_recover(rig->store);
		assert_tidy(rig);
		assert_false(rig_has(rig, "store/catalogues"));
	}
}

static void who_is_not_the_writer_changes_nothing(void **state)
{
	struct rig *rig = *state;
	g_autofree char *writer = rig_path(rig, "store/writer.lock");
	int fd;

	make_pending(rig);
	swap_file(rig);
	fd = open(writer, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	ctl_versions_restore_recover(rig->store);
	assert_true(rig_has(rig, "store/catalogues.next"));
	rig_assert_chosen(rig, 1, "first");
	(void)close(fd);
	ctl_versions_restore_recover(rig->store);
	rig_assert_chosen(rig, 2, "second");
}

int main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		WITH_RIG(what_comes_back_is_what_was_there),
		WITH_RIG(a_bundle_under_commits_is_of_one_moment),
		WITH_RIG(every_truncation_and_every_flipped_bit_is_refused),
		WITH_RIG(a_disk_that_fails_is_no_damage),
		cmocka_unit_test(a_right_checksum_does_not_make_a_name_good),
		cmocka_unit_test(nor_an_order_a_size_or_a_history),
		cmocka_unit_test(what_follows_the_end_is_refused),
		WITH_RIG(a_damaged_copy_is_left_out_and_told),
		WITH_RIG(without_a_history_that_can_be_read_there_is_nothing),
		WITH_RIG(a_store_without_versions_has_a_bundle_without),
		WITH_RIG(before_the_file_is_swapped_the_old_versions_stay),
		WITH_RIG(behind_it_the_new_ones_come_whatever_step_was_last),
		cmocka_unit_test_setup_teardown(behind_it_the_new_ones_come_whatever_step_was_last,
			setup_moved, rig_teardown),
		WITH_RIG(they_come_though_the_folder_for_the_old_ones_is_gone),
		WITH_RIG(while_the_journal_cannot_be_read_they_wait),
		WITH_RIG(a_journal_that_is_none_decides_nothing),
		WITH_RIG(who_is_not_the_writer_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
