// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* All flows of the last minutes, of a running daemon: those that ended lately, as far as they are kept
 * (control/recent.h), and those that live, which workers are asked for.
 *
 * One survey at a time. It is begun, goes on in steps of at most CTL_SURVEY_STEP_US behind each poll of
 * the pipeline, and hands each flow to its visitor once: as its END note, or as a note of why LIVING with
 * the counts so far. Every flow that lived in its worker when that was asked comes, or is counted as
 * missed; one that began after the survey did not come. Order is undefined. Control thread only. */

#include "dataplane/err.h"
#include "dataplane/record.h"

#include <stdbool.h>
#include <stdint.h>

enum { CTL_SURVEY_STEP_US = 1500 }; // start value

/* What was looked at. Times are event time. */
struct ctl_survey_reach {
	uint64_t begin_ns, end_ns; // of the survey itself
	// Flows that ended from here on are among those that were visited; 0: of ended ones none are kept.
	uint64_t since_ns;
	uint64_t n_living, n_ended; // visited: that lived at its begin; that had ended before
	uint64_t n_overwritten; // had ended before, and gave way to others before their turn came
	uint64_t n_dropped; // notes that workers had no room for, since since_ns and until its end
};

struct ctl_survey_visitor {
	/* One flow; why is DP_NOTE_END or DP_NOTE_LIVING. Borrowed for the call, which takes some
	 * microseconds at most. It may not begin a survey. */
	void (*flow)(void *ctx, const struct dp_record *note);
	/* There is no more; reach is borrowed for the call, and a survey may be begun in it. */
	void (*done)(void *ctx, const struct ctl_survey_reach *reach);
};

struct ctl_survey;

/* visitor is borrowed, and ctx kept alive, until done() or ctl_survey_leave(). Returns 0, or -EBUSY with a
 * sentence while one runs: it takes a second or a few, so a question over the socket waits for it
 * (ctl_reply_wait()). */
[[nodiscard]] int ctl_survey_begin(struct ctl_survey *survey,
	const struct ctl_survey_visitor *visitor, void *ctx, struct dp_err *reterr);

bool ctl_survey_is_busy(const struct ctl_survey *survey);

/* ctx goes away: its visitor is called no more. The survey itself ends when the workers have answered. Of
 * another ctx, or when none runs, nothing happens. */
void ctl_survey_leave(struct ctl_survey *survey, const void *ctx);

/* --- for the pipeline --------------------------------------------------------------------------- */

struct ctl_recent;

/* Where records come from; ctx of ctl_survey_new(). */
struct ctl_survey_source {
	uint64_t (*tell)(void *ctx); // dp_path_tell()
	uint64_t (*now_ns)(void *ctx); // event time
	uint64_t (*n_dropped)(void *ctx); // notes that workers had no room for, since the start
	uint64_t tick_ns; // of the records
};

/* source and recent are borrowed for its life; recent NULL: no flow is kept that ended. */
struct ctl_survey *ctl_survey_new(const struct ctl_survey_source *source, void *ctx,
	uint16_t n_workers, const struct ctl_recent *recent);
void ctl_survey_free(struct ctl_survey *survey); // NULL is fine; of a visitor nothing is called

/* Each END and LIVING note as it comes. */
void ctl_survey_note(struct ctl_survey *survey, const struct dp_record *note);

/* A worker has told all its flows. */
void ctl_survey_told(struct ctl_survey *survey, uint16_t worker, uint64_t request);

/* Behind each poll. Returns true when there was something to do. */
bool ctl_survey_work(struct ctl_survey *survey);
