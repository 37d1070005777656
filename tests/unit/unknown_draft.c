// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_draft.h"

#include "control/apps_yaml.h"

#include "tests/unit/mistake_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char catalogue_text[] = "apps:\n"
				     "  - name: shop\n"
				     "    category: shopping\n"
				     "    hosts: [shop.example]\n"
				     "  - name: fabrikam\n"
				     "    category: web\n"
				     "    ndpi: [BitTorrent]\n"
				     "    hosts: [vod.contoso.example]\n"
				     "  - name: fabrikam-co-uk\n"
				     "    category: web\n"
				     "    hosts: [x.fabrikam.example]"; // and no newline

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

/* Of a text that has no mistake; its ids are its own. */
static struct cls_catalogue *catalogue_of(const char *text)
{
	struct ctl_dict *app_ids = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	struct ctl_dict *tag_ids = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	GString *lines = g_string_new(NULL);
	struct cls_catalogue *catalogue;
	struct ctl_apps apps;
	struct ctl_yaml *doc;

	assert_int_equal(ctl_yaml_parse("apps.yaml", text, strlen(text), false, mistakes, &doc), 0);
	(void)ctl_apps_read(doc, app_ids, tag_ids, &apps);
	ctl_yaml_free(doc);
	ctl_mistakes_report(mistakes, mistake_append, lines);
	assert_string_equal(lines->str, "");
	g_string_free(lines, TRUE);
	catalogue = g_steal_pointer(&apps.catalogue);
	ctl_apps_fini(&apps);
	ctl_mistakes_free(mistakes);
	ctl_dict_free(app_ids);
	ctl_dict_free(tag_ids);
	return catalogue;
}

static void add(struct ctl_unknown *u, const char *host, const char *proto, const char *app,
	const char *server, uint64_t bytes)
{
	struct ctl_unknown_fact f = {.host = host,
		.proto = proto,
		.app = app,
		.l4 = "tcp",
		.has_server = server != NULL,
		.port = 8443,
		.bytes = bytes,
		.flows = 1};

	assert_int_equal(dp_addr_parse("10.0.0.1", &f.endpoint), 0);
	assert_int_equal(dp_addr_parse(server != NULL ? server : "10.0.0.2", &f.server), 0);
	ctl_unknown_add(u, &f);
	f.endpoint.b[15] = 2; // others as well: a name that only one has shown is not shown
	ctl_unknown_add(u, &f);
	f.endpoint.b[15] = 3;
	ctl_unknown_add(u, &f);
}

static void add_to_port(struct ctl_unknown *u, uint16_t port, const char *server, uint64_t bytes)
{
	struct ctl_unknown_fact f = {.host = "",
		.proto = "Unknown",
		.l4 = "udp",
		.has_server = true,
		.port = port,
		.bytes = bytes,
		.flows = 1};

	assert_int_equal(dp_addr_parse(server, &f.server), 0);
	ctl_unknown_add(u, &f);
}

/* Owned by the caller. */
static char *draft_of(const struct ctl_unknown *u, const struct cls_catalogue *catalogue)
{
	struct ctl_unknown_sum others, all;
	GPtrArray *rows = ctl_unknown_report(u, 1000, &others, &all);
	GString *text = g_string_new(NULL);

	ctl_unknown_draft(rows, catalogue, domains, 2, text);
	g_ptr_array_unref(rows);
	return g_string_free(text, FALSE);
}

/* What an editor does that takes a '#' away from each line that has no blank behind it. */
static char *uncommented(const char *text)
{
	GString *out = g_string_new(text);

	(void)g_string_replace(out, "\n  #-", "\n  -", 0);
	(void)g_string_replace(out, "\n  #  ", "\n    ", 0);
	return g_string_free(out, FALSE);
}

static void assert_app_of(const struct cls_catalogue *catalogue, const char *host, const char *app)
{
	assert_string_equal(
		cls_app_name(catalogue, cls_match_host(catalogue, host, strlen(host)).app), app);
}

