// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Of many flows those with most bytes, and the sum of all. Memory is bounded by how many are kept (336
 * bytes each, taken as they come). Pure; one thread. */

#include "dataplane/record.h"

#include <stddef.h>
#include <stdint.h>

struct ctl_flow_totals {
	uint64_t flows, up_bytes, down_bytes, packets;
};

struct ctl_flow_pick;

/* n_kept: at least 1. */
struct ctl_flow_pick *ctl_flow_pick_new(size_t n_kept);
void ctl_flow_pick_free(struct ctl_flow_pick *pick); // NULL is fine

/* An END or LIVING note; copied. */
void ctl_flow_pick_add(struct ctl_flow_pick *pick, const struct dp_record *note);

/* Put them in order: most bytes first, then the older one. Once, before what follows. */
void ctl_flow_pick_seal(struct ctl_flow_pick *pick);
size_t ctl_flow_pick_count(const struct ctl_flow_pick *pick);
const struct dp_record *ctl_flow_pick_at(const struct ctl_flow_pick *pick, size_t i);

struct ctl_flow_totals ctl_flow_pick_totals(const struct ctl_flow_pick *pick);

/* Bytes that the endpoint sent (is_up), or received. */
uint64_t ctl_flow_bytes(const struct dp_record *note, bool is_up);
