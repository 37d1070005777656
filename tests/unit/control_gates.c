// SPDX-License-Identifier: BSD-3-Clause
#include "control/gates.h"

#include "tests/unit/engine_fixture.h"

#include <stdlib.h>

#define HOUR_NS (3600 * CTL_SECOND_NS)

/* A case that passes every gate; each row spoils it. */
struct world {
	struct ctl_facts facts;
	struct ctl_config config;
	struct ctl_rule rule;
	struct ctl_consent consents[2];
	struct ctl_hold hold;
	struct ctl_bucket bucket;
	struct ctl_person person;
	struct ctl_evidence evidence;
	struct ctl_candidate candidate;
	struct ctl_gate_case c;
	GTimeZone *utc;
};

static void world_make(struct world *w)
{
	const uint64_t now_ns = at("2026-03-10T12:00:00Z");

	*w = (struct world){.utc = g_time_zone_new_utc()};
	w->facts = (struct ctl_facts){.is_static = true};
	w->config = (struct ctl_config){.facts = &w->facts};
	w->rule = (struct ctl_rule){.id = (char *)"r",
		.class = CTL_CLASS_UPSELL,
		.purpose = (char *)"marketing",
		.enabled = true,
		.min_confidence = 70};
	w->consents[0] = (struct ctl_consent){
		.purpose = (char *)"marketing", .is_granted = true, .version = 1};
	w->consents[1] = (struct ctl_consent){
		.purpose = (char *)"care", .is_granted = false, .version = 9};
	w->bucket = (struct ctl_bucket){.anchor_day = 1, .tz = w->utc};
	w->person = (struct ctl_person){.has_line_facts = true,
		.consents = w->consents,
		.n_consents = 2,
		.holds = &w->hold,
		.buckets = &w->bucket,
		.n_buckets = 1};
	w->evidence.bytes[DP_EVIDENCE_SNI] = 1;
	w->candidate = (struct ctl_candidate){.event = CTL_EVENT_WATCHED,
		.category = "streaming",
		.evidence = &w->evidence,
		.confidence = 70};
	w->c = (struct ctl_gate_case){.config = &w->config,
		.rule = &w->rule,
		.candidate = &w->candidate,
		.person = &w->person,
		.now_ns = now_ns,
		.tz = w->utc};
}

/* The classes of the three columns; service is that of a rule that names no purpose. */
static const char *decide(struct world *w, enum ctl_class class)
{
	w->c.class = class;
	w->rule.class = class;
	if (class == CTL_CLASS_SERVICE)
		w->rule.purpose = NULL;
	return ctl_gates_decide(&w->c);
}

static void spoil_kill_switch(struct world *w)
{
	w->config.kill_switch = true;
}

static void spoil_enabled(struct world *w)
{
	w->rule.enabled = false;
}

static void spoil_dry_run(struct world *w)
{
	w->rule.dry_run = true;
}

static void spoil_no_consent(struct world *w)
{
	w->person.n_consents = 0;
}

static void spoil_other_purpose(struct world *w)
{
	w->rule.purpose = (char *)"profiling";
}

static void spoil_withdrawn(struct world *w)
{
	w->consents[1] = (struct ctl_consent){
		.purpose = (char *)"marketing", .is_granted = false, .version = 2};
}

static void spoil_expired(struct world *w)
{
	w->consents[0].until_ns = w->c.now_ns;
}

static void spoil_consent_stale(struct world *w)
{
	w->facts = (struct ctl_facts){.as_of_ns = w->c.now_ns - 24 * HOUR_NS - 1};
}

static void spoil_do_not_contact(struct world *w)
{
	w->hold = (struct ctl_hold){.kind = CTL_HOLD_DO_NOT_CONTACT, .since_ns = w->c.now_ns};
	w->person.n_holds = 1;
}

static void spoil_line_unknown(struct world *w)
{
	w->person.has_line_facts = false;
}

static void spoil_m2m(struct world *w)
{
	w->person.line = CTL_LINE_M2M;
}

static void spoil_corporate(struct world *w)
{
	w->person.line = CTL_LINE_CORPORATE;
}

static void spoil_staff(struct world *w)
{
	w->person.line = CTL_LINE_STAFF;
}

static void spoil_test(struct world *w)
{
	w->person.line = CTL_LINE_TEST;
}

static void spoil_minor(struct world *w)
{
	w->person.is_minor = true;
}

