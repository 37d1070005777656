// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What sources did not deliver: the share of each tick for coverage, and gaps of each of them.
 *
 * A port that is down or whose link is, and one that loses frames (before us, or because its worker's queue was full),
 * is a gap of that port from the tick in which it begins to the last one of it; so is a usage table
 * without room. Losses with less than CTL_LOSS_QUIET_NS between them are one gap. What begins and ends
 * is logged. Live only; control thread only. */

#include "control/config.h"
#include "control/gaps.h"
#include "dataplane/path.h"

#define CTL_LOSS_QUIET_NS (60ULL * 1000000000) // start value: a bad hour is one line, not hundreds

struct ctl_source_watch;

/* gaps: borrowed. Ports are called as the configuration calls them. */
struct ctl_source_watch *ctl_source_watch_new(
	const struct ctl_config *config, struct ctl_gaps *gaps);
void ctl_source_watch_free(struct ctl_source_watch *w); // NULL is fine

/* A tick is complete: [from_ns, to_ns) in event time.
 *
 * ports    as many as the configuration has, in its order
 *
 * Returns the share of what there was that no flow has seen, 0..1: frames lost of those that came or
 * were lost; and of a port that is down or whose link is nothing came, so that it is taken to have as much as the
 * others have on average. */
double ctl_source_watch_tick(struct ctl_source_watch *w, uint64_t from_ns, uint64_t to_ns,
	const struct dp_path_stats *path, const struct dp_port_stats *ports);

/* Receiving ends in order: what is open ends here, and nothing begins any more. */
void ctl_source_watch_end(struct ctl_source_watch *w, uint64_t now_ns);
