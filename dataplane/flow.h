// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of one worker: both directions of an innermost 5-tuple.
 *
 * Two arrays with one index: struct dp_flow is what a packet of a known flow touches, one cache line
 * (IPv6: a second one, its addresses, because identity never rests on a hash), struct dp_flow_rest what
 * a beginning, a verdict or an end needs. A hash of 4-byte links, one line a bucket, finds the index. All memory is had at
 * start, nothing is allocated later. Owned and used by one worker's thread.
 *
 * A flow is over its life span behind the second of its last packet. It waits for that on the wheel of
 * its life span, a list per second; a packet does not move it, but when its second comes round it is put
 * where it belongs by now, so that ageing costs a look per flow and life span. A full table gives up the
 * flow that has been idle longest. */

#include "dataplane/flow_life.h"
#include "dataplane/hash.h"
#include "dataplane/packet.h"
#include "dataplane/stage.h"

#include <stddef.h>

enum { DP_FLOW_NONE = 0 }; // index; the pool starts at 1

enum dp_flow_flag {
	DP_FLOW_FINAL = 1 << 0, // the classifier wants nothing more
	DP_FLOW_SYN_START = 1 << 1,
	DP_FLOW_FIN_SRC = 1 << 2, // FIN seen from src, from dst
	DP_FLOW_FIN_DST = 1 << 3,
	DP_FLOW_RST = 1 << 4,
	DP_FLOW_WATCHED = 1 << 5, // instead of FINAL: decided, and yet the classifier hears it
	DP_FLOW_ENDPOINT_IS_SRC = 1 << 6,
	DP_FLOW_AMBIGUOUS = 1 << 7,
	DP_FLOW_FRAGMENTS = 1 << 8, // fragments without ports: nothing to classify
	DP_FLOW_TALKED = 1 << 9, // TCP: somebody sent something behind the handshake
	DP_FLOW_IPV6 = 1 << 10,
	DP_FLOW_SRC_IS_HIGH = 1 << 11, // src is the second of the canonical order
	// What dp_flow_rest.scratch holds, one of DP_SCRATCH_*, for direction ..._DIR (0: from src).
	DP_FLOW_SCRATCH_DIR = 1 << 12,
	DP_FLOW_SCRATCH = 3 << 13,
	DP_SCRATCH_NONE = 0 << 13,
	DP_SCRATCH_STAGE = 1 << 13, // the classifier's state
	DP_SCRATCH_RTT = 2 << 13, // a segment whose acknowledgement is waited for (dataplane/tcp.h)
	DP_SCRATCH_HOLE = 3 << 13, // bytes that are missing (dataplane/tcp.h)
	DP_FLOW_LOOK = 1 << 15, // TCP: the next packets are looked at closely (dataplane/tcp.h)
	DP_FLOW_SCRATCH_BITS = DP_FLOW_SCRATCH | DP_FLOW_SCRATCH_DIR | DP_FLOW_LOOK,
};

struct dp_flow {
	// The key, in canonical order: lower address, then lower port, where addresses are compared as
	// numbers of the bytes as they lie in memory. IPv4: first address << 32 | second. IPv6: of the
	// two lower halves, so that with one of them the other is known.
	uint64_t id;
	uint16_t port[2]; // in canonical order, host order
	uint8_t l4_proto;
	uint8_t effort; // packets handed to the classifier, 255 is that or more
	uint16_t flags; // enum dp_flow_flag
	uint64_t last_ns; // of the last packet counted; first_ns while there is none
	uint32_t bytes_low[2]; // [0] src to dst
	uint16_t bytes_high[2]; // 48 bits: 281 TB
	uint32_t packets_low[2];
	uint8_t packets_high[2]; // 40 bits
	uint8_t life; // enum dp_flow_life
	uint8_t overtaken; // TCP: data that is missing no longer than this, 2^14 ns (dataplane/tcp.h)
	uint32_t usage; // entry this flow counts on (dataplane/usage.h)
	union {
		uint32_t next; // in the free list
		uint32_t put_at; // last_ns when it was put on the wheel, 2^20 ns, modulo 2^32
	};
	uint32_t next_seq[2]; // TCP: behind the highest byte seen from src, from dst
};
static_assert(sizeof(struct dp_flow) == 64, "a packet of a known flow touches one line");

/* Ring of the flows of a wheel's second. Above n_flows stand the rings' heads. */
struct dp_flow_link {
	uint32_t prev, next;
};

