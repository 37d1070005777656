// SPDX-License-Identifier: BSD-3-Clause
#include "control/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
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

struct row {
	const char *host, *name, *domain;
};

static void assert_rows(const struct row *rows, size_t n, enum ctl_domain_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		struct ctl_domain d;

		ctl_domain_read(domains, rows[i].host, &d);
		assert_string_equal(d.name, rows[i].name);
		assert_string_equal(d.name + d.domain_off, rows[i].domain);
		assert_int_equal(d.kind, kind);
	}
}
#define ASSERT_ROWS(rows, kind) assert_rows(rows, sizeof(rows) / sizeof((rows)[0]), kind)

static void a_domain_is_what_somebody_registered(void **)
{
	static const struct row rows[] = {
		{"www.example.com", "www.example.com", "example.com"},
		{"example.com", "example.com", "example.com"},
		{"a.b.example.co.uk", "a.b.example.co.uk", "example.co.uk"},
		{"site.github.io", "site.github.io", "site.github.io"}, // a private suffix
		{"cdn.xn--bcher-kva.example", "cdn.xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"box.lan", "box.lan", "box.lan"}, // no rule: the last label
		{"WWW.Example.COM.", "www.example.com", "example.com"},
		{"www.example.com:8443", "www.example.com", "example.com"},
		{"www.163.com", "www.163.com", "163.com"}, // digits are a brand there
		{"_x._tcp.example.com", "_x._tcp.example.com", "example.com"},
	};

	ASSERT_ROWS(rows, CTL_DOMAIN_OWN);
}

static void what_nobody_registered_is_shared(void **)
{
	static const struct row rows[] = {
		{"localhost", "localhost", "localhost"},
		{"router:80", "router", "router"},
		{"co.uk", "co.uk", "co.uk"},
		{"github.io", "github.io", "github.io"},
		{"com", "com", "com"},
	};

	ASSERT_ROWS(rows, CTL_DOMAIN_SHARED);
}

static void what_is_no_name_is_none(void **)
{
	static const struct row rows[] = {
		{"", "", ""},
		{".", "", ""},
		{"203.0.113.9", "", ""},
		{"203.0.113.9:8080", "", ""},
		{"[2001:db8::9]:8080", "", ""},
		{"2001:db8::9", "", ""},
		{"www.example.com:http", "", ""},
		{"1.2.3", "", ""},
		{"????", "", ""},
		{"????.com", "", ""}, // whose it is, nobody can say
		{"www.example.c?m", "", ""},
		{"www.example.com-", "", ""},
		{"1234567890", "", ""},
	};

	ASSERT_ROWS(rows, CTL_DOMAIN_NONE);
}

static void of_a_name_with_bytes_that_no_name_has_the_sound_end_counts(void **)
{
	static const struct row rows[] = {
		{"?x?.www.example.com", "www.example.com", "example.com"},
		{"a..example.com", "example.com", "example.com"},
		{"-a.example.com", "example.com", "example.com"},
	};

	ASSERT_ROWS(rows, CTL_DOMAIN_OWN);
}

static void what_may_say_who_somebody_is_is_not_kept(void **)
{
	static const struct row own[] = {
		{"10-20-0-11.abc.example.com", "*.abc.example.com", "example.com"},
		{"ip-10-20-0-11.example.com", "*.example.com", "example.com"},
		{"11.0.20.10.rev.example.net", "*.*.*.*.rev.example.net", "example.net"},
		{"2001-db8--7.example.com", "*.example.com", "example.com"},
		{"99900000001.msisdn.example.com", "*.msisdn.example.com", "example.com"},
		{"u99900000001.example.com", "*.example.com", "example.com"},
		{"deadbeefdeadbeef.example.com", "*.example.com", "example.com"},
		{"a1-b2.cafe.example.com", "a1-b2.cafe.example.com", "example.com"},
		{"x1a2b3c4d5.example", "x1a2b3c4d5.example",
			"x1a2b3c4d5.example"}, // made up by a machine
	};
	static const struct row shared[] = {
		{"10-20-0-11.dyndns.org", "dyndns.org", "dyndns.org"},
	};

	ASSERT_ROWS(own, CTL_DOMAIN_OWN);
	ASSERT_ROWS(shared, CTL_DOMAIN_SHARED);
}

static void a_name_that_is_too_long_keeps_its_end(void **)
{
	char host[400];
	struct ctl_domain d;

	memset(host, 'a', sizeof(host));
	for (size_t i = 50; i < sizeof(host); i += 50)
		host[i] = '.';
	strcpy(host + sizeof(host) - sizeof("www.example.com"), "www.example.com");
	ctl_domain_read(domains, host, &d);
	assert_int_equal(d.kind, CTL_DOMAIN_OWN);
	assert_string_equal(d.name + d.domain_off, "example.com");
	assert_true(strlen(d.name) < CTL_DOMAIN_MAX);
}

static void every_truncation_is_read_inside_its_bounds(void **)
{
	static const char host[] = "?.10-20-0-11.abc.example.co.uk.:8443";

	for (size_t len = 0; len < sizeof(host); len++) {
		char *copy = strndup(host, len); // of its own size: a read past the end is seen
		struct ctl_domain d;

		ctl_domain_read(domains, copy, &d);
		assert_true(d.domain_off <= strlen(d.name));
		free(copy);
	}
}

static void the_own_part_of_a_domain_is_before_the_suffix(void **)
{
	assert_int_equal(ctl_domain_own_len(domains, "example.co.uk"), strlen("example"));
	assert_int_equal(ctl_domain_own_len(domains, "example.com"), strlen("example"));
	assert_int_equal(ctl_domain_own_len(domains, "www.example.com"), strlen("www.example"));
	assert_int_equal(ctl_domain_own_len(domains, "co.uk"), 0);
	assert_int_equal(ctl_domain_own_len(domains, "localhost"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_domain_is_what_somebody_registered),
		cmocka_unit_test(what_nobody_registered_is_shared),
		cmocka_unit_test(what_is_no_name_is_none),
		cmocka_unit_test(of_a_name_with_bytes_that_no_name_has_the_sound_end_counts),
		cmocka_unit_test(what_may_say_who_somebody_is_is_not_kept),
		cmocka_unit_test(a_name_that_is_too_long_keeps_its_end),
		cmocka_unit_test(every_truncation_is_read_inside_its_bounds),
		cmocka_unit_test(the_own_part_of_a_domain_is_before_the_suffix),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
