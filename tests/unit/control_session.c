// SPDX-License-Identifier: BSD-3-Clause
#include "control/session.h"
#include "tests/unit/engine_fixture.h"

#define RULE \
	"  - {id: film-rule, detect: app_session, class: upsell, purpose: marketing,\n" \
	"     min_confidence: 70%"

static const char RULES[] = RULE "}\n";

static void a_film_is_announced_ended_and_watched(void **)
{
	const struct use film = {"2026-03-05T20:00:00Z", "film", .bytes = 600000000};
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_watch(&f, &film, 600);
	fixture_advance(&f, "2026-03-05T20:12:00Z"); // not yet behind the gap
	assert_int_equal(f.triggers->len, 1);
	assert_envelope(&f, 0, "time", "\"2026-03-05T20:01:00.000Z\"");
	assert_data(&f, 0, "started_at", "\"2026-03-05T20:00:00.000Z\"");
	assert_data(&f, 0, "bytes", "70000000");
	assert_data(&f, 0, "class", "\"service\"");
	fixture_advance(&f, "2026-03-05T20:12:00.001Z");
	assert_int_equal(f.triggers->len, 3);
	assert_envelope(&f, 1, "time", "\"2026-03-05T20:12:00.000Z\"");
	assert_data(&f, 1, "app", "\"film\"");
	assert_data(&f, 1, "category", "\"streaming\"");
	assert_data(&f, 1, "started_at", "\"2026-03-05T20:00:00.000Z\"");
	assert_data(&f, 1, "ended_at", "\"2026-03-05T20:10:00.000Z\"");
	assert_data(&f, 1, "duration_s", "600");
	assert_data(&f, 1, "active_s", "6"); // 61 records of 100 ms
	assert_data(&f, 1, "bytes", "610000000");
	assert_data(&f, 1, "mean_kbps", "8133");
	assert_data(&f, 1, "bitrate_class", "\"hd\"");
	assert_data(&f, 1, "hour", "21"); // 20:10 UTC is 21:10 in Berlin
	assert_data(&f, 1, "flows", "1");
	assert_data(&f, 1, "estimate", "false");
	assert_data(&f, 2, "class", "\"upsell\"");
	assert_data(&f, 2, "evidence",
		"{\"bytes\":610000000,\"sessions\":1,\"distinct_days\":1,\"known_by\":[\"sni\"]}");
	assert_data(&f, 2, "confidence", "95");
	assert_true(
		json_object_get(json_object_get(((struct ctl_trigger *)f.triggers->pdata[2])->event,
					"data"),
			"estimate") == NULL);
	assert_events(&f, "session_started session_ended watched");
	fixture_close(&f);
}