static void spoil_regulated(struct world *w)
{
	w->person.is_regulated = true;
}

static void spoil_sensitive(struct world *w)
{
	w->candidate.category = "health";
}

static void spoil_unbound(struct world *w)
{
	w->c.person = NULL;
}

static void spoil_confidence(struct world *w)
{
	w->candidate.confidence = 69;
}

static void spoil_evidence(struct world *w)
{
	w->rule.min_confidence = 0;
	w->evidence = (struct ctl_evidence){
		.bytes = {[DP_EVIDENCE_ADDRESS] = 5, [DP_EVIDENCE_PORT] = 5}};
}

static void hold(struct world *w, enum ctl_hold_kind kind, const char *since, const char *until,
	const char *resolved)
{
	w->hold = (struct ctl_hold){
		.kind = kind,
		.since_ns = at(since),
		.until_ns = until == NULL ? 0 : at(until),
		.resolved_ns = resolved == NULL ? 0 : at(resolved),
	};
	w->person.n_holds = 1;
}

static void spoil_complaint(struct world *w)
{
	hold(w, CTL_HOLD_COMPLAINT, "2026-01-01T00:00:00Z", NULL, NULL);
}

static void spoil_resolved(struct world *w)
{
	hold(w, CTL_HOLD_COMPLAINT, "2026-03-01T00:00:00Z", NULL, "2026-03-07T12:00:00.001Z");
}

static void spare_resolved(struct world *w)
{
	hold(w, CTL_HOLD_COMPLAINT, "2026-03-01T00:00:00Z", NULL, "2026-03-07T12:00:00Z");
}

static void spare_future(struct world *w)
{
	hold(w, CTL_HOLD_COMPLAINT, "2026-03-10T12:00:00.001Z", NULL, NULL);
}

static void spare_until(struct world *w)
{
	hold(w, CTL_HOLD_COMPLAINT, "2026-03-01T00:00:00Z", "2026-03-10T12:00:00Z", NULL);
}

static void spoil_holds_stale(struct world *w)
{
	w->facts = (struct ctl_facts){.as_of_ns = w->c.now_ns - HOUR_NS - 1};
}

static void spare_holds_fresh(struct world *w)
{
	w->facts = (struct ctl_facts){.as_of_ns = w->c.now_ns - HOUR_NS};
}

static void spare_facts_of_the_future(struct world *w)
{
	w->facts = (struct ctl_facts){.as_of_ns = w->c.now_ns + 48 * HOUR_NS};
}

static void spoil_bill_shock(struct world *w)
{
	hold(w, CTL_HOLD_BILL_SHOCK, "2026-02-01T00:00:00Z", NULL, NULL); // to the end of March
}

static void spare_bill_shock(struct world *w)
{
	hold(w, CTL_HOLD_BILL_SHOCK, "2026-01-31T23:59:59Z", NULL, NULL); // to the end of February
}

static void spare_bill_shock_until(struct world *w)
{
	hold(w, CTL_HOLD_BILL_SHOCK, "2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z", NULL);
}

static void spoil_bill_shock_without_plan(struct world *w)
{
	spoil_bill_shock(w);
	w->person.n_buckets = 0; // calendar months
}

static void spoil_cooldown(struct world *w)
{
	w->rule.cooldown_ns = HOUR_NS;
	w->c.published_ns = w->c.now_ns - HOUR_NS + 1;
}

/* Within a tick a decision may come after one that lies behind it in event time. */
static void spoil_cooldown_ahead(struct world *w)
{
	w->rule.cooldown_ns = HOUR_NS;
	w->c.published_ns = w->c.now_ns + 1;
}

static void spare_cooldown(struct world *w)
{
	w->rule.cooldown_ns = HOUR_NS;
	w->c.published_ns = w->c.now_ns - HOUR_NS;
}

static void spoil_late(struct world *w)
{
	w->candidate.is_too_late = true;
}

static void spare_nothing(struct world *)
{
}

