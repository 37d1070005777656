// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The loss ledger as one sum: every received frame has exactly one outcome, or waits for the rest of
 * its datagram (held), or is on its way between receiver and worker (in flight). */

#include "dataplane/path.h"

#include <stdint.h>

/* Frames that have an outcome. */
uint64_t ctl_ledger_done(const uint64_t outcomes[DP_OUTCOME_COUNT]);

/* Frames of which nothing is known: dropped before us, or by us before they reached a flow. */
uint64_t ctl_ledger_lost(const struct dp_path_stats *stats);

/* After the last tick of a capture: each frame has an outcome, and the bytes of every packet that was
 * not dropped are credited. Returns 0, or -EPROTO with a sentence that has both sides of the sum: a
 * fault of the packet path, whatever was read. */
[[nodiscard]] int ctl_ledger_check_end(const struct dp_path_stats *stats, struct dp_err *reterr);

/* What runs is never read of one moment. Outcomes and what is held are those of `before`, frames those
 * of `after`, so that no frame is seen to end before it came. */
struct ctl_ledger {
	uint64_t received, done, held;
	int64_t in_flight;
	uint64_t in_flight_max; // more than this the queues do not hold
};

/* before, after: read one after the other, the same for a port as for all of them
 * n_queues: from receivers to workers */
void ctl_ledger_of(const struct dp_path_stats *before, const struct dp_path_stats *after,
	unsigned int n_queues, struct ctl_ledger *ret_ledger);

/* Frames that nothing explains: 0 when it adds up; negative, when more ended than came; positive, when
 * more are under way than there is room for. */
int64_t ctl_ledger_off(const struct ctl_ledger *ledger);
