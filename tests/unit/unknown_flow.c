// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_flow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ctl_domains *domains;
static struct dp_endpoint_nets nets;

static int setup(void **)
{
	dp_endpoint_nets_default(&nets);
	return ctl_domains_open(&domains, NULL);
}

static int teardown(void **)
{
	ctl_domains_close(domains);
	return 0;
}

/* A line of `replay --flows`, without what is not read. */
static json_t *flow(const char *src, int sport, const char *dst, int dport, const char *app,
	const char *evidence)
{
	return json_pack("{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:[i,i]}", "src", src,
		"sport", sport, "dst", dst, "dport", dport, "l4", "tcp", "app", app, "proto", "TLS",
		"host", "", "evidence", evidence, "bytes", 10, 20);
}

/* The only row of one flow; "" when it has none. Owned by the caller. */
static char *row_of(json_t *f, struct ctl_flow_sum *sum)
{
	struct ctl_unknown *u = ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);
	struct ctl_unknown_sum others, all;
	const struct ctl_unknown_row *row;
	GPtrArray *rows;
	char *text;

	assert_int_equal(ctl_unknown_add_flow(u, &nets, f, sum, NULL), 0);
	rows = ctl_unknown_report(u, 1, &others, &all);
	row = rows->len > 0 ? rows->pdata[0] : NULL;
	text = row == NULL
		? g_strdup("")
		: g_strdup_printf("%s %s:%u %s", row->what, row->l4 != NULL ? row->l4 : "tcp",
			  row->port, row->app != NULL ? row->app : "-");
	g_ptr_array_unref(rows);
	ctl_unknown_free(u);
	json_decref(f);
	return text;
}

/* Whoever began. Of a flow with both or no side in the networks nobody knows who is no subscriber. */
static void only_the_address_outside_of_the_networks_is_shown(void **)
{
	static const struct {
		const char *src, *dst, *want;
	} rows[] = {
		{"10.0.0.7", "203.0.113.9", "203.0.113.9 tcp:443 -"},
		{"203.0.113.9", "10.0.0.7", "203.0.113.9 tcp:5000 -"},
		{"fd00::7", "2001:db8::9", "2001:db8::9 tcp:443 -"},
		{"10.0.0.7", "10.0.0.8", "TLS tcp:0 -"},
		{"203.0.113.9", "198.51.100.7", "TLS tcp:0 -"},
		{"2001:db8::9", "2001:db8:1::9", "TLS tcp:0 -"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_flow_sum sum = {0};
		g_autofree char *got = row_of(
			flow(rows[i].src, 5000, rows[i].dst, 443, "unknown", "none"), &sum);

		assert_string_equal(got, rows[i].want);
		ctl_flow_sum_clear(&sum);
	}
}

static void a_flow_with_an_app_is_only_counted_unless_its_evidence_is_weak(void **)
{
	static const struct {
		const char *app, *evidence, *want;
	} rows[] = {
		{"unknown", "none", "203.0.113.9 tcp:443 -"},
		{"undecided", "none", "203.0.113.9 tcp:443 -"},
		{"netflix", "sni", ""},
		{"netflix", "dns", ""},
		{"netflix", "payload", ""},
		{"netflix", "address", "203.0.113.9 tcp:443 netflix"},
		{"netflix", "port", "203.0.113.9 tcp:443 netflix"},
	};
	struct ctl_flow_sum sum = {0};
	struct ctl_unknown_sum all;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *got = row_of(
			flow("10.0.0.7", 5000, "203.0.113.9", 443, rows[i].app, rows[i].evidence),
			&sum);

		assert_string_equal(got, rows[i].want);
	}
	all = ctl_flow_sum_of(&sum);
	assert_int_equal(all.bytes, 7 * 30);
	assert_int_equal(all.flows, 7);
	assert_int_equal(all.subscribers, 1);
	ctl_flow_sum_clear(&sum);
}

/* A look-up's or a certificate's; the name that is shown goes before it. */
static void a_name_that_the_server_was_looked_up_as_is_a_name(void **)
{
	static const char *const hosts[][2] = {
		{"", "example.org tcp:0 -"}, {"www.example.net", "example.net tcp:0 -"}};

	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		json_t *f = flow("10.0.0.7", 5000, "203.0.113.9", 443, "unknown", "none");
		struct ctl_flow_sum sum = {0};
		g_autofree char *got = NULL;

		(void)json_object_set_new(f, "host", json_string(hosts[i][0]));
		(void)json_object_set_new(f, "alias", json_string("www.example.org"));
		got = row_of(f, &sum);
		assert_string_equal(got, hosts[i][1]);
		ctl_flow_sum_clear(&sum);
	}
}

static void what_is_no_line_of_flows_is_refused_and_not_counted(void **)
{
	static const char *const keys[] = {
		"src", "sport", "dst", "dport", "l4", "app", "proto", "host", "evidence", "bytes"};
	struct ctl_unknown *u = ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);
	struct ctl_flow_sum sum = {0};

	for (size_t i = 0; i < 3 * G_N_ELEMENTS(keys); i++) {
		json_t *f = flow("10.0.0.7", 5000, "203.0.113.9", 443, "unknown", "none");
		const char *key = keys[i / 3];
		const bool is_text = json_is_string(json_object_get(f, key));
		struct dp_err err = {""};

		if (i % 3 == 0)
			(void)json_object_del(f, key);
		else if (i % 3 == 1)
			(void)json_object_set_new(f, key, json_true());
		else // out of range, where it has one
			(void)json_object_set_new(f, key, is_text ? json_null() : json_integer(-1));
		assert_int_equal(ctl_unknown_add_flow(u, &nets, f, &sum, &err), -EPROTO);
		assert_non_null(strstr(err.text, "a flow of the replay: "));
		json_decref(f);
	}
	assert_int_equal(sum.flows, 0);
	ctl_unknown_free(u);
}

static void an_address_that_is_none_is_not_repeated(void **)
{
	struct ctl_unknown *u = ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);
	json_t *f = flow("10.0.0.7.8", 5000, "203.0.113.9", 443, "unknown", "none");
	struct ctl_flow_sum sum = {0};
	struct dp_err err = {""};

	assert_int_equal(ctl_unknown_add_flow(u, &nets, f, &sum, &err), -EPROTO);
	assert_null(strstr(err.text, "10.0.0.7"));
	json_decref(f);
	ctl_unknown_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_address_outside_of_the_networks_is_shown),
		cmocka_unit_test(a_flow_with_an_app_is_only_counted_unless_its_evidence_is_weak),
		cmocka_unit_test(a_name_that_the_server_was_looked_up_as_is_a_name),
		cmocka_unit_test(what_is_no_line_of_flows_is_refused_and_not_counted),
		cmocka_unit_test(an_address_that_is_none_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
