// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine.h"

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

static void subject_of(const struct fixture *f, const char *identifier, char *ret)
{
	assert_int_equal(ctl_subject_of(&f->config->privacy, identifier, ret, NULL), 0);
}

static void a_reload_keeps_profiles_sessions_and_counts(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - {msisdn: \"+99900000007\", addresses: [10.20.0.77]}\n" // shifts the ids
		"  - msisdn: \"+99900000001\"\n"
		"    addresses: [10.20.0.11]\n"
		"    line: {kind: consumer}\n"
		"    consent: [{purpose: marketing, status: granted, version: 8}]\n";
	static const char more[] = "  - {id: new-rule, " SESSION ", category: messaging}\n"
				   "  - {id: film-rule, " SESSION ", version: 2}\n";
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, &film_minute[0], 1);
	fixture_reload(&f, more, facts);
	fixture_play(&f, &film_minute[1], 1);
	assert_int_equal(f.triggers->len, 1);
	assert_data(&f, 0, "started_at", "\"2026-03-05T20:00:00.000Z\"");
	assert_data(&f, 0, "basis",
		"{\"purpose\":\"marketing\",\"record_version\":8,"
		"\"checked_at\":\"2026-03-05T20:01:00.000Z\"}");
	fixture_advance(&f, "2026-03-05T20:10:00Z");
	assert_events(&f, "session_started session_ended");
	fixture_close(&f);
}

static void a_rule_or_person_that_is_gone_after_a_reload_says_nothing(void **)
{
	static const char other[] = "subscribers:\n"
				    "  - {msisdn: \"+99900000007\", addresses: [10.20.0.77]}\n";
	struct fixture f;
	char subject[128];

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, film_minute, 2);
	assert_events(&f, "session_started");
	fixture_reload(&f, NULL, NULL);
	fixture_advance(&f, "2026-03-05T21:00:00Z");
	assert_events(&f, "");
	fixture_reload(&f, RULES, NULL);
	fixture_play(&f, film_later, 2);
	assert_events(&f, "session_started");
	fixture_reload(&f, RULES, other);
	fixture_advance(&f, "2026-03-05T23:00:00Z");
	assert_events(&f, "");
	subject_of(&f, "msisdn:+99900000001", subject);
	assert_null(ctl_engine_subscriber_json(f.engine, subject));
	fixture_close(&f);
}

/* Bytes that `show` knows of the subscriber; -1 when it knows nobody. */
static long bytes_of(const struct fixture *f, const char *identifier)
{
	char subject[128];
	json_t *show, *line;
	long n_bytes = 0;
	size_t i;

	subject_of(f, identifier, subject);
	show = ctl_engine_subscriber_json(f->engine, subject);
	if (show == NULL)
		return -1;
	json_array_foreach(json_object_get(show, "usage"), i, line)
		n_bytes += json_integer_value(json_object_get(line, "down_bytes"));
	json_decref(show);
	return n_bytes;
}

/* docs/signals.md: a SIM swap keeps history, a recycled number starts empty. */
static void a_new_sim_keeps_the_history_and_a_recycled_number_starts_empty(void **)
{
#define HOLDER(msisdn, rest, address) \
	"  - {msisdn: \"+" msisdn "\", " rest ", addresses: [" address "]}\n"
	static const struct {
		const char *what, *before, *after;
		long first, second; // bytes of ...1 and ...2 after the reload
	} rows[] = {
		{"a new SIM", HOLDER("99900000001", "imsi: \"001010000000001\"", "10.20.0.11"),
			HOLDER("99900000001", "imsi: \"001010000000009\"", "10.20.0.11"), 5, -1},
		{"a new number", HOLDER("99900000001", "imsi: \"001010000000001\"", "10.20.0.11"),
			HOLDER("99900000002", "imsi: \"001010000000001\"", "10.20.0.11"), -1, 5},
		{"a new SIM of the same account",
			HOLDER("99900000001", "imsi: \"001010000000001\", account: A-1",
				"10.20.0.11"),
			HOLDER("99900000001", "imsi: \"001010000000009\", account: A-1",
				"10.20.0.11"),
			5, -1},
		{"a number that another account has now",
			HOLDER("99900000001", "account: A-1", "10.20.0.11"),
			HOLDER("99900000001", "account: A-2", "10.20.0.11"), -1, -1},
		{"a number given away by who took another one",
			HOLDER("99900000001", "imsi: \"001010000000001\"", "10.20.0.11"),
			HOLDER("99900000001", "imsi: \"001010000000003\"", "10.20.0.13")
				HOLDER("99900000002", "imsi: \"001010000000001\"", "10.20.0.11"),
			-1, 5},
		{"two who change numbers",
			HOLDER("99900000001", "account: A-1", "10.20.0.11")
				HOLDER("99900000002", "account: A-2", "10.20.0.12"),
			HOLDER("99900000002", "account: A-1", "10.20.0.11")
				HOLDER("99900000001", "account: A-2", "10.20.0.12"),
			7, 5},
	};
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "film", .bytes = 5},
		{"2026-03-05T20:00:01Z", "film", .bytes = 7, .endpoint = "10.20.0.12"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *before = g_strconcat("subscribers:\n", rows[i].before, NULL);
		g_autofree char *after = g_strconcat("subscribers:\n", rows[i].after, NULL);
		struct fixture f;

		print_message("%s\n", rows[i].what);
		fixture_open(&f, RULES, before);
		fixture_play(&f, uses, G_N_ELEMENTS(uses));
		fixture_reload(&f, RULES, after);
		assert_int_equal(bytes_of(&f, "msisdn:+99900000001"), rows[i].first);
		assert_int_equal(bytes_of(&f, "msisdn:+99900000002"), rows[i].second);
		fixture_close(&f);
	}
