// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What another catalogue would change: flows as they are and as they would be in, changes by app out.
 *
 * Two feed it: `apps diff --on`, which has the lines of two replays over the same packets (ctl_flow_diff_add), and
 * the running daemon, which has notes of flows and two catalogues (control/live_diff.h, ctl_flow_diff_note). Flows
 * are held against each other one by one and nothing of them is kept but sums: memory grows with the changes that
 * there are between apps, and not with flows. A change is one of app, category, tag or strength of evidence, for
 * rules look at these. No address is part of it. Pure; one thread. */

#include "classifier/resolve.h"
#include "control/domain.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

enum { CTL_FLOW_DIFF_CHANGES_MAX = 8192 }; // that are kept apart, some 1.5 KB each; start value

struct ctl_flow_diff;

/* domains: borrowed for its life. */
struct ctl_flow_diff *ctl_flow_diff_new(const struct ctl_domains *domains);
void ctl_flow_diff_free(struct ctl_flow_diff *diff); // NULL is fine

/* One flow as each run has it, objects of `replay --flows` (docs/design.md section 6); borrowed. Returns 1 when
 * it changes, 0 when it does not, and -EPROTO with a sentence, which has no address, when they are not the same
 * flow. */
[[nodiscard]] int ctl_flow_diff_add(struct ctl_flow_diff *diff, const json_t *before,
	const json_t *after, struct dp_err *reterr);

/* One flow of a note (DP_RECORD_NOTE), of an app: what it is by one catalogue, and by another. Returns whether it
 * changes. */
bool ctl_flow_diff_note(struct ctl_flow_diff *diff, const struct dp_record *note,
	const struct cls_catalogue *was, const struct cls_decision *before,
	const struct cls_catalogue *becomes, const struct cls_decision *after);

/* Flows that were held against each other. */
uint64_t ctl_flow_diff_count(const struct ctl_flow_diff *diff);

/* Add a record (json_t *, owned by the array) for each change, most bytes first: was, was_category, was_tag,
 * was_strength (strong, weak; null: no app), becomes, category, tag, strength, flows, bytes, subscribers (endpoints; an
 * estimate from CTL_DISTINCT_EXACT on), examples (domains of names, or ports). Behind them one of all changes beyond
 * CTL_FLOW_DIFF_CHANGES_MAX, if there are, with null for both apps. */
void ctl_flow_diff_records(const struct ctl_flow_diff *diff, GPtrArray *ret_records);

struct ctl_flow_diff_sum {
	uint64_t flows, bytes, subscribers;
	bool is_estimate; // subscribers
};

struct ctl_flow_diff_totals {
	struct ctl_flow_diff_sum all, changed;
};

struct ctl_flow_diff_totals ctl_flow_diff_totals(const struct ctl_flow_diff *diff);

/* {"flows":{"all":…,"changed":…},"bytes":{…},"subscribers":{…}}; owned by the caller. */
json_t *ctl_flow_diff_totals_json(const struct ctl_flow_diff_totals *totals);

/* "3 of 148 flows, 12345 of 4000000 bytes, 2 of 7 subscribers change", or "nothing changes: ..."; owned by the
 * caller. */
char *ctl_flow_diff_sentence(const struct ctl_flow_diff_totals *totals);
