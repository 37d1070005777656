// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/usage.h"

#include "dataplane/hash.h"

#include <errno.h>
#include <stdlib.h>

enum { ACTIVE_SLOT_MS = 100 };
static const uint64_t NS_PER_SLOT = ACTIVE_SLOT_MS * 1000000ULL;

int dp_usage_init(
	struct dp_usage_table *t, uint32_t n_entries, struct dp_ring *ring, uint8_t worker)
{
	uint32_t n_buckets = 16;

	while (n_buckets < n_entries)
		n_buckets *= 2;
	*t = (struct dp_usage_table){.n_entries = n_entries,
		.bucket_mask = n_buckets - 1,
		.ring = ring,
		.worker = worker};
	t->entries = calloc((size_t)n_entries + 1, sizeof(*t->entries));
	t->buckets = calloc(n_buckets, sizeof(*t->buckets));
	if (t->entries == NULL || t->buckets == NULL) {
		dp_usage_fini(t);
		return -ENOMEM;
	}
	return 0;
}

void dp_usage_fini(struct dp_usage_table *t)
{
	free(t->entries);
	free(t->buckets);
	*t = (struct dp_usage_table){0};
}

static uint32_t *bucket_of(struct dp_usage_table *t, const struct dp_usage_key *key)
{
	uint64_t w[3];

	memcpy(w, key, sizeof(w));

	const uint64_t h = dp_hash_mix(dp_hash_mix(w[0], w[1]), w[2]);

	return &t->buckets[h & t->bucket_mask];
}

static uint32_t take_free(struct dp_usage_table *t)
{
	const uint32_t id = t->free_list;

	if (id != DP_USAGE_NONE)
		t->free_list = t->entries[id].next;
	else if (t->n_touched < t->n_entries)
		return ++t->n_touched;
	return id;
}

uint32_t dp_usage_get(struct dp_usage_table *t, const struct dp_usage_key *key)
{
	uint32_t *bucket = bucket_of(t, key);

	for (uint32_t id = *bucket; id != DP_USAGE_NONE; id = t->entries[id].next) {
		if (memcmp(&t->entries[id].key, key, sizeof(*key)) == 0) {
			t->entries[id].n_refs++;
			return id;
		}
	}

	const uint32_t id = take_free(t);

	if (id == DP_USAGE_NONE)
		return DP_USAGE_NONE;

	struct dp_usage_entry *e = &t->entries[id];

	*e = (struct dp_usage_entry){.key = *key, .n_refs = 1, .next = *bucket};
	*bucket = id;
	t->n_used++;
	return id;
}

static void release(struct dp_usage_table *t, uint32_t id)
{
	struct dp_usage_entry *e = &t->entries[id];
	uint32_t *link = bucket_of(t, &e->key);

	if (e->n_refs > 0 || e->is_dirty)
		return;
	while (*link != id)
		link = &t->entries[*link].next;
	*link = e->next;
	e->next = t->free_list;
	t->free_list = id;
	t->n_used--;
}

void dp_usage_put(struct dp_usage_table *t, uint32_t id)
{
	if (id == DP_USAGE_NONE)
		return;
	t->entries[id].n_refs--;
	release(t, id);
}

static void mark_dirty(struct dp_usage_table *t, uint32_t id, uint64_t tick)
{
	struct dp_usage_entry *e = &t->entries[id];

	e->is_dirty = true;
	e->tick = tick;
	e->list = tick == t->dirty[t->open].tick ? t->open : t->open ^ 1;
	e->dirty_next = DP_USAGE_NONE;
	e->dirty_prev = t->dirty[e->list].tail;
	if (e->dirty_prev != DP_USAGE_NONE)
		t->entries[e->dirty_prev].dirty_next = id;
	else
		t->dirty[e->list].head = id;
	t->dirty[e->list].tail = id;
}

static void mark_clean(struct dp_usage_table *t, struct dp_usage_entry *e)
{
	if (e->dirty_prev != DP_USAGE_NONE)
		t->entries[e->dirty_prev].dirty_next = e->dirty_next;
	else
		t->dirty[e->list].head = e->dirty_next;
	if (e->dirty_next != DP_USAGE_NONE)
		t->entries[e->dirty_next].dirty_prev = e->dirty_prev;
	else
		t->dirty[e->list].tail = e->dirty_prev;
	e->is_dirty = false;
}