#undef HOLDER
}

static void a_subscriber_is_shown_without_identifiers(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - msisdn: \"+99900000001\"\n"
		"    imsi: \"001010000000001\"\n"
		"    account: Konto-Kanarienvogel\n"
		"    addresses: [10.20.0.11]\n"
		"    plan: {id: s, buckets: [{id: data, cap: 1GB, anchor_day: 1}]}\n"
		"    holds: [{kind: complaint, since: 2026-03-01T00:00:00Z}]\n";
	char subject[128];
	struct fixture f;
	json_t *show;
	char *text;

	fixture_open(&f, RULES, facts);
	fixture_play(&f, &film_minute[0], 1);
	subject_of(&f, "msisdn:+99900000001", subject);
	show = ctl_engine_subscriber_json(f.engine, subject);
	assert_non_null(show);
	text = json_dumps(show, JSON_COMPACT);
	assert_non_null(strstr(text, "\"kind\":\"complaint\""));
	assert_non_null(strstr(text, "\"film-rule\":[{\"app\":\"film\""));
	assert_non_null(strstr(text, "\"bucket\":\"data\""));
	assert_null(strstr(text, "99900000001"));
	assert_null(strstr(text, "001010000000001"));
	assert_null(strstr(text, "Kanarienvogel"));
	assert_null(strstr(text, "10.20.0.11"));
	free(text);
	json_decref(show);
	assert_null(ctl_engine_subscriber_json(f.engine, "nobody"));
	fixture_close(&f);
}

/* Whoever asks has what stands in the ticket, not what the subject is made of. */
static void a_subscriber_is_found_by_any_identifier(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - {msisdn: \"+99900000001\", imsi: \"001010000000001\", account: A-1,\n"
		"     addresses: [10.20.0.11]}\n"
		"  - {msisdn: \"+99900000002\"}\n";
	static const struct {
		const char *identifier;
		bool is_known, is_told;
	} rows[] = {
		{"msisdn:+99900000001", true, true},
		{"+999 0000-0001", true, true},
		{"imsi:001010000000001", true, true},
		{"account:A-1", true, true},
		{"msisdn:+99900000002", false, true},
		{"msisdn:+99900000003", false, false},
		{"account:A-2", false, false},
		{"ip:10.20.0.11", false, false},
		{"", false, false},
	};
	struct fixture f;

	fixture_open(&f, RULES, facts);
	fixture_play(&f, film_minute, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		bool is_told = !rows[i].is_told;
		json_t *show;

		print_message("%s\n", rows[i].identifier);
		show = ctl_engine_identifier_json(f.engine, rows[i].identifier, &is_told);
		assert_int_equal(show != NULL, rows[i].is_known);
		assert_int_equal(is_told, rows[i].is_told);
		json_decref(show);
	}
	fixture_close(&f);
}

/* A new key renames everybody and touches no profile. */
static void a_new_key_changes_the_name_and_nothing_else(void **)
{
	char before[128], after[128];
	struct fixture f;
	json_t *show;

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, film_minute, 1);
	subject_of(&f, "msisdn:+99900000001", before);
	f.key = "another key of sixteen bytes and more";
	fixture_reload(&f, RULES, NULL);
	subject_of(&f, "msisdn:+99900000001", after);
	assert_string_not_equal(before, after);
	assert_null(ctl_engine_subscriber_json(f.engine, before));
	show = ctl_engine_subscriber_json(f.engine, after);
	assert_int_equal(json_array_size(json_object_get(show, "usage")), 1);
	json_decref(show);
	fixture_close(&f);
}

