// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow.h"

#include "dataplane/flow_wheel.h"
#include "dataplane/pages.h"

#include <errno.h>
#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	LINE = 64,
	FLOWS_PER_BUCKET =
		11, // of 15 links: when the table is full 2 % of the flows stand elsewhere
};

/* Zeroed and cache aligned; *ret_block is to be freed. */
static void *lines_new(size_t bytes, void **ret_block)
{
	*ret_block = calloc(1, bytes + LINE);
	if (*ret_block != NULL)
		dp_pages_want_large(*ret_block, bytes + LINE);
	return (void *)(((uintptr_t)*ret_block + LINE - 1) / LINE * LINE);
}

int dp_flow_table_init(struct dp_flow_table *t, uint32_t n_flows)
{
	const uint32_t n_buckets = n_flows / FLOWS_PER_BUCKET + 1;

	*t = (struct dp_flow_table){.n_flows = n_flows,
		.n_buckets = n_buckets,
		.index_bits = 32 - (unsigned int)__builtin_clz(n_flows)};
	t->flows = lines_new(((size_t)n_flows + 1) * sizeof(*t->flows), &t->flows_block);
	t->buckets = lines_new(n_buckets * sizeof(*t->buckets), &t->buckets_block);
	t->rest = calloc((size_t)n_flows + 1, sizeof(*t->rest));
	if (t->flows_block == NULL || t->buckets_block == NULL || t->rest == NULL ||
		dp_flow_wheels_init(t) < 0) {
		dp_flow_table_fini(t);
		return -ENOMEM;
	}
	dp_pages_want_large(t->rest, ((size_t)n_flows + 1) * sizeof(*t->rest));
	t->flows[DP_FLOW_NONE].id = DP_FLOW_FREE_ID;
	return 0;
}

void dp_flow_table_fini(struct dp_flow_table *t)
{
	free(t->flows_block);
	free(t->buckets_block);
	free(t->rest);
	dp_flow_wheels_fini(t);
	*t = (struct dp_flow_table){0};
}

void dp_flow_table_make_resident(struct dp_flow_table *t)
{
	memset(t->flows, 0, ((size_t)t->n_flows + 1) * sizeof(*t->flows));
	memset(t->rest, 0, ((size_t)t->n_flows + 1) * sizeof(*t->rest));
	memset(t->buckets, 0, t->n_buckets * sizeof(*t->buckets));
	t->flows[DP_FLOW_NONE].id = DP_FLOW_FREE_ID;
}

static uint32_t hash_ipv6(const uint64_t addr6[3], uint64_t id, uint64_t ports)
{
	const uint64_t a = dp_hash_mix(addr6[0], addr6[2]), b = dp_hash_mix(addr6[1], id);

	return (uint32_t)dp_hash_mix(dp_hash_mix(a, b), ports);
}

/* No jumps: the direction is as good as random. */
static bool is_behind(const uint64_t a[2], uint64_t a_port, const uint64_t b[2], uint64_t b_port)
{
	const bool low = (a[1] > b[1]) | ((a[1] == b[1]) & (a_port > b_port));

	return (a[0] > b[0]) | ((a[0] == b[0]) & low);
}

/* Turn a and b round where all bits of `swap` are set; none: leave them. */
static void turn(uint64_t *a, uint64_t *b, uint64_t swap)
{
	const uint64_t apart = (*a ^ *b) & swap;

	*a ^= apart;
	*b ^= apart;
}

void dp_flow_seek_ipv6(const struct dp_five_tuple *tuple, struct dp_flow_seek *ret_seek)
{
	struct dp_flow_seek *s = ret_seek;
	uint64_t a[2], b[2];
	uint64_t a_port = tuple->sport, b_port = tuple->dport;

	memcpy(a, tuple->src.b, sizeof(a));
	memcpy(b, tuple->dst.b, sizeof(b));
	s->is_swapped = is_behind(a, a_port, b, b_port);

	const uint64_t swap = -(uint64_t)s->is_swapped;

	turn(&a[0], &b[0], swap);
	turn(&a[1], &b[1], swap);
	turn(&a_port, &b_port, swap);
	s->addr6[0] = a[0];
	s->addr6[1] = b[0];
	s->addr6[2] = a[1];
	s->id = a[1] ^ b[1];
	s->ports = a_port | b_port << 16 | (uint64_t)tuple->l4_proto << DP_FLOW_PORTS_PROTO_SHIFT |
		DP_FLOW_PORTS_IPV6;
	s->hash = hash_ipv6(s->addr6, s->id, s->ports);
	s->flow = DP_FLOW_NONE;
}

