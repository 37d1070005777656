// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow.h"

#include "dataplane/hash.h"

#include <errno.h>
#include <stdlib.h>

static const uint64_t NS_PER_S = 1000000000;

/* Start values; RFC 5382 and RFC 4787 ask NATs for longer ones, but a flow that comes back is
 * merged again by its 5-tuple. */
static const uint64_t life_ns[DP_FLOW_LIFE_COUNT] = {
	[DP_FLOW_TCP] = 300 * NS_PER_S,
	[DP_FLOW_TCP_CLOSED] = 10 * NS_PER_S,
	[DP_FLOW_UDP] = 180 * NS_PER_S,
	[DP_FLOW_OTHER] = 60 * NS_PER_S,
};

int dp_flow_table_init(struct dp_flow_table *t, uint32_t n_flows)
{
	uint32_t n_buckets = 16;

	while (n_buckets < n_flows)
		n_buckets *= 2;
	*t = (struct dp_flow_table){.n_flows = n_flows, .bucket_mask = n_buckets - 1};
	t->flows = calloc((size_t)n_flows + 1, sizeof(*t->flows));
	t->buckets = calloc(n_buckets, sizeof(*t->buckets));
	if (t->flows == NULL || t->buckets == NULL) {
		dp_flow_table_fini(t);
		return -ENOMEM;
	}
	return 0;
}

void dp_flow_table_fini(struct dp_flow_table *t)
{
	free(t->flows);
	free(t->buckets);
	*t = (struct dp_flow_table){0};
}

static uint64_t side(const struct dp_addr *a, uint16_t port)
{
	uint64_t w[2];

	memcpy(w, a->b, sizeof(w));
	return dp_hash_mix(dp_hash_mix(w[0], w[1]), port);
}

uint32_t dp_flow_hash(const struct dp_five_tuple *t)
{
	// The sum does not know which side is which.
	return (uint32_t)dp_hash_mix(
		side(&t->src, t->sport) + side(&t->dst, t->dport), t->l4_proto);
}

static bool same(const struct dp_five_tuple *a, const struct dp_five_tuple *b)
{
	return a->l4_proto == b->l4_proto && a->sport == b->sport && a->dport == b->dport &&
		dp_addr_cmp(&a->src, &b->src) == 0 && dp_addr_cmp(&a->dst, &b->dst) == 0;
}

static bool reverse(const struct dp_five_tuple *a, const struct dp_five_tuple *b)
{
	return a->l4_proto == b->l4_proto && a->sport == b->dport && a->dport == b->sport &&
		dp_addr_cmp(&a->src, &b->dst) == 0 && dp_addr_cmp(&a->dst, &b->src) == 0;
}

struct dp_flow *dp_flow_find(struct dp_flow_table *t, const struct dp_five_tuple *tuple,
	uint32_t hash, bool *ret_is_reverse)
{
	for (uint32_t i = t->buckets[hash & t->bucket_mask]; i != DP_FLOW_NONE;
		i = t->flows[i].next) {
		struct dp_flow *f = &t->flows[i];

		if (f->hash != hash)
			continue;
		*ret_is_reverse = false;
		if (same(&f->tuple, tuple))
			return f;
		*ret_is_reverse = true;
		if (reverse(&f->tuple, tuple))
			return f;
	}
	return NULL;
}

static uint32_t index_of(const struct dp_flow_table *t, const struct dp_flow *f)
{
	return (uint32_t)(f - t->flows);
}

static void idle_unlink(struct dp_flow_table *t, struct dp_flow *f)
{
	if (f->idle_prev != DP_FLOW_NONE)
		t->flows[f->idle_prev].idle_next = f->idle_next;
	else
		t->idle[f->life].head = f->idle_next;
	if (f->idle_next != DP_FLOW_NONE)
		t->flows[f->idle_next].idle_prev = f->idle_prev;
	else
		t->idle[f->life].tail = f->idle_prev;
}

static void idle_append(struct dp_flow_table *t, struct dp_flow *f)
{
	const uint32_t i = index_of(t, f);

	f->idle_next = DP_FLOW_NONE;
	f->idle_prev = t->idle[f->life].tail;
	if (f->idle_prev != DP_FLOW_NONE)
		t->flows[f->idle_prev].idle_next = i;
	else
		t->idle[f->life].head = i;
	t->idle[f->life].tail = i;
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

struct dp_flow *dp_flow_add(struct dp_flow_table *t, const struct dp_five_tuple *tuple,
	uint32_t hash, enum dp_flow_life life, uint64_t now_ns)
{
	const uint32_t i = take_free(t);

	if (i == DP_FLOW_NONE)
		return NULL;

	struct dp_flow *f = &t->flows[i];

	*f = (struct dp_flow){.tuple = *tuple,
		.hash = hash,
		.life = (uint8_t)life,
		.first_ns = now_ns,
		.last_ns = now_ns,
		.counted_ns = now_ns,
		.next = t->buckets[hash & t->bucket_mask]};
	t->buckets[hash & t->bucket_mask] = i;
	idle_append(t, f);
	t->n_used++;
	return f;
}

void dp_flow_touch(
	struct dp_flow_table *t, struct dp_flow *f, enum dp_flow_life life, uint64_t now_ns)
{
	const bool is_same_second = f->last_ns / NS_PER_S == now_ns / NS_PER_S;

	f->last_ns = now_ns;
	if (is_same_second && f->life == life)
		return; // the list is ordered to the second: most packets leave it alone
	idle_unlink(t, f);
	f->life = (uint8_t)life;
	idle_append(t, f);
}

void dp_flow_remove(struct dp_flow_table *t, struct dp_flow *f)
{
	const uint32_t i = index_of(t, f);
	uint32_t *link = &t->buckets[f->hash & t->bucket_mask];

	while (*link != i)
		link = &t->flows[*link].next;
	*link = f->next;
	idle_unlink(t, f);
	f->next = t->free_list;
	t->free_list = i;
	t->n_used--;
}

uint64_t dp_flow_expiry_ns(const struct dp_flow *f)
{
	return (f->last_ns / NS_PER_S + 1) * NS_PER_S + life_ns[f->life];
}

struct dp_flow *dp_flow_expired(struct dp_flow_table *t, uint64_t now_ns)
{
	for (int life = 0; life < DP_FLOW_LIFE_COUNT; life++) {
		const uint32_t i = t->idle[life].head;

		if (i != DP_FLOW_NONE && dp_flow_expiry_ns(&t->flows[i]) <= now_ns)
			return &t->flows[i];
	}
	return NULL;
}

struct dp_flow *dp_flow_oldest(struct dp_flow_table *t)
{
	struct dp_flow *oldest = NULL;

	for (int life = 0; life < DP_FLOW_LIFE_COUNT; life++) {
		const uint32_t i = t->idle[life].head;

		if (i != DP_FLOW_NONE && (oldest == NULL || t->flows[i].last_ns < oldest->last_ns))
			oldest = &t->flows[i];
	}
	return oldest;
}
