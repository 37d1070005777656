// SPDX-License-Identifier: BSD-3-Clause
#include "control/loader.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
	struct event_base *base;
	struct ctl_loader *loader;
	int gate[2]; // a job ends when there is something to read
	pthread_t job_thread, done_thread;
	unsigned n_jobs, n_done;
	atomic_bool has_ended;
	bool hears_signals;
};

static void job(void *ctx)
{
	struct rig *rig = ctx;
	sigset_t masked;
	char c;

	rig->job_thread = pthread_self();
	(void)pthread_sigmask(SIG_SETMASK, NULL, &masked);
	rig->hears_signals = sigismember(&masked, SIGHUP) == 0;
	assert_int_equal(read(rig->gate[0], &c, 1), 1);
	rig->n_jobs++;
	atomic_store(&rig->has_ended, true);
}

static void done(void *ctx)
{
	struct rig *rig = ctx;

	rig->done_thread = pthread_self();
	rig->n_done++;
}

static int setup(void **state)
{
	static struct rig rig;
	struct dp_err err;

	rig = (struct rig){.base = event_base_new()};
	*state = &rig;
	return pipe(rig.gate) < 0 || ctl_loader_new(rig.base, done, &rig, &rig.loader, &err) < 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	ctl_loader_free(rig->loader);
	event_base_free(rig->base);
	return close(rig->gate[0]) | close(rig->gate[1]);
}

static void open_gate(const struct rig *rig)
{
	assert_int_equal(write(rig->gate[1], "", 1), 1);
}

static void run_until(struct rig *rig, unsigned n_done)
{
	while (rig->n_done < n_done)
		assert_int_equal(event_base_loop(rig->base, EVLOOP_ONCE), 0);
}

static void a_job_runs_elsewhere_and_its_end_is_told_here(void **state)
{
	struct rig *rig = *state;
	struct dp_err err;

	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(ctl_loader_start(rig->loader, job, rig, &err), 0);
		assert_true(ctl_loader_is_busy(rig->loader));
		open_gate(rig);
		run_until(rig, i);
		assert_false(ctl_loader_is_busy(rig->loader));
		assert_int_equal(rig->n_jobs, i);
		assert_false(pthread_equal(rig->job_thread, pthread_self()));
		assert_true(pthread_equal(rig->done_thread, pthread_self()));
		assert_false(rig->hears_signals);
	}
}

static void count(evutil_socket_t, short, void *ctx)
{
	unsigned *n = ctx;

	++*n;
}

static void the_loop_goes_on_meanwhile_and_a_second_job_is_refused(void **state)
{
	const struct timeval at_once = {0};
	struct rig *rig = *state;
	struct dp_err err = {""};
	unsigned n_turns = 0;

	assert_int_equal(ctl_loader_start(rig->loader, job, rig, &err), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(
			event_base_once(rig->base, -1, EV_TIMEOUT, count, &n_turns, &at_once), 0);
		assert_int_equal(event_base_loop(rig->base, EVLOOP_ONCE), 0);
		assert_int_equal(ctl_loader_start(rig->loader, job, rig, &err), -EBUSY);
	}
	assert_int_equal(n_turns, 5);
	assert_int_equal(rig->n_done, 0);
	open_gate(rig);
	run_until(rig, 1);
	assert_int_equal(rig->n_jobs, 1);
}

static void an_end_in_between_waits_for_the_job_and_tells_nobody(void **state)
{
	struct rig *rig = *state;
	struct dp_err err;

	assert_int_equal(ctl_loader_start(rig->loader, job, rig, &err), 0);
	open_gate(rig);
	ctl_loader_free(rig->loader);
	rig->loader = NULL;
	assert_int_equal(rig->n_jobs, 1);
	assert_int_equal(rig->n_done, 0);
}

/* As a file of a server that is away: it is left alone, and nothing that it has is freed. */
static void a_job_that_does_not_end_is_not_waited_for_for_ever(void **state)
{
	static struct ctl_loader *stuck; // to the process's end
	struct rig *rig = *state;
	struct dp_err err;

	stuck = rig->loader;
	assert_int_equal(ctl_loader_start(stuck, job, rig, &err), 0);
	assert_false(ctl_loader_stop(stuck, 1));
	assert_false(ctl_loader_stop(stuck, 0)); // at once
	ctl_loader_free(stuck); // stays: its thread still reads it
	open_gate(rig);
	while (!atomic_load(&rig->has_ended))
		sched_yield();
	rig->loader = NULL;
	assert_int_equal(rig->n_done, 0);
}

static void a_job_that_ends_in_time_was_waited_for(void **state)
{
	struct rig *rig = *state;
	struct dp_err err;

	assert_true(ctl_loader_stop(NULL, 0));
	assert_true(ctl_loader_stop(rig->loader, 0)); // nothing runs
	assert_int_equal(ctl_loader_start(rig->loader, job, rig, &err), 0);
	open_gate(rig);
	assert_true(ctl_loader_stop(rig->loader, 60000));
	assert_int_equal(rig->n_jobs, 1);
	assert_int_equal(event_base_loop(rig->base, EVLOOP_NONBLOCK), 0);
	assert_false(ctl_loader_is_busy(rig->loader));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_job_runs_elsewhere_and_its_end_is_told_here),
		TEST(the_loop_goes_on_meanwhile_and_a_second_job_is_refused),
		TEST(an_end_in_between_waits_for_the_job_and_tells_nobody),
		TEST(a_job_that_does_not_end_is_not_waited_for_for_ever),
		TEST(a_job_that_ends_in_time_was_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