struct dp_flow_rest {
	uint64_t addr6[3]; // IPv6: high halves of both, low half of the first, as in the header
	uint64_t first_ns;
	union {
		void *stage_state; // DP_SCRATCH_STAGE
		struct {
			uint32_t seq; // acknowledges it
			uint32_t us; // when it passed, modulo 2^32
		} rtt;
		struct {
			uint32_t seq; // of the first missing byte
			uint16_t bytes; // UINT16_MAX: that or more
			uint16_t at; // when it was noticed, 2^14 ns, modulo 2^16
		} hole;
	} scratch;
	uint32_t syn_seq;
	uint32_t said; // dataplane/said.h: name, protocols, risks and ECH that the verdict brought
	struct dp_flow_link wheel;
};
static_assert(
	sizeof(struct dp_flow_rest) == 56, "with the line above and its links 128 bytes a flow");

enum { DP_FLOW_SECONDS = 512 }; // on a wheel, a power of two above all life spans

/* Flows by the second at which they are looked at: never behind that of their end, as it was known when
 * they were put there, unless that had passed. */
struct dp_flow_wheels {
	uint64_t
		second; // reached: nothing waits for an earlier one, or for one DP_FLOW_SECONDS later
	struct dp_flow_link *heads; // [life * DP_FLOW_SECONDS + second % DP_FLOW_SECONDS]
	uint32_t n_sampled; // where dp_flow_oldest() looked, in steps
	uint64_t is_used[DP_FLOW_LIFE_COUNT][DP_FLOW_SECONDS / 64]; // a bit per head
};

enum { DP_FLOW_LINKS = 15 };

/* A line of links to flows: index and, in the bits above, some of the hash, so that almost always only
 * the flow that is looked for is touched. What does not fit goes to the next bucket with room. */
struct dp_flow_bucket {
	uint32_t links[DP_FLOW_LINKS]; // 0: free
	uint32_t n_over; // flows of this bucket or one before that stand in one behind
};
static_assert(sizeof(struct dp_flow_bucket) == 64);

struct dp_flow_table {
	struct dp_flow *flows; // cache aligned; [0] is not used
	struct dp_flow_rest *rest; // of the same index
	struct dp_flow_bucket *buckets; // cache aligned, 6 bytes a flow
	uint32_t n_buckets;
	uint32_t index_bits; // of a link; the others are the hash's
	uint32_t n_flows; // capacity
	uint32_t n_used;
	uint32_t n_touched; // the pool beyond was never used: its pages cost nothing yet
	uint32_t free_list; // of those that were
	void *flows_block, *buckets_block; // what these were cut out of
	struct dp_flow_wheels wheels; // dataplane/flow_wheel.h
};

extern const uint64_t dp_flow_life_ns[DP_FLOW_LIFE_COUNT];

/* What a packet's tuple is looked for by. */
struct dp_flow_seek {
	uint64_t id;
	uint64_t ports; // port[2], l4_proto and DP_FLOW_IPV6 as they stand in struct dp_flow
	uint64_t addr6[3]; // valid when IPv6
	uint32_t hash;
	uint32_t flow; // where dp_flow_prepare() thinks it is: only a hint, DP_FLOW_NONE before
	bool is_swapped; // the tuple's src is the second of the canonical order
};

/* n_flows >= 1, at most 2^31. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_flow_table_init(struct dp_flow_table *t, uint32_t n_flows);
void dp_flow_table_fini(struct dp_flow_table *t);
/* Touch all of an unused table, so that nothing is left to be had later; in huge pages where the kernel
 * has them. */
void dp_flow_table_make_resident(struct dp_flow_table *t);

/* For a burst of packets, n <= DP_FLOW_BURST_MAX, each behind dp_flow_fetch(): writes the hints and starts to
 * fetch the flows. Changes nothing in the table. */
enum { DP_FLOW_BURST_MAX = 64 };
void dp_flow_prepare(const struct dp_flow_table *t, struct dp_flow_seek *seeks, unsigned int n);

/* A new flow, zeroed but for key, SRC_IS_HIGH, IPV6, life, first_ns and last_ns, on the wheel;
 * DP_FLOW_NONE when the table is full: then the caller ends dp_flow_oldest() first.
 * src_is_high: the first of the canonical order is not the flow's src. The flow must not be there. */
uint32_t dp_flow_add(struct dp_flow_table *t, const struct dp_flow_seek *seek, bool src_is_high,
	enum dp_flow_life life, uint64_t now_ns);

