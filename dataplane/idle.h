// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A thread of the packet path that finds nothing to do.
 *
 * On a CPU of its own it waits a moment and looks again. On a shared one it lets the others go first,
 * and soon sleeps: threads that only yield to each other take half of a small machine in system calls,
 * and with Linux 6.18 they have kept all other threads of their CPU from running for minutes. Where an offload keeps
 * most packets there is little to do, and it waits well: such threads sleep longer, and longer still when nothing has come for
 * a while: each wake-up costs some 20 us of a CPU, and thousands of them a second are most of what such a thread takes. */

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
	DP_IDLE_DEEP_NS = 4 *
		DP_IDLE_LONG_NS, // 20,000 new flows a second: 80, of the way up's 16 MB
	DP_IDLE_LONGS = 32, // sleeps of DP_IDLE_LONG_NS before the first so deep one; start value
};

struct dp_idle {
	uint32_t n; // waits since there was something to do
};

/* How long the next wait is to be; 0: the others go first. */
static inline uint32_t dp_idle_sleep_ns(struct dp_idle *idle, uint32_t sleep_ns)
{
	if (idle->n < DP_IDLE_YIELDS + DP_IDLE_LONGS)
		return idle->n++ < DP_IDLE_YIELDS ? 0 : sleep_ns;
	return sleep_ns == DP_IDLE_LONG_NS ? DP_IDLE_DEEP_NS : sleep_ns;
}

/* sleep_ns: DP_IDLE_SHORT_NS, DP_IDLE_LONG_NS, or 0 on a CPU of its own. */
static inline void dp_idle_wait(struct dp_idle *idle, uint32_t sleep_ns)
{
	struct timespec moment = {0};

	if (sleep_ns == 0) {
		rte_pause();
		return;
	}
	moment.tv_nsec = (long)dp_idle_sleep_ns(idle, sleep_ns);
	if (moment.tv_nsec == 0)
		(void)sched_yield();
	else
		(void)nanosleep(&moment, NULL); // cut short is fine
}

static inline void dp_idle_over(struct dp_idle *idle)
{
	idle->n = 0;
}
