// SPDX-License-Identifier: BSD-3-Clause
#include "control/cap_history.h"
#include "tests/unit/engine_fixture.h"

#define RULE "  - {id: cap, detect: near_cap, class: upsell, purpose: marketing"

#define MB UINT64_C(1000000)
#define USE(t, mb) \
	{ \
		t, "film", .bytes = (mb)*MB \
	}

/* A subscriber with so much of a past; cycles begin on the 1st in Berlin. */
static char *facts_with(const char *plan, const char *history)
{
	return g_strdup_printf("plans:\n"
			       "  - {id: s, cap: 1GB}\n"
			       "  - {id: m, cap: 5GB}\n"
			       "  - {id: l, cap: 20GB}\n"
			       "  - {id: xl, cap: unlimited}\n"
			       "subscribers:\n"
			       "  - msisdn: \"+99900000001\"\n"
			       "    addresses: [10.20.0.11]\n"
			       "    zone: Europe/Berlin\n"
			       "    plan: {id: s, %s}\n"
			       "    line: {kind: consumer}\n"
			       "    consent: [{purpose: marketing, status: granted, version: 3}]\n"
			       "    cycle_history: [%s]\n",
		plan, history);
}

#define BUCKET "buckets: [{id: data, cap: 1GB, anchor_day: 1, zone: Europe/Berlin}]"
#define PAST(month, mb) "{start: 2026-" month "-01T00:00:00+01:00, bytes: " mb "MB, cap: 1GB}"

static void every_step_is_announced_once_a_cycle(void **)
{
	static const struct use uses[] = {
		USE("2026-03-10T10:00:00Z", 799), // below
		USE("2026-03-10T11:00:00Z", 1), // 80 %: threshold, nudge
		USE("2026-03-10T12:00:00Z", 50),
		USE("2026-03-10T13:00:00Z", 50), // 90 %
		USE("2026-03-11T13:00:00Z", 99),
		USE("2026-03-11T14:00:00Z", 1), // 100 %
		USE("2026-03-12T14:00:00Z", 500),
	};
	static const struct use next[] = {
		USE("2026-03-31T21:59:59.999Z", 1), // still March in Berlin
		USE("2026-03-31T22:00:00Z", 950), // April: two steps at once
	};
	struct fixture f;

	fixture_open(&f, RULE "}\n", NULL);
	fixture_play(&f, &uses[0], 1);
	assert_events(&f, "");
	fixture_play(&f, &uses[1], 1);
	assert_int_equal(f.triggers->len, 2);
	assert_data(&f, 1, "bucket", "\"data\"");
	assert_data(&f, 1, "step_pct", "80");
	assert_data(&f, 1, "class", "\"service\"");
	assert_data(&f, 1, "basis", "null");
	assert_data(&f, 1, "used_bytes", "800000000");
	assert_data(&f, 1, "cap_bytes", "1000000000");
	assert_data(&f, 1, "pct", "80.0");
	assert_data(&f, 1, "cycle_start", "\"2026-02-28T23:00:00.000Z\"");
	assert_data(&f, 1, "cycle_end", "\"2026-03-31T22:00:00.000Z\"");
	assert_envelope(&f, 1, "expirytime", "\"2026-03-31T22:00:00.000Z\"");
	assert_data(&f, 1, "days_left", "21");
	// 800 MB in 9.5 days; the other 200 MB take 2.375 days more
	assert_data(&f, 1, "pace_bytes_per_day", "84210526");
	assert_data(&f, 1, "projected_exhaustion", "\"2026-03-12T20:00:00.000Z\"");
	assert_data(&f, 0, "class", "\"upsell\"");
	assert_data(&f, 0, "would_fit", "[\"m\",\"xl\"]");
	assert_events(&f, "nudge threshold");
	fixture_play(&f, &uses[2], 2);
	assert_data(&f, 0, "step_pct", "90");
	fixture_play(&f, &uses[4], 3);
	assert_data(&f, 1, "step_pct", "100");
	assert_data(&f, 1, "projected_exhaustion", "null");
	assert_events(&f, "threshold threshold");
	fixture_play(&f, next, G_N_ELEMENTS(next));
	assert_events(&f, "nudge threshold threshold");
	assert_suppressed(&f, "{\"cap\":{\"history_short\":2}}");
	fixture_close(&f);
}