/* Everything that is met, into one draft. */
static struct ctl_unknown *all_kinds(void)
{
	struct ctl_unknown *u = ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);

	add(u, "www.fabrikam.co.uk", "TLS", NULL, "203.0.113.1",
		900); // name and long name are taken
	add(u, "vod.operator.example", "QUIC", NULL, "203.0.113.1", 800);
	add(u, "www.operator.co.uk", "TLS", NULL, "203.0.113.1", 700);
	add(u, "www.163.com", "TLS.NetFlix", NULL, "203.0.113.1", 600);
	add(u, "total.example", "TLS", NULL, "203.0.113.1", 550); // a word that no app may have
	add(u, "_x.xn--bcher-kva.example", "HTTP", "telegram", "203.0.113.1", 500);
	add(u, "www.shop.example", "TLS", NULL, "203.0.113.1", 450); // has an app by now
	add(u, "localhost", "HTTP", NULL, "203.0.113.1", 400);
	add(u, "github.io", "TLS", NULL, "203.0.113.1", 350);
	add(u, "", "TLS", NULL, "203.0.113.1", 300);
	add(u, "", "Unknown", NULL, "2001:db8::1", 290);
	add(u, "", "TLS", "telegram", "203.0.113.2", 280);
	add(u, "", "BitTorrent", NULL, "203.0.114.1", 270); // has an app
	add(u, "", "Steam", NULL, "203.0.115.1", 260);
	add(u, "", "Steam", NULL, "203.0.116.1", 250); // once is enough
	add(u, "", "Unknown", NULL, NULL, 200);
	add_to_port(u, 53, "2001:db8::1", 190); // its address is drafted
	return u;
}

/* Of two, in both orders: what an app is called in reports must not change with what was watched that day. */
static void a_name_does_not_depend_on_who_has_more_bytes(void **)
{
	struct cls_catalogue *before = catalogue_of(catalogue_text);

	for (uint64_t more = 400; more <= 600; more += 200) {
		struct ctl_unknown *u = ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);
		g_autofree char *draft = NULL, *text = NULL;
		struct cls_catalogue *after;

		add(u, "www.northwind.co.uk", "TLS", NULL, "203.0.113.1", more);
		add(u, "www.northwind.example", "TLS", NULL, "203.0.113.1", 500);
		draft = draft_of(u, before);
		text = g_strconcat(catalogue_text, draft, NULL);
		after = catalogue_of(text);
		assert_app_of(after, "www.northwind.co.uk", "northwind-co-uk");
		assert_app_of(after, "www.northwind.example", "northwind-example");
		cls_catalogue_free(after);
		ctl_unknown_free(u);
	}
	cls_catalogue_free(before);
}

static void a_draft_that_is_appended_is_a_catalogue_without_a_mistake(void **)
{
	struct cls_catalogue *before = catalogue_of(catalogue_text);
	struct ctl_unknown *u = all_kinds();
	g_autofree char *draft = draft_of(u, before);
	g_autofree char *text = g_strconcat(catalogue_text, draft, NULL);
	g_autofree char *open = uncommented(text);
	struct cls_catalogue *after = catalogue_of(text), *all = catalogue_of(open);
	struct dp_addr server;

	assert_app_of(before, "www.163.com", "unknown");
	assert_app_of(after, "www.163.com", "163");
	assert_string_equal(cls_app_category(after, cls_app_by_name(after, "163")), "streaming");
	assert_app_of(after, "www.fabrikam.co.uk", "fabrikam-2");
	assert_app_of(after, "vod.operator.example", "operator-vod");
	assert_app_of(after, "www.operator.co.uk", "operator");
	assert_app_of(after, "total.example", "total-example");
	assert_app_of(after, "xn--bcher-kva.example", "xn-bcher-kva");
	assert_app_of(after, "www.shop.example", "shop");
	assert_app_of(after, "localhost", "unknown");
	assert_app_of(after, "a.github.io", "unknown");
	assert_string_equal(cls_app_category(after, cls_app_by_name(after, "steam")), "games");
	// What is commented out is an entry, too, for who wants it.
	assert_int_equal(dp_addr_parse("2001:db8::1", &server), 0);
	assert_int_equal(cls_match_net(after, &server).app, DP_APP_UNKNOWN);
	assert_string_equal(
		cls_app_name(all, cls_match_net(all, &server).app), "tcp-8443-2001-db8-1");
	assert_int_equal(cls_catalogue_count(all), cls_catalogue_count(after) + 4);
	cls_catalogue_free(before);
	cls_catalogue_free(after);
	cls_catalogue_free(all);
	ctl_unknown_free(u);
}

