// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static const char *const TAGS[] = {"", "port_in"};

static struct cls_catalogue *catalogue_of(const struct cls_app_def *apps, size_t n)
{
	struct cls_catalogue *c;
	struct dp_err err = {0};

	if (cls_catalogue_new(apps, n, TAGS, 2, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static struct cls_match match(const struct cls_catalogue *c, const char *host)
{
	// From its own block: a read past the name is seen.
	const size_t len = strlen(host);
	char *block = malloc(len > 0 ? len : 1);
	struct cls_match m;

	assert_non_null(block);
	memcpy(block, host, len); // NOLINT(bugprone-not-null-terminated-result): no string
	m = cls_match_host(c, block, len);
	free(block);
	return m;
}

static void hosts_match_on_label_boundaries_and_the_longest_wins(void **)
{
	static const struct cls_host_def a[] = {{"films.example", 0}, {"a.b.films.example", 0}};
	static const struct cls_host_def b[] = {{"b.films.example", 1}, {"example", 0}};
	static const struct cls_app_def apps[] = {
		{.id = 10, .name = "a", .category = "streaming", .hosts = a, .n_hosts = 2},
		{.id = 11, .name = "b", .category = "web", .hosts = b, .n_hosts = 2},
	};
	static const struct {
		const char *host;
		uint32_t app;
		uint16_t tag;
	} rows[] = {
		{"films.example", 10, 0},
		{"www.films.example", 10, 0},
		{"FiLmS.eXample", 10, 0},
		{"films.example.", 10, 0},
		{"b.films.example", 11, 1},
		{"x.b.films.example", 11, 1},
		{"a.b.films.example", 10, 0},
		{"y.a.b.films.example", 10, 0},
		{"myfilms.example", 11, 0}, // not films.example: the boundary is inside a label
		{"my-films.example", 11, 0},
		{"example", 11, 0},
		{"films.example.org", DP_APP_UNKNOWN, 0},
		{"ilms.examples", DP_APP_UNKNOWN, 0},
		{"", DP_APP_UNKNOWN, 0},
		{".", DP_APP_UNKNOWN, 0},
		{"..", DP_APP_UNKNOWN, 0},
		{".films.example", 10, 0},
		{"films..example", 11, 0},
	};
	struct cls_catalogue *c = catalogue_of(apps, 2);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cls_match m = match(c, rows[i].host);

		assert_int_equal(m.app, rows[i].app);
		assert_int_equal(m.tag, rows[i].tag);
	}
	cls_catalogue_free(c);
}

static void a_look_alike_matches_nothing(void **)
{
	static const struct cls_host_def host = {"example.com", 0};
	static const struct cls_app_def app = {
		.id = 10, .name = "a", .category = "web", .hosts = &host, .n_hosts = 1};
	static const char *const alike[] = {"notexample.com", "xexample.com", "not-example.com",
		"www.notexample.com", "example.com.evil.example", "example.community", "example.co",
		"xample.com", "example-com", "com", "www.example.com.net"};
	struct cls_catalogue *c = catalogue_of(&app, 1);

	assert_int_equal(match(c, "www.example.com").app, 10);
	for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++)
		assert_int_equal(match(c, alike[i]).app, DP_APP_UNKNOWN);
	cls_catalogue_free(c);
}

static void every_host_a_name_lies_in_is_told_and_the_winner_first(void **)
{
	static const struct cls_host_def a[] = {{"example", 0}, {"Films.Example", 1}};
	static const struct cls_host_def b[] = {{"b.films.example", 0}, {"x.example", 0}};
	static const struct cls_app_def apps[] = {
		{.id = 10, .name = "a", .category = "web", .hosts = a, .n_hosts = 2},
		{.id = 11, .name = "b", .category = "web", .hosts = b, .n_hosts = 2},
	};
	struct cls_catalogue *c = catalogue_of(apps, 2);
	struct cls_host_rule rules[CLS_HOST_LABELS_MAX];

	assert_int_equal(cls_catalogue_rules(c, "y.B.films.EXAMPLE.", 18, rules, 3), 3);
	assert_string_equal(rules[0].host, "b.films.example");
	assert_int_equal(rules[0].app, 11);
	assert_string_equal(rules[1].host, "films.example");
	assert_int_equal(rules[1].app, 10);
	assert_int_equal(rules[1].tag, 1);
	assert_string_equal(rules[2].host, "example");
	assert_int_equal(rules[2].app, 10);
	assert_int_equal(cls_catalogue_rules(c, "b.films.example", 15, rules, 2), 2);
	assert_string_equal(
		rules[0].host, "b.films.example"); // the longest are those that are kept
	assert_string_equal(rules[1].host, "films.example");
	assert_int_equal(cls_catalogue_rules(c, "b.films.example", 15, rules, 0), 0);
	assert_int_equal(cls_catalogue_rules(c, "films.example.org", 17, rules, 3), 0);
	assert_int_equal(cls_catalogue_rules(c, "", 0, rules, 3), 0);
	cls_catalogue_free(c);
}

static void a_name_of_any_length_ends_the_search(void **)
{
	static const struct cls_host_def host = {"example", 0};
	static const struct cls_app_def app = {
		.id = 10, .name = "a", .category = "web", .hosts = &host, .n_hosts = 1};
	struct cls_catalogue *c = catalogue_of(&app, 1);
	char *dots = malloc(100000);

	assert_non_null(dots);
	memset(dots, '.', 100000);
	assert_int_equal(cls_match_host(c, dots, 100000).app, DP_APP_UNKNOWN);
	memset(dots, 'x', 100000);
	assert_int_equal(cls_match_host(c, dots, 100000).app, DP_APP_UNKNOWN);
	memcpy(dots + 100000 - 8, ".example", 8); // NOLINT(bugprone-not-null-terminated-result)
	assert_int_equal(cls_match_host(c, dots, 100000).app, 10);
	free(dots);
	cls_catalogue_free(c);
}

static void each_of_many_hosts_is_found(void **)
{
	enum { N = 20000 };
	struct cls_host_def *hosts = calloc(N, sizeof(*hosts));
	char(*names)[32] = calloc(N, sizeof(*names));
	const struct cls_app_def app = {
		.id = 10, .name = "a", .category = "web", .hosts = hosts, .n_hosts = N};
	struct cls_catalogue *c;

	assert_true(hosts != NULL && names != NULL);
	for (unsigned int i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "host-%u.example", i);
		hosts[i] = (struct cls_host_def){names[i], (uint16_t)i};
	}
	c = catalogue_of(&app, 1);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(match(c, names[i]).tag, i);
	assert_int_equal(match(c, "host-20000.example").app, DP_APP_UNKNOWN);
	cls_catalogue_free(c);
	free(hosts);
	free(names);
}

