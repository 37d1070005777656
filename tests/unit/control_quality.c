// SPDX-License-Identifier: BSD-3-Clause
#include "control/qualities.h"
#include "control/quality.h"
#include "tests/unit/engine_fixture.h"

#include <stdlib.h>

#define PLAIN_HEAD \
	"node: edge1\napps: apps.yaml\nbinding: {sources: [static: facts.yaml]}\n" \
	"told: {files: [facts.yaml]}\nzone: Europe/Berlin\nprivacy: {subject: plain}\n"

static const uint64_t S = 1000000000;

static struct dp_record record(uint8_t endpoint, uint64_t first_ns, uint64_t last_ns)
{
	const uint8_t be[4] = {10, 20, 0, endpoint};

	return (struct dp_record){.kind = DP_RECORD_QUALITY,
		.endpoint = dp_addr_from_v4(be),
		.quality = {.first_ns = first_ns, .last_ns = last_ns}};
}

/* Each counter another number. */
static struct dp_record full_record(uint8_t endpoint, uint64_t t_ns)
{
	struct dp_record r = record(endpoint, t_ns, t_ns);
	const struct dp_quality q = {.first_ns = t_ns,
		.last_ns = t_ns,
		.segments = {101, 102},
		.retransmitted = {3, 4},
		.out_of_order = {5, 6},
		.zero_windows = {7, 8},
		.resets = {9, 10},
		.handshakes_failed = 11,
		.n_handshake_rtt = {12, 13},
		.handshake_rtt_us = {12 * 140 + 11, 13 * 150},
		.n_data_rtt = {16, 17},
		.data_rtt_us = {16 * 180, 17 * 190}};

	r.quality = q;
	return r;
}

#define FULL \
	"\"segments\":[101,102],\"retransmitted\":[3,4],\"out_of_order\":[5,6]," \
	"\"zero_windows\":[7,8],\"resets\":[9,10],\"handshakes_failed\":11," \
	"\"handshake_rtt\":{\"endpoint\":{\"n\":12,\"mean_us\":140}," \
	"\"network\":{\"n\":13,\"mean_us\":150}}," \
	"\"data_rtt\":{\"endpoint\":{\"n\":16,\"mean_us\":180}," \
	"\"network\":{\"n\":17,\"mean_us\":190}}"

/* segments up of each row: "NAME 10 NAME 20". */
static char *segments_of(const struct ctl_qualities *q)
{
	GString *text = g_string_new("");
	json_t *rows = ctl_qualities_json(q), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		g_string_append_printf(text, "%s%s %lld", i > 0 ? " " : "",
			json_string_value(json_object_get(row, "subscriber")),
			(long long)json_integer_value(
				json_array_get(json_object_get(row, "segments"), 0)));
	}
	json_decref(rows);
	return g_string_free(text, FALSE);
}

