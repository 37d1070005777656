// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/said.h"

#include "dataplane/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dp_said_slot {
	uint32_t next; // in the bucket, or in the free list
	uint32_t n_refs;
	uint64_t hash;
	struct dp_said said;
};

static uint64_t hash_of(const struct dp_said *s, size_t host_len, size_t alias_len)
{
	const uint64_t rest = (uint64_t)s->basis << 40 | (uint64_t)s->has_ech << 32 |
		(uint64_t)s->ndpi_master << 16 | s->ndpi_app;
	const uint64_t h = dp_hash_mix(dp_hash_mix(s->risk_bits, rest), host_len);

	return dp_hash_bytes(dp_hash_bytes(h, s->host, host_len), s->alias, alias_len);
}

static bool is_same(const struct dp_said *a, const struct dp_said *b)
{
	return a->risk_bits == b->risk_bits && a->ndpi_master == b->ndpi_master &&
		a->ndpi_app == b->ndpi_app && a->has_ech == b->has_ech && a->basis == b->basis &&
		strcmp(a->host, b->host) == 0 && strcmp(a->alias, b->alias) == 0;
}

int dp_said_init(struct dp_said_table *t, uint32_t n)
{
	uint32_t n_buckets = 16;

	while (n_buckets < n)
		n_buckets *= 2;
	*t = (struct dp_said_table){.n_slots = n + 1, .bucket_mask = n_buckets - 1};
	t->slots = calloc(t->n_slots, sizeof(*t->slots));
	t->buckets = calloc(n_buckets, sizeof(*t->buckets));
	if (t->slots == NULL || t->buckets == NULL) {
		dp_said_fini(t);
		return -ENOMEM;
	}
	return 0;
}

void dp_said_fini(struct dp_said_table *t)
{
	free(t->slots);
	free(t->buckets);
	*t = (struct dp_said_table){0};
}

void dp_said_make_resident(struct dp_said_table *t)
{
	memset(t->slots, 0, (size_t)t->n_slots * sizeof(*t->slots));
	memset(t->buckets, 0, ((size_t)t->bucket_mask + 1) * sizeof(*t->buckets));
}

static uint32_t take_free(struct dp_said_table *t)
{
	const uint32_t id = t->free_list;

	if (id != DP_SAID_NONE)
		t->free_list = t->slots[id].next;
	else if (t->n_touched + 1 < t->n_slots)
		return ++t->n_touched;
	return id;
}

uint32_t dp_said_get(struct dp_said_table *t, const struct dp_said *said)
{
	if (is_same(said, dp_said_of(t, DP_SAID_NONE)))
		return DP_SAID_NONE;

	const size_t host_len = strlen(said->host), alias_len = strlen(said->alias);
	const uint64_t hash = hash_of(said, host_len, alias_len);
	uint32_t *const bucket = &t->buckets[hash & t->bucket_mask];

	for (uint32_t id = *bucket; id != DP_SAID_NONE; id = t->slots[id].next) {
		if (t->slots[id].hash == hash && is_same(&t->slots[id].said, said)) {
			t->slots[id].n_refs++;
			return id;
		}
	}

	const uint32_t id = take_free(t);

	if (id == DP_SAID_NONE) {
		t->n_refused++;
		return DP_SAID_NONE;
	}

	struct dp_said_slot *slot = &t->slots[id];

	slot->n_refs = 1;
	slot->hash = hash;
	slot->said = *said;
	// Notes carry the whole fields.
	memset(slot->said.host + host_len, 0, DP_HOST_MAX - host_len);
	memset(slot->said.alias + alias_len, 0, DP_ALIAS_MAX - alias_len);
	slot->next = *bucket;
	*bucket = id;
	return id;
}

void dp_said_put(struct dp_said_table *t, uint32_t id)
{
	struct dp_said_slot *slot = &t->slots[id];

	if (id == DP_SAID_NONE || --slot->n_refs > 0)
		return;

	uint32_t *link = &t->buckets[slot->hash & t->bucket_mask];

	while (*link != id)
		link = &t->slots[*link].next;
	*link = slot->next;
	slot->next = t->free_list;
	t->free_list = id;
}

const struct dp_said *dp_said_of(const struct dp_said_table *t, uint32_t id)
{
	return &t->slots[id].said;
}
