// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/flow_rig.h"

/* Without a limit that matters. */
static uint32_t expired(struct dp_flow_table *t, uint64_t now_ns)
{
	unsigned int max = 1000000;
	const uint32_t f = dp_flow_expired(t, now_ns, &max);

	assert_true(max > 0);
	return f;
}

static void a_flow_expires_its_life_span_behind_its_last_second(void **)
{
	static const struct {
		enum dp_flow_life life;
		uint64_t s;
	} rows[] = {{DP_FLOW_TCP, 300}, {DP_FLOW_TCP_CLOSED, 10}, {DP_FLOW_UDP, 180},
		{DP_FLOW_OTHER, 60}};
	static const uint64_t begins_ns[] = {0, 1, 999999999, 1000000000, 5000000007, 511000000000,
		512999999999, 1800000000123456789};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) * 8; i++) {
		struct dp_flow_table t;
		const uint64_t begin_ns = begins_ns[i % 8];
		const uint64_t end_ns = (begin_ns / S + 1 + rows[i / 8].s) * S;

		assert_int_equal(dp_flow_table_init(&t, 2), 0);

		const uint32_t f = add(&t, 1, rows[i / 8].life, begin_ns);

		assert_int_equal(dp_flow_expiry_ns(&t.flows[f]), end_ns);
		assert_false(dp_flow_is_over(&t.flows[f], end_ns - 1));
		assert_true(dp_flow_is_over(&t.flows[f], end_ns));
		assert_int_equal(expired(&t, begin_ns), DP_FLOW_NONE);
		assert_int_equal(expired(&t, end_ns - 1), DP_FLOW_NONE);
		assert_int_equal(expired(&t, end_ns), f);
		assert_int_equal(expired(&t, end_ns), f); // until it is removed
		dp_flow_remove(&t, f);
		assert_int_equal(expired(&t, end_ns + 1000 * S), DP_FLOW_NONE);
		dp_flow_table_fini(&t);
	}
}

/* Whatever the seconds at which somebody asks, each flow is told in the first of them that it can be. */
static void every_second_gives_up_its_flows(void **)
{
	for (uint64_t step = 1; step <= 1200; step = step * 3 / 2 + 1) {
		enum { N = 1300 };
		struct dp_flow_table t;
		uint32_t n_left = N;

		assert_int_equal(dp_flow_table_init(&t, N), 0);
		for (uint32_t i = 0; i < N; i++) // in the order of time, without a question between
			add(&t, i, i % DP_FLOW_LIFE_COUNT, i * S / 7);
		for (uint64_t now = 0; n_left > 0; now += step) {
			uint32_t f;

			assert_true(now <= 1200 + step);
			while ((f = expired(&t, now * S)) != DP_FLOW_NONE) {
				const uint64_t end = dp_flow_expiry_ns(&t.flows[f]) / S;

				assert_true(end <= now && (now < step || end > now - step));
				dp_flow_remove(&t, f);
				n_left--;
			}
			assert_int_equal(t.n_used, n_left);
		}
		dp_flow_table_fini(&t);
	}
}

/* A packet moves nothing; the flow is found where it was, and waits on. */
static void a_touched_flow_lives_on_from_its_last_packet(void **)
{
	struct dp_flow_table t;

	assert_int_equal(dp_flow_table_init(&t, 1), 0);

	const uint32_t f = add(&t, 1, DP_FLOW_TCP_CLOSED, 100 * S);

	for (uint64_t s = 101; s < 2000; s += 7) {
		t.flows[f].last_ns = s * S + 5;
		assert_int_equal(expired(&t, (s + 7) * S), DP_FLOW_NONE);
	}
	assert_int_equal(expired(&t, t.flows[f].last_ns / S * S + 11 * S - 1), DP_FLOW_NONE);
	assert_int_equal(expired(&t, t.flows[f].last_ns / S * S + 11 * S), f);
	dp_flow_table_fini(&t);
}

static void a_shorter_life_ends_earlier_and_a_longer_one_later(void **)
{
	struct dp_flow_table t;

	assert_int_equal(dp_flow_table_init(&t, 2), 0);

	const uint32_t a = add(&t, 1, DP_FLOW_TCP, 100 * S);
	const uint32_t b = add(&t, 2, DP_FLOW_OTHER, 100 * S);

	dp_flow_set_life(&t, a, DP_FLOW_TCP_CLOSED);
	dp_flow_set_life(&t, b, DP_FLOW_TCP);
	assert_int_equal(expired(&t, 111 * S - 1), DP_FLOW_NONE);
	assert_int_equal(expired(&t, 111 * S), a);
	dp_flow_remove(&t, a);
	assert_int_equal(expired(&t, 401 * S - 1), DP_FLOW_NONE);
	// What has been over for long with its new life is so at once.
	dp_flow_set_life(&t, b, DP_FLOW_TCP_CLOSED);
	assert_int_equal(expired(&t, 401 * S - 1), b);
	dp_flow_table_fini(&t);
}

