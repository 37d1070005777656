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
		if ((uint64_t)seek_of(&tuples[i]).hash * t.n_buckets >> 32 != 0)
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

/* Number number of the tuples whose bucket of two is b. */
static struct dp_five_tuple tuple_in(uint32_t b, uint32_t number)
{
	for (uint32_t client = 0;; client++) {
		const struct dp_five_tuple k = tuple_v4(client, 50000);

		if (seek_of(&k).hash >> 31 == b && number-- == 0)
			return k;
	}
}

/* Flows that stand in a bucket behind their own, of each bucket, when the others are long gone. */
static void flows_left_over_from_full_buckets_are_found(void **)
{
	enum { N_LINKS = DP_FLOW_LINKS, N = 21 };
	struct dp_flow_table t;
	struct dp_five_tuple k[2];
	const struct dp_five_tuple absent = tuple_in(0, 100);
	uint32_t flows[2];

	assert_int_equal(dp_flow_table_init(&t, N), 0);
	assert_int_equal(t.n_buckets, 2);
	for (uint32_t b = 0; b < 2; b++) {
		for (uint32_t i = b; i <= N_LINKS; i++) { // the second has one of the first already
			k[b] = tuple_in(b, i);
			flows[b] = add_tuple(&t, &k[b], DP_FLOW_TCP, S);
			assert_true(flows[b] != DP_FLOW_NONE);
		}
		for (uint32_t i = b; i < N_LINKS; i++) {
			const struct dp_five_tuple gone = tuple_in(b, i);

			dp_flow_remove(&t, find(&t, &gone));
			assert_int_equal(find(&t, &gone), DP_FLOW_NONE);
		}
		assert_int_equal(t.buckets[b].n_over, 1);
	}
	assert_int_equal(find(&t, &absent), DP_FLOW_NONE); // all are to be looked at, but once
	for (uint32_t b = 0; b < 2; b++) {
		struct dp_flow_seek s = seek_of(&k[b]);

		assert_int_equal(find(&t, &k[b]), flows[b]);
		dp_flow_prepare(&t, &s, 1);
		assert_int_equal(dp_flow_find(&t, &s), flows[b]);
		dp_flow_remove(&t, flows[b]);
	}
	for (uint32_t b = 0; b < 2; b++) {
		const struct dp_flow_bucket empty = {0};

		assert_memory_equal(&t.buckets[b], &empty, sizeof(empty));
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
		.last_ns = 2 * S, .life = DP_FLOW_UDP, .put_at = t.flows[first].put_at};
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

/* The 8 million of a big worker: what was never used costs nothing, what was is found. */
static void a_big_table_is_there_at_once(void **)
{
	enum { N = 8000000, STEP = 1000 };
	struct dp_flow_table t;

	assert_int_equal(dp_flow_table_init(&t, N), 0);
	assert_true(t.n_buckets * sizeof(*t.buckets) <= (size_t)6 * N);
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
		cmocka_unit_test(what_changes_in_a_flow_does_not_hide_it),
		cmocka_unit_test(flows_in_one_bucket_do_not_hide_each_other),
		cmocka_unit_test(flows_left_over_from_full_buckets_are_found),
		cmocka_unit_test(a_stale_hint_misleads_nobody),
		cmocka_unit_test(an_ipv6_flow_may_have_the_id_that_marks_free_ones),
		cmocka_unit_test(the_tuple_of_zeros_is_a_tuple),
		cmocka_unit_test(a_full_table_refuses_until_one_leaves),
		cmocka_unit_test(counters_carry),
		cmocka_unit_test(a_big_table_is_there_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
