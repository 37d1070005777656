// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

static bool is_open(uint32_t app)
{
	return app == DP_APP_UNDECIDED || app == DP_APP_UNKNOWN;
}

void dp_worker_sample_look(
	struct dp_worker *w, uint32_t i, const struct dp_stage_item *item, uint32_t ip_bytes)
{
	const struct dp_verdict *v = &item->verdict;
	const struct dp_flow *f = dp_worker_flow(w, i);
	struct dp_five_tuple tuple;
	const struct dp_sampler_flow of = {.tuple = &tuple,
		.endpoint = &dp_usage_key(&w->usage, f->usage)->endpoint,
		.first_ns = dp_worker_rest(w, i)->first_ns,
		.server_is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) == 0,
		.is_ambiguous = (f->flags & DP_FLOW_AMBIGUOUS) != 0};

	if (dp_sampler_is_done(w->sampler, i))
		return;
	if (!is_open(v->app)) {
		dp_sampler_drop(w->sampler, i);
		return;
	}
	dp_flow_tuple(&w->flows, i, &tuple);
	dp_sampler_add(w->sampler, i, &of, item, ip_bytes);
	if (v->is_final)
		dp_sampler_hand_over(w->sampler, i, v->ndpi_master, v->ndpi_app);
}

void dp_worker_sample_end(struct dp_worker *w, uint32_t i)
{
	const struct dp_said *said = dp_said_of(&w->said, dp_worker_rest(w, i)->said);

	if (dp_usage_key(&w->usage, dp_worker_flow(w, i)->usage)->app == DP_APP_UNKNOWN)
		dp_sampler_hand_over(w->sampler, i, said->ndpi_master, said->ndpi_app);
	dp_sampler_forget(w->sampler, i);
}