/* Ids are hashes: sorted by them, the 100 % came before the 90 % in one month and after it in another. */
static void steps_that_are_passed_at_once_come_in_their_order(void **)
{
	static const struct use use = USE("2026-03-10T10:00:00Z", 1000);
	struct fixture f;

	fixture_open(&f,
		RULE ", emit: [threshold], steps: [10%, 20%, 30%, 40%, 50%, 60%, 70%, 80%]}\n",
		NULL);
	fixture_play(&f, &use, 1);
	assert_int_equal(f.triggers->len, 8);
	for (size_t i = 0; i < 8; i++) {
		g_autofree char *step = g_strdup_printf("%zu", 10 * (i + 1));

		assert_data(&f, i, "step_pct", step);
	}
	fixture_close(&f);
}

static void a_step_is_not_reached_before_the_one_below_it(void **)
{
	static const struct use uses[] = {
		{"2026-03-10T10:00:00Z", "film", .ms = 900, .bytes = 850 * MB},
		{"2026-03-10T10:00:00.100Z", "chat", .ms = 100, .bytes = 50 * MB},
	};
	struct fixture f;

	fixture_open(&f, RULE ", emit: [threshold], steps: [80%, 90%]}\n", NULL);
	fixture_tick(&f, uses, G_N_ELEMENTS(uses));
	assert_data(&f, 0, "step_pct", "80");
	assert_data(&f, 1, "step_pct", "90");
	assert_envelope(&f, 1, "time", "\"2026-03-10T10:00:00.900Z\"");
	fixture_close(&f);
}

static void steps_and_events_are_parameters(void **)
{
	static const struct {
		const char *params, *expected;
	} rows[] = {
		{", steps: [10%, 50%]", "nudge threshold threshold"},
		{", steps: [85.5%]", "nudge"},
		{", emit: [threshold]", "threshold"},
		{", emit: [nudge]", "nudge"},
		{", nudge_at: 90%", "threshold"},
		{", emit: [cap_pattern]", ""},
	};
	static const struct use use = USE("2026-03-10T10:00:00Z", 850);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *rules = g_strconcat(RULE, rows[i].params, "}\n", NULL);
		g_autofree char *events = NULL;
		struct fixture f;

		fixture_open(&f, rules, NULL);
		fixture_play(&f, &use, 1);
		events = fixture_events(&f, true);
		if (strcmp(events, rows[i].expected) != 0)
			fail_msg("'%s': '%s', expected '%s'", rows[i].params, events,
				rows[i].expected);
		fixture_close(&f);
	}
}

