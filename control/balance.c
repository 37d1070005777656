// SPDX-License-Identifier: BSD-3-Clause
#include "control/balance.h"

#include "control/plan.h"

#include <glib.h>

static_assert((int)CTL_BALANCE_MAX == (int)CTL_WORKERS_MAX);

void ctl_balance_look(struct ctl_balance *b, const uint64_t *n_packets, uint16_t n)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < n; i++)
		sum += n_packets[i] - b->seen[i];
	b->busiest = 0;
	for (uint16_t i = 0; i < n; i++) {
		const uint64_t mine = n_packets[i] - b->seen[i];

		b->of_mean[i] = sum > 0 ? (double)mine * n / (double)sum : 0;
		b->busiest = MAX(b->busiest, b->of_mean[i]);
		b->seen[i] = n_packets[i];
	}
}

void ctl_balance_look_at(struct ctl_balance *b, const struct dp_path *path, uint16_t n_workers)
{
	uint64_t n_packets[CTL_BALANCE_MAX];

	for (uint16_t i = 0; i < n_workers; i++) {
		struct dp_worker_stats w;

		dp_path_worker_stats(path, i, &w);
		n_packets[i] = w.packets;
	}
	ctl_balance_look(b, n_packets, n_workers);
}