static void a_session_counts_as_watched_from_its_thresholds_on(void **)
{
	static const struct {
		const char *params;
		uint64_t seconds, bytes;
		const char *expected;
	} rows[] = {
		// duration
		{", min_duration: 10min", 600, 60000000, "session_started session_ended watched"},
		{", min_duration: 10min", 590, 60000000, "session_started session_ended"},
		// bytes: a record every 10 s, 61 of them
		{", min_rate: 0bit, min_bytes: 610kB", 600, 600000,
			"session_started session_ended watched"},
		{", min_rate: 0bit, min_bytes: 611kB", 600, 600000,
			"session_started session_ended"},
		// rate: 61 MB over 600 s are 813,333 bit/s
		{", min_rate: 813kbit", 600, 60000000, "session_started session_ended watched"},
		{", min_rate: 814kbit", 600, 60000000, "session_started session_ended"},
		// a thumbnail: too short to be announced, or too small
		{"", 50, 600000000, ""},
		{"", 60, 600000000, "session_started session_ended"},
		{", start_after: 0s", 0, 0, ""},
		{", start_after: 0s, min_bytes: 0B", 10, 1000, "session_started session_ended"},
		{"", 600, 1200000, ""}, // below a tenth of 15 MB
		{"", 600, 1600000, "session_started session_ended"}, // above
		// only what is asked for
		{", emit: [watched]", 600, 60000000, "watched"},
		{", emit: [session_ended]", 600, 60000000, "session_ended"},
		{", emit: [session_started]", 600, 60000000, "session_started"},
		// filters
		{", apps: [series]", 600, 60000000, ""},
		{", apps: [film]", 600, 60000000, "session_started session_ended watched"},
		{", mute: [film]", 600, 60000000, ""},
		{", category: messaging", 600, 60000000, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct use film = {"2026-03-05T20:00:00Z", "film", .bytes = rows[i].bytes};
		g_autofree char *rules = g_strconcat(RULE, rows[i].params, "}\n", NULL);
		g_autofree char *events = NULL;
		struct fixture f;

		fixture_open(&f, rules, NULL);
		if (rows[i].seconds >= 10)
			fixture_watch(&f, &film, rows[i].seconds);
		else
			fixture_play(&f, &film, 1);
		fixture_advance(&f, "2026-03-05T21:00:00Z");
		events = fixture_events(&f, true);
		if (strcmp(events, rows[i].expected) != 0)
			fail_msg("row %zu '%s': '%s', expected '%s'", i, rows[i].params, events,
				rows[i].expected);
		fixture_close(&f);
	}
}

static void records_join_over_the_gap_and_no_longer(void **)
{
	static const struct use joined[] = {
		{"2026-03-05T20:00:00Z", "film", .bytes = 20000000, .n_flows = 2},
		{"2026-03-05T20:02:00Z", "film", .bytes = 20000000, .n_flows = 1},
		{"2026-03-05T20:04:00Z", "film", .bytes = 20000000, .n_flows = 1},
	};
	static const struct use split[] = {
		{"2026-03-05T20:00:00Z", "film", .bytes = 20000000},
		{"2026-03-05T20:02:00Z", "film", .bytes = 20000000},
		{"2026-03-05T20:04:00.001Z", "film", .bytes = 20000000},
	};
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, joined, G_N_ELEMENTS(joined));
	fixture_advance(&f, "2026-03-05T21:00:00Z");
	assert_int_equal(f.triggers->len, 2);
	assert_data(&f, 1, "duration_s", "240");
	assert_data(&f, 1, "flows", "4");
	fixture_close(&f);

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, split, G_N_ELEMENTS(split));
	assert_int_equal(f.triggers->len, 2);
	assert_data(&f, 1, "duration_s", "120");
	assert_envelope(&f, 1, "time", "\"2026-03-05T20:04:00.000Z\"");
	fixture_close(&f);
}

/* Two endpoints of one subscriber in one tick: order of addresses is not order of time. */
static void a_tick_is_worked_in_order_of_time(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - msisdn: \"+99900000001\"\n"
		"    addresses: [10.20.0.11, 10.20.0.12]\n"
		"    line: {kind: consumer}\n"
		"    consent: [{purpose: marketing, status: granted, version: 1}]\n";
	static const struct use begin[] = {
		{"2026-03-05T20:00:00Z", "film", .bytes = 20000000},
		{"2026-03-05T20:01:00Z", "film", .bytes = 20000000},
	};
	// the gap ends at 20:03:00.000; the second endpoint is in time, the first one joins it
	static const struct use tick[] = {
		{"2026-03-05T20:03:00.700Z", "film", .bytes = 1000},
		{"2026-03-05T20:02:59.900Z", "film", .endpoint = "10.20.0.12", .ms = 200,
			.bytes = 1000},
	};
	struct fixture f;

	fixture_open(&f, RULES, facts);
	fixture_play(&f, begin, G_N_ELEMENTS(begin));
	fixture_tick(&f, tick, G_N_ELEMENTS(tick));
	fixture_advance(&f, "2026-03-05T21:00:00Z");
	assert_int_equal(f.triggers->len, 2);
	assert_data(&f, 1, "ended_at", "\"2026-03-05T20:03:00.700Z\"");
	fixture_close(&f);
}

