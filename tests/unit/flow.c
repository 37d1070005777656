// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

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

static void a_flow_is_found_from_both_sides(void **)
{
	const struct dp_five_tuple rows[] = {tuple_v4(7, 50000), tuple_v6(7, 50000)};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_flow_table t;
		const struct dp_five_tuple k = rows[i], back = turned(&k);
		const struct dp_flow_seek s = seek_of(&k), r = seek_of(&back);

		assert_int_equal(dp_flow_table_init(&t, 8), 0);
		assert_int_equal(s.hash, r.hash);
		assert_int_equal(s.id, r.id);
		assert_int_equal(s.ports, r.ports);
		assert_int_equal(s.is_swapped, !r.is_swapped);
		assert_int_equal(find(&t, &k), DP_FLOW_NONE);

		const uint32_t f = add_tuple(&t, &k, DP_FLOW_TCP, S);

		assert_true(f != DP_FLOW_NONE);
		assert_int_equal(find(&t, &k), f);
		assert_int_equal(find(&t, &back), f);
		dp_flow_table_fini(&t);
	}
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

static void the_order_is_of_address_then_port(void **)
{
	struct dp_five_tuple k = {.src = v4(10, 0, 0, 7),
		.dst = v4(10, 0, 0, 8),
		.sport = 9,
		.dport = 1,
		.l4_proto = IPPROTO_UDP};

	assert_false(seek_of(&k).is_swapped);
	k.src = v4(10, 0, 1, 0);
	assert_true(seek_of(&k).is_swapped);
	k.src = k.dst;
	assert_true(seek_of(&k).is_swapped); // by port
	k.sport = 1;
	assert_false(seek_of(&k).is_swapped); // both sides are one
	k.src = addr("2001:db8::1");
	k.dst = addr("2001:db8::100:0:0:0");
	assert_false(seek_of(&k).is_swapped);
	k.dst = addr("2001:db7:ffff::");
	assert_true(seek_of(&k).is_swapped);
	k.dst = k.src;
	assert_false(seek_of(&k).is_swapped);
	k.sport = 2;
	assert_true(seek_of(&k).is_swapped);
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

/* No flags but IPV6 belong to the key, and effort does not either. */
static void what_changes_in_a_flow_does_not_hide_it(void **)
{
	const struct dp_five_tuple rows[] = {tuple_v4(7, 50000), tuple_v6(7, 50000)};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_flow_table t;

		assert_int_equal(dp_flow_table_init(&t, 8), 0);

		const uint32_t f = add_tuple(&t, &rows[i], DP_FLOW_TCP, S);

		t.flows[f].flags ^= (uint16_t)~DP_FLOW_IPV6;
		t.flows[f].effort = 255;
		assert_int_equal(find(&t, &rows[i]), f);
		dp_flow_remove(&t, f);
		assert_int_equal(find(&t, &rows[i]), DP_FLOW_NONE);
		dp_flow_table_fini(&t);
	}
}

/* As many flows of one bucket as go into the table: the worst that a known key could do. */
static void flows_in_one_bucket_do_not_hide_each_other(void **)
{
	enum { N = 200 };
	struct dp_flow_table t;
	struct dp_five_tuple tuples[N];
	struct dp_flow_seek seeks[DP_FLOW_BURST_MAX];
	uint32_t flows[N];

	assert_int_equal(dp_flow_table_init(&t, N), 0);
	for (uint32_t i = 0, client = 0; i < N; client++) {
		tuples[i] = client % 2 == 0 ? tuple_v4(client, 50000) : tuple_v6(client, 50000);
		if ((seek_of(&tuples[i]).hash & t.bucket_mask) != 0)
			continue;
		flows[i] = add_tuple(&t, &tuples[i], DP_FLOW_TCP, S);
		i++;
	}
	for (uint32_t i = 0; i < N; i += 3) {
		dp_flow_remove(&t, flows[i]);
		flows[i] = DP_FLOW_NONE;
	}
	for (uint32_t i = 0; i < N; i += DP_FLOW_BURST_MAX) {
		const uint32_t n = N - i < DP_FLOW_BURST_MAX ? N - i : DP_FLOW_BURST_MAX;

		for (uint32_t j = 0; j < n; j++)
			seeks[j] = seek_of(&tuples[i + j]);
		dp_flow_prepare(&t, seeks, n);
		for (uint32_t j = 0; j < n; j++) {
			assert_int_equal(dp_flow_find(&t, &seeks[j]), flows[i + j]);
			assert_int_equal(find(&t, &tuples[i + j]), flows[i + j]);
		}
	}
	dp_flow_table_fini(&t);
}

