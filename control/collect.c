// SPDX-License-Identifier: BSD-3-Clause
#include "control/collect.h"

#include "control/order.h"

#include <glib.h>
#include <string.h>

enum {
	TAKE = 256, // records taken from one worker before the next has its turn
	SLOT_MS = 100, // what dp_usage.active_ms counts in
	SLOT_NS = SLOT_MS * 1000000,
};

struct end {
	uint64_t tick, n_ticks;
};

struct ctl_collect {
	struct dp_path *path;
	uint16_t n_workers;
	uint64_t tick_ns;
	const struct ctl_collect_ops *ops;
	void *ctx;
	GArray *open; // struct dp_record: usage, moves and quality of ticks not complete yet
	GArray *batch; // the same, of the tick being handed on
	GArray *turns; // struct ctl_order, twice as many as records: its order, and room to find it
	GArray **ends; // per worker: struct end, ticks it has closed and others have not
	GPtrArray *messages; // struct dp_signalling, owned: of ticks not complete yet
	struct dp_signalling *message; // room for one
	uint64_t watermark_ns;
	struct dp_record taken[TAKE];
};

struct ctl_collect *ctl_collect_new(struct dp_path *path, uint16_t n_workers, uint64_t tick_ns,
	const struct ctl_collect_ops *ops, void *ctx)
{
	struct ctl_collect *c = g_new0(struct ctl_collect, 1);

	c->path = path;
	c->n_workers = n_workers;
	c->tick_ns = tick_ns;
	c->ops = ops;
	c->ctx = ctx;
	c->open = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	c->batch = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	c->turns = g_array_new(FALSE, FALSE, sizeof(struct ctl_order));
	c->messages = g_ptr_array_new_with_free_func(g_free);
	c->message = g_malloc(DP_SIGNALLING_ROOM);
	c->ends = g_new0(GArray *, n_workers);
	for (uint16_t i = 0; i < n_workers; i++)
		c->ends[i] = g_array_new(FALSE, FALSE, sizeof(struct end));
	return c;
}

void ctl_collect_free(struct ctl_collect *c)
{
	if (c == NULL)
		return;
	for (uint16_t i = 0; i < c->n_workers; i++)
		g_array_free(c->ends[i], TRUE);
	g_free(c->ends);
	g_array_free(c->open, TRUE);
	g_array_free(c->batch, TRUE);
	g_array_free(c->turns, TRUE);
	g_ptr_array_unref(c->messages);
	g_free(c->message);
	g_free(c);
}

enum { KEY_WORDS = 3 };

/* Where the record open[idx] has its turn: usage before moves, for what is moved was reported. */
static struct ctl_order turn_of(const struct dp_record *r, uint32_t idx)
{
	enum { KIND_AT = 57, APP_AT = 25, TAG_AT = 9, EVIDENCE_AT = 1 };

	return (struct ctl_order){
		.words = {dp_addr_half(&r->endpoint, 0), dp_addr_half(&r->endpoint, 1),
			(uint64_t)r->kind << KIND_AT | (uint64_t)r->app << APP_AT |
				(uint64_t)r->tag << TAG_AT | (uint64_t)r->evidence << EVIDENCE_AT |
				r->is_ambiguous,
			idx}};
}

/* They are to be merged. */
static bool is_same(const struct ctl_order *x, const struct ctl_order *y)
{
	return memcmp(x->words, y->words, KEY_WORDS * sizeof(x->words[0])) == 0;
}

static void merge_usage(struct dp_usage *to, const struct dp_usage *from)
{
	for (int dir = 0; dir < 2; dir++) {
		to->bytes[dir] += from->bytes[dir];
		to->packets[dir] += from->packets[dir];
	}
	if (from->first_ns < to->first_ns)
		to->first_ns = from->first_ns;
	if (from->last_ns > to->last_ns)
		to->last_ns = from->last_ns;
	to->n_new_flows += from->n_new_flows;
	to->active_ms += from->active_ms;
}

