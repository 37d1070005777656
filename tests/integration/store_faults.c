// SPDX-License-Identifier: BSD-3-Clause
/* A disk that refuses a write or a sync, at every place of a commit: the store says that it fails,
 * and when the disk is well again all of it is there, once.
 *
 * The edge that is replaced is the system call: the functions below are found before libc's. */
#include "tests/lib/store_rig.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

enum { NEVER = -1 };

/* Calls on the file of the store are counted down; those from zero on fail, n_bad of them. */
static _Atomic int n_good = NEVER, n_bad, n_failed;
static _Atomic bool does_it_anyway; // the first that fails has written all the same

static bool is_to_fail(bool *ret_does)
{
	int n = atomic_load(&n_good);

	if (n == NEVER)
		return false;
	if (n > 0) {
		atomic_fetch_sub(&n_good, 1);
		return false;
	}
	if (atomic_fetch_sub(&n_bad, 1) <= 0) {
		atomic_store(&n_good, NEVER);
		return false;
	}
	*ret_does = atomic_load(&does_it_anyway) && atomic_load(&n_failed) == 0;
	atomic_fetch_add(&n_failed, 1);
	return true;
}

ssize_t faulty_pwrite(int fd, const void *data, size_t len, off_t off) __asm__("pwrite");
ssize_t faulty_writev(int fd, const struct iovec *iov, int n) __asm__("writev");
int faulty_fdatasync(int fd) __asm__("fdatasync");
int faulty_fsync(int fd) __asm__("fsync");

ssize_t faulty_pwrite(int fd, const void *data, size_t len, off_t off)
{
	ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
	bool does = true;

	if (!is_to_fail(&does))
		return real(fd, data, len, off);
	if (does)
		(void)!real(fd, data, len, off);
	errno = EIO;
	return -1;
}

ssize_t faulty_writev(int fd, const struct iovec *iov, int n)
{
	ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
	bool does = true;

	if (!is_to_fail(&does))
		return real(fd, iov, n);
	if (does)
		(void)!real(fd, iov, n);
	errno = EIO;
	return -1;
}

static int sync_or_fail(int fd, const char *name)
{
	int (*real)(int) = dlsym(RTLD_NEXT, name);
	bool does;

	if (!is_to_fail(&does))
		return real(fd);
	errno = EIO;
	return -1;
}

int faulty_fdatasync(int fd)
{
	return sync_or_fail(fd, "fdatasync");
}

int faulty_fsync(int fd)
{
	return sync_or_fail(fd, "fsync");
}

/* One life: some ticks, a disk that fails from the good-th call on, more ticks. Returns whether it
 * came to that. */
static bool live(int good, int bad, bool anyway)
{
	struct rig rig;
	uint64_t n = 0;
	bool has_failed;

	rig_init(&rig);
	rig_open(&rig);
	for (unsigned i = 0; i < 30; i++) {
		struct ctl_batch *batch = rig_batch(&rig);

		rig_numbered(&rig, batch, ++n);
		rig_give(&rig, batch);
		if (i == 20) {
			rig_flush(&rig);
			atomic_store(&n_failed, 0);
			atomic_store(&does_it_anyway, anyway);
			atomic_store(&n_bad, bad);
			atomic_store(&n_good, good);
		}
		if (i == 21) // a commit of its own, so that places are the same each time
			rig_flush(&rig);
	}
	rig_flush(&rig);
	has_failed = atomic_load(&n_failed) > 0;
	atomic_store(&n_good, NEVER);
	assert_int_equal(rig_logged(&rig, "store_failing", "doing="), has_failed);
	assert_int_equal(rig_logged(&rig, "store_recovered", ""), has_failed);
	rig_compare(&rig);
	rig_close(&rig);
	rig_open(&rig); // looks at every page
	assert_false(ctl_store_is_new(rig.store));
	assert_int_equal(rig_number(&rig), n);
	rig_compare(&rig);
	rig_fini(&rig);
	return has_failed;
}

static void at_every_place(int bad, bool anyway)
{
	int n_places = 0;

	while (n_places < 40 && live(n_places, bad, anyway))
		n_places++;
	print_message("%d places\n", n_places);
	assert_true(n_places >= 4); // pages, sync, head
}

static void one_call_that_fails_anywhere_in_a_commit_costs_nothing(void **)
{
	at_every_place(1, false);
}

static void nor_do_three_in_a_row(void **)
{
	at_every_place(3, false);
}

static void nor_does_one_that_did_it_and_says_it_failed(void **)
{
	at_every_place(2, true); // 2: it cannot be taken back either
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_call_that_fails_anywhere_in_a_commit_costs_nothing),
		cmocka_unit_test(nor_do_three_in_a_row),
		cmocka_unit_test(nor_does_one_that_did_it_and_says_it_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
