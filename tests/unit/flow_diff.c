// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_diff.h"

#include "control/distinct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct ctl_domains *domains;
	struct ctl_flow_diff *diff;
	GPtrArray *records;
};

static void release(void *record)
{
	json_decref(record);
}

static struct fixture fixture_new(void)
{
	struct fixture f = {.records = g_ptr_array_new_with_free_func(release)};

	assert_int_equal(ctl_domains_open(&f.domains, NULL), 0);
	f.diff = ctl_flow_diff_new(f.domains);
	return f;
}

static void fixture_free(struct fixture *f)
{
	ctl_flow_diff_free(f->diff);
	ctl_domains_close(f->domains);
	g_ptr_array_free(f->records, TRUE);
}

/* A flow of the endpoint 10.0.i.j, which asked for host; app "netflix/streaming/sni" or "unknown//none". */
static json_t *flow_of(unsigned int i, const char *host, const char *app)
{
	g_auto(GStrv) words = g_strsplit(app, "/", 4);
	g_autofree char *endpoint = g_strdup_printf("10.0.%u.%u", i / 256, i % 256);
	json_t *flow = json_pack(
		"{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:[i, i], s:[i, i], "
		"s:i, s:i}",
		"src", endpoint, "sport", 50000, "dst", "203.0.113.9", "dport", 443, "l4", "tcp",
		"endpoint", endpoint, "app", words[0], "category", words[1], "evidence", words[2],
		"host", host, "packets", 3, 4, "bytes", 100, 900, "first_ns", 1000, "last_ns",
		2000);

	assert_non_null(flow);
	if (words[3] != NULL)
		(void)json_object_set_new(flow, "tag", json_string(words[3]));
	return flow;
}

/* What ctl_flow_diff_add() says of a flow that is before in one run and after in the other. */
static int add(
	struct fixture *f, unsigned int i, const char *host, const char *before, const char *after)
{
	json_t *a = flow_of(i, host, before), *b = flow_of(i, host, after);
	struct dp_err err = {0};
	const int r = ctl_flow_diff_add(f->diff, a, b, &err);

	json_decref(a);
	json_decref(b);
	return r;
}

static char *sentence_of(const struct fixture *f)
{
	const struct ctl_flow_diff_totals totals = ctl_flow_diff_totals(f->diff);

	return ctl_flow_diff_sentence(&totals);
}

static const char *text(const struct fixture *f, guint i, const char *key)
{
	return json_string_value(json_object_get(g_ptr_array_index(f->records, i), key));
}

static json_int_t number(const struct fixture *f, guint i, const char *key)
{
	return json_integer_value(json_object_get(g_ptr_array_index(f->records, i), key));
}

static const char *example(const struct fixture *f, guint record, size_t i)
{
	return json_string_value(json_array_get(
		json_object_get(g_ptr_array_index(f->records, record), "examples"), i));
}

static void only_what_rules_look_at_is_a_change(void **)
{
	static const struct {
		const char *before, *after;
		int is_change;
	} rows[] = {
		{"a/web/sni", "a/web/sni", 0},
		{"a/web/sni", "a/web/quic", 0}, // as strong
		{"a/web/address", "a/web/port", 0}, // as weak
		{"unknown//none", "unknown//none", 0},
		{"a/web/sni/plans", "a/web/sni/plans", 0},
		{"a/web/sni", "b/web/sni", 1},
		{"a/web/sni", "a/social/sni", 1},
		{"a/web/sni", "a/web/port", 1},
		{"a/web/sni", "a/web/sni/plans", 1},
		{"a/web/sni/plans", "a/web/sni/brand", 1},
		{"unknown//none", "a/web/sni", 1},
		{"a/web/sni", "unknown//none", 1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct fixture f = fixture_new();

		assert_int_equal(add(&f, 7, "www.films.example", rows[i].before, rows[i].after),
			rows[i].is_change);
		assert_int_equal(ctl_flow_diff_count(f.diff), 1);
		ctl_flow_diff_records(f.diff, f.records);
		assert_int_equal(f.records->len, rows[i].is_change);
		fixture_free(&f);
	}
}

static void changes_are_summed_up_most_bytes_first(void **)
{
	struct fixture f = fixture_new();
	g_autofree char *sentence = NULL;
	struct ctl_flow_diff_totals totals;
	json_t *json;

	assert_int_equal(add(&f, 1, "a.films.example", "unknown//none", "b/web/sni"), 1);
	assert_int_equal(add(&f, 2, "b.films.example", "unknown//none", "a/web/sni"), 1);
	assert_int_equal(add(&f, 2, "c.films.example", "unknown//none", "a/web/sni"), 1);
	assert_int_equal(add(&f, 3, "a.films.example", "a/web/sni", "unknown//none"), 1);
	assert_int_equal(add(&f, 4, "a.films.example", "a/web/sni", "a/web/sni"), 0);
	ctl_flow_diff_records(f.diff, f.records);
	assert_int_equal(f.records->len, 3);
	assert_string_equal(text(&f, 0, "was"), "unknown");
	assert_null(text(&f, 0, "was_category"));
	assert_null(text(&f, 0, "was_strength"));
	assert_string_equal(text(&f, 0, "becomes"), "a");
	assert_string_equal(text(&f, 0, "category"), "web");
	assert_string_equal(text(&f, 0, "strength"), "strong");
	assert_int_equal(number(&f, 0, "flows"), 2);
	assert_int_equal(number(&f, 0, "bytes"), 2000);
	assert_int_equal(number(&f, 0, "subscribers"), 1);
	assert_string_equal(text(&f, 1, "was"), "a"); // as many bytes: by name
	assert_string_equal(text(&f, 2, "was"), "unknown");
	totals = ctl_flow_diff_totals(f.diff);
	json = ctl_flow_diff_totals_json(&totals);
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(json, "subscribers"), "changed")),
		3);
	json_decref(json);
	sentence = sentence_of(&f);
	assert_string_equal(
		sentence, "4 of 5 flows, 4000 of 5000 bytes, 3 of 4 subscribers change");
	fixture_free(&f);
}