/* Workers that had a part of it each may have counted the same tenths of a second: no more than there
 * are between first and last packet. */
static void cap_active(struct dp_record *r)
{
	const uint64_t n_slots = r->usage.last_ns / SLOT_NS - r->usage.first_ns / SLOT_NS + 1;

	if (r->kind == DP_RECORD_USAGE && r->usage.active_ms > n_slots * SLOT_MS)
		r->usage.active_ms = (uint32_t)(n_slots * SLOT_MS);
}

static void merge_quality(struct dp_quality *to, const struct dp_quality *from)
{
	if (from->first_ns < to->first_ns)
		to->first_ns = from->first_ns;
	if (from->last_ns > to->last_ns)
		to->last_ns = from->last_ns;
	dp_quality_add(to, from);
}

/* Both are of one kind. */
static void merge_into(struct dp_record *to, const struct dp_record *from)
{
	if (to->kind == DP_RECORD_QUALITY)
		merge_quality(&to->quality, &from->quality);
	else
		merge_usage(&to->usage, &from->usage);
}

/* records in the order of turns, n of them, to ret_batch, those of one key merged. Returns how many are
 * left. */
static size_t merge(const struct dp_record *records, const struct ctl_order *turns, size_t n,
	struct dp_record *ret_batch)
{
	size_t kept = 0;

	for (size_t i = 0, end; i < n; i = end) {
		struct dp_record *to = &ret_batch[kept++];

		dp_record_copy(to, &records[turns[i].words[KEY_WORDS]]);
		for (end = i + 1; end < n && is_same(&turns[i], &turns[end]); end++)
			merge_into(to, &records[turns[end].words[KEY_WORDS]]);
		if (end - i > 1)
			cap_active(to);
	}
	return kept;
}

void ctl_collect_add(struct ctl_collect *c, const struct dp_record *record)
{
	g_array_set_size(c->open, c->open->len + 1);
	dp_record_copy(&g_array_index(c->open, struct dp_record, c->open->len - 1), record);
}

static void sort_in(struct ctl_collect *c, uint16_t worker, const struct dp_record *r)
{
	const struct end end = {r->tick, r->end.n_ticks};

	switch (r->kind) {
	case DP_RECORD_TICK_END:
		g_array_append_val(c->ends[worker], end);
		break;
	case DP_RECORD_NOTE:
		if (c->ops->note != NULL)
			c->ops->note(c->ctx, r);
		break;
	case DP_RECORD_TOLD:
		if (c->ops->told != NULL)
			c->ops->told(c->ctx, worker, r->told.request);
		break;
	default:
		ctl_collect_add(c, r);
		break;
	}
}

/* Behind the records: so those of a tick whose end was taken are all there. */
static bool take_signalling(struct ctl_collect *c, uint16_t worker)
{
	bool is_busy = false;

	while (dp_path_take_signalling(c->path, worker, c->message)) {
		const size_t size = offsetof(struct dp_signalling, bytes) + c->message->len;

		is_busy = true;
		if (c->ops->signalling != NULL)
			g_ptr_array_add(c->messages, g_memdup2(c->message, size));
	}
	return is_busy;
}

static bool take(struct ctl_collect *c)
{
	bool is_busy = false;

	for (uint16_t i = 0; i < c->n_workers; i++) {
		const uint32_t n = dp_path_take(c->path, i, c->taken, TAKE);

		for (uint32_t j = 0; j < n; j++)
			sort_in(c, i, &c->taken[j]);
		is_busy |= n > 0;
		is_busy |= take_signalling(c, i);
	}
	return is_busy;
}

/* The next tick that every worker has closed, if there is one. All workers close the same ones, but
 * where a ring was full a worker's end may speak for several. */
