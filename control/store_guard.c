// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What becomes of the child. In shared memory. */
struct outcome {
	int r;
	bool is_complete; // fn has returned
	struct dp_err err;
};

void *ctl_store_share(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

void ctl_store_unshare(void *shared, size_t size)
{
	if (shared != NULL)
		(void)munmap(shared, size); // ours: cannot fail
}

/* Never returns. The default actions, whatever a sanitizer or our caller has made of them. */
[[gnu::noreturn]] static void work(ctl_store_job_fn *fn, void *ctx, struct outcome *outcome)
{
	static const int restored[] = {
		SIGINT, SIGTERM, SIGHUP, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); // never outlives who waits for it
	for (size_t i = 0; i < sizeof(restored) / sizeof(restored[0]); i++)
		(void)signal(restored[i], SIG_DFL);
	(void)signal(SIGXFSZ, SIG_IGN); // a limit of file sizes is an error of write(2)
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	outcome->r = fn(ctx, &outcome->err);
	if ((fflush(stdout) != 0 || ferror(stdout)) && outcome->r == 0)
		outcome->r = dp_fail(&outcome->err, errno, "cannot write the answer: %m");
	outcome->is_complete = true;
	_exit(0); // without our parent's exit handlers
}

/* What may end the wait: the child, and whoever wants us to stop (but not what we were told to
 * ignore, as nohup does). */
static sigset_t waited_for(void)
{
	static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		struct sigaction action;

		if (sigaction(stops[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			(void)sigaddset(&set, stops[i]);
	}
	return set;
}

void ctl_store_put_off_signals(sigset_t *ret_old)
{
	const sigset_t set = waited_for();

	(void)sigprocmask(SIG_BLOCK, &set, ret_old);
}

static uint64_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec;
}

/* Until the child has ended, at most longest_s. Returns 0, -EINTR or -ETIME; the child is reaped. */
static int await(pid_t child, const sigset_t *set, unsigned longest_s, int *ret_status)
{
	const uint64_t end_s = now_s() + (longest_s > 0 ? longest_s : UINT32_MAX);
	int r = 0;

	while (r == 0) {
		const uint64_t now = now_s();
		const struct timespec left = {.tv_sec = now < end_s ? (time_t)(end_s - now) : 0};
		int signal_no;

		if (waitpid(child, ret_status, WNOHANG) != 0)
			return 0;
		signal_no = sigtimedwait(set, NULL, &left);
		if (signal_no < 0 && errno == EAGAIN)
			r = -ETIME;
		else if (signal_no > 0 && signal_no != SIGCHLD)
			r = -EINTR;
	}
	(void)kill(child, SIGKILL); // it is ours and not reaped
	(void)waitpid(child, ret_status, 0);
	return r;
}

static int judge(int status, const struct outcome *outcome, const char *what, struct dp_err *reterr)
{
	if (outcome->is_complete) {
		if (outcome->r < 0)
			*reterr = outcome->err;
		return outcome->r;
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return dp_fail(reterr, ENOMEM,
			"reading '%s' was stopped by SIGKILL from outside; is memory short?", what);
	// SIGBUS: the file is shorter than it says. Others: LMDB followed something altered.
	return dp_fail(reterr, EBADMSG, "'%s' is damaged: %s", what,
		WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS
			? "pages are missing or cannot be read"
			: "its pages contradict each other");
}

int ctl_store_guard(ctl_store_job_fn *fn, void *ctx, const char *what, unsigned longest_s,
	struct dp_err *reterr)
{
	struct outcome *outcome = ctl_store_share(sizeof(*outcome));
	const sigset_t set = waited_for();
	struct sigaction old_child;
	const struct sigaction child_default = {.sa_handler = SIG_DFL};
	sigset_t old;
	pid_t child;
	int status = 0, r;

	if (outcome == NULL)
		return dp_fail(reterr, errno, "no memory for a process of its own: %m");
	(void)fflush(stdout); // else both would write what waits in it
	(void)sigaction(SIGCHLD, &child_default, &old_child); // ignored, it would reap by itself
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	child = fork();
	if (child == 0)
		work(fn, ctx, outcome);
	r = child < 0 ? dp_fail(reterr, errno, "cannot make a process of its own: %m")
		      : await(child, &set, longest_s, &status);
	if (child >= 0 && r == 0)
		r = judge(status, outcome, what, reterr);
	else if (r == -EINTR)
		(void)dp_fail(reterr, EINTR, "interrupted");
	else if (r == -ETIME)
		(void)dp_fail(reterr, ETIME,
			"reading '%s' was given up after %u s, so that it does not grow", what,
			longest_s);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)sigaction(SIGCHLD, &old_child, NULL);
	ctl_store_unshare(outcome, sizeof(*outcome));
	return r;
}