/* From now on another life span. */
void dp_flow_set_life(struct dp_flow_table *t, uint32_t flow, enum dp_flow_life life);

/* Take the flow out; its index is free. Its stage state must be gone already. */
void dp_flow_remove(struct dp_flow_table *t, uint32_t flow);

/* src and dst as the flow began. */
void dp_flow_tuple(const struct dp_flow_table *t, uint32_t flow, struct dp_five_tuple *ret_tuple);

/* When the flow is over if nothing more comes: its life span behind the second of last_ns. */
uint64_t dp_flow_expiry_ns(const struct dp_flow *flow);

/* A flow that is over at now_ns, or DP_FLOW_NONE. Looks at *max flows at most and takes what it looked
 * at off *max; *max == 0 on return: call again, there may be more. now_ns does not run backwards: behind
 * the second of an earlier call nothing is over. The flow stays in the table until the caller removes
 * it. */
uint32_t dp_flow_expired(struct dp_flow_table *t, uint64_t now_ns, unsigned int *max);

/* A flow that dp_flow_expired() or dp_flow_oldest() named has had packets since: its last_ns is written. */
void dp_flow_put_back(struct dp_flow_table *t, uint32_t flow);

/* The flow to give up when the table is full: the one idle longest, to the second, and of those hardly one
 * that saw packets since it was looked at; as far as a bounded number of steps can tell. DP_FLOW_NONE when
 * the table is empty. */
uint32_t dp_flow_oldest(struct dp_flow_table *t);

/* Id of a free flow: no IPv4 tuple's, as its lower address is the higher one, and IPV6 is not set. */
#define DP_FLOW_FREE_ID 0xffffffff00000000ULL

static inline bool dp_flow_is_used(const struct dp_flow *f)
{
	return f->id != DP_FLOW_FREE_ID || (f->flags & DP_FLOW_IPV6) != 0;
}

/* Inside: the search behind a hint that failed, and the hash of an IPv6 tuple's halves. */
uint32_t dp_flow_search(const struct dp_flow_table *t, const struct dp_flow_seek *seek);
void dp_flow_seek_ipv6(const struct dp_five_tuple *tuple, struct dp_flow_seek *ret_seek);

