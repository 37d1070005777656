// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A worker's inside, shared by the files that make it up and by nobody else:
 *
 *   worker.c         life and rounds: packets and marks from the inputs
 *   worker_batch.c   a packet finds its flow, the classifier is asked, the packet is counted
 *   worker_flow.c    a flow's verdict and end
 *   worker_tick.c    the close of a tick, in slices */

#include "dataplane/worker.h"

#include <rte_mbuf.h>

struct input {
	struct rte_ring *ring;
	void *elements[DP_BURST]; // taken from the ring
	uint16_t n, next;
	uint64_t mark; // last one met
	bool is_held; // at a mark that others have not reached
};

/* Packets on their way through one round, in order of arrival. */
struct batch {
	struct rte_mbuf *mbufs[DP_BURST];
	struct dp_flow *flows[DP_BURST];
	bool is_reverse[DP_BURST];
	int16_t item[DP_BURST]; // of items, or -1
	struct dp_stage_item items[DP_BURST];
	uint16_t n, n_items;
};

struct dp_worker {
	struct dp_worker_config cfg;
	struct dp_flow_table flows;
	struct dp_usage_table usage;
	struct dp_hosts hosts;
	struct dp_duplicates *duplicates; // owned; NULL while nothing is looked for
	struct dp_stage stage;
	struct dp_ring *ring;
	struct input inputs[DP_RECEIVERS_MAX];
	uint16_t n_inputs;
	uint64_t tick; // open
	uint64_t now_ns; // of the latest packet: time does not run backwards behind it
	uint64_t closing_tick; // valid while is_closing
	uint64_t closing_mark;
	bool is_closing;
	uint64_t ended_tick; // everything up to it is posted, once n_ticks > 0
	uint64_t n_ticks; // closed
	bool owes_end; // the ring had no room for the record that says so
	struct batch batch;
	struct {
		uint64_t n_looked, n_seen, n_frames;
	} copies; // of this round
	struct dp_worker_counters counters;
};

static inline const struct dp_pkt *dp_worker_pkt(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

/* The first instant behind the tick being closed. */
static inline uint64_t dp_worker_closing_end_ns(const struct dp_worker *w)
{
	return (w->closing_mark + 1) * w->cfg.tick_ns;
}

/* Add a packet; m is taken. */
void dp_worker_batch_add(struct dp_worker *w, struct rte_mbuf *m);

/* Ask the classifier about the batch's items, then account its packets in order. That a packet is
 * counted after the verdict it brought, and before later ones, makes the result independent of
 * where bursts begin. */
void dp_worker_batch_run(struct dp_worker *w);

/* What the classifier says of f now. tick: the open one or the one being closed. */
void dp_worker_flow_verdict(struct dp_worker *w, struct dp_flow *f, const struct dp_verdict *v,
	uint64_t tick, uint64_t time_ns);

/* f is over: its last word, its note, its place in the table. */
void dp_worker_flow_end(struct dp_worker *w, struct dp_flow *f, uint64_t tick);

/* Close the open tick once every input stands at a mark. */
void dp_worker_tick_begin_close(struct dp_worker *w);

/* One slice of the close: expire, then report, then say that the tick is complete. */
void dp_worker_tick_close_slice(struct dp_worker *w);

/* Say that ticks are complete. When the ring is full that waits, and packets do not: the next tick
 * may close in the meantime, and its end speaks for both. */
void dp_worker_tick_post_end(struct dp_worker *w);
