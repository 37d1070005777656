// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_yaml.h"

#include "tests/unit/mistake_list.h"

#include <errno.h>
#include <stdlib.h>

struct fixture {
	struct ctl_dict *apps, *tags;
	struct ctl_mistakes *mistakes;
};

static struct fixture fixture_new(void)
{
	return (struct fixture){ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1),
		ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX), ctl_mistakes_new()};
}

static void fixture_free(struct fixture *f)
{
	ctl_dict_free(f->apps);
	ctl_dict_free(f->tags);
	ctl_mistakes_free(f->mistakes);
}

static int read_text(struct fixture *f, const char *text, struct ctl_apps *ret_apps)
{
	struct ctl_yaml *doc;
	int r;

	assert_int_equal(
		ctl_yaml_parse("apps.yaml", text, strlen(text), false, f->mistakes, &doc), 0);
	r = ctl_apps_read(doc, f->apps, f->tags, ret_apps);
	ctl_yaml_free(doc);
	return r;
}

static const char valid[] = "apps:\n"
			    "  - name: netflix\n"
			    "    category: streaming\n"
			    "    ndpi: [NetFlix]\n"
			    "    hosts: [netflix.com, nflxvideo.net]\n"
			    "  - name: rival\n"
			    "    category: competitor\n"
			    "    tags:\n"
			    "      port_in: [switch.rival.example]\n"
			    "      plans: plans.rival.example\n"
			    "    hosts: [rival.example]\n"
			    "    nets: [203.0.113.0/24, \"2001:db8::/32\"]\n"
			    "    ports: [tcp:32400, udp:3478-3481]\n";

