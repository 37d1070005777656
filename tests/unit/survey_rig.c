// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/survey_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>

static uint64_t tell(void *ctx)
{
	return ++((struct rig *)ctx)->request;
}

static uint64_t now_ns(void *ctx)
{
	return ((struct rig *)ctx)->now_ns;
}

static uint64_t n_dropped(void *ctx)
{
	return ((struct rig *)ctx)->n_dropped;
}

static const struct ctl_survey_source source = {
	.tell = tell, .now_ns = now_ns, .n_dropped = n_dropped, .tick_ns = TICK_NS};

struct dp_record note(
	uint16_t worker, enum dp_note_why why, uint64_t flow, uint64_t first_ns, bool was_told)
{
	return (struct dp_record){.kind = DP_RECORD_NOTE,
		.worker = (uint8_t)worker,
		.note = {.why = (uint8_t)why,
			.risk_bits = flow,
			.first_ns = first_ns,
			.was_told = was_told}};
}

void take(struct rig *rig, const struct dp_record *r)
{
	if (r->kind == DP_RECORD_TOLD) {
		ctl_survey_told(rig->survey, r->worker, r->told.request);
		return;
	}
	ctl_survey_note(rig->survey, r);
	if (r->note.why == DP_NOTE_END && rig->recent != NULL)
		ctl_recent_add(rig->recent, r, rig->n_dropped);
}

void on_flow(void *ctx, const struct dp_record *r)
{
	struct rig *rig = ctx;

	rig->visits[r->note.risk_bits]++;
	if (++rig->n_visits % 64 == 0 && rig->is_slow)
		g_usleep(CTL_SURVEY_STEP_US);
}

void on_done(void *ctx, const struct ctl_survey_reach *reach)
{
	struct rig *rig = ctx;

	rig->n_done++;
	rig->reach = *reach;
}

const struct ctl_survey_visitor visitor = {.flow = on_flow, .done = on_done};

void begin(struct rig *rig)
{
	memset(rig->visits, 0, sizeof(rig->visits));
	rig->n_visits = 0;
	assert_int_equal(ctl_survey_begin(rig->survey, &visitor, rig, NULL), 0);
	assert_true(ctl_survey_is_busy(rig->survey));
}

struct rig *rig_make(size_t n_recent)
{
	struct rig *rig = g_new0(struct rig, 1);

	rig->now_ns = 1000;
	if (n_recent > 0)
		assert_int_equal(ctl_recent_new(n_recent, &rig->recent, NULL), 0);
	rig->survey = ctl_survey_new(&source, rig, N_WORKERS, rig->recent);
	return rig;
}

void rig_free(struct rig *rig)
{
	ctl_survey_free(rig->survey);
	ctl_recent_free(rig->recent);
	g_free(rig);
}
