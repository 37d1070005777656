// SPDX-License-Identifier: BSD-3-Clause

/* Which flows are shown, and as what. */

#include "control/flow_filter.h"

#include "control/dict.h"
#include "control/flow_word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

static struct dp_endpoint_nets nets;
static struct cls_catalogue *catalogue;
static uint32_t films, gone;

static const struct ctl_privacy plain = {.subject = CTL_SUBJECT_PLAIN};
static struct ctl_privacy secret = {.subject = CTL_SUBJECT_MSISDN, .key_len = 32};
static struct ctl_namer *namer, *plain_namer;

static int setup(void **)
{
	const struct cls_host_def hosts[] = {{"films.example", DP_TAG_NONE}};
	const char *const tags[] = {""};

	dp_endpoint_nets_default(&nets);
	assert_int_equal(ctl_dict_id(ctl_dict_apps(), "films", &films), 0);
	assert_int_equal(ctl_dict_id(ctl_dict_apps(), "gone", &gone), 0);
	const struct cls_app_def apps[] = {{.id = films,
		.name = "films",
		.category = "streaming",
		.hosts = hosts,
		.n_hosts = G_N_ELEMENTS(hosts)}};

	memset(secret.key, 'k', secret.key_len);
	namer = ctl_namer_new(&secret);
	plain_namer = ctl_namer_new(&plain);
	return cls_catalogue_new(apps, G_N_ELEMENTS(apps), tags, 1, &catalogue, NULL);
}

static int teardown(void **)
{
	ctl_namer_free(namer);
	ctl_namer_free(plain_namer);
	cls_catalogue_free(catalogue);
	return 0;
}

static int read_filter(
	const char *name, const char *value, struct ctl_flow_filter *ret, struct dp_err *err)
{
	json_t *args = json_pack("{s:s}", name, value);
	const int r = ctl_flow_filter_read(args, &nets, catalogue, ret, err);

	json_decref(args);
	return r;
}

static void expect_refused(const char *name, const char *value, const char *sentence)
{
	struct ctl_flow_filter f = {.app = 77};
	struct dp_err err = {""};

	assert_int_equal(read_filter(name, value, &f, &err), -EINVAL);
	assert_int_equal(f.app, 77);
	if (strstr(err.text, sentence) == NULL)
		fail_msg("--%s %s: '%s' does not say '%s'", name, value, err.text, sentence);
}

static void what_makes_no_sense_is_refused_with_what_would(void **)
{
	g_autofree char *longest = g_strnfill(200, 'a');
	g_autofree char *name = g_strdup_printf("%.60s.%.60s.example", longest, longest);

	expect_refused("endpoint", "", "expected an address of a subscriber");
	expect_refused("endpoint", "10.0.0", "expected an address of a subscriber");
	expect_refused("endpoint", "endpoint:", "expected an address of a subscriber");
	expect_refused("endpoint", "endpoint:ABC", "expected an address of a subscriber");
	expect_refused("endpoint", longest, "expected an address of a subscriber");
	expect_refused("app", "filmz", "'filmz', expected a name of the catalogue in force");
	expect_refused("app", "", "expected a name of the catalogue in force");
	expect_refused("evidence", "SNI", "'SNI', expected sni, quic, http");
	expect_refused("host", "", "expected");
	expect_refused("host", "a b", "expected");
	expect_refused("host", "udp:53", "expected a name such as example.com");
	expect_refused("host", name, "of at most 127 bytes");
}

static void an_endpoint_is_not_repeated(void **)
{
	struct ctl_flow_filter f;
	struct dp_err err;

	assert_int_equal(read_filter("endpoint", "10.0.0.7x", &f, &err), -EINVAL);
	assert_null(strstr(err.text, "10.0.0"));
}

/* tcp, from an endpoint at 10.0.0.7 to films.example. */
static struct dp_record flow(void)
{
	struct dp_record r = {.kind = DP_RECORD_NOTE,
		.app = films,
		.evidence = DP_EVIDENCE_SNI,
		.note = {.why = DP_NOTE_END,
			.l4_proto = IPPROTO_TCP,
			.sport = 50312,
			.dport = 443,
			.host = "www.films.example",
			.alias = "edge.cdn.example"}};

	assert_int_equal(dp_addr_parse("10.0.0.7", &r.endpoint), 0);
	r.note.src = r.endpoint;
	assert_int_equal(dp_addr_parse("203.0.113.9", &r.note.dst), 0);
	return r;
}