static bool post_kind(struct dp_usage_table *t, const struct dp_usage_entry *e,
	enum dp_record_kind kind, struct dp_usage *counts)
{
	const struct dp_record r = {
		.tick = e->tick,
		.endpoint = e->key.endpoint,
		.app = e->key.app,
		.tag = e->key.tag,
		.kind = (uint8_t)kind,
		.evidence = e->key.evidence,
		.is_ambiguous = e->key.is_ambiguous,
		.worker = t->worker,
		.usage = *counts,
	};

	if (counts->packets[0] + counts->packets[1] + counts->n_new_flows == 0)
		return true;
	if (!dp_ring_post(t->ring, &r)) {
		t->n_postponed++;
		return false;
	}
	*counts = (struct dp_usage){0};
	return true;
}

/* Turn the entry's counts into records. False when the ring is full: what was not posted stays. */
static bool post(struct dp_usage_table *t, struct dp_usage_entry *e)
{
	return post_kind(t, e, DP_RECORD_USAGE, &e->counts) &&
		post_kind(t, e, DP_RECORD_MOVE, &e->moved);
}

/* Make the entry ready for counts of tick. With the ring full the older counts stay and are
 * reported together with the new ones, one tick late: postponed, not lost. */
static struct dp_usage_entry *open_entry(struct dp_usage_table *t, uint32_t id, uint64_t tick)
{
	struct dp_usage_entry *e = &t->entries[id];

	if (e->is_dirty && e->tick != tick) {
		(void)post(t, e);
		mark_clean(t, e);
	}
	if (!e->is_dirty)
		mark_dirty(t, id, tick);
	return e;
}

/* Before u counts what lies in the span. */
static void span(struct dp_usage *u, uint64_t first_ns, uint64_t last_ns)
{
	const bool is_empty = u->packets[0] + u->packets[1] + u->n_new_flows == 0;

	if (is_empty || first_ns < u->first_ns)
		u->first_ns = first_ns;
	if (last_ns > u->last_ns)
		u->last_ns = last_ns;
}

void dp_usage_add(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns,
	unsigned int dir, uint32_t n_packets, uint32_t ip_bytes)
{
	struct dp_usage_entry *e = open_entry(t, id, tick);
	const uint64_t slot = time_ns / NS_PER_SLOT;

	span(&e->counts, time_ns, time_ns);
	e->counts.bytes[dir] += ip_bytes;
	e->counts.packets[dir] += n_packets;
	if (e->last_slot != slot) {
		e->last_slot = slot;
		e->counts.active_ms += ACTIVE_SLOT_MS;
	}
}

void dp_usage_add_flow(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns)
{
	struct dp_usage_entry *e = open_entry(t, id, tick);

	span(&e->counts, time_ns, time_ns);
	e->counts.n_new_flows++;
}

void dp_usage_move(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_usage *undecided)
{
	if (undecided->packets[0] + undecided->packets[1] == 0)
		return; // known from the first packet on

	struct dp_usage_entry *e = open_entry(t, id, tick);

	span(&e->moved, undecided->first_ns, undecided->last_ns);
	for (unsigned int dir = 0; dir < 2; dir++) {
		e->moved.bytes[dir] += undecided->bytes[dir];
		e->moved.packets[dir] += undecided->packets[dir];
	}
}

void dp_usage_open_tick(struct dp_usage_table *t, uint64_t tick)
{
	t->dirty[t->open].tick = tick;
}

void dp_usage_close_tick(struct dp_usage_table *t, uint64_t next_tick)
{
	t->open ^= 1;
	t->dirty[t->open].tick = next_tick;
}

bool dp_usage_flush(struct dp_usage_table *t, unsigned int max)
{
	const uint8_t closing = t->open ^ 1;

	for (; max > 0 && t->dirty[closing].head != DP_USAGE_NONE; max--) {
		const uint32_t id = t->dirty[closing].head;
		struct dp_usage_entry *e = &t->entries[id];
		const bool is_posted = post(t, e);

		mark_clean(t, e);
		if (is_posted)
			release(t, id);
		else
			mark_dirty(t, id, t->dirty[t->open].tick);
	}
	return t->dirty[closing].head == DP_USAGE_NONE;
}
