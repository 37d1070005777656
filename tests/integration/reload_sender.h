// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Recorded handshakes of many subscribers into a ring port, from a thread of its own: frames come while control does
 * something else. Each recording goes in copies, of a subscriber each, frame by frame in turns, so that all of them
 * live as long as a wave. */

#include "dataplane/path.h"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdatomic.h>

enum {
	SENDER_BURST = 32,
	SENDER_FRAME_MAX = 1514,
};

struct sender {
	struct dp_path *path;
	struct rte_mempool *pool;
	struct rte_ring *ring;
	struct rte_mbuf *burst[SENDER_BURST];
	unsigned int n_burst;
	_Atomic uint64_t n_sent;
	_Atomic uint64_t may_send; // control lets it go on
	atomic_bool is_done;
};

/* Read them, once and before any thread; false when one cannot be read. */
bool sender_read(void);
void sender_forget(void);
uint64_t sender_n_frames(void); // of all waves

/* A thread's function; arg: struct sender with path, pool, ring and may_send. Sends all waves, never so much at a time that a
 * queue is full. */
void *sender_run(void *arg);

/* Frames that have an outcome. */
uint64_t sender_n_worked(const struct dp_path *path);