static bool fits(const struct dp_record *r, const char *name, const char *value)
{
	struct ctl_flow_filter f;
	struct dp_err err = {""};

	if (read_filter(name, value, &f, &err) < 0)
		fail_msg("--%s %s: %s", name, value, err.text);
	return ctl_flow_filter_fits(&f, r, namer);
}

static void a_name_fits_on_a_label_boundary(void **)
{
	const struct dp_record r = flow();

	assert_true(fits(&r, "host", "www.films.example"));
	assert_true(fits(&r, "host", "films.example"));
	assert_true(fits(&r, "host", "FILMS.example."));
	assert_true(fits(&r, "host", "*.films.example"));
	assert_true(fits(&r, "host", "cdn.example")); // what it was looked up as
	assert_false(fits(&r, "host", "ilms.example"));
	assert_false(fits(&r, "host", "a.www.films.example"));
	assert_false(fits(&r, "host", "films.example.org"));
	assert_true(fits(&r, "host", "203.0.113.9"));
	assert_false(fits(&r, "host", "203.0.113.8"));
	assert_false(fits(&r, "host", "10.0.0.7")); // no server
}

static void each_option_has_its_say(void **)
{
	struct dp_record r = flow();

	assert_true(fits(&r, "app", "films"));
	assert_false(fits(&r, "app", "gone"));
	assert_false(fits(&r, "app", "unknown"));
	assert_false(fits(&r, "app", "undecided"));
	r.app = gone; // ended under a catalogue that had it
	assert_true(fits(&r, "app", "gone"));
	r.app = DP_APP_UNKNOWN;
	assert_true(fits(&r, "app", "unknown"));
	r.app = DP_APP_UNDECIDED;
	assert_true(fits(&r, "app", "undecided"));
	assert_true(fits(&r, "evidence", "sni"));
	assert_false(fits(&r, "evidence", "dns"));
	r.evidence = DP_EVIDENCE_NONE;
	assert_true(fits(&r, "evidence", "none"));
}

static void nothing_said_lets_everything_through(void **)
{
	const struct ctl_flow_filter f = {0};
	const struct dp_record r = flow();

	assert_true(ctl_flow_filter_fits(&f, &r, namer));
}

static void an_endpoint_is_an_address_or_its_pseudonym(void **)
{
	struct dp_record r = flow();
	char name[CTL_SUBJECT_MAX];

	assert_true(fits(&r, "endpoint", "10.0.0.7"));
	assert_true(fits(&r, "endpoint", "endpoint:10.0.0.7")); // as a laboratory's answers have it
	assert_false(fits(&r, "endpoint", "10.0.0.8"));
	ctl_namer_endpoint(namer, &r.endpoint, name);
	assert_true(fits(&r, "endpoint", name));
	assert_false(fits(&r, "endpoint", "endpoint:aaaaaaaaaaaaaaaa"));
	assert_int_equal(dp_addr_parse("2001:db8:0:1::", &r.endpoint), 0);
	assert_true(fits(&r, "endpoint", "2001:db8:0:1:2::3")); // of its /64
	assert_false(fits(&r, "endpoint", "2001:db8:0:2::3"));
}

static void a_network_is_of_all_its_endpoints(void **)
{
	struct dp_record r = flow();
	struct ctl_flow_filter f;
	struct dp_err err;

	assert_true(fits(&r, "endpoint", "10.0.0.0/8"));
	assert_true(fits(&r, "endpoint", "0.0.0.0/0"));
	assert_true(fits(&r, "endpoint", "10.0.0.7/32"));
	assert_false(fits(&r, "endpoint", "10.1.0.0/16"));
	assert_int_equal(dp_addr_parse("2001:db8:0:1::", &r.endpoint), 0);
	assert_true(fits(&r, "endpoint", "2001:db8::/32"));
	assert_true(fits(&r, "endpoint", "[2001:db8:0:1:2::3]"));
	assert_true(fits(&r, "endpoint", "2001:db8:0:1:2::/80")); // of its /64
	assert_false(fits(&r, "endpoint", "0.0.0.0/0"));
	assert_int_equal(read_filter("endpoint", "10.0.0.0/8", &f, &err), 0);
	assert_false(f.has_endpoint); // nobody is named
	assert_int_equal(read_filter("endpoint", "2001:db8:0:1::/64", &f, &err), 0);
	assert_true(f.has_endpoint);
	expect_refused("endpoint", "10.0.0.7/8", "expected an address of a subscriber, a network");
	expect_refused("endpoint", "[10.0.0.7", "expected an address of a subscriber, a network");
	expect_refused("endpoint", "[]", "expected an address of a subscriber, a network");
}

