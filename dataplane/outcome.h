// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The loss ledger's rows: every received frame ends in exactly one of them. */

#include <stdatomic.h>
#include <stdint.h>

#define DP_OUTCOMES(X) \
	X(ACCOUNTED, "accounted", "credited to a flow and its endpoint") \
	X(NOT_IP, "not_ip", "no IP packet inside: ARP, LLDP, spanning tree") \
	X(UNSUPPORTED, "unsupported", "an encapsulation that is not opened") \
	X(TRUNCATED, "truncated", "the captured bytes end inside the link or IP header") \
	X(MALFORMED, "malformed", "the link or IP header contradicts itself") \
	X(TOO_DEEP, "too_deep", "more tags, labels or headers than any operator stacks") \
	X(QUEUE_FULL, "queue_full", "the worker's input queue was full") \
	X(NO_ROOM, "no_room", "the usage table was full") \
	X(IGNORED, "ignored", "excluded by ports[].ignore") \
	X(DUPLICATE, "duplicate", \
		"a copy of a frame that was accounted: the mirror delivers it twice")

#define DP_OUTCOME_ENUM(id, name, help) DP_OUTCOME_##id,
enum dp_outcome { DP_OUTCOMES(DP_OUTCOME_ENUM) DP_OUTCOME_COUNT };
#undef DP_OUTCOME_ENUM

extern const char *const dp_outcome_names[DP_OUTCOME_COUNT];
extern const char *const dp_outcome_help[DP_OUTCOME_COUNT];

/* A counter with one writer that only grows; readers subtract their own snapshots. */
typedef _Atomic uint64_t dp_counter;

/* Add n. Owning thread only: a load and a store, no locked instruction. */
static inline void dp_count(dp_counter *c, uint64_t n)
{
	const uint64_t v = atomic_load_explicit(c, memory_order_relaxed);

	atomic_store_explicit(c, v + n, memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t dp_counter_get(const dp_counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}
