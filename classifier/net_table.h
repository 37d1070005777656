// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which network of a catalogue an address lies in; of several the smallest.
 *
 * Prefixes of any number, one inside another or not, are made ranges that do not meet: a look-up is one binary
 * search, whatever lies in what. Made once, then read-only; any thread. */

#include "dataplane/addr.h"
#include "dataplane/record.h"

#include <stddef.h>

struct cls_net {
	struct dp_prefix prefix; // bits behind its length do not count
	uint32_t app;
};

/* Of IPv4, by the last 32 bits of the address. */
struct cls_range4 {
	uint32_t begin;
	uint32_t app;
};

struct cls_net_table {
	// Where each range begins, ascending, the first at 0, and whose it is up to the next one.
	unsigned __int128 *begins;
	uint32_t *apps; // DP_APP_UNKNOWN: no network is there
	size_t n;
	// Those of IPv4 once more, and for each value of an address's first bits the range where it is looked for first.
	struct cls_range4 *ranges4;
	size_t n4;
	uint32_t *firsts4;
	unsigned int shift4; // bits of an address behind the first ones
};

/* nets[0..n) is sorted meanwhile, and not kept. Returns 0, -ENOMEM, or -EEXIST for a prefix that is there twice:
 * nets[*ret_first] and the next one. */
[[nodiscard]] int cls_net_table_init(
	struct cls_net_table *t, struct cls_net *nets, size_t n, size_t *ret_first);
void cls_net_table_fini(struct cls_net_table *t);

/* The app, DP_APP_UNKNOWN where no network is. */
uint32_t cls_net_table_find(const struct cls_net_table *t, const struct dp_addr *addr);
