// SPDX-License-Identifier: BSD-3-Clause
#include "control/facts_yaml.h"

#include "tests/unit/mistake_list.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const struct ctl_told_env env = {.default_zone = "Europe/Berlin", .ipv6_prefix_len = 64};

static struct ctl_facts *facts_of(const char *text)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	struct ctl_facts *facts = NULL;

	if (ctl_told_parse("told.yaml", text, strlen(text), &env, m, &facts) < 0) {
		GString *lines = mistake_lines(m);

		fail_msg("%s", lines->str);
	}
	assert_int_equal(ctl_mistakes_count(m), 0);
	ctl_mistakes_free(m);
	return facts;
}

static void assert_refused(const char *text, const struct ctl_told_env *e, const char *lines)
{
	struct ctl_mistakes *m = ctl_mistakes_new();
	struct ctl_facts *facts = NULL;

	assert_int_equal(ctl_told_parse("t", text, strlen(text), e, m, &facts), -EINVAL);
	assert_null(facts);
	assert_mistakes(m, lines);
	ctl_mistakes_free(m);
}

static uint64_t at(const char *text)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(text, NULL);

	return (uint64_t)g_date_time_to_unix(t) * 1000000000;
}

static const struct ctl_person *bound(
	const struct ctl_facts *facts, const char *address, uint64_t t_ns, bool *ret_is_ambiguous)
{
	struct dp_addr addr;

	assert_int_equal(dp_addr_parse(address, &addr), 0);
	return ctl_facts_binding(facts, &addr, t_ns, ret_is_ambiguous);
}

static void assert_bound(
	const struct ctl_facts *facts, const char *address, const char *t, uint64_t id)
{
	bool is_ambiguous;
	const struct ctl_person *p = bound(facts, address, at(t), &is_ambiguous);

	if ((p == NULL ? 0 : p->id) != id || is_ambiguous)
		fail_msg("%s at %s: %d%s", address, t, p == NULL ? 0 : (int)p->id,
			is_ambiguous ? " ambiguous" : "");
}

static const char full[] =
	"static: true\n"
	"source: crm-export\n"
	"plans:\n"
	"  - {id: max, cap: unlimited}\n"
	"  - {id: l, cap: 20GB}\n"
	"  - {id: m, cap: 5GB}\n"
	"subscribers:\n"
	"  - msisdn: \"+99900000001\"\n"
	"    imsi: \"001010000000001\"\n"
	"    account: A-1\n"
	"    addresses:\n"
	"      - 10.20.0.11\n"
	"      - 2001:db8:20:1::/64\n"
	"      - {address: 10.20.0.99, since: 2026-01-01T00:00:00Z, until: 2026-02-01T00:00:00Z}\n"
	"    zone: Europe/Lisbon\n"
	"    plan:\n"
	"      id: s\n"
	"      since: 2025-06-01T00:00:00Z\n"
	"      own_services: [own-tv]\n"
	"      zero_rated: [own-tv, radio]\n"
	"      buckets:\n"
	"        - {id: data, cap: 300MB, anchor_day: 31, zone: America/New_York, scope: all}\n"
	"        - {id: video, cap: 1GB, scope: {apps: [netflix]}}\n"
	"    line: {kind: consumer}\n"
	"    consent:\n"
	"      - {purpose: marketing, status: granted, until: 2027-01-01T00:00:00Z, version: 3}\n"
	"      - {purpose: profiling, status: withdrawn}\n"
	"    holds:\n"
	"      - {kind: complaint, topic: billing, since: 2026-03-01T00:00:00Z,\n"
	"         resolved: 2026-03-05T00:00:00Z}\n"
	"      - {kind: do_not_contact, since: 2026-03-01T00:00:00Z}\n"
	"    segments: [family, young]\n"
	"    cycle_history:\n"
	"      - {start: 2026-01-01T00:00:00+01:00, bytes: 10MB, cap: 300MB}\n"
	"      - {start: 2025-12-01T00:00:00+01:00, bytes: 280MB, cap: 300MB, day_reached: 25}\n"
	"  - account: B-2\n";

