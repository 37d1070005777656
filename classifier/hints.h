// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What addresses are called, for one endpoint: by the DNS answers it received. So that a flow whose name is
 * not seen (ECH, a protocol without one) has an app all the same, of evidence `dns`.
 *
 * One table per worker, which has all packets of its endpoints; its thread only. Room is had at the start, its
 * pages as they are first touched: n hints, endpoints for a quarter of them, names stored once
 * (classifier/hint_names.h). One endpoint has at most CLS_HINTS_PER_ENDPOINT; beyond it, and in a full table, the
 * one that ends first goes.
 * Where there is no room for one more endpoint, all hints of the endpoint with the one that ends first go.
 * Event time, to the second; a hint lives its TTL, at least CLS_HINT_MIN_S (clients keep addresses longer
 * than they may) and at most CLS_HINT_MAX_S.
 *
 * What an endpoint's hints are depends on its own answers and their times alone, unless something was
 * forgotten for lack of room: that is counted. Neither on addresses of memory nor on the hash key. */

#include "dataplane/addr.h"
#include "dataplane/record.h"

enum {
	CLS_HINTS_PER_ENDPOINT = 256,
	CLS_HINT_MIN_S = 300,
	CLS_HINT_MAX_S = 86400,
};

struct cls_hints_counts {
	uint64_t put; // names and addresses said, again or anew
	uint64_t forgotten; // hints lost while they held, or never kept: the table was full
	uint32_t held; // in the table now, some of them over
};

struct cls_hints;
struct cls_hints *cls_hints_new(uint32_t n); // 1 <= n <= 2^28; NULL: no memory
void cls_hints_free(struct cls_hints *hints); // NULL is fine

/* server is called host (NUL-terminated, lower case, shorter than DP_HOST_MAX) for this endpoint from
 * now_ns on. Time does not run backwards. */
void cls_hints_put(struct cls_hints *hints, const struct dp_addr *endpoint,
	const struct dp_addr *server, const char *host, uint32_t ttl_s, uint64_t now_ns);

/* The name said last; NULL: none that still holds. Borrowed until the next put or get. */
const char *cls_hints_get(const struct cls_hints *hints, const struct dp_addr *endpoint,
	const struct dp_addr *server, uint64_t now_ns);

/* Borrowed as long as the table. */
const struct cls_hints_counts *cls_hints_counts(const struct cls_hints *hints);

/* What a table of n hints takes, with its names. */
size_t cls_hints_bytes(uint32_t n);
