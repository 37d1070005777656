// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How TCP connections fare: sums of the workers' quality records, and those of the node. Pure; whoever
 * has them keeps the threads apart. */

#include "dataplane/record.h"

#include <jansson.h>
#include <stddef.h>

struct ctl_rtts {
	uint64_t n, us; // round trips measured, and their sum
};

/* As struct dp_quality, of any span of time. */
struct ctl_quality {
	uint64_t segments[2], retransmitted[2], out_of_order[2], zero_windows[2], resets[2];
	uint64_t handshakes_failed;
	struct ctl_rtts handshake_rtt[2], data_rtt[2];
};

void ctl_quality_add(struct ctl_quality *to, const struct dp_quality *from);

bool ctl_quality_is_nothing(const struct ctl_quality *q);

/* Mean in us, rounded down; 0 when there is none. */
uint64_t ctl_rtts_mean_us(const struct ctl_rtts *rtts);

enum { CTL_QUALITY_SECONDS = 60 };

/* The node: since the start, and the last minute of event time. All zero: nothing yet. */
struct ctl_quality_node {
	struct ctl_quality all;
	uint64_t last_s; // the second the last tick ended in
	struct {
		uint64_t s;
		struct ctl_quality sum;
	} seconds[CTL_QUALITY_SECONDS]; // by second, modulo
};

/* A complete tick, whose end_ns is the first instant behind it; records of another kind are skipped. */
void ctl_quality_node_tick(
	struct ctl_quality_node *node, uint64_t end_ns, const struct dp_record *records, size_t n);

/* Two rows, for what endpoints sent and for what was sent to them, for the start and for the last
 * minute each. Owned by the caller. */
json_t *ctl_quality_node_json(const struct ctl_quality_node *node);
