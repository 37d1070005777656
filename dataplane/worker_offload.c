// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

enum { DRAIN = 32 }; // entries between two receives: start value

static const struct dp_offload_ops *ops_of(const struct dp_worker *w)
{
	return w->cfg.offload->ops;
}

static bool is_endpoint_src(const struct dp_flow *f)
{
	return (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;
}

/* --- what it saw of a flow --------------------------------------------------------------------- */

/* Seen there and perhaps not here, where the way up was full. */
static void follow(struct dp_worker *w, uint32_t i, uint32_t tcp)
{
	struct dp_flow *f = dp_worker_flow(w, i);
	const unsigned int up = is_endpoint_src(f) ? DP_FLOW_FIN_SRC : DP_FLOW_FIN_DST;
	const unsigned int both = DP_FLOW_FIN_SRC | DP_FLOW_FIN_DST;
	unsigned int flags = f->flags;

	flags |= (tcp & DP_OFFLOAD_FIN_UP) != 0 ? up : 0;
	flags |= (tcp & DP_OFFLOAD_FIN_DOWN) != 0 ? both ^ up : 0;
	flags |= (tcp & DP_OFFLOAD_RST) != 0 ? DP_FLOW_RST : 0;
	flags |= (tcp & DP_OFFLOAD_TALKED) != 0 ? DP_FLOW_TALKED : 0;
	f->flags = (uint16_t)flags;
	if (f->life == DP_FLOW_TCP && ((flags & DP_FLOW_RST) != 0 || (flags & both) == both))
		dp_flow_set_life(&w->flows, i, DP_FLOW_TCP_CLOSED);
}

static void see(struct dp_worker *w, uint32_t i, const struct dp_offload_counts *c)
{
	struct dp_flow *f = dp_worker_flow(w, i);

	if (c->last_ns > f->last_ns)
		f->last_ns = c->last_ns;
	follow(w, i, (uint32_t)c->tcp);
}

void dp_worker_offload_look(struct dp_worker *w, uint32_t i, struct dp_offload_counts *ret_counts)
{
	struct dp_five_tuple tuple;

	*ret_counts = (struct dp_offload_counts){0};
	if (w->told[i].flow == 0)
		return;
	dp_flow_tuple(&w->flows, i, &tuple);
	if (ops_of(w)->look(w->cfg.offload->self, &tuple, w->told[i].flow, ret_counts) == 0)
		see(w, i, ret_counts);
}

/* Decided there by a flow that has ended here, while packets of it were on their way up. They stand on the entry of
 * that one, and what is moved with the verdict of this one must not have them. */
static bool is_of_another(const struct dp_worker *w, uint32_t i, const struct dp_offload_counts *c)
{
	return (c->tcp & DP_OFFLOAD_DECIDED) != 0 && w->told[i].entry == 0;
}

static void add(struct dp_worker *w, uint32_t i, const struct dp_offload_counts *c, uint64_t tick)
{
	struct dp_flow *f = dp_worker_flow(w, i);
	const unsigned int up = is_endpoint_src(f) ? 0 : 1; // direction of the flow
	const struct dp_usage kept = {.bytes = {c->bytes[0], c->bytes[1]},
		.packets = {c->packets[0], c->packets[1]},
		.first_ns = c->last_ns,
		.last_ns = c->last_ns};

	if (c->packets[0] + c->packets[1] == 0 || is_of_another(w, i, c))
		return;
	dp_flow_add_counts(f, up, c->packets[0], c->bytes[0]);
	dp_flow_add_counts(f, up ^ 1, c->packets[1], c->bytes[1]);
	if ((c->tcp & (DP_OFFLOAD_DECIDED | DP_OFFLOAD_MOVED)) != 0)
		return;
	dp_usage_absorb(&w->usage, f->usage, tick, &kept);
	if (c->segments[0] + c->segments[1] != 0)
		dp_usage_absorb_quality(&w->usage, f->usage, tick,
			&(struct dp_quality){.first_ns = c->last_ns,
				.last_ns = c->last_ns,
				.segments = {c->segments[0], c->segments[1]}});
}

void dp_worker_offload_add(
	struct dp_worker *w, uint32_t i, const struct dp_offload_counts *c, uint64_t tick)
{
	see(w, i, c);
	add(w, i, c, tick);
}

void dp_worker_offload_inherit(struct dp_worker *w, uint32_t i, const struct dp_offload_counts *c)
{
	if ((c->tcp & DP_OFFLOAD_DECIDED) == 0)
		add(w, i, c, w->tick);
}

/* --- verdicts and ends ------------------------------------------------------------------------- */

/* The flow's entry, for whom it counts. 0: it is none that there is in there. */
static uint32_t name_entry(struct dp_worker *w, uint32_t i)
{
	const uint32_t entry = dp_worker_flow(w, i)->usage;

	if (entry >= w->cfg.offload->n_entries)
		return 0;
	if (ops_of(w)->name != NULL)
		ops_of(w)->name(
			w->cfg.offload->self, w->cfg.id, entry, dp_usage_key(&w->usage, entry));
	return entry;
}

static void tell(struct dp_worker *w, uint32_t i, bool is_watched)
{
	const uint32_t entry = name_entry(w, i);
	struct dp_worker_told *told = &w->told[i];
	struct dp_offload_counts before;
	struct dp_five_tuple tuple;

	dp_flow_tuple(&w->flows, i, &tuple);
	if (ops_of(w)->decide(w->cfg.offload->self, w->cfg.id, &tuple, told->flow, entry,
		    is_watched, told->since_ns, &before) < 0)
		return;
	told->entry = entry;
	told->is_watched = is_watched;
	// How far TCP has come there is not for here yet: packets that say so may still be on their way up.
	add(w, i, &before, w->tick);
}

void dp_worker_offload_decide(struct dp_worker *w, uint32_t i)
{
	const struct dp_flow *f = dp_worker_flow(w, i);
	const bool is_watched = (f->flags & DP_FLOW_WATCHED) != 0;
	const struct dp_worker_told *told = &w->told[i];

	if ((f->flags & (DP_FLOW_FINAL | DP_FLOW_WATCHED)) == 0 || told->flow == 0 ||
		(told->entry == f->usage && told->is_watched == is_watched))
		return;
	if (f->usage < w->cfg.offload->n_entries)
		tell(w, i, is_watched);
	else if (told->entry != 0) // that will be somebody else's
		dp_worker_offload_forget(w, i, w->tick);
}

void dp_worker_offload_disown(struct dp_worker *w, uint32_t i)
{
	struct dp_offload_counts counts;
	struct dp_five_tuple tuple;

	dp_flow_tuple(&w->flows, i, &tuple);
	(void)ops_of(w)->end(w->cfg.offload->self, w->cfg.id, &tuple, w->told[i].flow, 0, &counts);
	w->told[i] = (struct dp_worker_told){0};
}

void dp_worker_offload_forget(struct dp_worker *w, uint32_t i, uint64_t tick)
{
	struct dp_offload_counts counts;
	struct dp_five_tuple tuple;

	if (w->told[i].flow == 0)
		return;
	dp_flow_tuple(&w->flows, i, &tuple);
	if (ops_of(w)->end(w->cfg.offload->self, w->cfg.id, &tuple, w->told[i].flow,
		    name_entry(w, i), &counts) == 0)
		dp_worker_offload_add(w, i, &counts, tick);
	w->told[i] = (struct dp_worker_told){0};
}

/* --- what it kept for entries ------------------------------------------------------------------ */

static uint64_t first_slot(const struct dp_worker *w, uint64_t tick)
{
	return tick * w->cfg.tick_ns / DP_USAGE_SLOT_NS;
}

/* The last of the tick's slots that has been counted, which may be the next tick's first one, too. */
static uint64_t last_slot(const struct dp_worker *w, const struct dp_worker_active *a)
{
	const unsigned int half = a->bits[1] != 0;

	if ((a->bits[0] | a->bits[1]) == 0)
		return 0;
	return first_slot(w, a->tick) + 64 * half + 63 -
		(unsigned int)__builtin_clzll(a->bits[half]);
}

/* When in a tick an entry had traffic that has been counted; NULL: that of a later one is known already. */
static struct dp_worker_active *active_of(struct dp_worker *w, uint32_t id, uint64_t tick)
{
	struct dp_worker_active *a = &w->active[id];

	if (a->tick > tick)
		return NULL;
	if (a->tick < tick)
		*a = (struct dp_worker_active){
			.tick = tick, .bits = {last_slot(w, a) == first_slot(w, tick)}};
	return a;
}

void dp_worker_offload_mark(struct dp_worker *w, uint32_t id, uint64_t time_ns)
{
	const uint64_t slot = time_ns / DP_USAGE_SLOT_NS - first_slot(w, w->tick);
	struct dp_worker_active *a;

	if (id >= w->cfg.offload->n_entries || slot >= 128)
		return;
	a = active_of(w, id, w->tick);
	if (a != NULL)
		a->bits[slot / 64] |= UINT64_C(1) << slot % 64;
}

/* Slots that nobody has counted: what came up counts its own, and other CPUs keep theirs. */
static uint32_t count_active(struct dp_worker *w, const struct dp_offload_usage *u, uint64_t tick)
{
	struct dp_worker_active *a = active_of(w, u->id, tick);
	uint32_t n = 0;

	if (a == NULL)
		return 0;
	for (unsigned int half = 0; half < 2; half++) {
		n += (uint32_t)__builtin_popcountll(u->active[half] & ~a->bits[half]);
		a->bits[half] |= u->active[half];
	}
	return n;
}

static void absorb(struct dp_worker *w, const struct dp_offload_usage *u, uint64_t tick)
{
	const struct dp_usage kept = {.bytes = {u->bytes[0], u->bytes[1]},
		.packets = {u->packets[0], u->packets[1]},
		.first_ns = u->first_ns,
		.last_ns = u->last_ns,
		.active_ms = count_active(w, u, tick) * (DP_USAGE_SLOT_NS / 1000000)};

	dp_usage_absorb(&w->usage, u->id, tick, &kept);
	if (dp_quality_is_any(&u->quality))
		dp_usage_absorb_quality(&w->usage, u->id, tick, &u->quality);
}

static uint32_t drain(struct dp_worker *w, uint64_t end_ns, struct dp_offload_usage *ret)
{
	return ops_of(w)->drain(w->cfg.offload->self, w->cfg.id, end_ns, ret, DRAIN);
}

void dp_worker_offload_begin_close(struct dp_worker *w, uint64_t end_ns)
{
	struct dp_offload_usage usages[DRAIN];
	const uint32_t n = drain(w, end_ns, usages);

	// The tick may have brought nothing up, and then nobody has named it.
	if (n > 0 && usages[0].first_ns >= w->tick_end_ns)
		dp_worker_enter_tick(w, usages[0].first_ns);
	for (uint32_t i = 0; i < n; i++)
		absorb(w, &usages[i], w->tick);
	w->drains = n == DRAIN;
}

void dp_worker_offload_drain_slice(struct dp_worker *w)
{
	struct dp_offload_usage usages[DRAIN];
	const uint32_t n = drain(w, dp_worker_closing_end_ns(w), usages);

	for (uint32_t i = 0; i < n; i++)
		absorb(w, &usages[i], w->closing_tick);
	w->drains = n == DRAIN;
}
