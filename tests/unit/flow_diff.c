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
	json_t *totals;

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
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(totals, "subscribers"), "changed")),
		3);
	json_decref(totals);
	sentence = ctl_flow_diff_sentence(f.diff);
	assert_string_equal(
		sentence, "4 of 5 flows, 4000 of 5000 bytes, 3 of 4 subscribers change");
	fixture_free(&f);
}

static void where_nothing_changes_it_is_said(void **)
{
	struct fixture f = fixture_new();
	g_autofree char *none = ctl_flow_diff_sentence(f.diff), *same = NULL;

	assert_string_equal(none, "nothing changes: 0 flows, 0 bytes, 0 subscribers");
	assert_int_equal(add(&f, 1, "", "a/web/sni", "a/web/sni"), 0);
	same = ctl_flow_diff_sentence(f.diff);
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
	sentence = ctl_flow_diff_sentence(f.diff);
	assert_true(g_str_has_prefix(sentence, "5000 of 5000 flows, "));
	assert_non_null(strstr(sentence, " bytes, about "));
	ctl_flow_diff_records(f.diff, f.records);
	assert_in_range(number(&f, 0, "subscribers"), 4500, 5500);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
