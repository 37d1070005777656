// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How many of what counters counted are of the last minutes: sums of ten seconds each, forgotten one
 * after the other. Pure; by the daemon's clock. */

#include "control/top_view.h"

struct ctl_top_lately {
	GHashTable *counters; // owned: name -> sums; NULL: nothing known
	uint64_t first_us; // uptime of the first look
};

void ctl_top_lately_fini(struct ctl_top_lately *lately);

/* Take the triggers of a sample; writes rows of triggers and how far back they reach to view. */
void ctl_top_lately_take(
	struct ctl_top_lately *lately, const struct ctl_top_sample *now, struct ctl_top_view *view);