static void what_two_apps_claim_is_refused_and_names_both(void **)
{
	static const struct cls_host_def host = {"films.example", 0}, same = {"Films.Example", 0};
	static const char *const netflix[] = {"NetFlix", NULL}, *const again[] = {"netflix", NULL};
	static const char *const unknown[] = {"NoSuchProtocol", NULL};
	static const struct dp_prefix net = {{{[10] = 0xff, 0xff, 192, 0, 2, 0}}, 96 + 24};
	static const struct cls_port_def port = {IPPROTO_UDP, 53, 53},
					 range = {IPPROTO_UDP, 50, 60};
	static const struct cls_host_def empty = {"", 0};
	static const struct {
		struct cls_app_def apps[2];
		int error;
		const char *said[2];
	} rows[] = {
		{{{.id = 10, .name = "one", .category = "", .hosts = &host, .n_hosts = 1},
			 {.id = 11, .name = "two", .category = "", .hosts = &same, .n_hosts = 1}},
			-EEXIST, {"one", "two"}},
		{{{.id = 10, .name = "one", .category = "", .ndpi = netflix},
			 {.id = 11, .name = "two", .category = "", .ndpi = again}},
			-EEXIST, {"one", "two"}},
		{{{.id = 10, .name = "one", .category = ""},
			 {.id = 10, .name = "two", .category = ""}},
			-EEXIST, {"one", "two"}},
		{{{.id = 10, .name = "one", .category = "", .ndpi = unknown},
			 {.id = 11, .name = "two", .category = ""}},
			-ENOENT, {"one", "NoSuchProtocol"}},
		{{{.id = 10, .name = "one", .category = "", .nets = &net, .n_nets = 1},
			 {.id = 11, .name = "two", .category = "", .nets = &net, .n_nets = 1}},
			-EEXIST, {"192.0.2.0/24 ", "'two'"}},
		{{{.id = 10, .name = "one", .category = "", .ports = &port, .n_ports = 1},
			 {.id = 11, .name = "two", .category = "", .ports = &range, .n_ports = 1}},
			-EEXIST, {"'one'", "'two'"}},
		{{{.id = 10, .name = "one", .category = ""},
			 {.id = 11, .name = "one", .category = ""}},
			-EEXIST, {"two apps", "'one'"}},
		{{{.id = 10, .name = "one", .category = "", .hosts = &empty, .n_hosts = 1},
			 {.id = 11, .name = "two", .category = ""}},
			-EINVAL, {"host ''", "'one'"}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cls_catalogue *c = NULL;
		struct dp_err err = {0};

		assert_int_equal(
			cls_catalogue_new(rows[i].apps, 2, TAGS, 2, &c, &err), rows[i].error);
		assert_null(c);
		assert_non_null(strstr(err.text, rows[i].said[0]));
		assert_non_null(strstr(err.text, rows[i].said[1]));
	}
}

static void the_longest_network_wins_and_ports_are_of_their_protocol(void **)
{
	static const struct cls_port_def ports[] = {{IPPROTO_UDP, 500, 500}, {IPPROTO_TCP, 80, 90},
		{IPPROTO_TCP, 65535, 65535}, {IPPROTO_UDP, 0, 79}};
	struct dp_prefix wide[2], narrow;
	struct dp_addr a;

	assert_int_equal(dp_prefix_parse("203.0.113.0/24", &wide[0]), 0);
	assert_int_equal(dp_prefix_parse("2001:db8::/32", &wide[1]), 0);
	assert_int_equal(dp_prefix_parse("203.0.113.128/25", &narrow), 0);

	const struct cls_app_def apps[] = {
		{.id = 10, .name = "wide", .category = "", .nets = wide, .n_nets = 2},
		{.id = 11,
			.name = "narrow",
			.category = "",
			.nets = &narrow,
			.n_nets = 1,
			.ports = ports,
			.n_ports = 4},
	};
	static const struct {
		const char *addr;
		uint32_t app;
	} rows[] = {{"203.0.113.1", 10}, {"203.0.113.128", 11}, {"203.0.113.255", 11},
		{"203.0.112.255", DP_APP_UNKNOWN}, {"2001:db8:ffff::1", 10},
		{"2001:db9::1", DP_APP_UNKNOWN}};
	struct cls_catalogue *c = catalogue_of(apps, 2);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(dp_addr_parse(rows[i].addr, &a), 0);
		assert_int_equal(cls_match_net(c, &a).app, rows[i].app);
	}
	assert_int_equal(cls_match_port(c, IPPROTO_UDP, 500).app, 11);
	assert_int_equal(cls_match_port(c, IPPROTO_TCP, 500).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_match_port(c, IPPROTO_TCP, 80).app, 11);
	assert_int_equal(cls_match_port(c, IPPROTO_TCP, 90).app, 11);
	assert_int_equal(cls_match_port(c, IPPROTO_TCP, 91).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_match_port(c, IPPROTO_TCP, 79).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_match_port(c, IPPROTO_TCP, 65535).app, 11);
	assert_int_equal(cls_match_port(c, IPPROTO_UDP, 0).app, 11);
	assert_int_equal(cls_match_port(c, IPPROTO_UDP, 80).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_match_port(c, IPPROTO_SCTP, 500).app, DP_APP_UNKNOWN);
	cls_catalogue_free(c);
}