static void a_second_draft_of_the_same_has_nothing_that_is_there_by_now(void **)
{
	struct cls_catalogue *before = catalogue_of(catalogue_text);
	struct ctl_unknown *u = all_kinds();
	g_autofree char *draft = draft_of(u, before);
	g_autofree char *once = g_strconcat(catalogue_text, draft, NULL);
	struct cls_catalogue *after = catalogue_of(once);
	g_autofree char *again = draft_of(u, after);
	g_autofree char *twice = g_strconcat(once, again, NULL);
	struct cls_catalogue *both = catalogue_of(twice);

	assert_int_equal(cls_catalogue_count(both), cls_catalogue_count(after));
	assert_null(strstr(again, "\n  - name"));
	cls_catalogue_free(before);
	cls_catalogue_free(after);
	cls_catalogue_free(both);
	ctl_unknown_free(u);
}

static void an_entry_says_what_it_rests_on(void **)
{
	struct cls_catalogue *catalogue = catalogue_of(catalogue_text);
	struct ctl_unknown *u = ctl_unknown_new(domains, CTL_UNKNOWN_KEPT);
	g_autofree char *draft = NULL;

	add(u, "www.contoso.example", "TLS", NULL, "203.0.113.1", 900);
	add(u, "img.contoso.example", "TLS", "telegram", "203.0.113.1", 30);
	add(u, "films.customer.example.net", "QUIC", NULL, "203.0.113.1", 500);
	add(u, "", "TLS", NULL, "203.0.113.9", 90);
	draft = draft_of(u, catalogue);
	assert_string_equal(draft,
		"\n"
		"  # Drafted by 'wirecue apps unknown --draft': names and categories are guesses.\n"
		"\n"
		"  # contoso.example: bytes 2790, flows 6, subscribers 3; TLS\n"
		"  # seen: www.contoso.example, img.contoso.example\n"
		"  # 90 bytes of it count for 'telegram' by address or port: does it belong there?\n"
		"  - name: contoso\n"
		"    category: web\n"
		"    hosts: [contoso.example]\n"
		"\n"
		"  # films.customer.example.net: bytes 1500, flows 3, subscribers 3; QUIC\n"
		"  # nine tenths or more of what example.net has\n"
		"  - name: example-films-customer\n"
		"    category: web\n"
		"    hosts: [films.customer.example.net]\n"
		"\n"
		"  # 203.0.113.9 tcp:8443: bytes 270, flows 3, subscribers 3; TLS\n"
		"  # commented out: an address says where and not what. It counts bytes; no trigger rests on it.\n"
		"  #- name: tcp-8443-203-0-113-9\n"
		"  #  category: web\n"
		"  #  nets: [\"203.0.113.9\"]\n");
	cls_catalogue_free(catalogue);
	ctl_unknown_free(u);
}

static void entries_are_indented_as_those_of_the_file_are(void **)
{
	static const struct {
		const char *text;
		int indent;
	} rows[] = {
		{"apps:\n- name: a\n  category: web\n", 0},
		{"# - no entry\napps:\n    - name: a\n", 4},
		{"apps:\n  - name: a\n    hosts: [x]\n    - odd\n", 2},
		{"apps: [{name: a}]\n", 2},
		{"", 2},
		{"-", 2},
		{"                       - far\n", 2},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa - in a line\n   - b\n", 3},
	};
	char path[] = "/tmp/wirecue-draft.XXXXXX";
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_true(g_file_set_contents(path, rows[i].text, -1, NULL));
		assert_int_equal(ctl_unknown_draft_indent(path), rows[i].indent);
	}
	(void)unlink(path);
	assert_int_equal(ctl_unknown_draft_indent(path), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_draft_that_is_appended_is_a_catalogue_without_a_mistake),
		cmocka_unit_test(a_name_does_not_depend_on_who_has_more_bytes),
		cmocka_unit_test(a_second_draft_of_the_same_has_nothing_that_is_there_by_now),
		cmocka_unit_test(an_entry_says_what_it_rests_on),
		cmocka_unit_test(entries_are_indented_as_those_of_the_file_are),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
