// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/usage.h"

#include "dataplane/hash.h"
#include "dataplane/pages.h"

enum { SLOT_MS = DP_USAGE_SLOT_NS / 1000000 };

int dp_usage_init(struct dp_usage_table *t, uint32_t n_entries, uint32_t n_endpoints,
	struct dp_ring *ring, uint8_t worker)
{
	uint32_t n_buckets = 16;

	while (n_buckets < n_entries && n_buckets < 1U << 31)
		n_buckets *= 2;
	*t = (struct dp_usage_table){.open_mark = 1,
		.n_entries = n_entries,
		.bucket_mask = n_buckets - 1,
		.ring = ring,
		.worker = worker};
	// An entry is filled when it is handed out: before, its pages cost nothing.
	t->hot = aligned_alloc(sizeof(*t->hot), ((size_t)n_entries + 1) * sizeof(*t->hot));
	t->rest = malloc(((size_t)n_entries + 1) * sizeof(*t->rest));
	t->buckets = calloc(n_buckets, sizeof(*t->buckets));
	if (t->hot == NULL || t->rest == NULL || t->buckets == NULL ||
		dp_dirty_init(&t->dirty, n_entries) < 0 ||
		dp_quality_init(&t->quality, n_endpoints, ring, worker) < 0) {
		dp_usage_fini(t);
		return -ENOMEM;
	}
	dp_pages_want_large(t->hot, ((size_t)n_entries + 1) * sizeof(*t->hot));
	dp_pages_want_large(t->rest, ((size_t)n_entries + 1) * sizeof(*t->rest));
	dp_pages_want_large(t->buckets, (size_t)n_buckets * sizeof(*t->buckets));
	return 0;
}

void dp_usage_fini(struct dp_usage_table *t)
{
	free(t->hot);
	free(t->rest);
	free(t->buckets);
	dp_dirty_fini(&t->dirty);
	dp_quality_fini(&t->quality);
	*t = (struct dp_usage_table){0};
}

void dp_usage_make_resident(struct dp_usage_table *t)
{
	memset(t->hot, 0, ((size_t)t->n_entries + 1) * sizeof(*t->hot));
	memset(t->rest, 0, ((size_t)t->n_entries + 1) * sizeof(*t->rest));
	memset(t->buckets, 0, ((size_t)t->bucket_mask + 1) * sizeof(*t->buckets));
	memset(t->dirty.links, 0, ((size_t)t->n_entries + 1) * sizeof(*t->dirty.links));
	dp_quality_make_resident(&t->quality);
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
		t->free_list = t->rest[id].next;
	else if (t->n_touched < t->n_entries)
		return ++t->n_touched;
	return id;
}

uint32_t dp_usage_get(struct dp_usage_table *t, const struct dp_usage_key *key)
{
	uint32_t *bucket = bucket_of(t, key);

	for (uint32_t id = *bucket; id != DP_USAGE_NONE; id = t->rest[id].next) {
		if (memcmp(&t->rest[id].key, key, sizeof(*key)) == 0) {
			t->rest[id].n_refs++;
			t->rest[id].has_rested = false;
			return id;
		}
	}

	const uint32_t id = take_free(t);

	if (id == DP_USAGE_NONE)
		return DP_USAGE_NONE;
	t->hot[id] = (struct dp_usage_hot){0};
	t->rest[id] = (struct dp_usage_rest){
		.key = *key, .n_refs = 1, .next = *bucket, .first_ns = UINT64_MAX};
	*bucket = id;
	t->n_used++;
	return id;
}

static uint8_t list_of(const struct dp_usage_hot *h)
{
	return (h->dirty & DP_USAGE_LIST) - 1;
}

static void mark_dirty(struct dp_usage_table *t, uint32_t id, uint8_t list)
{
	struct dp_usage_hot *h = &t->hot[id];

	dp_dirty_append(&t->dirty, list, id);
	h->dirty = list + 1;
	if (h->packets[0] + h->packets[1] == 0)
		h->dirty |= DP_USAGE_NO_PACKET;
}

static void release(struct dp_usage_table *t, uint32_t id)
{
	struct dp_usage_rest *e = &t->rest[id];
	uint32_t *link = bucket_of(t, &e->key);

	if (e->n_refs > 0 || t->hot[id].dirty != 0)
		return;
	if (t->rests && !e->has_rested) {
		mark_dirty(t, id, t->dirty.open);
		return;
	}
	while (*link != id)
		link = &t->rest[*link].next;
	*link = e->next;
	e->next = t->free_list;
	t->free_list = id;
	t->n_used--;
	dp_quality_put(&t->quality, e->quality);
}

/* Whether it stays dirty, so to say, until another tick is closed. */
static bool has_to_rest(struct dp_usage_table *t, uint32_t id)
{
	struct dp_usage_rest *e = &t->rest[id];

	if (!t->rests || e->n_refs > 0 || e->has_rested)
		return false;
	e->has_rested = true; // until somebody wants it again
	return true;
}