static void time_may_jump_by_years(void **)
{
	enum { N = 600 };
	static const uint64_t jumps_s[] = {
		210, 301, 400, 511, 512, 513, 700, 1024, 100000, 31536000, 1000000000};

	for (size_t j = 0; j < sizeof(jumps_s) / sizeof(jumps_s[0]); j++) {
		struct dp_flow_table t;
		uint64_t now = 1000;
		unsigned int max = 3 * N + 10;
		uint32_t f, n_over = 0, n_touched = 0;
		bool is_over[N + 1] = {false};

		assert_int_equal(dp_flow_table_init(&t, N), 0);
		for (uint32_t i = 0; i < N; i++, now += i % 3 == 0) {
			add(&t, i, i % DP_FLOW_LIFE_COUNT, now * S);
			assert_int_equal(expired(&t, 1000 * S), DP_FLOW_NONE);
		}
		now += jumps_s[j];
		for (uint32_t i = 1; i <= N;
			i += 4, n_touched++) // they saw a packet behind the jump
			t.flows[i].last_ns = now * S;
		while ((f = dp_flow_expired(&t, now * S, &max)) != DP_FLOW_NONE) {
			assert_true(dp_flow_expiry_ns(&t.flows[f]) <= now * S);
			dp_flow_remove(&t, f);
			is_over[f] = true;
			n_over++;
		}
		assert_true(max > 0); // each was looked at thrice at most, however far the jump
		if (jumps_s[j] >= 301)
			assert_int_equal(n_over, N - n_touched);
		for (uint32_t i = 1; i <= N; i++)
			assert_true(is_over[i] || dp_flow_expiry_ns(&t.flows[i]) > now * S);
		dp_flow_table_fini(&t);
	}
}

/* A slice may be short: what it did not reach comes with the next one, and nothing comes twice. */
static void short_slices_give_up_the_same_flows(void **)
{
	enum { N = 500 };

	for (unsigned int slice = 1; slice <= 64; slice *= 4) {
		struct dp_flow_table t;
		unsigned int n_over = 0, n_slices = 0;

		assert_int_equal(dp_flow_table_init(&t, N), 0);
		for (uint32_t i = 0; i < N; i++)
			add(&t, i, i % DP_FLOW_LIFE_COUNT, (1000 + i / 10) * S);
		for (uint32_t i = 2; i <= N; i += 2)
			t.flows[i].last_ns = 1400 * S;
		for (;;) {
			unsigned int max = slice;
			uint32_t f;

			while ((f = dp_flow_expired(&t, 1401 * S, &max)) != DP_FLOW_NONE) {
				assert_int_equal(f % 2, 1);
				dp_flow_remove(&t, f);
				n_over++;
			}
			assert_in_range(max, 0, slice);
			n_slices++;
			if (max > 0)
				break;
		}
		assert_int_equal(n_over, N / 2);
		assert_in_range(n_slices, N / slice, 2 * N / slice + 1); // two looks at the most
		dp_flow_table_fini(&t);
	}
}

static void without_a_look_left_nothing_is_told(void **)
{
	struct dp_flow_table t;
	unsigned int max = 0;

	assert_int_equal(dp_flow_table_init(&t, 1), 0);
	add(&t, 0, DP_FLOW_OTHER, S);
	assert_int_equal(dp_flow_expired(&t, 1000 * S, &max), DP_FLOW_NONE);
	assert_int_equal(max, 0);
	max = 1;
	assert_int_equal(dp_flow_expired(&t, 1000 * S, &max), 1);
	assert_int_equal(max, 0);
	dp_flow_table_fini(&t);
}

/* Time does not run backwards in a worker; where it does all the same, a flow's end is not lost. */
static void a_flow_of_the_past_ends_with_the_next_question(void **)
{
	struct dp_flow_table t;

	assert_int_equal(dp_flow_table_init(&t, 2), 0);

	const uint32_t later = add(&t, 0, DP_FLOW_TCP, 5000 * S);

	assert_int_equal(expired(&t, 5000 * S), DP_FLOW_NONE);

	const uint32_t f = add(&t, 1, DP_FLOW_TCP, 100 * S);

	assert_int_equal(expired(&t, 4999 * S), DP_FLOW_NONE); // asked for 5000 already
	assert_int_equal(expired(&t, 5000 * S), f);
	dp_flow_remove(&t, f);
	assert_int_equal(expired(&t, 5000 * S), DP_FLOW_NONE);
	assert_int_equal(expired(&t, 5301 * S), later);
	dp_flow_table_fini(&t);
}

