// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Where the frames of a port come from that are handed up: its program's samples, and in front of them those that
 * programs before it left (ebpf/past.h). Its receiver's thread, but for open, add and close. */

#include "dataplane/offload.h"
#include "ebpf/past.h"
#include "ebpf/samples.h"

#include <stddef.h>

enum { EBPF_WAY_PAST_MAX = 64 }; // as many starts that were cut short, or ports that are gone

struct ebpf_way {
	uint64_t offset_ns; // of event time (dataplane/receiver.h); written before threads start
	struct ebpf_samples *now; // borrowed
	struct ebpf_past_samples past[EBPF_WAY_PAST_MAX]; // owned
	size_t n_past;
};

void ebpf_way_open(struct ebpf_way *way, struct ebpf_samples *now);
void ebpf_way_close(struct ebpf_way *way); // one that is all 0 is fine

/* As ebpf_past_samples(). */
void ebpf_way_add_past(struct ebpf_way *way, struct ebpf_past *past, const char *interface);

/* As dp_offload_ops.take and .mark. */
int ebpf_way_take(struct ebpf_way *way,
	void (*got)(void *ctx, const struct dp_offload_frame *frame), void *ctx);
void ebpf_way_mark(struct ebpf_way *way, uint64_t end_ns);

/* Ticks that end until then are on the disk: give back their room, and what is over. */
void ebpf_way_release(struct ebpf_way *way, uint64_t end_ns);
