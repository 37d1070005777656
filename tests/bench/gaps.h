// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How long a thread is away from its port: from the end of one receive to the end of the next, so the
 * next one is in it. Times in which the kernel took the CPU away against the thread's will (an
 * involuntary context switch), or the hypervisor did (steal in /proc/stat, which has steps of 10 ms),
 * are put aside and counted. */

#include <stdbool.h>

/* Watch all queues of all ports there are. Before they are polled. False: DPDK did not take it. */
bool gaps_watch(void);

/* The same of a thread that does nothing for so many seconds: what the machine takes. Not while ports are watched. */
bool gaps_still(unsigned int seconds);

/* What was seen since the last time, as a line of JSON: microseconds → how often, the longest, and what
 * was put aside. Any thread. */
void gaps_print(void);
