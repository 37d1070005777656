// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

/* What may be done between two receives, in looks at a flow: about 5 us. Start values. */
enum {
	SLICE = 32,
	NOTE_WEIGHT = 2, // of a flow that there is to tell of
};

/* Whether an offload may have kept packets of the flow that the worker does not have yet: it has them when the flow
 * ends. With a first verdict it waits for their counts, which come with the answer. */
static bool has_kept(const struct dp_worker *w, uint32_t i, enum dp_note_why why)
{
	return why == DP_NOTE_LIVING || (why == DP_NOTE_VERDICT && w->told[i].entry != 0);
}

/* What it has kept so far. */
static void add_kept(struct dp_worker *w, uint32_t i, struct dp_note *note)
{
	const unsigned int up = (dp_worker_flow(w, i)->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0 ? 0
											     : 1;
	struct dp_offload_counts kept;

	dp_worker_offload_look(w, i, &kept);
	for (unsigned int way = 0; way < 2; way++) {
		note->packets[up ^ way] += kept.packets[way];
		note->bytes[up ^ way] += kept.bytes[way];
	}
	note->last_ns = dp_worker_flow(w, i)->last_ns;
}

/* Without room it is dropped, which is counted. */
static void post_or_drop(struct dp_worker *w, uint32_t i, uint64_t tick, enum dp_note_why why)
{
	const struct dp_flow *f = dp_worker_flow(w, i);
	const struct dp_usage_key *key = dp_usage_key(&w->usage, f->usage);
	const struct dp_said *said = dp_said_of(&w->said, dp_worker_rest(w, i)->said);
	struct dp_five_tuple tuple;
	struct dp_record r = {
		.tick = tick,
		.endpoint = key->endpoint,
		.app = key->app,
		.tag = key->tag,
		.kind = DP_RECORD_NOTE,
		.evidence = key->evidence,
		.is_ambiguous = (f->flags & DP_FLOW_AMBIGUOUS) != 0,
		.worker = w->cfg.id,
		.note = {.packets = {dp_flow_packets(f, 0), dp_flow_packets(f, 1)},
			.bytes = {dp_flow_bytes(f, 0), dp_flow_bytes(f, 1)},
			.first_ns = dp_worker_rest(w, i)->first_ns,
			.last_ns = f->last_ns,
			.risk_bits = said->risk_bits,
			.ndpi_master = said->ndpi_master,
			.ndpi_app = said->ndpi_app,
			.l4_proto = f->l4_proto,
			.why = (uint8_t)why,
			.is_syn_start = (f->flags & DP_FLOW_SYN_START) != 0,
			.has_ech = said->has_ech,
			.effort = f->effort,
			.basis = said->basis,
			.server_is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) == 0,
			.was_told = w->tell.is_under_way && i < w->tell.next},
	};

	dp_flow_tuple(&w->flows, i, &tuple);
	r.note.src = tuple.src;
	r.note.dst = tuple.dst;
	r.note.sport = tuple.sport;
	r.note.dport = tuple.dport;
	memcpy(r.note.host, said->host, DP_HOST_MAX);
	memcpy(r.note.alias, said->alias, DP_ALIAS_MAX);
	if (w->cfg.offload != NULL && has_kept(w, i, why))
		add_kept(w, i, &r.note);
	if (!dp_ring_post(w->ring, &r))
		dp_count(&w->counters.notes_dropped, 1);
}

void dp_worker_note_verdict(struct dp_worker *w, uint32_t i, uint64_t tick)
{
	if (w->cfg.notes == DP_NOTES_ALL)
		post_or_drop(w, i, tick, DP_NOTE_VERDICT);
}

void dp_worker_note_end(struct dp_worker *w, uint32_t i, uint64_t tick)
{
	if (w->cfg.notes == DP_NOTES_NONE)
		return;
	if (w->cfg.notes == DP_NOTES_ENDS && !dp_ring_is_roomy(w->ring))
		dp_count(&w->counters.notes_dropped, 1);
	else
		post_or_drop(w, i, tick, DP_NOTE_END);
}

/* --- telling ------------------------------------------------------------------------------------ */

void dp_worker_tell(struct dp_worker *w, uint64_t request)
{
	atomic_store_explicit(&w->tell_asked, request, memory_order_relaxed);
}

void dp_worker_tell_begin(struct dp_worker *w, uint64_t request)
{
	w->tell.request = request;
	w->tell.next = 1;
	w->tell.n_left = w->flows.n_touched;
	w->tell.is_under_way = true;
}

static void tell_end(struct dp_worker *w)
{
	struct dp_record told;

	memset(&told, 0, sizeof(told)); // as in dataplane/usage.c
	told.kind = DP_RECORD_TOLD;
	told.tick = w->tick;
	told.worker = w->cfg.id;
	told.told.request = w->tell.request;
	w->tell.is_under_way = !dp_ring_post(w->ring, &told);
}

bool dp_worker_tell_slice(struct dp_worker *w)
{
	const uint32_t max = w->tell.n_left < SLICE ? w->tell.n_left : SLICE;
	uint32_t n = 0;

	if (!dp_ring_is_roomy(w->ring))
		return false;
	dp_worker_fetch(w, w->tell.next, max);
	for (uint32_t weight = 0; n < max && weight < SLICE; n++) {
		const uint32_t i = w->tell.next + n;
		const bool is_used = dp_flow_is_used(dp_worker_flow(w, i));

		if (is_used)
			post_or_drop(w, i, w->tick, DP_NOTE_LIVING);
		weight += is_used ? NOTE_WEIGHT : 1;
	}
	w->tell.next += n;
	w->tell.n_left -= n;
	if (w->tell.n_left == 0)
		tell_end(w);
	return true;
}
