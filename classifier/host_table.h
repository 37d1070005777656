// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The hosts of a catalogue, by name: a million of them, and which are suffixes of a name on a label boundary.
 *
 * A slot is 8 bytes, a part of the hash and where the host stands; its name and what it means stand in one block,
 * so that most look-ups of a suffix nobody has end in the slots. One pass over a name makes the hashes of all its suffixes and
 * fetches their slots at once: what the memory takes is waited for once, and not for each label. A host is found when
 * its name is the same, whatever the hashes say. Filled once, then read-only; any thread. */

#include "classifier/catalogue.h"

struct cls_host_slot;

struct cls_host_table {
	uint64_t key[2]; // drawn for each table: which names meet is nobody's choice
	struct cls_host_slot *slots; // owned, open addressing, half of them free
	uint32_t n_slots;
	uint32_t longest_len; // of all hosts
	uint64_t depths[2]; // bit n: there is a host of n + 1 labels
	unsigned char *hosts; // owned, host after host
	size_t hosts_len, hosts_room; // bytes
};

/* Room for n_hosts names of n_bytes together, NULs not counted. Returns 0, -ENOMEM, or -EFBIG for more than
 * 2^30 hosts or 16 GB of names. */
[[nodiscard]] int cls_host_table_init(struct cls_host_table *t, size_t n_hosts, size_t n_bytes);
void cls_host_table_fini(struct cls_host_table *t);

/* host is kept in lower case. Returns 0; -EEXIST when it is there, *ret_first then says whose it is; -EINVAL when it is
 * empty, longer than CLS_HOST_MAX or has more than CLS_HOST_LABELS_MAX labels. Never more than was reserved. */
[[nodiscard]] int cls_host_table_add(struct cls_host_table *t, const char *host, size_t len,
	struct cls_match match, struct cls_match *ret_first);

/* The longest host that host[0..len) lies in, DP_APP_UNKNOWN without one; any bytes, a trailing dot is ignored. Looks at no
 * more than the last CLS_HOST_MAX + 1 bytes, and up as many labels as a host of the table has. */
struct cls_match cls_host_table_find(const struct cls_host_table *t, const char *host, size_t len);

/* All of them, the longest first, at most max; returns how many. */
size_t cls_host_table_rules(const struct cls_host_table *t, const char *host, size_t len,
	struct cls_host_rule *rules, size_t max);