static void a_protocol_number_beyond_the_library_means_no_app(void **)
{
	static const char *const netflix[] = {"NetFlix", NULL};
	static const struct cls_app_def app = {
		.id = 10, .name = "a", .category = "", .ndpi = netflix};
	struct cls_catalogue *c = catalogue_of(&app, 1);

	assert_int_equal(cls_match_ndpi(c, 133).app, 10);
	assert_int_equal(cls_match_ndpi(c, 0).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_match_ndpi(c, UINT16_MAX).app, DP_APP_UNKNOWN);
	cls_catalogue_free(c);
}

static void ids_names_and_categories_are_told_for_any_id(void **)
{
	static const struct cls_app_def apps[] = {
		{.id = 900, .name = "late", .category = "web"},
		{.id = 2, .name = "early", .category = "streaming"},
		{.id = 30, .name = "between", .category = "web"},
	};
	struct cls_catalogue *c = catalogue_of(apps, 3);

	assert_int_equal(cls_catalogue_count(c), 3);
	assert_string_equal(cls_app_name(c, 900), "late");
	assert_string_equal(cls_app_name(c, 2), "early");
	assert_string_equal(cls_app_category(c, 2), "streaming");
	assert_string_equal(cls_app_name(c, DP_APP_UNDECIDED), "undecided");
	assert_string_equal(cls_app_name(c, DP_APP_UNKNOWN), "unknown");
	assert_string_equal(cls_app_category(c, DP_APP_UNKNOWN), "");
	assert_string_equal(cls_app_name(c, 3), "?");
	assert_string_equal(cls_tag_name(c, 1), "port_in");
	assert_string_equal(cls_tag_name(c, 2), "");
	assert_int_equal(cls_app_by_name(c, "late"), 900);
	assert_int_equal(cls_app_by_name(c, "early"), 2);
	assert_int_equal(cls_app_by_name(c, "never"), DP_APP_UNKNOWN);
	assert_true(cls_has_category(c, "web"));
	assert_true(cls_has_category(c, "streaming"));
	assert_false(cls_has_category(c, ""));
	assert_false(cls_has_category(c, "late"));
	cls_catalogue_free(c);
}

