// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the model of an offload (tests/unit/offload_model.h) has counted for the entries of one worker. */

#include "dataplane/offload.h"

#include <stdbool.h>
#include <stddef.h>

struct offload_parts {
	struct dp_offload_usage *parts; // owned; [0] to n - 1
	uint64_t *ticks; // likewise, of parts
	uint32_t *latest; // owned, by entry: the part that counts now, UINT32_MAX: none
	size_t n, room;
};

/* Memory that there is, or the program ends: a test's. */
void *offload_need(void *memory);

void offload_parts_init(struct offload_parts *p, uint32_t n_entries);
void offload_parts_fini(struct offload_parts *p);

/* Where an entry counts a packet of tick; first_ns, of another part than before: when it was of another tick, or
 * begins. Borrowed until the next call. */
struct dp_offload_usage *offload_parts_of(
	struct offload_parts *p, uint32_t id, uint64_t tick, uint64_t first_ns, bool begins);

/* As dp_offload_ops.drain. */
uint32_t offload_parts_drain(
	struct offload_parts *p, uint64_t end_ns, struct dp_offload_usage *ret, uint32_t max);
