// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A thread of the packet path that finds nothing to do.
 *
 * On a CPU of its own it waits a moment and looks again. On a shared one it lets the others go first,
 * and soon sleeps: threads that only yield to each other take half of a small machine in system calls,
 * and with Linux 6.18 they have kept all other threads of their CPU from running for minutes. */

#include <rte_pause.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
	DP_IDLE_YIELDS = 64, // before the first sleep: the answer is often on its way; start value
	DP_IDLE_SLEEP_NS =
		50000, // with the kernel's slack twice that: a queue of 4096 takes 40 Mpps so long
};

struct dp_idle {
	uint32_t n; // waits since there was something to do
};

static inline void dp_idle_wait(struct dp_idle *idle, bool yields)
{
	static const struct timespec moment = {.tv_nsec = DP_IDLE_SLEEP_NS};

	if (!yields) {
		rte_pause();
	} else if (idle->n < DP_IDLE_YIELDS) {
		idle->n++;
		(void)sched_yield();
	} else {
		(void)nanosleep(&moment, NULL); // cut short is fine
	}
}

static inline void dp_idle_over(struct dp_idle *idle)
{
	idle->n = 0;
}
