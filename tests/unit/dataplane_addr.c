// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

static void assert_addr(struct dp_addr a, const char *text)
{
	char buf[DP_ADDR_STRLEN];

	assert_string_equal(dp_addr_format(&a, buf), text);
}

static void an_address_survives_text_and_back(void **)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {
		{"10.0.0.7", "10.0.0.7"}, {"255.255.255.255", "255.255.255.255"},
		{"2001:DB8:0:0:0:0:0:7", "2001:db8::7"}, {"::", "::"},
		{"::ffff:192.0.2.1", "192.0.2.1"}, // one form for both families
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_addr(addr(rows[i].text), rows[i].canonical);
}

static void what_is_no_address_is_refused_and_nothing_is_written(void **)
{
	static const char *const texts[] = {"", "10.0.0", "10.0.0.256", "10.0.0.7 ", " ::1",
		"::1%lo", "1:2", "host", "10.0.0.7/8"};
	struct dp_addr a = {.b = {42}};

	for (size_t i = 0; i < LENGTH(texts); i++) {
		assert_int_equal(dp_addr_parse(texts[i], &a), -EINVAL);
		assert_int_equal(a.b[0], 42);
	}
}

static void ipv4_sorts_before_global_ipv6(void **)
{
	const struct dp_addr v4 = addr("255.255.255.255"), v6 = addr("2001:db8::");

	assert_true(dp_addr_is_v4(&v4));
	assert_false(dp_addr_is_v4(&v6));
	assert_true(dp_addr_cmp(&v4, &v6) < 0);
}

static void a_prefix_counts_bits_of_the_common_form(void **)
{
	static const struct {
		const char *text;
		int result;
		uint8_t len;
	} rows[] = {
		{"10.0.0.0/8", 0, 104},
		{"0.0.0.0/0", 0, 96},
		{"10.0.0.7", 0, 128},
		{"10.0.0.7/32", 0, 128},
		{"2001:db8::/32", 0, 32},
		{"::/0", 0, 0},
		{"2001:db8::7/128", 0, 128},
		{"::ffff:10.0.0.0/104", 0, 104},
		{"10.0.0.0/33", -ERANGE, 0},
		{"2001:db8::/129", -ERANGE, 0},
		{"2001:db8::/99999999999999999999999", -ERANGE, 0},
		{"10.0.0.1/8", -EDOM, 0},
		{"2001:db8::1/127", -EDOM, 0},
		{"10.0.0.0/", -EINVAL, 0},
		{"10.0.0.0/-1", -EINVAL, 0},
		{"10.0.0.0/ 8", -EINVAL, 0},
		{"10.0.0.0/8x", -EINVAL, 0},
		{"/8", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8", -EINVAL, 0},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct dp_prefix p = {.len = 42};

		assert_int_equal(dp_prefix_parse(rows[i].text, &p), rows[i].result);
		assert_int_equal(p.len, rows[i].result == 0 ? rows[i].len : 42);
	}
}

static void a_prefix_contains_its_first_and_last_address_and_no_neighbour(void **)
{
	static const struct {
		const char *prefix, *first, *last, *below, *above;
	} rows[] = {
		{"172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
		{"192.0.2.7/32", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"},
		{"2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
			"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:8000::"},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct dp_addr first = addr(rows[i].first), last = addr(rows[i].last);
		const struct dp_addr below = addr(rows[i].below), above = addr(rows[i].above);
		struct dp_prefix p;

		assert_int_equal(dp_prefix_parse(rows[i].prefix, &p), 0);
		assert_true(dp_prefix_contains(&p, &first));
		assert_true(dp_prefix_contains(&p, &last));
		assert_false(dp_prefix_contains(&p, &below));
		assert_false(dp_prefix_contains(&p, &above));
	}
}

static void the_endpoint_is_the_inside_address_whoever_sends(void **)
{
	static const struct {
		const char *src, *dst, *endpoint;
		bool is_src, is_ambiguous;
	} rows[] = {
		{"10.0.0.7", "203.0.113.9", "10.0.0.7", true, false},
		{"203.0.113.9", "10.0.0.7", "10.0.0.7", false, false},
		{"100.64.0.1", "203.0.113.9", "100.64.0.1", true, false},
		{"10.0.0.8", "10.0.0.7", "10.0.0.7", false, true}, // both inside: the lower
		{"203.0.113.9", "198.51.100.1", "198.51.100.1", false, true}, // none inside
		{"fd00:1:2:3::5", "2001:db8::1", "fd00:1:2:3::", true, false}, // its /64
		{"2001:db8::1", "fd00:1:2:3::5", "fd00:1:2:3::", false, false},
	};
	struct dp_endpoint_nets nets;

	dp_endpoint_nets_default(&nets);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct dp_addr src = addr(rows[i].src), dst = addr(rows[i].dst);
		const struct dp_endpoint there = dp_endpoint_of(&nets, &src, &dst);
		const struct dp_endpoint back = dp_endpoint_of(&nets, &dst, &src);

		assert_addr(there.addr, rows[i].endpoint);
		assert_int_equal(there.is_src, rows[i].is_src);
		assert_int_equal(there.is_ambiguous, rows[i].is_ambiguous);
		assert_addr(back.addr, rows[i].endpoint);
		assert_int_equal(back.is_src, !rows[i].is_src);
		assert_int_equal(back.is_ambiguous, rows[i].is_ambiguous);
	}
}

static void the_longest_endpoint_text_fits_its_buffer(void **)
{
	const struct dp_addr a = addr("2001:db80:1111:2222:3333:4444:5555:6666"),
			     v4 = addr("10.0.0.7");
	char buf[DP_ADDR_STRLEN + 4];

	assert_string_equal(
		dp_endpoint_format(&a, 127, buf), "2001:db80:1111:2222:3333:4444:5555:6666/127");
	assert_string_equal(
		dp_endpoint_format(&a, 128, buf), "2001:db80:1111:2222:3333:4444:5555:6666");
	assert_string_equal(dp_endpoint_format(&v4, 64, buf), "10.0.0.7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_survives_text_and_back),
		cmocka_unit_test(what_is_no_address_is_refused_and_nothing_is_written),
		cmocka_unit_test(ipv4_sorts_before_global_ipv6),
		cmocka_unit_test(a_prefix_counts_bits_of_the_common_form),
		cmocka_unit_test(a_prefix_contains_its_first_and_last_address_and_no_neighbour),
		cmocka_unit_test(the_endpoint_is_the_inside_address_whoever_sends),
		cmocka_unit_test(the_longest_endpoint_text_fits_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
