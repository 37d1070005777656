// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* From the workers' rings to closed ticks.
 *
 * A tick is complete when every worker has closed it. Its usage, move and quality records are then
 * sorted by (endpoint, kind, app, tag, evidence), merged, and handed on as one batch, so that what follows does not
 * depend on the number of workers or on when bursts began. Flow notes are handed on as they come.
 * Control thread only. */

#include "dataplane/path.h"

#include <stdbool.h>
#include <stddef.h>

struct ctl_collect;

struct ctl_collect_ops {
	/* A complete tick: n records, borrowed for the call; end_ns is the first instant behind it. */
	void (*tick)(void *ctx, uint64_t end_ns, const struct dp_record *records, size_t n);
	/* Copies of signalling of a tick that is complete, by time, ahead of it. NULL: not wanted. */
	void (*signalling)(void *ctx, const struct dp_signalling *message);
	void (*note)(void *ctx, const struct dp_record *note); // NULL: not wanted
	/* The worker has told of its flows that live, as it was asked (dp_path_tell). NULL: not wanted. */
	void (*told)(void *ctx, uint16_t worker, uint64_t request);
};

/* path and ops are borrowed. */
struct ctl_collect *ctl_collect_new(struct dp_path *path, uint16_t n_workers, uint64_t tick_ns,
	const struct ctl_collect_ops *ops, void *ctx);
void ctl_collect_free(struct ctl_collect *c);

/* A record that no worker of ours posted: usage, of the first tick that is complete after it or a later one. Copied. */
void ctl_collect_add(struct ctl_collect *c, const struct dp_record *record);

/* Take what waits, hand on what is complete. Returns true when anything was taken. */
bool ctl_collect_poll(struct ctl_collect *c);

/* End of the last complete tick, ns; 0 before the first: the watermark. */
uint64_t ctl_collect_watermark(const struct ctl_collect *c);
