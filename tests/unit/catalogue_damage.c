// SPDX-License-Identifier: BSD-3-Clause
/* Versions of the catalogue on a disk that lies, that is full, and with the process killed at each of
 * its steps (the linker gives us what it calls: tests/unit/meson.build). */
#include "tests/unit/versions_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the disk's steps ----------------------------------------------------------------------- */

static struct {
	int left; // steps until something happens; 0: nothing does
	bool is_kill; // else ENOSPC
	bool is_once; // at that step alone; else from there on
	bool has_happened;
} trap;

static bool falls(void)
{
	if (trap.left == 0 || (!trap.has_happened && --trap.left > 0))
		return false;
	trap.left = trap.is_once ? 0 : 1;
	trap.has_happened = true;
	if (trap.is_kill)
		(void)raise(SIGKILL);
	errno = ENOSPC;
	return true;
}

#define STEP(type, name, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		return falls() ? -1 : __real_##name arguments; \
	}
STEP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
STEP(int, fsync, (int fd), (fd))
STEP(int, rename, (const char *a, const char *b), (a, b))
STEP(int, link, (const char *a, const char *b), (a, b))
STEP(int, unlink, (const char *a), (a))
STEP(int, mkdir, (const char *a, mode_t m), (a, m))

/* --- damage -------------------------------------------------------------------------------------- */

static void cut_history(const struct rig *rig)
{
	g_autofree char *path = rig_path(rig, "store/catalogues/history");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 5), 0);
}

static void link_history(const struct rig *rig)
{
	g_autofree char *moved = rig_path(rig, "elsewhere");
	g_autofree char *path = rig_path(rig, "store/catalogues/history");

	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(symlink(moved, path), 0);
}

static void history_is_a_folder(const struct rig *rig)
{
	g_autofree char *path = rig_path(rig, "store/catalogues/history");

	rig_replace(rig, "store/catalogues/history", NULL);
	assert_int_equal(g_mkdir(path, 0700), 0);
}

static void history_is_a_pipe(const struct rig *rig)
{
	g_autofree char *path = rig_path(rig, "store/catalogues/history");

	rig_replace(rig, "store/catalogues/history", NULL);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void history_is_huge(const struct rig *rig)
{
	g_autofree char *path = rig_path(rig, "store/catalogues/history");

	assert_int_equal(truncate(path, 1LL << 40), 0);
}

static void copy_is_missing(const struct rig *rig)
{
	rig_replace(rig, "store/catalogues/000002", NULL);
}

static void copy_is_a_link(const struct rig *rig)
{
	g_autofree char *work = rig_path(rig, "work");

	rig_replace(rig, "store/catalogues/000002", work); // with the same file in it
}

static void file_is_a_link(const struct rig *rig)
{
	g_autofree char *work = rig_path(rig, "work/mine.yaml");

	rig_replace(rig, "store/catalogues/000002/mine.yaml", work);
}

static void file_is_another(const struct rig *rig)
{
	rig_put(rig, "store/catalogues/000002/mine.yaml", "secone");
}

static void damage_never_keeps_it_from_starting(void **state)
{
	static void (*const damages[])(const struct rig *) = {cut_history, link_history,
		history_is_a_folder, history_is_a_pipe, history_is_huge, copy_is_missing,
		copy_is_a_link, file_is_a_link, file_is_another};
	struct rig *rig = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
		struct ctl_versions_choice choice;
		g_autofree char *before = NULL;

		rig_shut(rig);
		rig_replace(rig, "store/catalogues", NULL);
		(void)rig_begin(rig);
		assert_int_equal(rig_commit(rig, "second"), 2);
		rig_shut(rig);
		damages[i](rig);
		choice = rig_begin(rig); // fails the test when it cannot
		assert_int_equal(choice.version, 0);
		assert_true(choice.damage.text[0] != '\0');
		assert_true(ctl_versions_in_force(rig->versions) > 0);
		rig_shut(rig);
		// From then on all is well again.
		assert_int_equal(rig_begin(rig).damage.text[0], '\0');
		assert_true(rig_chosen(rig, &before) > 1);
		assert_string_equal(before, "first");
	}
}

static void a_folder_that_is_a_link_is_not_used(void **state)
{
	struct rig *rig = *state;
	g_autofree char *folder = ctl_versions_folder(rig->store);
	struct ctl_versions_choice choice;
	struct dp_err err;

	(void)rig_begin(rig);
	(void)rig_commit(rig, "second");
	rig_shut(rig);
	{
		g_autofree char *moved = rig_path(rig, "moved");

		assert_int_equal(rename(folder, moved), 0);
		assert_int_equal(symlink(moved, folder), 0);
	}
	ctl_versions_choose(folder, rig->configured, &choice);
	assert_int_equal(choice.version, 0);
	assert_true(choice.damage.text[0] != '\0');
	ctl_versions_choice_fini(&choice);
	assert_int_equal(ctl_versions_open(rig->store, &rig->versions, &err), -ENOTDIR);
}

