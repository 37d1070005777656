// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* An offload in user space: what dataplane/offload.h describes, word by word, without a kernel. What the packet path
 * does with it and what a kernel's does are held against this.
 *
 * It opens frames as a receiver does (dataplane/walk.h), keeps flows of its own and ends them by a worker's rules. And
 * it has, by chance and as often as it is told, what the kernel has by nature: no room on the way up, flows that are
 * forgotten, usage that comes in parts. */

#include "dataplane/ignore.h"
#include "dataplane/offload.h"

struct offload_model_config {
	const struct dp_endpoint_nets *nets; // borrowed
	const struct dp_ignore *ignore; // borrowed; NULL: nothing
	uint64_t tick_ns;
	uint16_t n_workers;
	uint32_t n_entries;
	// As a replay that is to be exact: whatever has no verdict comes up, however much it is.
	bool has_no_budget;
	uint32_t seed;
	// One in so many, by chance; 0: none.
	uint32_t lost; // frames that were to go up
	uint32_t forgotten; // packets before which some flow is forgotten
	uint32_t in_parts; // packets with which an entry begins another part
	uint32_t cap_min, cap_max; // frames of other captured lengths are not taken; 0: of any
};

/* What user space did, and how often: a test that says so has seen it. */
struct offload_model_stats {
	uint64_t handed[2], handed_ended; // [0] that ask, [1] that follow
	uint64_t kept_decided, kept_undecided; // packets
	uint64_t decided, decided_again, looked, ended, not_found, drained;
	uint64_t repeated; // of decided_again: nothing changed by it
	uint64_t n_lost, n_forgotten;
	uint64_t n_flows; // now
	uint64_t waiting_bytes; // on flows without a verdict, now
};

struct offload_model;

struct offload_model *offload_model_new(const struct offload_model_config *config);
/* The seam; borrowed. */
const struct dp_offload *offload_model_offload(const struct offload_model *m);
void offload_model_stats(struct offload_model *m, struct offload_model_stats *ret_stats);
/* The first thing that user space did against the contract, or NULL. */
const char *offload_model_fault(struct offload_model *m);
void offload_model_free(struct offload_model *m);
