// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How the TCP connections of endpoints fare, counted and not yet reported: one entry per endpoint that
 * has had something to say.
 *
 * An entry collects one tick and becomes a quality record at its end, behind the usage records of that
 * tick (dataplane/usage.h, which also holds the references). An entry without references and without
 * counts is free again. With the table full an endpoint goes uncounted, and a counter says so. One
 * worker's thread only. */

#include "dataplane/dirty.h"
#include "dataplane/record.h"
#include "dataplane/ring.h"
#include "dataplane/tcp_event.h"

enum { DP_QUALITY_NONE = 0 };

struct dp_quality_entry {
	struct dp_addr endpoint;
	bool is_ambiguous;
	uint8_t dirty; // 0: nothing counted; else 1 + which list
	uint32_t next; // in the bucket, or in the free list
	uint32_t n_refs;
	struct dp_quality counts; // first_ns UINT64_MAX: nothing
};

struct dp_quality_table {
	struct dp_quality_entry *entries; // [0] is not used
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t n_entries, n_used;
	uint32_t n_touched; // entries ever used; the pages beyond cost nothing yet
	uint32_t free_list; // of those
	struct dp_dirty dirty;
	struct dp_ring *ring;
	uint8_t worker;
	uint64_t n_postponed; // posts the full ring refused
	uint64_t n_refused; // the table was full: something went uncounted
};

/* ring is borrowed. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_quality_init(
	struct dp_quality_table *t, uint32_t n_entries, struct dp_ring *ring, uint8_t worker);
void dp_quality_fini(struct dp_quality_table *t);
/* Touch all of an unused table, so that nothing is left to be had later. */
void dp_quality_make_resident(struct dp_quality_table *t);

/* A reference to the endpoint's entry, or DP_QUALITY_NONE when the table is full, which is counted. */
uint32_t dp_quality_get(
	struct dp_quality_table *t, const struct dp_addr *endpoint, bool is_ambiguous);
void dp_quality_put(struct dp_quality_table *t, uint32_t id);

/* Count TCP segments with data, [0] up, [1] down, not both 0, the first and the last of them at
 * first_ns and last_ns. tick: the open one or the one being closed. */
void dp_quality_add_segments(struct dp_quality_table *t, uint32_t id, uint64_t tick,
	const uint32_t segments[2], uint64_t first_ns, uint64_t last_ns);

/* Count what a packet told besides. event->what is not 0. tick: as above. */
void dp_quality_add_event(struct dp_quality_table *t, uint32_t id, uint64_t tick, uint64_t time_ns,
	const struct dp_tcp_event *event);

/* Whether there is anything but times. */
bool dp_quality_is_any(const struct dp_quality *counts);

/* Count what somebody else has counted. tick: as above. */
void dp_quality_absorb(
	struct dp_quality_table *t, uint32_t id, uint64_t tick, const struct dp_quality *counts);

/* Post what the tick being closed left, at most max entries. Returns true when nothing is left to do:
 * all is posted, or the full ring postponed the rest into the open tick. */
bool dp_quality_flush(struct dp_quality_table *t, unsigned int max);
