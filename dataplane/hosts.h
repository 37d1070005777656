// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Names of flows, each stored once and counted: millions of flows share thousands of names.
 *
 * One table per worker, its thread only. Sized at start; when full a flow stays without a name,
 * which is counted. */

#include "dataplane/record.h"

#include <stdint.h>

enum { DP_HOST_NONE = 0 };

struct dp_hosts {
	struct dp_host *slots; // [0] is DP_HOST_NONE
	uint32_t *buckets;
	uint32_t n_slots, bucket_mask;
	uint32_t n_touched; // slots ever used; the pages beyond cost nothing yet
	uint32_t free_list; // of those
	uint64_t n_refused;
};

/* n_names >= 1. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_hosts_init(struct dp_hosts *h, uint32_t n_names);
void dp_hosts_fini(struct dp_hosts *h);

/* Touch all of an unused table, so that nothing is left to be had later. */
void dp_hosts_make_resident(struct dp_hosts *h);

/* A reference to name (NUL-terminated, < DP_HOST_MAX bytes); DP_HOST_NONE for "" or a full table. */
uint32_t dp_hosts_get(struct dp_hosts *h, const char *name);

/* Give a reference back; DP_HOST_NONE is fine. */
void dp_hosts_put(struct dp_hosts *h, uint32_t id);

/* Borrowed until the reference is given back; "" for DP_HOST_NONE. */
const char *dp_hosts_name(const struct dp_hosts *h, uint32_t id);