static void steps_that_were_announced_stay_so_under_new_steps_and_caps(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - msisdn: \"+99900000001\"\n"
		"    addresses: [10.20.0.11]\n"
		"    plan: {id: m, buckets: [{id: data, cap: 2GB, anchor_day: 1}]}\n"
		"    line: {kind: consumer}\n";
	static const char rules[] = "  - {id: cap, detect: near_cap, class: service, "
				    "steps: [50%, 80%], emit: [threshold]}\n";
	static const char finer[] = "  - {id: cap, detect: near_cap, class: service, "
				    "steps: [50%, 60%, 80%, 90%], emit: [threshold]}\n";
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "film", .bytes = 600000000},
		{"2026-03-05T21:00:00Z", "film", .bytes = 10000000},
		{"2026-03-05T22:00:00Z", "film", .bytes = 600000000},
	};
	struct fixture f;

	fixture_open(&f, rules, NULL);
	fixture_play(&f, &uses[0], 1);
	assert_data(&f, 0, "step_pct", "50");
	assert_events(&f, "threshold");
	fixture_reload(&f, finer, NULL);
	fixture_play(&f, &uses[1], 1);
	assert_data(&f, 0, "step_pct", "60");
	assert_events(&f, "threshold");
	fixture_reload(&f, finer, facts); // 610 MB are 30 % of the new cap
	fixture_play(&f, &uses[2], 1); // 60 %, which was said
	assert_events(&f, "");
	fixture_close(&f);
}

/* Any records in any order: no byte is lost or made, and no trigger speaks of the past. */
static void the_books_balance_whatever_comes(void **)
{
	static const char *const apps[] = {"film", "series", "chat", "tunnel", "casino", "own-tv",
		"rival", "other-rival", "unknown", "undecided"};
	static const char *const endpoints[] = {"10.20.0.11", "10.20.0.99", "2001:db8::1"};
	static const char rules[] =
		"  - {id: s, " SESSION ", gap: 10s, start_after: 0s, min_bytes: 0B}\n"
		"  - {id: c, detect: competitor, class: retention, purpose: retention}\n"
		"  - {id: n, detect: near_cap, class: upsell, purpose: marketing}\n";
	uint64_t n_in = 0, n_out = 0, now_ns, last_ns = 0;
	uint32_t seed = 7;
	struct fixture f;
	json_t *usage, *line;
	size_t at_line;

	fixture_open(&f, rules, NULL);
	now_ns = at("2026-01-20T00:00:00Z");
	for (int i = 0; i < 20000; i++) {
		struct use use = {"2026-01-20T00:00:00Z"};
		struct dp_record r;
		uint64_t late_ns;

		seed = seed * 1103515245 + 12345;
		use.app = apps[(seed >> 16) % G_N_ELEMENTS(apps)];
		use.endpoint = endpoints[(seed >> 20) % G_N_ELEMENTS(endpoints)];
		use.bytes = (seed >> 8) % 3000000;
		use.up_bytes = (seed >> 12) % 300000;
		use.n_flows = (seed >> 24) % 4;
		use.is_move = (seed >> 26) % 5 == 0 && strcmp(use.app, "undecided") != 0;
		use.is_ambiguous = (seed >> 27) % 9 == 0;
		r = fixture_record(&f, &use);
		if (r.app >= DP_APP_FIRST)
			r.evidence = (uint8_t)(1 + (seed >> 13) % (DP_EVIDENCE_COUNT - 1));
		now_ns += (seed >> 10) % 600 * UINT64_C(1000000000);
		late_ns = (seed >> 9) % 50 == 0 ? UINT64_C(86400000000000) * (seed % 40) : 0;
		r.usage.first_ns = now_ns - late_ns;
		r.usage.last_ns = r.usage.first_ns + seed % 900000000;
		r.tick = r.usage.last_ns / UINT64_C(1000000000);
		if (!use.is_move)
			n_in += use.bytes + use.up_bytes;
		ctl_engine_tick(f.engine, now_ns + UINT64_C(1000000000), &r, 1, 0);
	}
	ctl_engine_advance(f.engine, now_ns + UINT64_C(600000000000));
	usage = ctl_engine_usage_json(f.engine);
	json_array_foreach(usage, at_line, line)
		n_out += (uint64_t)(json_integer_value(json_object_get(line, "up_bytes")) +
			json_integer_value(json_object_get(line, "down_bytes")));
	json_decref(usage);
	assert_int_equal(n_in, n_out);
	assert_true(f.triggers->len > 100);
	for (guint i = 0; i < f.triggers->len; i++) {
		const struct ctl_trigger *t = f.triggers->pdata[i];

		assert_true(t->time_ns >= last_ns);
		last_ns = t->time_ns;
	}
	fixture_close(&f);
}

