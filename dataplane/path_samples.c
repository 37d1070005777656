// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path_state.h"

struct dp_sample *dp_path_sample_take(struct dp_path *path, uint16_t worker)
{
	struct dp_sampler *s = dp_worker_sampler(path->workers[worker]);

	return s != NULL ? dp_sampler_take(s) : NULL;
}

void dp_path_sample_give_back(struct dp_path *path, uint16_t worker, struct dp_sample *sample)
{
	dp_sampler_give_back(dp_worker_sampler(path->workers[worker]), sample);
}

void dp_path_sample_stats(const struct dp_path *path, struct dp_sample_stats *ret_stats)
{
	*ret_stats = (struct dp_sample_stats){0};
	for (uint16_t i = 0; i < path->n_workers; i++) {
		const struct dp_sampler *s = dp_worker_sampler(path->workers[i]);
		const struct dp_sampler_counters *c = s != NULL ? dp_sampler_counters(s) : NULL;

		if (c == NULL)
			continue;
		ret_stats->chosen += dp_counter_get(&c->chosen);
		ret_stats->known += dp_counter_get(&c->known);
		ret_stats->handed_over += dp_counter_get(&c->handed_over);
		ret_stats->no_slot += dp_counter_get(&c->no_slot);
		ret_stats->barred += dp_counter_get(&c->barred);
	}
}

void dp_path_sample_rate(struct dp_path *path, uint32_t one_in)
{
	for (uint16_t i = 0; i < path->n_workers; i++) {
		struct dp_sampler *s = dp_worker_sampler(path->workers[i]);

		if (s != NULL)
			dp_sampler_set_rate(s, one_in);
	}
}
