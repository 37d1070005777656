// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

static enum dp_outcome go_on(struct dp_walk *w, enum dp_step step)
{
	while (step != DP_STEP_END && w->n_steps++ < DP_WALK_STEPS_MAX)
		step = dp_step_take(w, step);
	return dp_step_end(w, step);
}

enum dp_outcome dp_walk(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, struct dp_walk *w)
{
	w->frame = frame;
	return go_on(w, dp_step_begin(w, cap_len, wire_len, link));
}

bool dp_walk_is_tunnel(const struct dp_walk *fragment)
{
	struct dp_walk w = *fragment;

	w.ip.is_fragment = false;
	w.wire_end = UINT32_MAX;
	(void)go_on(&w, DP_STEP_L4);
	return w.n_ip > fragment->n_ip;
}

enum dp_outcome dp_walk_rebuilt(const struct dp_walk *first, const uint8_t *packet,
	uint32_t cap_len, uint32_t wire_len, struct dp_walk *w)
{
	struct dp_walk before = *first; // ret_walk may be the same

	*w = before;
	w->frame = packet;
	w->off = 0;
	w->end = cap_len;
	w->wire_end = wire_len;
	w->n_ip--; // this one again, whole now
	w->encaps = 0;
	w->pending = before.encaps;
	w->refused = DP_REFUSED_NONE;

	const enum dp_outcome r = go_on(w, DP_STEP_IP);

	if (w->n_ip == 0 || w->n_ip >= before.n_ip)
		return r;
	w->n_ip = 0; // the packets around it are of other frames
	w->encaps = 0;
	return dp_step_outcome_of(w->reason);
}

void dp_walk_count(const struct dp_walk *w, struct dp_encap_counters *counters)
{
	for (uint32_t set = w->encaps; set != 0; set &= set - 1)
		dp_count(&counters->opened[__builtin_ctz(set)], 1);
	if (w->refused != DP_REFUSED_NONE)
		dp_count(&counters->refused[w->refused][w->reason], 1);
}