static void a_file_tells_everything_of_a_person(void **)
{
	struct ctl_facts *facts = facts_of(full);
	const struct ctl_person *p = ctl_facts_find(facts, "msisdn:+99900000001");

	assert_non_null(p);
	assert_int_equal(p->id, 1);
	assert_ptr_equal(p, ctl_facts_find(facts, "imsi:001010000000001"));
	assert_ptr_equal(p, ctl_facts_find(facts, "001010000000001"));
	assert_ptr_equal(p, ctl_facts_find(facts, "A-1"));
	assert_null(ctl_facts_find(facts, "account:+99900000001"));
	assert_null(ctl_facts_find(facts, "A-2"));
	assert_string_equal(p->plan, "s");
	assert_int_equal(p->plan_since_ns, at("2025-06-01T00:00:00Z"));
	assert_string_equal(p->own_services[0], "own-tv");
	assert_string_equal(p->zero_rated[1], "radio");
	assert_int_equal(p->n_buckets, 2);
	assert_int_equal(p->buckets[0].cap_bytes, 300000000);
	assert_int_equal(p->buckets[0].anchor_day, 31);
	assert_string_equal(g_time_zone_get_identifier(p->buckets[0].tz), "America/New_York");
	assert_int_equal(p->buckets[0].scope, CTL_SCOPE_ALL);
	assert_string_equal(p->buckets[1].zone, "Europe/Lisbon"); // the person's
	assert_int_equal(p->buckets[1].anchor_day, 1);
	assert_int_equal(p->buckets[1].scope, CTL_SCOPE_APPS);
	assert_string_equal(p->buckets[1].apps[0], "netflix");
	assert_true(p->has_line_facts);
	assert_int_equal(p->line, CTL_LINE_CONSUMER);
	assert_int_equal(p->n_consents, 2);
	assert_true(p->consents[0].is_granted);
	assert_int_equal(p->consents[0].version, 3);
	assert_false(p->consents[1].is_granted);
	assert_int_equal(p->n_holds, 2);
	assert_int_equal(p->holds[0].kind, CTL_HOLD_COMPLAINT);
	assert_string_equal(p->holds[0].topic, "billing");
	assert_int_equal(p->holds[0].resolved_ns, at("2026-03-05T00:00:00Z"));
	assert_int_equal(p->holds[1].until_ns, 0);
	assert_string_equal(p->segments[1], "young");
	assert_int_equal(p->n_past, 2);
	assert_int_equal(p->past[0].day_reached, 25); // oldest first
	assert_int_equal(p->past[1].bytes, 10000000);
	ctl_facts_free(facts);
}

static void plans_are_sorted_by_cap_with_unlimited_last(void **)
{
	struct ctl_facts *facts = facts_of(full);

	assert_int_equal(facts->plans->len, 3);
	assert_string_equal(g_array_index(facts->plans, struct ctl_plan, 0).id, "m");
	assert_string_equal(g_array_index(facts->plans, struct ctl_plan, 1).id, "l");
	assert_string_equal(g_array_index(facts->plans, struct ctl_plan, 2).id, "max");
	assert_int_equal(g_array_index(facts->plans, struct ctl_plan, 2).cap_bytes, 0);
	ctl_facts_free(facts);
}

static void a_zone_that_was_not_told_falls_back(void **)
{
	struct ctl_facts *facts = facts_of(
		"static: true\n"
		"subscribers:\n"
		"  - account: a\n"
		"  - account: b\n"
		"    plan: {id: p, buckets: [{id: x, cap: 1GB}, {id: y, cap: 1GB, zone: UTC}]}\n");
	const struct ctl_person *a = ctl_facts_find(facts, "a"), *b = ctl_facts_find(facts, "b");

	assert_string_equal(a->zone, "Europe/Berlin");
	assert_string_equal(g_time_zone_get_identifier(a->tz), "Europe/Berlin");
	assert_false(a->has_line_facts); // G3 fails closed
	assert_string_equal(b->buckets[0].zone, "Europe/Berlin");
	assert_string_equal(b->zone, "UTC");
	ctl_facts_free(facts);
}

static void an_address_belongs_to_a_person_from_since_until_before_until(void **)
{
	struct ctl_facts *facts = facts_of(full);

	assert_bound(facts, "10.20.0.11", "1971-01-01T00:00:00Z", 1);
	assert_bound(facts, "2001:db8:20:1::", "2026-01-01T00:00:00Z", 1);
	assert_bound(facts, "10.20.0.12", "2026-01-01T00:00:00Z", 0);
	assert_bound(facts, "10.20.0.99", "2025-12-31T23:59:59Z", 0);
	assert_bound(facts, "10.20.0.99", "2026-01-01T00:00:00Z", 1);
	assert_bound(facts, "10.20.0.99", "2026-01-31T23:59:59Z", 1);
	assert_bound(facts, "10.20.0.99", "2026-02-01T00:00:00Z", 0);
	ctl_facts_free(facts);
}

