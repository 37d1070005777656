// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Spans of event time of which not everything was seen, because wirecue did not run, a port was down or
 * frames were lost: said, never silence.
 *
 * The newest CTL_GAPS_MAX are kept, in memory and in CTL_TABLE_GAPS (key: begin, ns). Control
 * thread only. */

#include "control/batch.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CTL_GAPS_MAX = 256 };

struct ctl_gap {
	uint64_t from_ns, to_ns; // event time, [from, to)
	char cause[128];
};

struct ctl_gaps;

struct ctl_gaps *ctl_gaps_new(void);
void ctl_gaps_free(struct ctl_gaps *gaps);

/* Note one, later than all before (or in place of the one that begins with it), and put it into the
 * batch (NULL: none). */
void ctl_gaps_add(struct ctl_gaps *gaps, const struct ctl_gap *gap, struct ctl_batch *batch);

/* One that lasts. Its begin is what it is known by, so that of two that begin with each other the later
 * one begins a nanosecond later: gap->from_ns is moved. The next ctl_gaps_save() has it. */
void ctl_gaps_begin(struct ctl_gaps *gaps, struct ctl_gap *gap);

/* It has become longer, or its cause is known better. False when it had to go for newer ones, and is
 * forgotten. */
[[nodiscard]] bool ctl_gaps_change(struct ctl_gaps *gaps, const struct ctl_gap *gap);

/* Put what has begun or changed since the last call into the batch. */
void ctl_gaps_save(struct ctl_gaps *gaps, struct ctl_batch *batch);

/* Read one back; a ctl_store_fn, ctx is the gaps. -EBADMSG when it is none. */
int ctl_gaps_load(void *ctx, uint64_t key, const void *value, size_t len);

size_t ctl_gaps_count(const struct ctl_gaps *gaps);
const struct ctl_gap *ctl_gaps_at(const struct ctl_gaps *gaps, size_t i); // oldest first

/* [{"from":…,"to":…,"seconds":…,"cause":…}], oldest first; owned by the caller. */
json_t *ctl_gaps_json(const struct ctl_gaps *gaps);
