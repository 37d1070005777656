// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What control/unknown.c gathers and control/unknown_report.c reads. Private to those two. */

#include "control/distinct.h"
#include "control/unknown.h"

enum {
	PARTS_MAX = 16, // of a group: 8 are kept when more come
	PARTS_KEPT = 8,
	ONE_PERSON = 2, // endpoints at a time: IPv4 and IPv6
	FEW_SERVERS = 3, // addresses of a network on a port that are still told apart
};

struct ctl_counts {
	uint64_t bytes, flows, weak_bytes;
	struct ctl_distinct subscribers;
};

/* Which text has most of the bytes: sure where one has more than half (Boyer and Moore, 1981). */
struct ctl_vote {
	const char *text; // interned; NULL: none yet
	uint64_t lead;
};

/* HOST: a name in the domain, or what several of them end in. SERVER: an address. */
struct ctl_part {
	char *name; // owned
	uint64_t missed; // bytes that it may have had before, at most
	bool is_seen; // a flow had this very name
	// HOST: more than ONE_PERSON endpoints have shown it. A name that only one has may say who he is.
	bool is_common;
	uint8_t n_endpoints; // while it is not
	struct dp_addr endpoints[ONE_PERSON];
	struct ctl_counts counts; // subscribers: of SERVER, while they are few
};

struct ctl_group {
	char *key; // owned: of its table
	char *name; // owned: domain, network, protocol
	const char *l4; // interned; NULL for HOST
	uint16_t port;
	uint8_t kind; // enum ctl_unknown_kind
	bool is_shared;
	uint64_t missed; // bytes that it may have had before, at most
	struct ctl_counts counts;
	struct ctl_vote proto, app;
	struct ctl_part *parts; // owned
	uint8_t n_parts;
	bool has_many; // more than FEW_SERVERS have been met
	uint64_t parts_missed; // most that a part which was let go had
};

/* Groups by key. Between n_kept and twice as many, so that sorting them is shared by many. */
struct ctl_groups {
	GHashTable *by_key; // key -> struct ctl_group, owned
	uint64_t missed; // most that a group which was let go had
};

struct ctl_unknown {
	const struct ctl_domains *domains;
	size_t n_kept;
	bool shows_names; // whoever has shown them
	struct ctl_groups hosts, servers, protocols;
	struct ctl_counts others, all; // others: let go
	GStringChunk *texts; // each once
};

void ctl_counts_merge(struct ctl_counts *counts, const struct ctl_counts *other);
void ctl_vote_add(struct ctl_vote *vote, const char *interned, uint64_t weight);
/* The key of the protocol's row that takes a server, when it is one of many. Owned by the caller. */
char *ctl_unknown_protocol_key(const char *l4, const char *proto);
