// SPDX-License-Identifier: BSD-3-Clause
#include "control/hashes.h"

#include "control/profile.h"
#include "tests/unit/engine_fixture.h"

/* The fixture's person with a consent for profiling, holds and a history. `%s` are lines of the
 * subscriber. */
#define PERSON(more) \
	"plans: [{id: s, cap: 1GB}]\n" \
	"subscribers:\n" \
	"  - msisdn: \"+99900000001\"\n" \
	"    addresses: [10.20.0.11]\n" \
	"    zone: Europe/Berlin\n" \
	"    plan: {id: s, buckets: [{id: data, cap: 1GB, anchor_day: 1, zone: Europe/Berlin}]}\n" \
	"    line: {kind: consumer}\n" more

#define GRANTED(more) \
	PERSON("    consent: [{purpose: marketing, status: granted, version: 1},\n" \
	       "              {purpose: retention, status: granted, version: 1},\n" \
	       "              {purpose: profiling, status: granted, version: 1" more "}]\n")

static const char RULES[] =
	"  - {id: viewing, detect: app_session, class: service, start_after: 0s, min_bytes: 0B,\n"
	"     emit: [session_started, session_ended]}\n"
	"  - {id: rivals, detect: competitor, class: retention, purpose: retention, min_days: 1}\n";

struct world {
	struct fixture f;
	struct ctl_hashes hashes;
};

static void world_open(struct world *w, const char *rules, const char *facts)
{
	*w = (struct world){0};
	fixture_open(&w->f, rules, facts);
}

static void world_close(struct world *w)
{
	ctl_hashes_fini(&w->hashes);
	fixture_close(&w->f);
}

static void make(struct world *w)
{
	struct ctl_profile *profile = ctl_engine_profile(w->f.engine, 1);

	assert_non_null(profile);
	ctl_hashes_make(w->f.engine, profile, &w->hashes);
	assert_int_equal(w->hashes.usage.n % 2, 0);
	assert_int_equal(w->hashes.profile.n % 2, 0);
}

/* "" when the field is not there; each field is there once. */
static const char *value_of(const struct ctl_texts *texts, const char *field)
{
	const char *value = "";

	for (size_t i = 0; i < texts->n; i += 2) {
		if (strcmp(ctl_text(texts, i), field) != 0)
			continue;
		assert_string_equal(value, "");
		value = ctl_text(texts, i + 1);
	}
	return value;
}

#define assert_profile(w, field, value) \
	assert_string_equal(value_of(&(w)->hashes.profile, field), value)

/* "field=value field=value", in the order of the texts. */
static void assert_usage(struct world *w, const char *expected)
{
	GString *text = g_string_new(NULL);

	make(w);
	for (size_t i = 0; i < w->hashes.usage.n; i += 2)
		g_string_append_printf(text, "%s%s=%s", i == 0 ? "" : " ",
			ctl_text(&w->hashes.usage, i), ctl_text(&w->hashes.usage, i + 1));
	assert_string_equal(text->str, expected);
	g_string_free(text, TRUE);
}

static void without_consent_only_totals_are_said(void **)
{
	struct world w;

	world_open(&w, NULL, NULL);
	fixture_play(&w.f,
		(const struct use[]){
			{"2026-11-10T10:00:00Z", "film", .up_bytes = 10, .bytes = 100},
			{"2026-11-10T10:00:01Z", "chat", .up_bytes = 1, .bytes = 2},
		},
		2);
	assert_usage(&w, "2026-11-01:edge1:total:up=11 2026-11-01:edge1:total:down=102");
	assert_false(w.hashes.is_profiled);
	world_close(&w);
}

static void with_consent_apps_are_named_but_those_that_are_nobodys_business(void **)
{
	struct world w;

	world_open(&w, NULL, GRANTED(""));
	fixture_play(&w.f,
		(const struct use[]){
			{"2026-11-10T10:00:00Z", "film", .up_bytes = 10, .bytes = 100},
			{"2026-11-10T10:00:01Z", "casino", .bytes = 1000}, // sensitive
			{"2026-11-10T10:00:02Z", "rival", .bytes = 2000}, // a competitor
			{"2026-11-10T10:00:03Z", "own-tv", .bytes = 4000}, // the operator's own
			{"2026-11-10T10:00:04Z", "undecided", .bytes = 8000},
			{"2026-11-10T10:00:05Z", "unknown", .bytes = 16000},
		},
		6);
	assert_usage(&w,
		"2026-11-01:edge1:film:up=10 2026-11-01:edge1:film:down=100"
		" 2026-11-01:edge1:unknown:up=0 2026-11-01:edge1:unknown:down=24000"
		" 2026-11-01:edge1:total:up=10 2026-11-01:edge1:total:down=31100");
	g_autofree char *unnamed = ctl_hashes_unnamed(w.f.engine);

	for (const char *const *name = (const char *const[]){"casino", "rival", "own-tv", NULL};
		*name != NULL; name++) {
		g_autofree char *word = g_strdup_printf("|%s|", *name);

		assert_non_null(strstr(unnamed, word));
	}
	assert_null(strstr(unnamed, "|film|"));
	world_close(&w);
}

