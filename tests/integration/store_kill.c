// SPDX-License-Identifier: BSD-3-Clause
/* A process that writes to a store is killed, 50 times at any moment: what it had been told is
 * committed is there, and of no batch there is a part. */
#include "tests/lib/store_rig.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_KILLS = 50, KILL_MS_MAX = 100 };

/* For ever: the next ticks, as fast as they go; each n that is committed goes into the pipe. */
static _Noreturn void live(struct rig *rig, int told)
{
	uint64_t n, serial_told = 0;

	rig_open(rig);
	n = rig_number(rig);
	for (;;) {
		struct pollfd fd = {.fd = ctl_store_fd(rig->store), .events = POLLIN};
		const uint64_t first = n - rig->serial;
		uint64_t serial;

		while (ctl_store_has_room(rig->store)) {
			struct ctl_batch *batch = rig_batch(rig);

			rig_numbered(rig, batch, ++n);
			rig_give(rig, batch);
		}
		(void)poll(&fd, 1, -1);
		ctl_store_heard(rig->store);
		serial = ctl_store_committed(rig->store);
		if (serial > serial_told) {
			const uint64_t committed = first + serial;

			if (write(told, &committed, sizeof(committed)) != sizeof(committed))
				_exit(1);
			serial_told = serial;
		}
	}
}

/* Killed delay_ms after its begin, or after it has told of a commit. Returns the last n that was
 * told. */
static uint64_t live_and_be_killed(struct rig *rig, int delay_ms, bool after_commit)
{
	const struct timespec delay = {.tv_sec = 0, .tv_nsec = delay_ms * 1000000L};
	uint64_t told = 0, n;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[0]);
		live(rig, ends[1]);
	}
	(void)close(ends[1]);
	if (after_commit)
		assert_int_equal(read(ends[0], &told, sizeof(told)), sizeof(told));
	(void)nanosleep(&delay, NULL); // the moment is what varies here
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(ends[0], &n, sizeof(n)) == sizeof(n))
		told = n;
	(void)close(ends[0]);
	return told;
}

static void what_was_told_is_there_and_batches_are_whole(void **)
{
	GRand *random = g_rand_new_with_seed(4);
	unsigned n_told = 0;
	struct rig rig;
	uint64_t n = 0;

	rig_init(&rig);
	rig.config.backlog_max = 8;
	for (unsigned i = 0; i < N_KILLS; i++) {
		const uint64_t before = n;
		uint64_t told;

		rig_picture(&rig, 0); // the child has no use for it
		told = live_and_be_killed(
			&rig, g_rand_int_range(random, 0, KILL_MS_MAX), i % 2 == 0);
		rig_open(&rig);
		assert_false(rig_logged(&rig, "store_damaged", ""));
		n = rig_number(&rig);
		assert_true(n >= told && n >= before);
		n_told += told > 0;
		rig_picture(&rig, n);
		rig_compare(&rig);
		rig_close(&rig);
	}
	print_message("%llu ticks, %u of %u killed after they had told of a commit\n",
		(unsigned long long)n, n_told, N_KILLS);
	g_rand_free(random);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_told_is_there_and_batches_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
