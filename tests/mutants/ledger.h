// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One capture through the real packet path with the real classifier, and the books of it checked. */

#include "tests/mutants/frames.h"

#include <stdbool.h>

enum { LEDGER_WORKERS_MAX = 2 };

/* What a run is like besides its frames. */
struct ledger_config {
	uint16_t n_workers;
	uint32_t n_flows; // few: flows have to make room, usage may have none
	bool drops_duplicates;
	bool ignores; // some VLANs and networks
};

/* What it came to, over all runs. */
struct ledger_sums {
	uint64_t frames, accounted, opened, refused, fragments, flows, bytes;
};

/* Once: the EAL without hugepages, the classifier. Ends the program where that cannot be. */
void ledger_start(void);
void ledger_stop(void);

/* For frames_read(); valid until the next ledger_run(). */
struct rte_mempool *ledger_pool(void);

/* Returns the number of faults; each is a line on stderr. sums is added to. */
unsigned int ledger_run(
	const struct frames *frames, const struct ledger_config *config, struct ledger_sums *sums);