static void a_cycle_is_called_by_the_local_date_on_which_it_began(void **)
{
	struct world w;

	world_open(&w, NULL, NULL);
	// 23:30 UTC is the next month in Berlin.
	fixture_play(&w.f, (const struct use[]){{"2026-10-31T23:30:00Z", "film", .bytes = 5}}, 1);
	assert_usage(&w, "2026-11-01:edge1:total:up=0 2026-11-01:edge1:total:down=5");
	assert_int_equal(w.hashes.month, 202611);
	world_close(&w);
}

static void a_new_cycle_begins_at_0_and_the_old_one_s_last_bytes_are_kept_for_it(void **)
{
	static const struct use uses[] = {
		{"2026-11-30T22:00:00Z", "film", .bytes = 100},
		{"2026-11-30T22:30:00Z", "film", .bytes = 200},
		{"2026-11-30T23:30:00Z", "film", .bytes = 7}, // 1 December in Berlin
		{"2026-12-31T23:30:00Z", "film", .bytes = 9},
	};
	struct world w;

	world_open(&w, NULL, GRANTED(""));
	ctl_engine_keep_unpublished(w.f.engine);
	fixture_play(&w.f, &uses[0], 3);
	assert_usage(&w,
		"2026-11-01:edge1:film:up=0 2026-11-01:edge1:film:down=300"
		" 2026-11-01:edge1:total:up=0 2026-11-01:edge1:total:down=300"
		" 2026-12-01:edge1:film:up=0 2026-12-01:edge1:film:down=7"
		" 2026-12-01:edge1:total:up=0 2026-12-01:edge1:total:down=7");

	// What is published is forgotten; a cycle that ends published leaves nothing behind.
	ctl_engine_drop_closed(w.f.engine, 1, w.hashes.closed_ns);
	ctl_engine_set_published(w.f.engine, 1);
	fixture_play(&w.f, &uses[3], 1);
	assert_usage(&w,
		"2027-01-01:edge1:film:up=0 2027-01-01:edge1:film:down=9"
		" 2027-01-01:edge1:total:up=0 2027-01-01:edge1:total:down=9");
	world_close(&w);
}

static void what_closed_after_the_look_is_not_dropped(void **)
{
	static const struct use uses[] = {
		{"2026-11-10T10:00:00Z", "film", .bytes = 1},
		{"2026-12-10T10:00:00Z", "film", .bytes = 2},
		{"2027-01-10T10:00:00Z", "film", .bytes = 4},
	};
	struct world w;

	world_open(&w, NULL, NULL);
	ctl_engine_keep_unpublished(w.f.engine);
	fixture_play(&w.f, &uses[0], 2);
	make(&w);
	fixture_play(&w.f, &uses[2], 1);
	ctl_engine_drop_closed(w.f.engine, 1, w.hashes.closed_ns);
	assert_usage(&w,
		"2026-12-01:edge1:total:up=0 2026-12-01:edge1:total:down=2"
		" 2027-01-01:edge1:total:up=0 2027-01-01:edge1:total:down=4");
	world_close(&w);
}

static void the_profile_tells_plan_and_cap(void **)
{
	struct world w;

	world_open(&w, NULL,
		PERSON("    segments: [\"family, young\", vip]\n"
		       "    cycle_history: [{start: 2026-09-01T00:00:00+02:00, bytes: 900MB, cap: 1GB},\n"
		       "                    {start: 2026-10-01T00:00:00+02:00, bytes: 100MB, cap: 1GB}]\n"));
	fixture_play(&w.f,
		(const struct use[]){{"2026-11-10T10:00:00Z", "film", .bytes = 812345678}}, 1);
	make(&w);
	assert_profile(&w, "v", "1");
	assert_profile(&w, "node", "edge1");
	assert_profile(&w, "as_of", "2026-11-10T10:00:01.000Z");
	assert_profile(&w, "plan", "s");
	assert_profile(&w, "cycle_start", "2026-10-31T23:00:00.000Z");
	assert_profile(&w, "cycle_end", "2026-11-30T23:00:00.000Z");
	assert_profile(&w, "bucket:data:used_bytes", "812345678");
	assert_profile(&w, "bucket:data:cap_bytes", "1000000000");
	assert_profile(&w, "bucket:data:pct", "81.2");
	assert_profile(&w, "bucket:data:near_cap_cycles", "2");
	assert_profile(&w, "segments", "[\"family, young\",\"vip\"]");
	assert_profile(&w, "holds", "[]");
	assert_profile(&w, "session_open", "");
	assert_int_equal(w.hashes.change_ns, at("2026-11-30T23:00:00Z"));

	// Two months of silence: the cycle is another one, nothing is used, the near one is far.
	fixture_advance(&w.f, "2027-01-15T00:00:00Z");
	make(&w);
	assert_profile(&w, "cycle_start", "2026-12-31T23:00:00.000Z");
	assert_profile(&w, "bucket:data:used_bytes", "0");
	assert_profile(&w, "bucket:data:pct", "0.0");
	assert_profile(&w, "bucket:data:near_cap_cycles", "1");
	world_close(&w);
}

