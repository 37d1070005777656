// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/quality.h"

#include "dataplane/hash.h"
#include "dataplane/pages.h"

static const struct dp_quality NOTHING = {.first_ns = UINT64_MAX};

int dp_quality_init(
	struct dp_quality_table *t, uint32_t n_entries, struct dp_ring *ring, uint8_t worker)
{
	uint32_t n_buckets = 16;

	while (n_buckets < n_entries && n_buckets < 1U << 31)
		n_buckets *= 2;
	*t = (struct dp_quality_table){.n_entries = n_entries,
		.bucket_mask = n_buckets - 1,
		.ring = ring,
		.worker = worker};
	t->entries = calloc((size_t)n_entries + 1, sizeof(*t->entries));
	t->buckets = calloc(n_buckets, sizeof(*t->buckets));
	if (t->entries == NULL || t->buckets == NULL || dp_dirty_init(&t->dirty, n_entries) < 0) {
		dp_quality_fini(t);
		return -ENOMEM;
	}
	dp_pages_want_large(t->entries, ((size_t)n_entries + 1) * sizeof(*t->entries));
	dp_pages_want_large(t->buckets, (size_t)n_buckets * sizeof(*t->buckets));
	return 0;
}

void dp_quality_fini(struct dp_quality_table *t)
{
	free(t->entries);
	free(t->buckets);
	dp_dirty_fini(&t->dirty);
	*t = (struct dp_quality_table){0};
}

void dp_quality_make_resident(struct dp_quality_table *t)
{
	memset(t->entries, 0, ((size_t)t->n_entries + 1) * sizeof(*t->entries));
	memset(t->buckets, 0, ((size_t)t->bucket_mask + 1) * sizeof(*t->buckets));
	memset(t->dirty.links, 0, ((size_t)t->n_entries + 1) * sizeof(*t->dirty.links));
}

static uint32_t *bucket_of(
	struct dp_quality_table *t, const struct dp_addr *endpoint, bool is_ambiguous)
{
	uint64_t w[2];

	memcpy(w, endpoint, sizeof(w));

	const uint64_t h = dp_hash_mix(dp_hash_mix(w[0], w[1]), is_ambiguous);

	return &t->buckets[h & t->bucket_mask];
}

static uint32_t take_free(struct dp_quality_table *t)
{
	const uint32_t id = t->free_list;

	if (id != DP_QUALITY_NONE)
		t->free_list = t->entries[id].next;
	else if (t->n_touched < t->n_entries)
		return ++t->n_touched;
	return id;
}

uint32_t dp_quality_get(
	struct dp_quality_table *t, const struct dp_addr *endpoint, bool is_ambiguous)
{
	uint32_t *bucket = bucket_of(t, endpoint, is_ambiguous);

	for (uint32_t id = *bucket; id != DP_QUALITY_NONE; id = t->entries[id].next) {
		struct dp_quality_entry *e = &t->entries[id];

		if (dp_addr_cmp(&e->endpoint, endpoint) == 0 && e->is_ambiguous == is_ambiguous) {
			e->n_refs++;
			return id;
		}
	}

	const uint32_t id = take_free(t);

	if (id == DP_QUALITY_NONE) {
		t->n_refused++;
		return DP_QUALITY_NONE;
	}
	t->entries[id] = (struct dp_quality_entry){.endpoint = *endpoint,
		.is_ambiguous = is_ambiguous,
		.n_refs = 1,
		.next = *bucket,
		.counts = NOTHING};
	*bucket = id;
	t->n_used++;
	return id;
}

static void release(struct dp_quality_table *t, uint32_t id)
{
	struct dp_quality_entry *e = &t->entries[id];
	uint32_t *link = bucket_of(t, &e->endpoint, e->is_ambiguous);

	if (e->n_refs > 0 || e->dirty != 0)
		return;
	while (*link != id)
		link = &t->entries[*link].next;
	*link = e->next;
	e->next = t->free_list;
	t->free_list = id;
	t->n_used--;
}

void dp_quality_put(struct dp_quality_table *t, uint32_t id)
{
	if (id == DP_QUALITY_NONE)
		return;
	t->entries[id].n_refs--;
	release(t, id);
}

static void mark_dirty(struct dp_quality_table *t, uint32_t id, uint8_t list)
{
	dp_dirty_append(&t->dirty, list, id);
	t->entries[id].dirty = list + 1;
}

/* Turn the counts of a dirty entry into a record and take it off its list. False when the ring is full:
 * the counts stay. */
