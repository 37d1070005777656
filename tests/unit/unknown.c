// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ctl_domains *domains;

static int setup(void **)
{
	return ctl_domains_open(&domains, NULL);
}

static int teardown(void **)
{
	ctl_domains_close(domains);
	return 0;
}

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

/* A TLS flow of the first subscriber to 203.0.113.9, but for what the test says. */
static struct ctl_unknown_fact fact(const char *host, uint64_t bytes)
{
	return (struct ctl_unknown_fact){.host = host,
		.proto = "TLS",
		.l4 = "tcp",
		.endpoint = addr("10.0.0.1"),
		.server = addr("203.0.113.9"),
		.has_server = true,
		.port = 443,
		.bytes = bytes,
		.flows = 1};
}

static void add(struct ctl_unknown *u, struct ctl_unknown_fact f)
{
	ctl_unknown_add(u, &f);
}

static void add_host(struct ctl_unknown *u, const char *host, uint64_t bytes)
{
	add(u, fact(host, bytes));
}

/* Of three subscribers, bytes of each. */
static void add_common(struct ctl_unknown *u, const char *host, uint64_t bytes)
{
	struct ctl_unknown_fact f = fact(host, bytes);

	add(u, f);
	f.endpoint = addr("10.0.0.2");
	add(u, f);
	f.endpoint = addr("2001:db8:9:3::");
	add(u, f);
}

static void add_server(struct ctl_unknown *u, const char *server, uint64_t bytes)
{
	struct ctl_unknown_fact f = fact("", bytes);

	f.server = addr(server);
	add(u, f);
}

/* "KIND what bytes/flows/subscribers" a row, "+" others, "=" all. */
static char *shown(const struct ctl_unknown *u, size_t n_rows)
{
	static const char *const kinds[] = {"host", "server", "protocol"};
	struct ctl_unknown_sum others, all;
	GPtrArray *rows = ctl_unknown_report(u, n_rows, &others, &all);
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < rows->len; i++) {
		const struct ctl_unknown_row *r = rows->pdata[i];

		g_string_append_printf(text, "%s %s", kinds[r->kind], r->what);
		if (r->kind != CTL_UNKNOWN_HOST)
			g_string_append_printf(text, " %s:%u", r->l4, r->port);
		g_string_append_printf(text,
			" %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT "\n",
			r->bytes, r->flows, r->subscribers);
	}
	g_string_append_printf(text, "+ %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT "\n",
		others.bytes, others.flows);
	g_string_append_printf(
		text, "= %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT "\n", all.bytes, all.flows);
	g_ptr_array_unref(rows);
	return g_string_free(text, FALSE);
}

static void assert_shown(struct ctl_unknown *u, size_t n_rows, const char *want)
{
	g_autofree char *got = shown(u, n_rows);

	assert_string_equal(got, want);
}

static struct ctl_unknown *begin(void)
{
	return ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);
}

static void names_are_grouped_by_the_domain_that_somebody_registered(void **)
{
	struct ctl_unknown *u = begin();

	add_host(u, "www.example.co.uk", 100);
	add_host(u, "img7.example.co.uk", 300);
	add_host(u, "example.co.uk", 5);
	add_host(u, "www.example.com", 200);
	assert_shown(u, 10,
		"host example.co.uk 405/3/1\n"
		"host example.com 200/1/1\n"
		"+ 0/0\n"
		"= 605/4\n");
	ctl_unknown_free(u);
}

static void a_name_that_has_nearly_all_of_its_domain_is_shown_instead(void **)
{
	struct ctl_unknown *u = begin();

	add_common(u, "a1.films.customer.example.net", 200);
	add_common(u, "a2.films.customer.example.net", 100);
	add_host(u, "www.example.net", 100); // a tenth
	assert_shown(u, 10, "host films.customer.example.net 1000/7/3\n+ 0/0\n= 1000/7\n");
	add_host(u, "other.example.net", 10); // now more than a tenth is elsewhere
	assert_shown(u, 10, "host example.net 1010/8/3\n+ 0/0\n= 1010/8\n");
	ctl_unknown_free(u);
}

static void a_name_that_only_one_person_may_have_shown_is_not_shown(void **)
{
	struct ctl_unknown_sum others, all;
	struct ctl_unknown *u = begin();
	const struct ctl_unknown_row *row;
	GPtrArray *rows;

	for (int i = 0; i < 3; i++) {
		struct ctl_unknown_fact f = fact("jane-doe.example.org", 50);

		add_host(u, "jane-doe.accounts.example.net", 100);
		add(u, f);
		f.endpoint = addr("2001:db8:9:1::"); // his other one
		add(u, f);
	}
	add_host(u, "john-doe.accounts.example.net", 90);
	assert_shown(
		u, 10, "host example.net 390/4/1\nhost example.org 300/6/2\n+ 0/0\n= 690/10\n");
	add_common(u, "accounts.example.net", 20);
	rows = ctl_unknown_report(u, 10, &others, &all);
	row = rows->pdata[0];
	assert_string_equal(row->what, "accounts.example.net");
	assert_string_equal(row->examples[0], "*.accounts.example.net");
	assert_null(row->examples[1]);
	row = rows->pdata[1];
	assert_string_equal(row->examples[0], "*.example.org");
	g_ptr_array_unref(rows);
	ctl_unknown_free(u);
}