static void weak_evidence_starts_nothing_but_belongs_to_what_runs(void **)
{
	static const struct use weak[] = {
		{"2026-03-05T20:00:00Z", "film", .evidence = DP_EVIDENCE_ADDRESS,
			.bytes = 50000000},
		{"2026-03-05T20:01:00Z", "film", .evidence = DP_EVIDENCE_PORT, .bytes = 50000000},
	};
	static const struct use mixed[] = {
		{"2026-03-05T21:00:00Z", "film", .bytes = 30000000},
		{"2026-03-05T21:01:00Z", "film", .evidence = DP_EVIDENCE_ADDRESS,
			.bytes = 10000000},
	};
	static const struct use mostly_weak[] = {
		{"2026-03-05T22:00:00Z", "film", .bytes = 10000000},
		{"2026-03-05T22:01:00Z", "film", .evidence = DP_EVIDENCE_ADDRESS,
			.bytes = 30000000},
	};
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, weak, G_N_ELEMENTS(weak));
	fixture_advance(&f, "2026-03-05T20:30:00Z");
	assert_events(&f, "");
	fixture_play(&f, mixed, G_N_ELEMENTS(mixed));
	assert_data(&f, 0, "confidence", "81"); // (30 x 95 + 10 x 40) / 40
	assert_data(&f, 0, "evidence",
		"{\"bytes\":40000000,\"sessions\":1,\"distinct_days\":1,"
		"\"known_by\":[\"sni\",\"address\"]}");
	fixture_advance(&f, "2026-03-05T21:30:00Z");
	assert_events(&f, "session_started session_ended");
	fixture_play(&f, mostly_weak, G_N_ELEMENTS(mostly_weak));
	fixture_advance(&f, "2026-03-05T22:30:00Z");
	assert_events(&f, "");
	assert_suppressed(&f, "{\"film-rule\":{\"G7\":2}}");
	fixture_close(&f);
}

/* The first packets of a flow are undecided; the verdict moves them into the session. */
static void a_late_verdict_brings_its_bytes_and_its_begin(void **)
{
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "undecided", .bytes = 4000},
		{"2026-03-05T20:00:30Z", "film", .bytes = 10000000, .n_flows = 1},
		{"2026-03-05T20:00:00Z", "film", .bytes = 4000, .is_move = true},
		{"2026-03-05T20:01:00Z", "film", .bytes = 10000000},
	};
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_play(&f, uses, 2);
	fixture_tick(&f, &uses[2], 1);
	fixture_play(&f, &uses[3], 1);
	fixture_advance(&f, "2026-03-05T20:30:00Z");
	assert_int_equal(f.triggers->len, 2);
	assert_data(&f, 0, "started_at", "\"2026-03-05T20:00:00.000Z\"");
	assert_data(&f, 1, "bytes", "20004000");
	fixture_close(&f);
}

static void own_services_are_never_reported(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - msisdn: \"+99900000001\"\n"
		"    addresses: [10.20.0.11]\n"
		"    plan: {id: s, own_services: [film]}\n"
		"    line: {kind: consumer}\n"
		"    consent: [{purpose: marketing, status: granted, version: 1}]\n";
	const struct use film = {"2026-03-05T20:00:00Z", "film", .bytes = 600000000};
	const struct use series = {"2026-03-05T22:00:00Z", "series", .bytes = 600000000};
	struct fixture f;

	fixture_open(&f, RULES, facts);
	fixture_watch(&f, &film, 600);
	fixture_watch(&f, &series, 600);
	fixture_advance(&f, "2026-03-05T23:00:00Z");
	assert_int_equal(f.triggers->len, 3);
	assert_data(&f, 2, "app", "\"series\"");
	fixture_close(&f);
}

static void a_lossy_session_is_an_estimate(void **)
{
	const struct use film = {"2026-03-05T20:00:00Z", "film", .bytes = 600000000};
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	f.loss = 0.02;
	fixture_watch(&f, &film, 600);
	fixture_advance(&f, "2026-03-05T21:00:00Z");
	assert_data(&f, 1, "estimate", "true");
	assert_data(&f, 2, "coverage",
		"{\"capture_loss\":0.02,\"unclassified\":0.0,\"unbound\":0.0,\"opaque\":0.0}");
	fixture_close(&f);
}