static void an_endpoint_outside_the_networks_is_known_as_one(void **)
{
	static const struct {
		const char *endpoint;
		bool is_outside;
	} cases[] = {{"10.0.0.7", false}, {"203.0.113.9", true}, {"10.20.0.0/16", false},
		{"0.0.0.0/0", false}, {"203.0.113.0/24", true}, {"2001:db8::1", true},
		{"fd00::1", false}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ctl_flow_filter f;
		struct dp_err err;

		assert_int_equal(read_filter("endpoint", cases[i].endpoint, &f, &err), 0);
		assert_int_equal(f.is_outside, cases[i].is_outside);
	}
}

static void expect_word(const struct dp_record *r, bool is_plain, bool is_named, const char *word)
{
	const struct ctl_flow_word_as as = {.nets = &nets,
		.namer = is_plain ? plain_namer : namer,
		.is_plain = is_plain,
		.is_named = is_named};
	char got[CTL_FLOW_WORD_MAX], endpoint[CTL_SUBJECT_MAX], name[CTL_SUBJECT_MAX];
	g_autofree char *expected = NULL;
	char **parts = g_strsplit(word, "ENDPOINT", 0);

	ctl_namer_endpoint(namer, &r->endpoint, name);
	expected = g_strjoinv(name, parts);
	g_strfreev(parts);
	ctl_flow_word(r, &as, got);
	assert_string_equal(got, expected);
	ctl_flow_word_endpoint(r, &as, endpoint);
	assert_int_equal(g_str_has_prefix(endpoint, "endpoint:"), !is_plain && !is_named);
}

static void who_the_subscriber_is_only_who_named_him_is_told(void **)
{
	struct dp_record r = flow();

	expect_word(&r, false, false, "tcp:[ENDPOINT]:50312-203.0.113.9:443");
	expect_word(&r, false, true, "tcp:10.0.0.7:50312-203.0.113.9:443");
	expect_word(&r, true, false, "tcp:10.0.0.7:50312-203.0.113.9:443");
	r.note.server_is_src = true; // the first packet that was seen came from the server
	r.note.dst = r.note.src;
	assert_int_equal(dp_addr_parse("2001:db8::9", &r.note.src), 0);
	expect_word(&r, false, false, "tcp:[2001:db8::9]:50312-[ENDPOINT]:443");
	r.note.l4_proto = IPPROTO_ICMP;
	r.note.sport = r.note.dport = 0;
	expect_word(&r, false, false, "icmp:[2001:db8::9]-[ENDPOINT]");
}

static void the_other_side_may_be_a_subscriber_too(void **)
{
	struct dp_record r = flow();
	char other[CTL_SUBJECT_MAX];
	g_autofree char *both = NULL, *named = NULL;

	assert_int_equal(dp_addr_parse("10.0.0.9", &r.note.dst), 0);
	r.is_ambiguous = true;
	ctl_namer_endpoint(namer, &r.note.dst, other);
	both = g_strdup_printf("tcp:[ENDPOINT]:50312-[%s]:443", other);
	named = g_strdup_printf("tcp:10.0.0.7:50312-[%s]:443", other);
	expect_word(&r, false, false, both);
	expect_word(&r, false, true, named);
	expect_word(&r, true, false, "tcp:10.0.0.7:50312-10.0.0.9:443");
	assert_false(fits(&r, "host", "10.0.0.9"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_makes_no_sense_is_refused_with_what_would),
		cmocka_unit_test(an_endpoint_is_not_repeated),
		cmocka_unit_test(a_name_fits_on_a_label_boundary),
		cmocka_unit_test(each_option_has_its_say),
		cmocka_unit_test(nothing_said_lets_everything_through),
		cmocka_unit_test(an_endpoint_is_an_address_or_its_pseudonym),
		cmocka_unit_test(a_network_is_of_all_its_endpoints),
		cmocka_unit_test(an_endpoint_outside_the_networks_is_known_as_one),
		cmocka_unit_test(who_the_subscriber_is_only_who_named_him_is_told),
		cmocka_unit_test(the_other_side_may_be_a_subscriber_too),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
