// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Rates of apps. Their counters move when a tick is complete, so the time between two of their values
 * is event time (the watermark), not the time between two answers; while no tick was completed, what
 * was known stays. Pure. */

#include "control/top_view.h"

/* All zero: nothing known. */
struct ctl_top_counted {
	GArray *apps; // owned, of struct ctl_top_app: as of watermark_ns
	uint64_t watermark_ns;
	uint64_t moved_us; // uptime when that was first seen
};

void ctl_top_counted_fini(struct ctl_top_counted *counted);

/* Another process: what was counted before says nothing. */
void ctl_top_counted_forget(struct ctl_top_counted *counted);

/* Take the apps of a sample; writes rows, rates and shares of apps to view. */
void ctl_top_counted_take(struct ctl_top_counted *counted, const struct ctl_top_sample *now,
	struct ctl_top_view *view);
