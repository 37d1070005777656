// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows that ended lately: a bounded FIFO of their END notes.
 *
 * Each has a number that counts from 0 and is never given again, so who reads in slices notices what
 * was overwritten meanwhile. Memory (some 344 bytes a note) is touched only as it fills for the first
 * time. Control thread only. */

#include "dataplane/err.h"
#include "dataplane/record.h"

#include <stddef.h>
#include <stdint.h>

struct ctl_recent;

/* Room for n_kept > 0 notes. Returns 0, or -ENOMEM with a sentence. */
[[nodiscard]] int ctl_recent_new(
	size_t n_kept, struct ctl_recent **ret_recent, struct dp_err *reterr);
void ctl_recent_free(struct ctl_recent *recent); // NULL is fine

/* Copied; the oldest gives way. n_dropped: notes that workers had no room for until now, a counter
 * that only grows. */
void ctl_recent_add(struct ctl_recent *recent, const struct dp_record *note, uint64_t n_dropped);

/* Numbers of the oldest one kept and of the next one to come; equal: there is none. */
uint64_t ctl_recent_first(const struct ctl_recent *recent);
uint64_t ctl_recent_next(const struct ctl_recent *recent);

/* One of first..next-1; borrowed until the next one is added. */
const struct dp_record *ctl_recent_at(const struct ctl_recent *recent, uint64_t number);

/* What was said of notes dropped when it was added. */
uint64_t ctl_recent_dropped_at(const struct ctl_recent *recent, uint64_t number);
