// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Whose hashes are to be written next: who changed and was not written lately, in order of id, as
 * many a second as spread them evenly.
 *
 * A few bytes are remembered of each profile, so that a subscriber is written at most once an
 * interval, that what changes by time alone is written in time, and that what Redis has lost is
 * written again. Knows no Redis; its clock is given. Control thread only. */

#include "control/engine.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CTL_DUE_RATE_MIN = 100, // writes a second; start value
	CTL_DUE_RATE_MAX = 20000,
};
#define CTL_DUE_NOBODY UINT64_MAX

/* What is remembered of one profile. */
struct ctl_due_mark {
	uint32_t written; // deciseconds of the clock; 0 = not, or it has to be again
	uint32_t change_s; // event time from which on the hashes say otherwise; 0 = not in sight
	uint32_t month; // of the cycle in which old fields were removed last; 0 = not yet
	bool is_profiled; // what was written then named apps
};

struct ctl_due {
	struct ctl_engine *engine; // borrowed
	uint32_t interval; // deciseconds
	uint64_t began_ns, turned_ns; // of the clock, ns: first turn, this turn
	uint32_t now; // deciseconds of the clock, > 0
	double budget; // writes that may be made now
	struct ctl_due_mark *marks; // owned, by id
	uint64_t n_marks;
	uint64_t hand; // next id of the pass; 0 = between two
	uint32_t pass; // when the pass began
	uint64_t n_pass; // how many had changed then; 0 = between two
	uint64_t clock_hand; // next mark whose change_s is looked at
	uint64_t again; // next id to be written again; 0 = nobody is
	uint32_t again_since; // who was written since then; 0 = everybody
};

void ctl_due_init(struct ctl_due *due, struct ctl_engine *engine, uint64_t interval_ns);
void ctl_due_fini(struct ctl_due *due);

/* A turn begins: now_ns of a clock that does not go back. Earns budget, and looks at a bounded
 * number of profiles. */
void ctl_due_turn(struct ctl_due *due, uint64_t now_ns);

/* The next one, a profile with a person; CTL_DUE_NOBODY when nobody is due or the budget is spent.
 * The caller writes it now: it counts as published, until ctl_due_failed. */
uint64_t ctl_due_next(struct ctl_due *due);

/* Spend budget on something else; false when it is spent. */
bool ctl_due_take(struct ctl_due *due);

/* Not written after all: it is due at once. */
void ctl_due_failed(struct ctl_due *due, uint64_t id);

/* Redis has lost what was written since (deciseconds of the clock), or everything (0). */
void ctl_due_again(struct ctl_due *due, uint32_t since);

/* Writes a second when n_due are to be spread over an interval (deciseconds). */
double ctl_due_rate(uint64_t n_due, uint32_t interval);

/* Of an id that was given. Borrowed until the next call for another id. */
struct ctl_due_mark *ctl_due_mark(struct ctl_due *due, uint64_t id);
