// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The packet path's inside, shared by the files that make it up and by nobody else:
 *
 *   path.c         open, start, take records, stop
 *   path_stats.c   what ports and workers have counted */

#include "dataplane/path.h"
#include "dataplane/receiver.h"
#include "dataplane/source.h"
#include "dataplane/worker.h"

struct dp_path {
	struct dp_endpoint_nets nets; // receivers borrow it
	uint64_t offset_ns; // of live event time
	struct rte_mempool *pool, *wide;
	struct dp_receiver *receivers[DP_RECEIVERS_MAX];
	struct {
		char name[64];
		char down[512];
		struct dp_receiver *receiver; // NULL while down
	} ports[DP_RECEIVERS_MAX];
	uint16_t n_ports;
	uint16_t n_receivers;
	struct dp_worker *workers[DP_WORKERS_MAX];
	uint16_t n_workers;
	_Atomic uint64_t drained; // ticks control has processed, the receivers read it
	uint64_t drained_tick; // the last of them; control's thread only
	struct dp_receiver_end end;
	atomic_bool stop_workers;
	bool is_started;
};
