// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What is wrong with the mirror, the tunnels or the ledger, judged by the packet path's counters: the
 * alarms of docs/operations.md. Each begins at one threshold and ends at a lower one, so that it does
 * not flap, and both are logged. No clock: whoever looks, looks every CTL_PATH_LOOK_NS. Control thread
 * only. */

#include "dataplane/path.h"

#include <stdbool.h>

#define CTL_PATH_LOOK_NS (10ULL * 1000000000)

enum {
	CTL_PATH_LOOKS = 6, // a minute: what alarms are judged by
	// Fewer say nothing. Start values, all of them:
	CTL_ONE_WAY_FLOWS_MIN = 100,
	CTL_COPIES_PACKETS_MIN = 1000,
	CTL_REFUSED_FRAMES_MIN = 100,
	CTL_LEDGER_LOOKS_MIN = 3, // in a row, until it is believed
};

enum ctl_path_alarm {
	CTL_PATH_ONE_WAY, // over half of the TCP flows that ended; until under a quarter
	CTL_PATH_COPIES, // over 5 % of the packets looked at; until under 2 %
	CTL_PATH_FRAGMENTS, // a datagram was not rebuilt for lack of room; until none was
	CTL_PATH_LEDGER, // it does not add up; until it does
	CTL_PATH_TUNNEL, // + enum dp_encap: over 10 % of its frames not opened; until under 5 %
	CTL_PATH_ALARM_COUNT = CTL_PATH_TUNNEL + DP_ENCAP_COUNT,
};

struct ctl_path_watch;

/* n_queues: from receivers to workers. */
struct ctl_path_watch *ctl_path_watch_new(enum dp_duplicates_mode mode, unsigned int n_queues);
void ctl_path_watch_free(struct ctl_path_watch *w); // NULL is fine

/* The counters, read twice in a row (control/ledger.h says why). */
void ctl_path_watch_look(struct ctl_path_watch *w, const struct dp_path_stats *before,
	const struct dp_path_stats *after);

bool ctl_path_watch_is_on(const struct ctl_path_watch *w, enum ctl_path_alarm alarm);
