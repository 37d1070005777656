// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a worker has counted and not yet reported: one entry per endpoint x app x tag x evidence.
 *
 * Two arrays with one index: struct dp_usage_hot is the one line that a packet touches, struct
 * dp_usage_rest is for verdicts and ticks. An entry collects one tick. At the tick's end it becomes a
 * usage record (and a move record, when verdicts took bytes over from `undecided`), and its data
 * segments go to the endpoint's quality, which is reported behind all usage of the tick; an entry
 * touched in the next tick before its turn is posted first, so the slices of a flush may lie between
 * bursts. Flows hold references; an entry without references and without counts is free again. One
 * worker's thread only. */

#include "dataplane/dirty.h"
#include "dataplane/quality.h"
#include "dataplane/record.h"
#include "dataplane/ring.h"

#include <stdint.h>

enum {
	DP_USAGE_NONE = 0,
	DP_USAGE_SLOT_NS = 100000000, // traffic makes a slot active
};

struct dp_usage_key {
	struct dp_addr endpoint;
	uint32_t app;
	uint16_t tag;
	uint8_t evidence;
	bool is_ambiguous;
};
static_assert(sizeof(struct dp_usage_key) == 24, "compared as bytes");

/* What is not 0 in dp_usage_hot.dirty. */
enum {
	DP_USAGE_LIST = 3, // 1 + which list
	DP_USAGE_NO_PACKET = 4, // only flows or moves so far
};

struct dp_usage_hot {
	uint64_t bytes[2]; // as struct dp_usage, of the tick of its list
	uint64_t packets[2];
	uint64_t last_ns[2]; // of those without TCP data, of those with; the later one is the last
	uint32_t segments[2]; // TCP segments with data, for the endpoint's quality
	uint32_t last_slot; // last counted as active, modulo 2^32
	uint16_t n_slots; // active ones, UINT16_MAX is that or more
	uint8_t dirty; // 0: nothing counted
};
static_assert(sizeof(struct dp_usage_hot) == 64, "a packet touches one line");

struct dp_usage_rest {
	struct dp_usage_key key;
	uint32_t next; // in the bucket, or in the free list
	uint32_t n_refs;
	uint32_t quality; // of the endpoint; DP_QUALITY_NONE until there was something to say
	uint32_t n_new_flows;
	bool has_rested; // a tick's close, see dp_usage_table.rests
	uint64_t first_ns; // of what is counted, UINT64_MAX: nothing
	uint64_t segment_first_ns; // valid while there are segments
	struct {
		uint64_t bytes[2], packets[2];
		uint64_t first_ns, last_ns;
	} moved;
};

struct dp_usage_table {
	struct dp_usage_hot *hot; // cache aligned; [0] is not used
	struct dp_usage_rest *rest; // of the same index
	uint32_t slot; // the one of the latest packet, modulo 2^32
	uint8_t open_mark; // dp_usage_hot.dirty of an entry that has packets of the open tick
	uint64_t slot_end_ns;
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t n_entries, n_used;
	uint32_t n_touched; // entries ever used; the pages beyond cost nothing yet
	uint32_t free_list; // of those
	struct dp_dirty dirty;
	struct dp_quality_table quality;
	struct dp_ring *ring;
	uint8_t worker;
	// Somebody else counts on entries, too, and is behind by up to a tick: one without references is free
	// only after another close.
	bool rests;
	uint64_t n_postponed; // posts the full ring refused, those of quality not counted
};

/* n_endpoints: places for the quality of endpoints. ring is borrowed. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_usage_init(struct dp_usage_table *t, uint32_t n_entries, uint32_t n_endpoints,
	struct dp_ring *ring, uint8_t worker);
void dp_usage_fini(struct dp_usage_table *t);
/* Touch all of an unused table, so that nothing is left to be had later. */
void dp_usage_make_resident(struct dp_usage_table *t);

/* A reference to the entry of key, or DP_USAGE_NONE when the table is full. */
uint32_t dp_usage_get(struct dp_usage_table *t, const struct dp_usage_key *key);
void dp_usage_put(struct dp_usage_table *t, uint32_t id);

/* Borrowed until the reference is given back. */
static inline const struct dp_usage_key *dp_usage_key(const struct dp_usage_table *t, uint32_t id)
{
	return &t->rest[id].key;
}

/* Start to fetch what dp_usage_add() will touch. */
static inline void dp_usage_prefetch(const struct dp_usage_table *t, uint32_t id)
{
	__builtin_prefetch(&t->hot[id], 1);
}

/* The three rare steps of dp_usage_add(). */
void dp_usage_begin(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns);
void dp_usage_begin_slot(struct dp_usage_table *t, uint64_t time_ns);
void dp_usage_begin_segments(struct dp_usage_table *t, uint32_t id, uint64_t time_ns);

/* Count packets. tick: the open one. dir: 0 up, 1 down. n_segments: TCP segments with data among the
 * packets. Time does not run backwards. */
static inline void dp_usage_add(struct dp_usage_table *t, uint32_t id, uint64_t tick,
	uint64_t time_ns, unsigned int dir, uint32_t n_packets, uint32_t ip_bytes,
	uint32_t n_segments)
{
	struct dp_usage_hot *h = &t->hot[id];

	if (__builtin_expect(h->dirty != t->open_mark, 0))
		dp_usage_begin(t, id, tick, time_ns);
	if (__builtin_expect(time_ns >= t->slot_end_ns, 0))
		dp_usage_begin_slot(t, time_ns);
	if (__builtin_expect((h->segments[0] | h->segments[1]) < n_segments, 0))
		dp_usage_begin_segments(t, id, time_ns);
	h->bytes[dir] += ip_bytes;
	h->packets[dir] += n_packets;
	h->segments[dir] += n_segments;
	h->last_ns[n_segments > 0] = time_ns;

	// No branches: whether there is data, or the slot is new, is as good as random.
	const uint32_t n_slots = h->n_slots + (h->last_slot != t->slot);

	h->last_slot = t->slot;
	h->n_slots = (uint16_t)(n_slots - (n_slots >> 16));
}

/* Count what somebody else has counted: bytes, packets, first_ns, last_ns and active_ms, which comes on top.
 * tick: the open one or the one being closed. */
void dp_usage_absorb(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_usage *counts);

/* Of the same: what its TCP connections told, for the endpoint. */
void dp_usage_absorb_quality(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_quality *counts);

/* Count a flow whose app has become known. tick: the open one or the one being closed. */
void dp_usage_add_flow(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns);

/* A verdict: what was reported as undecided from first_ns to last_ns belongs to this entry. */
void dp_usage_move(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_usage *undecided);

/* What a packet of a TCP flow that counts on the entry told, or the flow's end, besides its data
 * segments. tick: the open one or the one being closed. */
void dp_usage_tcp(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns,
	const struct dp_tcp_event *event);

/* The first packet of the open tick tells its number; no packet is counted in it yet. What a full ring
 * postponed goes along. */
void dp_usage_open_tick(struct dp_usage_table *t, uint64_t tick);

/* The open tick is over and next_tick is open; what is dirty waits for dp_usage_flush. The close
 * before it must be flushed completely. */
void dp_usage_close_tick(struct dp_usage_table *t, uint64_t next_tick);

/* Post what the tick being closed left, usage before quality, at most max entries. Returns true when
 * nothing is left to do: all is posted, or the full ring postponed the rest into the open tick. */
bool dp_usage_flush(struct dp_usage_table *t, unsigned int max);

/* Posts the full ring refused. */
static inline uint64_t dp_usage_postponed(const struct dp_usage_table *t)
{
	return t->n_postponed + t->quality.n_postponed;
}
