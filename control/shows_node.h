// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the process says of itself: who it is, since when, and what its clocks say. Who asks twice
 * divides what counters grew by with these, and knows a process that was started anew. Control
 * thread only. */

#include "control/request.h"

#include <stdint.h>

/* When the process was ready to answer. Set once. */
struct ctl_node_start {
	int64_t monotonic_us;
	uint64_t utc_ns;
};

struct ctl_node_start ctl_node_start_now(void);

/* A handler of ctl_show_table. */
void ctl_show_node(void *ctx, const json_t *args, struct ctl_reply *reply);