static uint64_t mark_of(const struct cls_app_def *app)
{
	struct cls_catalogue *c = catalogue_of(app, 1);
	const uint64_t mark = cls_app_mark(c, app->id);

	assert_int_equal(cls_app_mark(c, app->id + 1), 0);
	cls_catalogue_free(c);
	return mark;
}

static void the_mark_of_an_app_is_that_of_its_names_in_any_order(void **)
{
	static const struct cls_host_def hosts[] = {
		{"a.example", 0}, {"b.example", 0}, {"a.example", 1}};
	static const char *const ndpi[] = {"NetFlix", NULL};
	struct cls_app_def app = {
		.id = 10, .name = "app", .category = "web", .hosts = hosts, .n_hosts = 2};
	const uint64_t mark = mark_of(&app);

	app.name = "other";
	app.hosts = &hosts[1];
	assert_int_equal(mark_of(&app), mark);
	app.n_hosts = 1;
	assert_int_not_equal(mark_of(&app), mark);
	app.n_hosts = 2;
	app.ndpi = ndpi;
	assert_int_not_equal(mark_of(&app), mark);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_match_on_label_boundaries_and_the_longest_wins),
		cmocka_unit_test(a_look_alike_matches_nothing),
		cmocka_unit_test(every_host_a_name_lies_in_is_told_and_the_winner_first),
		cmocka_unit_test(a_name_of_any_length_ends_the_search),
		cmocka_unit_test(each_of_many_hosts_is_found),
		cmocka_unit_test(what_two_apps_claim_is_refused_and_names_both),
		cmocka_unit_test(the_longest_network_wins_and_ports_are_of_their_protocol),
		cmocka_unit_test(a_protocol_number_beyond_the_library_means_no_app),
		cmocka_unit_test(ids_names_and_categories_are_told_for_any_id),
		cmocka_unit_test(the_mark_of_an_app_is_that_of_its_names_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