static void two_persons_at_one_time_make_a_binding_ambiguous(void **)
{
	struct ctl_facts *facts = facts_of(
		"static: true\n"
		"subscribers:\n"
		"  - {account: a, addresses: [{address: 10.0.0.1, until: 2026-01-10T00:00:00Z}]}\n"
		"  - {account: b, addresses: [{address: 10.0.0.1, since: 2026-01-09T00:00:00Z,\n"
		"     until: 2026-01-20T00:00:00Z}, {address: 10.0.0.1, since: "
		"2026-01-15T00:00:00Z,\n"
		"     until: 2026-01-21T00:00:00Z}]}\n"
		"  - {account: c, addresses: [{address: 10.0.0.1, since: 2026-01-21T00:00:00Z}]}\n");
	bool is_ambiguous;

	assert_bound(facts, "10.0.0.1", "2026-01-08T23:59:59Z", 1);
	assert_null(bound(facts, "10.0.0.1", at("2026-01-09T00:00:00Z"), &is_ambiguous));
	assert_true(is_ambiguous);
	assert_null(bound(facts, "10.0.0.1", at("2026-01-09T23:59:59Z"), &is_ambiguous));
	assert_true(is_ambiguous);
	assert_bound(facts, "10.0.0.1", "2026-01-10T00:00:00Z", 2);
	assert_bound(facts, "10.0.0.1", "2026-01-16T00:00:00Z", 2); // twice the same person
	assert_bound(facts, "10.0.0.1", "2026-01-20T23:59:59Z", 2);
	assert_bound(facts, "10.0.0.1", "2026-01-21T00:00:00Z", 3);
	assert_bound(facts, "10.0.0.1", "2030-01-01T00:00:00Z", 3);
	ctl_facts_free(facts);
}

/* The sweep against the definition: who covers t, straight from the claims. */
static void any_set_of_intervals_is_bound_as_the_definition_says(void **)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);

	for (int round = 0; round < 200; round++) {
		g_autoptr(GString) text = g_string_new("static: true\nsubscribers:\n");
		unsigned since[6], until[6];
		struct ctl_facts *facts;

		for (int i = 0; i < 6; i++) {
			since[i] = (unsigned)g_rand_int_range(rand, 1, 20);
			until[i] = since[i] + (unsigned)g_rand_int_range(rand, 1, 20);
			g_string_append_printf(text,
				"  - {account: p%d, addresses: [{address: 10.0.0.1, since: "
				"1970-01-01T00:00:%02uZ, until: 1970-01-01T00:00:%02uZ}]}\n",
				i, since[i], until[i]);
		}
		facts = facts_of(text->str);
		for (unsigned t = 0; t < 45; t++) {
			uint64_t holder = 0;
			size_t n = 0;
			bool is_ambiguous;
			const struct ctl_person *p = bound(
				facts, "10.0.0.1", t * 1000000000ULL, &is_ambiguous);

			for (unsigned i = 0; i < 6; i++) {
				if (since[i] <= t && t < until[i]) {
					holder = i + 1;
					n++;
				}
			}
			assert_int_equal(p == NULL ? 0 : p->id, n == 1 ? holder : 0);
			assert_int_equal(is_ambiguous, n > 1);
		}
		ctl_facts_free(facts);
	}
}

