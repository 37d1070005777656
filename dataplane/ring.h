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

/* Owning worker only. The place of the next record, to be filled in (its bytes are those of an older
 * one) and published before the next claim; NULL when the ring is full and does not wait. */
struct dp_record *dp_ring_claim(struct dp_ring *ring);
void dp_ring_publish(struct dp_ring *ring);

/* Owning worker only: all of that with a copy. Returns false when the ring is full and does not wait. */
[[nodiscard]] bool dp_ring_post(struct dp_ring *ring, const struct dp_record *record);

/* Owning worker only. At least half of it is free: for what must not take the place of usage. */
bool dp_ring_is_roomy(const struct dp_ring *ring);

/* Control only. Returns how many were copied to records[0..max), of each as much as dp_record_size()
 * says. */
uint32_t dp_ring_take(struct dp_ring *ring, struct dp_record *records, uint32_t max);

/* From now on a full ring fails even if it was made to wait: control has stopped taking. */
void dp_ring_abandon(struct dp_ring *ring);

/* Records waiting, about. Any thread. */
uint32_t dp_ring_count(const struct dp_ring *ring);