static bool next_complete(struct ctl_collect *c, struct end *ret_end)
{
	struct end first = {.tick = UINT64_MAX};

	for (uint16_t i = 0; i < c->n_workers; i++) {
		if (c->ends[i]->len == 0)
			return false;
		if (g_array_index(c->ends[i], struct end, 0).tick < first.tick)
			first = g_array_index(c->ends[i], struct end, 0);
	}
	for (uint16_t i = 0; i < c->n_workers; i++) {
		if (g_array_index(c->ends[i], struct end, 0).tick == first.tick)
			g_array_remove_index(c->ends[i], 0);
	}
	*ret_end = first;
	return true;
}

/* Returns how many records of ticks up to `tick` there are; ret_turns: their order, borrowed. */
static size_t order(struct ctl_collect *c, uint64_t tick, const struct ctl_order **ret_turns)
{
	const struct dp_record *open = (const struct dp_record *)(const void *)c->open->data;
	struct ctl_order *turns;
	size_t n = 0;

	g_array_set_size(c->turns, 2 * c->open->len);
	turns = (struct ctl_order *)(void *)c->turns->data;
	for (guint i = 0; i < c->open->len; i++) {
		if (open[i].tick <= tick)
			turns[n++] = turn_of(&open[i], i);
	}
	*ret_turns = n > 0 ? ctl_order_sort(turns, turns + n, n, KEY_WORDS) : NULL;
	return n;
}

/* The batch of ticks up to `tick`; what is later stays. */
static size_t close_batch(struct ctl_collect *c, uint64_t tick)
{
	struct dp_record *open = (struct dp_record *)(void *)c->open->data;
	const struct ctl_order *turns;
	size_t n = order(c, tick, &turns);
	guint kept = 0;

	g_array_set_size(c->batch, (guint)n);
	if (n > 0)
		n = merge(open, turns, n, (struct dp_record *)(void *)c->batch->data);
	for (guint i = 0; i < c->open->len; i++) {
		if (open[i].tick > tick)
			open[kept++] = open[i];
	}
	g_array_set_size(c->open, kept);
	return n;
}

/* By time. Of the same moment: by all that they are, so that the number of workers does not matter; a
 * request's first bytes are less than its answer's. */
static int message_cmp(gconstpointer pa, gconstpointer pb)
{
	const struct dp_signalling *a = *(struct dp_signalling *const *)pa;
	const struct dp_signalling *b = *(struct dp_signalling *const *)pb;
	int order = (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);

	if (order == 0)
		order = memcmp(a->bytes, b->bytes, MIN(a->len, b->len));
	if (order == 0)
		order = (a->len > b->len) - (a->len < b->len);
	if (order == 0)
		order = memcmp(&a->src, &b->src, 2 * sizeof(a->src));
	return order != 0 ? order : (a->sport > b->sport) - (a->sport < b->sport);
}

static void hand_on_signalling(struct ctl_collect *c)
{
	guint n = 0;

	g_ptr_array_sort(c->messages, message_cmp);
	for (; n < c->messages->len; n++) {
		const struct dp_signalling *message = c->messages->pdata[n];

		if (message->time_ns >= c->watermark_ns)
			break;
		c->ops->signalling(c->ctx, message);
	}
	if (n > 0)
		g_ptr_array_remove_range(c->messages, 0, n);
}

static void complete(struct ctl_collect *c, struct end end)
{
	const size_t n = close_batch(c, end.tick);

	c->watermark_ns = (end.tick + 1) * c->tick_ns;
	if (c->messages->len > 0)
		hand_on_signalling(c);
	c->ops->tick(c->ctx, c->watermark_ns, (struct dp_record *)(void *)c->batch->data, n);
	dp_path_drained(c->path, end.tick, end.n_ticks);
}

bool ctl_collect_poll(struct ctl_collect *c)
{
	const bool is_busy = take(c);
	struct end end;

	while (next_complete(c, &end))
		complete(c, end);
	return is_busy;
}

uint64_t ctl_collect_watermark(const struct ctl_collect *c)
{
	return c->watermark_ns;
}