static void every_mistake_of_told_facts_is_reported_and_none_names_a_person(void **)
{
	static const char text[] =
		"as_of: yesterday\n"
		"plans:\n"
		"  - {id: m, cap: 5}\n"
		"  - {id: l, cap: 5GB}\n"
		"  - {id: l, cap: unlimited}\n"
		"subscribers:\n"
		"  - msisdn: +0123\n"
		"    imsi: \"00101\"\n"
		"    account: \"has space\"\n"
		"    addresses: [10.99.0.0/24, 2001:db8:99:1::1, 2001:db8:99::/48, 10.99.0.300]\n"
		"    zone: Europe/Berlinn\n"
		"    plan: {since: 2025-06-01, buckets: [{id: d, cap: 300, anchor_day: 32},\n"
		"           {id: d, cap: 1GB, scope: some}]}\n"
		"    line: {minor: false, knd: consumer}\n"
		"    consent: [{purpose: marketing, status: maybe},\n"
		"              {purpose: marketing, status: granted, version: x99900000001}]\n"
		"    holds: [{kind: complaint}, {kind: bill_shock, since: 2026-03-01T00:00:00Z,\n"
		"             until: 2026-02-01T00:00:00Z, resolved: 2026-02-01T00:00:00Z}]\n"
		"    cycle_history: [{start: 2025-12-01T00:00:00Z, bytes: 1MB, cap: 0B},\n"
		"                    {start: 2025-12-01T00:00:00Z, bytes: 1MB, cap: 1B}]\n"
		"    +99900000001: x\n"
		"  - zone: UTC\n"
		"  - +99900000001\n";

	assert_refused(text, &env,
		"t:1:8: 'yesterday', expected a time with its zone such as "
		"2026-03-01T00:00:00Z\n"
		"t:3:18: '5', expected a size with a unit such as 5GB, or unlimited\n"
		"t:5:10: id, expected each plan once; it is also at t:4:10\n"
		"t:7:13: msisdn, expected '+' and 4 to 15 digits (E.164), in quotes\n"
		"t:8:11: imsi, expected 14 or 15 digits, in quotes\n"
		"t:9:14: account, expected printable ASCII characters without spaces\n"
		"t:10:17: address, expected an IPv4 address or an IPv6 prefix /64 "
		"(endpoints.ipv6_prefix)\n"
		"t:10:31: address, expected an IPv4 address or an IPv6 prefix /64 "
		"(endpoints.ipv6_prefix)\n"
		"t:10:49: address, expected an IPv4 address or an IPv6 prefix /64 "
		"(endpoints.ipv6_prefix)\n"
		"t:10:67: address, expected an IPv4 address or an IPv6 prefix /64 "
		"(endpoints.ipv6_prefix)\n"
		"t:11:11: a value that is not shown, expected a time zone of the tz database such "
		"as Europe/Berlin\n"
		"t:12:11: 'id' missing, expected a text that is not empty\n"
		"t:12:19: a value that is not shown, expected a time with its zone such as "
		"2026-03-01T00:00:00Z\n"
		"t:12:54: '300', expected a size with a unit such as 150MB (B, kB, MB, GB, TB, "
		"KiB, MiB, GiB, TiB)\n"
		"t:12:71: '32', expected 1 to 31\n"
		"t:13:17: id, expected each bucket of a plan once\n"
		"t:13:37: a text, expected all or a mapping {apps: [...]}\n"
		"t:14:11: 'kind' missing, expected one of consumer, m2m, corporate, staff, test\n"
		"t:14:26: 'knd', expected a known key such as 'kind'\n"
		"t:15:44: 'maybe', expected one of granted, withdrawn\n"
		"t:16:25: purpose, expected each one once for a subscriber\n"
		"t:16:62: a value that is not shown, expected a count such as 17, 512k or 4M\n"
		"t:17:13: 'since' missing, expected a time with its zone such as "
		"2026-03-01T00:00:00Z\n"
		"t:18:21: until, expected a time after since\n"
		"t:18:53: resolved, expected a time not before since\n"
		"t:18:53: resolved, expected only with kind complaint (others end with until)\n"
		"t:19:68: '0B', expected at least 1B\n"
		"t:20:29: start, expected each cycle once for a subscriber\n"
		"t:21:5: a key that is not shown, expected a known key (msisdn, imsi, account, "
		"zone, segments, addresses, plan, line, consent, holds, cycle_history)\n"
		"t:22:5: a subscriber without identifier, expected msisdn, imsi or account\n"
		"t:23:5: a text, expected a mapping of keys to values");
}