void dp_usage_put(struct dp_usage_table *t, uint32_t id)
{
	if (id == DP_USAGE_NONE)
		return;
	t->rest[id].n_refs--;
	release(t, id);
}

/* The endpoint's quality, DP_QUALITY_NONE when there is no room for it. */
static uint32_t quality_of(struct dp_usage_table *t, struct dp_usage_rest *e)
{
	if (e->quality == DP_QUALITY_NONE)
		e->quality = dp_quality_get(&t->quality, &e->key.endpoint, e->key.is_ambiguous);
	return e->quality;
}

static void hand_on_segments(struct dp_usage_table *t, uint32_t id, uint64_t tick)
{
	struct dp_usage_hot *h = &t->hot[id];
	struct dp_usage_rest *e = &t->rest[id];

	if ((h->segments[0] | h->segments[1]) == 0)
		return;
	if (quality_of(t, e) != DP_QUALITY_NONE)
		dp_quality_add_segments(&t->quality, e->quality, tick, h->segments,
			e->segment_first_ns, h->last_ns[1]);
	h->segments[0] = h->segments[1] = 0;
}

static bool post_record(struct dp_usage_table *t, uint32_t id, enum dp_record_kind kind,
	const struct dp_usage *counts)
{
	const struct dp_usage_key *key = &t->rest[id].key;
	struct dp_record *r = dp_ring_claim(t->ring);

	if (r == NULL) {
		t->n_postponed++;
		return false;
	}
	r->tick = t->dirty.lists[list_of(&t->hot[id])].tick;
	r->endpoint = key->endpoint;
	r->app = key->app;
	r->tag = key->tag;
	r->kind = (uint8_t)kind;
	r->evidence = key->evidence;
	r->is_ambiguous = key->is_ambiguous;
	r->worker = t->worker;
	memset(r->pad, 0, sizeof(r->pad));
	r->usage = *counts;
	dp_ring_publish(t->ring);
	return true;
}

static bool post_usage(struct dp_usage_table *t, uint32_t id)
{
	struct dp_usage_hot *h = &t->hot[id];
	struct dp_usage_rest *e = &t->rest[id];
	const struct dp_usage counts = {
		.bytes = {h->bytes[0], h->bytes[1]},
		.packets = {h->packets[0], h->packets[1]},
		.first_ns = e->first_ns,
		.last_ns = h->last_ns[0] > h->last_ns[1] ? h->last_ns[0] : h->last_ns[1],
		.n_new_flows = e->n_new_flows,
		.active_ms = h->n_slots * (uint32_t)SLOT_MS,
	};

	if (e->first_ns == UINT64_MAX)
		return true;
	if (!post_record(t, id, DP_RECORD_USAGE, &counts))
		return false;
	h->bytes[0] = h->bytes[1] = 0;
	h->packets[0] = h->packets[1] = 0;
	h->last_ns[0] = h->last_ns[1] = 0;
	h->n_slots = 0;
	e->n_new_flows = 0;
	e->first_ns = UINT64_MAX;
	return true;
}

static bool post_moved(struct dp_usage_table *t, uint32_t id)
{
	struct dp_usage_rest *e = &t->rest[id];
	const struct dp_usage counts = {
		.bytes = {e->moved.bytes[0], e->moved.bytes[1]},
		.packets = {e->moved.packets[0], e->moved.packets[1]},
		.first_ns = e->moved.first_ns,
		.last_ns = e->moved.last_ns,
	};

	if (e->moved.packets[0] + e->moved.packets[1] == 0)
		return true;
	if (!post_record(t, id, DP_RECORD_MOVE, &counts))
		return false;
	memset(&e->moved, 0, sizeof(e->moved));
	return true;
}

/* Turn the counts of a dirty entry into records and take it off its list. False when the ring is full:
 * what was not posted stays. */
static bool post(struct dp_usage_table *t, uint32_t id)
{
	struct dp_usage_hot *h = &t->hot[id];
	const uint8_t list = list_of(h);
	bool is_posted;

	hand_on_segments(t, id, t->dirty.lists[list].tick);
	is_posted = post_usage(t, id) && post_moved(t, id);
	dp_dirty_remove(&t->dirty, list, id);
	h->dirty = 0;
	return is_posted;
}

/* Make the entry ready for counts of tick. With the ring full the older counts stay and are
 * reported together with the new ones, one tick late: postponed, not lost. */
static void open_entry(struct dp_usage_table *t, uint32_t id, uint64_t tick)
{
	const struct dp_usage_hot *h = &t->hot[id];
	const uint8_t list = dp_dirty_list(&t->dirty, tick);

	if (h->dirty != 0 && list_of(h) != list)
		(void)post(t, id);
	if (h->dirty == 0)
		mark_dirty(t, id, list);
}

