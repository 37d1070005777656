// SPDX-License-Identifier: BSD-3-Clause
#include "control/loader.h"

#include <errno.h>
#include <event2/event.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NICENESS = 10 }; // the control loop goes first where both want the CPU: start value

struct ctl_loader {
	void (*done)(void *ctx);
	void *done_ctx;
	int fd; // eventfd: the job is done
	struct event *event;
	pthread_t thread;
	bool is_busy; // from start to done, control thread's
	bool is_stuck; // its thread was left alone
	void (*job)(void *ctx);
	void *job_ctx;
};

static void *run(void *arg)
{
	static const uint64_t one = 1;
	struct ctl_loader *loader = arg;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); // works at the usual one, too
	loader->job(loader->job_ctx);
	(void)!write(loader->fd, &one, sizeof(one)); // cannot fail: the counter is 0
	return NULL;
}

static void on_done(evutil_socket_t, short, void *arg)
{
	struct ctl_loader *loader = arg;
	uint64_t n;

	if (read(loader->fd, &n, sizeof(n)) != sizeof(n))
		return; // woken without a reason
	(void)pthread_join(loader->thread, NULL); // has written its last word
	loader->is_busy = false;
	loader->done(loader->done_ctx);
}

int ctl_loader_new(struct event_base *base, void (*done)(void *ctx), void *ctx,
	struct ctl_loader **ret_loader, struct dp_err *reterr)
{
	struct ctl_loader *loader = g_new0(struct ctl_loader, 1);

	loader->done = done;
	loader->done_ctx = ctx;
	loader->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loader->fd >= 0)
		loader->event = event_new(base, loader->fd, EV_READ | EV_PERSIST, on_done, loader);
	if (loader->event == NULL || event_add(loader->event, NULL) != 0) {
		ctl_loader_free(loader);
		return dp_fail(reterr, ENOMEM, "cannot set up the thread that reads files: %m");
	}
	*ret_loader = loader;
	return 0;
}

bool ctl_loader_stop(struct ctl_loader *loader, unsigned int patience_ms)
{
	struct timespec until;

	if (loader == NULL || !loader->is_busy)
		return true;
	if (loader->is_stuck)
		return false;
	(void)clock_gettime(CLOCK_MONOTONIC, &until); // cannot fail with this clock
	until.tv_sec += patience_ms / 1000;
	until.tv_nsec += (long)(patience_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (pthread_clockjoin_np(loader->thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
		loader->is_stuck = true;
		(void)pthread_detach(loader->thread); // nobody will ask for it again
		(void)event_del(loader->event);
		return false;
	}
	loader->is_busy = false;
	return true;
}

void ctl_loader_free(struct ctl_loader *loader)
{
	if (loader == NULL || loader->is_stuck)
		return;
	if (loader->is_busy)
		(void)pthread_join(loader->thread, NULL);
	if (loader->event != NULL)
		event_free(loader->event);
	if (loader->fd >= 0)
		(void)close(loader->fd); // nobody writes any more
	g_free(loader);
}

int ctl_loader_start(
	struct ctl_loader *loader, void (*job)(void *ctx), void *ctx, struct dp_err *reterr)
{
	sigset_t all, before;
	int r;

	if (loader->is_busy)
		return dp_fail(reterr, EBUSY, "another catalogue or configuration is being read");
	loader->job = job;
	loader->job_ctx = ctx;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the main thread
	r = pthread_create(&loader->thread, NULL, run, loader);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return dp_fail(reterr, r, "cannot start the thread that reads files: %m");
	loader->is_busy = true;
	return 0;
}

bool ctl_loader_is_busy(const struct ctl_loader *loader)
{
	return loader->is_busy;
}
