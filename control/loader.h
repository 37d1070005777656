// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Work that takes seconds and must not hold up the control loop, such as reading a catalogue of a
 * million hosts: one job at a time, in a thread of its own that has what the control thread's CPUs
 * leave over. */

#include "dataplane/err.h"

#include <stdbool.h>

struct event_base;
struct ctl_loader;

/* done: called in the thread of base, behind each job. */
[[nodiscard]] int ctl_loader_new(struct event_base *base, void (*done)(void *ctx), void *ctx,
	struct ctl_loader **ret_loader, struct dp_err *reterr);

/* Its done() is not called any more. Waits for a job that runs, patience_ms at most: one that reads a file of a dead
 * server may never end. Returns whether it has ended; else its thread goes on, and what it has must stay as it is until
 * the process ends. NULL is fine, and has ended. */
bool ctl_loader_stop(struct ctl_loader *loader, unsigned int patience_ms);

/* Stopped before, or without a job that runs; NULL is fine. One that would not stop stays. */
void ctl_loader_free(struct ctl_loader *loader);

/* Run job(ctx) in the thread. Until done() was called ctx is the thread's. Returns -EBUSY while another
 * job runs, or -errno; with a sentence. */
[[nodiscard]] int ctl_loader_start(
	struct ctl_loader *loader, void (*job)(void *ctx), void *ctx, struct dp_err *reterr);

bool ctl_loader_is_busy(const struct ctl_loader *loader);
