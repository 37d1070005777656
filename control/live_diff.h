// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the staged catalogue would change of the flows of the last minutes, of a running daemon: a survey
 * (control/survey.h) in which each flow is resolved by it, from what is remembered of the flow, as workers would after
 * a commit (classifier/resolve.h). One at a time; the last results are kept. Control thread only. */

#include "control/flow_diff.h"
#include "control/survey.h"

struct ctl_live_diff;

/* survey: borrowed for its life. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_live_diff_new(
	struct ctl_survey *survey, struct ctl_live_diff **ret_diff, struct dp_err *reterr);
void ctl_live_diff_free(struct ctl_live_diff *diff); // NULL is fine

/* Both catalogues are borrowed until it has ended or ctl_live_diff_cancel(). Returns 0 and its number, at least 1, or
 * -EBUSY with a sentence while one runs, or another survey. */
[[nodiscard]] int ctl_live_diff_begin(struct ctl_live_diff *diff,
	const struct cls_catalogue *in_force, const struct cls_catalogue *staged, uint64_t *ret_id,
	struct dp_err *reterr);

/* A catalogue goes away, or is another one now: what runs ends without a result. */
void ctl_live_diff_cancel(struct ctl_live_diff *diff);

bool ctl_live_diff_is_running(const struct ctl_live_diff *diff);

/* The number of the one that runs, or of the last one; 0: none was begun. */
uint64_t ctl_live_diff_id(const struct ctl_live_diff *diff);

enum { CTL_LIVE_DIFF_RESULTS = 4 }; // that are kept; start value

/* What was looked at. */
struct ctl_live_diff_result {
	uint64_t id;
	bool is_cancelled; // then there is nothing else
	struct ctl_flow_diff_totals totals; // of decided flows
	struct ctl_survey_reach reach;
	uint64_t n_undecided; // flows that are left out: nobody knows yet what they are
	GPtrArray *changes; // json_t *, as ctl_flow_diff_records() has them
};

/* Of one of the last that ended; NULL: it runs, or is forgotten. Borrowed until another one ends. */
const struct ctl_live_diff_result *ctl_live_diff_result(
	const struct ctl_live_diff *diff, uint64_t id);
