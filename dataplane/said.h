// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the classifier said of flows besides their app: names, protocols of the library, risks, whether
 * the hello was encrypted, and how all that came about, so that it can judge again. Each combination is stored once and counted: millions of flows share
 * thousands of them.
 *
 * One table per worker, its thread only. Sized at start; when full a flow stays without, which is
 * counted. */

#include "dataplane/record.h"

#include <stdint.h>

enum { DP_SAID_NONE = 0 };

struct dp_said {
	uint64_t risk_bits;
	uint16_t ndpi_master, ndpi_app;
	bool has_ech; // the name is the outer one of an encrypted hello
	uint8_t basis; // the classifier's own (classifier/resolve.h)
	char host[DP_HOST_MAX]; // NUL-terminated, bytes behind are 0
	char alias[DP_ALIAS_MAX]; // likewise
};

struct dp_said_table {
	struct dp_said_slot *slots; // [0] is DP_SAID_NONE
	uint32_t *buckets;
	uint32_t n_slots, bucket_mask;
	uint32_t n_touched; // slots ever used; the pages beyond cost nothing yet
	uint32_t free_list; // of those
	uint64_t n_refused;
};

/* n >= 1. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_said_init(struct dp_said_table *t, uint32_t n);
void dp_said_fini(struct dp_said_table *t);

/* Touch all of an unused table, so that nothing is left to be had later. */
void dp_said_make_resident(struct dp_said_table *t);

/* A reference to the same; what stands behind the NUL of a name does not matter here. DP_SAID_NONE when
 * all of it is 0, false and "", or the table is full. */
uint32_t dp_said_get(struct dp_said_table *t, const struct dp_said *said);

/* Give a reference back; DP_SAID_NONE is fine. */
void dp_said_put(struct dp_said_table *t, uint32_t id);

/* Borrowed until the reference is given back; all 0 and "" for DP_SAID_NONE. */
const struct dp_said *dp_said_of(const struct dp_said_table *t, uint32_t id);