/* Between prepare and find a flow ends, and its index may already be another's. */
static void a_stale_hint_misleads_nobody(void **)
{
	const struct dp_five_tuple rows[] = {tuple_v4(7, 50000), tuple_v6(7, 50000)};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_flow_table t;
		const struct dp_five_tuple k = rows[i], other = tuple_v4(8, 50000);
		struct dp_flow_seek s = seek_of(&k);

		assert_int_equal(dp_flow_table_init(&t, 2), 0);

		const uint32_t f = add_tuple(&t, &k, DP_FLOW_TCP, S);

		dp_flow_prepare(&t, &s, 1);
		assert_int_equal(s.flow, f);
		dp_flow_remove(&t, f);
		assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
		assert_int_equal(add_tuple(&t, &other, DP_FLOW_TCP, S), f);
		assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
		assert_int_equal(add_tuple(&t, &k, DP_FLOW_TCP, S), 2);
		assert_int_equal(dp_flow_find(&t, &s), 2); // new since the hint was given
		dp_flow_table_fini(&t);
	}
}

static void an_ipv6_flow_may_have_the_id_that_marks_free_ones(void **)
{
	const uint64_t low = DP_FLOW_FREE_ID;
	struct dp_five_tuple k = tuple_v6(7, 50000);
	struct dp_flow_table t;
	struct dp_flow_seek s;

	memset(k.src.b + 8, 0, 8);
	memcpy(k.dst.b + 8, &low, sizeof(low));
	s = seek_of(&k);
	assert_int_equal(s.id, low);
	assert_int_equal(dp_flow_table_init(&t, 2), 0);
	assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
	assert_int_equal(add_tuple(&t, &k, DP_FLOW_TCP, S), 1);
	assert_true(dp_flow_is_used(&t.flows[1]));
	dp_flow_prepare(&t, &s, 1);
	assert_int_equal(dp_flow_find(&t, &s), 1);
	dp_flow_remove(&t, 1);
	assert_false(dp_flow_is_used(&t.flows[1]));
	assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
	dp_flow_table_fini(&t);
}

/* An empty entry reads as zeros: nobody may take it for the flow whose key is. */
static void the_tuple_of_zeros_is_a_tuple(void **)
{
	const struct dp_five_tuple rows[] = {
		{.src = v4(0, 0, 0, 0), .dst = v4(0, 0, 0, 0)}, {.l4_proto = 0}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int is_resident = 0; is_resident < 2; is_resident++) {
			struct dp_flow_table t;
			struct dp_flow_seek s = seek_of(&rows[i]);

			assert_int_equal(dp_flow_table_init(&t, 2), 0);
			if (is_resident)
				dp_flow_table_make_resident(&t);
			assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
			dp_flow_prepare(&t, &s, 1);
			assert_int_equal(dp_flow_find(&t, &s), DP_FLOW_NONE);
			assert_int_equal(add_tuple(&t, &rows[i], DP_FLOW_OTHER, 0), 1);
			assert_int_equal(dp_flow_find(&t, &s), 1);
			dp_flow_table_fini(&t);
		}
	}
}

static void a_full_table_refuses_until_one_leaves(void **)
{
	struct dp_flow_table t;
	struct dp_five_tuple ret;
	const struct dp_five_tuple k = tuple_v4(3, 50000);

	assert_int_equal(dp_flow_table_init(&t, 3), 0);

	const uint32_t first = add(&t, 0, DP_FLOW_TCP, S);

	assert_true(add(&t, 1, DP_FLOW_UDP, S) != DP_FLOW_NONE);
	assert_true(add(&t, 2, DP_FLOW_OTHER, S) != DP_FLOW_NONE);
	assert_int_equal(add(&t, 3, DP_FLOW_TCP, S), DP_FLOW_NONE);
	assert_int_equal(find(&t, &k), DP_FLOW_NONE);
	assert_int_equal(t.n_used, 3);
	memset((char *)&t.flows[first] + offsetof(struct dp_flow, last_ns), 0xff,
		offsetof(struct dp_flow, life) - offsetof(struct dp_flow, last_ns));
	t.flows[first].effort = 255;
	t.flows[first].usage = 42;
	t.rest[first].said = 42;
	t.rest[first].scratch.stage_state = &t;
	dp_flow_remove(&t, first);
	assert_int_equal(add(&t, 3, DP_FLOW_UDP, 2 * S), first);

	const struct dp_flow as_new = {
		.last_ns = 2 * S, .life = DP_FLOW_UDP, .next = t.flows[first].next};
	const struct dp_flow_rest rest_as_new = {.first_ns = 2 * S, .wheel = t.rest[first].wheel};

	assert_int_equal(t.flows[first].effort, 0);
	assert_int_equal(t.flows[first].flags & ~DP_FLOW_SRC_IS_HIGH, 0);
	assert_memory_equal(&t.flows[first].last_ns, &as_new.last_ns,
		sizeof(as_new) - offsetof(struct dp_flow, last_ns));
	assert_memory_equal(&t.rest[first], &rest_as_new, sizeof(rest_as_new));
	dp_flow_tuple(&t, first, &ret);
	assert_true(is_same_tuple(&ret, &k));
	dp_flow_table_fini(&t);
}