static void where_nothing_changes_it_is_said(void **)
{
	struct fixture f = fixture_new();
	g_autofree char *none = sentence_of(&f), *same = NULL;

	assert_string_equal(none, "nothing changes: 0 flows, 0 bytes, 0 subscribers");
	assert_int_equal(add(&f, 1, "", "a/web/sni", "a/web/sni"), 0);
	same = sentence_of(&f);
	assert_string_equal(same, "nothing changes: 1 flows, 1000 bytes, 1 subscribers");
	fixture_free(&f);
}

static void examples_are_few_and_say_nobody(void **)
{
	struct fixture f = fixture_new();

	static const char *const hosts[] = {"10-0-0-1.films.example", "anna.films.example", "",
		"10.0.0.1", "anna", "films.example", "anna.co.uk"};

	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++)
		assert_int_equal(add(&f, 1, hosts[i], "a/web/sni", "b/web/sni"), 1);
	ctl_flow_diff_records(f.diff, f.records);
	assert_string_equal(example(&f, 0, 0), "*.films.example");
	assert_string_equal(example(&f, 0, 1), "tcp:443");
	assert_string_equal(example(&f, 0, 2), "films.example");
	assert_null(example(&f, 0, 3));
	fixture_free(&f);
}

static void many_subscribers_are_an_estimate_and_said_to_be_one(void **)
{
	struct fixture f = fixture_new();
	g_autofree char *sentence = NULL;

	for (unsigned int i = 0; i < 5000; i++)
		assert_int_equal(add(&f, i, "", "a/web/sni", "b/web/sni"), 1);
	sentence = sentence_of(&f);
	assert_true(g_str_has_prefix(sentence, "5000 of 5000 flows, "));
	assert_non_null(strstr(sentence, " bytes, about "));
	ctl_flow_diff_records(f.diff, f.records);
	assert_in_range(number(&f, 0, "subscribers"), 4500, 5500);
	fixture_free(&f);
}

/* --- notes and catalogues ----------------------------------------------------------------------- */

static struct cls_catalogue *catalogue_of(const struct cls_app_def *apps, size_t n_apps)
{
	static const char *const tags[] = {"", "plans"};
	struct cls_catalogue *catalogue;

	assert_int_equal(cls_catalogue_new(apps, n_apps, tags, 2, &catalogue, NULL), 0);
	return catalogue;
}

/* Of 10.0.0.i, which asked 203.0.113.9, port 443. */
static struct dp_record note_of(unsigned int i, const char *host)
{
	struct dp_record note = {.kind = DP_RECORD_NOTE};
	g_autofree char *endpoint = g_strdup_printf("10.0.0.%u", i);

	assert_int_equal(dp_addr_parse(endpoint, &note.endpoint), 0);
	note.note.src = note.endpoint;
	assert_int_equal(dp_addr_parse("203.0.113.9", &note.note.dst), 0);
	note.note.sport = 50000;
	note.note.dport = 443;
	note.note.l4_proto = 6;
	note.note.bytes[0] = 100;
	note.note.bytes[1] = 900;
	(void)g_strlcpy(note.note.host, host, sizeof(note.note.host));
	return note;
}

