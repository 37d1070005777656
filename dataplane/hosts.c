// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/hosts.h"

#include "dataplane/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dp_host {
	uint32_t next; // in the bucket, or in the free list
	uint32_t n_refs;
	uint64_t hash;
	char name[DP_HOST_MAX];
};

static uint64_t hash_name(const char *name)
{
	const size_t len = strlen(name);
	uint64_t h = len;

	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t w = 0;

		memcpy(&w, name + i, len - i < sizeof(w) ? len - i : sizeof(w));
		h = dp_hash_mix(h, w);
	}
	return h;
}

int dp_hosts_init(struct dp_hosts *h, uint32_t n_names)
{
	uint32_t n_buckets = 16;

	while (n_buckets < n_names)
		n_buckets *= 2;
	*h = (struct dp_hosts){.n_slots = n_names + 1, .bucket_mask = n_buckets - 1};
	h->slots = calloc(h->n_slots, sizeof(*h->slots));
	h->buckets = calloc(n_buckets, sizeof(*h->buckets));
	if (h->slots == NULL || h->buckets == NULL) {
		dp_hosts_fini(h);
		return -ENOMEM;
	}
	return 0;
}

void dp_hosts_fini(struct dp_hosts *h)
{
	free(h->slots);
	free(h->buckets);
	*h = (struct dp_hosts){0};
}

void dp_hosts_make_resident(struct dp_hosts *h)
{
	memset(h->slots, 0, (size_t)h->n_slots * sizeof(*h->slots));
	memset(h->buckets, 0, ((size_t)h->bucket_mask + 1) * sizeof(*h->buckets));
}

static uint32_t take_free(struct dp_hosts *h)
{
	const uint32_t id = h->free_list;

	if (id != DP_HOST_NONE)
		h->free_list = h->slots[id].next;
	else if (h->n_touched + 1 < h->n_slots)
		return ++h->n_touched;
	return id;
}

uint32_t dp_hosts_get(struct dp_hosts *h, const char *name)
{
	if (name[0] == '\0')
		return DP_HOST_NONE;

	const uint64_t hash = hash_name(name);
	uint32_t *const bucket = &h->buckets[hash & h->bucket_mask];

	for (uint32_t id = *bucket; id != DP_HOST_NONE; id = h->slots[id].next) {
		if (h->slots[id].hash == hash && strcmp(h->slots[id].name, name) == 0) {
			h->slots[id].n_refs++;
			return id;
		}
	}

	const uint32_t id = take_free(h);

	if (id == DP_HOST_NONE) {
		h->n_refused++;
		return DP_HOST_NONE;
	}

	struct dp_host *slot = &h->slots[id];

	slot->n_refs = 1;
	slot->hash = hash;
	memset(slot->name, 0, sizeof(slot->name)); // notes carry the whole field
	memcpy(slot->name, name, strlen(name) + 1);
	slot->next = *bucket;
	*bucket = id;
	return id;
}

void dp_hosts_put(struct dp_hosts *h, uint32_t id)
{
	struct dp_host *slot = &h->slots[id];

	if (id == DP_HOST_NONE || --slot->n_refs > 0)
		return;

	uint32_t *link = &h->buckets[slot->hash & h->bucket_mask];

	while (*link != id)
		link = &h->slots[*link].next;
	*link = slot->next;
	slot->next = h->free_list;
	h->free_list = id;
}

const char *dp_hosts_name(const struct dp_hosts *h, uint32_t id)
{
	return h->slots[id].name;
}
