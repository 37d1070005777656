// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_remedy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

enum { FILMS = DP_APP_FIRST, CDN, NETFLIX, CHAT };

static struct cls_catalogue *catalogue;
static struct ctl_domains *domains;

static int setup(void **)
{
	static const char *const tags[] = {""};
	static const char *const netflix[] = {"NetFlix", NULL}, *const chat[] = {"Telegram", NULL};
	static const struct cls_host_def films[] = {{"www.films.example", DP_TAG_NONE}},
					 cdn[] = {{"cdn.example", DP_TAG_NONE}};
	static const struct cls_port_def port = {17, 40000, 40000};
	static struct dp_prefix net;

	assert_int_equal(dp_prefix_parse("198.51.100.0/24", &net), 0);

	const struct cls_app_def apps[] = {
		{.id = FILMS,
			.name = "films",
			.category = "streaming",
			.hosts = films,
			.n_hosts = 1,
			.nets = &net,
			.n_nets = 1},
		{.id = CDN,
			.name = "cdn",
			.category = "web",
			.hosts = cdn,
			.n_hosts = 1,
			.ports = &port,
			.n_ports = 1},
		{.id = NETFLIX, .name = "netflix", .category = "streaming", .ndpi = netflix},
		{.id = CHAT, .name = "chat", .category = "messaging", .ndpi = chat},
	};

	assert_int_equal(cls_catalogue_new(apps, 4, tags, 1, &catalogue, NULL), 0);
	return ctl_domains_open(&domains, NULL);
}

static int teardown(void **)
{
	ctl_domains_close(domains);
	cls_catalogue_free(catalogue);
	return 0;
}

static struct ctl_remedy remedy_of(const char *server, int port, const char *app, const char *proto,
	const char *host, const char *evidence)
{
	GPtrArray *none = g_ptr_array_new();
	json_t *flow = json_pack("{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "src",
		"10.0.0.7", "sport", 50000, "dst", server, "dport", port, "l4", "udp", "endpoint",
		"10.0.0.7", "app", app, "proto", proto, "host", host, "evidence", evidence);
	struct ctl_remedy r;

	assert_non_null(flow);
	ctl_remedy_of(flow, none, catalogue, domains, &r);
	json_decref(flow);
	g_ptr_array_free(none, TRUE);
	return r;
}

static void a_name_is_mended_by_the_shortest_host_that_goes_before(void **)
{
	static const struct {
		const char *host, *app, *evidence, *value;
		enum ctl_remedy_kind kind;
	} rows[] = {
		{"a.b.cdn.example", "cdn", "sni", "b.cdn.example", CTL_REMEDY_ADD},
		{"b.cdn.example", "cdn", "sni", "b.cdn.example", CTL_REMEDY_ADD},
		{"cdn.example", "cdn", "quic", "cdn.example", CTL_REMEDY_MOVE},
		{"a.b.other.co.uk", "unknown", "none", "other.co.uk", CTL_REMEDY_ADD},
		{"www.netflix.com", "netflix", "sni", "netflix.com", CTL_REMEDY_ADD},
		{"a.b.other.example", "films", "address", "other.example", CTL_REMEDY_ADD},
		{"host", "unknown", "none", "", CTL_REMEDY_NONE},
		{"co.uk", "unknown", "none", "", CTL_REMEDY_NONE},
		{"a?b.cdn.example", "cdn", "http", "", CTL_REMEDY_NONE},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct ctl_remedy r = remedy_of(
			"203.0.113.9", 443, rows[i].app, "TLS", rows[i].host, rows[i].evidence);

		assert_int_equal(r.kind, rows[i].kind);
		assert_string_equal(r.value, rows[i].value);
		assert_false(r.is_weak);
		assert_int_not_equal(r.why[0], '\0');
	}
}

static void where_the_library_knows_the_payload_its_protocol_has_to_move(void **)
{
	const struct ctl_remedy r = remedy_of(
		"203.0.113.9", 443, "chat", "TLS.Telegram", "", "payload");

	assert_int_equal(r.kind, CTL_REMEDY_MOVE);
	assert_string_equal(r.key, "ndpi");
	assert_string_equal(r.value, "Telegram");
	assert_false(r.is_weak);
}

static void without_a_name_only_the_place_is_left_and_that_is_weak(void **)
{
	const struct ctl_remedy none = remedy_of(
		"203.0.113.9", 7, "unknown", "Unknown", "", "none");
	const struct ctl_remedy net = remedy_of(
		"198.51.100.9", 7, "films", "Unknown", "", "address");
	const struct ctl_remedy port = remedy_of("203.0.113.9", 40000, "cdn", "TLS", "", "port");
	const struct ctl_remedy guess = remedy_of(
		"203.0.113.9", 7, "chat", "Telegram", "", "address");

	assert_string_equal(none.value, "203.0.113.9");
	assert_string_equal(net.value, "198.51.100.9");
	assert_string_equal(port.value, "203.0.113.9");
	assert_true(none.is_weak && net.is_weak && port.is_weak && guess.is_weak);
	assert_int_equal(guess.kind, CTL_REMEDY_MOVE); // its networks go before ours
	assert_string_equal(guess.key, "ndpi");
}

static void a_look_up_stays_one(void **)
{
	assert_int_equal(
		remedy_of("203.0.113.9", 53, "dns", "DNS.NetFlix", "www.netflix.com", "payload")
			.kind,
		CTL_REMEDY_NONE);
}

/* Of the two names the line has the one in front. */
static void what_hides_its_name_is_not_mended_by_the_one_in_front(void **)
{
	json_t *flow = json_pack("{s:s, s:s, s:s, s:s, s:b}", "app", "films", "proto", "TLS",
		"host", "front.example", "evidence", "dns", "ech", 1);
	GPtrArray *none = g_ptr_array_new();
	struct ctl_remedy r;

	ctl_remedy_of(flow, none, catalogue, domains, &r);
	assert_int_equal(r.kind, CTL_REMEDY_NONE);
	(void)json_object_set_new(flow, "evidence", json_string("sni"));
	ctl_remedy_of(flow, none, catalogue, domains, &r);
	assert_int_equal(r.kind, CTL_REMEDY_ADD);
	g_ptr_array_free(none, TRUE);
	json_decref(flow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_mended_by_the_shortest_host_that_goes_before),
		cmocka_unit_test(where_the_library_knows_the_payload_its_protocol_has_to_move),
		cmocka_unit_test(without_a_name_only_the_place_is_left_and_that_is_weak),
		cmocka_unit_test(a_look_up_stays_one),
		cmocka_unit_test(what_hides_its_name_is_not_mended_by_the_one_in_front),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
