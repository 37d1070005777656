// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

#include <errno.h>
#include <rte_ring.h>
#include <stdlib.h>

enum {
	PACKETS_PER_US = 15, // 10 Gbit/s of the shortest frames; more than a worker can take
	COPIES_MIN = 1024,
	COPIES_MAX = 1 << 21, // 56 MB, reached with a window of 140 ms
};

/* Packets within the window, so that no copy is missed for want of memory. 2 ms take 32768: 0.9 MB,
 * of which a worker touches what its traffic fills. */
static uint32_t n_copies(uint64_t window_ns)
{
	const uint64_t n = window_ns / 1000 * PACKETS_PER_US;

	return n < COPIES_MIN ? COPIES_MIN : n > COPIES_MAX ? COPIES_MAX : (uint32_t)n;
}

/* Live, memory is had at start or not at all. (A replay takes what its captures need.) */
static void make_resident(struct dp_worker *w)
{
	dp_flow_table_make_resident(&w->flows);
	dp_usage_make_resident(&w->usage);
	dp_said_make_resident(&w->said);
	if (w->sampler != NULL)
		dp_sampler_make_resident(w->sampler);
}

/* What there is to know besides, with an offload. */
static int know_offload(struct dp_worker *w)
{
	if (w->cfg.offload == NULL)
		return 0;
	w->usage.rests = true;
	w->active = calloc((size_t)w->cfg.n_entries + 1, sizeof(*w->active));
	w->told = calloc((size_t)w->cfg.n_flows + 1, sizeof(*w->told));
	return w->active != NULL && w->told != NULL ? 0 : -ENOMEM;
}

int dp_worker_new(const struct dp_worker_config *cfg, struct dp_stage stage,
	struct dp_worker **ret_worker, struct dp_err *reterr)
{
	struct dp_worker *w = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*w), 64));

	if (w == NULL) {
		stage.ops->free(stage.self);
		return dp_fail(reterr, ENOMEM, "cannot set up worker %u: %m", cfg->id);
	}
	*w = (struct dp_worker){.cfg = *cfg,
		.stage = stage,
		.copies_mask = cfg->duplicates == DP_DUPLICATES_WATCH ? DP_DUPLICATES_SAMPLE - 1
								      : 0,
		.copies_sample = cfg->duplicates == DP_DUPLICATES_OFF};
	w->ring = dp_ring_new(cfg->n_records, cfg->waits);
	if (cfg->signalling_bytes > 0)
		w->signalling = dp_signalling_ring_new(cfg->signalling_bytes, cfg->waits);
	if ((cfg->duplicates != DP_DUPLICATES_OFF &&
		    dp_duplicates_new(n_copies(cfg->duplicate_window_ns), cfg->duplicate_window_ns,
			    &w->duplicates) < 0) ||
		(cfg->samples.n_packets > 0 &&
			dp_sampler_new(&cfg->samples, cfg->n_flows, &w->sampler) < 0) ||
		(cfg->signalling_bytes > 0 && w->signalling == NULL) || w->ring == NULL ||
		dp_flow_table_init(&w->flows, cfg->n_flows) < 0 ||
		dp_said_init(&w->said, cfg->n_said) < 0 ||
		dp_usage_init(&w->usage, cfg->n_entries, cfg->n_endpoints, w->ring, cfg->id) < 0 ||
		know_offload(w) < 0) {
		dp_worker_free(w);
		return dp_fail(reterr, ENOMEM,
			"cannot set up worker %u for %u flows: %m; lower workers.flows", cfg->id,
			cfg->n_flows);
	}
	if (!cfg->waits)
		make_resident(w);
	*ret_worker = w;
	return 0;
}

/* Flows that were still alive when the worker was stopped: only their classifier state matters. */
static void drop_states(struct dp_worker *w)
{
	for (uint32_t i = 1; i <= w->flows.n_touched; i++) {
		const uint16_t flags = dp_worker_flow(w, i)->flags;
		struct dp_five_tuple tuple = {0};
		struct dp_stage_item item = {.state = &dp_worker_rest(w, i)->scratch.stage_state,
			.tuple = &tuple,
			.endpoint = &tuple.src,
			.is_watched = (flags & DP_FLOW_WATCHED) != 0};

		if ((flags & DP_FLOW_SCRATCH) == DP_SCRATCH_STAGE)
			w->stage.ops->finish(w->stage.self, &item);
	}
}

