// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The packet path's inside, shared by the files that make it up and by nobody else:
 *
 *   path.c          open, start, take records, stop
 *   path_layout.c   which threads there are, how many frames they hold
 *   path_samples.c  samples of unknown flows
 *   path_stats.c    what ports and workers have counted */

#include "dataplane/path.h"
#include "dataplane/receiver.h"
#include "dataplane/source.h"
#include "dataplane/thread.h"
#include "dataplane/worker.h"

#include <rte_mbuf.h>

enum {
	DP_QUEUE_LEN = 4096, // packets between a receiver and a worker; start value
	// Between those of one thread, where the worker has no other input: a burst, and what expires
	// with it. Small, so that it stays in the nearest cache; when it is full the worker empties it.
	DP_PAIR_QUEUE_LEN = 256, // start value
	DP_POOL_CACHE = 256, // frames a thread may keep
	DP_WIDE_CACHE = 32,
	DP_WIDE_ROOM = DP_WIDE_BYTES + RTE_PKTMBUF_HEADROOM,
	DP_PRIV_BYTES = RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_CACHE_LINE_SIZE),
	DP_THREADS_MAX = DP_RECEIVERS_MAX + DP_WORKERS_MAX,
};

/* How the packets of a port come to workers. */
struct dp_path_shape {
	bool is_pair; // receiver and worker are one thread
	uint16_t n_queues; // of the device; more than one: each for one worker
	unsigned int queue_len; // of a ring between receiver and worker
	// Wide mbufs for a receiver, a quarter of a queue: so that one that is full of them leaves
	// something to others. Rebuilt datagrams of up to 2 KB travel in their last frame's.
	unsigned int n_wide;
};

/* n_queues: 1, or as many as workers. */
struct dp_path_shape dp_path_shape(
	const struct dp_path_config *config, size_t port, uint16_t n_queues);
/* What counts: a thread of the port's own leaves the device nothing to spread to. */
enum dp_spread dp_path_spread(const struct dp_path_config *config, size_t port);
unsigned int dp_path_n_mbufs(const struct dp_path_config *config);
unsigned int dp_path_n_wide(const struct dp_path_config *config);
uint16_t dp_path_frame_room(const struct dp_path_config *config); // headroom included

struct dp_path {
	struct dp_endpoint_nets nets; // receivers borrow it
	const struct dp_offload *offload; // borrowed, or NULL
	uint64_t offset_ns; // of live event time
	struct rte_mempool *pool, *wide;
	struct dp_receiver *receivers[DP_RECEIVERS_MAX * DP_WORKERS_MAX]; // owned
	struct {
		char name[64];
		char down[512];
		uint16_t first, n; // of receivers; none while down
	} ports[DP_RECEIVERS_MAX];
	uint16_t n_ports;
	uint16_t n_receivers;
	struct dp_thread threads[DP_THREADS_MAX]; // in the order of lcores: ports', then workers'
	uint16_t n_threads;
	struct dp_worker *workers[DP_WORKERS_MAX];
	uint16_t n_workers;
	uint64_t n_tellings; // asked for; control's thread only
	_Atomic uint64_t drained; // ticks control has processed, the receivers read it
	uint64_t drained_tick; // the last of them; control's thread only
	struct dp_receiver_end end;
	atomic_bool stop_workers;
	uint32_t
		sleep_ns; // threads that are idle, where they share CPUs or time does not matter; else 0
	bool is_started;
};
