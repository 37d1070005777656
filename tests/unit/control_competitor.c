// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/engine_fixture.h"

#define RULE \
	"  - {id: keep, detect: competitor, class: retention, purpose: retention,\n" \
	"     min_confidence: 70%"

enum { FLOWS = 3 };
#define VISIT(t, tag_) \
	{ \
		t, "rival", tag_, .bytes = 90000, .n_flows = FLOWS \
	}

static void run(const char *params, const struct use *uses, size_t n_uses, const char *expected,
	const char *what)
{
	g_autofree char *rules = g_strconcat(RULE, params, "}\n", NULL);
	g_autofree char *events = NULL;
	struct fixture f;

	fixture_open(&f, rules, NULL);
	fixture_play(&f, uses, n_uses);
	fixture_advance(&f, "2026-05-01T00:00:00Z");
	events = fixture_events(&f, true);
	if (strcmp(events, expected) != 0)
		fail_msg("%s: '%s', expected '%s'", what, events, expected);
	fixture_close(&f);
}

static void interest_takes_two_days_or_one_port_in(void **)
{
	static const struct use one_day[] = {
		VISIT("2026-03-05T08:00:00Z", NULL), VISIT("2026-03-05T20:00:00Z", NULL)};
	static const struct use two_days[] = {
		VISIT("2026-03-05T20:00:00Z", NULL), VISIT("2026-03-06T20:00:00Z", NULL)};
	// 23:30 and 00:30 in Berlin
	static const struct use local_days[] = {
		VISIT("2026-03-05T22:30:00Z", NULL), VISIT("2026-03-05T23:30:00Z", NULL)};
	static const struct use port_in[] = {VISIT("2026-03-05T20:00:00Z", "port_in")};
	static const struct use too_far[] = {
		VISIT("2026-03-05T20:00:00Z", NULL), VISIT("2026-03-19T20:00:01Z", NULL)};
	static const struct use just_inside[] = {
		VISIT("2026-03-05T20:00:00Z", NULL), VISIT("2026-03-19T20:00:00Z", NULL)};
	static const struct use two_rivals[] = {VISIT("2026-03-05T20:00:00Z", NULL),
		{"2026-03-06T20:00:00Z", "other-rival", .bytes = 1, .n_flows = FLOWS}};

	run("", one_day, 2, "", "one day");
	run(", min_days: 1, cooldown: 0s", one_day, 2, "interest interest", "one day is enough");
	run("", two_days, 2, "interest", "two days");
	run(", min_days: 3", two_days, 2, "", "three days wanted");
	run("", local_days, 2, "interest", "days are local");
	run("", port_in, 1, "interest", "port-in");
	run(", tags: [brand, plans]", port_in, 1, "", "port-in does not count");
	run("", too_far, 2, "", "behind the window");
	run("", just_inside, 2, "interest", "inside the window");
	run("", two_rivals, 2, "interest", "two rivals");
	run(", category: streaming", two_days, 2, "", "another category");
}

static void a_visit_is_three_flows_or_half_a_minute_of_strong_evidence(void **)
{
	static const struct use two_flows[] = {
		{"2026-03-05T20:00:00Z", "rival", "port_in", .n_flows = 2, .bytes = 1}};
	static const struct use joined[] = {
		{"2026-03-05T20:00:00Z", "rival", "port_in", .n_flows = 2, .bytes = 1},
		{"2026-03-05T20:30:00Z", "rival", "port_in", .n_flows = 1, .bytes = 1}};
	static const struct use apart[] = {
		{"2026-03-05T20:00:00Z", "rival", "port_in", .n_flows = 2, .bytes = 1},
		{"2026-03-05T20:30:00.001Z", "rival", "port_in", .n_flows = 1, .bytes = 1}};
	static const struct use different_sites[] = {
		{"2026-03-05T20:00:00Z", "rival", "port_in", .n_flows = 2, .bytes = 1},
		{"2026-03-05T20:00:01Z", "other-rival", .n_flows = 1, .bytes = 1}};
	static const struct use half_a_minute[] = {
		{"2026-03-05T20:00:00Z", "rival", "port_in", .n_flows = 1, .bytes = 1},
		{"2026-03-05T20:00:30Z", "rival", .bytes = 1}};
	static const struct use shorter[] = {
		{"2026-03-05T20:00:00Z", "rival", "port_in", .n_flows = 1, .bytes = 1},
		{"2026-03-05T20:00:29.999Z", "rival", .bytes = 1}};
	static const struct use dns[] = {{"2026-03-05T20:00:00Z", "rival", "port_in",
		.evidence = DP_EVIDENCE_DNS, .n_flows = 9, .bytes = 1}};
	static const struct use dns_and_sni[] = {
		{"2026-03-05T20:00:00Z", "rival", "port_in", .evidence = DP_EVIDENCE_DNS,
			.n_flows = 2, .bytes = 100},
		{"2026-03-05T20:00:01Z", "rival", "port_in", .n_flows = 1, .bytes = 100}};
	static const struct use address[] = {{"2026-03-05T20:00:00Z", "rival", "port_in",
		.evidence = DP_EVIDENCE_ADDRESS, .n_flows = 9, .bytes = 1}};
	static const struct use tie[] = {{"2026-03-05T20:00:00Z", "rival", "port_in",
		.is_ambiguous = true, .n_flows = 9, .bytes = 1}};

	run("", two_flows, 1, "", "two flows");
	run(", visit_flows: 2", two_flows, 1, "interest", "two flows are enough");
	run("", joined, 2, "interest", "joined over the gap");
	run("", apart, 2, "", "a gap apart");
	run("", different_sites, 2, "", "two sites are two visits");
	run("", half_a_minute, 2, "interest", "half a minute");
	run("", shorter, 2, "", "less than half a minute");
	run("", dns, 1, "", "a look-up alone");
	run("", dns_and_sni, 2, "interest", "a look-up and more");
	run("", address, 1, "", "an address alone");
	run("", tie, 1, "", "an endpoint chosen by the tie rule");
}

