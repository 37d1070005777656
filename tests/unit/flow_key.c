// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/flow_rig.h"

static struct dp_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return dp_addr_from_v4((const uint8_t[]){a, b, c, d});
}

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

/* What the table gives back is what began, whichever side has the lower address or port. */
static void a_tuple_comes_back_as_the_flow_began(void **)
{
	const struct dp_addr addrs[] = {v4(0, 0, 0, 0), v4(10, 0, 0, 7), v4(10, 0, 1, 0),
		v4(127, 255, 255, 255), v4(128, 0, 0, 0), v4(255, 255, 255, 255), addr("::"),
		addr("::1"), addr("2001:db8::7"), addr("2001:db8::700:0:0:0"),
		addr("2001:db8:1::7"), addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		addr("::fffe:203.0.113.9"), addr("1::ffff:203.0.113.9")};
	const uint16_t ports[] = {0, 1, 255, 256, 32768, 65535};
	enum {
		N_ADDRS = sizeof(addrs) / sizeof(addrs[0]),
		N_PORTS = sizeof(ports) / sizeof(ports[0])
	};
	struct dp_flow_table t;
	uint32_t n_swapped = 0;

	assert_int_equal(dp_flow_table_init(&t, 1), 0);
	for (uint32_t i = 0; i < N_ADDRS * N_ADDRS * N_PORTS * N_PORTS; i++) {
		const struct dp_five_tuple k = {.src = addrs[i % N_ADDRS],
			.dst = addrs[i / N_ADDRS % N_ADDRS],
			.sport = ports[i / N_ADDRS / N_ADDRS % N_PORTS],
			.dport = ports[i / N_ADDRS / N_ADDRS / N_PORTS],
			.l4_proto = (uint8_t)i};
		const struct dp_five_tuple back = turned(&k);
		const uint32_t f = add_tuple(&t, &k, DP_FLOW_TCP, S);
		struct dp_five_tuple ret;

		dp_flow_tuple(&t, f, &ret);
		assert_true(is_same_tuple(&ret, &k));
		assert_int_equal(find(&t, &k), f);
		assert_int_equal(find(&t, &back), f);
		assert_int_equal(
			(t.flows[f].flags & DP_FLOW_SRC_IS_HIGH) != 0, seek_of(&k).is_swapped);
		assert_int_equal((t.flows[f].flags & DP_FLOW_IPV6) == 0,
			dp_addr_is_v4(&k.src) && dp_addr_is_v4(&k.dst));
		n_swapped += seek_of(&k).is_swapped;
		dp_flow_remove(&t, f);
		assert_int_equal(find(&t, &k), DP_FLOW_NONE);
	}
	assert_in_range(n_swapped, N_ADDRS * N_PORTS, N_ADDRS * N_ADDRS * N_PORTS * N_PORTS / 2);
	dp_flow_table_fini(&t);
}

/* Of the two sides exactly one is the second, unless they are one; ports matter between equals only. */
static void the_order_is_of_address_then_port(void **)
{
	const struct dp_addr addrs[] = {v4(10, 0, 0, 7), v4(10, 0, 0, 8), v4(10, 0, 1, 0),
		v4(203, 0, 113, 9), addr("2001:db8::1"), addr("2001:db8::100:0:0:0"),
		addr("2001:db7:ffff::"), addr("::")};

	for (size_t i = 0; i < 64; i++) {
		struct dp_five_tuple k = {.src = addrs[i / 8], .dst = addrs[i % 8]};
		const bool is_swapped = seek_of(&k).is_swapped;

		for (uint32_t p = 0; p < 9; p++) {
			k.sport = (uint16_t[]){0, 255, 256}[p / 3];
			k.dport = (uint16_t[]){0, 255, 256}[p % 3];

			const struct dp_five_tuple back = turned(&k);
			const struct dp_flow_seek s = seek_of(&k);

			if (i / 8 == i % 8) {
				assert_int_equal(s.is_swapped, k.sport > k.dport);
			} else {
				assert_int_equal(s.is_swapped, is_swapped);
				assert_int_equal(seek_of(&back).is_swapped, !is_swapped);
			}
			assert_int_equal(s.ports & 0xffff, s.is_swapped ? k.dport : k.sport);
			assert_int_equal(s.ports >> 16 & 0xffff, s.is_swapped ? k.sport : k.dport);
		}
	}
}

