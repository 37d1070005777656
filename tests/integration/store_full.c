// SPDX-License-Identifier: BSD-3-Clause
/* No room: on the disk, in the file. The store says so, takes no more, and goes on without loss as
 * soon as there is some. */
#include "tests/lib/store_rig.h"

#include "control/store_format.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { BALLAST = 3 << 20 };

static bool has_namespace;

/* A disk of 6 MB, half of it taken by a file. */
static char *mount_disk(struct rig *rig)
{
	char *ballast = g_build_filename(rig->dir, "ballast", NULL);
	int fd;

	assert_int_equal(mount("none", rig->dir, "tmpfs", 0, "size=6m"), 0);
	fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, BALLAST), 0);
	(void)close(fd);
	return ballast;
}

static void unmount_disk(struct rig *rig)
{
	rig_close(rig);
	assert_int_equal(umount2(rig->dir, MNT_DETACH), 0);
}

static bool is_failing(struct rig *rig, const char *cause)
{
	struct ctl_store_stats stats;

	ctl_store_stats(rig->store, &stats);
	return stats.failing_since_ns != 0 && strstr(stats.cause, cause) != NULL;
}

/* Give ticks until it has no room for more. */
static void give_until_full(struct rig *rig, uint64_t *n)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < 60000; i++) {
		struct ctl_store_stats stats;

		ctl_store_stats(rig->store, &stats);
		if (stats.failing_since_ns != 0 && !ctl_store_has_room(rig->store))
			return;
		if (ctl_store_has_room(rig->store)) {
			struct ctl_batch *batch = rig_batch(rig);

			rig_put_made(rig, batch, CTL_TABLE_TAGS, *n, *n, 10000);
			rig_numbered(rig, batch, ++*n);
			rig_give(rig, batch);
		} else {
			(void)nanosleep(&moment, NULL);
		}
	}
	fail_msg("it took everything");
}

static void a_full_disk_is_told_and_nothing_is_lost_when_there_is_room_again(void **)
{
	g_autofree char *ballast = NULL;
	struct rig rig;
	uint64_t n = 0;

	if (!has_namespace)
		skip();
	rig_init(&rig);
	ballast = mount_disk(&rig);
	rig.config.backlog_max = 20;
	rig_open(&rig);
	give_until_full(&rig, &n);
	assert_true(is_failing(&rig, "No space left"));
	assert_true(ctl_store_committed(rig.store) < rig.serial);
	rig_wait_logged(&rig, "store_failing", "make room on the disk");
	assert_false(rig_logged(&rig, "store_recovered", ""));
	assert_int_equal(unlink(ballast), 0);
	rig_flush(&rig);
	assert_true(ctl_store_has_room(rig.store));
	assert_false(is_failing(&rig, ""));
	assert_true(rig_logged(&rig, "store_recovered", "failed_ms="));
	rig_compare(&rig);
	rig_close(&rig);
	rig_open(&rig);
	assert_false(ctl_store_is_new(rig.store));
	rig_compare(&rig);
	unmount_disk(&rig);
	rig_fini(&rig);
}

static void fill_disk(struct rig *rig)
{
	g_autofree char *name = g_build_filename(rig->dir, "filler", NULL);
	static const char zeros[4096];
	const int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	(void)close(fd);
}

static void a_full_disk_at_the_start_is_one_sentence_and_costs_nothing(void **)
{
	g_autofree char *ballast = NULL, *file = NULL, *lock = NULL;
	struct ctl_batch *batch;
	struct rig rig;

	if (!has_namespace)
		skip();
	rig_init(&rig);
	ballast = mount_disk(&rig);
	file = g_build_filename(rig.path, CTL_STORE_FILE, NULL);
	lock = g_strconcat(file, "-lock", NULL);
	fill_disk(&rig);
	rig_refuses(&rig, -ENOSPC, "No space left");
	assert_int_equal(unlink(ballast), 0);
	rig_open(&rig);
	batch = rig_batch(&rig);
	rig_numbered(&rig, batch, 1);
	rig_give(&rig, batch);
	rig_flush(&rig);
	rig_close(&rig);
	fill_disk(&rig);
	assert_int_equal(unlink(lock), 0);
	fill_disk(&rig); // what the lock file had
	rig_refuses(&rig, -ENOSPC, "No space left");
	assert_int_equal(access(file, F_OK), 0); // not set aside
	unmount_disk(&rig);
	rig_fini(&rig);
}