static void no_message_holds_an_identifier_wherever_it_stands(void **)
{
	static const char *const secrets[] = {"+99900000042", "99900000042", "001010000000042",
		"10.20.30.42", "2001:db8:42::/64", "ACCT-4242", "Jo.Doe@x.example"};
	static const char *const shapes[] = {"%s", "%s: 1", "- %s", "static: %s", "as_of: %s",
		"static: true\nplans: %s", "static: true\nplans: [%s]",
		"static: true\nplans: [{id: %s, cap: %s}, {id: %s, cap: 1GB}]",
		"static: true\nsubscribers: [{account: a, \"%s\": 1}]",
		"static: true\nsubscribers: [{msisdn: \"%s %s\", imsi: \"%s-\", account: \"%s \"}]",
		"static: true\nsubscribers: [{account: \"%s\"}, {account: \"%s\", zone: \"%s\"}]",
		"static: true\nsubscribers: [{account: a, addresses: [\"%s/3\"]}]",
		"static: true\nsubscribers: [{account: a, addresses: [{address: \"%s\", until: %s}]}]",
		"static: true\nsubscribers: [{account: a, line: {kind: \"%s\"}, consent: [\"%s\"]}]",
		"static: true\nsubscribers: [{account: a, plan: \"%s\"}]", "a: \"%s\\q\"",
		"a: [\"%s\"", "\"%s\": 1\n\"%s\": 1", "a: &%s 1\nb: *%s", "a: !%s 1",
		"%TAG %s\n---\na: 1", "a: '%s"};

	for (size_t i = 0; i < G_N_ELEMENTS(secrets); i++) {
		for (size_t j = 0; j < G_N_ELEMENTS(shapes); j++) {
			g_auto(GStrv) parts = g_strsplit(shapes[j], "%s", -1);
			g_autofree char *text = g_strjoinv(secrets[i], parts);
			struct ctl_mistakes *m = ctl_mistakes_new();
			struct ctl_facts *facts = NULL;
			GString *lines;

			(void)ctl_told_parse("t", text, strlen(text), &env, m, &facts);
			lines = mistake_lines(m);
			if (strstr(lines->str, secrets[i]) != NULL)
				fail_msg("%s\ngives\n%s", text, lines->str);
			g_string_free(lines, TRUE);
			ctl_facts_free(facts);
			ctl_mistakes_free(m);
		}
	}
}

static void an_identifier_belongs_to_one_subscriber_of_a_file(void **)
{
	assert_refused("static: true\n"
		       "subscribers:\n"
		       "  - {msisdn: \"+99900000001\", account: a}\n"
		       "  - {account: b, msisdn: \"+99900000001\"}\n",
		&env,
		"t:4:26: msisdn, expected each subscriber once in a file; this one is also at t:3:5");
}

static void an_address_for_ever_belongs_to_one_subscriber(void **)
{
	assert_refused("static: true\n"
		       "subscribers:\n"
		       "  - {account: a, addresses: [10.0.0.1]}\n"
		       "  - {account: b, addresses: [10.0.0.2, 10.0.0.1]}\n",
		&env,
		"t:4:40: address, expected one subscriber at a time; another one has it at "
		"t:3:30");
}

static void an_app_that_the_catalogue_lacks_is_a_mistake(void **)
{
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	struct ctl_told_env with_apps = env;

	g_hash_table_add(names, (char *)"netflix");
	g_hash_table_add(names, (char *)"own-tv");
	with_apps.app_names = names;
	assert_refused(
		"static: true\n"
		"subscribers:\n"
		"  - account: a\n"
		"    plan: {id: s, own_services: own-tv, zero_rated: [netflx, radio, own-tvv],\n"
		"           buckets: [{id: d, cap: 1GB, scope: {apps: [disney]}}]}\n",
		&with_apps,
		"t:4:54: 'netflx', expected an app of the catalogue such as netflix\n"
		"t:4:62: 'radio', expected an app of the catalogue\n"
		"t:4:69: a value that is not shown, expected an app of the catalogue such as own-tv\n"
		"t:5:55: 'disney', expected an app of the catalogue");
}

static void facts_without_a_date_have_to_be_static(void **)
{
	struct ctl_facts *facts;

	assert_refused("source: x\n", &env,
		"t:1:1: 'as_of' missing, expected a time such as 2026-03-01T00:00:00Z, or static: "
		"true");
	facts = facts_of("as_of: 2026-03-01T00:00:00Z\n");
	assert_false(facts->is_static);
	assert_int_equal(facts->as_of_ns, at("2026-03-01T00:00:00Z"));
	ctl_facts_free(facts);
}

static char *write_temp(const char *text)
{
	char *path = g_strdup("/tmp/wirecue-told-XXXXXX");
	const int fd = mkstemp(path);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	return path;
}

/* Loads two files; lines NULL: must be right, else "A" and "B" stand for the paths. */
static struct ctl_facts *load_two(const char *a, const char *b, const char *lines)
{
	char *const paths[] = {write_temp(a), write_temp(b), NULL};
	struct ctl_mistakes *m = ctl_mistakes_new();
	struct ctl_facts *facts = NULL;
	GString *found;

	(void)ctl_told_load((const char *const *)paths, &env, m, &facts);
	found = mistake_lines(m);
	g_string_replace(found, paths[0], "A", 0);
	g_string_replace(found, paths[1], "B", 0);
	assert_string_equal(found->str, lines);
	g_string_free(found, TRUE);
	ctl_mistakes_free(m);
	for (size_t i = 0; i < 2; i++) {
		(void)unlink(paths[i]);
		g_free(paths[i]);
	}
	return facts;
}

