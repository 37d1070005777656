// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Tuples and look-ups for the tests of the flow table. */

#include "dataplane/flow.h"

#include <netinet/in.h>

static const uint64_t S = 1000000000;

static inline struct dp_five_tuple tuple_v4(uint32_t client, uint16_t sport)
{
	const uint8_t src[4] = {
		10, (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client};
	const uint8_t dst[4] = {203, 0, 113, 9};

	return (struct dp_five_tuple){.src = dp_addr_from_v4(src),
		.dst = dp_addr_from_v4(dst),
		.sport = sport,
		.dport = 443,
		.l4_proto = IPPROTO_TCP};
}

/* Both addresses in 2001:db8::/32, all halves depend on client. */
static inline struct dp_five_tuple tuple_v6(uint32_t client, uint16_t sport)
{
	struct dp_five_tuple t = tuple_v4(client, sport);

	t.src = (struct dp_addr){{0x20, 0x01, 0x0d, 0xb8, 1, 0, (uint8_t)(client >> 8),
		(uint8_t)client, 2, 0, 0, 0, (uint8_t)(client >> 24), (uint8_t)(client >> 16),
		(uint8_t)(client >> 8), (uint8_t)client}};
	t.dst = (struct dp_addr){{0x20, 0x01, 0x0d, 0xb8, 0, 9, [13] = (uint8_t)(client >> 16),
		[14] = (uint8_t)(client >> 8), [15] = (uint8_t)(client * 7)}};
	return t;
}

static inline struct dp_five_tuple turned(const struct dp_five_tuple *t)
{
	return (struct dp_five_tuple){.src = t->dst,
		.dst = t->src,
		.sport = t->dport,
		.dport = t->sport,
		.l4_proto = t->l4_proto};
}

static inline bool is_same_tuple(const struct dp_five_tuple *a, const struct dp_five_tuple *b)
{
	return a->l4_proto == b->l4_proto && a->sport == b->sport && a->dport == b->dport &&
		dp_addr_cmp(&a->src, &b->src) == 0 && dp_addr_cmp(&a->dst, &b->dst) == 0;
}

static inline struct dp_flow_seek seek_of(const struct dp_five_tuple *tuple)
{
	struct dp_flow_seek s;

	dp_flow_seek(tuple, &s);
	return s;
}

/* A flow whose src is the tuple's. */
static inline uint32_t add_tuple(struct dp_flow_table *t, const struct dp_five_tuple *tuple,
	enum dp_flow_life life, uint64_t now_ns)
{
	const struct dp_flow_seek s = seek_of(tuple);

	return dp_flow_add(t, &s, s.is_swapped, life, now_ns);
}

static inline uint32_t add(
	struct dp_flow_table *t, uint32_t client, enum dp_flow_life life, uint64_t now_ns)
{
	const struct dp_five_tuple k = tuple_v4(client, 50000);

	return add_tuple(t, &k, life, now_ns);
}

static inline uint32_t find(const struct dp_flow_table *t, const struct dp_five_tuple *tuple)
{
	const struct dp_flow_seek s = seek_of(tuple);

	return dp_flow_find(t, &s);
}

static inline uint64_t life_s(enum dp_flow_life life)
{
	return dp_flow_life_ns[life] / S;
}
