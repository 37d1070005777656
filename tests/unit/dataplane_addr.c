// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

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

/* A prefix near others: the first bytes come from a few values, and IPv4 may be part of an IPv6 one. */
static struct dp_prefix random_prefix(void)
{
	static const uint8_t firsts[] = {0, 10, 100, 0x20, 0x2a, 0xfd};
	struct dp_prefix p = {.len = (uint8_t)(rand() % 129)};

	for (size_t i = 0; i < sizeof(p.addr.b); i++)
		p.addr.b[i] = firsts[(unsigned int)rand() % LENGTH(firsts)];
	if (rand() % 2 == 0) {
		p.addr = dp_addr_from_v4(p.addr.b + 12);
		if (rand() % 8 != 0)
			p.len = (uint8_t)(96 + rand() % 33);
	}
	for (unsigned int bit = p.len; bit < 128; bit++)
		p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

/* p's first or last address, or a neighbour of it. */
static struct dp_addr border(const struct dp_prefix *p)
{
	struct dp_addr a = p->addr;
	int step = rand() % 3 - 1;

	if (rand() % 2 == 0) {
		for (unsigned int bit = p->len; bit < 128; bit++)
			a.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
	for (int i = 15; i >= 0 && step != 0; i--) {
		const int sum = a.b[i] + step;

		a.b[i] = (uint8_t)sum;
		step = sum > 255 ? 1 : sum < 0 ? -1 : 0;
	}
	return a;
}

static bool is_inside(const struct dp_endpoint_nets *nets, const struct dp_addr *a)
{
	for (uint16_t i = 0; i < nets->n_nets; i++) {
		if (dp_prefix_contains(&nets->net[i], a))
			return true;
	}
	return false;
}

static void networks_hold_what_one_of_their_prefixes_contains(void **)
{
	static const uint16_t n_nets[] = {0, 1, 2, 5, 20, DP_NETS_MAX};

	srand(1);
	for (unsigned int round = 0; round < 600; round++) {
		const uint16_t n = n_nets[round % LENGTH(n_nets)];
		struct dp_prefix prefixes[DP_NETS_MAX];
		struct dp_endpoint_nets nets;

		for (uint16_t i = 0; i < n; i++)
			prefixes[i] = random_prefix();
		dp_endpoint_nets_init(&nets, prefixes, n, 128);
		for (unsigned int i = 0; i < 200; i++) {
			struct dp_prefix p[2] = {random_prefix(), random_prefix()};

			if (n > 0)
				p[0] = prefixes[rand() % n];

			const struct dp_addr src = border(&p[0]), dst = border(&p[1]);
			const bool src_in = is_inside(&nets, &src), dst_in = is_inside(&nets, &dst);
			const struct dp_endpoint e = dp_endpoint_of(&nets, &src, &dst);

			assert_int_equal(e.is_ambiguous, src_in == dst_in);
			assert_int_equal(
				e.is_src, src_in == dst_in ? dp_addr_cmp(&src, &dst) <= 0 : src_in);
			assert_int_equal(dp_addr_cmp(&e.addr, e.is_src ? &src : &dst), 0);
		}
	}
}

static void an_ipv6_endpoint_is_as_long_as_its_prefix(void **)
{
	static const struct {
		uint8_t len;
		const char *endpoint;
	} rows[] = {{48, "2001:db8:1111::"}, {56, "2001:db8:1111:2200::"},
		{64, "2001:db8:1111:2222::"}, {127, "2001:db8:1111:2222:3333:4444:5555:6666"},
		{128, "2001:db8:1111:2222:3333:4444:5555:6667"}};
	const struct dp_addr src = addr("2001:db8:1111:2222:3333:4444:5555:6667"),
			     dst = addr("2001:db9::1");
	struct dp_prefix p;

	assert_int_equal(dp_prefix_parse("2001:db8::/32", &p), 0);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct dp_endpoint_nets nets;

		dp_endpoint_nets_init(&nets, &p, 1, rows[i].len);
		assert_addr(dp_endpoint_of(&nets, &src, &dst).addr, rows[i].endpoint);
	}
}

static void equal_networks_are_equal_bytes(void **)
{
	struct dp_endpoint_nets a, b;

	memset(&a, 0xff, sizeof(a));
	memset(&b, 0, sizeof(b));
	dp_endpoint_nets_default(&a);
	dp_endpoint_nets_default(&b);
	assert_memory_equal(&a, &b, sizeof(a));
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
		cmocka_unit_test(networks_hold_what_one_of_their_prefixes_contains),
		cmocka_unit_test(an_ipv6_endpoint_is_as_long_as_its_prefix),
		cmocka_unit_test(equal_networks_are_equal_bytes),
		cmocka_unit_test(the_longest_endpoint_text_fits_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