static void a_full_file_keeps_what_is_committed_and_takes_more_when_it_may_grow(void **)
{
	uint64_t n = 0, committed;
	struct rig rig;

	rig_init(&rig);
	rig.config.size_max = 1 << 20;
	rig.config.backlog_max = 4;
	rig_open(&rig);
	give_until_full(&rig, &n);
	assert_true(is_failing(&rig, "store.size"));
	rig_wait_logged(&rig, "store_failing", "raise store.size");
	committed = ctl_store_committed(rig.store);
	rig_close(&rig);
	assert_true(rig_logged(&rig, "store_unfinished", "ticks=4"));

	rig.config.size_max = 1 << 30;
	rig_open(&rig);
	assert_false(ctl_store_is_new(rig.store));
	assert_int_equal(rig_number(&rig), committed);
	n = committed;
	rig_picture(&rig, n);
	for (uint64_t i = 0; i < n; i++)
		g_hash_table_replace(rig.tables[CTL_TABLE_TAGS], g_memdup2(&i, sizeof(i)),
			rig_bytes(i, i, 10000));
	rig_compare(&rig);
	for (unsigned i = 0; i < 100; i++) {
		struct ctl_batch *batch = rig_batch(&rig);

		rig_numbered(&rig, batch, ++n);
		rig_give(&rig, batch);
		rig_flush(&rig);
	}
	rig_compare(&rig);
	rig_fini(&rig);
}

static void a_full_file_goes_on_when_its_size_is_raised(void **)
{
	struct ctl_store_stats stats;
	struct ctl_batch *batch;
	uint64_t n = 0;
	struct rig rig;

	rig_init(&rig);
	rig.config.size_max = 1 << 20;
	rig.config.backlog_max = 4;
	rig_open(&rig);
	give_until_full(&rig, &n);
	assert_true(is_failing(&rig, "store.size"));
	ctl_store_grow(rig.store, 1 << 30);
	rig_flush(&rig);
	rig_wait_logged(&rig, "store_recovered", "");
	ctl_store_stats(rig.store, &stats);
	assert_int_equal(stats.size_max, 1 << 30);
	assert_int_equal(rig_number(&rig), n);
	rig_compare(&rig);
	ctl_store_grow(rig.store, 1 << 20); // less is for the next opening
	batch = rig_batch(&rig);
	rig_numbered(&rig, batch, ++n);
	rig_give(&rig, batch);
	rig_flush(&rig);
	rig_compare(&rig);
	rig_fini(&rig);
}

static void a_file_that_fills_is_told_before_it_is_full(void **)
{
	struct ctl_store_stats stats;
	struct rig rig;

	rig_init(&rig);
	rig.config.size_max = 8 << 20;
	rig_open(&rig);
	do {
		struct ctl_batch *batch = rig_batch(&rig);

		rig_put_made(&rig, batch, CTL_TABLE_JOURNAL, rig.serial, 0, 100000);
		rig_give(&rig, batch);
		rig_flush(&rig);
		ctl_store_stats(rig.store, &stats);
	} while (stats.used_bytes < (7 << 20));
	rig_close(&rig); // the thread has said all it had to say
	assert_true(rig_logged(&rig, "store_filling", "size=8388608"));
	assert_false(rig_logged(&rig, "store_failing", ""));
	rig_fini(&rig);
}

static void without_a_backlog_of_bytes_there_is_no_room(void **)
{
	struct ctl_batch *batch;
	struct rig rig;

	rig_init(&rig);
	rig.config.size_max = 1 << 20;
	rig.config.backlog_bytes_max = 1000000;
	rig_open(&rig);
	batch = rig_batch(&rig);
	rig_put_made(&rig, batch, CTL_TABLE_JOURNAL, 1, 1, 2000000); // more than the file may have
	rig_give(&rig, batch);
	assert_false(ctl_store_has_room(rig.store));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_is_told_and_nothing_is_lost_when_there_is_room_again),
		cmocka_unit_test(a_full_disk_at_the_start_is_one_sentence_and_costs_nothing),
		cmocka_unit_test(
			a_full_file_keeps_what_is_committed_and_takes_more_when_it_may_grow),
		cmocka_unit_test(a_full_file_goes_on_when_its_size_is_raised),
		cmocka_unit_test(a_file_that_fills_is_told_before_it_is_full),
		cmocka_unit_test(without_a_backlog_of_bytes_there_is_no_room),
	};

	has_namespace = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (!has_namespace) {
		puts("SKIP: a disk of a few MB needs root and mount namespaces");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
