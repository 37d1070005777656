// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_guard.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int succeeds(void *ctx, struct dp_err *)
{
	*(pid_t *)ctx = getpid();
	return 0;
}

static void a_job_runs_elsewhere_and_writes_shared_memory(void **)
{
	pid_t *pid = ctl_store_share(sizeof(*pid));
	struct dp_err err = {.text = "untouched"};

	assert_non_null(pid);
	assert_int_equal(ctl_store_guard(succeeds, pid, "it", 0, &err), 0);
	assert_int_not_equal(*pid, 0);
	assert_int_not_equal(*pid, getpid());
	assert_string_equal(err.text, "untouched");
	ctl_store_unshare(pid, sizeof(*pid));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // nothing is left behind
}

static int fails(void *, struct dp_err *reterr)
{
	return dp_fail(reterr, ENOENT, "there is no such thing");
}

static void its_sentence_comes_back(void **)
{
	struct dp_err err;

	assert_int_equal(ctl_store_guard(fails, NULL, "it", 0, &err), -ENOENT);
	assert_string_equal(err.text, "there is no such thing");
}

static int gets_signal(void *ctx, struct dp_err *)
{
	(void)raise(*(const int *)ctx);
	return 0;
}

static void a_fatal_signal_is_a_sentence(void **)
{
	static const struct {
		int signal, r;
		const char *text;
	} cases[] = {
		{SIGBUS, -EBADMSG, "missing"},
		{SIGSEGV, -EBADMSG, "contradict"},
		{SIGABRT, -EBADMSG, "contradict"},
		{SIGFPE, -EBADMSG, "contradict"},
		{SIGKILL, -ENOMEM, "from outside"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int signal_no = cases[i].signal;
		struct dp_err err;

		assert_int_equal(
			ctl_store_guard(gets_signal, &signal_no, "it", 0, &err), cases[i].r);
		assert_non_null(strstr(err.text, cases[i].text));
	}
}

static int reads_behind_the_end(void *ctx, struct dp_err *)
{
	return *(volatile const char *)ctx;
}

static void a_map_behind_the_end_of_its_file_is_a_sentence(void **)
{
	char path[] = "/tmp/store_guard.XXXXXX";
	const int fd = mkstemp(path);
	struct dp_err err;
	void *map;

	assert_true(fd >= 0);
	(void)unlink(path);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(ctl_store_guard(reads_behind_the_end, map, "it", 0, &err), -EBADMSG);
	(void)munmap(map, 4096);
	(void)close(fd);
}

static int never_ends(void *, struct dp_err *)
{
	while (pause() < 0)
		continue;
	return 0;
}

static void time_is_bounded(void **)
{
	struct dp_err err;

	assert_int_equal(ctl_store_guard(never_ends, NULL, "it", 1, &err), -ETIME);
	assert_non_null(strstr(err.text, "'it' was given up after 1 s"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int interrupts_us(void *ctx, struct dp_err *reterr)
{
	(void)kill(getppid(), *(const int *)ctx);
	return never_ends(NULL, reterr);
}

static void who_is_told_to_stop_gets_to_tidy_up(void **)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int signal_no = signals[i];
		struct dp_err err;

		(void)signal(signal_no, SIG_DFL); // nohup starts us with one ignored
		assert_int_equal(ctl_store_guard(interrupts_us, &signal_no, "it", 0, &err), -EINTR);
		assert_string_equal(err.text, "interrupted");
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static int hangs_up(void *, struct dp_err *)
{
	(void)kill(getppid(), SIGHUP);
	return 0;
}

static void a_signal_that_is_ignored_stays_so(void **)
{
	struct dp_err err;

	(void)signal(SIGHUP, SIG_IGN); // as nohup(1) does
	assert_int_equal(ctl_store_guard(hangs_up, NULL, "it", 0, &err), 0);
	(void)signal(SIGHUP, SIG_DFL);
}

static void between_two_jobs_a_signal_waits_for_the_next(void **)
{
	sigset_t old;
	struct dp_err err;

	ctl_store_put_off_signals(&old);
	(void)raise(SIGTERM);
	assert_int_equal(ctl_store_guard(never_ends, NULL, "it", 0, &err), -EINTR);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_runs_elsewhere_and_writes_shared_memory),
		cmocka_unit_test(its_sentence_comes_back),
		cmocka_unit_test(a_fatal_signal_is_a_sentence),
		cmocka_unit_test(a_map_behind_the_end_of_its_file_is_a_sentence),
		cmocka_unit_test(time_is_bounded),
		cmocka_unit_test(who_is_told_to_stop_gets_to_tidy_up),
		cmocka_unit_test(a_signal_that_is_ignored_stays_so),
		cmocka_unit_test(between_two_jobs_a_signal_waits_for_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