static void a_name_of_one_person_is_shown_where_that_is_asked_for(void **)
{
	struct ctl_unknown_sum others, all;
	struct ctl_unknown *u = begin();
	const struct ctl_unknown_row *row;
	GPtrArray *rows;

	ctl_unknown_show_names(u);
	add_host(u, "films.example.net", 100);
	add_host(u, "10-0-0-1.example.net", 10);
	rows = ctl_unknown_report(u, 10, &others, &all);
	row = rows->pdata[0];
	assert_string_equal(row->what, "films.example.net");
	assert_string_equal(row->examples[0], "*.example.net"); // an address is never
	g_ptr_array_unref(rows);
	ctl_unknown_free(u);
}

static void a_machine_or_a_mere_part_of_a_service_is_not_shown_instead(void **)
{
	static const char *const hosts[] = {"www.example.net", "api.example.net",
		"node7.example.net", "99900000001.example.net"};

	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		struct ctl_unknown *u = begin();

		add_common(u, hosts[i], 100);
		assert_shown(u, 10, "host example.net 300/3/3\n+ 0/0\n= 300/3\n");
		ctl_unknown_free(u);
	}
}

static void the_names_with_most_bytes_are_examples_and_nobodys_number_is(void **)
{
	struct ctl_unknown_sum others, all;
	struct ctl_unknown *u = begin();
	const struct ctl_unknown_row *row;
	GPtrArray *rows;

	add_common(u, "a.example.net", 10);
	add_common(u, "b.example.net", 40);
	add_common(u, "10-0-0-1.example.net", 30);
	add_common(u, "99900000001.example.net", 5); // the same to us
	add_common(u, "d.example.net", 20);
	rows = ctl_unknown_report(u, 1, &others, &all);
	row = rows->pdata[0];
	assert_string_equal(row->what, "example.net");
	assert_string_equal(row->examples[0], "b.example.net");
	assert_string_equal(row->examples[1], "*.example.net");
	assert_string_equal(row->examples[2], "d.example.net");
	assert_null(row->examples[3]);
	g_ptr_array_unref(rows);
	ctl_unknown_free(u);
}

static void what_is_no_name_is_grouped_by_server(void **)
{
	static const char *const hosts[] = {"", "203.0.113.77", "[2001:db8::1]:443", "????.??"};
	struct ctl_unknown *u = begin();

	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++)
		add_host(u, hosts[i], 100);
	assert_shown(u, 10, "server 203.0.113.9 tcp:443 400/4/1\n+ 0/0\n= 400/4\n");
	ctl_unknown_free(u);
}

static void up_to_three_servers_of_a_network_stand_alone_more_as_their_network(void **)
{
	struct ctl_unknown *u = begin();

	add_server(u, "203.0.113.1", 30);
	add_server(u, "203.0.113.2", 20);
	add_server(u, "203.0.113.3", 10);
	add_server(u, "203.0.113.3", 10);
	add_server(u, "2001:db8:1:1::1", 4);
	add_server(u, "2001:db8:1:2::1", 3);
	add_server(u, "2001:db8:1:3::1", 2);
	assert_shown(u, 10,
		"server 203.0.113.1 tcp:443 30/1/1\n"
		"server 203.0.113.3 tcp:443 20/2/1\n"
		"server 203.0.113.2 tcp:443 20/1/1\n"
		"server 2001:db8:1:1::1 tcp:443 4/1/1\n"
		"server 2001:db8:1:2::1 tcp:443 3/1/1\n"
		"server 2001:db8:1:3::1 tcp:443 2/1/1\n"
		"+ 0/0\n= 79/7\n");
	add_server(u, "203.0.113.4", 1);
	add_server(u, "2001:db8:1:4::1", 1);
	add_server(u, "2001:db8:2:4::1", 5); // of another
	assert_shown(u, 10,
		"server 203.0.113.0/24 tcp:443 71/5/1\n"
		"server 2001:db8:1::/48 tcp:443 10/4/1\n"
		"server 2001:db8:2:4::1 tcp:443 5/1/1\n"
		"+ 0/0\n= 86/10\n");
	ctl_unknown_free(u);
}

