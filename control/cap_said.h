// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a near_cap rule has said about the buckets of a profile, so that nothing is said twice in a
 * cycle: the rule's state. Pure. */

#include "control/pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* About one bucket in one cycle. */
struct ctl_cap_said {
	const char *bucket; // id, interned
	uint64_t cycle_start_ns;
	uint64_t cap_bytes; // that next_bytes was reckoned with; 0 = not reckoned
	uint64_t next_bytes; // nothing is to be said below
	uint64_t reached_ns; // when the latest of it was due: the next is not earlier
	double step; // highest step announced
	bool is_nudged, is_judged;
};

struct ctl_cap_said_list {
	struct ctl_cap_said *said; // owned, one per bucket
	size_t n_said;
};

/* list may be NULL for find. of: made when it is new. Valid until the next of. */
struct ctl_cap_said *ctl_cap_said_find(const struct ctl_cap_said_list *list, const char *bucket);
struct ctl_cap_said *ctl_cap_said_of(struct ctl_cap_said_list *list, const char *bucket);

/* state_fini, save and load of the detector. */
void ctl_cap_said_fini(void *list);
void ctl_cap_said_save(const void *list, struct ctl_pack *pack);
bool ctl_cap_said_load(void *list, struct ctl_unpack *unpack);