static void a_session_is_told_while_it_lasts_its_app_with_consent_only(void **)
{
	static const struct use film = {"2026-11-10T10:00:00Z", "film", .bytes = 1000000};
	struct world w;

	world_open(&w, RULES, NULL);
	fixture_watch(&w.f, &film, 60);
	make(&w);
	assert_profile(&w, "session_open", "1");
	assert_profile(&w, "session_apps", "");
	fixture_reload(&w.f, RULES, GRANTED(""));
	make(&w);
	assert_profile(&w, "session_open", "1");
	assert_profile(&w, "session_apps", "[\"film\"]");
	fixture_advance(&w.f, "2026-11-10T11:00:00Z");
	make(&w);
	assert_profile(&w, "session_open", "0");
	assert_profile(&w, "session_apps", "");
	world_close(&w);
}

static void interest_in_rivals_is_a_score_with_consent_for_its_rule_only(void **)
{
	static const struct use visit = {
		"2026-11-10T10:00:00Z", "rival", "plans", .bytes = 1000, .n_flows = 3};
	struct world w;

	world_open(&w, RULES, GRANTED(""));
	fixture_play(&w.f, &visit, 1);
	make(&w);
	assert_profile(&w, "competitor_score", "40");
	assert_profile(&w, "competitor_as_of", "2026-11-10T10:00:00.000Z");
	for (size_t i = 0; i < w.hashes.profile.n; i++)
		assert_null(strstr(ctl_text(&w.hashes.profile, i), "rival"));
	assert_int_equal(w.hashes.change_ns, at("2026-11-24T10:00:00Z") + 1);

	// Out of the window it is gone, and so it is without consent.
	fixture_advance(&w.f, "2026-11-24T10:00:01Z");
	make(&w);
	assert_profile(&w, "competitor_score", "");
	world_close(&w);

	world_open(&w, RULES, PERSON(""));
	fixture_play(&w.f, &visit, 1);
	make(&w);
	assert_profile(&w, "competitor_score", "");
	world_close(&w);
}

