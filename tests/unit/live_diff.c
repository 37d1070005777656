// SPDX-License-Identifier: BSD-3-Clause
#include "control/live_diff.h"

#include "tests/unit/survey_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { APP_A = DP_APP_FIRST, APP_B };

struct fixture {
	struct rig *rig;
	struct ctl_live_diff *diff;
	struct cls_catalogue *in_force, *staged;
};

/* films.example belongs to this app, and there is the other one. */
static struct cls_catalogue *catalogue_of(uint32_t films, uint32_t other)
{
	static const char *const tags[] = {""};
	static const struct cls_host_def hosts[] = {
		{"films.example", DP_TAG_NONE}, {"other.example", DP_TAG_NONE}};
	const struct cls_app_def apps[] = {
		{.id = films,
			.name = films == APP_A ? "a" : "b",
			.category = "web",
			.hosts = &hosts[0],
			.n_hosts = 1},
		{.id = other,
			.name = other == APP_A ? "a" : "b",
			.category = "web",
			.hosts = &hosts[1],
			.n_hosts = 1},
	};
	struct cls_catalogue *catalogue;

	assert_int_equal(cls_catalogue_new(apps, 2, tags, 1, &catalogue, NULL), 0);
	return catalogue;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct dp_err err;

	*state = f;
	f->rig = rig_make(N_RECENT);
	f->in_force = catalogue_of(APP_A, APP_B);
	f->staged = catalogue_of(APP_B, APP_A);
	return ctl_live_diff_new(f->rig->survey, &f->diff, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ctl_live_diff_free(f->diff);
	rig_free(f->rig);
	cls_catalogue_free(f->in_force);
	cls_catalogue_free(f->staged);
	free(f);
	return 0;
}

/* A flow that asked for www.films.example, and counts for app by its name. */
static struct dp_record flow_of(enum dp_note_why why, uint64_t number, uint32_t app)
{
	struct dp_record r = note(0, why, number, 1000, false);

	assert_int_equal(dp_addr_parse("10.0.0.7", &r.endpoint), 0);
	r.app = app;
	r.evidence = app >= DP_APP_FIRST ? DP_EVIDENCE_SNI : DP_EVIDENCE_NONE;
	r.note.basis = CLS_BASIS_SNI;
	r.note.bytes[0] = 1000;
	(void)g_strlcpy(r.note.host, "www.films.example", sizeof(r.note.host));
	return r;
}

static void add(struct fixture *f, enum dp_note_why why, uint64_t number, uint32_t app)
{
	const struct dp_record r = flow_of(why, number, app);

	take(f->rig, &r);
}

static uint64_t begin_diff(struct fixture *f)
{
	struct dp_err err;
	uint64_t id = 0;

	f->rig->now_ns += 1000;
	assert_int_equal(ctl_live_diff_begin(f->diff, f->in_force, f->staged, &id, &err), 0);
	return id;
}

static void end_survey(struct fixture *f)
{
	for (uint16_t i = 0; i < N_WORKERS; i++)
		ctl_survey_told(f->rig->survey, i, f->rig->request);
	while (ctl_survey_work(f->rig->survey))
		;
}

static const char *text(const struct ctl_live_diff_result *r, guint i, const char *key)
{
	return json_string_value(json_object_get(r->changes->pdata[i], key));
}

static void flows_that_ended_and_that_live_are_resolved_by_the_staged_catalogue(void **state)
{
	struct fixture *f = *state;
	const struct ctl_live_diff_result *r;
	uint64_t id;

	f->rig->now_ns = 2000;
	add(f, DP_NOTE_END, 1, APP_A);
	id = begin_diff(f);
	assert_true(ctl_live_diff_is_running(f->diff));
	assert_null(ctl_live_diff_result(f->diff, id));
	add(f, DP_NOTE_LIVING, 2, APP_A);
	add(f, DP_NOTE_LIVING, 3, APP_B); // a walk behind the last swap has not come to it
	add(f, DP_NOTE_LIVING, 4, DP_APP_UNDECIDED);
	end_survey(f);
	assert_false(ctl_live_diff_is_running(f->diff));
	r = ctl_live_diff_result(f->diff, id);
	assert_non_null(r);
	assert_int_equal(r->totals.all.flows, 3);
	assert_int_equal(r->totals.changed.flows, 2);
	assert_int_equal(r->n_undecided, 1);
	assert_int_equal(r->reach.n_ended, 1);
	assert_int_equal(r->reach.n_living, 3);
	assert_int_equal(r->changes->len, 1);
	assert_string_equal(text(r, 0, "was"), "a");
	assert_string_equal(text(r, 0, "becomes"), "b");
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(r->changes->pdata[0], "examples"), 0)),
		"*.films.example");
}

/* What is in force came into force behind its end: what it counted for says nothing any more. */
static void a_flow_that_ended_is_what_it_would_be_by_what_is_in_force(void **state)
{
	struct fixture *f = *state;
	const struct ctl_live_diff_result *r;
	uint64_t id;

	f->rig->now_ns = 2000;
	add(f, DP_NOTE_END, 1, DP_APP_UNKNOWN);
	id = begin_diff(f);
	end_survey(f);
	r = ctl_live_diff_result(f->diff, id);
	assert_int_equal(r->changes->len, 1);
	assert_string_equal(text(r, 0, "was"), "a");
	assert_string_equal(text(r, 0, "becomes"), "b");
}

/* The catalogues are freed behind it: under ASan a late note would be seen to read them. */
static void when_a_catalogue_goes_away_nothing_is_read_of_it_any_more(void **state)
{
	struct fixture *f = *state;
	const uint64_t id = begin_diff(f);
	const struct ctl_live_diff_result *r;

	add(f, DP_NOTE_LIVING, 1, APP_A);
	ctl_live_diff_cancel(f->diff);
	g_clear_pointer(&f->in_force, cls_catalogue_free);
	g_clear_pointer(&f->staged, cls_catalogue_free);
	assert_false(ctl_live_diff_is_running(f->diff));
	add(f, DP_NOTE_LIVING, 2, APP_A);
	end_survey(f);
	r = ctl_live_diff_result(f->diff, id);
	assert_true(r->is_cancelled);
	assert_int_equal(r->changes->len, 0);
	ctl_live_diff_cancel(f->diff); // again: nothing
}

static void one_runs_at_a_time_and_the_last_results_are_kept(void **state)
{
	struct fixture *f = *state;
	struct dp_err err = {0};
	uint64_t id;

	assert_int_equal(ctl_live_diff_id(f->diff), 0);
	assert_null(ctl_live_diff_result(f->diff, 0));
	for (uint64_t n = 1; n <= CTL_LIVE_DIFF_RESULTS + 2; n++) {
		assert_int_equal(begin_diff(f), n);
		assert_int_equal(
			ctl_live_diff_begin(f->diff, f->in_force, f->staged, &id, &err), -EBUSY);
		assert_non_null(strstr(err.text, "try again"));
		end_survey(f);
	}
	assert_null(ctl_live_diff_result(f->diff, 2));
	assert_non_null(ctl_live_diff_result(f->diff, 3));
	assert_null(ctl_live_diff_result(f->diff, CTL_LIVE_DIFF_RESULTS + 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			flows_that_ended_and_that_live_are_resolved_by_the_staged_catalogue, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_flow_that_ended_is_what_it_would_be_by_what_is_in_force, setup, teardown),
		cmocka_unit_test_setup_teardown(
			when_a_catalogue_goes_away_nothing_is_read_of_it_any_more, setup, teardown),
		cmocka_unit_test_setup_teardown(
			one_runs_at_a_time_and_the_last_results_are_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
