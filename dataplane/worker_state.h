// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A worker's inside, shared by the files that make it up and by nobody else:
 *
 *   worker.c         life and rounds: packets and marks from the inputs
 *   worker_packet.c  a packet finds its flow, the classifier is asked, the packet is counted
 *   worker_flow.c    a flow's beginning, verdict and end
 *   worker_notes.c   what control is told of single flows
 *   worker_offload.c what stands in front of the source keeps of flows, and what it has to be told
 *   worker_signalling.c  copies of what tells who subscribers are
 *   worker_sample.c  of some flows that stay unknown: their first packets, for people to look at
 *   worker_tick.c    the close of a tick, in slices
 *   worker_walk.c    decided flows are judged anew, in slices */

#include "dataplane/signalling_ring.h"
#include "dataplane/worker.h"

#include <rte_mbuf.h>

struct input {
	struct rte_ring *ring;
	void *elements[DP_BURST]; // taken from the ring
	uint16_t n, next;
	uint64_t mark; // last one met
	bool is_held; // at a mark that others have not reached
};

/* When in a tick an entry had traffic, with an offload: it and the worker see parts of it. */
struct dp_worker_active {
	uint64_t tick;
	uint64_t bits[2]; // as dp_offload_usage.active
};

/* What an offload has been told of a flow here. */
struct dp_worker_told {
	uint32_t flow; // dp_offload_head.flow; 0: nothing of it came up so
	uint32_t entry; // where it counts by our word; 0: we gave none
	uint64_t
		since_ns; // when the classifier's state went, 0: there was none. See dp_tcp_since()
	bool is_watched;
};

struct dp_worker {
	struct dp_worker_config cfg;
	dp_counter
		tell_asked; // control's: number of the last request to tell of the flows that live
	struct dp_flow_table flows;
	struct dp_usage_table usage;
	struct dp_said_table said;
	struct dp_duplicates *duplicates; // owned; NULL while nothing is looked for
	struct dp_sampler *sampler; // owned; NULL without samples
	struct dp_signalling_ring *signalling; // owned; NULL where nobody wants copies
	struct dp_worker_active *active; // owned, by usage entry; NULL without an offload
	struct dp_worker_told *told; // likewise, by flow
	// Copies are looked for among packets with (hash & mask) == sample: of all endpoints, of one
	// in DP_DUPLICATES_SAMPLE, of none.
	uint32_t copies_mask, copies_sample;
	struct dp_stage stage;
	struct dp_ring *ring;
	struct input inputs[DP_RECEIVERS_MAX];
	uint16_t n_inputs;
	uint64_t tick; // open
	uint64_t tick_end_ns; // the first instant behind it; 0 before the first packet
	uint64_t now_ns; // of the latest packet: time does not run backwards behind it
	uint64_t closing_tick; // valid while is_closing
	uint64_t closing_mark;
	bool is_closing;
	bool drains; // of the tick being closed: the offload has more
	uint64_t ended_tick; // everything up to it is posted, once n_ticks > 0
	uint64_t n_ticks; // closed
	bool owes_end; // the ring had no room for the record that says so
	struct {
		uint32_t next, n_left; // flows to be judged anew, from next on; 0: none
	} walk;
	struct {
		uint64_t request; // taken up last
		uint32_t next, n_left; // flows to be told of, from next on
		bool is_under_way; // until the record that says it is over was posted
	} tell;
	// Counted in this round, added to the counters at its end.
	struct {
		uint64_t n_frames, n_packets, ip_bytes, n_classified;
		uint64_t n_looked, n_copies, n_copied_frames;
	} round;
	struct dp_worker_counters counters;
};