static void a_catalogue_matches_what_the_file_says(void **)
{
	struct fixture f = fixture_new();
	struct ctl_apps apps;
	struct cls_match m;
	struct dp_addr server;

	assert_int_equal(read_text(&f, valid, &apps), 0);
	assert_int_equal(cls_catalogue_count(apps.catalogue), 2);
	// In file order on the first load.
	assert_int_equal(cls_app_by_name(apps.catalogue, "netflix"), DP_APP_FIRST);
	assert_int_equal(cls_app_by_name(apps.catalogue, "rival"), DP_APP_FIRST + 1);
	assert_string_equal(cls_app_category(apps.catalogue, DP_APP_FIRST + 1), "competitor");
	m = cls_match_host(apps.catalogue, "www.netflix.com", 15);
	assert_int_equal(m.app, DP_APP_FIRST);
	assert_int_equal(m.tag, DP_TAG_NONE);
	m = cls_match_host(apps.catalogue, "switch.rival.example", 20);
	assert_int_equal(m.app, DP_APP_FIRST + 1);
	assert_string_equal(cls_tag_name(apps.catalogue, m.tag), "port_in");
	m = cls_match_host(apps.catalogue, "plans.rival.example", 19);
	assert_string_equal(cls_tag_name(apps.catalogue, m.tag), "plans");
	assert_int_equal(dp_addr_parse("203.0.113.9", &server), 0);
	assert_int_equal(cls_match_net(apps.catalogue, &server).app, DP_APP_FIRST + 1);
	assert_int_equal(cls_match_port(apps.catalogue, 17, 3481).app, DP_APP_FIRST + 1);
	assert_int_equal(cls_match_port(apps.catalogue, 6, 3481).app, DP_APP_UNKNOWN);
	assert_true(g_hash_table_contains(apps.names, "rival"));
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void a_reload_keeps_the_ids_of_names_and_gives_none_twice(void **)
{
	struct fixture f = fixture_new();
	struct ctl_apps apps;

	assert_int_equal(read_text(&f, valid, &apps), 0);
	ctl_apps_fini(&apps);
	assert_int_equal(read_text(&f,
				 "apps:\n"
				 "  - {name: new, category: web, tags: {shop: [a.example]}}\n"
				 "  - {name: rival, category: web, tags: {plans: [b.example]}}\n",
				 &apps),
		0);
	assert_int_equal(cls_app_by_name(apps.catalogue, "rival"), DP_APP_FIRST + 1);
	assert_int_equal(cls_app_by_name(apps.catalogue, "new"), DP_APP_FIRST + 2);
	assert_int_equal(cls_match_host(apps.catalogue, "b.example", 9).tag, 2);
	assert_int_equal(cls_match_host(apps.catalogue, "a.example", 9).tag, 3);
	assert_string_equal(cls_tag_name(apps.catalogue, 1), "port_in"); // of the file before
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void a_refused_file_takes_no_ids(void **)
{
	struct fixture f = fixture_new();
	struct ctl_apps apps;

	assert_int_equal(
		read_text(&f, "apps: [{name: a, category: web, hosts: [x]}]", &apps), -EINVAL);
	assert_null(apps.catalogue);
	assert_true(g_hash_table_contains(apps.names, "a")); // other files may refer to it
	assert_int_equal(ctl_dict_end(f.apps), DP_APP_FIRST);
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void every_mistake_of_a_catalogue_is_reported_in_one_run(void **)
{
	static const char text[] =
		"apps:\n"
		"  - name: one\n"
		"    category: web\n"
		"    hosts: [a.example, WWW.example, '*.b.example', example, 192.0.2.1, a.example]\n"
		"    ndpi: [NetFlixx, Nonsense, YouTube]\n"
		"  - name: two\n"
		"    categroy: web\n"
		"    ndpi: [youtube]\n"
		"    tags: {plans: [a.example], 'Port-In': [p.example]}\n"
		"    nets: [10.0.0.1/8, 192.0.2.0/24, 192.0.2.0/24, 10.0.0.0/33]\n"
		"    ports: [tcp:80, udp:0, tcp:79-81, 80, udp:70000, tcp:9-1]\n"
		"  - {name: one, category: web, hosts: c.example}\n"
		"  - {name: unknown, category: web, hosts: []}\n"
		"  - {name: bare, category: web}\n"
		"  - nonsense\n"
		"more: 1\n";
	struct fixture f = fixture_new();
	struct ctl_apps apps;

	assert_int_equal(read_text(&f, text, &apps), -EINVAL);
	assert_mistakes(f.mistakes,
		"apps.yaml:4:24: 'WWW.example', expected a DNS name in lower case, without "
		"wildcard, such as netflix.com\n"
		"apps.yaml:4:37: '*.b.example', expected a DNS name in lower case, without "
		"wildcard, such as netflix.com\n"
		"apps.yaml:4:52: 'example', expected a DNS name in lower case, without wildcard, "
		"such as netflix.com\n"
		"apps.yaml:4:61: '192.0.2.1', expected a DNS name in lower case, without wildcard, "
		"such as netflix.com\n"
		"apps.yaml:4:72: 'a.example', expected each host once; app 'one' has it at "
		"apps.yaml:4:13\n"
		"apps.yaml:5:12: 'NetFlixx', expected a protocol of nDPI 4.2.0 such as 'NetFlix'\n"
		"apps.yaml:5:22: 'Nonsense', expected a protocol of nDPI 4.2.0\n"
		"apps.yaml:6:5: 'category' missing, expected a text that is not empty\n"
		"apps.yaml:7:5: 'categroy', expected a known key such as 'category'\n"
		"apps.yaml:8:12: 'youtube', expected each protocol once; app 'one' has it at "
		"apps.yaml:5:32\n"
		"apps.yaml:9:20: 'a.example', expected each host once; app 'one' has it at "
		"apps.yaml:4:13\n"
		"apps.yaml:9:32: 'Port-In', expected a word of a-z, 0-9 and '_', at most 32 "
		"characters\n"
		"apps.yaml:10:12: '10.0.0.1/8', expected a prefix without bits behind its length\n"
		"apps.yaml:10:38: '192.0.2.0/24', expected each network once; app 'two' has it at "
		"apps.yaml:10:24\n"
		"apps.yaml:10:52: '10.0.0.0/33', expected a prefix length of 0 to 32 (IPv4) or 0 "
		"to 128 (IPv6)\n"
		"apps.yaml:11:21: 'udp:0', expected tcp:PORT, udp:PORT or a range such as "
		"udp:3478-3481\n"
		"apps.yaml:11:28: 'tcp:79-81', expected each port once; app 'two' has it at "
		"apps.yaml:11:13\n"
		"apps.yaml:11:39: '80', expected tcp:PORT, udp:PORT or a range such as "
		"udp:3478-3481\n"
		"apps.yaml:11:43: 'udp:70000', expected tcp:PORT, udp:PORT or a range such as "
		"udp:3478-3481\n"
		"apps.yaml:11:54: 'tcp:9-1', expected tcp:PORT, udp:PORT or a range such as "
		"udp:3478-3481\n"
		"apps.yaml:12:12: 'one', expected each app once; app 'one' has it at "
		"apps.yaml:2:11\n"
		"apps.yaml:13:12: 'unknown', expected another name (this one means that no app was "
		"found)\n"
		"apps.yaml:14:5: nothing to recognise the app by, expected ndpi, hosts, "
		"hosts_file, tags, nets or ports\n"
		"apps.yaml:15:5: 'nonsense', expected a mapping of keys to values\n"
		"apps.yaml:16:1: 'more', expected a known key (apps)");
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void a_tag_ends_with_its_hosts(void **)
{
	struct fixture f = fixture_new();
	struct ctl_apps apps;

	assert_int_equal(
		read_text(&f,
			"apps:\n"
			"  - {name: a, category: web, tags: {s: [a.example], t: b.example}}\n"
			"  - {name: b, category: web, hosts: [c.example]}\n",
			&apps),
		0);
	assert_int_equal(cls_match_host(apps.catalogue, "a.example", 9).tag, 1);
	assert_int_equal(cls_match_host(apps.catalogue, "b.example", 9).tag, 2);
	assert_int_equal(cls_match_host(apps.catalogue, "c.example", 9).tag, DP_TAG_NONE);
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void apps_and_tags_that_get_no_number_are_a_mistake_each(void **)
{
	struct fixture f = {ctl_dict_new(5, 7), ctl_dict_new(1, 2), ctl_mistakes_new()};
	struct ctl_apps apps;

	assert_int_equal(read_text(&f,
				 "apps:\n"
				 "  - {name: a, category: web, tags: {s: [a.example], t: []}}\n"
				 "  - {name: b, category: web, hosts: [b.example]}\n",
				 &apps),
		0);
	ctl_apps_fini(&apps);
	assert_int_equal(
		read_text(&f,
			"apps:\n"
			"  - {name: c, category: web, tags: {t: [a.example], u: [b.example]}}\n"
			"  - {name: a, category: web, hosts: [c.example]}\n"
			"  - {name: d, category: web, hosts: [d.example]}\n",
			&apps),
		-EINVAL);
	assert_mistakes(f.mistakes,
		"apps.yaml: 2 new names of apps, expected at most 1: 2 are taken, and a name keeps its "
		"number as long as the store lives\n"
		"apps.yaml: 1 new names of tags, expected at most 0: 2 are taken, and a name keeps its "
		"number as long as the store lives");
	ctl_apps_fini(&apps);
	assert_int_equal(ctl_dict_end(f.apps), 7); // nothing was taken
	ctl_mistakes_free(f.mistakes);
	f.mistakes = ctl_mistakes_new();
	// Where all names have a number, a full dictionary is none's concern.
	assert_int_equal(
		read_text(&f,
			"apps:\n"
			"  - {name: c, category: web, tags: {t: [a.example], s: [b.example]}}\n"
			"  - {name: a, category: web, hosts: [c.example]}\n",
			&apps),
		0);
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void a_hundred_thousand_apps_are_a_catalogue(void **)
{
	enum { N = 100000 };
	g_autoptr(GString) text = g_string_new("apps:\n");
	struct fixture f = fixture_new();
	struct ctl_apps apps;

	for (int i = 0; i < N; i++)
		g_string_append_printf(
			text, "- {name: a%d, category: web, hosts: h%d.example}\n", i, (i + 1) % N);
	assert_int_equal(read_text(&f, text->str, &apps), 0);
	assert_int_equal(apps.n_hosts, N);
	assert_int_equal(cls_catalogue_count(apps.catalogue), N);
	assert_int_equal(
		cls_match_host(apps.catalogue, "www.h0.example", 14).app, DP_APP_FIRST + N - 1);
	assert_int_equal(ctl_dict_end(f.apps), DP_APP_FIRST + N);
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

/* In one list, where a cost that grows with its square would show as a time-out. */
static void a_list_may_have_two_hundred_thousand_hosts(void **)
{
	enum { N = 200000 };
	g_autoptr(GString) text = g_string_new("apps: [{name: a, category: web, hosts: [");
	struct fixture f = fixture_new();
	struct ctl_apps apps;

	for (int i = 0; i < N; i++)
		g_string_append_printf(text, "h%d.example, ", i);
	g_string_append(text, "]}]\n");
	assert_int_equal(read_text(&f, text->str, &apps), 0);
	assert_int_equal(apps.n_hosts, N);
	assert_int_equal(cls_match_host(apps.catalogue, "h199999.example", 15).app, DP_APP_FIRST);
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void a_catalogue_may_have_no_hosts(void **)
{
	struct fixture f = fixture_new();
	struct ctl_apps apps;

	assert_int_equal(
		read_text(
			&f, "apps: [{name: dns, category: network, ndpi: DNS, hosts: []}]", &apps),
		0);
	assert_int_equal(cls_app_by_name(apps.catalogue, "dns"), DP_APP_FIRST);
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void a_file_without_apps_is_a_mistake(void **)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{"", "apps.yaml:1:1: nothing, expected the key 'apps'"},
		{"{}", "apps.yaml:1:1: 'apps' missing, expected a list of apps"},
		{"apps: x", "apps.yaml:1:7: 'x', expected a list of apps"},
		{"[]", "apps.yaml:1:1: a list, expected a mapping of keys to values"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct fixture f = fixture_new();
		struct ctl_apps apps;

		assert_int_equal(read_text(&f, rows[i].text, &apps), -EINVAL);
		assert_mistakes(f.mistakes, rows[i].line);
		ctl_apps_fini(&apps);
		fixture_free(&f);
	}
}

static void the_shipped_catalogue_has_no_mistake(void **)
{
	g_autofree char *path = g_build_filename(
		getenv("WIRECUE_TOP"), "control/catalogue/apps.yaml", NULL);
	struct fixture f = fixture_new();
	struct ctl_apps apps;
	struct cls_match m;

	assert_int_equal(ctl_apps_load(path, f.apps, f.tags, f.mistakes, &apps), 0);
	assert_true(cls_catalogue_count(apps.catalogue) >= 300);
	m = cls_match_host(apps.catalogue, "www.netflix.com", 15);
	assert_string_equal(cls_app_name(apps.catalogue, m.app), "netflix");
	ctl_apps_fini(&apps);
	fixture_free(&f);
}

static void a_dictionary_is_full_at_its_last_id(void **)
{
	struct ctl_dict *dict = ctl_dict_new(5, 6);
	uint32_t a, b, c = 99;

	assert_int_equal(ctl_dict_id(dict, "a", &a), 0);
	assert_int_equal(ctl_dict_id(dict, "b", &b), 0);
	assert_int_equal(ctl_dict_id(dict, "c", &c), -ENOSPC);
	assert_int_equal(c, 99);
	assert_int_equal(ctl_dict_id(dict, "a", &c), 0);
	assert_int_equal(c, 5);
	assert_string_equal(ctl_dict_name(dict, 6), "b");
	assert_null(ctl_dict_name(dict, 7));
	assert_null(ctl_dict_name(dict, 4));
	assert_int_equal(ctl_dict_end(dict), 7);
	ctl_dict_free(dict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_catalogue_matches_what_the_file_says),
		cmocka_unit_test(a_reload_keeps_the_ids_of_names_and_gives_none_twice),
		cmocka_unit_test(a_refused_file_takes_no_ids),
		cmocka_unit_test(every_mistake_of_a_catalogue_is_reported_in_one_run),
		cmocka_unit_test(a_tag_ends_with_its_hosts),
		cmocka_unit_test(apps_and_tags_that_get_no_number_are_a_mistake_each),
		cmocka_unit_test(a_hundred_thousand_apps_are_a_catalogue),
		cmocka_unit_test(a_list_may_have_two_hundred_thousand_hosts),
		cmocka_unit_test(a_catalogue_may_have_no_hosts),
		cmocka_unit_test(a_file_without_apps_is_a_mistake),
		cmocka_unit_test(the_shipped_catalogue_has_no_mistake),
		cmocka_unit_test(a_dictionary_is_full_at_its_last_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
