// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a worker has counted and not yet reported: one entry per endpoint x app x tag x evidence.
 *
 * An entry collects one tick. At the tick's end it becomes a usage record (and a move record, when
 * verdicts took bytes over from `undecided`); an entry touched in the next tick before its turn is
 * posted first, so the slices of a flush may lie between bursts. Flows hold references; an entry
 * without references and without counts is free again. One worker's thread only. */

#include "dataplane/record.h"
#include "dataplane/ring.h"

#include <stdint.h>

enum { DP_USAGE_NONE = 0 };

struct dp_usage_key {
	struct dp_addr endpoint;
	uint32_t app;
	uint16_t tag;
	uint8_t evidence;
	bool is_ambiguous;
};
static_assert(sizeof(struct dp_usage_key) == 24, "compared as bytes");

struct dp_usage_entry {
	struct dp_usage_key key;
	uint32_t next; // in the bucket, or in the free list
	uint32_t n_refs;
	uint32_t dirty_prev, dirty_next; // valid while is_dirty
	uint64_t tick; // what the counts belong to, while is_dirty
	uint64_t last_slot; // 100 ms slot last counted as active
	bool is_dirty;
	uint8_t list; // of tick_lists, while is_dirty
	struct dp_usage counts;
	struct dp_usage moved; // n_new_flows and active_ms are not used
};

struct dp_usage_table {
	struct dp_usage_entry *entries; // [0] is not used
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t n_entries, n_used;
	uint32_t n_touched; // entries ever used; the pages beyond cost nothing yet
	uint32_t free_list; // of those
	struct {
		uint32_t head, tail;
		uint64_t tick;
	} dirty[2]; // the open tick and the one being closed
	uint8_t open; // which of the two is the open one
	struct dp_ring *ring;
	uint8_t worker;
	uint64_t n_postponed; // posts the full ring refused
};

/* ring is borrowed. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_usage_init(
	struct dp_usage_table *t, uint32_t n_entries, struct dp_ring *ring, uint8_t worker);
void dp_usage_fini(struct dp_usage_table *t);

/* A reference to the entry of key, or DP_USAGE_NONE when the table is full. */
uint32_t dp_usage_get(struct dp_usage_table *t, const struct dp_usage_key *key);
void dp_usage_put(struct dp_usage_table *t, uint32_t id);

/* Count packets. tick: the open one. dir: 0 up, 1 down. Time does not run backwards. */
void dp_usage_add(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns,
	unsigned int dir, uint32_t n_packets, uint32_t ip_bytes);

/* Count a flow whose app has become known. tick: the open one or the one being closed. */
void dp_usage_add_flow(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns);

/* A verdict: what was reported as undecided from first_ns to last_ns belongs to this entry. */
void dp_usage_move(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_usage *undecided);

/* The first packet of the open tick tells its number; nothing is dirty in it yet. */
void dp_usage_open_tick(struct dp_usage_table *t, uint64_t tick);

/* The open tick is over and next_tick is open; what is dirty waits for dp_usage_flush. The close
 * before it must be flushed completely. */
void dp_usage_close_tick(struct dp_usage_table *t, uint64_t next_tick);

/* Post what the tick being closed left, at most max entries. Returns true when nothing is left to
 * do: all is posted, or the full ring postponed the rest into the open tick. */
bool dp_usage_flush(struct dp_usage_table *t, unsigned int max);