static void assert_json(json_t *given, const char *expected)
{
	char *text = json_dumps(given, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	json_decref(given);
}

static void a_row_has_each_sum_in_its_place(void **)
{
	const struct dp_record r = full_record(99, at("2026-03-05T20:00:00Z"));
	struct fixture f;
	struct ctl_qualities *q;

	fixture_head = PLAIN_HEAD;
	fixture_open(&f, NULL, NULL);
	fixture_head = NULL;
	q = ctl_qualities_new(f.config, ctl_engine_whose(f.engine));
	assert_json(ctl_qualities_json(q), "[]");
	ctl_qualities_add(q, &r, 1);
	assert_json(ctl_qualities_json(q), "[{\"subscriber\":\"endpoint:10.20.0.99\"," FULL "}]");
	ctl_qualities_free(q);
	fixture_close(&f);
}

static void quality_is_credited_to_who_held_the_address(void **)
{
	static const char facts[] =
		"subscribers:\n"
		"  - {msisdn: \"+99900000001\", addresses: [{address: 10.20.0.11,\n"
		"       until: 2026-03-05T20:00:10Z}, 10.20.0.12]}\n"
		"  - {msisdn: \"+99900000002\", addresses: [{address: 10.20.0.11,\n"
		"       since: 2026-03-05T20:00:20Z}]}\n";
	const uint64_t t = at("2026-03-05T20:00:00Z");
	struct dp_record r[] = {
		record(11, t, t + 9 * S),
		record(11, t + 9 * S, t + 11 * S), // over the end of the binding: nobody's
		record(11, t + 15 * S, t + 15 * S), // between the two
		record(11, t + 20 * S, t + 25 * S),
		record(11, t, t + 25 * S), // over a change of hands
		record(12, t, t + 25 * S), record(13, t, t), // with nothing counted: no row
		record(11, t, t), // not of quality
	};
	struct fixture f;
	struct ctl_qualities *q;
	g_autofree char *text = NULL;

	for (unsigned int i = 0, n = 1; i < 6; i++, n *= 10)
		r[i].quality.segments[0] = n;
	r[7] = (struct dp_record){.kind = DP_RECORD_USAGE,
		.endpoint = r[0].endpoint,
		.usage = {.bytes = {1 << 30, 1 << 30}, .packets = {1 << 20, 1}}};
	fixture_head = PLAIN_HEAD;
	fixture_open(&f, NULL, facts);
	fixture_head = NULL;
	q = ctl_qualities_new(f.config, ctl_engine_whose(f.engine));
	ctl_qualities_add(q, r, G_N_ELEMENTS(r));
	text = segments_of(q);
	assert_string_equal(text,
		"endpoint:10.20.0.11 10110 msisdn:+99900000001 100001 msisdn:+99900000002 1000");
	ctl_qualities_free(q);
	fixture_close(&f);
}

static void endpoints_beyond_the_bound_are_summed_up(void **)
{
	struct fixture f;
	struct ctl_qualities *q;
	g_autofree char *text = NULL;

	fixture_head = PLAIN_HEAD;
	fixture_open(&f, NULL, NULL);
	fixture_head = NULL;
	f.config->n_endpoints = 2;
	q = ctl_qualities_new(f.config, ctl_engine_whose(f.engine));
	for (uint8_t i = 0; i < 10; i++) {
		struct dp_record r = record(20 + i / 2, S, S);

		r.quality.segments[0] = 1;
		ctl_qualities_add(q, &r, 1);
	}
	text = segments_of(q);
	assert_string_equal(text, "endpoint:10.20.0.20 2 endpoint:10.20.0.21 2 endpoint:other 6");
	ctl_qualities_free(q);
	fixture_close(&f);
}

/* The engine must not take a record of quality for one of usage. */
static void the_engine_counts_no_bytes_of_it(void **)
{
	const uint64_t t = at("2026-03-05T20:00:00Z");
	const struct dp_record r[] = {full_record(11, t), full_record(99, t)};
	struct fixture f;

	fixture_open(&f, NULL, NULL);
	ctl_engine_tick(f.engine, t + S, r, G_N_ELEMENTS(r), 0);
	assert_json(ctl_engine_usage_json(f.engine), "[]");
	assert_int_equal(ctl_engine_n_ids(f.engine), 0);
	fixture_close(&f);
}

#define ROW(span) \
	"{\"span\":\"" span "\",\"side\":\"endpoints\",\"segments\":101,\"retransmitted\":3," \
	"\"out_of_order\":5,\"zero_windows\":7,\"resets\":9,\"handshakes_failed\":11," \
	"\"handshakes\":12,\"handshake_rtt_us\":140,\"round_trips\":16,\"data_rtt_us\":180}," \
	"{\"span\":\"" span "\",\"side\":\"network\",\"segments\":102,\"retransmitted\":4," \
	"\"out_of_order\":6,\"zero_windows\":8,\"resets\":10,\"handshakes_failed\":null," \
	"\"handshakes\":13,\"handshake_rtt_us\":150,\"round_trips\":17,\"data_rtt_us\":190}"

static void the_node_has_two_rows_a_span(void **)
{
	struct ctl_quality_node node = {0};
	const struct dp_record r[] = {{.kind = DP_RECORD_USAGE, .usage = {.bytes = {1, 2}}},
		full_record(99, S), {.kind = DP_RECORD_MOVE, .usage = {.bytes = {1, 2}}}};

	ctl_quality_node_tick(&node, 1000 * S, r, G_N_ELEMENTS(r));
	assert_json(ctl_quality_node_json(&node), "[" ROW("start") "," ROW("minute") "]");
}

/* A mean of nothing is none: 0 is a round trip within one burst. */
static void what_was_not_measured_has_no_mean(void **)
{
	struct ctl_quality_node node = {0};
	struct dp_record r = record(99, S, S);
	json_t *rows, *row;

	r.quality.n_handshake_rtt[0] = 1;
	ctl_quality_node_tick(&node, 1000 * S, &r, 1);
	rows = ctl_quality_node_json(&node);
	row = json_array_get(rows, 0);
	assert_true(json_is_integer(json_object_get(row, "handshake_rtt_us")));
	assert_true(json_is_null(json_object_get(row, "data_rtt_us")));
	assert_true(json_is_null(json_object_get(json_array_get(rows, 1), "handshake_rtt_us")));
	json_decref(rows);
}

/* Resets up of the last minute and since the start. */
static void assert_resets(const struct ctl_quality_node *node, int minute, int all)
{
	json_t *rows = ctl_quality_node_json(node);

	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(rows, 0), "resets")), all);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(rows, 2), "resets")), minute);
	json_decref(rows);
}

static void the_last_minute_forgets_what_is_older(void **)
{
	struct ctl_quality_node node = {0};
	struct dp_record r = record(99, S, S);

	r.quality.resets[0] = 1;
	assert_resets(&node, 0, 0);
	for (uint64_t tick = 1000; tick < 1100; tick++) { // two a second
		ctl_quality_node_tick(&node, tick * S / 2, &r, 1);
		assert_resets(&node, (int)(tick - 999), (int)(tick - 999));
	}
	// The first and the last second have one, those between two.
	for (uint64_t s = 550; s < 700; s++) {
		const int left = s < 559 ? 100 : s > 608 ? 0 : (int)(2 * (608 - s)) + 1;

		ctl_quality_node_tick(&node, (s + 1) * S, NULL, 0);
		assert_resets(&node, left, 100);
	}
	ctl_quality_node_tick(&node, 5000 * S, &r, 1); // after a long silence
	assert_resets(&node, 1, 101);
}

static void a_tick_longer_than_a_minute_is_the_last_minute(void **)
{
	struct ctl_quality_node node = {0};
	struct dp_record r = record(99, S, S);

	r.quality.resets[0] = 1;
	for (uint64_t tick = 1; tick < 5; tick++)
		ctl_quality_node_tick(&node, tick * 90 * S, &r, 1);
	assert_resets(&node, 1, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_has_each_sum_in_its_place),
		cmocka_unit_test(quality_is_credited_to_who_held_the_address),
		cmocka_unit_test(endpoints_beyond_the_bound_are_summed_up),
		cmocka_unit_test(the_engine_counts_no_bytes_of_it),
		cmocka_unit_test(the_node_has_two_rows_a_span),
		cmocka_unit_test(what_was_not_measured_has_no_mean),
		cmocka_unit_test(the_last_minute_forgets_what_is_older),
		cmocka_unit_test(a_tick_longer_than_a_minute_is_the_last_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