static uint32_t bucket_of(const struct dp_flow_table *t, uint32_t hash)
{
	return (uint32_t)(dp_flow_bucket_of(t, hash) - t->buckets);
}

/* The bucket is chosen by the upper bits of the hash, these are the lower ones. */
static uint32_t tag_of(const struct dp_flow_table *t, uint32_t hash)
{
	return (uint32_t)((uint64_t)hash << t->index_bits);
}

static uint32_t index_mask(const struct dp_flow_table *t)
{
	return (uint32_t)((1ULL << t->index_bits) - 1);
}

/* Set of links with the tag. A free one has tag 0 and leads to index 0, which is no flow. */
static unsigned int matches(const struct dp_flow_bucket *bucket, uint32_t tag, uint32_t tag_mask)
{
	const unsigned int all = (1U << DP_FLOW_LINKS) - 1;
#ifdef __SSE2__
	const __m128i *v = (const __m128i *)bucket;
	const __m128i wanted = _mm_set1_epi32((int)tag), mask = _mm_set1_epi32((int)tag_mask);
	const __m128i a = _mm_cmpeq_epi32(_mm_and_si128(v[0], mask), wanted);
	const __m128i b = _mm_cmpeq_epi32(_mm_and_si128(v[1], mask), wanted);
	const __m128i c = _mm_cmpeq_epi32(_mm_and_si128(v[2], mask), wanted);
	const __m128i d = _mm_cmpeq_epi32(_mm_and_si128(v[3], mask), wanted);

	return all &
		(unsigned int)_mm_movemask_epi8(
			_mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d)));
#else
	unsigned int set = 0;

	for (unsigned int i = 0; i < DP_FLOW_LINKS; i++)
		set |= (unsigned int)((bucket->links[i] & tag_mask) == tag) << i;
	return set & all;
#endif
}

void dp_flow_prepare(const struct dp_flow_table *t, struct dp_flow_seek *seeks, unsigned int n)
{
	const struct dp_flow_table table = *t; // in registers: the hints written do not alias it
	const uint32_t mask = index_mask(&table);

	for (unsigned int i = 0; i < n; i++) {
		struct dp_flow_seek *s = &seeks[i];
		const struct dp_flow_bucket *bucket = dp_flow_bucket_of(&table, s->hash);
		const unsigned int set = matches(bucket, tag_of(&table, s->hash), ~mask);
		const uint32_t flow = set == 0 ? DP_FLOW_NONE
					       : bucket->links[__builtin_ctz(set)] & mask;
		const uint64_t *addr6 = table.rest[flow & dp_flow_if_ipv6(s)].addr6;

		s->flow = flow;
		__builtin_prefetch(&table.flows[flow], 1);
		__builtin_prefetch(&addr6[0]);
		__builtin_prefetch(&addr6[2]);
	}
}

static uint32_t next_bucket(const struct dp_flow_table *t, uint32_t b)
{
	return b + 1 == t->n_buckets ? 0 : b + 1;
}

uint32_t dp_flow_search(const struct dp_flow_table *t, const struct dp_flow_seek *seek)
{
	const uint32_t mask = index_mask(t), tag = tag_of(t, seek->hash);
	uint32_t b = bucket_of(t, seek->hash);

	// Flows that came and went may have left one behind each bucket: once around, not for ever.
	for (uint32_t n = 0; n < t->n_buckets; n++, b = next_bucket(t, b)) {
		const struct dp_flow_bucket *bucket = &t->buckets[b];

		for (unsigned int set = matches(bucket, tag, ~mask); set != 0; set &= set - 1) {
			const uint32_t i = bucket->links[__builtin_ctz(set)] & mask;

			if (dp_flow_is(t, i, seek))
				return i;
		}
		if (bucket->n_over == 0)
			break;
	}
	return DP_FLOW_NONE;
}

static int link_at(const struct dp_flow_bucket *bucket, uint32_t link)
{
	const unsigned int set = matches(bucket, link, UINT32_MAX);

	return set == 0 ? -1 : __builtin_ctz(set);
}

/* There is room: 15 links for each 11 flows. */
static void link_in(struct dp_flow_table *t, uint32_t flow, uint32_t hash)
{
	uint32_t b = bucket_of(t, hash);
	int i;

	for (; (i = link_at(&t->buckets[b], 0)) < 0; b = next_bucket(t, b))
		t->buckets[b].n_over++;
	t->buckets[b].links[i] = tag_of(t, hash) | flow;
}