/* 830 MB of 1 GB on 10 March, after the past that was told. */
static void a_pattern_is_a_habit_an_exception_or_neither(void **)
{
	static const struct {
		const char *history, *params, *expected, *would_fit;
	} rows[] = {
		// two of the last three, the running one included
		{PAST("01", "500") "," PAST("02", "800"), "", "habitual", "[\"m\",\"l\",\"xl\"]"},
		{PAST("01", "800") "," PAST("02", "500"), "", "habitual", NULL},
		{PAST("01", "2500") "," PAST("02", "300"), "", "habitual", NULL}, // no upper bound
		{PAST("01", "799") "," PAST("02", "799"), "", "emerging", NULL},
		{"{start: 2025-12-01T00:00:00+01:00, bytes: 900MB, cap: 1GB}," PAST(
			 "01", "700") "," PAST("02", "700"),
			"", "emerging", NULL}, // four ago is too long ago
		{"{start: 2025-12-01T00:00:00+01:00, bytes: 900MB, cap: 1GB}," PAST(
			 "01", "700") "," PAST("02", "700"),
			", habitual_of: 4", "habitual", NULL},
		{PAST("01", "800") "," PAST("02", "500"), ", habitual_cycles: 3", "emerging", NULL},
		// 1.5 times the median, which is 553 MB
		{PAST("01", "553") "," PAST("02", "553"), "", "one_off", "[]"},
		{PAST("01", "554") "," PAST("02", "554"), "", "emerging", NULL},
		{PAST("01", "554") "," PAST("02", "554"), ", one_off_factor: 149%", "one_off",
			NULL},
		{PAST("01", "400") "," PAST("02", "706"), "", "one_off", NULL}, // mean of two
		// the middle one of three, 700: its multiple is not reached
		{"{start: 2025-12-01T00:00:00+01:00, bytes: 100MB, cap: 1GB}," PAST(
			 "01", "700") "," PAST("02", "700"),
			"", "emerging", NULL},
		// fewer than two
		{PAST("02", "900"), "", NULL, NULL},
		{"", "", NULL, NULL},
	};
	static const struct use use = USE("2026-03-10T10:00:00Z", 830);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *rules = g_strconcat(
			RULE, rows[i].params, ", emit: [cap_pattern]}\n", NULL);
		g_autofree char *facts = facts_with(BUCKET, rows[i].history);
		g_autofree char *pattern = NULL;
		struct fixture f;

		print_message("row %zu\n", i);
		fixture_open(&f, rules, facts);
		fixture_play(&f, &use, 1);
		if (rows[i].expected == NULL) {
			assert_int_equal(f.triggers->len, 0);
			assert_suppressed(&f, "{\"cap\":{\"history_short\":1}}");
		} else {
			pattern = g_strdup_printf("\"%s\"", rows[i].expected);
			assert_data(&f, 0, "pattern", pattern);
		}
		if (rows[i].would_fit != NULL)
			assert_data(&f, 0, "would_fit", rows[i].would_fit);
		fixture_close(&f);
	}
}

static void a_habit_tells_its_cycles_and_what_is_needed(void **)
{
	static const struct use uses[] = {
		USE("2026-03-10T10:00:00Z", 400), USE("2026-03-12T11:00:00Z", 420)};
	g_autofree char *facts = facts_with(BUCKET,
		"{start: 2026-01-01T00:00:00+01:00, bytes: 700MB, cap: 1GB},"
		"{start: 2026-02-01T00:00:00+01:00, bytes: 900MB, cap: 1GB, day_reached: 20}");
	struct fixture f;

	fixture_open(&f, RULE ", emit: [cap_pattern]}\n", facts);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_int_equal(f.triggers->len, 1);
	assert_data(&f, 0, "pattern", "\"habitual\"");
	assert_data(&f, 0, "cycles",
		"[{\"start\":\"2025-12-31T23:00:00.000Z\",\"used_bytes\":700000000,"
		"\"cap_bytes\":1000000000,\"pct\":70.0,\"day_reached\":null,\"running\":false},"
		"{\"start\":\"2026-01-31T23:00:00.000Z\",\"used_bytes\":900000000,"
		"\"cap_bytes\":1000000000,\"pct\":90.0,\"day_reached\":20,\"running\":false},"
		"{\"start\":\"2026-02-28T23:00:00.000Z\",\"used_bytes\":820000000,"
		"\"cap_bytes\":1000000000,\"pct\":82.0,\"day_reached\":12,\"running\":true}]");
	assert_data(&f, 0, "slope_pct_per_cycle", "6.0");
	assert_data(&f, 0, "cause_hint", "\"one_day\""); // 420 of 820 MB
	// 820 MB in 11.5 days are 2209 MB in the 30.958 days of March (summer time begins)
	assert_data(&f, 0, "needed_bytes", "2207463768");
	assert_data(&f, 0, "would_fit", "[\"m\",\"l\",\"xl\"]");
	assert_envelope(&f, 0, "expirytime", "\"2026-04-13T22:00:00.000Z\"");
	fixture_close(&f);
}

