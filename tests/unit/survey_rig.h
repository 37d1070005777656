// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A survey whose records a test makes itself. The number of a flow is its note's risk_bits. */

#include "control/recent.h"
#include "control/survey.h"

#include <stdbool.h>
#include <stdint.h>

enum { N_WORKERS = 3, N_RECENT = 100, TICK_NS = 10, FLOWS_MAX = 100000 };

struct rig {
	struct ctl_recent *recent;
	struct ctl_survey *survey;
	uint64_t now_ns, n_dropped, request;
	bool is_slow; // visits take a whole step in so many
	unsigned int n_done;
	struct ctl_survey_reach reach; // of the last one
	unsigned int visits[FLOWS_MAX]; // per flow, of the survey under way
	uint64_t n_visits;
};

/* One that keeps n_recent flows that ended; 0: none. */
struct rig *rig_make(size_t n_recent);
void rig_free(struct rig *rig);

struct dp_record note(
	uint16_t worker, enum dp_note_why why, uint64_t flow, uint64_t first_ns, bool was_told);

/* As the pipeline does. */
void take(struct rig *rig, const struct dp_record *r);

/* It counts visits; ctx is the rig. */
extern const struct ctl_survey_visitor visitor;
void on_flow(void *ctx, const struct dp_record *r);
void on_done(void *ctx, const struct ctl_survey_reach *reach);

void begin(struct rig *rig);
