// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_note.h"

#include "control/dict.h"
#include "control/unknown_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

static struct ctl_domains *domains;
static struct cls_catalogue *catalogue;
static uint32_t films;

static int setup(void **)
{
	const struct cls_host_def hosts[] = {{"films.example", DP_TAG_NONE}};
	const struct cls_port_def ports[] = {{IPPROTO_TCP, 9000, 9000}};
	const char *const tags[] = {""};

	assert_int_equal(ctl_dict_id(ctl_dict_apps(), "films", &films), 0);
	const struct cls_app_def apps[] = {{.id = films,
		.name = "films",
		.category = "streaming",
		.hosts = hosts,
		.n_hosts = G_N_ELEMENTS(hosts),
		.ports = ports,
		.n_ports = G_N_ELEMENTS(ports)}};

	assert_int_equal(ctl_domains_open(&domains, NULL), 0);
	return cls_catalogue_new(apps, G_N_ELEMENTS(apps), tags, 1, &catalogue, NULL);
}

static int teardown(void **)
{
	cls_catalogue_free(catalogue);
	ctl_domains_close(domains);
	return 0;
}

/* Of 30 bytes, without an app, by TLS with that name. */
static struct dp_record flow(const char *host)
{
	struct dp_record r = {.kind = DP_RECORD_NOTE,
		.app = DP_APP_UNKNOWN,
		.note = {.why = DP_NOTE_END,
			.l4_proto = IPPROTO_TCP,
			.sport = 50000,
			.dport = 443,
			.bytes = {10, 20},
			.ndpi_master = 91, // TLS
			.basis = 1 << 4}}; // its name was found in a hello

	assert_int_equal(dp_addr_parse("10.0.0.7", &r.endpoint), 0);
	r.note.src = r.endpoint;
	assert_int_equal(dp_addr_parse("203.0.113.9", &r.note.dst), 0);
	(void)g_strlcpy(r.note.host, host, sizeof(r.note.host));
	return r;
}

/* The first row as a table has it: "kind what port app bytes"; "" when there is none. All flows are in sum. */
static void expect_row(const struct dp_record *r, const char *row)
{
	struct ctl_unknown *u = ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);
	struct ctl_unknown_sum others, all;
	struct ctl_flow_sum sum = {0};
	g_autofree char *got = NULL;
	json_t *record = NULL;
	GPtrArray *rows;

	ctl_unknown_add_note(u, catalogue, r, &sum);
	assert_int_equal(sum.flows, 1);
	assert_int_equal(sum.bytes, 30);
	assert_int_equal(ctl_flow_sum_of(&sum).subscribers, 1);
	rows = ctl_unknown_report(u, 1, &others, &all);
	if (rows->len > 0) {
		record = ctl_unknown_record(rows->pdata[0]);
		ctl_unknown_record_to_text(record);
	}
	const char *const keys[] = {"kind", "what", "port", "app"};
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(keys) && record != NULL; i++) {
		const char *value = json_string_value(json_object_get(record, keys[i]));

		g_string_append_printf(text, "%s%s", i > 0 ? " " : "", value != NULL ? value : "-");
	}
	got = g_string_free(text, FALSE);
	assert_string_equal(got, row);
	json_decref(record);
	g_ptr_array_unref(rows);
	ctl_flow_sum_clear(&sum);
	ctl_unknown_free(u);
}

static void a_flow_without_a_rule_is_a_row(void **)
{
	struct dp_record r = flow("www.other.example");

	expect_row(&r, "host other.example - -");
	r.note.host[0] = '\0';
	expect_row(&r, "server 203.0.113.9 tcp:443 -");
	(void)strcpy(r.note.alias, "www.other.example"); // what it was looked up as
	expect_row(&r, "host other.example - -");
}

static void a_rule_that_came_since_it_ended_counts(void **)
{
	struct dp_record r = flow("www.films.example");

	expect_row(&r, "");
	r.note.why = DP_NOTE_LIVING;
	expect_row(&r, "");
}

static void and_so_does_one_that_is_gone(void **)
{
	struct dp_record r = flow("www.other.example");

	r.app = films + 1000;
	r.evidence = DP_EVIDENCE_SNI;
	expect_row(&r, "host other.example - -");
}

static void an_app_by_its_port_alone_is_no_app(void **)
{
	struct dp_record r = flow("");

	r.note.dport = 9000;
	r.app = films;
	r.evidence = DP_EVIDENCE_PORT;
	expect_row(&r, "server 203.0.113.9 tcp:9000 films");
}

static void who_is_undecided_yet_is_counted_only(void **)
{
	struct dp_record r = flow("");

	r.app = DP_APP_UNDECIDED;
	r.note.why = DP_NOTE_LIVING;
	expect_row(&r, "");
	r.note.why = DP_NOTE_END; // and will never be
	expect_row(&r, "server 203.0.113.9 tcp:443 -");
}

static void the_server_is_the_side_that_is_not_the_endpoint(void **)
{
	struct dp_record r = flow("");

	r.note.dst = r.note.src;
	assert_int_equal(dp_addr_parse("203.0.113.10", &r.note.src), 0);
	r.note.server_is_src = true;
	expect_row(&r, "server 203.0.113.10 tcp:50000 -");
	r.is_ambiguous = true; // it may be a subscriber
	expect_row(&r, "protocol TLS tcp -");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_without_a_rule_is_a_row),
		cmocka_unit_test(a_rule_that_came_since_it_ended_counts),
		cmocka_unit_test(and_so_does_one_that_is_gone),
		cmocka_unit_test(an_app_by_its_port_alone_is_no_app),
		cmocka_unit_test(who_is_undecided_yet_is_counted_only),
		cmocka_unit_test(the_server_is_the_side_that_is_not_the_endpoint),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
