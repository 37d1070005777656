// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The record ring: one worker writes, control reads. rte_ring with elements of struct dp_record. */

#include "dataplane/record.h"

#include <stdint.h>

struct dp_ring;

/* n_records: a power of two. waits: a post to a full ring waits for control (replay) instead of
 * failing (live). Returns NULL when memory runs out. */
struct dp_ring *dp_ring_new(uint32_t n_records, bool waits);
void dp_ring_free(struct dp_ring *ring);

/* Owning worker only. Returns false when the ring is full and does not wait; nothing was written. */
[[nodiscard]] bool dp_ring_post(struct dp_ring *ring, const struct dp_record *record);

/* Control only. Returns how many were copied to records[0..max). */
uint32_t dp_ring_take(struct dp_ring *ring, struct dp_record *records, uint32_t max);

/* From now on a full ring fails even if it was made to wait: control has stopped taking. */
void dp_ring_abandon(struct dp_ring *ring);

/* Records waiting, about. Any thread. */
uint32_t dp_ring_count(const struct dp_ring *ring);
