// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/datagram_state.h"
#include "dataplane/hash.h"
#include "dataplane/pages.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	// Adds between two calls of dp_datagrams_next(): a fragment, those inside it.
	N_SPARE_ENTRIES = DP_DATAGRAM_NESTING_MAX,
	N_SPARE_BUFFERS = 1, // the one that is lent
};

static void append(struct dp_datagram_link *list, uint32_t i)
{
	list[i] = (struct dp_datagram_link){.prev = list[0].prev};
	list[list[0].prev].next = i;
	list[0].prev = i;
}

static void take_out(struct dp_datagram_link *list, uint32_t i)
{
	list[list[i].prev].next = list[i].next;
	list[list[i].next].prev = list[i].prev;
}

static uint32_t index_of(const struct dp_datagrams *d, const struct dp_datagram_entry *e)
{
	return (uint32_t)(e - d->entries);
}

static uint32_t bucket_of(const struct dp_datagrams *d, const struct dp_datagram_key *key)
{
	uint64_t w[5], h;

	memcpy(w, key, sizeof(w));
	h = dp_hash_mix(w[0], w[1]);
	h = dp_hash_mix(w[2] ^ h, w[3]);
	return (uint32_t)dp_hash_mix(w[4] ^ h, h) & d->bucket_mask;
}

/* --- entries --------------------------------------------------------------------------------- */

struct dp_datagram_entry *dp_datagram_find(
	struct dp_datagrams *d, const struct dp_datagram_key *key)
{
	for (uint32_t i = d->buckets[bucket_of(d, key)]; i != 0; i = d->entries[i].next) {
		if (memcmp(&d->entries[i].key, key, sizeof(*key)) == 0)
			return &d->entries[i];
	}
	return NULL;
}

struct dp_datagram_entry *dp_datagram_begin(
	struct dp_datagrams *d, const struct dp_datagram_key *key, uint64_t now_ns)
{
	const uint32_t i = d->free_entry, bucket = bucket_of(d, key);
	struct dp_datagram_entry *e = &d->entries[i];

	assert(i != 0);
	d->free_entry = e->next;
	e->key = *key;
	e->next = d->buckets[bucket];
	e->bucket = bucket;
	d->buckets[bucket] = i;
	d->n_used++;
	append(d->ages, i);
	dp_datagram_begin_again(d, e, now_ns);
	return e;
}

void dp_datagram_begin_again(struct dp_datagrams *d, struct dp_datagram_entry *e, uint64_t now_ns)
{
	const uint32_t i = index_of(d, e);

	assert(e->buffer == 0 && e->waiting.n_frames == 0);
	take_out(d->ages, i);
	append(d->ages, i);
	e->kind = DP_DATAGRAM_UNKNOWN;
	e->is_whole = false;
	e->is_given_up = false;
	e->begin_ns = now_ns;
	dp_ranges_init(&e->ranges);
}

void dp_datagram_remove(struct dp_datagrams *d, struct dp_datagram_entry *e)
{
	const uint32_t i = index_of(d, e);
	uint32_t *link = &d->buckets[e->bucket];

	dp_datagram_put_buffer(d, e);
	while (*link != i)
		link = &d->entries[*link].next;
	*link = e->next;
	take_out(d->ages, i);
	e->waiting = (struct dp_datagram_sum){0};
	e->next = d->free_entry;
	d->free_entry = i;
	d->n_used--;
}

struct dp_datagram_entry *dp_datagram_oldest(const struct dp_datagrams *d)
{
	return d->ages[0].next == 0 ? NULL : &d->entries[d->ages[0].next];
}

void dp_datagram_give_up(struct dp_datagrams *d, struct dp_datagram_entry *e, dp_counter *reason)
{
	if (e->is_given_up)
		return;
	e->is_given_up = true;
	dp_count(reason, 1);
	dp_datagram_put_buffer(d, e);
}

