// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A replay through the whole packet path, with an offload or without, and all that came out of it in an order that
 * does not depend on threads. Both stand still at each tick's end, so that what control does there comes at the same
 * place. The stage is the test's own: what becomes of a flow is a matter of its tuple and its packets alone. */

#include "dataplane/offload.h"
#include "dataplane/path.h"

enum { OFFLOAD_RIG_WORKERS_MAX = 3 };

struct offload_rig_config {
	const char *capture;
	uint16_t n_workers;
	uint64_t tick_ns;
	uint64_t n_flows;
	const struct dp_offload *offload; // NULL: without
	const struct dp_ignore *ignore;
	// At the end of one tick in so many: judge flows anew, tell of those that live. 0: never.
	uint32_t renew_every, tell_every;
};

/* What was counted under one key in one tick. */
struct offload_row {
	uint64_t tick;
	struct dp_addr endpoint;
	uint32_t app;
	uint16_t tag;
	uint8_t kind, evidence; // DP_RECORD_USAGE or _MOVE
	uint64_t is_ambiguous;
	struct dp_usage usage;
};

struct offload_run {
	struct offload_row *rows; // owned, sorted, each key once
	size_t n_rows, rows_room;
	struct dp_record *notes; // likewise, as they came
	size_t n_notes, notes_room;
	struct dp_quality quality; // of all endpoints and ticks, without times
	struct dp_path_stats stats;
	struct dp_port_stats port;
	// Of all that the stage was shown or overheard, in any order.
	uint64_t n_shown, n_overheard, sum;
	uint64_t n_renewed, n_ticks;
};

/* Once a program. */
int offload_rig_start(void **state);
int offload_rig_stop(void **state);

void offload_rig_run(const struct offload_rig_config *config, struct offload_run *ret_run);
void offload_rig_fini(struct offload_run *run);

/* Fails with what differs. */
void offload_rig_assert_same(const struct offload_run *a, const struct offload_run *b);
/* Each frame has one outcome, what was reported is what was accounted, and all that was undecided found its app,
 * unless flows were given up. */
void offload_rig_assert_ledger(const struct offload_run *run);

/* Usage of an endpoint in all ticks, or of all of them (NULL). */
struct dp_usage offload_rig_total(const struct offload_run *run, const struct offload_row *of);
