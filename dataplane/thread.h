// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A thread of the packet path: receivers, a worker, or both in one ("run to completion").
 *
 * With both, what the receivers brought is worked off before they look again: a packet stays in one
 * core's caches, and no ring has to bridge two threads' clocks. A receiver that has to wait, for room
 * or for control, lets the worker of its thread go on meanwhile, so that neither waits for itself. */

#include "dataplane/receiver.h"
#include "dataplane/stretch.h"

struct dp_thread {
	alignas(64) struct dp_receiver *receivers[DP_RECEIVERS_MAX]; // borrowed
	uint16_t n_receivers;
	struct dp_worker *worker; // borrowed; NULL: there is none
	const struct dp_receiver_end *end; // borrowed: of the receivers
	const atomic_bool *stop; // borrowed: of the worker
	uint32_t sleep_ns; // when idle (dataplane/idle.h); 0: its CPU is its own
	struct dp_stretch stretch; // the thread's own
};

/* Run until the receivers have ended and the worker was stopped. */
void dp_thread_run(struct dp_thread *t);
