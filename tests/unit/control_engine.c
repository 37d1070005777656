// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine.h"

#include "control/timer.h"
#include "tests/unit/engine_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define SESSION "detect: app_session, class: upsell, purpose: marketing"
static const char RULES[] = "  - {id: film-rule, " SESSION "}\n";

#define FILM(t) \
	{ \
		t, "film", .bytes = 40000000 \
	}
static const struct use film_minute[] = {
	FILM("2026-03-05T20:00:00Z"), FILM("2026-03-05T20:01:00Z")};
static const struct use film_later[] = {FILM("2026-03-05T22:00:00Z"), FILM("2026-03-05T22:01:00Z")};

static void assert_usage(const struct fixture *f, const char *expected)
{
	json_t *usage = ctl_engine_usage_json(f->engine);
	char *text = json_dumps(usage, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	json_decref(usage);
}

static void subject_of(const struct fixture *f, const char *identifier, char *ret)
{
	assert_int_equal(ctl_subject_of(&f->config->privacy, identifier, ret, NULL), 0);
}

#define PLAIN_HEAD \
	"node: edge1\napps: apps.yaml\nbinding: {sources: [static: facts.yaml]}\n" \
	"told: {files: [facts.yaml]}\nzone: Europe/Berlin\nprivacy: {subject: plain}\n"

static void usage_is_credited_to_who_held_the_address(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - {msisdn: \"+99900000001\", addresses: [{address: 10.20.0.11,\n"
		"       until: 2026-03-05T20:00:10Z}]}\n"
		"  - {msisdn: \"+99900000002\", addresses: [{address: 10.20.0.11,\n"
		"       since: 2026-03-05T20:00:20Z}]}\n";
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "film", .up_bytes = 1, .bytes = 10},
		// over the end of the binding: nobody's
		{"2026-03-05T20:00:09.900Z", "film", .ms = 200, .bytes = 100},
		{"2026-03-05T20:00:15Z", "film", .bytes = 1000},
		{"2026-03-05T20:00:20Z", "series", .bytes = 10000},
	};
	struct fixture f;

	fixture_head = PLAIN_HEAD;
	fixture_open(&f, NULL, facts);
	fixture_head = NULL;
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_usage(&f,
		"[{\"subscriber\":\"endpoint:10.20.0.11\",\"app\":\"film\",\"up_bytes\":0,"
		"\"down_bytes\":1100},"
		"{\"subscriber\":\"msisdn:+99900000001\",\"app\":\"film\",\"up_bytes\":1,"
		"\"down_bytes\":10},"
		"{\"subscriber\":\"msisdn:+99900000002\",\"app\":\"series\",\"up_bytes\":0,"
		"\"down_bytes\":10000}]");
	fixture_close(&f);
}

static void an_endpoint_stands_under_sixteen_characters_of_its_pseudonym(void **)
{
	static const struct use use = {
		"2026-03-05T20:00:00Z", "film", .endpoint = "10.20.0.99", .bytes = 10};
	char subject[128], expected[256];
	struct fixture f;

	fixture_open(&f, NULL, NULL);
	fixture_play(&f, &use, 1);
	subject_of(&f, "ip:10.20.0.99", subject);
	(void)snprintf(expected, sizeof(expected),
		"[{\"subscriber\":\"endpoint:%.16s\",\"app\":\"film\",\"up_bytes\":0,"
		"\"down_bytes\":10}]",
		subject);
	assert_usage(&f, expected);
	fixture_close(&f);
}

static void a_move_keeps_totals_and_takes_no_more_than_is_there(void **)
{
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "undecided", .up_bytes = 5, .bytes = 100},
		{"2026-03-05T20:00:00Z", "film", .up_bytes = 2, .bytes = 30, .is_move = true},
		{"2026-03-05T20:00:00Z", "unknown", .bytes = 999, .is_move = true},
	};
	struct fixture f;

	fixture_head = PLAIN_HEAD;
	fixture_open(&f, NULL, NULL);
	fixture_head = NULL;
	fixture_tick(&f, uses, 2);
	assert_usage(&f,
		"[{\"subscriber\":\"msisdn:+99900000001\",\"app\":\"film\",\"up_bytes\":2,"
		"\"down_bytes\":30},"
		"{\"subscriber\":\"msisdn:+99900000001\",\"app\":\"undecided\",\"up_bytes\":3,"
		"\"down_bytes\":70}]");
	fixture_tick(&f, &uses[2], 1);
	assert_usage(&f,
		"[{\"subscriber\":\"msisdn:+99900000001\",\"app\":\"film\",\"up_bytes\":2,"
		"\"down_bytes\":30},"
		"{\"subscriber\":\"msisdn:+99900000001\",\"app\":\"undecided\",\"up_bytes\":3,"
		"\"down_bytes\":0},"
		"{\"subscriber\":\"msisdn:+99900000001\",\"app\":\"unknown\",\"up_bytes\":0,"
		"\"down_bytes\":70}]");
	fixture_close(&f);
}

