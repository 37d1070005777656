// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/thread.h"

#include "dataplane/idle.h"

/* A receiver of this thread waits: the worker's rounds are stretches of their own, the wait is none. */
static void work_meanwhile(void *ctx, struct dp_idle *idle)
{
	struct dp_thread *t = ctx;

	dp_stretch_end(&t->stretch);
	if (dp_worker_round(t->worker)) {
		dp_stretch_end(&t->stretch);
		dp_idle_over(idle);
		return;
	}
	dp_idle_wait(idle, t->sleep_ns);
	dp_stretch_begin(&t->stretch, t->sleep_ns != 0);
}

/* One look at every source. *n_left: those that go on. */
static bool receive(struct dp_thread *t, uint16_t *n_left)
{
	bool is_busy = false;
	uint16_t n = 0;

	for (uint16_t i = 0; i < *n_left; i++) {
		const enum dp_step step = dp_receiver_step(t->receivers[i], t->end);

		is_busy |= step != DP_STEP_IDLE;
		if (step != DP_STEP_ENDED)
			t->receivers[n++] = t->receivers[i];
	}
	*n_left = n;
	return is_busy;
}

static bool is_over(const struct dp_thread *t, uint16_t n_left)
{
	return n_left == 0 &&
		(t->worker == NULL || atomic_load_explicit(t->stop, memory_order_relaxed));
}

static struct dp_stretch_counters *counters_of(struct dp_thread *t)
{
	return t->worker != NULL ? dp_worker_stretches(t->worker)
				 : &t->receivers[0]->counters.stretches;
}

void dp_thread_run(struct dp_thread *t)
{
	uint16_t n_left = t->n_receivers;
	struct dp_idle idle = {0};

	for (uint16_t i = 0; t->worker != NULL && i < n_left; i++)
		t->receivers[i]->wait = (struct dp_receiver_wait){work_meanwhile, t};
	dp_stretch_init(&t->stretch, counters_of(t));
	while (!is_over(t, n_left)) {
		bool is_busy = receive(t, &n_left);

		if (t->worker != NULL)
			is_busy |= dp_worker_round(t->worker);
		if (is_busy) {
			dp_stretch_end(&t->stretch);
			dp_idle_over(&idle);
			continue;
		}
		dp_idle_wait(&idle, t->sleep_ns);
		dp_stretch_begin(&t->stretch, t->sleep_ns != 0);
	}
}