/* The daemon has decisions where captures have lines: the same must come of it. */
static void notes_are_held_against_each_other_as_lines_are(void **)
{
	static const struct {
		struct cls_decision before, after;
		const char *host;
		bool is_change;
	} rows[] = {
		{{DP_APP_UNKNOWN, 0, DP_EVIDENCE_NONE}, {DP_APP_FIRST, 0, DP_EVIDENCE_SNI},
			"a.films.example", true},
		{{DP_APP_UNKNOWN, 0, DP_EVIDENCE_NONE}, {DP_APP_UNKNOWN, 0, DP_EVIDENCE_NONE},
			"b.films.example", false},
		{{DP_APP_FIRST + 1, 0, DP_EVIDENCE_SNI}, {DP_APP_FIRST + 1, 0, DP_EVIDENCE_QUIC},
			"", true}, // its category
		{{DP_APP_FIRST, 0, DP_EVIDENCE_ADDRESS}, {DP_APP_FIRST, 0, DP_EVIDENCE_PORT}, "",
			false},
		{{DP_APP_FIRST, 0, DP_EVIDENCE_ADDRESS}, {DP_APP_FIRST, 0, DP_EVIDENCE_CERT}, "",
			true},
		{{DP_APP_FIRST, 0, DP_EVIDENCE_SNI}, {DP_APP_FIRST, 1, DP_EVIDENCE_SNI}, "", true},
	};
	struct cls_catalogue *was, *becomes;
	struct fixture f = fixture_new();
	struct cls_app_def apps[2];

	for (size_t i = 0; i < 2; i++)
		apps[i] = (struct cls_app_def){.id = (uint32_t)(DP_APP_FIRST + i),
			.name = i == 0 ? "a" : "b",
			.category = "web"};
	was = catalogue_of(apps, 2);
	apps[1].category = "film";
	becomes = catalogue_of(apps, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct dp_record note = note_of(7, rows[i].host);

		assert_int_equal(ctl_flow_diff_note(f.diff, &note, was, &rows[i].before, becomes,
					 &rows[i].after),
			rows[i].is_change);
	}
	ctl_flow_diff_records(f.diff, f.records);
	assert_int_equal(f.records->len, 4);
	assert_string_equal(text(&f, 0, "was"), "a");
	assert_string_equal(text(&f, 0, "was_strength"), "strong");
	assert_string_equal(text(&f, 0, "tag"), "plans");
	assert_string_equal(text(&f, 1, "was_strength"), "weak");
	assert_string_equal(text(&f, 1, "strength"), "strong");
	assert_string_equal(text(&f, 2, "was_category"), "web");
	assert_string_equal(text(&f, 2, "category"), "film");
	assert_string_equal(example(&f, 2, 0), "tcp:443");
	assert_string_equal(text(&f, 3, "was"), "unknown");
	assert_null(text(&f, 3, "was_category"));
	assert_string_equal(example(&f, 3, 0), "*.films.example");
	cls_catalogue_free(was);
	cls_catalogue_free(becomes);
	fixture_free(&f);
}

/* Whoever names apps by number makes many changes: they cost a bounded memory, and none is lost. */
static void changes_beyond_the_bound_are_one(void **)
{
	enum { MORE = 40 };
	struct fixture f = fixture_new();
	struct ctl_flow_diff_totals totals;

	for (unsigned int i = 0; i < CTL_FLOW_DIFF_CHANGES_MAX + MORE; i++) {
		g_autofree char *after = g_strdup_printf("app-%u/web/sni", i);

		assert_int_equal(add(&f, 7, "", "a/web/sni", after), 1);
	}
	totals = ctl_flow_diff_totals(f.diff);
	assert_int_equal(totals.changed.flows, CTL_FLOW_DIFF_CHANGES_MAX + MORE);
	ctl_flow_diff_records(f.diff, f.records);
	assert_int_equal(f.records->len, CTL_FLOW_DIFF_CHANGES_MAX + 1);
	assert_null(text(&f, CTL_FLOW_DIFF_CHANGES_MAX, "was"));
	assert_null(text(&f, CTL_FLOW_DIFF_CHANGES_MAX, "becomes"));
	assert_int_equal(number(&f, CTL_FLOW_DIFF_CHANGES_MAX, "flows"), MORE);
	fixture_free(&f);
}

/* Both runs see the same packets: whatever is different about them is a fault, and says no address. */
static void flows_that_are_not_the_same_are_a_fault(void **)
{
	static const char *const keys[] = {"src", "sport", "dst", "dport", "l4", "endpoint",
		"packets", "bytes", "first_ns", "last_ns"};

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		for (int is_gone = 0; is_gone < 2; is_gone++) {
			struct fixture f = fixture_new();
			json_t *a = flow_of(7, "", "a/web/sni"), *b = json_deep_copy(a);
			struct dp_err err = {0};

			if (is_gone)
				(void)json_object_del(b, keys[i]);
			else
				(void)json_object_set_new(b, keys[i], json_integer(8));
			assert_int_equal(ctl_flow_diff_add(f.diff, a, b, &err), -EPROTO);
			assert_int_equal(ctl_flow_diff_add(f.diff, b, a, NULL), -EPROTO);
			assert_non_null(strstr(err.text, "flow 1 is not the same in both runs"));
			assert_null(strstr(err.text, "10.0.0"));
			assert_int_equal(ctl_flow_diff_count(f.diff), 0);
			json_decref(a);
			json_decref(b);
			fixture_free(&f);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_rules_look_at_is_a_change),
		cmocka_unit_test(changes_are_summed_up_most_bytes_first),
		cmocka_unit_test(where_nothing_changes_it_is_said),
		cmocka_unit_test(examples_are_few_and_say_nobody),
		cmocka_unit_test(many_subscribers_are_an_estimate_and_said_to_be_one),
		cmocka_unit_test(flows_that_are_not_the_same_are_a_fault),
		cmocka_unit_test(notes_are_held_against_each_other_as_lines_are),
		cmocka_unit_test(changes_beyond_the_bound_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