/* A verdict over a change of hands: its bytes stay where they are. */
static void a_move_over_a_change_of_hands_moves_nothing(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - {msisdn: \"+99900000001\", addresses: [{address: 10.20.0.11,\n"
		"       until: 2026-03-05T20:00:10Z}]}\n"
		"  - {msisdn: \"+99900000002\", addresses: [{address: 10.20.0.11,\n"
		"       since: 2026-03-05T20:00:10Z}]}\n";
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "undecided", .bytes = 100},
		{"2026-03-05T20:00:11Z", "undecided", .bytes = 100},
		{"2026-03-05T20:00:00Z", "film", .ms = 11000, .bytes = 200, .is_move = true},
	};
	struct fixture f;

	fixture_head = PLAIN_HEAD;
	fixture_open(&f, NULL, facts);
	fixture_head = NULL;
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_usage(&f,
		"[{\"subscriber\":\"msisdn:+99900000001\",\"app\":\"undecided\",\"up_bytes\":0,"
		"\"down_bytes\":100},"
		"{\"subscriber\":\"msisdn:+99900000002\",\"app\":\"undecided\",\"up_bytes\":0,"
		"\"down_bytes\":100}]");
	fixture_close(&f);
}

static void a_stranger_is_counted_and_never_published(void **)
{
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "film", .endpoint = "10.20.0.99", .bytes = 40000000},
		{"2026-03-05T20:01:00Z", "film", .endpoint = "10.20.0.99", .bytes = 40000000},
	};
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	fixture_advance(&f, "2026-03-05T21:00:00Z");
	assert_events(&f, "");
	assert_suppressed(&f, "{\"film-rule\":{\"G5\":2}}");
	fixture_close(&f);
}

static void scans_do_not_eat_the_memory(void **)
{
	char endpoint[32];
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	f.config->n_endpoints = 10;
	for (int i = 0; i < 30; i++) {
		const struct use use = {
			"2026-03-05T20:00:00Z", "film", .endpoint = endpoint, .bytes = 1};

		(void)snprintf(endpoint, sizeof(endpoint), "10.99.0.%d", i);
		fixture_play(&f, &use, 1);
	}
	json_t *usage = ctl_engine_usage_json(f.engine);
	size_t i;
	json_t *line;
	json_int_t n_other = 0;

	assert_int_equal(json_array_size(usage), 11);
	json_array_foreach(
		usage, i, line) if (strcmp(json_string_value(json_object_get(line, "subscriber")),
					    "endpoint:other") == 0)
		n_other += json_integer_value(json_object_get(line, "down_bytes"));
	assert_int_equal(n_other, 20);
	json_decref(usage);
	fixture_close(&f);
}

static void the_envelope_is_a_cloudevent(void **)
{
	const struct ctl_trigger *t;
	char subject[128], expected[160];
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, film_minute, 2);
	assert_int_equal(f.triggers->len, 1);
	subject_of(&f, "msisdn:+99900000001", subject);
	(void)snprintf(expected, sizeof(expected), "\"%s\"", subject);
	assert_envelope(&f, 0, "specversion", "\"1.0\"");
	assert_envelope(&f, 0, "source", "\"/wirecue/edge1\"");
	assert_envelope(&f, 0, "type", "\"wirecue.app.session_started.v1\"");
	assert_envelope(&f, 0, "subject", expected);
	assert_envelope(&f, 0, "time", "\"2026-03-05T20:01:00.000Z\"");
	assert_envelope(&f, 0, "expirytime", "\"2026-03-05T21:01:00.000Z\"");
	assert_envelope(&f, 0, "datacontenttype", "\"application/json\"");
	assert_envelope(&f, 0, "dataschema",
		"\"https://wirecue.example/schema/wirecue.app.session_started.v1.json\"");
	assert_data(&f, 0, "rule",
		"{\"id\":\"film-rule\",\"version\":1,\"dry_run\":false,\"control_group\":false}");
	t = f.triggers->pdata[0];
	assert_int_equal(strlen(t->id), 32);
	assert_string_equal(t->type, "wirecue.app.session_started.v1");
	assert_string_equal(t->subject, subject);
	assert_string_equal(t->rule, "film-rule");
	assert_int_equal(t->time_ns, at("2026-03-05T20:01:00Z"));
	assert_int_equal(t->expiry_ns, at("2026-03-05T21:01:00Z"));
	fixture_close(&f);
}

