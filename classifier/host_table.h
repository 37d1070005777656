// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The hosts of a catalogue, by name: a million of them, and which are suffixes of a name on a label boundary.
 *
 * A slot is 4 bytes, some of the hash and where the host stands; its name and what it means stand in one block, so
 * that what nobody has mostly ends in the slots. One pass over a name makes the hashes of all its suffixes and fetches
 * their slots at once: that wait for memory is for all labels together. A host is found when its name is the
 * same, whatever the hashes say. Filled once, then read-only; any thread. */

#include "classifier/catalogue.h"

struct cls_host_table {
	uint64_t key[2]; // drawn for each table: which names meet is nobody's choice
	uint32_t *slots; // owned, open addressing in groups, at least half of them 0: free
	uint32_t n_slots;
	uint32_t place_mask; // bits of a slot that are a place in hosts, the others are of the hash
	uint32_t longest_len; // of all hosts
	uint64_t depths[2]; // bit n: there is a host of n + 1 labels
	unsigned char *hosts; // owned, host after host
	size_t hosts_len, hosts_room; // bytes
};

/* Room for n_hosts names of n_bytes together, NULs not counted. Returns 0, -ENOMEM, or -EFBIG when they take
 * more than 1 GB. */
[[nodiscard]] int cls_host_table_init(struct cls_host_table *t, size_t n_hosts, size_t n_bytes);
void cls_host_table_fini(struct cls_host_table *t);

/* host is kept in lower case. Returns 0; -EEXIST when it is there, *ret_first then says whose it is; -EINVAL when it is
 * empty, longer than CLS_HOST_MAX or has more than CLS_HOST_LABELS_MAX labels. Never more than was reserved. */
[[nodiscard]] int cls_host_table_add(struct cls_host_table *t, const char *host, size_t len,
	struct cls_match match, struct cls_match *ret_first);

/* The longest host that host[0..len) lies in, DP_APP_UNKNOWN without one; any bytes, a trailing dot is ignored. Looks at no
 * more than the last CLS_HOST_MAX + 1 bytes, and for no suffix of more labels than a host has. */
struct cls_match cls_host_table_find(const struct cls_host_table *t, const char *host, size_t len);

/* All of them, the longest first, at most max; returns how many. */
size_t cls_host_table_rules(const struct cls_host_table *t, const char *host, size_t len,
	struct cls_host_rule *rules, size_t max);
