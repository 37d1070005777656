// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/net_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

/* Networks by chance, the same in every run, beside a search that looks at all of them; most lie in each other, begin or
 * end where others do. */

enum { N_SEEDS = 200, N_NETS = 120, N_ADDRS = 300 };

static uint64_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((state >> 33) % n);
}

/* All bits behind the first len are as is_one says. */
static void fill(struct dp_addr *a, uint8_t len, bool is_one)
{
	for (unsigned int bit = len; bit < 128; bit++) {
		const uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		a->b[bit / 8] = (uint8_t)(is_one ? a->b[bit / 8] | mask : a->b[bit / 8] & ~mask);
	}
}

/* Of few: first or last addresses of everything, of IPv4, of documentation. */
static struct dp_addr any_addr(void)
{
	static const char *const few[] = {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"0.0.0.0", "255.255.255.255", "192.0.2.0", "198.51.100.255", "203.0.113.7",
		"2001:db8::", "2001:db8:ffff::1", "::fffe:ffff:ffff", "::1:0:0:0"};
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(few[chance(sizeof(few) / sizeof(few[0]))], &a), 0);
	if (chance(4) == 0)
		a.b[chance(16)] ^= (uint8_t)(1 << chance(8));
	return a;
}

static bool has_bits_behind(const struct dp_prefix *p)
{
	struct dp_addr masked = p->addr;

	fill(&masked, p->len, false);
	return dp_addr_cmp(&masked, &p->addr) != 0;
}

static bool is_same_net(const struct dp_prefix *a, const struct dp_prefix *b)
{
	return a->len == b->len && dp_prefix_contains(a, &b->addr);
}

/* None twice. */
static size_t nets_draw(struct cls_net *nets)
{
	size_t n = 0;

	for (uint32_t i = 0; i < N_NETS; i++) {
		const uint8_t lens[] = {(uint8_t)chance(129), (uint8_t)(96 + chance(33)),
			(uint8_t)(120 + chance(9)), 0, 96, 128};
		struct cls_net net = {{any_addr(), lens[chance(6)]}, DP_APP_FIRST + chance(4)};
		bool is_new = true;

		if (chance(4) != 0)
			fill(&net.prefix.addr, net.prefix.len, false);
		for (size_t k = 0; k < n && is_new; k++)
			is_new = !is_same_net(&nets[k].prefix, &net.prefix);
		if (is_new)
			nets[n++] = net;
	}
	return n;
}

static uint32_t search(const struct cls_net *nets, size_t n, const struct dp_addr *a)
{
	const struct cls_net *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (dp_prefix_contains(&nets[i].prefix, a) &&
			(best == NULL || nets[i].prefix.len > best->prefix.len))
			best = &nets[i];
	return best != NULL ? best->app : DP_APP_UNKNOWN;
}

/* Next to the borders of a network: the first and the last one, and those around them. */
static struct dp_addr border_of(const struct dp_prefix *p)
{
	struct dp_addr a = p->addr;
	const bool is_last = chance(2) == 0;
	int byte = 15;

	fill(&a, p->len, is_last);
	if (chance(2) == 0)
		return a;
	if (is_last)
		while (byte >= 0 && ++a.b[byte] == 0)
			byte--;
	else
		while (byte >= 0 && a.b[byte]-- == 0)
			byte--;
	return a;
}

static void a_search_of_every_network_finds_the_same(void **)
{
	for (uint32_t seed = 0; seed < N_SEEDS; seed++) {
		struct cls_net nets[N_NETS], sorted[N_NETS];
		struct cls_net_table t;
		size_t first;

		state = seed;

		const size_t n = seed == 0 ? 0 : nets_draw(nets);

		memcpy(sorted, nets, n * sizeof(*nets));
		assert_int_equal(cls_net_table_init(&t, sorted, n, &first), 0);
		for (uint32_t i = 0; i < N_ADDRS; i++) {
			const struct dp_addr a = n == 0 || chance(4) == 0
				? any_addr()
				: border_of(&nets[chance((uint32_t)n)].prefix);

			assert_int_equal(cls_net_table_find(&t, &a), search(nets, n, &a));
		}
		cls_net_table_fini(&t);
	}
}

static void a_network_is_there_once(void **)
{
	for (uint32_t seed = 1; seed < N_SEEDS; seed++) {
		struct cls_net nets[N_NETS + 1];
		struct cls_net_table t;
		struct dp_prefix twice;
		size_t first = N_NETS;

		state = seed;

		const size_t n = nets_draw(nets);

		nets[n] = nets[chance((uint32_t)n)];
		twice = nets[n].prefix;
		if (has_bits_behind(&twice))
			fill(&nets[n].prefix.addr, twice.len, false);
		assert_int_equal(cls_net_table_init(&t, nets, n + 1, &first), -EEXIST);
		assert_true(first < n);
		assert_true(is_same_net(&nets[first].prefix, &twice));
		assert_true(is_same_net(&nets[first + 1].prefix, &twice));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_of_every_network_finds_the_same),
		cmocka_unit_test(a_network_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