static inline struct dp_pkt *dp_worker_pkt(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static inline struct dp_flow *dp_worker_flow(struct dp_worker *w, uint32_t i)
{
	return &w->flows.flows[i];
}

static inline struct dp_flow_rest *dp_worker_rest(struct dp_worker *w, uint32_t i)
{
	return &w->flows.rest[i];
}

/* The first instant behind the tick being closed. */
static inline uint64_t dp_worker_closing_end_ns(const struct dp_worker *w)
{
	return (w->closing_mark + 1) * w->cfg.tick_ns;
}

static inline bool dp_is_syn_ack(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == (DP_TCP_SYN | DP_TCP_ACK);
}

/* Take a run of packets (n <= DP_BURST) of one input, in order: what they touch is fetched for all of
 * them first. The mbufs are freed. A packet is counted after the verdict it brought, and before later
 * ones, so the result does not depend on where bursts begin. */
void dp_worker_take(struct dp_worker *w, struct rte_mbuf **mbufs, unsigned int n);

/* The flow the packet begins; DP_FLOW_NONE when there is no room to count it. */
uint32_t dp_worker_flow_begin(
	struct dp_worker *w, const struct dp_pkt *p, const struct dp_flow_seek *seek);

/* With a ring for it: the packet, m's, tells who subscribers are, and control gets a copy. */
void dp_worker_signalling(struct dp_worker *w, const struct rte_mbuf *m, const struct dp_pkt *p);

/* Show the classifier a packet of the flow, m's, and do what it says; of a watched flow let it listen. */
void dp_worker_flow_look(struct dp_worker *w, uint32_t flow, struct rte_mbuf *m, bool is_from_dst);

/* From here on the flow, a decided one, counts as this; what it counted before stays. A flow without an entry to
 * count on stays where it is. Returns whether anything has changed. */
bool dp_worker_flow_recount(
	struct dp_worker *w, uint32_t flow, uint32_t app, uint16_t tag, uint8_t evidence);

/* Judge a decided flow anew by what is remembered of it. Returns as above. */
bool dp_worker_flow_resolve(struct dp_worker *w, uint32_t flow);

/* The flow is over: its last word, its note, its place in the table. tick: the open one or the one being
 * closed. */
void dp_worker_flow_end(struct dp_worker *w, uint32_t flow, uint64_t tick);

/* End the flow idle longest, of which more may come: there is no room. Not on an empty table. */
void dp_worker_flow_give_up(struct dp_worker *w);

/* As dp_worker_flow_end() for a flow that a packet finds over. What the tick being closed owes is still that tick's. */
void dp_worker_flow_end_stale(struct dp_worker *w, uint32_t flow);

/* With a sampler: the classifier was shown a packet of the flow, of ip_bytes, and has said item->verdict. The item's
 * tuple and endpoint are not read. */
void dp_worker_sample_look(
	struct dp_worker *w, uint32_t flow, const struct dp_stage_item *item, uint32_t ip_bytes);

/* With a sampler: the flow has had its last word and goes. */
void dp_worker_sample_end(struct dp_worker *w, uint32_t flow);

/* As dp_worker_flow_end_stale() where the packet came up because the offload has begun another flow of the tuple. */
void dp_worker_flow_end_handed(struct dp_worker *w, uint32_t flow);

/* A flow that is over at now_ns, or DP_FLOW_NONE: as dp_flow_expired(), by what an offload knows, too. */
uint32_t dp_worker_flow_over(struct dp_worker *w, uint64_t now_ns, unsigned int *max);

/* What the offload has kept of the flow so far; last_ns and how far TCP has come are the flow's from now on. */
void dp_worker_offload_look(
	struct dp_worker *w, uint32_t flow, struct dp_offload_counts *ret_counts);

/* The offload's counts of the flow are the worker's now. tick: the open one or the one being closed. */
void dp_worker_offload_add(
	struct dp_worker *w, uint32_t flow, const struct dp_offload_counts *counts, uint64_t tick);

/* Likewise, of a flow of the same tuple that is over and gone: what counted nowhere counts on this one. */
void dp_worker_offload_inherit(
	struct dp_worker *w, uint32_t flow, const struct dp_offload_counts *counts);

/* Tell the offload what it does not know yet: on which entry the flow counts, when its verdict is final, and whether it
 * is watched. */
void dp_worker_offload_decide(struct dp_worker *w, uint32_t flow);

/* A packet of the flow came up as one that counts there, and not by our word: who begins there anew, asks. */
void dp_worker_offload_disown(struct dp_worker *w, uint32_t flow);

/* The flow is over: the offload forgets it. */
void dp_worker_offload_forget(struct dp_worker *w, uint32_t flow, uint64_t tick);

/* A packet that came up is counted on the entry. */
void dp_worker_offload_mark(struct dp_worker *w, uint32_t id, uint64_t time_ns);

/* Count what was kept for entries until end_ns: the first of it, while its tick is open, then slice by slice. */
void dp_worker_offload_begin_close(struct dp_worker *w, uint64_t end_ns);
void dp_worker_offload_drain_slice(struct dp_worker *w);

/* time_ns lies behind the open tick: its tick is open from here on. */
static inline void dp_worker_enter_tick(struct dp_worker *w, uint64_t time_ns)
{
	w->tick = time_ns / w->cfg.tick_ns;
	w->tick_end_ns = (w->tick + 1) * w->cfg.tick_ns;
	dp_usage_open_tick(&w->usage, w->tick);
}

/* Close the open tick once every input stands at a mark. */
void dp_worker_tick_begin_close(struct dp_worker *w);

/* One slice of the close: expire, then report, then say that the tick is complete. */
void dp_worker_tick_close_slice(struct dp_worker *w);

/* Flows lie in a row; what they count on and what was said of them does not: have it near for the n from
 * next on. */
void dp_worker_fetch(const struct dp_worker *w, uint32_t next, uint32_t n);

/* Notes of a flow, where they are wanted and there is room. */
void dp_worker_note_verdict(struct dp_worker *w, uint32_t flow, uint64_t tick);
void dp_worker_note_end(struct dp_worker *w, uint32_t flow, uint64_t tick);

/* Begin with what control has asked for. */
void dp_worker_tell_begin(struct dp_worker *w, uint64_t request);

/* One slice of the telling. False: there was no room for it. */
bool dp_worker_tell_slice(struct dp_worker *w);

/* Judge all flows anew that are there now; a walk that is not over begins again. */
void dp_worker_walk_begin(struct dp_worker *w);

/* One slice of the walk. */
void dp_worker_walk_slice(struct dp_worker *w);

/* Say that ticks are complete. When the ring is full that waits, and packets do not: the next tick
 * may close in the meantime, and its end speaks for both. */
void dp_worker_tick_post_end(struct dp_worker *w);