static void the_event_tells_tags_and_score_but_no_rival(void **)
{
	static const struct use uses[] = {
		VISIT("2026-03-05T20:00:00Z", NULL),
		VISIT("2026-03-06T10:00:00Z", "store_locator"),
		VISIT("2026-03-06T20:00:00Z", "plans"),
	};
	const struct ctl_trigger *t;
	struct fixture f;
	char *text;

	fixture_open(&f, RULE ", cooldown: 0s}\n", NULL);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_int_equal(f.triggers->len, 2);
	assert_data(&f, 0, "tag", "\"store_locator\"");
	assert_data(&f, 0, "score", "45"); // 30 + one more day 10 + one more visit 5
	assert_data(&f, 1, "tag", "\"plans\"");
	assert_data(&f, 1, "tags", "[\"plans\",\"store_locator\",\"brand\"]");
	assert_data(&f, 1, "score", "60"); // 40 + 10 + 10
	assert_data(&f, 1, "visits", "3");
	assert_data(&f, 1, "distinct_days", "2");
	assert_data(&f, 1, "first_seen", "\"2026-03-05T20:00:00.000Z\"");
	assert_data(&f, 1, "last_seen", "\"2026-03-06T20:00:00.000Z\"");
	assert_data(&f, 1, "class", "\"retention\"");
	assert_data(&f, 1, "basis",
		"{\"purpose\":\"retention\",\"record_version\":4,"
		"\"checked_at\":\"2026-03-06T20:00:00.000Z\"}");
	assert_data(&f, 1, "evidence",
		"{\"bytes\":270000,\"sessions\":3,\"distinct_days\":2,\"known_by\":[\"sni\"]}");
	t = f.triggers->pdata[1];
	text = json_dumps(t->event, 0);
	assert_null(strstr(text, "rival"));
	free(text);
	fixture_close(&f);
}

static void a_visit_is_reported_once_and_again_when_it_turns_to_port_in(void **)
{
	static const struct use uses[] = {
		VISIT("2026-03-05T20:00:00Z", NULL),
		VISIT("2026-03-06T20:00:00Z", NULL),
		VISIT("2026-03-06T20:01:00Z", NULL),
		VISIT("2026-03-06T20:02:00Z", "plans"),
		VISIT("2026-03-06T20:03:00Z", "port_in"),
		VISIT("2026-03-06T20:04:00Z", "port_in"),
	};
	const struct ctl_trigger *a, *b;
	struct fixture f;

	fixture_open(&f, RULE ", cooldown: 0s}\n", NULL);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_int_equal(f.triggers->len, 2);
	a = f.triggers->pdata[0];
	b = f.triggers->pdata[1];
	assert_int_equal(a->time_ns, at("2026-03-06T20:00:00Z"));
	assert_int_equal(b->time_ns, at("2026-03-06T20:03:00Z"));
	assert_string_not_equal(a->id, b->id);
	assert_data(&f, 1, "visits", "2"); // still the same two
	fixture_close(&f);
}

static void the_cooldown_silences_the_rule_for_that_long(void **)
{
	static const struct use uses[] = {
		VISIT("2026-03-05T20:00:00Z", "port_in"),
		VISIT("2026-03-12T19:59:59Z", "port_in"),
		VISIT("2026-03-13T20:00:00Z", "port_in"),
	};
	struct fixture f;

	fixture_open(&f, RULE ", cooldown: 7d}\n", NULL);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_events(&f, "interest interest");
	assert_suppressed(&f, "{\"keep\":{\"G14\":1}}");
	fixture_close(&f);
}

/* Two sites in one tick, worked by their first packets and decided by their last: the second
 * decision lies before the first one. */
static void a_cooldown_holds_within_a_tick(void **)
{
	static const struct use first_day[] = {VISIT("2026-03-05T20:00:00Z", NULL)};
	static const struct use tick[] = {
		{"2026-03-06T20:00:00.100Z", "rival", .bytes = 9, .n_flows = FLOWS, .ms = 800},
		{"2026-03-06T20:00:00.200Z", "other-rival", .bytes = 9, .n_flows = FLOWS},
	};
	struct fixture f;

	fixture_open(&f, RULE "}\n", NULL);
	fixture_play(&f, first_day, 1);
	fixture_tick(&f, tick, G_N_ELEMENTS(tick));
	assert_events(&f, "interest");
	assert_suppressed(&f, "{\"keep\":{\"G14\":1}}");
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interest_takes_two_days_or_one_port_in),
		cmocka_unit_test(a_cooldown_holds_within_a_tick),
		cmocka_unit_test(a_visit_is_three_flows_or_half_a_minute_of_strong_evidence),
		cmocka_unit_test(the_event_tells_tags_and_score_but_no_rival),
		cmocka_unit_test(a_visit_is_reported_once_and_again_when_it_turns_to_port_in),
		cmocka_unit_test(the_cooldown_silences_the_rule_for_that_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
