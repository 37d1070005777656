// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A worker: packets of its endpoints in, records out.
 *
 * Input is one single-producer ring per receiver. An element is an mbuf whose private area holds a
 * parsed struct dp_pkt, or a tick mark. The worker owns every mbuf until it frees it and transmits
 * nothing. All state here is its thread's; others read only counters and the record ring. */

#include "dataplane/duplicates.h"
#include "dataplane/err.h"
#include "dataplane/flow.h"
#include "dataplane/offload.h"
#include "dataplane/outcome.h"
#include "dataplane/said.h"
#include "dataplane/sampler.h"
#include "dataplane/stage.h"
#include "dataplane/stretch.h"
#include "dataplane/usage.h"

#include <stdalign.h>
#include <stdatomic.h>

struct dp_signalling_ring;
struct rte_ring;

enum {
	DP_RECEIVERS_MAX = 16,
	DP_BURST = 32,
	DP_ONE_WAY_PACKETS = 4, // fewer say nothing; nor does a handshake that nobody answers
};

/* Tick marks travel in the rings as odd pointers: everything of ticks <= `tick` has been sent. */
static inline void *dp_mark_make(uint64_t tick)
{
	return (void *)(uintptr_t)(tick << 1 | 1);
}

static inline bool dp_is_mark(const void *element)
{
	return ((uintptr_t)element & 1) != 0;
}

static inline uint64_t dp_mark_tick(const void *element)
{
	return (uintptr_t)element >> 1;
}

struct dp_worker_config {
	uint8_t id;
	uint64_t tick_ns;
	uint32_t n_flows;
	uint32_t n_said; // of dataplane/said.h
	uint32_t n_entries, n_endpoints; // of dataplane/usage.h
	bool waits; // replay: a full record ring holds the worker instead of postponing
	enum dp_notes notes;
	enum dp_duplicates_mode duplicates;
	uint64_t duplicate_window_ns;
	struct dp_sampler_config samples;
	uint32_t n_records; // of the record ring, a power of two
	uint32_t signalling_bytes; // of the ring for copies of signalling; 0: none are made
	const struct dp_offload *offload; // borrowed; NULL: all packets come up
};

struct dp_worker_counters {
	alignas(64) dp_counter outcomes[DP_OUTCOME_COUNT]; // ACCOUNTED, NO_ROOM and DUPLICATE only
	dp_counter packets; // innermost, accounted
	dp_counter ip_bytes; // of them
	dp_counter flows;
	dp_counter flows_evicted; // the table was full: voids byte-identical replay
	dp_counter classified_packets; // handed to the stage
	dp_counter hellos; // flows whose client's TLS hello was read
	dp_counter hellos_ech; // of them with another hello inside, encrypted
	dp_counter notes_dropped;
	dp_counter postponed;
	dp_counter names_refused; // the table was full: a flow without its name
	dp_counter quality_refused; // the table was full: something of an endpoint uncounted
	dp_counter copies_looked; // packets looked at for copies
	dp_counter copies_seen; // of them copies of one before
	dp_counter copies_forgotten; // remembered too short: voids byte-identical replay
	// TCP flows that ended with at least DP_ONE_WAY_PACKETS packets, not all of a handshake.
	dp_counter tcp_ended;
	dp_counter tcp_one_way[2]; // of them with packets in one direction only: up, down
	dp_counter hints_forgotten; // the classifier had no room: voids byte-identical replay
	dp_counter verdicts_cut; // the classifier had no room: voids byte-identical replay
	dp_counter catalogues; // taken since the start: swaps
	dp_counter
		to_resolve; // places of the flow table that the walk behind a swap has before it; 0: it is over
	dp_counter resolved_again; // flows that count for another app, tag or evidence since a swap
	dp_counter
		resolve_refused; // flows that would, but there was no entry: they count as before
	dp_counter signalling; // copies for control of what tells who subscribers are
	dp_counter signalling_dropped; // of them without room in the ring
	struct dp_stretch_counters stretches; // of the thread that polls it
	dp_counter rounds; // polls begun: what a round read through a pointer is let go two later
};

struct dp_worker;

/* stage is given (freed with the worker). Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_worker_new(const struct dp_worker_config *config, struct dp_stage stage,
	struct dp_worker **ret_worker, struct dp_err *reterr);
void dp_worker_free(struct dp_worker *w);

/* ring is borrowed until the worker is freed. Before the worker runs. */
void dp_worker_add_input(struct dp_worker *w, struct rte_ring *ring);

/* One round: a burst from every input, a slice of the tick's close. Returns true when it found
 * something to do. Worker thread only. */
bool dp_worker_poll(struct dp_worker *w);

/* dp_worker_poll(), counted, so that control knows what is not read any more. Worker thread only. */
bool dp_worker_round(struct dp_worker *w);

/* For whoever polls it to count in. Worker thread only. */
struct dp_stretch_counters *dp_worker_stretches(struct dp_worker *w);

/* Post a note of each flow that lives, in slices between packets, then DP_RECORD_TOLD with the request's
 * number. A request that is under way is given up for a new one. Control's thread. */
void dp_worker_tell(struct dp_worker *w, uint64_t request);

struct dp_ring *dp_worker_ring(struct dp_worker *w);
/* NULL where its configuration says so. */
struct dp_signalling_ring *dp_worker_signalling_ring(struct dp_worker *w);
/* NULL where its configuration says so. */
struct dp_sampler *dp_worker_sampler(struct dp_worker *w);
const struct dp_worker_counters *dp_worker_counters(const struct dp_worker *w);