static void files_are_merged_by_identifier(void **)
{
	struct ctl_facts *facts = load_two(
		"as_of: 2026-03-02T00:00:00Z\n"
		"subscribers:\n"
		"  - {msisdn: \"+99900000001\", account: a, segments: [x],\n"
		"     plan: {id: s}, addresses: [10.0.0.1]}\n",
		"as_of: 2026-03-01T00:00:00Z\n"
		"subscribers:\n"
		"  - {account: b}\n"
		"  - {account: a, imsi: \"001010000000001\", segments: [y, z],\n"
		"     consent: [{purpose: marketing, status: granted}], addresses: [10.0.0.2]}\n",
		"");
	const struct ctl_person *p = ctl_facts_find(facts, "imsi:001010000000001");

	assert_int_equal(facts->persons->len, 2);
	assert_ptr_equal(p, ctl_facts_find(facts, "+99900000001"));
	assert_int_equal(p->id, 1);
	assert_string_equal(p->plan, "s");
	assert_int_equal(p->n_consents, 1);
	assert_int_equal(g_strv_length(p->segments), 3);
	assert_bound(facts, "10.0.0.1", "2026-01-01T00:00:00Z", 1);
	assert_bound(facts, "10.0.0.2", "2026-01-01T00:00:00Z", 1);
	assert_int_equal(facts->as_of_ns, at("2026-03-01T00:00:00Z")); // the oldest
	ctl_facts_free(facts);
}

static void files_that_contradict_each_other_are_refused(void **)
{
	static const char a[] = "static: true\n"
				"subscribers:\n"
				"  - {msisdn: \"+99900000001\", account: a, plan: {id: s},\n"
				"     consent: [{purpose: marketing, status: granted}]}\n"
				"  - {account: b, zone: UTC}\n";
	static const char b[] = "static: true\n"
				"subscribers:\n"
				"  - {account: a, msisdn: \"+99900000002\", plan: {id: m},\n"
				"     consent: [{purpose: marketing, status: withdrawn}]}\n"
				"  - {account: b, zone: UTC, msisdn: \"+99900000001\"}\n";

	assert_null(load_two(a, b,
		"B:3:26: msisdn, expected the same as at A:3:14, where this subscriber has one\n"
		"B:3:48: plan, expected once for a subscriber; it is also at A:3:48\n"
		"B:4:26: purpose, expected each one once for a subscriber\n"
		"B:5:24: zone, expected once for a subscriber; it is also at A:5:24\n"
		"B:5:37: msisdn, expected each subscriber once in a file; this one is also at B:3:5"));
}

static void without_files_nobody_is_known_and_nothing_ages(void **)
{
	static const char *const none[] = {NULL};
	struct ctl_mistakes *m = ctl_mistakes_new();
	struct ctl_facts *facts;
	bool is_ambiguous;

	assert_int_equal(ctl_told_load(none, &env, m, &facts), 0);
	assert_true(facts->is_static);
	assert_int_equal(facts->persons->len, 0);
	assert_null(bound(facts, "10.0.0.1", 1, &is_ambiguous));
	assert_null(ctl_facts_find(facts, "+99900000001"));
	ctl_facts_free(facts);
	ctl_mistakes_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_tells_everything_of_a_person),
		cmocka_unit_test(plans_are_sorted_by_cap_with_unlimited_last),
		cmocka_unit_test(a_zone_that_was_not_told_falls_back),
		cmocka_unit_test(an_address_belongs_to_a_person_from_since_until_before_until),
		cmocka_unit_test(two_persons_at_one_time_make_a_binding_ambiguous),
		cmocka_unit_test(any_set_of_intervals_is_bound_as_the_definition_says),
		cmocka_unit_test(every_mistake_of_told_facts_is_reported_and_none_names_a_person),
		cmocka_unit_test(no_message_holds_an_identifier_wherever_it_stands),
		cmocka_unit_test(an_identifier_belongs_to_one_subscriber_of_a_file),
		cmocka_unit_test(an_address_for_ever_belongs_to_one_subscriber),
		cmocka_unit_test(an_app_that_the_catalogue_lacks_is_a_mistake),
		cmocka_unit_test(facts_without_a_date_have_to_be_static),
		cmocka_unit_test(files_are_merged_by_identifier),
		cmocka_unit_test(files_that_contradict_each_other_are_refused),
		cmocka_unit_test(without_files_nobody_is_known_and_nothing_ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
