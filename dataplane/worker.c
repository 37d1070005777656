// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

#include "dataplane/idle.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ring.h>
#include <stdlib.h>

enum {
	ENTRIES_PER_FLOW = 2, // a verdict's flow has an entry for undecided and one for its app
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
	struct dp_flow_table *f = &w->flows;
	struct dp_usage_table *u = &w->usage;
	struct dp_hosts *h = &w->hosts;

	memset(f->flows, 0, ((size_t)f->n_flows + 1) * sizeof(*f->flows));
	memset(f->buckets, 0, ((size_t)f->bucket_mask + 1) * sizeof(*f->buckets));
	memset(u->entries, 0, ((size_t)u->n_entries + 1) * sizeof(*u->entries));
	memset(u->buckets, 0, ((size_t)u->bucket_mask + 1) * sizeof(*u->buckets));
	dp_hosts_make_resident(h);
}

int dp_worker_new(const struct dp_worker_config *cfg, struct dp_stage stage,
	struct dp_worker **ret_worker, struct dp_err *reterr)
{
	struct dp_worker *w = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*w), 64));

	if (w == NULL) {
		stage.ops->free(stage.self);
		return dp_fail(reterr, ENOMEM, "cannot set up worker %u: %m", cfg->id);
	}
	*w = (struct dp_worker){.cfg = *cfg, .stage = stage};
	w->ring = dp_ring_new(cfg->n_records, cfg->waits);
	if ((cfg->duplicates != DP_DUPLICATES_OFF &&
		    dp_duplicates_new(n_copies(cfg->duplicate_window_ns), cfg->duplicate_window_ns,
			    &w->duplicates) < 0) ||
		w->ring == NULL || dp_flow_table_init(&w->flows, cfg->n_flows) < 0 ||
		dp_hosts_init(&w->hosts, cfg->n_hosts) < 0 ||
		dp_usage_init(&w->usage, cfg->n_flows * ENTRIES_PER_FLOW, w->ring, cfg->id) < 0) {
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
static void drop_flows(struct dp_worker *w)
{
	for (struct dp_flow *f = dp_flow_oldest(&w->flows); f != NULL;
		f = dp_flow_oldest(&w->flows)) {
		struct dp_stage_item item = {.state = &f->stage_state, .tuple = &f->tuple};

		if (f->stage_state != NULL)
			w->stage.ops->finish(w->stage.self, &item);
		dp_flow_remove(&w->flows, f);
	}
}

void dp_worker_free(struct dp_worker *w)
{
	if (w == NULL)
		return;
	if (w->flows.flows != NULL)
		drop_flows(w);
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
	dp_hosts_fini(&w->hosts);
	dp_duplicates_free(w->duplicates);
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

const struct dp_worker_counters *dp_worker_counters(const struct dp_worker *w)
{
	return &w->counters;
}

/* Whether the packet is a copy that is to go. It has come as far as its tick, so that one more or less
 * moves nothing else. */
static bool is_copy(struct dp_worker *w, struct rte_mbuf *m)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	const bool is_watch = w->cfg.duplicates == DP_DUPLICATES_WATCH;

	if (p->l3_len == 0 || (is_watch && p->hash % DP_DUPLICATES_SAMPLE != 0))
		return false;
	w->copies.n_looked++;
	if (!dp_duplicates_seen(
		    w->duplicates, p, rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off)))
		return false;
	// Fragments that waited for this one: whether they came by another port nobody knows.
	if ((p->flags & DP_PKT_FRAGMENT) != 0 && p->n_packets > 1)
		return false;
	w->copies.n_seen++;
	if (is_watch)
		return false;
	w->copies.n_frames += p->n_frames;
	return true;
}

static void count_copies(struct dp_worker *w)
{
	struct dp_worker_counters *c = &w->counters;

	dp_count(&c->copies_looked, w->copies.n_looked);
	dp_count(&c->copies_seen, w->copies.n_seen);
	dp_count(&c->outcomes[DP_OUTCOME_DUPLICATE], w->copies.n_frames);
	atomic_store_explicit(
		&c->copies_forgotten, dp_duplicates_forgotten(w->duplicates), memory_order_relaxed);
	w->copies.n_looked = w->copies.n_seen = w->copies.n_frames = 0;
}

/* A packet comes in. Receivers stamp on their own and rings delay differently, so that a packet may
 * be older than one of another input before it; all behind here counts on one order of time. */
static void take_packet(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);

	if (p->time_ns < w->now_ns)
		p->time_ns = w->now_ns;
	w->now_ns = p->time_ns;

	const uint64_t tick = p->time_ns / w->cfg.tick_ns;

	if (tick != w->tick) { // the first of its tick: marks came before it
		dp_worker_batch_run(w);
		w->tick = tick;
		dp_usage_open_tick(&w->usage, tick);
	}
	if (w->duplicates != NULL && is_copy(w, m))
		rte_pktmbuf_free(m);
	else
		dp_worker_batch_add(w, m);
}

/* Take what the input has up to its next mark. */
static bool poll_input(struct dp_worker *w, struct input *in)
{
	if (in->is_held)
		return false;
	if (in->next == in->n) {
		in->n = (uint16_t)rte_ring_sc_dequeue_burst(in->ring, in->elements, DP_BURST, NULL);
		in->next = 0;
	}
	if (in->n == 0)
		return false;
	while (in->next < in->n) {
		void *element = in->elements[in->next++];

		if (dp_is_mark(element)) {
			in->mark = dp_mark_tick(element);
			in->is_held = true;
			break;
		}
		take_packet(w, element);
	}
	dp_worker_batch_run(w);
	if (w->duplicates != NULL)
		count_copies(w);
	return true;
}

bool dp_worker_poll(struct dp_worker *w)
{
	bool is_busy = false;

	for (uint16_t i = 0; i < w->n_inputs; i++)
		is_busy |= poll_input(w, &w->inputs[i]);
	if (w->owes_end)
		dp_worker_tick_post_end(w);
	if (!w->is_closing)
		dp_worker_tick_begin_close(w);
	if (w->is_closing) {
		dp_worker_tick_close_slice(w);
		is_busy = true;
	}
	return is_busy;
}

void dp_worker_run(struct dp_worker *w, const atomic_bool *stop)
{
	struct dp_idle idle = {0};

	while (!atomic_load_explicit(stop, memory_order_relaxed)) {
		const uint64_t begin = rte_rdtsc();

		// Release: what the round before read is read. The fence meets that of
		// dp_path_grace_begin(): either control sees this round begun, or this round sees
		// the pointer that control put out before.
		atomic_store_explicit(&w->counters.rounds, dp_counter_get(&w->counters.rounds) + 1,
			memory_order_release);
		atomic_thread_fence(memory_order_seq_cst);
		if (dp_worker_poll(w)) {
			dp_count(&w->counters.busy_tsc, rte_rdtsc() - begin);
			dp_idle_over(&idle);
			continue;
		}
		dp_idle_wait(&idle, w->cfg.yields);
	}
}