static char *id_under(const char *rules, const struct use *uses)
{
	struct fixture f;
	char *id;

	fixture_open(&f, rules, NULL);
	fixture_play(&f, uses, 2);
	assert_int_equal(f.triggers->len, 1);
	id = g_strdup(((struct ctl_trigger *)f.triggers->pdata[0])->id);
	fixture_close(&f);
	return id;
}

static void an_id_says_rule_subject_and_window_and_no_version(void **)
{
	g_autofree char *a = id_under(RULES, film_minute);
	g_autofree char *b = id_under(
		"  - {id: film-rule, " SESSION ", version: 7, priority: 3}\n", film_minute);
	g_autofree char *c = id_under("  - {id: other-rule, " SESSION "}\n", film_minute);
	g_autofree char *d = id_under(RULES, film_later);

	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_string_not_equal(a, d);
}

static void a_rule_is_silent_about_whom_and_when_it_does_not_mean(void **)
{
	static const struct {
		const char *when, *expected;
	} rows[] = {
		{"{segment: [family, young]}", "session_started"},
		{"{segment: [young]}", ""},
		{"{hours: 21-22}", "session_started"}, // 20:01 UTC is 21:01 in Berlin
		{"{hours: 18-21}", ""},
		{"{hours: 22-6}", ""},
		{"{hours: 21-6}", "session_started"},
		{"{segment: [family], hours: 0-24}", "session_started"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *rules = g_strdup_printf(
			"  - {id: film-rule, " SESSION ", when: %s}\n", rows[i].when);
		g_autofree char *events = NULL;
		struct fixture f;

		print_message("%s\n", rows[i].when);
		fixture_open(&f, rules, NULL);
		fixture_play(&f, film_minute, 2);
		events = fixture_events(&f, true);
		assert_string_equal(events, rows[i].expected);
		assert_suppressed(&f, "{}"); // not held back: not meant
		fixture_close(&f);
	}
}

static void gates_hold_back_and_are_counted(void **)
{
	static const struct {
		const char *rule, *facts, *events, *suppressed;
	} rows[] = {
		{", dry_run: true", NULL, "", "{\"film-rule\":{\"G1\":3}}"},
		{", enabled: false", NULL, "", "{\"film-rule\":{\"G1\":3}}"},
		{", category: gambling", NULL, "", "{}"},
		{"", "{status: withdrawn}", "", "{\"film-rule\":{\"G2\":3}}"},
		{", control_group: 100%", NULL, "session_started session_ended",
			"{\"film-rule\":{\"control_group\":1}}"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		static const char withdrawn[] =
			"subscribers:\n"
			"  - {msisdn: \"+99900000001\", addresses: [10.20.0.11],\n"
			"     line: {kind: consumer},\n"
			"     consent: [{purpose: marketing, status: withdrawn, version: 1}]}\n";
		const struct use film = {"2026-03-05T20:00:00Z", "film", .bytes = 600000000};
		g_autofree char *rules = g_strdup_printf(
			"  - {id: film-rule, " SESSION "%s}\n", rows[i].rule);
		g_autofree char *events = NULL;
		struct fixture f;

		print_message("row %zu\n", i);
		fixture_open(&f, rules, rows[i].facts == NULL ? NULL : withdrawn);
		fixture_watch(&f, &film, 600);
		fixture_advance(&f, "2026-03-05T21:00:00Z");
		events = fixture_events(&f, true);
		assert_string_equal(events, rows[i].events);
		assert_suppressed(&f, rows[i].suppressed);
		fixture_close(&f);
	}
}

static void a_sensitive_category_is_held_back_whatever_the_rule_says(void **)
{
	static const char rules[] =
		"  - {id: bets, detect: app_session, class: service, category: gambling,\n"
		"     emit: [session_started, session_ended], min_confidence: 0%}\n";
	const struct use casino = {"2026-03-05T20:00:00Z", "casino", .bytes = 600000000};
	struct fixture f;

	fixture_open(&f, rules, NULL);
	fixture_watch(&f, &casino, 600);
	fixture_advance(&f, "2026-03-05T21:00:00Z");
	assert_events(&f, "");
	assert_suppressed(&f, "{\"bets\":{\"G4\":2}}");
	fixture_close(&f);
}

static void the_control_group_is_a_stable_share(void **)
{
	static const char head[] = "subscribers:\n";
	GString *facts = g_string_new(head);
	int n_published = 0;

	for (int i = 0; i < 200; i++)
		g_string_append_printf(facts,
			"  - {msisdn: \"+9990000%04d\", addresses: [10.30.0.%d],\n"
			"     line: {kind: consumer},\n"
			"     consent: [{purpose: marketing, status: granted, version: 1}]}\n",
			i, i + 1);
	for (int turn = 0; turn < 2; turn++) {
		struct fixture f;

		fixture_open(&f,
			"  - {id: film-rule, " SESSION ", control_group: 25%, emit: [watched],\n"
			"     min_duration: 1min}\n",
			facts->str);
		for (int i = 0; i < 200; i++) {
			char endpoint[32];
			const struct use uses[] = {
				{"2026-03-05T20:00:00Z", "film", .endpoint = endpoint,
					.bytes = 40000000},
				{"2026-03-05T20:01:00Z", "film", .endpoint = endpoint,
					.bytes = 40000000},
			};

			(void)snprintf(endpoint, sizeof(endpoint), "10.30.0.%d", i + 1);
			fixture_tick(&f, &uses[0], 1);
			fixture_tick(&f, &uses[1], 1);
		}
		fixture_advance(&f, "2026-03-05T21:00:00Z");
		if (turn == 1)
			assert_int_equal(f.triggers->len, n_published);
		n_published = (int)f.triggers->len;
		assert_in_range(n_published, 130, 170); // 150 expected
		fixture_close(&f);
	}
	g_string_free(facts, TRUE);
}

/* Records of a tick may lie in any order of arrival: event time decides. */
static void results_do_not_depend_on_the_order_of_arrival(void **)
{
	enum { N = 4 };
	static const struct use uses[N] = {
		{"2026-03-05T20:00:00.100Z", "film", .bytes = 40000000, .n_flows = 1},
		{"2026-03-05T20:00:00.200Z", "series", .bytes = 40000000, .n_flows = 1},
		{"2026-03-05T20:00:00.300Z", "film", .bytes = 40000000,
			.evidence = DP_EVIDENCE_QUIC},
		{"2026-03-05T20:00:00.400Z", "chat", .endpoint = "10.20.0.99", .bytes = 1},
	};
	char *dumps[2] = {NULL, NULL};

	for (size_t turn = 0; turn < 2; turn++) {
		GString *all = g_string_new(NULL);
		struct fixture f;

		fixture_open(&f, RULES, NULL);
		for (uint64_t minute = 0; minute < 12; minute++) {
			struct dp_record records[N];

			for (size_t i = 0; i < N; i++) {
				struct dp_record *r = &records[turn == 0 ? i : N - 1 - i];

				*r = fixture_record(&f, &uses[i]);
				r->tick += minute * 60;
				r->usage.first_ns += minute * UINT64_C(60000000000);
				r->usage.last_ns += minute * UINT64_C(60000000000);
			}
			ctl_engine_tick(f.engine, (records[0].tick + 1) * UINT64_C(1000000000),
				records, N, 0);
		}
		fixture_advance(&f, "2026-03-05T21:00:00Z");
		for (guint i = 0; i < f.triggers->len; i++) {
			char *text = json_dumps(
				((struct ctl_trigger *)f.triggers->pdata[i])->event, 0);

			g_string_append(all, text);
			free(text);
		}
		assert_int_equal(f.triggers->len, 6 - 1); // the second watched cools down
		dumps[turn] = g_string_free(all, FALSE);
		fixture_close(&f);
	}
	assert_string_equal(dumps[0], dumps[1]);
	g_free(dumps[0]);
	g_free(dumps[1]);
}

static void events_of_a_tick_leave_in_order_of_time_subject_and_rule(void **)
{
	static const char rules[] = "  - {id: b-rule, " SESSION "}\n"
				    "  - {id: a-rule, " SESSION "}\n";
	const struct ctl_trigger *t[2];
	struct fixture f;

	fixture_open(&f, rules, NULL);
	fixture_play(&f, film_minute, 2);
	assert_int_equal(f.triggers->len, 2);
	for (int i = 0; i < 2; i++)
		t[i] = f.triggers->pdata[i];
	assert_string_equal(t[0]->rule, "a-rule");
	assert_string_equal(t[1]->rule, "b-rule");
	fixture_close(&f);
}

static void coverage_tells_what_was_not_seen(void **)
{
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "film", .bytes = 40000000},
		{"2026-03-05T20:00:01Z", "unknown", .bytes = 20000000},
		{"2026-03-05T20:00:02Z", "tunnel", .bytes = 10000000},
		{"2026-03-05T20:00:03Z", "chat", .endpoint = "10.20.0.99", .bytes = 30000000},
	};
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	f.loss = 0.001;
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	f.loss = 0.0;
	fixture_play(&f, &film_minute[1], 1);
	assert_data(&f, 0, "coverage",
		// of 110 MB own; 140 MB all
		"{\"capture_loss\":0.0007,\"unclassified\":0.1818,\"unbound\":0.2143,"
		"\"opaque\":0.0909}");
	fixture_close(&f);
}