/* --- buffers --------------------------------------------------------------------------------- */

void dp_datagram_take_buffer(struct dp_datagrams *d, struct dp_datagram_entry *e)
{
	if (d->free_buffer == 0) // at most one is lent, and there are two or more
		dp_datagram_give_up(d, &d->entries[d->holders[0].next], &d->counters.crowded);
	e->buffer = d->free_buffer;

	struct dp_datagram_buffer *b = &d->buffers[e->buffer];

	d->free_buffer = b->next_free;
	b->header_len = 0;
	b->n_held = DP_DATAGRAM_BYTES;
	append(d->holders, index_of(d, e));
}

static void free_buffer(struct dp_datagrams *d, uint32_t i)
{
	d->buffers[i].next_free = d->free_buffer;
	d->free_buffer = i;
}

void dp_datagram_lend_buffer(struct dp_datagrams *d, struct dp_datagram_entry *e)
{
	d->lent = e->buffer;
	e->buffer = 0;
	take_out(d->holders, index_of(d, e));
}

void dp_datagram_put_buffer(struct dp_datagrams *d, struct dp_datagram_entry *e)
{
	if (e->buffer == 0)
		return;
	free_buffer(d, e->buffer);
	e->buffer = 0;
	take_out(d->holders, index_of(d, e));
}

void dp_datagram_put_lent(struct dp_datagrams *d, uint32_t lent)
{
	if (lent == 0)
		return;
	free_buffer(d, lent);
	if (d->lent == lent)
		d->lent = 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

/* n + 1 elements that have their memory now. NULL when there is none. */
static void *new_array(uint32_t n, size_t size)
{
	void *array = malloc(((size_t)n + 1) * size);

	if (array == NULL)
		return NULL;
	dp_pages_want_large(array, ((size_t)n + 1) * size);
	memset(array, 0, ((size_t)n + 1) * size);
	return array;
}

static bool fill(struct dp_datagrams *d)
{
	const uint32_t n_buffers = d->cfg.n_buffers + N_SPARE_BUFFERS;

	d->n_entries = d->cfg.n_datagrams + N_SPARE_ENTRIES;
	d->bucket_mask = 2 * d->cfg.n_datagrams - 1;
	d->entries = new_array(d->n_entries, sizeof(*d->entries));
	d->ages = new_array(d->n_entries, sizeof(*d->ages));
	d->holders = new_array(d->n_entries, sizeof(*d->holders));
	d->buckets = new_array(d->bucket_mask, sizeof(*d->buckets));
	d->buffers = new_array(n_buffers, sizeof(*d->buffers));
	if (d->entries == NULL || d->ages == NULL || d->holders == NULL || d->buckets == NULL ||
		d->buffers == NULL)
		return false;
	for (uint32_t i = d->n_entries; i > 0; i--) {
		d->entries[i].next = d->free_entry;
		d->free_entry = i;
	}
	for (uint32_t i = n_buffers; i > 0; i--)
		free_buffer(d, i);
	return true;
}

int dp_datagrams_new(const struct dp_datagram_config *config, const struct dp_endpoint_nets *nets,
	struct dp_datagrams **ret_datagrams)
{
	struct dp_datagrams *d = calloc(1, sizeof(*d));

	assert(config->n_buffers > 0 && config->n_datagrams > 0 &&
		(config->n_datagrams & (config->n_datagrams - 1)) == 0);
	if (d == NULL)
		return -ENOMEM;
	d->cfg = *config;
	d->nets = nets;
	if (!fill(d)) {
		dp_datagrams_free(d);
		return -ENOMEM;
	}
	*ret_datagrams = d;
	return 0;
}

void dp_datagrams_free(struct dp_datagrams *d)
{
	if (d == NULL)
		return;
	free(d->entries);
	free(d->ages);
	free(d->holders);
	free(d->buckets);
	free(d->buffers);
	free(d);
}
