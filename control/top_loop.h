// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `wirecue top` on a terminal: asks, draws, listens to keys and signals, until it is told to end. */

#include "control/top_feed.h"
#include "control/top_model.h"

/* Returns 0 after q; -errno with a sentence when nobody answered the first question or the terminal is
 * none. Signals that end a process do so, with the terminal as it was before. */
[[nodiscard]] int ctl_top_loop(struct ctl_top_feed *feed, struct ctl_top_model *model,
	double interval_s, struct dp_err *reterr);
