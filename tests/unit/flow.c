// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

static const uint64_t S = 1000000000;

static struct dp_five_tuple tuple(uint32_t client, uint16_t sport)
{
	const uint8_t src[4] = {
		10, (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client};
	const uint8_t dst[4] = {203, 0, 113, 9};

	return (struct dp_five_tuple){.src = dp_addr_from_v4(src),
		.dst = dp_addr_from_v4(dst),
		.sport = sport,
		.dport = 443,
		.l4_proto = IPPROTO_TCP};
}

static struct dp_five_tuple turned(const struct dp_five_tuple *t)
{
	return (struct dp_five_tuple){.src = t->dst,
		.dst = t->src,
		.sport = t->dport,
		.dport = t->sport,
		.l4_proto = t->l4_proto};
}

static struct dp_flow *add(
	struct dp_flow_table *t, uint32_t client, enum dp_flow_life life, uint64_t now_ns)
{
	const struct dp_five_tuple k = tuple(client, 50000);

	return dp_flow_add(t, &k, dp_flow_hash(&k), life, now_ns);
}

static struct dp_flow *find(
	struct dp_flow_table *t, const struct dp_five_tuple *k, bool *ret_is_reverse)
{
	return dp_flow_find(t, k, dp_flow_hash(k), ret_is_reverse);
}

static void a_flow_is_found_from_both_sides(void **)
{
	struct dp_flow_table t;
	const struct dp_five_tuple k = tuple(7, 50000), back = turned(&k);
	bool is_reverse;

	assert_int_equal(dp_flow_table_init(&t, 8), 0);
	assert_int_equal(dp_flow_hash(&k), dp_flow_hash(&back));
	assert_null(find(&t, &k, &is_reverse));

	struct dp_flow *f = dp_flow_add(&t, &k, dp_flow_hash(&k), DP_FLOW_TCP, S);

	assert_ptr_equal(find(&t, &k, &is_reverse), f);
	assert_false(is_reverse);
	assert_ptr_equal(find(&t, &back, &is_reverse), f);
	assert_true(is_reverse);
	dp_flow_table_fini(&t);
}

static void flows_that_differ_in_one_field_are_different(void **)
{
	struct dp_flow_table t;
	struct dp_five_tuple k = tuple(7, 50000), other;
	bool is_reverse;

	assert_int_equal(dp_flow_table_init(&t, 8), 0);
	assert_non_null(dp_flow_add(&t, &k, dp_flow_hash(&k), DP_FLOW_TCP, S));
	other = k;
	other.l4_proto = IPPROTO_UDP;
	assert_null(find(&t, &other, &is_reverse));
	other = k;
	other.sport++;
	assert_null(find(&t, &other, &is_reverse));
	other = k;
	other.dst.b[15]++;
	assert_null(find(&t, &other, &is_reverse));
	other = k;
	other.sport = k.dport; // ports crossed, addresses not
	other.dport = k.sport;
	assert_null(find(&t, &other, &is_reverse));
	dp_flow_table_fini(&t);
}

static void flows_in_one_bucket_do_not_hide_each_other(void **)
{
	enum { N = 200 };
	struct dp_flow_table t;
	struct dp_flow *flows[N];
	bool is_reverse;

	assert_int_equal(dp_flow_table_init(&t, N), 0);
	for (uint32_t i = 0; i < N; i++) { // one hash for all: the longest chain there can be
		const struct dp_five_tuple k = tuple(i, 50000);

		flows[i] = dp_flow_add(&t, &k, 42, DP_FLOW_TCP, S);
	}
	for (uint32_t i = 0; i < N; i += 3)
		dp_flow_remove(&t, flows[i]);
	for (uint32_t i = 0; i < N; i++) {
		const struct dp_five_tuple k = tuple(i, 50000);

		assert_ptr_equal(
			dp_flow_find(&t, &k, 42, &is_reverse), i % 3 == 0 ? NULL : flows[i]);
	}
	dp_flow_table_fini(&t);
}

static void a_full_table_refuses_until_one_leaves(void **)
{
	struct dp_flow_table t;
	struct dp_flow *first;

	assert_int_equal(dp_flow_table_init(&t, 3), 0);
	first = add(&t, 0, DP_FLOW_TCP, S);
	assert_non_null(add(&t, 1, DP_FLOW_UDP, S));
	assert_non_null(add(&t, 2, DP_FLOW_OTHER, S));
	assert_null(add(&t, 3, DP_FLOW_TCP, S));
	assert_int_equal(t.n_used, 3);
	first->bytes[0] = 42;
	dp_flow_remove(&t, first);
	assert_ptr_equal(add(&t, 3, DP_FLOW_TCP, S), first);
	assert_int_equal(first->bytes[0], 0); // as new
	dp_flow_table_fini(&t);
}

static void a_flow_expires_its_life_span_behind_its_last_second(void **)
{
	static const struct {
		enum dp_flow_life life;
		uint64_t s;
	} rows[] = {{DP_FLOW_TCP, 300}, {DP_FLOW_TCP_CLOSED, 10}, {DP_FLOW_UDP, 180},
		{DP_FLOW_OTHER, 60}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_flow_table t;
		const uint64_t end_ns = (5 + 1 + rows[i].s) * S;

		assert_int_equal(dp_flow_table_init(&t, 2), 0);

		struct dp_flow *f = add(&t, 1, rows[i].life, 5 * S + 7);

		assert_int_equal(dp_flow_expiry_ns(f), end_ns);
		assert_null(dp_flow_expired(&t, end_ns - 1));
		assert_ptr_equal(dp_flow_expired(&t, end_ns), f);
		dp_flow_table_fini(&t);
	}
}

static void the_flow_idle_longest_is_the_oldest_over_all_life_spans(void **)
{
	struct dp_flow_table t;
	struct dp_flow *tcp, *udp, *other;

	assert_int_equal(dp_flow_table_init(&t, 3), 0);
	assert_null(dp_flow_oldest(&t));
	tcp = add(&t, 0, DP_FLOW_TCP, 1 * S);
	udp = add(&t, 1, DP_FLOW_UDP, 2 * S);
	other = add(&t, 2, DP_FLOW_OTHER, 3 * S);
	assert_ptr_equal(dp_flow_oldest(&t), tcp);
	dp_flow_touch(&t, tcp, DP_FLOW_TCP, 4 * S);
	assert_ptr_equal(dp_flow_oldest(&t), udp);
	dp_flow_remove(&t, udp);
	assert_ptr_equal(dp_flow_oldest(&t), other);
	dp_flow_table_fini(&t);
}

static void a_list_stays_in_order_whatever_is_touched_or_removed(void **)
{
	enum { N = 64 };
	struct dp_flow_table t;
	struct dp_flow *flows[N];
	uint32_t seed = 1;
	uint64_t last_second = 0;

	assert_int_equal(dp_flow_table_init(&t, N), 0);
	for (uint32_t i = 0; i < N; i++)
		flows[i] = add(&t, i, DP_FLOW_UDP, S);
	for (uint64_t now = 0; now < 2000; now++) {
		seed = seed * 1664525 + 1013904223;

		const uint32_t i = seed >> 26;

		if (now % 17 == 0) {
			dp_flow_remove(&t, flows[i]);
			flows[i] = add(&t, i, DP_FLOW_UDP, S + now * S / 10);
		} else {
			dp_flow_touch(&t, flows[i],
				(seed >> 8) % 5 == 0 ? DP_FLOW_TCP_CLOSED : DP_FLOW_UDP,
				S + now * S / 10);
		}
	}
	for (uint32_t n = 0; n < N; n++) {
		struct dp_flow *f = dp_flow_oldest(&t);

		assert_non_null(f);
		assert_true(f->last_ns / S >= last_second);
		last_second = f->last_ns / S;
		dp_flow_remove(&t, f);
	}
	assert_null(dp_flow_oldest(&t));
	assert_int_equal(t.n_used, 0);
	dp_flow_table_fini(&t);
}

static void neighbours_spread_over_the_buckets(void **)
{
	enum { N = 4096 };
	unsigned int n[N] = {0}, longest = 0;

	for (uint32_t i = 0; i < N; i++) {
		const struct dp_five_tuple k = tuple(i / 16, (uint16_t)(50000 + i % 16));
		const unsigned int len = ++n[dp_flow_hash(&k) % N];

		longest = len > longest ? len : longest;
	}
	assert_in_range(longest, 1, 9); // what N balls in N boxes do with overwhelming odds
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_found_from_both_sides),
		cmocka_unit_test(flows_that_differ_in_one_field_are_different),
		cmocka_unit_test(flows_in_one_bucket_do_not_hide_each_other),
		cmocka_unit_test(a_full_table_refuses_until_one_leaves),
		cmocka_unit_test(a_flow_expires_its_life_span_behind_its_last_second),
		cmocka_unit_test(the_flow_idle_longest_is_the_oldest_over_all_life_spans),
		cmocka_unit_test(a_list_stays_in_order_whatever_is_touched_or_removed),
		cmocka_unit_test(neighbours_spread_over_the_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