void dp_worker_free(struct dp_worker *w)
{
	if (w == NULL)
		return;
	if (w->flows.flows != NULL)
		drop_states(w);
	for (uint16_t i = 0; i < w->n_inputs; i++) {
		struct input *in = &w->inputs[i];

		for (; in->next < in->n; in->next++) {
			if (!dp_is_mark(in->elements[in->next]))
				rte_pktmbuf_free(in->elements[in->next]);
		}
	}
	w->stage.ops->free(w->stage.self);
	dp_flow_table_fini(&w->flows);
	dp_usage_fini(&w->usage);
	dp_said_fini(&w->said);
	dp_duplicates_free(w->duplicates);
	dp_sampler_free(w->sampler);
	free(w->active);
	free(w->told);
	dp_signalling_ring_free(w->signalling);
	dp_ring_free(w->ring);
	free(w);
}

void dp_worker_add_input(struct dp_worker *w, struct rte_ring *ring)
{
	w->inputs[w->n_inputs++].ring = ring;
}

struct dp_ring *dp_worker_ring(struct dp_worker *w)
{
	return w->ring;
}

struct dp_signalling_ring *dp_worker_signalling_ring(struct dp_worker *w)
{
	return w->signalling;
}

struct dp_sampler *dp_worker_sampler(struct dp_worker *w)
{
	return w->sampler;
}

const struct dp_worker_counters *dp_worker_counters(const struct dp_worker *w)
{
	return &w->counters;
}

/* What the round counted becomes visible. */
static void count_round(struct dp_worker *w)
{
	struct dp_worker_counters *c = &w->counters;

	dp_count(&c->outcomes[DP_OUTCOME_ACCOUNTED], w->round.n_frames);
	dp_count(&c->packets, w->round.n_packets);
	dp_count(&c->ip_bytes, w->round.ip_bytes);
	dp_count(&c->classified_packets, w->round.n_classified);
	if (w->duplicates != NULL) {
		dp_count(&c->copies_looked, w->round.n_looked);
		dp_count(&c->copies_seen, w->round.n_copies);
		dp_count(&c->outcomes[DP_OUTCOME_DUPLICATE], w->round.n_copied_frames);
		atomic_store_explicit(&c->copies_forgotten, dp_duplicates_forgotten(w->duplicates),
			memory_order_relaxed);
	}
	memset(&w->round, 0, sizeof(w->round));
}

/* Take what the input has up to its next mark. */
static bool poll_input(struct dp_worker *w, struct input *in)
{
	uint16_t n = 0;

	if (in->is_held)
		return false;
	if (in->next == in->n) {
		in->n = (uint16_t)rte_ring_sc_dequeue_burst(in->ring, in->elements, DP_BURST, NULL);
		in->next = 0;
	}
	if (in->n == 0)
		return false;
	while (in->next + n < in->n && !dp_is_mark(in->elements[in->next + n]))
		n++;
	if (n > 0)
		dp_worker_take(w, (struct rte_mbuf **)in->elements + in->next, n);
	in->next += n;
	if (in->next < in->n) {
		in->mark = dp_mark_tick(in->elements[in->next++]);
		in->is_held = true;
	}
	count_round(w);
	return true;
}

/* What there is to do for flows that no packet has asked for. */
static bool go_through_flows(struct dp_worker *w)
{
	if (w->walk.n_left > 0) {
		dp_worker_walk_slice(w);
		return true;
	}
	return w->tell.is_under_way && dp_worker_tell_slice(w);
}

bool dp_worker_poll(struct dp_worker *w)
{
	const uint64_t tell_asked = dp_counter_get(&w->tell_asked);
	bool is_busy = false;

	if (w->stage.ops->renew != NULL && w->stage.ops->renew(w->stage.self))
		dp_worker_walk_begin(w);
	if (tell_asked != w->tell.request)
		dp_worker_tell_begin(w, tell_asked);
	for (uint16_t i = 0; i < w->n_inputs; i++)
		is_busy |= poll_input(w, &w->inputs[i]);
	if (w->owes_end)
		dp_worker_tick_post_end(w);
	if (!w->is_closing)
		dp_worker_tick_begin_close(w);
	if (w->is_closing) {
		dp_worker_tick_close_slice(w);
		is_busy = true;
	} else { // never both: inputs wait for a slice
		is_busy |= go_through_flows(w);
	}
	return is_busy;
}

bool dp_worker_round(struct dp_worker *w)
{
	// Release: what the round before read is read. The fence meets that of dp_path_grace_begin():
	// either control sees this round begun, or this round sees the pointer that control put out
	// before.
	atomic_store_explicit(
		&w->counters.rounds, dp_counter_get(&w->counters.rounds) + 1, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	return dp_worker_poll(w);
}

struct dp_stretch_counters *dp_worker_stretches(struct dp_worker *w)
{
	return &w->counters.stretches;
}