static bool post(struct dp_quality_table *t, uint32_t id)
{
	struct dp_quality_entry *e = &t->entries[id];
	const uint8_t list = e->dirty - 1;
	const uint64_t tick = t->dirty.lists[list].tick;
	struct dp_record *r = dp_ring_claim(t->ring);

	dp_dirty_remove(&t->dirty, list, id);
	e->dirty = 0;
	if (r == NULL) {
		t->n_postponed++;
		return false;
	}
	r->tick = tick;
	r->endpoint = e->endpoint;
	r->app = DP_APP_UNDECIDED;
	r->tag = DP_TAG_NONE;
	r->kind = DP_RECORD_QUALITY;
	r->evidence = DP_EVIDENCE_NONE;
	r->is_ambiguous = e->is_ambiguous;
	r->worker = t->worker;
	memset(r->pad, 0, sizeof(r->pad));
	r->quality = e->counts;
	dp_ring_publish(t->ring);
	e->counts = NOTHING;
	return true;
}

/* Make the entry ready for counts of tick, within the span. As with usage, older counts that find no
 * room are reported together with the new ones. */
static struct dp_quality *open_entry(
	struct dp_quality_table *t, uint32_t id, uint64_t tick, uint64_t first_ns, uint64_t last_ns)
{
	struct dp_quality_entry *e = &t->entries[id];
	struct dp_quality *q = &e->counts;
	const uint8_t list = dp_dirty_list(&t->dirty, tick);

	if (e->dirty != 0 && e->dirty != list + 1)
		(void)post(t, id);
	if (e->dirty == 0)
		mark_dirty(t, id, list);
	if (first_ns < q->first_ns)
		q->first_ns = first_ns;
	if (last_ns > q->last_ns)
		q->last_ns = last_ns;
	return q;
}

void dp_quality_add_segments(struct dp_quality_table *t, uint32_t id, uint64_t tick,
	const uint32_t segments[2], uint64_t first_ns, uint64_t last_ns)
{
	struct dp_quality *q = open_entry(t, id, tick, first_ns, last_ns);

	q->segments[0] += segments[0];
	q->segments[1] += segments[1];
}

void dp_quality_add_event(struct dp_quality_table *t, uint32_t id, uint64_t tick, uint64_t time_ns,
	const struct dp_tcp_event *event)
{
	struct dp_quality *q = open_entry(t, id, tick, time_ns, time_ns);
	const unsigned int dir = event->is_up ? 0 : 1;
	const unsigned int side = event->is_rtt_of_endpoint ? 0 : 1;
	const uint8_t what = event->what;

	q->retransmitted[dir] += (what & DP_TCP_RETRANSMITTED) != 0;
	q->out_of_order[dir] += (what & DP_TCP_OUT_OF_ORDER) != 0;
	q->zero_windows[dir] += (what & DP_TCP_ZERO_WINDOW) != 0;
	q->resets[dir] += (what & DP_TCP_RESET) != 0;
	q->handshakes_failed += (what & DP_TCP_HANDSHAKE_FAILED) != 0;
	if ((what & DP_TCP_RTT_HANDSHAKE) != 0) {
		q->n_handshake_rtt[side]++;
		q->handshake_rtt_us[side] += event->rtt_us;
	}
	if ((what & DP_TCP_RTT_DATA) != 0) {
		q->n_data_rtt[side]++;
		q->data_rtt_us[side] += event->rtt_us;
	}
}

bool dp_quality_is_any(const struct dp_quality *counts)
{
	uint64_t any = counts->handshakes_failed;

	for (unsigned int i = 0; i < 2; i++)
		any |= counts->segments[i] | counts->retransmitted[i] | counts->out_of_order[i] |
			counts->zero_windows[i] | counts->resets[i] | counts->n_handshake_rtt[i] |
			counts->n_data_rtt[i];
	return any != 0;
}

void dp_quality_absorb(
	struct dp_quality_table *t, uint32_t id, uint64_t tick, const struct dp_quality *counts)
{
	dp_quality_add(open_entry(t, id, tick, counts->first_ns, counts->last_ns), counts);
}

bool dp_quality_flush(struct dp_quality_table *t, unsigned int max)
{
	for (; max > 0 && dp_dirty_closing(&t->dirty) != DP_QUALITY_NONE; max--) {
		const uint32_t id = dp_dirty_closing(&t->dirty);

		if (post(t, id))
			release(t, id);
		else
			mark_dirty(t, id, t->dirty.open);
	}
	return dp_dirty_closing(&t->dirty) == DP_QUALITY_NONE;
}