static void another_port_is_another_server(void **)
{
	struct ctl_unknown *u = begin();
	struct ctl_unknown_fact f = fact("", 50);

	add_host(u, "", 100);
	f.port = 8443;
	add(u, f);
	f.l4 = "udp";
	add(u, f);
	assert_shown(u, 10,
		"server 203.0.113.9 tcp:443 100/1/1\n"
		"server 203.0.113.9 tcp:8443 50/1/1\n"
		"server 203.0.113.9 udp:8443 50/1/1\n"
		"+ 0/0\n= 200/3\n");
	ctl_unknown_free(u);
}

static void flows_between_subscribers_are_grouped_by_protocol_without_an_address(void **)
{
	struct ctl_unknown *u = begin();
	struct ctl_unknown_fact f = fact("", 50);

	f.has_server = false;
	f.proto = "Unknown";
	f.server = addr("10.0.0.2");
	add(u, f);
	f.host = "peer.example.net"; // a name says nothing of anybody
	add(u, f);
	assert_shown(u, 10,
		"host example.net 50/1/1\n"
		"protocol Unknown tcp:0 50/1/1\n"
		"+ 0/0\n= 100/2\n");
	ctl_unknown_free(u);
}

/* Peers of one protocol all over the world, beside something large. */
static void add_peers(struct ctl_unknown *u, int n)
{
	char server[32];

	add_host(u, "www.example.com", 1000000);
	for (int i = 0; i < n; i++) {
		(void)snprintf(server, sizeof(server), "198.18.%d.1", i);
		add_server(u, server, 10);
	}
}

static void servers_that_are_many_and_small_are_one_row_of_their_protocol(void **)
{
	struct ctl_unknown *u = begin();

	add_peers(u, 16);
	assert_shown(u, 10,
		"host example.com 1000000/1/1\n"
		"protocol TLS tcp:0 160/16/1\n"
		"+ 0/0\n= 1000160/17\n");
	ctl_unknown_free(u);
	u = begin();
	add_peers(u, 2); // these tell more each for itself
	assert_shown(u, 10,
		"host example.com 1000000/1/1\n"
		"server 198.18.0.1 tcp:443 10/1/1\n"
		"server 198.18.1.1 tcp:443 10/1/1\n"
		"+ 0/0\n= 1000020/3\n");
	ctl_unknown_free(u);
}

static void weak_bytes_are_marked_with_their_app(void **)
{
	struct ctl_unknown_sum others, all;
	struct ctl_unknown *u = begin();
	const struct ctl_unknown_row *row;
	struct ctl_unknown_fact f = fact("www.example.net", 30);
	GPtrArray *rows;

	add_host(u, "www.example.com", 100);
	add(u, f);
	f.app = "telegram";
	add(u, f);
	f.app = "wireguard";
	f.bytes = 1;
	add(u, f);
	rows = ctl_unknown_report(u, 10, &others, &all);
	row = rows->pdata[0];
	assert_null(row->app);
	assert_int_equal(row->weak_bytes, 0);
	row = rows->pdata[1];
	assert_string_equal(row->app, "telegram");
	assert_int_equal(row->bytes, 61);
	assert_int_equal(row->weak_bytes, 31);
	assert_int_equal(all.weak_bytes, 31);
	g_ptr_array_unref(rows);
	ctl_unknown_free(u);
}

static void subscribers_are_counted_each_once(void **)
{
	static const char *const endpoints[] = {
		"10.0.0.1", "10.0.0.2", "10.0.0.1", "2001:db8:9:1::", "2001:db8:9:2::"};
	struct ctl_unknown *u = begin();

	for (size_t i = 0; i < G_N_ELEMENTS(endpoints); i++) {
		struct ctl_unknown_fact f = fact("www.example.net", 10);

		f.endpoint = addr(endpoints[i]);
		add(u, f);
		f.host = "";
		add(u, f);
	}
	assert_shown(u, 10,
		"host example.net 50/5/4\n"
		"server 203.0.113.9 tcp:443 50/5/4\n"
		"+ 0/0\n= 100/10\n");
	ctl_unknown_free(u);
}

static void there_are_never_more_subscribers_than_flows(void **)
{
	struct ctl_unknown_sum others, all;
	struct ctl_unknown *u = begin();

	for (uint32_t i = 0; i < 2000; i++) {
		struct ctl_unknown_fact f = fact("www.example.net", 10);
		GPtrArray *rows;

		f.endpoint.b[14] = (uint8_t)(i >> 8);
		f.endpoint.b[15] = (uint8_t)i;
		add(u, f);
		rows = ctl_unknown_report(u, 1, &others, &all);
		assert_in_range(((struct ctl_unknown_row *)rows->pdata[0])->subscribers,
			(i + 1) * 9 / 10, i + 1);
		assert_in_range(all.subscribers, (i + 1) * 9 / 10, i + 1);
		g_ptr_array_unref(rows);
	}
	ctl_unknown_free(u);
}

