// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

/* What may be done between two receives, in looks at an entry or a flow: about 5 us. */
enum {
	SLICE = 32, // start value
	END_WEIGHT = 8, // of a flow's end: it may need the classifier's last word
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
	if (w->cfg.offload != NULL)
		dp_worker_offload_begin_close(w, (mark + 1) * w->cfg.tick_ns);
	w->is_closing = true;
	w->closing_tick = w->tick;
	w->closing_mark = mark;
	w->tick = mark + 1;
	w->tick_end_ns = (w->tick + 1) * w->cfg.tick_ns;
	dp_usage_close_tick(&w->usage, w->tick);
}

void dp_worker_tick_post_end(struct dp_worker *w)
{
	struct dp_record end;

	memset(&end, 0, sizeof(end)); // as in dataplane/usage.c
	end.kind = DP_RECORD_TICK_END;
	end.tick = w->ended_tick;
	end.worker = w->cfg.id;
	end.end.n_ticks = w->n_ticks;
	w->owes_end = !dp_ring_post(w->ring, &end);
}

/* End flows that are over. Returns what is left of n, 0 when there may be more to end. */
static unsigned int expire(struct dp_worker *w, unsigned int n)
{
	const uint64_t end_ns = dp_worker_closing_end_ns(w);

	while (n > 0) {
		const uint32_t i = dp_worker_flow_over(w, end_ns, &n);

		if (i == DP_FLOW_NONE)
			return n;
		dp_worker_flow_end(w, i, w->closing_tick);
		n -= n < END_WEIGHT ? n : END_WEIGHT;
	}
	return 0;
}

void dp_worker_tick_close_slice(struct dp_worker *w)
{
	unsigned int n;

	if (w->drains) {
		dp_worker_offload_drain_slice(w);
		return;
	}
	n = expire(w, SLICE);
	if (n == 0 || !dp_usage_flush(&w->usage, n))
		return;
	w->is_closing = false;
	w->ended_tick = w->closing_mark;
	w->n_ticks++;
	dp_worker_tick_post_end(w);
	atomic_store_explicit(
		&w->counters.postponed, dp_usage_postponed(&w->usage), memory_order_relaxed);
	atomic_store_explicit(
		&w->counters.quality_refused, w->usage.quality.n_refused, memory_order_relaxed);
	if (w->stage.ops->forgotten != NULL)
		atomic_store_explicit(&w->counters.hints_forgotten,
			w->stage.ops->forgotten(w->stage.self), memory_order_relaxed);
	atomic_store_explicit(&w->counters.names_refused, w->said.n_refused, memory_order_relaxed);
}
