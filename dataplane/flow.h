// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of one worker: both directions of an innermost 5-tuple.
 *
 * A fixed pool, a hash over it and one idle list per life span; nothing is allocated after start.
 * Owned and used by one worker's thread. A full table gives up the flow that has been idle longest. */

#include "dataplane/packet.h"
#include "dataplane/stage.h"

#include <stddef.h>

enum { DP_FLOW_NONE = 0 }; // index; the pool starts at 1

/* How long a flow may stay silent before it ends; each has a list of its own, ordered by last
 * packet (to the second), so that the next to expire is always at a head. */
enum dp_flow_life {
	DP_FLOW_TCP, // 300 s
	DP_FLOW_TCP_CLOSED, // 10 s: late retransmissions still belong to it
	DP_FLOW_UDP, // 180 s
	DP_FLOW_OTHER, // 60 s
	DP_FLOW_LIFE_COUNT,
};

enum dp_flow_flag {
	DP_FLOW_FINAL = 1 << 0, // the classifier wants nothing more
	DP_FLOW_SYN_START = 1 << 1,
	DP_FLOW_FIN_SRC = 1 << 2, // FIN seen from src, from dst
	DP_FLOW_FIN_DST = 1 << 3,
	DP_FLOW_RST = 1 << 4,
	DP_FLOW_ECH = 1 << 5,
	DP_FLOW_ENDPOINT_IS_SRC = 1 << 6,
	DP_FLOW_AMBIGUOUS = 1 << 7,
	DP_FLOW_IN_BATCH = 1 << 8, // a packet of it waits for the classifier
	DP_FLOW_FRAGMENTS = 1 << 9, // fragments without ports: nothing to classify
	DP_FLOW_TALKED = 1 << 10, // TCP: somebody sent something behind the handshake
};

struct dp_flow {
	// Read and written for each packet.
	struct dp_five_tuple tuple;
	uint16_t flags; // enum dp_flow_flag
	uint32_t hash;
	uint32_t next; // in the bucket, or in the free list
	uint64_t last_ns;
	uint64_t bytes[2]; // [0] src to dst
	uint64_t packets[2];
	uint64_t counted_ns; // time of the last packet in these; first_ns while there is none
	uint32_t usage; // entry this flow counts on (dataplane/usage.h)
	uint8_t life; // enum dp_flow_life: the list it is on
	// For each second, verdict or end.
	uint32_t idle_prev, idle_next;
	uint64_t first_ns;
	void *stage_state; // the classifier's; NULL while it has none
	uint64_t risk_bits;
	uint32_t app; // DP_APP_UNDECIDED until the verdict
	uint32_t host; // dataplane/hosts.h
	uint32_t n_seen; // packets met so far, counted before they are accounted
	uint32_t syn_seq;
	uint16_t tag;
	uint16_t ndpi_master, ndpi_app;
	uint8_t evidence;
	uint8_t effort;
};
static_assert(offsetof(struct dp_flow, usage) < 128, "what a packet touches fits two lines");

struct dp_flow_table {
	struct dp_flow *flows; // [0] is not used
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t n_flows; // capacity
	uint32_t n_used;
	uint32_t n_touched; // the pool beyond was never used: its pages cost nothing yet
	uint32_t free_list; // of those that were
	struct {
		uint32_t head, tail;
	} idle[DP_FLOW_LIFE_COUNT];
};

/* n_flows >= 1. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_flow_table_init(struct dp_flow_table *t, uint32_t n_flows);
void dp_flow_table_fini(struct dp_flow_table *t);

/* Of a 5-tuple, the same for both directions. */
uint32_t dp_flow_hash(const struct dp_five_tuple *tuple);

/* The flow of the tuple in either direction, or NULL. *ret_is_reverse: tuple is dst to src. */
struct dp_flow *dp_flow_find(struct dp_flow_table *t, const struct dp_five_tuple *tuple,
	uint32_t hash, bool *ret_is_reverse);

/* A new flow of the tuple, zeroed, on its idle list; NULL when the table is full: then the caller
 * ends dp_flow_oldest() first. */
struct dp_flow *dp_flow_add(struct dp_flow_table *t, const struct dp_five_tuple *tuple,
	uint32_t hash, enum dp_flow_life life, uint64_t now_ns);

/* The flow saw a packet at now_ns, or changes its life span. */
void dp_flow_touch(
	struct dp_flow_table *t, struct dp_flow *flow, enum dp_flow_life life, uint64_t now_ns);

/* Take the flow out; the pointer is dead afterwards. Its stage state must be gone already. */
void dp_flow_remove(struct dp_flow_table *t, struct dp_flow *flow);

/* When the flow is over if nothing more comes: its life span behind the second of its last packet,
 * so that the lists need an order to the second only. */
uint64_t dp_flow_expiry_ns(const struct dp_flow *flow);

/* A flow that is over at now_ns, or NULL. */
struct dp_flow *dp_flow_expired(struct dp_flow_table *t, uint64_t now_ns);

/* The flow idle longest, over all lists; NULL when the table is empty. */
struct dp_flow *dp_flow_oldest(struct dp_flow_table *t);