static void the_cause_can_be_one_app(void **)
{
	static const struct use uses[] = {
		{"2026-03-02T10:00:00Z", "film", .bytes = 200 * MB},
		{"2026-03-04T10:00:00Z", "film", .bytes = 200 * MB},
		{"2026-03-06T10:00:00Z", "film", .bytes = 140 * MB},
		{"2026-03-08T10:00:00Z", "chat", .bytes = 160 * MB},
		{"2026-03-10T10:00:00Z", "chat", .bytes = 160 * MB},
	};
	g_autofree char *facts = facts_with(BUCKET, PAST("01", "700") "," PAST("02", "900"));
	struct fixture f;

	fixture_open(&f, RULE ", emit: [cap_pattern]}\n", facts);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_data(&f, 0, "cause_hint", "\"one_app\""); // 540 of 860 MB
	fixture_close(&f);
}

/* Three months on the wire and nothing told: the first is seen from its middle on. */
static void own_cycles_make_a_history(void **)
{
	static const struct use uses[] = {
		USE("2026-01-15T10:00:00Z", 850), // partial, but it came near the cap all the same
		USE("2026-01-20T10:00:00Z", 50), // it had been reached before
		USE("2026-02-10T10:00:00Z", 500),
		USE("2026-03-10T10:00:00Z", 850),
	};
	static const struct use low[] = {
		USE("2026-01-15T10:00:00Z", 300), // partial: says nothing
		USE("2026-02-10T10:00:00Z", 500),
		USE("2026-03-10T10:00:00Z", 850),
	};
	static const struct use silent[] = {
		USE("2025-10-15T10:00:00Z", 1),
		USE("2026-03-10T10:00:00Z", 850), // November to February: four cycles of nothing
	};
	struct fixture f;

	fixture_open(&f, RULE ", emit: [cap_pattern]}\n", NULL);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_data(&f, 0, "pattern", "\"habitual\"");
	assert_data(&f, 0, "cycles",
		"[{\"start\":\"2025-12-31T23:00:00.000Z\",\"used_bytes\":900000000,"
		"\"cap_bytes\":1000000000,\"pct\":90.0,\"day_reached\":15,\"running\":false},"
		"{\"start\":\"2026-01-31T23:00:00.000Z\",\"used_bytes\":500000000,"
		"\"cap_bytes\":1000000000,\"pct\":50.0,\"day_reached\":null,\"running\":false},"
		"{\"start\":\"2026-02-28T23:00:00.000Z\",\"used_bytes\":850000000,"
		"\"cap_bytes\":1000000000,\"pct\":85.0,\"day_reached\":10,\"running\":true}]");
	fixture_close(&f);
	fixture_open(&f, RULE ", emit: [cap_pattern]}\n", NULL);
	fixture_play(&f, low, G_N_ELEMENTS(low));
	assert_events(&f, "");
	assert_suppressed(&f, "{\"cap\":{\"history_short\":1}}");
	fixture_close(&f);
	fixture_open(&f, RULE ", emit: [cap_pattern]}\n", NULL);
	fixture_play(&f, silent, G_N_ELEMENTS(silent));
	assert_data(&f, 0, "pattern", "\"one_off\"");
	fixture_close(&f);
}

static void a_record_over_the_end_of_a_cycle_belongs_to_its_first_packet(void **)
{
	static const struct use uses[] = {
		USE("2026-03-30T10:00:00Z", 700),
		{"2026-03-31T21:59:59.900Z", "film", .ms = 500, .bytes = 90 * MB},
		USE("2026-03-31T22:00:10Z", 10),
	};
	struct fixture f;
	json_t *show;

	fixture_open(&f, RULE "}\n", NULL);
	fixture_play(&f, uses, G_N_ELEMENTS(uses));
	assert_events(&f, "");
	char subject[128];
	assert_int_equal(
		ctl_subject_of(&f.config->privacy, "msisdn:+99900000001", subject, NULL), 0);
	show = ctl_engine_subscriber_json(f.engine, subject);
	json_t *cycles = json_object_get(
		json_array_get(json_object_get(show, "buckets"), 0), "cycles");
	assert_int_equal(json_array_size(cycles), 2);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(cycles, 0), "used_bytes")),
		790 * MB);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(cycles, 1), "used_bytes")),
		10 * MB);
	json_decref(show);
	fixture_close(&f);
}

