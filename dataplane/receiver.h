// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A receiver: polls one source, opens the frames, rebuilds datagrams from fragments, hands each packet
 * to the worker of its endpoint and marks the ticks. One thread. */

#include "dataplane/datagram.h"
#include "dataplane/ignore.h"
#include "dataplane/source.h"
#include "dataplane/stretch.h"
#include "dataplane/worker.h"

#include <stdalign.h>
#include <stdatomic.h>

enum {
	DP_WORKERS_MAX = 64,
	// A wide mbuf's: a rebuilt datagram, or a jumbo frame.
	DP_WIDE_BYTES = DP_DATAGRAM_HEADER_MAX + DP_DATAGRAM_BYTES,
};

/* frames = handed_on + frames held in datagrams + sum of outcomes, whenever a burst is done. */
struct dp_receiver_counters {
	alignas(64) dp_counter frames;
	dp_counter wire_bytes;
	dp_counter outcomes
		[DP_OUTCOME_COUNT]; // all but ACCOUNTED and NO_ROOM, which are the workers'; DUPLICATE is both's
	dp_counter handed_on; // frames, of packets that a queue took
	// Innermost, for workers; those that a full queue lost are in here too.
	dp_counter ip_bytes;
	dp_counter packets;
	dp_counter up_packets; // of them sent by endpoints
	dp_counter crowded; // frames and datagrams for whose bytes no wide mbuf was free
	struct dp_encap_counters encaps;
	struct dp_stretch_counters stretches; // of a thread without a worker: its first receiver's
};

/* Of control, in a replay. Each wait is two threads that sleep and wake up, most of the time of a capture
 * with few packets a second; what lies between them is bounded by the rings. Start value. */
enum { DP_TICKS_AHEAD = 32 };

struct dp_receiver_config {
	uint64_t tick_ns;
	const struct dp_endpoint_nets *nets; // borrowed
	const struct dp_ignore *ignore; // borrowed; NULL: nothing is ignored
	struct rte_mempool *frames; // borrowed: for credits without a frame of their own
	struct rte_mempool *wide; // borrowed: room for DP_WIDE_BYTES
	bool waits; // replay: nothing is dropped, and the reader stays ticks_ahead ahead at most
	uint32_t ticks_ahead;
	uint32_t sleep_ns; // when idle (dataplane/idle.h)
};

struct dp_idle;

/* What a receiver does instead of waiting for room or for control: its thread's worker goes on. */
struct dp_receiver_wait {
	void (*fn)(void *ctx, struct dp_idle *idle); // NULL: it waits
	void *ctx;
};

/* Packets on their way to one worker. */
struct dp_receiver_out {
	struct rte_mbuf *mbufs[DP_BURST];
	uint16_t n;
};

struct dp_receiver {
	struct dp_receiver_config cfg;
	struct dp_receiver_wait wait;
	struct dp_source *source; // owned
	struct dp_datagrams *datagrams; // owned
	struct rte_ring *queues[DP_WORKERS_MAX]; // owned, one per worker
	uint16_t n_workers;
	struct dp_receiver_out out[DP_WORKERS_MAX];
	// Handed on in this burst; the counters have it at the burst's end.
	struct {
		uint64_t n_frames, ip_bytes, n_packets, n_up_packets;
	} round;
	uint64_t tick; // open, once has_tick
	uint64_t tick_end_ns; // the first instant behind it; 0 before
	bool has_tick;
	uint64_t now_ns; // event time of the last frame
	uint64_t n_marks; // sent
	uint64_t last_mark; // tick of the last one
	uint64_t offset_ns; // dp_event_offset_ns(), the same for all receivers
	_Atomic uint64_t *drained; // ticks control has processed, written by control, borrowed
	atomic_bool is_done; // the source has ended (or was told to) and everything was handed on
	atomic_bool is_broken; // source->err says why
	struct dp_receiver_counters counters;
};

/* How receivers are told to end. Written by control, the same for all of them. */
struct dp_receiver_end {
	_Atomic uint64_t at_tick; // 0: go on; else close this tick, later than any so far, and end
	atomic_bool is_abort; // drop everything now
};

/* Live event time: CLOCK_REALTIME once, at the start, and CLOCK_MONOTONIC from there. It never steps,
 * and it keeps the rate that NTP keeps. (The TSC's would drift: where the CPU does not tell its
 * frequency, DPDK measures it and rounds to 10 MHz, up to 0.2 % or three minutes a day.) It begins at
 * not_before_ns when the clock stands earlier: event time never runs backwards. Any thread. */
uint64_t dp_event_offset_ns(uint64_t not_before_ns);
uint64_t dp_event_now_ns(uint64_t offset_ns);

/* Live, before it runs: event time stands here. Receivers of one path begin with the same tick, so that
 * none waits for the first mark of another. */
void dp_receiver_begin(struct dp_receiver *r, uint64_t now_ns);

enum dp_step {
	DP_STEP_IDLE, // nothing was there
	DP_STEP_BUSY,
	DP_STEP_ENDED, // source or control ended it: everything is handed on, this was the last one
};

/* One look at the source; what it has is handed on. The end of a capture advances event time by 10
 * minutes, so that sessions and flows end. */
enum dp_step dp_receiver_step(struct dp_receiver *r, const struct dp_receiver_end *end);