static void timers_come_in_one_order(void **)
{
	enum { N = 500 };
	struct ctl_timers timers;
	struct ctl_timer last = {0}, t;
	uint32_t seed = 1;
	int n = 0;

	ctl_timers_init(&timers);
	for (int i = 0; i < N; i++) {
		seed = seed * 1103515245 + 12345;
		t = (struct ctl_timer){.at_ns = 1 + (seed >> 16) % 50,
			.profile_id = (seed >> 8) % 7,
			.rule_idx = seed % 3,
			.key = (uint32_t)i};
		ctl_timers_push(&timers, &t);
	}
	assert_false(ctl_timers_pop(&timers, 1, &t)); // due before, not at
	for (; ctl_timers_pop(&timers, 100, &t); n++) {
		const uint64_t a[] = {last.at_ns, last.profile_id, last.rule_idx, last.key};
		const uint64_t b[] = {t.at_ns, t.profile_id, t.rule_idx, t.key};
		int i = 0;

		while (i < 3 && a[i] == b[i])
			i++;
		assert_true(a[i] < b[i] || n == 0);
		last = t;
	}
	assert_int_equal(n, N);
	ctl_timers_fini(&timers);
}

static void a_short_key_is_refused(void **)
{
	struct dp_err err;
	struct ctl_engine *engine = NULL;
	struct ctl_config config = {.privacy = {.subject = CTL_SUBJECT_IMSI, .key_len = 15}};

	assert_true(ctl_engine_new(&config, NULL, NULL, &engine, &err) < 0);
	assert_non_null(strstr(err.text, "16"));
	assert_null(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage_is_credited_to_who_held_the_address),
		cmocka_unit_test(an_endpoint_stands_under_sixteen_characters_of_its_pseudonym),
		cmocka_unit_test(a_move_keeps_totals_and_takes_no_more_than_is_there),
		cmocka_unit_test(a_move_over_a_change_of_hands_moves_nothing),
		cmocka_unit_test(a_stranger_is_counted_and_never_published),
		cmocka_unit_test(scans_do_not_eat_the_memory),
		cmocka_unit_test(the_envelope_is_a_cloudevent),
		cmocka_unit_test(an_id_says_rule_subject_and_window_and_no_version),
		cmocka_unit_test(a_rule_is_silent_about_whom_and_when_it_does_not_mean),
		cmocka_unit_test(gates_hold_back_and_are_counted),
		cmocka_unit_test(a_sensitive_category_is_held_back_whatever_the_rule_says),
		cmocka_unit_test(the_control_group_is_a_stable_share),
		cmocka_unit_test(results_do_not_depend_on_the_order_of_arrival),
		cmocka_unit_test(events_of_a_tick_leave_in_order_of_time_subject_and_rule),
		cmocka_unit_test(coverage_tells_what_was_not_seen),
		cmocka_unit_test(timers_come_in_one_order),
		cmocka_unit_test(a_short_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