static void two_apps_are_two_sessions_with_two_ids(void **)
{
	static const struct use uses[] = {
		{"2026-03-05T20:00:00Z", "film", .bytes = 10000000},
		{"2026-03-05T20:00:00Z", "series", .bytes = 10000000},
		{"2026-03-05T20:01:00Z", "film", .bytes = 10000000},
		{"2026-03-05T20:01:00Z", "series", .bytes = 10000000},
	};
	const struct ctl_trigger *a, *b;
	struct fixture f;

	fixture_open(&f, RULES, NULL);
	fixture_tick(&f, &uses[0], 2);
	fixture_tick(&f, &uses[2], 2);
	assert_int_equal(f.triggers->len, 2);
	a = f.triggers->pdata[0];
	b = f.triggers->pdata[1];
	assert_string_not_equal(a->id, b->id);
	fixture_close(&f);
}

static void the_bitrate_class_follows_the_mean_rate(void **)
{
	static const struct {
		uint64_t kbps;
		const char *expected;
	} rows[] = {{0, "audio"}, {319, "audio"}, {320, "sd"}, {1999, "sd"}, {2000, "hd"},
		{9999, "hd"}, {10000, "uhd"}, {40000, "uhd"}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct ctl_session s = {
			.started_ns = 1,
			.last_ns = 1 + UINT64_C(8000000000),
			.n_bytes = rows[i].kbps * 1000,
		};

		assert_int_equal(ctl_session_bps(&s), rows[i].kbps * 1000);
		assert_string_equal(ctl_session_bitrate_class(&s), rows[i].expected);
	}
}

static void overlapping_records_of_a_tick_are_not_active_twice(void **)
{
	struct dp_record r = {.tick = 5,
		.evidence = DP_EVIDENCE_SNI,
		.usage = {.first_ns = 5000000000, .last_ns = 5999999999, .active_ms = 700}};
	struct ctl_session s = {0};

	ctl_session_add(&s, &r, 1000000000, false);
	ctl_session_add(&s, &r, 1000000000, false);
	r.tick = 6;
	r.usage.first_ns += 1000000000;
	r.usage.last_ns += 1000000000;
	ctl_session_add(&s, &r, 1000000000, false);
	assert_int_equal(ctl_session_active_ms(&s), 1700);
	r.tick = 9; // postponed: stands for three ticks
	r.usage.last_ns += 3000000000;
	r.usage.active_ms = 2500;
	ctl_session_add(&s, &r, 1000000000, false);
	assert_int_equal(ctl_session_active_ms(&s), 4200);
}

/* Music that plays for two nights: 20:00 to 22:00 two days later, in Berlin an hour more. */
static void a_session_counts_every_local_day_it_touches(void **)
{
	struct fixture f;

	fixture_open(&f,
		"  - {id: long, detect: app_session, class: upsell, purpose: marketing, gap: 1h,\n"
		"     emit: [watched], min_rate: 0bit}\n",
		NULL);
	for (unsigned hour = 20; hour <= 20 + 50; hour++) {
		g_autofree char *from = g_strdup_printf(
			"2026-03-%02uT%02u:00:00Z", 5 + hour / 24, hour % 24);

		fixture_play(&f, &(struct use){from, "film", .bytes = 40000000}, 1);
	}
	fixture_advance(&f, "2026-03-09T00:00:00Z");
	assert_data(&f, 0, "duration_s", "180000");
	assert_data(&f, 0, "evidence",
		"{\"bytes\":2040000000,\"sessions\":1,\"distinct_days\":3,"
		"\"known_by\":[\"sni\"]}");
	assert_events(&f, "watched");
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_counts_every_local_day_it_touches),
		cmocka_unit_test(a_film_is_announced_ended_and_watched),
		cmocka_unit_test(a_session_counts_as_watched_from_its_thresholds_on),
		cmocka_unit_test(records_join_over_the_gap_and_no_longer),
		cmocka_unit_test(a_tick_is_worked_in_order_of_time),
		cmocka_unit_test(weak_evidence_starts_nothing_but_belongs_to_what_runs),
		cmocka_unit_test(a_late_verdict_brings_its_bytes_and_its_begin),
		cmocka_unit_test(own_services_are_never_reported),
		cmocka_unit_test(a_lossy_session_is_an_estimate),
		cmocka_unit_test(two_apps_are_two_sessions_with_two_ids),
		cmocka_unit_test(the_bitrate_class_follows_the_mean_rate),
		cmocka_unit_test(overlapping_records_of_a_tick_are_not_active_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
