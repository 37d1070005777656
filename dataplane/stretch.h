// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How long a thread of the packet path works between two looks at its input: what a NIC's queue has to
 * bridge. A stretch is one round that found something to do; waits between rounds are none.
 *
 * A long stretch in which the kernel gave the CPU to somebody else (getrusage(2), ru_nivcsw) says
 * nothing of our work and is counted apart. The count of switches is looked at behind long stretches and
 * twice a millisecond, so that a stretch is set aside for what happened in it or just before. What a
 * hypervisor takes is not seen. */

#include "dataplane/outcome.h"

#include <rte_cycles.h>
#include <stdbool.h>
#include <sys/resource.h>

enum {
	DP_STRETCH_BUCKETS = 16,
	DP_STRETCH_FIRST_BITS = 10, // the first bucket ends at 2^10 ns
};

/* Written by the thread, read by any. */
struct dp_stretch_counters {
	dp_counter busy_tsc; // TSC cycles of all of them
	dp_counter longest_tsc; // of those that were not disturbed
	dp_counter disturbed; // long ones that the kernel interrupted
	dp_counter
		lengths[DP_STRETCH_BUCKETS]; // the others: [i] below 2^(10 + i) ns, the last longer
};

struct dp_stretch {
	struct dp_stretch_counters *counters; // borrowed
	uint64_t begin_tsc;
	uint64_t looked_tsc; // at the switches
	uint64_t long_tsc, look_tsc; // what is long; how often to look
	uint64_t ns_per_tsc; // times 2^DP_STRETCH_SHIFT
	long n_switches;
};

enum {
	DP_STRETCH_SHIFT = 20, // exact to a millionth, for stretches of up to hours
	DP_STRETCH_LONG_US = 16, // getrusage(2) costs 0.2 us: 1 % of it
	DP_STRETCH_LOOK_US = 500,
};

static inline long dp_stretch_switches(void)
{
	struct rusage usage = {0};

	(void)getrusage(RUSAGE_THREAD, &usage); // cannot fail for this thread
	return usage.ru_nivcsw;
}

/* counters: what is there goes on. The thread's own. */
static inline void dp_stretch_init(struct dp_stretch *s, struct dp_stretch_counters *counters)
{
	const uint64_t hz = rte_get_tsc_hz();

	*s = (struct dp_stretch){.counters = counters,
		.long_tsc = hz / 1000000 * DP_STRETCH_LONG_US,
		.look_tsc = hz / 1000000 * DP_STRETCH_LOOK_US,
		.ns_per_tsc = (UINT64_C(1000000000) << DP_STRETCH_SHIFT) / hz,
		.n_switches = dp_stretch_switches(),
		.begin_tsc = rte_rdtsc()};
	s->looked_tsc = s->begin_tsc;
}

/* Look whether the kernel took the CPU since the last look. */
static inline bool dp_stretch_was_switched(struct dp_stretch *s, uint64_t now_tsc)
{
	const long n = dp_stretch_switches();
	const bool was_switched = n != s->n_switches;

	s->n_switches = n;
	s->looked_tsc = now_tsc;
	return was_switched;
}

/* A stretch begins now, behind a wait. was_away: the wait gave the CPU away, which is no disturbance. */
static inline void dp_stretch_begin(struct dp_stretch *s, bool was_away)
{
	s->begin_tsc = rte_rdtsc();
	if (was_away || s->begin_tsc - s->looked_tsc > s->look_tsc)
		(void)dp_stretch_was_switched(s, s->begin_tsc);
}

static inline unsigned int dp_stretch_bucket(uint64_t ns)
{
	const unsigned int bits = ns == 0 ? 0 : 64 - (unsigned int)__builtin_clzll(ns);

	return bits <= DP_STRETCH_FIRST_BITS			    ? 0
		: bits - DP_STRETCH_FIRST_BITS < DP_STRETCH_BUCKETS ? bits - DP_STRETCH_FIRST_BITS
								    : DP_STRETCH_BUCKETS - 1;
}

/* The stretch has ended, the next one begins. */
static inline void dp_stretch_end(struct dp_stretch *s)
{
	const uint64_t now = rte_rdtsc(), tsc = now - s->begin_tsc;
	const bool is_long = tsc > s->long_tsc;

	s->begin_tsc = now;
	dp_count(&s->counters->busy_tsc, tsc);
	if (is_long || now - s->looked_tsc > s->look_tsc) {
		const bool was_switched = dp_stretch_was_switched(s, now);

		if (is_long && was_switched) {
			dp_count(&s->counters->disturbed, 1);
			return;
		}
	}
	dp_count(&s->counters->lengths[dp_stretch_bucket(tsc * s->ns_per_tsc >> DP_STRETCH_SHIFT)],
		1);
	if (tsc > dp_counter_get(&s->counters->longest_tsc))
		atomic_store_explicit(&s->counters->longest_tsc, tsc, memory_order_relaxed);
}

/* How many were longer than ns, a power of two and at least 2^DP_STRETCH_FIRST_BITS. Any thread. */
static inline uint64_t dp_stretch_longer(const struct dp_stretch_counters *c, uint64_t ns)
{
	uint64_t n = 0;

	for (unsigned int i = dp_stretch_bucket(ns); i < DP_STRETCH_BUCKETS; i++)
		n += dp_counter_get(&c->lengths[i]);
	return n;
}