static void what_counts_is_in_the_plan(void **)
{
	static const struct {
		const char *plan, *app;
		uint64_t mb;
		const char *expected;
	} rows[] = {
		{BUCKET, "unknown", 800, "nudge threshold"},
		{BUCKET, "undecided", 800, "nudge threshold"},
		{BUCKET ", zero_rated: [film]", "film", 2000, ""},
		{BUCKET ", zero_rated: [series]", "film", 800, "nudge threshold"},
		{"buckets: [{id: data, cap: 1GB, anchor_day: 1, scope: {apps: [film]}}]", "film",
			800, "nudge threshold"},
		{"buckets: [{id: data, cap: 1GB, anchor_day: 1, scope: {apps: [film]}}]", "series",
			2000, ""},
		// the plan is not in force yet
		{"since: 2026-03-11T00:00:00Z, " BUCKET, "film", 2000, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct use use = {
			"2026-03-10T10:00:00Z", rows[i].app, .bytes = rows[i].mb * MB};
		g_autofree char *facts = facts_with(rows[i].plan, "");
		g_autofree char *events = NULL;
		struct fixture f;

		print_message("row %zu\n", i);
		fixture_open(&f, RULE ", steps: [80%], emit: [threshold, nudge]}\n", facts);
		fixture_play(&f, &use, 1);
		events = fixture_events(&f, true);
		assert_string_equal(events, rows[i].expected);
		fixture_close(&f);
	}
}

/* A verdict for a zero-rated app takes back what was counted while it was undecided. */
static void a_late_verdict_moves_bytes_between_buckets(void **)
{
	static const struct use uses[] = {
		{"2026-03-10T10:00:00Z", "undecided", .bytes = 700 * MB},
		{"2026-03-10T10:00:00Z", "series", .bytes = 700 * MB, .is_move = true},
		{"2026-03-10T10:00:02Z", "film", .bytes = 700 * MB},
		{"2026-03-10T10:00:03Z", "film", .bytes = 100 * MB},
	};
	g_autofree char *facts = facts_with(BUCKET ", zero_rated: [series]", "");
	struct fixture f;

	fixture_open(&f, RULE ", steps: [80%], emit: [threshold]}\n", facts);
	fixture_play(&f, uses, 3);
	assert_events(&f, "");
	fixture_play(&f, &uses[3], 1);
	assert_events(&f, "threshold");
	fixture_close(&f);
}

static void it_is_too_late_in_the_last_three_days(void **)
{
	static const struct {
		const char *t, *history, *expected, *suppressed;
	} rows[] = {
		{"2026-03-28T22:00:00Z", PAST("01", "300") "," PAST("02", "300"),
			"cap_pattern nudge threshold", "{}"},
		// the notice goes out all the same: it is service
		{"2026-03-28T22:00:01Z", PAST("01", "300") "," PAST("02", "300"), "threshold",
			"{\"cap\":{\"G15\":2}}"},
		{"2026-03-31T21:00:00Z", PAST("01", "900") "," PAST("02", "900"),
			"cap_pattern threshold", "{\"cap\":{\"G15\":1}}"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct use use = {rows[i].t, "film", .bytes = 850 * MB};
		g_autofree char *facts = facts_with(BUCKET, rows[i].history);
		g_autofree char *events = NULL;
		struct fixture f;

		print_message("row %zu\n", i);
		fixture_open(&f, RULE "}\n", facts);
		fixture_play(&f, &use, 1);
		events = fixture_events(&f, true);
		assert_string_equal(events, rows[i].expected);
		assert_suppressed(&f, rows[i].suppressed);
		fixture_close(&f);
	}
}

static void the_first_cycle_of_a_plan_is_no_habit(void **)
{
	g_autofree char *facts = facts_with(
		"since: 2026-03-05T00:00:00Z, " BUCKET, PAST("01", "900") "," PAST("02", "900"));
	static const struct use march = USE("2026-03-10T10:00:00Z", 850);
	static const struct use april = USE("2026-04-10T10:00:00Z", 850);
	struct fixture f;

	fixture_open(&f, RULE "}\n", facts);
	fixture_play(&f, &march, 1);
	assert_events(&f, "threshold");
	assert_suppressed(&f, "{\"cap\":{\"G15\":2}}");
	fixture_play(&f, &april, 1);
	assert_events(&f, "cap_pattern nudge threshold");
	fixture_close(&f);
}

static void an_estimate_is_a_cycle_whose_begin_was_missed_or_a_lossy_one(void **)
{
	static const struct use before = USE("2026-02-27T10:00:00Z", 1);
	static const struct use use = USE("2026-03-10T10:00:00Z", 850);
	struct fixture f;

	fixture_open(&f, RULE ", emit: [threshold]}\n", NULL);
	fixture_play(&f, &use, 1);
	assert_data(&f, 0, "estimate", "true");
	fixture_close(&f);
	fixture_open(&f, RULE ", emit: [threshold]}\n", NULL);
	fixture_play(&f, &before, 1);
	fixture_play(&f, &use, 1);
	assert_data(&f, 0, "estimate", "false");
	fixture_close(&f);
	fixture_open(&f, RULE ", emit: [threshold]}\n", NULL);
	fixture_play(&f, &before, 1);
	f.loss = 0.011;
	fixture_play(&f, &use, 1);
	assert_data(&f, 0, "estimate", "true");
	fixture_close(&f);
}

static void need_is_the_ninetieth_percentile_and_more_where_it_was_throttled(void **)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	const struct ctl_bucket told = {.anchor_day = 1, .tz = utc, .cap_bytes = 1000};
	const struct ctl_cycle running = {at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z")};
	struct ctl_cap_history h = {0};

	for (uint64_t i = 0; i < 11; i++)
		h.cycles[h.n_cycles++] = (struct ctl_cap_cycle){
			.start_ns = 1 + i, .bytes = 100 * i, .cap_bytes = 2000};
	h.cycles[h.n_cycles++] = (struct ctl_cap_cycle){
		.bytes = 0, .cap_bytes = 1000, .is_running = true};
	// of 0, 0, 100 ... 1000 the 11th of 12
	assert_int_equal(ctl_cap_needed(&h, &told, &running, at("2026-03-10T00:00:00Z")), 900);

	h = (struct ctl_cap_history){.n_cycles = 2};
	h.cycles[0] = (struct ctl_cap_cycle){.start_ns = at("2026-01-01T00:00:00Z"),
		.bytes = 1020,
		.cap_bytes = 1000,
		.day_reached = 8};
	h.cycles[1] = (struct ctl_cap_cycle){.bytes = 800, .cap_bytes = 1000, .is_running = true};
	// 800 bytes by day 8 of 31 are 3100 in January
	assert_int_equal(ctl_cap_needed(&h, &told, &running, running.end_ns - 1), 3100);
	h.cycles[0].bytes = 1051; // went on beyond its cap: nothing held it back
	assert_int_equal(ctl_cap_needed(&h, &told, &running, running.end_ns - 1), 1051);
	h.cycles[0].bytes = 999;
	assert_int_equal(ctl_cap_needed(&h, &told, &running, running.end_ns - 1), 999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_is_announced_once_a_cycle),
		cmocka_unit_test(steps_that_are_passed_at_once_come_in_their_order),
		cmocka_unit_test(a_step_is_not_reached_before_the_one_below_it),
		cmocka_unit_test(steps_and_events_are_parameters),
		cmocka_unit_test(a_pattern_is_a_habit_an_exception_or_neither),
		cmocka_unit_test(a_habit_tells_its_cycles_and_what_is_needed),
		cmocka_unit_test(the_cause_can_be_one_app),
		cmocka_unit_test(own_cycles_make_a_history),
		cmocka_unit_test(a_record_over_the_end_of_a_cycle_belongs_to_its_first_packet),
		cmocka_unit_test(what_counts_is_in_the_plan),
		cmocka_unit_test(a_late_verdict_moves_bytes_between_buckets),
		cmocka_unit_test(it_is_too_late_in_the_last_three_days),
		cmocka_unit_test(the_first_cycle_of_a_plan_is_no_habit),
		cmocka_unit_test(an_estimate_is_a_cycle_whose_begin_was_missed_or_a_lossy_one),
		cmocka_unit_test(need_is_the_ninetieth_percentile_and_more_where_it_was_throttled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
