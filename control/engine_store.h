// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The engine's state in the store: what a tick changed goes into the journal, whole profiles are
 * rewritten behind it, a restart reads both.
 *
 *   CTL_TABLE_JOURNAL   key: end of the tick, ns. The profiles that it changed (profile_image.h),
 *                       and those it forgot.
 *   CTL_TABLE_PROFILES  key: profile id. Its image, as of some tick.
 *   CTL_META_ENGINE     event time, first packet, sums of the node, ids given, counts of triggers
 *                       and of what was withheld: as of the last tick.
 *
 * A round writes the image of every profile that had changed when it began, a slice a tick; when it
 * ends, the journal up to its begin is in the images and is cut. Control thread only. */

#include "control/batch.h"
#include "control/engine.h"
#include "control/seal.h"
#include "control/store.h"

/* After a tick (or advance) to end_ns: what it changed. Ticks that changed nothing still move event
 * time. Takes the marks of change off. */
void ctl_engine_journal(
	struct ctl_engine *engine, uint64_t end_ns, struct ctl_seal *seal, struct ctl_batch *batch);

/* Go on with the round for at most budget_ns (CLOCK_MONOTONIC), at least one profile; begin the
 * next one when it is due. everything: no pacing and no budget, for a clean stop. */
void ctl_engine_sweep(struct ctl_engine *engine, uint64_t end_ns, uint64_t budget_ns,
	bool everything, struct ctl_seal *seal, struct ctl_batch *batch);

/* Into a new engine that has seen nothing: profiles by n_threads threads, then the journal, then
 * persons as the facts tell them; arms the timers. *ret_watermark_ns: everything before is in it;
 * 0 = the store was empty. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_engine_restore(struct ctl_engine *engine, struct ctl_store *store,
	struct ctl_seal *seal, unsigned n_threads, uint64_t *ret_watermark_ns,
	struct dp_err *reterr);
