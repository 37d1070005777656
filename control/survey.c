// SPDX-License-Identifier: BSD-3-Clause
#include "control/survey.h"

#include "control/recent.h"

#include <errno.h>
#include <glib.h>

enum { LOOK_EVERY = 32 }; // flows between two looks at the clock: some 50 us of a slow visitor

struct ctl_survey {
	const struct ctl_survey_source *source; // borrowed
	void *source_ctx;
	const struct ctl_recent *recent; // borrowed; NULL: none
	uint64_t started_ns; // what ended before is known to nobody

	const struct ctl_survey_visitor *visitor; // borrowed; NULL: nobody listens any more
	void *ctx;
	bool is_busy;
	struct ctl_survey_reach reach;
	uint64_t dropped_before; // notes, before the oldest flow that was visited
	uint64_t number, end; // of recent: the next one to visit, and where to end
	uint64_t request;
	uint16_t n_workers, n_untold; // workers that have flows to tell yet
	bool *is_told; // owned: per worker
};

struct ctl_survey *ctl_survey_new(const struct ctl_survey_source *source, void *ctx,
	uint16_t n_workers, const struct ctl_recent *recent)
{
	struct ctl_survey *s = g_new0(struct ctl_survey, 1);

	s->source = source;
	s->source_ctx = ctx;
	s->recent = recent;
	s->n_workers = n_workers;
	s->is_told = g_new0(bool, n_workers);
	s->started_ns = source->now_ns(ctx);
	return s;
}

void ctl_survey_free(struct ctl_survey *s)
{
	if (s == NULL)
		return;
	g_free(s->is_told);
	g_free(s);
}

/* --- flows that ended before -------------------------------------------------------------------- */

/* From recent->first on; what the reach says of it begins there. */
static void begin_at_first(struct ctl_survey *s)
{
	const uint64_t first = ctl_recent_first(s->recent);

	s->number = MIN(first, s->end);
	if (first == 0) {
		s->reach.since_ns = s->started_ns;
		s->dropped_before = 0;
	} else if (first < s->end) {
		// Others of its tick may have been overwritten.
		s->reach.since_ns = (ctl_recent_at(s->recent, first)->tick + 1) *
			s->source->tick_ns;
		s->dropped_before = ctl_recent_dropped_at(s->recent, first);
	} else {
		s->reach.since_ns = s->reach.begin_ns;
		s->dropped_before = ctl_recent_dropped_at(s->recent, first);
	}
}

static void begin_recent(struct ctl_survey *s)
{
	s->number = s->end = 0;
	s->dropped_before = s->source->n_dropped(s->source_ctx);
	if (s->recent == NULL)
		return;
	s->end = ctl_recent_next(s->recent);
	begin_at_first(s);
}

static void visit(struct ctl_survey *s, const struct dp_record *note, uint64_t *ret_count)
{
	++*ret_count;
	s->visitor->flow(s->ctx, note);
}

/* As many as there is time for. */
static void visit_recent(struct ctl_survey *s)
{
	const gint64 until_us = g_get_monotonic_time() + CTL_SURVEY_STEP_US;
	const uint64_t expected = s->number;

	if (s->number < ctl_recent_first(s->recent)) {
		begin_at_first(s);
		s->reach.n_overwritten += s->number - expected;
	}
	for (unsigned int n = 1; s->number < s->end; n++) {
		visit(s, ctl_recent_at(s->recent, s->number), &s->reach.n_ended);
		s->number++;
		if (n % LOOK_EVERY == 0 && g_get_monotonic_time() >= until_us)
			return;
	}
}

/* --- flows that live ---------------------------------------------------------------------------- */

/* Does it belong here? Of a worker that was asked and has not told all yet, records come in this order:
 *
 *   ENDs of flows that ended before it heard of the question      not was_told
 *   LIVING notes, and between them
 *     ENDs of flows whose LIVING note came already                was_told
 *     ENDs of flows whose turn had not come, or never will        not was_told
 *   TOLD, and ENDs of flows that came as LIVING, or began behind its back
 *
 * Of the third kind the last are flows that began after the survey: they say so by their first packet, and
 * neither note of them is taken, wherever the walk met them. */
static bool is_here(const struct ctl_survey *s, const struct dp_record *note)
{
	if (s->n_untold == 0 || note->worker >= s->n_workers || s->is_told[note->worker])
		return false;
	if (note->note.first_ns > s->reach.begin_ns)
		return false;
	return note->note.why == DP_NOTE_LIVING ||
		(note->note.why == DP_NOTE_END && !note->note.was_told);
}

void ctl_survey_note(struct ctl_survey *s, const struct dp_record *note)
{
	if (s->visitor != NULL && is_here(s, note))
		visit(s, note, &s->reach.n_living);
}

void ctl_survey_told(struct ctl_survey *s, uint16_t worker, uint64_t request)
{
	if (s->n_untold == 0 || request != s->request || worker >= s->n_workers ||
		s->is_told[worker])
		return;
	s->is_told[worker] = true;
	s->n_untold--;
}

/* --- the survey --------------------------------------------------------------------------------- */

bool ctl_survey_is_busy(const struct ctl_survey *s)
{
	return s->is_busy;
}

int ctl_survey_begin(struct ctl_survey *s, const struct ctl_survey_visitor *visitor, void *ctx,
	struct dp_err *reterr)
{
	if (s->is_busy)
		return dp_fail(
			reterr, EBUSY, "somebody else goes through all flows just now; try again");
	s->visitor = visitor;
	s->ctx = ctx;
	s->is_busy = true;
	s->reach = (struct ctl_survey_reach){.begin_ns = s->source->now_ns(s->source_ctx)};
	begin_recent(s);
	for (uint16_t i = 0; i < s->n_workers; i++)
		s->is_told[i] = false;
	s->n_untold = s->n_workers;
	s->request = s->source->tell(s->source_ctx);
	return 0;
}

void ctl_survey_leave(struct ctl_survey *s, const void *ctx)
{
	if (s->visitor != NULL && s->ctx == ctx)
		s->visitor = NULL;
}

static void end(struct ctl_survey *s)
{
	const struct ctl_survey_visitor *visitor = g_steal_pointer(&s->visitor);
	struct ctl_survey_reach reach = s->reach;

	s->is_busy = false;
	if (visitor == NULL)
		return;
	reach.end_ns = s->source->now_ns(s->source_ctx);
	reach.n_dropped = s->source->n_dropped(s->source_ctx) - s->dropped_before;
	visitor->done(s->ctx, &reach);
}

bool ctl_survey_work(struct ctl_survey *s)
{
	if (!s->is_busy)
		return false;
	if (s->visitor == NULL)
		s->number = s->end;
	if (s->number < s->end)
		visit_recent(s);
	else if (s->n_untold == 0)
		end(s);
	return true;
}