static void each_gate_blocks_its_classes(void **)
{
	static const struct {
		const char *what;
		void (*spoil)(struct world *w);
		const char *expected[CTL_CLASS_COUNT]; // upsell, retention, service
	} rows[] = {
		{"nothing", spare_nothing, {NULL, NULL, NULL}},
		{"kill switch", spoil_kill_switch, {"G1", "G1", "G1"}},
		{"rule disabled", spoil_enabled, {"G1", "G1", "G1"}},
		{"dry run", spoil_dry_run, {"G1", "G1", "G1"}},
		{"no consent", spoil_no_consent, {"G2", "G2", NULL}},
		{"consent for another purpose", spoil_other_purpose, {"G2", "G2", NULL}},
		{"withdrawn by a later record", spoil_withdrawn, {"G2", "G2", NULL}},
		{"expired this instant", spoil_expired, {"G2", "G2", NULL}},
		{"consent source stale", spoil_consent_stale, {"G2", "G2", NULL}},
		{"do not contact", spoil_do_not_contact, {"G2", "G2", NULL}},
		{"line not told", spoil_line_unknown, {"G3", "G3", NULL}},
		{"M2M", spoil_m2m, {"G3", "G3", NULL}},
		{"corporate", spoil_corporate, {"G3", "G3", NULL}},
		{"staff", spoil_staff, {"G3", "G3", NULL}},
		{"test line", spoil_test, {"G3", "G3", NULL}},
		{"minor", spoil_minor, {"G3", "G3", NULL}},
		{"regulated", spoil_regulated, {"G3", "G3", NULL}},
		{"sensitive category", spoil_sensitive, {"G4", "G4", "G4"}},
		{"nobody bound", spoil_unbound, {"G5", "G5", "G5"}},
		{"confidence", spoil_confidence, {"G7", "G7", "G7"}},
		{"address and port only", spoil_evidence, {"G7", "G7", "G7"}},
		{"open complaint", spoil_complaint, {"G8", NULL, NULL}},
		{"resolved less than 72 h ago", spoil_resolved, {"G8", NULL, NULL}},
		{"resolved 72 h ago", spare_resolved, {NULL, NULL, NULL}},
		{"complaint to come", spare_future, {NULL, NULL, NULL}},
		{"complaint until now", spare_until, {NULL, NULL, NULL}},
		{"hold source stale", spoil_holds_stale, {"G8", NULL, NULL}},
		{"hold source one hour behind", spare_holds_fresh, {NULL, NULL, NULL}},
		{"facts told later", spare_facts_of_the_future, {NULL, NULL, NULL}},
		{"bill shock last cycle", spoil_bill_shock, {"G10", NULL, NULL}},
		{"bill shock without a plan", spoil_bill_shock_without_plan, {"G10", NULL, NULL}},
		{"bill shock two cycles ago", spare_bill_shock, {NULL, NULL, NULL}},
		{"bill shock told to be over", spare_bill_shock_until, {NULL, NULL, NULL}},
		{"cooldown", spoil_cooldown, {"G14", "G14", "G14"}},
		{"cooldown of a later packet", spoil_cooldown_ahead, {"G14", "G14", "G14"}},
		{"cooldown over", spare_cooldown, {NULL, NULL, NULL}},
		{"too late", spoil_late, {"G15", "G15", NULL}},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		for (int class = 0; class < CTL_CLASS_COUNT; class ++) {
			struct world w;
			const char *code;

			world_make(&w);
			rows[i].spoil(&w);
			code = decide(&w, (enum ctl_class) class);
			if (g_strcmp0(code, rows[i].expected[class]) != 0)
				fail_msg("%s, class %d: %s, expected %s", rows[i].what, class,
					code == NULL ? "-" : code,
					rows[i].expected[class] == NULL ? "-"
									: rows[i].expected[class]);
			g_time_zone_unref(w.utc);
		}
	}
}

/* Each gate spoils the case in turn, from the last to the first: the newest must win. */
static void the_first_gate_that_matches_wins(void **)
{
	static const struct {
		void (*spoil)(struct world *w);
		const char *expected;
	} rows[] = {
		{spoil_late, "G15"},
		{spoil_cooldown, "G14"},
		{spoil_bill_shock, "G10"},
		{spoil_holds_stale, "G8"},
		{spoil_confidence, "G7"},
		{spoil_sensitive, "G4"},
		{spoil_minor, "G3"},
		{spoil_no_consent, "G2"},
		{spoil_dry_run, "G1"},
	};
	struct world w;

	world_make(&w);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		rows[i].spoil(&w);
		assert_string_equal(decide(&w, CTL_CLASS_UPSELL), rows[i].expected);
	}
	w.rule.dry_run = false;
	w.c.person = NULL; // nobody to ask for consent or line: category, then binding
	assert_string_equal(decide(&w, CTL_CLASS_UPSELL), "G4");
	w.candidate.category = "streaming";
	assert_string_equal(decide(&w, CTL_CLASS_UPSELL), "G5");
	g_time_zone_unref(w.utc);
}