/* src_is_high turns the flow around: of a SYN-ACK the receiver began. */
static void a_flow_may_begin_with_its_answer(void **)
{
	const struct dp_five_tuple rows[] = {tuple_v4(7, 50000), tuple_v6(7, 50000)};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_flow_table t;
		const struct dp_flow_seek s = seek_of(&rows[i]);
		const struct dp_five_tuple back = turned(&rows[i]);
		struct dp_five_tuple ret;

		assert_int_equal(dp_flow_table_init(&t, 1), 0);
		dp_flow_tuple(&t, dp_flow_add(&t, &s, !s.is_swapped, DP_FLOW_TCP, S), &ret);
		assert_true(is_same_tuple(&ret, &back));
		dp_flow_table_fini(&t);
	}
}

static void flows_that_differ_in_one_bit_are_different(void **)
{
	const struct dp_five_tuple rows[] = {tuple_v4(7, 50000), tuple_v6(7, 50000)};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_flow_table t;
		const uint32_t hash = seek_of(&rows[i]).hash;

		assert_int_equal(dp_flow_table_init(&t, 8), 0);
		assert_int_equal(add_tuple(&t, &rows[i], DP_FLOW_TCP, S), 1);
		for (unsigned int bit = 0; bit < 8 * (2 * 16 + 2 * 2 + 1); bit++) {
			struct dp_five_tuple other = rows[i];
			uint8_t *const parts[] = {other.src.b, other.dst.b, (uint8_t *)&other.sport,
				(uint8_t *)&other.dport, &other.l4_proto};
			const unsigned int part = bit < 128 ? 0
				: bit < 256		    ? 1
							    : 2 + (bit - 256) / 16;
			const unsigned int at = part < 2 ? bit % 128 : (bit - 256) % 16;

			parts[part][at / 8] ^= (uint8_t)(1 << at % 8);

			struct dp_flow_seek s = seek_of(&other);

			assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
			s.hash = hash; // as if they met in one bucket, and a hint pointed there
			s.flow = 1;
			assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
		}
		dp_flow_table_fini(&t);
	}
}

static void crossed_ports_are_another_flow(void **)
{
	struct dp_flow_table t;
	const struct dp_five_tuple k = tuple_v4(7, 50000);
	struct dp_five_tuple other = k;

	assert_int_equal(dp_flow_table_init(&t, 8), 0);
	add_tuple(&t, &k, DP_FLOW_TCP, S);
	other.sport = k.dport;
	other.dport = k.sport;
	assert_int_equal(find(&t, &other), DP_FLOW_NONE);
	dp_flow_table_fini(&t);
}

/* The lower halves enter the id together: addresses made so that it stays the same are told apart. */
static void ipv6_addresses_of_one_id_are_told_apart(void **)
{
	struct dp_flow_table t;
	const struct dp_five_tuple k = tuple_v6(7, 50000);
	const struct dp_flow_seek s = seek_of(&k);

	assert_int_equal(dp_flow_table_init(&t, 8), 0);
	assert_int_equal(add_tuple(&t, &k, DP_FLOW_TCP, S), 1);
	for (int i = 0; i < 3; i++) {
		struct dp_flow_seek other = s;

		other.addr6[i] ^= 1;
		other.flow = 1;
		assert_int_equal(dp_flow_find(&t, &other), DP_FLOW_NONE);
		dp_flow_prepare(&t, &other, 1);
		assert_int_equal(dp_flow_find(&t, &other), DP_FLOW_NONE);
	}
	dp_flow_table_fini(&t);
}

static void neighbours_spread_over_the_buckets(void **)
{
	enum { N = 4096 };

	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		unsigned int n[N] = {0}, longest = 0;

		for (uint32_t i = 0; i < N; i++) {
			const uint16_t port = (uint16_t)(50000 + i % 16);
			const struct dp_five_tuple k = is_v6 ? tuple_v6(i / 16, port)
							     : tuple_v4(i / 16, port);
			const unsigned int len =
				++n[(uint64_t)seek_of(&k).hash * N >> 32]; // as buckets are chosen

			longest = len > longest ? len : longest;
		}
		// What N balls in N boxes do with overwhelming odds.
		assert_in_range(longest, 1, 9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tuple_comes_back_as_the_flow_began),
		cmocka_unit_test(the_order_is_of_address_then_port),
		cmocka_unit_test(a_flow_may_begin_with_its_answer),
		cmocka_unit_test(flows_that_differ_in_one_bit_are_different),
		cmocka_unit_test(crossed_ports_are_another_flow),
		cmocka_unit_test(ipv6_addresses_of_one_id_are_told_apart),
		cmocka_unit_test(neighbours_spread_over_the_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
