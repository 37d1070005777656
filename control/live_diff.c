// SPDX-License-Identifier: BSD-3-Clause
#include "control/live_diff.h"

#include <errno.h>

struct ctl_live_diff {
	struct ctl_survey *survey; // borrowed
	struct ctl_domains *domains; // owned
	const struct cls_catalogue *in_force, *staged; // borrowed; NULL: none runs
	struct ctl_flow_diff *sums; // owned; of the one that runs
	uint64_t n_begun, n_undecided;
	struct ctl_live_diff_result results[CTL_LIVE_DIFF_RESULTS]; // by number
};

static void free_record(void *record)
{
	json_decref(record);
}

int ctl_live_diff_new(
	struct ctl_survey *survey, struct ctl_live_diff **ret_diff, struct dp_err *reterr)
{
	struct ctl_live_diff *d = g_new0(struct ctl_live_diff, 1);
	const int r = ctl_domains_open(&d->domains, reterr);

	if (r < 0) {
		g_free(d);
		return r;
	}
	d->survey = survey;
	*ret_diff = d;
	return 0;
}

void ctl_live_diff_free(struct ctl_live_diff *d)
{
	if (d == NULL)
		return;
	ctl_live_diff_cancel(d);
	for (size_t i = 0; i < CTL_LIVE_DIFF_RESULTS; i++)
		g_clear_pointer(&d->results[i].changes, g_ptr_array_unref);
	ctl_domains_close(d->domains);
	g_free(d);
}

/* A flow that ended may have ended before the catalogue in force was: what it would be by it is held against what it would
 * be by the staged one. One that lives counts for what its note says, and a commit would have it resolved from there. */
static void on_flow(void *ctx, const struct dp_record *note)
{
	struct ctl_live_diff *d = ctx;
	const struct cls_known known = cls_known_of_note(note);
	const bool is_living = note->note.why == DP_NOTE_LIVING;
	struct cls_decision before, after;

	if (note->app == DP_APP_UNDECIDED) {
		d->n_undecided++;
		return;
	}
	before = is_living ? known.now : cls_resolve(d->in_force, &known);
	after = cls_resolve(d->staged, &known);
	(void)ctl_flow_diff_note(d->sums, note, d->in_force, &before, d->staged, &after);
}

static void end(struct ctl_live_diff *d, const struct ctl_live_diff_result *result)
{
	struct ctl_live_diff_result *kept = &d->results[result->id % CTL_LIVE_DIFF_RESULTS];

	g_clear_pointer(&kept->changes, g_ptr_array_unref);
	*kept = *result;
	kept->changes = g_ptr_array_new_with_free_func(free_record);
	if (!kept->is_cancelled)
		ctl_flow_diff_records(d->sums, kept->changes);
	g_clear_pointer(&d->sums, ctl_flow_diff_free);
	d->in_force = d->staged = NULL;
}

static void on_done(void *ctx, const struct ctl_survey_reach *reach)
{
	struct ctl_live_diff *d = ctx;

	end(d,
		&(struct ctl_live_diff_result){.id = d->n_begun,
			.totals = ctl_flow_diff_totals(d->sums),
			.reach = *reach,
			.n_undecided = d->n_undecided});
}

int ctl_live_diff_begin(struct ctl_live_diff *d, const struct cls_catalogue *in_force,
	const struct cls_catalogue *staged, uint64_t *ret_id, struct dp_err *reterr)
{
	static const struct ctl_survey_visitor visitor = {.flow = on_flow, .done = on_done};
	const int r = ctl_survey_begin(d->survey, &visitor, d, reterr);

	if (r < 0)
		return r;
	d->in_force = in_force;
	d->staged = staged;
	d->sums = ctl_flow_diff_new(d->domains);
	d->n_undecided = 0;
	*ret_id = ++d->n_begun;
	return 0;
}

void ctl_live_diff_cancel(struct ctl_live_diff *d)
{
	if (!ctl_live_diff_is_running(d))
		return;
	ctl_survey_leave(d->survey, d);
	end(d, &(struct ctl_live_diff_result){.id = d->n_begun, .is_cancelled = true});
}

bool ctl_live_diff_is_running(const struct ctl_live_diff *d)
{
	return d->staged != NULL;
}

uint64_t ctl_live_diff_id(const struct ctl_live_diff *d)
{
	return d->n_begun;
}

const struct ctl_live_diff_result *ctl_live_diff_result(const struct ctl_live_diff *d, uint64_t id)
{
	const struct ctl_live_diff_result *result = &d->results[id % CTL_LIVE_DIFF_RESULTS];

	return id != 0 && result->id == id ? result : NULL;
}