static void what_is_left_over_is_removed(void **state)
{
	struct rig *rig = *state;

	rig_put(rig, "store/catalogues/staging/half.yaml", "ha");
	rig_put(rig, "store/catalogues/staged/old.yaml", "old");
	rig_put(rig, "store/catalogues/history.new", "{");
	(void)rig_begin(rig);
	assert_false(rig_has(rig, "store/catalogues/staging"));
	assert_false(rig_has(rig, "store/catalogues/staged"));
	assert_false(rig_has(rig, "store/catalogues/history.new"));
}

/* --- at each step ---------------------------------------------------------------------------------- */

static int change(struct rig *rig, bool is_commit)
{
	struct dp_err err;
	uint32_t version;
	int r;

	if (!is_commit)
		return ctl_versions_roll_back(rig->versions, 1, "tester", "", &err);
	r = rig_stage(rig, "work/mine.yaml", &err);
	return r < 0 ? r : ctl_versions_commit(rig->versions, "tester", "", &version, &err);
}

/* Returns whether the child was killed; else it had fewer steps. */
static bool is_killed_at(struct rig *rig, int step, bool is_commit)
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		trap.is_kill = true;
		trap.left = step;
		_exit(change(rig, is_commit) < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return true;
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static void kill_at_each_step(struct rig *rig, bool is_commit, uint32_t after, const char *text)
{
	bool is_going = true, was_old = false, was_new = false;

	for (int step = 1; is_going; step++) {
		g_autofree char *found = NULL;
		uint32_t version;

		rig_shut(rig);
		rig_replace(rig, "store/catalogues", NULL);
		(void)rig_begin(rig);
		assert_int_equal(rig_commit(rig, "second"), 2);
		rig_put(rig, "work/mine.yaml", "third");
		is_going = is_killed_at(rig, step, is_commit);
		rig_shut(rig);
		version = rig_chosen(rig, &found);
		assert_true(version == 2 || version == after);
		assert_string_equal(found, version == 2 ? "second" : text);
		was_old = was_old || (is_going && version == 2);
		was_new = was_new || (is_going && version == after);
		// And it can go on from there.
		assert_int_equal(rig_begin(rig).version, version);
		assert_true(rig_commit(rig, "more") > version);
	}
	assert_true(was_old && was_new); // it was killed on either side of the one step that counts
}

static void killed_at_any_step_of_a_commit_the_old_is_in_force_or_the_new(void **state)
{
	kill_at_each_step(*state, true, 3, "third");
}

static void killed_at_any_step_of_a_rollback_the_old_is_in_force_or_the_new(void **state)
{
	kill_at_each_step(*state, false, 1, "first");
}

/* The disk is full at each step, or from it on. */
static void fail_at_each_step(struct rig *rig, bool is_commit, bool is_once, uint32_t after)
{
	bool is_going = true;
	int n_failed = 0;

	for (int step = 1; is_going; step++) {
		g_autofree char *found = NULL;
		uint32_t kept;
		int r;

		rig_shut(rig);
		rig_replace(rig, "store/catalogues", NULL);
		(void)rig_begin(rig);
		assert_int_equal(rig_commit(rig, "second"), 2);
		rig_put(rig, "work/mine.yaml", "third");
		trap.is_kill = false;
		trap.is_once = is_once;
		trap.has_happened = false;
		trap.left = step;
		r = change(rig, is_commit);
		is_going = trap.has_happened;
		trap.left = 0;
		// What cannot be tidied up is no failure.
		assert_true(r == -ENOSPC || r == 0);
		n_failed += r < 0;
		assert_int_equal(ctl_versions_in_force(rig->versions), r < 0 ? 2 : after);
		kept = rig_chosen(rig, &found);
		// Where every step fails from there on, even what was done cannot be taken back.
		assert_true(kept == (r < 0 ? 2 : after) || (r < 0 && !is_once && kept == after));
		assert_int_equal(change(rig, is_commit), 0); // there is room again
		rig_shut(rig);
	}
	assert_true(n_failed > 3);
}

static void on_a_full_disk_nothing_changes(void **state)
{
	fail_at_each_step(*state, true, false, 3);
	fail_at_each_step(*state, true, true, 3);
	fail_at_each_step(*state, false, false, 1);
	fail_at_each_step(*state, false, true, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(damage_never_keeps_it_from_starting),
		TEST(a_folder_that_is_a_link_is_not_used),
		TEST(what_is_left_over_is_removed),
		TEST(killed_at_any_step_of_a_commit_the_old_is_in_force_or_the_new),
		TEST(killed_at_any_step_of_a_rollback_the_old_is_in_force_or_the_new),
		TEST(on_a_full_disk_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
