// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

enum {
	CLOSE_SLICE = 256, // entries posted between two receives
	EXPIRY_WEIGHT = 8, // in entries: it may need the classifier's last word
};

void dp_worker_tick_begin_close(struct dp_worker *w)
{
	uint64_t mark = UINT64_MAX;

	for (uint16_t i = 0; i < w->n_inputs; i++) {
		if (!w->inputs[i].is_held)
			return;
		if (w->inputs[i].mark < mark)
			mark = w->inputs[i].mark;
	}
	for (uint16_t i = 0; i < w->n_inputs; i++) {
		if (w->inputs[i].mark == mark)
			w->inputs[i].is_held = false;
	}
	w->is_closing = true;
	w->closing_tick = w->tick;
	w->closing_mark = mark;
	w->tick = mark + 1;
	dp_usage_close_tick(&w->usage, w->tick);
}

void dp_worker_tick_post_end(struct dp_worker *w)
{
	const struct dp_record end = {.kind = DP_RECORD_TICK_END,
		.tick = w->ended_tick,
		.worker = w->cfg.id,
		.end = {.n_ticks = w->n_ticks}};

	w->owes_end = !dp_ring_post(w->ring, &end);
}

void dp_worker_tick_close_slice(struct dp_worker *w)
{
	const uint64_t end_ns = dp_worker_closing_end_ns(w);
	unsigned int n = CLOSE_SLICE;

	for (; n >= EXPIRY_WEIGHT; n -= EXPIRY_WEIGHT) {
		struct dp_flow *f = dp_flow_expired(&w->flows, end_ns);

		if (f == NULL)
			break;
		dp_worker_flow_end(w, f, w->closing_tick);
	}
	if (n < EXPIRY_WEIGHT || !dp_usage_flush(&w->usage, n))
		return;
	w->is_closing = false;
	w->ended_tick = w->closing_mark;
	w->n_ticks++;
	dp_worker_tick_post_end(w);
	atomic_store_explicit(&w->counters.postponed, w->usage.n_postponed, memory_order_relaxed);
	atomic_store_explicit(&w->counters.names_refused, w->hosts.n_refused, memory_order_relaxed);
}
