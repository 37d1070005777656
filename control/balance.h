// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How evenly packets fall on workers: those of each in the last interval, relative to the mean of all.
 * No clock: whoever looks, looks every CTL_PATH_LOOK_NS. Control thread only. */

#include "dataplane/path.h"

enum { CTL_BALANCE_MAX = 64 }; // workers

struct ctl_balance {
	uint64_t seen[CTL_BALANCE_MAX]; // packets since the start, when last looked
	double of_mean[CTL_BALANCE_MAX]; // in the interval before: 1 is even, 0 is none
	double busiest; // the largest of them: 1 is even, the number of workers is all on one; 0: no packets
};

/* n_packets: of each of n workers since the start. */
void ctl_balance_look(struct ctl_balance *b, const uint64_t *n_packets, uint16_t n);

/* The same, of the path's workers. */
void ctl_balance_look_at(struct ctl_balance *b, const struct dp_path *path, uint16_t n_workers);