/* Whatever the old configuration owned is freed at each reload: under ASan a pointer into it that
 * survives is an error. */
static void a_reload_at_any_instant_leaves_nothing_of_the_old_configuration(void **)
{
#define WHO \
	"subscribers:\n" \
	"  - {msisdn: \"+99900000001\", addresses: [10.20.0.11], zone: Europe/Berlin, " \
	"line: {kind: consumer}, "
	static const char *const rules[] = {
		"  - {id: s, " SESSION ", gap: 10s, start_after: 0s, min_bytes: 0B}\n"
		"  - {id: n, detect: near_cap, class: upsell, purpose: marketing}\n"
		"  - {id: c, detect: competitor, class: retention, purpose: retention}\n",
		"  - {id: c, detect: competitor, class: retention, purpose: retention, window: 1d}\n"
		"  - {id: s, " SESSION ", gap: 1h, apps: [series]}\n",
		"  - {id: n, " SESSION ", category: messaging}\n" // another detector, the same id
		"  - {id: s, " SESSION ", min_bytes: 1kB}\n",
		NULL,
	};
	static const char *const facts[] = {
		NULL,
		WHO "plan: {id: a, zero_rated: [chat], buckets: [{id: more, cap: 1MB, zone: "
		    "Asia/Tokyo},\n"
		    "    {id: data, cap: 9GB, anchor_day: 31, scope: {apps: [film]}}]}}\n",
		WHO "holds: [{kind: complaint, since: 2026-01-01T00:00:00Z}]}\n",
		"subscribers:\n  - {msisdn: \"+99900000002\", addresses: [10.20.0.99]}\n",
	};
	static const char *const apps[] = {"film", "series", "chat", "rival", "undecided"};
	static const char *const endpoints[] = {"10.20.0.11", "10.20.0.99", "10.20.0.12"};
	uint64_t now_ns = at("2026-01-20T00:00:00Z");
	uint32_t seed = 11;
	struct fixture f;
	char subject[128];

	fixture_open(&f, rules[0], NULL);
	for (int i = 0; i < 2000; i++) {
		struct use use = {"2026-01-20T00:00:00Z", .bytes = 3000000, .n_flows = 3};
		struct dp_record r;

		seed = seed * 1103515245 + 12345;
		use.app = apps[(seed >> 16) % G_N_ELEMENTS(apps)];
		use.endpoint = endpoints[(seed >> 20) % G_N_ELEMENTS(endpoints)];
		r = fixture_record(&f, &use);
		now_ns += (seed >> 10) % 2000 * UINT64_C(1000000000);
		r.usage.first_ns = now_ns;
		r.usage.last_ns = now_ns + seed % 900000000;
		r.tick = now_ns / UINT64_C(1000000000);
		ctl_engine_tick(f.engine, now_ns + UINT64_C(1000000000), &r, 1, 0);
		if (i % 50 != 49)
			continue;
		fixture_reload(&f, rules[(seed >> 12) % G_N_ELEMENTS(rules)],
			facts[(seed >> 14) % G_N_ELEMENTS(facts)]);
		subject_of(&f, "msisdn:+99900000001", subject);
		json_decref(ctl_engine_subscriber_json(f.engine, subject));
	}
	assert_true(f.triggers->len > 10);
	fixture_close(&f);
#undef WHO
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reload_keeps_profiles_sessions_and_counts),
		cmocka_unit_test(a_rule_or_person_that_is_gone_after_a_reload_says_nothing),
		cmocka_unit_test(a_new_sim_keeps_the_history_and_a_recycled_number_starts_empty),
		cmocka_unit_test(a_new_key_changes_the_name_and_nothing_else),
		cmocka_unit_test(steps_that_were_announced_stay_so_under_new_steps_and_caps),
		cmocka_unit_test(a_subscriber_is_shown_without_identifiers),
		cmocka_unit_test(a_subscriber_is_found_by_any_identifier),
		cmocka_unit_test(the_books_balance_whatever_comes),
		cmocka_unit_test(a_reload_at_any_instant_leaves_nothing_of_the_old_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