static void the_flow_idle_longest_is_the_oldest_over_all_life_spans(void **)
{
	struct dp_flow_table t;

	assert_int_equal(dp_flow_table_init(&t, 4), 0);
	assert_int_equal(dp_flow_oldest(&t), DP_FLOW_NONE);

	const uint32_t tcp = add(&t, 0, DP_FLOW_TCP, 1 * S);
	const uint32_t udp = add(&t, 1, DP_FLOW_UDP, 2 * S);
	const uint32_t other = add(&t, 2, DP_FLOW_OTHER, 3 * S);
	const uint32_t closed = add(&t, 3, DP_FLOW_TCP_CLOSED, 4 * S);

	assert_int_equal(dp_flow_oldest(&t), tcp);
	t.flows[tcp].last_ns = 5 * S;
	assert_int_equal(dp_flow_oldest(&t), udp);
	dp_flow_remove(&t, udp);
	assert_int_equal(dp_flow_oldest(&t), other);
	t.flows[other].last_ns = 6 * S;
	assert_int_equal(dp_flow_oldest(&t), closed); // which would end first does not matter
	dp_flow_remove(&t, closed);
	assert_int_equal(dp_flow_oldest(&t), tcp);
	dp_flow_set_life(&t, tcp, DP_FLOW_TCP_CLOSED);
	assert_int_equal(dp_flow_oldest(&t), tcp);
	dp_flow_remove(&t, tcp);
	assert_int_equal(dp_flow_oldest(&t), other);
	dp_flow_remove(&t, other);
	assert_int_equal(dp_flow_oldest(&t), DP_FLOW_NONE);
	dp_flow_table_fini(&t);
}

/* A flood into a full table: it eats itself, and flows that see packets stay, however many times a second
 * it fills the table. */
static void a_flood_gives_up_itself(void **)
{
	enum { N = 1000, N_GOOD = 400, N_FLOOD = 40000 };
	static const uint64_t gaps_ns[] = {10000000, 3000000, 1000000};

	for (size_t g = 0; g < sizeof(gaps_ns) / sizeof(gaps_ns[0]); g++) {
		struct dp_flow_table t;

		assert_int_equal(dp_flow_table_init(&t, N), 0);
		for (uint32_t i = 0; i < N_GOOD; i++)
			assert_int_equal(
				add(&t, i, i % 2 ? DP_FLOW_TCP : DP_FLOW_UDP, 1000 * S), i + 1);
		for (uint32_t i = 0; i < N_FLOOD; i++) {
			const uint64_t now_ns = 1000 * S + i * gaps_ns[g];
			unsigned int max = 64;

			for (uint32_t f = 1 + i % 10; f <= N_GOOD; f += 10)
				t.flows[f].last_ns = now_ns;
			while (dp_flow_expired(&t, now_ns, &max) != DP_FLOW_NONE)
				assert_true(false);
			if (t.n_used == N) {
				const uint32_t f = dp_flow_oldest(&t);

				assert_in_range(f, N_GOOD + 1, N);
				dp_flow_remove(&t, f);
			}
			assert_true(add(&t, 100000 + i, DP_FLOW_TCP, now_ns) != DP_FLOW_NONE);
		}
		dp_flow_table_fini(&t);
	}
}

/* More flows have moved on than one question may put where they belong: it gives up one idle for long
 * all the same, and questions find the one idle longest after a while. */
static void the_oldest_is_looked_for_in_bounded_steps(void **)
{
	enum { N = 1000, N_STEPS = 16 };
	struct dp_flow_table t;
	unsigned int n_asked = 1;
	uint32_t f;

	assert_int_equal(dp_flow_table_init(&t, N), 0);
	for (uint32_t i = 0; i < N; i++)
		add(&t, i, DP_FLOW_TCP, 1000 * S);
	for (uint32_t i = 1; i < N; i++) // all but the last one
		t.flows[i].last_ns = (1100 + i % 50) * S;
	for (; n_asked < N; n_asked++) {
		f = dp_flow_oldest(&t);
		if (f == N)
			break;
		assert_true(t.flows[f].last_ns < 1125 * S);
	}
	assert_in_range(n_asked, 2, N / N_STEPS + 1);
	dp_flow_remove(&t, N);
	while (n_asked++ <= N / N_STEPS + 1)
		f = dp_flow_oldest(&t);
	for (uint32_t i = 0; i < N - 1; i++) { // the others go in the order of their seconds
		f = dp_flow_oldest(&t);
		assert_int_equal(t.flows[f].last_ns, (1100 + (i + 1) / 20) * S);
		dp_flow_remove(&t, f);
	}
	assert_int_equal(t.n_used, 0);
	dp_flow_table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_expires_its_life_span_behind_its_last_second),
		cmocka_unit_test(every_second_gives_up_its_flows),
		cmocka_unit_test(a_touched_flow_lives_on_from_its_last_packet),
		cmocka_unit_test(a_shorter_life_ends_earlier_and_a_longer_one_later),
		cmocka_unit_test(time_may_jump_by_years),
		cmocka_unit_test(short_slices_give_up_the_same_flows),
		cmocka_unit_test(without_a_look_left_nothing_is_told),
		cmocka_unit_test(a_flow_of_the_past_ends_with_the_next_question),
		cmocka_unit_test(the_flow_idle_longest_is_the_oldest_over_all_life_spans),
		cmocka_unit_test(a_flood_gives_up_itself),
		cmocka_unit_test(the_oldest_is_looked_for_in_bounded_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
