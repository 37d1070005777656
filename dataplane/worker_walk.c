// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

/* What may be done between two receives, in looks at a flow: about 5 us. Start values. */
enum {
	SLICE = 32,
	CHANGE_WEIGHT = 4, // of a flow that counts as something else from here on
};

void dp_worker_walk_begin(struct dp_worker *w)
{
	struct dp_worker_counters *c = &w->counters;

	// A flow that takes a free place from here on is judged by the new anyway.
	w->walk.next = 1;
	w->walk.n_left = w->flows.n_touched;
	dp_count(&c->catalogues, 1);
	atomic_store_explicit(&c->to_resolve, w->walk.n_left, memory_order_relaxed);
}

/* A flow that the classifier still looks at is judged anew by its next packet, with all that its state holds; one
 * that nobody decided has nothing to be judged by. */
static bool is_due(const struct dp_worker *w, const struct dp_flow *f)
{
	return dp_flow_is_used(f) && (f->flags & (DP_FLOW_FINAL | DP_FLOW_WATCHED)) != 0 &&
		dp_usage_key(&w->usage, f->usage)->app != DP_APP_UNDECIDED;
}

void dp_worker_fetch(const struct dp_worker *w, uint32_t next, uint32_t n)
{
	for (uint32_t i = next; i < next + n; i++) {
		__builtin_prefetch(dp_usage_key(&w->usage, w->flows.flows[i].usage));
		__builtin_prefetch(dp_said_of(&w->said, w->flows.rest[i].said));
	}
}

void dp_worker_walk_slice(struct dp_worker *w)
{
	const uint32_t max = w->walk.n_left < SLICE ? w->walk.n_left : SLICE;
	uint32_t n = 0, weight = 0;

	dp_worker_fetch(w, w->walk.next, max);
	for (; n < max && weight < SLICE; n++) {
		const uint32_t i = w->walk.next + n;
		const bool is_changed = is_due(w, dp_worker_flow(w, i)) &&
			dp_worker_flow_resolve(w, i);

		weight += is_changed ? CHANGE_WEIGHT : 1;
	}
	w->walk.next += n;
	w->walk.n_left -= n;
	atomic_store_explicit(&w->counters.to_resolve, w->walk.n_left, memory_order_relaxed);
}