static void what_is_not_shown_is_in_others_so_that_all_agree(void **)
{
	struct ctl_unknown *u = begin();

	add_host(u, "www.one.example", 4);
	add_host(u, "www.two.example", 3);
	add_host(u, "www.three.example", 2);
	add_server(u, "203.0.113.9", 1);
	assert_shown(u, 2,
		"host one.example 4/1/1\n"
		"host two.example 3/1/1\n"
		"+ 3/2\n= 10/4\n");
	assert_shown(u, 0, "+ 10/4\n= 10/4\n");
	ctl_unknown_free(u);
}

/* What has more than an nth of all bytes is never let go when n are kept, whatever else comes: names without
 * end, each new, between its flows. Every byte is somewhere. */
static void a_scan_of_names_pushes_out_nothing_large_and_loses_no_byte(void **)
{
	enum { KEPT = 16, ROUNDS = 20000 };
	struct ctl_unknown *u = ctl_unknown_new(domains, KEPT);
	struct ctl_unknown_sum others, all;
	const struct ctl_unknown_row *row;
	uint64_t shown_bytes = 0;
	GPtrArray *rows;
	char host[64];

	for (int i = 0; i < ROUNDS; i++) {
		(void)snprintf(host, sizeof(host), "www.scan%d.example", i);
		add_host(u, host, 100);
		(void)snprintf(host, sizeof(host), "x%d.many.example", i);
		add_host(u, host, 20);
		(void)snprintf(host, sizeof(host), "198.%d.%d.1", i % 200, i / 200);
		add_server(u, host, 10);
	}
	rows = ctl_unknown_report(u, SIZE_MAX, &others, &all);
	row = rows->pdata[0];
	for (guint i = 0; i < rows->len; i++) {
		const struct ctl_unknown_row *r = rows->pdata[i];

		shown_bytes += r->bytes;
		if (strcmp(r->what, "many.example") == 0)
			row = r;
	}
	assert_string_equal(row->what, "many.example");
	assert_int_equal(row->bytes, 20 * ROUNDS);
	assert_in_range(rows->len, KEPT, 4 * KEPT + 1);
	assert_int_equal(all.bytes, 130 * ROUNDS);
	assert_int_equal(shown_bytes + others.bytes, all.bytes);
	g_ptr_array_unref(rows);
	ctl_unknown_free(u);
}

/* The one name that carries a domain is found among names without end below it. */
static void names_without_end_hide_no_name_that_carries_its_domain(void **)
{
	struct ctl_unknown *u = begin();
	char host[64];

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(host, sizeof(host), "s%d.films.example.net", i);
		add_common(u, host, 100);
		(void)snprintf(host, sizeof(host), "t%d.example.net", i);
		add_host(u, host, 5);
	}
	assert_shown(u, 1, "host films.example.net 1525000/20000/3\n+ 0/0\n= 1525000/20000\n");
	ctl_unknown_free(u);
}

static void nothing_added_is_an_empty_report(void **)
{
	struct ctl_unknown *u = begin();

	assert_shown(u, 10, "+ 0/0\n= 0/0\n");
	ctl_unknown_free(u);
	ctl_unknown_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_grouped_by_the_domain_that_somebody_registered),
		cmocka_unit_test(a_name_that_has_nearly_all_of_its_domain_is_shown_instead),
		cmocka_unit_test(a_name_that_only_one_person_may_have_shown_is_not_shown),
		cmocka_unit_test(a_name_of_one_person_is_shown_where_that_is_asked_for),
		cmocka_unit_test(a_machine_or_a_mere_part_of_a_service_is_not_shown_instead),
		cmocka_unit_test(the_names_with_most_bytes_are_examples_and_nobodys_number_is),
		cmocka_unit_test(what_is_no_name_is_grouped_by_server),
		cmocka_unit_test(
			up_to_three_servers_of_a_network_stand_alone_more_as_their_network),
		cmocka_unit_test(another_port_is_another_server),
		cmocka_unit_test(
			flows_between_subscribers_are_grouped_by_protocol_without_an_address),
		cmocka_unit_test(servers_that_are_many_and_small_are_one_row_of_their_protocol),
		cmocka_unit_test(weak_bytes_are_marked_with_their_app),
		cmocka_unit_test(subscribers_are_counted_each_once),
		cmocka_unit_test(there_are_never_more_subscribers_than_flows),
		cmocka_unit_test(what_is_not_shown_is_in_others_so_that_all_agree),
		cmocka_unit_test(a_scan_of_names_pushes_out_nothing_large_and_loses_no_byte),
		cmocka_unit_test(names_without_end_hide_no_name_that_carries_its_domain),
		cmocka_unit_test(nothing_added_is_an_empty_report),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