static void a_service_event_needs_consent_only_where_it_tells_of_behaviour(void **)
{
	static const struct {
		enum ctl_event event;
		int rule_class;
		const char *purpose;
		const char *expected;
	} rows[] = {
		{CTL_EVENT_THRESHOLD, CTL_CLASS_UPSELL, "marketing", NULL},
		{CTL_EVENT_THRESHOLD, CTL_CLASS_SERVICE, NULL, NULL},
		{CTL_EVENT_THRESHOLD, CTL_CLASS_SERVICE, "care", "G2"},
		{CTL_EVENT_SESSION_STARTED, CTL_CLASS_UPSELL, "marketing", "G2"},
		{CTL_EVENT_SESSION_ENDED, CTL_CLASS_UPSELL, "marketing", "G2"},
		{CTL_EVENT_SESSION_ENDED, CTL_CLASS_SERVICE, NULL, NULL},
		{CTL_EVENT_WATCHED, CTL_CLASS_SERVICE, NULL, NULL},
		{CTL_EVENT_NUDGE, CTL_CLASS_UPSELL, "marketing", "G2"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct world w;

		world_make(&w);
		w.person.n_consents = 0;
		w.candidate.event = rows[i].event;
		w.rule.class = rows[i].rule_class;
		w.rule.purpose = (char *)rows[i].purpose;
		w.c.class = ctl_event_class(rows[i].event, &w.rule);
		if (g_strcmp0(ctl_gates_decide(&w.c), rows[i].expected) != 0)
			fail_msg("row %zu", i);
		g_time_zone_unref(w.utc);
	}
}

static void usage_does_not_rest_on_knowing_an_app(void **)
{
	struct world w;

	world_make(&w);
	w.candidate.event = CTL_EVENT_NUDGE;
	w.candidate.category = NULL;
	w.evidence = (struct ctl_evidence){0};
	assert_null(decide(&w, CTL_CLASS_UPSELL));
	g_time_zone_unref(w.utc);
}

static void the_sensitive_categories_are_six(void **)
{
	static const char *const categories[] = {
		"adult", "dating", "gambling", "health", "politics", "religion"};

	for (size_t i = 0; i < G_N_ELEMENTS(categories); i++)
		assert_true(ctl_category_is_sensitive(categories[i]));
	assert_false(ctl_category_is_sensitive("streaming"));
	assert_false(ctl_category_is_sensitive(""));
	assert_false(ctl_category_is_sensitive(NULL));
}

/* Class service asks neither consent nor line: it must not carry what is none. */
static void only_service_events_can_be_of_class_service(void **)
{
	struct fixture f;

	fixture_open(&f,
		"  - {id: a, detect: app_session, class: service, emit: [session_started]}\n"
		"  - {id: b, detect: near_cap, class: service, emit: [threshold]}\n",
		NULL);
	assert_refused(&f,
		"  - {id: a, detect: app_session, class: service}\n"
		"  - {id: b, detect: near_cap, class: service, emit: [threshold, nudge]}\n"
		"  - {id: c, detect: near_cap, class: service, emit: [cap_pattern]}\n"
		"  - {id: d, detect: competitor, class: service, purpose: retention}\n",
		"wirecue.yaml:9:5: 'a', expected class upsell or retention, or emit without watched: "
		"that is no service event\n"
		"wirecue.yaml:10:5: 'b', expected class upsell or retention, or emit: [threshold]: "
		"the others are no service events\n"
		"wirecue.yaml:11:5: 'c', expected class upsell or retention, or emit: [threshold]: "
		"the others are no service events\n"
		"wirecue.yaml:12:5: 'd', expected class retention or upsell: interest in a rival is "
		"no service event\n");
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_gate_blocks_its_classes),
		cmocka_unit_test(only_service_events_can_be_of_class_service),
		cmocka_unit_test(the_first_gate_that_matches_wins),
		cmocka_unit_test(a_service_event_needs_consent_only_where_it_tells_of_behaviour),
		cmocka_unit_test(usage_does_not_rest_on_knowing_an_app),
		cmocka_unit_test(the_sensitive_categories_are_six),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