void dp_usage_begin(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns)
{
	struct dp_usage_rest *e = &t->rest[id];

	open_entry(t, id, tick);
	t->hot[id].dirty &= DP_USAGE_LIST;
	if (time_ns < e->first_ns)
		e->first_ns = time_ns;
}

void dp_usage_begin_slot(struct dp_usage_table *t, uint64_t time_ns)
{
	const uint64_t slot = time_ns / DP_USAGE_SLOT_NS;

	t->slot = (uint32_t)slot;
	t->slot_end_ns = (slot + 1) * DP_USAGE_SLOT_NS;
}

void dp_usage_begin_segments(struct dp_usage_table *t, uint32_t id, uint64_t time_ns)
{
	if ((t->hot[id].segments[0] | t->hot[id].segments[1]) == 0)
		t->rest[id].segment_first_ns = time_ns;
}

void dp_usage_absorb(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_usage *counts)
{
	struct dp_usage_hot *h = &t->hot[id];
	uint32_t n_slots;

	dp_usage_begin(t, id, tick, counts->first_ns);
	for (unsigned int dir = 0; dir < 2; dir++) {
		h->bytes[dir] += counts->bytes[dir];
		h->packets[dir] += counts->packets[dir];
	}
	// The next packet may be of the same slot, though of another tick.
	if (counts->active_ms > 0 && counts->last_ns > h->last_ns[0] &&
		counts->last_ns > h->last_ns[1])
		h->last_slot = (uint32_t)(counts->last_ns / DP_USAGE_SLOT_NS);
	if (counts->last_ns > h->last_ns[0])
		h->last_ns[0] = counts->last_ns;
	n_slots = h->n_slots + counts->active_ms / SLOT_MS;
	h->n_slots = n_slots > UINT16_MAX ? UINT16_MAX : (uint16_t)n_slots;
}

void dp_usage_absorb_quality(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_quality *counts)
{
	if (quality_of(t, &t->rest[id]) != DP_QUALITY_NONE)
		dp_quality_absorb(&t->quality, t->rest[id].quality, tick, counts);
}

void dp_usage_add_flow(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns)
{
	struct dp_usage_hot *h = &t->hot[id];
	struct dp_usage_rest *e = &t->rest[id];

	open_entry(t, id, tick);
	e->n_new_flows++;
	if (time_ns < e->first_ns)
		e->first_ns = time_ns;
	if (time_ns > h->last_ns[0])
		h->last_ns[0] = time_ns;
}

void dp_usage_move(
	struct dp_usage_table *t, uint32_t id, uint64_t tick, const struct dp_usage *undecided)
{
	struct dp_usage_rest *e = &t->rest[id];

	if (undecided->packets[0] + undecided->packets[1] == 0)
		return; // known from the first packet on
	open_entry(t, id, tick);
	if (e->moved.packets[0] + e->moved.packets[1] == 0 ||
		undecided->first_ns < e->moved.first_ns)
		e->moved.first_ns = undecided->first_ns;
	if (undecided->last_ns > e->moved.last_ns)
		e->moved.last_ns = undecided->last_ns;
	for (unsigned int dir = 0; dir < 2; dir++) {
		e->moved.bytes[dir] += undecided->bytes[dir];
		e->moved.packets[dir] += undecided->packets[dir];
	}
}

void dp_usage_tcp(struct dp_usage_table *t, uint32_t id, uint64_t tick, uint64_t time_ns,
	const struct dp_tcp_event *event)
{
	const uint32_t quality = event->what != 0 ? quality_of(t, &t->rest[id]) : DP_QUALITY_NONE;

	if (quality != DP_QUALITY_NONE)
		dp_quality_add_event(&t->quality, quality, tick, time_ns, event);
}

void dp_usage_open_tick(struct dp_usage_table *t, uint64_t tick)
{
	dp_dirty_open_tick(&t->dirty, tick);
	dp_dirty_open_tick(&t->quality.dirty, tick);
}

void dp_usage_close_tick(struct dp_usage_table *t, uint64_t next_tick)
{
	dp_dirty_close_tick(&t->dirty, next_tick);
	dp_dirty_close_tick(&t->quality.dirty, next_tick);
	t->open_mark = t->dirty.open + 1;
}

bool dp_usage_flush(struct dp_usage_table *t, unsigned int max)
{
	for (; max > 0 && dp_dirty_closing(&t->dirty) != DP_USAGE_NONE; max--) {
		const uint32_t id = dp_dirty_closing(&t->dirty);

		if (post(t, id) && !has_to_rest(t, id))
			release(t, id);
		else
			mark_dirty(t, id, t->dirty.open);
	}
	return dp_dirty_closing(&t->dirty) == DP_USAGE_NONE && dp_quality_flush(&t->quality, max);
}