static void whether_one_may_is_what_the_gates_say_and_until_when(void **)
{
	static const struct {
		const char *facts;
		const char *upsell, *upsell_reason, *upsell_until;
		const char *retain, *retain_reason, *holds;
	} rows[] = {
		{GRANTED(""), "1", "", "", "1", "", "[]"},
		{PERSON(""), "0", "G2", "", "0", "G2", "[]"},
		{PERSON("    consent: [{purpose: marketing, status: granted, version: 1,\n"
			"               until: 2026-11-12T00:00:00Z},\n"
			"              {purpose: retention, status: granted, version: 1}]\n"),
			"1", "", "2026-11-12T00:00:00.000Z", "1", "", "[]"},
		{GRANTED("") "    holds: [{kind: bill_shock, since: 2026-11-05T00:00:00Z, "
			     "until: 2026-11-20T00:00:00Z}]\n",
			"0", "G10", "2026-11-20T00:00:00.000Z", "1", "", "[\"bill_shock\"]"},
		{GRANTED("") "    holds: [{kind: complaint, since: 2026-11-05T00:00:00Z}]\n", "0",
			"G8", "", "1", "", "[\"complaint\"]"},
		{GRANTED("") "    holds: [{kind: complaint, since: 2026-11-12T00:00:00Z}]\n", "1",
			"", "2026-11-12T00:00:00.000Z", "1", "", "[]"},
		{GRANTED("") "    holds: [{kind: do_not_contact, since: 2026-11-05T00:00:00Z}]\n",
			"0", "G2", "", "0", "G2", "[\"do_not_contact\"]"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct world w;

		world_open(&w, RULES, rows[i].facts);
		fixture_play(&w.f, (const struct use[]){{"2026-11-10T10:00:00Z", "film"}}, 1);
		make(&w);
		assert_profile(&w, "may_upsell", rows[i].upsell);
		assert_profile(&w, "may_upsell_reason", rows[i].upsell_reason);
		assert_profile(&w, "may_upsell_until", rows[i].upsell_until);
		assert_profile(&w, "may_retain", rows[i].retain);
		assert_profile(&w, "may_retain_reason", rows[i].retain_reason);
		assert_profile(&w, "holds", rows[i].holds);
		if (*rows[i].upsell_until != '\0')
			assert_int_equal(w.hashes.change_ns, at(rows[i].upsell_until));
		world_close(&w);
	}
}

static void facts_that_grow_old_close_the_gates_at_the_instant_that_was_said(void **)
{
	struct world w;

	world_open(&w, NULL, "static: false\nas_of: 2026-11-10T09:30:00Z\n" GRANTED(""));
	fixture_play(&w.f, (const struct use[]){{"2026-11-10T10:00:00Z", "film"}}, 1);
	make(&w);
	assert_profile(&w, "may_upsell", "1");
	assert_profile(&w, "may_upsell_until", "2026-11-10T10:30:00.000Z"); // G8: holds are old
	assert_profile(&w, "may_retain_until", "2026-11-11T09:30:00.000Z"); // G2: consent is
	assert_true(w.hashes.is_profiled);
	fixture_advance(&w.f, "2026-11-11T09:30:01Z");
	make(&w);
	assert_profile(&w, "may_upsell", "0");
	assert_profile(&w, "may_retain", "0");
	assert_false(w.hashes.is_profiled);
	world_close(&w);
}

static void coverage_is_of_the_whole_node(void **)
{
	struct world w;
	struct ctl_coverage c;

	world_open(&w, NULL, NULL);
	c = ctl_engine_coverage(w.f.engine);
	assert_true(c.capture_loss == 0 && c.unbound == 0 && c.unclassified == 0);
	w.f.loss = 0.5;
	fixture_play(&w.f,
		(const struct use[]){
			{"2026-11-10T10:00:00Z", "film", .bytes = 500},
			{"2026-11-10T10:00:01Z", "undecided", .bytes = 400},
			{"2026-11-10T10:00:01Z", "chat", .bytes = 150, .is_move = true},
			{"2026-11-10T10:00:02Z", "film", .endpoint = "10.20.0.99", .bytes = 100},
		},
		4);
	c = ctl_engine_coverage(w.f.engine);
	assert_float_equal(c.capture_loss, 0.5, 1e-9);
	assert_float_equal(c.unbound, 0.1, 1e-9);
	assert_float_equal(c.unclassified, 0.25, 1e-9);
	world_close(&w);
}

static void a_subject_is_retired_when_nobody_has_it_any_more(void **)
{
	struct world w;
	struct ctl_profile *profile;

	world_open(&w, NULL, NULL);
	ctl_engine_keep_unpublished(w.f.engine);
	fixture_play(&w.f, (const struct use[]){{"2026-11-10T10:00:00Z", "film"}}, 1);
	profile = ctl_engine_profile(w.f.engine, 1);
	g_autofree char *first = g_strdup(profile->subject);

	fixture_reload(&w.f, NULL, NULL);
	assert_null(ctl_engine_take_retired(w.f.engine));
	w.f.key = "another key of the pseudonyms, 32";
	fixture_reload(&w.f, NULL, NULL);
	g_autofree char *retired = ctl_engine_take_retired(w.f.engine);

	assert_string_equal(retired, first);
	assert_null(ctl_engine_take_retired(w.f.engine));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_consent_only_totals_are_said),
		cmocka_unit_test(with_consent_apps_are_named_but_those_that_are_nobodys_business),
		cmocka_unit_test(a_cycle_is_called_by_the_local_date_on_which_it_began),
		cmocka_unit_test(
			a_new_cycle_begins_at_0_and_the_old_one_s_last_bytes_are_kept_for_it),
		cmocka_unit_test(what_closed_after_the_look_is_not_dropped),
		cmocka_unit_test(the_profile_tells_plan_and_cap),
		cmocka_unit_test(a_session_is_told_while_it_lasts_its_app_with_consent_only),
		cmocka_unit_test(interest_in_rivals_is_a_score_with_consent_for_its_rule_only),
		cmocka_unit_test(whether_one_may_is_what_the_gates_say_and_until_when),
		cmocka_unit_test(facts_that_grow_old_close_the_gates_at_the_instant_that_was_said),
		cmocka_unit_test(coverage_is_of_the_whole_node),
		cmocka_unit_test(a_subject_is_retired_when_nobody_has_it_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
