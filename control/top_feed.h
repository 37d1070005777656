// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One round of questions over the control socket at a time, without ever waiting: who has a screen and
 * keys to look after polls the descriptor. A connection a round, so that all answers of a round are
 * of one process, and nobody holds a place at the daemon while nothing is asked.
 *
 * The peer may lie, stall and send without end: lines, pages and time are bounded. One thread. */

#include "control/top_sample.h"
#include "dataplane/err.h"

enum {
	CTL_TOP_LINE_MAX =
		1 << 20, // bytes of a record: pages are 256 KiB, one record may be larger
	CTL_TOP_PAGES_MAX = 256, // of one answer
	CTL_TOP_PATIENCE_S = 10, // for a whole round: as `wirecue show` waits for an answer
};

struct ctl_top_feed;

/* path is borrowed until it is freed. */
struct ctl_top_feed *ctl_top_feed_new(const char *path);
void ctl_top_feed_free(struct ctl_top_feed *feed); // NULL is fine

/* Connect and ask. Returns 0, or -errno with a sentence. A round under way is given up. */
[[nodiscard]] int ctl_top_feed_begin(struct ctl_top_feed *feed, struct dp_err *reterr);

/* For poll(): -1 while no round is under way; which events are waited for. */
int ctl_top_feed_fd(const struct ctl_top_feed *feed);
short ctl_top_feed_events(const struct ctl_top_feed *feed);

/* Send and read what can be, now_us being of any monotonic clock since begin. Returns 1 when the round
 * is over, with its sample, owned by the caller; 0 when there is more to come; or -errno with a
 * sentence, the round being given up. */
[[nodiscard]] int ctl_top_feed_step(struct ctl_top_feed *feed, uint64_t now_us,
	struct ctl_top_sample **ret_sample, struct dp_err *reterr);