static void link_out(struct dp_flow_table *t, uint32_t flow, uint32_t hash)
{
	const uint32_t link = tag_of(t, hash) | flow;
	uint32_t b = bucket_of(t, hash);
	int i;

	for (; (i = link_at(&t->buckets[b], link)) < 0; b = next_bucket(t, b))
		t->buckets[b].n_over--;
	t->buckets[b].links[i] = 0;
}

static uint32_t take_free(struct dp_flow_table *t)
{
	const uint32_t i = t->free_list;

	if (i != DP_FLOW_NONE)
		t->free_list = t->flows[i].next;
	else if (t->n_touched < t->n_flows)
		return ++t->n_touched;
	return i;
}

uint32_t dp_flow_add(struct dp_flow_table *t, const struct dp_flow_seek *seek, bool src_is_high,
	enum dp_flow_life life, uint64_t now_ns)
{
	const uint32_t i = take_free(t);
	const bool is_ipv6 = (seek->ports & DP_FLOW_PORTS_IPV6) != 0;

	if (i == DP_FLOW_NONE)
		return DP_FLOW_NONE;
	t->flows[i] = (struct dp_flow){
		.id = seek->id,
		.port = {(uint16_t)seek->ports, (uint16_t)(seek->ports >> 16)},
		.l4_proto = (uint8_t)(seek->ports >> DP_FLOW_PORTS_PROTO_SHIFT),
		.flags = (uint16_t)((is_ipv6 ? DP_FLOW_IPV6 : 0) |
			(src_is_high ? DP_FLOW_SRC_IS_HIGH : 0)),
		.last_ns = now_ns,
		.life = (uint8_t)life,
	};
	t->rest[i] = (struct dp_flow_rest){.first_ns = now_ns};
	if (is_ipv6)
		memcpy(t->rest[i].addr6, seek->addr6, sizeof(seek->addr6));
	link_in(t, i, seek->hash);
	if (t->n_used++ == 0)
		dp_flow_wheels_start(t, now_ns);
	dp_flow_wheels_link(t, i);
	return i;
}

void dp_flow_remove(struct dp_flow_table *t, uint32_t flow)
{
	struct dp_flow *f = &t->flows[flow];
	const uint64_t ports = dp_flow_ports(f);
	const uint32_t hash = (f->flags & DP_FLOW_IPV6) != 0
		? hash_ipv6(t->rest[flow].addr6, f->id, ports)
		: dp_flow_hash_ipv4(f->id, ports);

	link_out(t, flow, hash);
	dp_flow_wheels_unlink(t, flow);
	f->id = DP_FLOW_FREE_ID; // a hint may still point here
	f->flags = 0;
	f->next = t->free_list;
	t->free_list = flow;
	t->n_used--;
}

static struct dp_addr addr_of_ipv4(uint32_t addr)
{
	uint8_t be[4];

	memcpy(be, &addr, sizeof(be));
	return dp_addr_from_v4(be);
}

static struct dp_addr addr_of_ipv6(uint64_t high, uint64_t low)
{
	struct dp_addr a;

	memcpy(a.b, &high, sizeof(high));
	memcpy(a.b + sizeof(high), &low, sizeof(low));
	return a;
}

void dp_flow_tuple(const struct dp_flow_table *t, uint32_t flow, struct dp_five_tuple *ret_tuple)
{
	const struct dp_flow *f = &t->flows[flow];
	const uint64_t *addr6 = t->rest[flow].addr6;
	const bool is_high = (f->flags & DP_FLOW_SRC_IS_HIGH) != 0;
	struct dp_addr addr[2];

	if ((f->flags & DP_FLOW_IPV6) != 0) {
		addr[0] = addr_of_ipv6(addr6[0], addr6[2]);
		addr[1] = addr_of_ipv6(addr6[1], f->id ^ addr6[2]);
	} else {
		addr[0] = addr_of_ipv4((uint32_t)(f->id >> 32));
		addr[1] = addr_of_ipv4((uint32_t)f->id);
	}
	*ret_tuple = (struct dp_five_tuple){
		.src = addr[is_high],
		.dst = addr[!is_high],
		.sport = f->port[is_high],
		.dport = f->port[!is_high],
		.l4_proto = f->l4_proto,
	};
}