static_assert(
	__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the word of ports is put together by shifts");

#define DP_FLOW_PORTS_PROTO_SHIFT 32
#define DP_FLOW_PORTS_IPV6_BIT 58
#define DP_FLOW_PORTS_IPV6 ((uint64_t)1 << DP_FLOW_PORTS_IPV6_BIT)
#define DP_FLOW_PORTS_MASK (0xffffffffffULL | DP_FLOW_PORTS_IPV6)

static_assert(DP_FLOW_PORTS_IPV6 == (uint64_t)DP_FLOW_IPV6 << 48);

static inline uint32_t dp_flow_hash_ipv4(uint64_t id, uint64_t ports)
{
	return (uint32_t)(dp_hash_mix(id, ports) * dp_hash_key[1] >> 32);
}

/* Key and hash of a tuple, the same for both directions but for is_swapped. Pure. */
static inline void dp_flow_seek(const struct dp_five_tuple *tuple, struct dp_flow_seek *ret_seek)
{
	const uint32_t mapped = 0xffff0000; // ::ffff:a.b.c.d (RFC 4291 2.5.5.2), bytes 8 to 11
	uint64_t zeros[2];
	uint32_t prefix[2], addr[2], ports;

	memcpy(&zeros[0], tuple->src.b, 8);
	memcpy(&zeros[1], tuple->dst.b, 8);
	memcpy(&prefix[0], tuple->src.b + 8, 4);
	memcpy(&prefix[1], tuple->dst.b + 8, 4);
	if ((zeros[0] | zeros[1]) != 0 || prefix[0] != mapped || prefix[1] != mapped) {
		dp_flow_seek_ipv6(tuple, ret_seek);
		return;
	}
	memcpy(&addr[0], tuple->src.b + 12, 4);
	memcpy(&addr[1], tuple->dst.b + 12, 4);
	static_assert(offsetof(struct dp_five_tuple, dport) ==
		offsetof(struct dp_five_tuple, sport) + sizeof(tuple->sport));
	memcpy(&ports, &tuple->sport, 4);

	const uint64_t id = (uint64_t)addr[0] << 32 | addr[1], turned = id << 32 | id >> 32;
	const uint32_t turned_ports = ports << 16 | ports >> 16;
	const bool is_swapped = id == turned ? turned_ports > ports : id > turned;

	ret_seek->id = id > turned ? turned : id;
	ret_seek->ports = (is_swapped ? turned_ports : ports) |
		(uint64_t)tuple->l4_proto << DP_FLOW_PORTS_PROTO_SHIFT;
	ret_seek->hash = dp_flow_hash_ipv4(ret_seek->id, ret_seek->ports);
	ret_seek->flow = DP_FLOW_NONE;
	ret_seek->is_swapped = is_swapped;
}

static inline struct dp_flow_bucket *dp_flow_bucket_of(const struct dp_flow_table *t, uint32_t hash)
{
	return &t->buckets[(uint64_t)hash * t->n_buckets >> 32];
}

/* Start to fetch the line that says where the flow is. */
static inline void dp_flow_fetch(const struct dp_flow_table *t, const struct dp_flow_seek *seek)
{
	__builtin_prefetch(dp_flow_bucket_of(t, seek->hash));
}

static inline uint64_t dp_flow_ports(const struct dp_flow *f)
{
	uint64_t word;

	memcpy(&word, (const char *)f + offsetof(struct dp_flow, port), sizeof(word));
	return word & DP_FLOW_PORTS_MASK;
}

/* All bits of it where the tuple is of IPv6, else none. */
static inline uint64_t dp_flow_if_ipv6(const struct dp_flow_seek *seek)
{
	return -(seek->ports >> DP_FLOW_PORTS_IPV6_BIT & 1);
}

/* Whether the index holds what is looked for. A free one holds nothing that can be. No jump asks for the
 * family: the next packet's is as good as random. */
static inline bool dp_flow_is(
	const struct dp_flow_table *t, uint32_t flow, const struct dp_flow_seek *seek)
{
	const struct dp_flow *f = &t->flows[flow];
	const uint64_t if_ipv6 = dp_flow_if_ipv6(seek);
	const uint64_t *r = t->rest[flow & if_ipv6].addr6, *s = seek->addr6;
	const uint64_t apart6 = (r[0] ^ s[0]) | (r[1] ^ s[1]) | (r[2] ^ s[2]);

	return ((f->id ^ seek->id) | (dp_flow_ports(f) ^ seek->ports) | (apart6 & if_ipv6)) == 0;
}

/* Index of the flow, or DP_FLOW_NONE. Looks at the hint first. */
static inline uint32_t dp_flow_find(const struct dp_flow_table *t, const struct dp_flow_seek *seek)
{
	if (dp_flow_is(t, seek->flow, seek))
		return seek->flow;
	return dp_flow_search(t, seek);
}

/* dp_flow_expiry_ns() <= now_ns. */
static inline bool dp_flow_is_over(const struct dp_flow *flow, uint64_t now_ns)
{
	return dp_flow_has_ended(flow->last_ns, dp_flow_life_ns[flow->life], now_ns);
}

static inline uint64_t dp_flow_bytes(const struct dp_flow *f, unsigned int dir)
{
	return (uint64_t)f->bytes_high[dir] << 32 | f->bytes_low[dir];
}

static inline uint64_t dp_flow_packets(const struct dp_flow *f, unsigned int dir)
{
	return (uint64_t)f->packets_high[dir] << 32 | f->packets_low[dir];
}

/* Counts of any size. */
static inline void dp_flow_add_counts(
	struct dp_flow *f, unsigned int dir, uint64_t n_packets, uint64_t bytes)
{
	const uint64_t all_bytes = dp_flow_bytes(f, dir) + bytes;
	const uint64_t all_packets = dp_flow_packets(f, dir) + n_packets;

	f->bytes_low[dir] = (uint32_t)all_bytes;
	f->bytes_high[dir] = (uint16_t)(all_bytes >> 32);
	f->packets_low[dir] = (uint32_t)all_packets;
	f->packets_high[dir] = (uint8_t)(all_packets >> 32);
}

static inline void dp_flow_count(
	struct dp_flow *f, unsigned int dir, uint32_t n_packets, uint32_t bytes)
{
	f->bytes_high[dir] += __builtin_add_overflow(f->bytes_low[dir], bytes, &f->bytes_low[dir]);
	f->packets_high[dir] += __builtin_add_overflow(
		f->packets_low[dir], n_packets, &f->packets_low[dir]);
}
