// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How many different addresses were there? Exact up to CTL_DISTINCT_EXACT, beyond that an estimate in as
 * much memory (HyperLogLog; Flajolet et al., 2007), so that nobody's list of addresses is kept where there
 * are many. The answer depends neither on order nor on repetition. Pure; one thread at a time. */

#include "dataplane/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CTL_DISTINCT_EXACT = 128,
	// One byte each. An estimate is within 10 % in 997 of 1000 cases: the standard error is
	// 1.04 / sqrt(1024) = 3.3 %.
	CTL_DISTINCT_REGISTERS = 1024,
};
static_assert(CTL_DISTINCT_EXACT * sizeof(uint64_t) == CTL_DISTINCT_REGISTERS);

/* All zero is the empty one. */
struct ctl_distinct {
	union {
		uint64_t *hashes; // owned; n of them, room for size
		uint8_t *registers; // owned
	};
	uint16_t n, size;
	bool is_estimate; // registers
};

void ctl_distinct_add(struct ctl_distinct *d, const struct dp_addr *addr);
/* All that are in other, too. */
void ctl_distinct_merge(struct ctl_distinct *d, const struct ctl_distinct *other);
uint64_t ctl_distinct_count(const struct ctl_distinct *d);
/* Leaves the empty one. */
void ctl_distinct_clear(struct ctl_distinct *d);