static void counters_carry(void **)
{
	struct dp_flow f[3] = {0};

	for (unsigned int dir = 0; dir < 2; dir++) {
		uint64_t bytes = 0, packets = 0;

		for (int i = 0; i < 5000; i++) {
			const uint32_t n = i % 3 == 0 ? UINT32_MAX : (uint32_t)i;

			dp_flow_count(&f[1], dir, n, UINT32_MAX - (uint32_t)i);
			packets = (packets + n) & 0xffffffffff;
			bytes = (bytes + UINT32_MAX - (uint32_t)i) & 0xffffffffffff;
			assert_int_equal(dp_flow_bytes(&f[1], dir), bytes);
			assert_int_equal(dp_flow_packets(&f[1], dir), packets);
		}
		assert_true(packets > UINT32_MAX && bytes > UINT32_MAX);
		if (dir == 0) { // the other direction has not moved
			assert_int_equal(dp_flow_bytes(&f[1], 1), 0);
			assert_int_equal(dp_flow_packets(&f[1], 1), 0);
		}
	}
	assert_memory_equal(&f[0], &f[2], sizeof(f[0]));
	assert_int_equal(f[1].last_ns, 0);
	assert_int_equal(f[1].life, 0);
	assert_int_equal(f[1].usage, 0);
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
			const unsigned int len = ++n[seek_of(&k).hash % N];

			longest = len > longest ? len : longest;
		}
		// What N balls in N boxes do with overwhelming odds.
		assert_in_range(longest, 1, 9);
	}
}

/* The 8 million of a big worker: what was never used costs nothing, what was is found. */
static void a_big_table_is_there_at_once(void **)
{
	enum { N = 8000000, STEP = 1000 };
	struct dp_flow_table t;

	assert_int_equal(dp_flow_table_init(&t, N), 0);
	assert_true((size_t)(t.bucket_mask + 1) * sizeof(*t.buckets) <= (size_t)6 * N);
	assert_int_equal((uintptr_t)t.flows % 64, 0);
	for (uint32_t i = 0; i < N / STEP; i++)
		assert_true(add(&t, i * STEP, DP_FLOW_TCP, S) != DP_FLOW_NONE);
	for (uint32_t i = 0; i < N / STEP; i++) {
		const struct dp_five_tuple k = tuple_v4(i * STEP, 50000);

		assert_int_equal(find(&t, &k), i + 1);
	}
	dp_flow_table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_found_from_both_sides),
		cmocka_unit_test(a_tuple_comes_back_as_the_flow_began),
		cmocka_unit_test(the_order_is_of_address_then_port),
		cmocka_unit_test(a_flow_may_begin_with_its_answer),
		cmocka_unit_test(flows_that_differ_in_one_bit_are_different),
		cmocka_unit_test(crossed_ports_are_another_flow),
		cmocka_unit_test(ipv6_addresses_of_one_id_are_told_apart),
		cmocka_unit_test(what_changes_in_a_flow_does_not_hide_it),
		cmocka_unit_test(flows_in_one_bucket_do_not_hide_each_other),
		cmocka_unit_test(a_stale_hint_misleads_nobody),
		cmocka_unit_test(an_ipv6_flow_may_have_the_id_that_marks_free_ones),
		cmocka_unit_test(the_tuple_of_zeros_is_a_tuple),
		cmocka_unit_test(a_full_table_refuses_until_one_leaves),
		cmocka_unit_test(counters_carry),
		cmocka_unit_test(neighbours_spread_over_the_buckets),
		cmocka_unit_test(a_big_table_is_there_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
