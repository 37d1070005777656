// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A thread of the packet path that finds nothing to do.
 *
 * On a CPU of its own it waits a moment and looks again. On a shared one it lets the others go first,
 * and soon sleeps: threads that only yield to each other take half of a small machine in system calls,
 * and with Linux 6.18 they have kept all other threads of their CPU from running for minutes. Where an offload keeps
 * most packets there is little to do, and it waits well: such threads sleep longer. */

#include <rte_pause.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
	DP_IDLE_YIELDS = 64, // before the first sleep: the answer is often on its way; start value
	// How long threads sleep. With the kernel's slack twice that: a queue of 4096 takes 40 Mpps so long.
	DP_IDLE_SHORT_NS = 50000,
	DP_IDLE_LONG_NS =
		1000000, // a thousand flows that begin bring some MB up in that; start value
};

struct dp_idle {
	uint32_t n; // waits since there was something to do
};

/* sleep_ns: 0 on a CPU of its own. */
static inline void dp_idle_wait(struct dp_idle *idle, uint32_t sleep_ns)
{
	const struct timespec moment = {.tv_nsec = (long)sleep_ns};

	if (sleep_ns == 0) {
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
