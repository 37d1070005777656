// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N = 1 << 16 };

/* The i-th address, as an attacker would choose them against a product of known factors. */
static struct dp_addr address(int family, uint64_t i)
{
	// inverse of 0x9e3779b97f4a7c15 * 0xff51afd7ed558ccd modulo 2^64: equal high bits
	const uint64_t known = UINT64_C(0x9e3779b97f4a7c15) * UINT64_C(0xff51afd7ed558ccd);
	uint64_t inverse = known, half;
	struct dp_addr addr = {0};

	for (int round = 0; round < 6; round++)
		inverse *= 2 - known * inverse;
	if (family == 0) {
		half = GUINT64_TO_BE(UINT64_C(0xffff0a000000) + i);
		memcpy(addr.b + 8, &half, sizeof(half));
	} else if (family == 1) {
		half = GUINT64_TO_BE(UINT64_C(0xfc00) << 48 | i);
		memcpy(addr.b, &half, sizeof(half));
	} else {
		half = i * inverse;
		memcpy(addr.b, &half, sizeof(half));
	}
	return addr;
}

/* A table of twice the places: of N random numbers about 0.8 N places are taken. */
static void addresses_in_order_or_of_choice_spread_over_a_table(void **)
{
	for (int family = 0; family < 3; family++) {
		g_autofree uint8_t *taken = g_new0(uint8_t, 2 * N);
		size_t n_taken = 0;

		for (uint64_t i = 0; i < N; i++) {
			const struct dp_addr addr = address(family, i);
			const guint place = ctl_addr_hash(&addr) % (2 * N - 1);

			n_taken += taken[place] == 0;
			taken[place] = 1;
		}
		print_message("family %d: %zu\n", family, n_taken);
		assert_true(n_taken > N / 2);
	}
}

/* Lower-case names that all meet in one place of g_str_hash(). */
static void names_of_choice_spread_over_a_table(void **)
{
	g_autofree uint8_t *taken = g_new0(uint8_t, 2 * N);
	size_t n_taken = 0;
	guint known = 0;

	for (uint32_t i = 0; i < N; i++) {
		char name[2 * 16 + sizeof(".example")] = "";
		guint place;

		for (int bit = 0; bit < 16; bit++)
			strcat(name, (i >> bit & 1) != 0 ? "az" : "c8");
		strcat(name, ".example");
		known = i == 0 ? g_str_hash(name) : known;
		assert_int_equal(g_str_hash(name), known);
		place = ctl_name_hash(name) % (2 * N - 1);
		n_taken += taken[place] == 0;
		taken[place] = 1;
	}
	assert_true(n_taken > N / 2);
}

static void equal_names_have_equal_hashes(void **)
{
	char a[] = "www.a-name.example", b[] = "www.a-name.example";

	assert_int_equal(ctl_name_hash(a), ctl_name_hash(b));
	assert_int_not_equal(ctl_name_hash(""), ctl_name_hash("a"));
}

static void equal_addresses_have_equal_hashes(void **)
{
	const struct dp_addr a = address(1, 77), b = address(1, 77), c = address(1, 78);

	assert_true(ctl_addr_equal(&a, &b));
	assert_false(ctl_addr_equal(&a, &c));
	assert_int_equal(ctl_addr_hash(&a), ctl_addr_hash(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_in_order_or_of_choice_spread_over_a_table),
		cmocka_unit_test(equal_addresses_have_equal_hashes),
		cmocka_unit_test(names_of_choice_spread_over_a_table),
		cmocka_unit_test(equal_names_have_equal_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
