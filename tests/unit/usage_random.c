// SPDX-License-Identifier: BSD-3-Clause
/* The same traffic, told in other slices, sums up to the same records of each tick. */
#include "dataplane/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	N_TICKS = 40,
	N_PACKETS = 120, // a tick
	N_LATE = 12, // verdicts and ends that a close finds
	N_ENDPOINTS = 5,
	N_APPS = 4,
	N_KEYS = N_ENDPOINTS * N_APPS,
	N_SUMS_MAX = N_TICKS * N_KEYS * 4,
};
static const uint64_t TICK_NS = 1000000000;

static uint32_t draw(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(*state >> 33) % n;
}

struct run {
	struct dp_usage_table t;
	struct dp_ring *ring;
	uint32_t ids[N_KEYS];
	uint64_t slices; // state of what decides when a flush goes on
	bool keeps_ticks; // else all is summed up as if of one tick
	struct dp_record sums[N_SUMS_MAX];
	size_t n_sums;
};

static void span(uint64_t to[2], uint64_t first_ns, uint64_t last_ns)
{
	to[0] = first_ns < to[0] ? first_ns : to[0];
	to[1] = last_ns > to[1] ? last_ns : to[1];
}

static void merge_usage(struct dp_usage *to, const struct dp_usage *u)
{
	uint64_t both[2] = {to->first_ns, to->last_ns};

	span(both, u->first_ns, u->last_ns);
	to->first_ns = both[0];
	to->last_ns = both[1];
	for (int dir = 0; dir < 2; dir++) {
		to->bytes[dir] += u->bytes[dir];
		to->packets[dir] += u->packets[dir];
	}
	to->n_new_flows += u->n_new_flows;
	to->active_ms += u->active_ms;
}

static void merge_quality(struct dp_quality *to, const struct dp_quality *q)
{
	uint64_t both[2] = {to->first_ns, to->last_ns};

	span(both, q->first_ns, q->last_ns);
	to->first_ns = both[0];
	to->last_ns = both[1];
	for (int dir = 0; dir < 2; dir++) {
		to->segments[dir] += q->segments[dir];
		to->resets[dir] += q->resets[dir];
		to->n_data_rtt[dir] += q->n_data_rtt[dir];
		to->data_rtt_us[dir] += q->data_rtt_us[dir];
	}
	to->handshakes_failed += q->handshakes_failed;
}

static bool is_same(const struct dp_record *a, const struct dp_record *b)
{
	return a->tick == b->tick && a->kind == b->kind && a->app == b->app &&
		dp_addr_cmp(&a->endpoint, &b->endpoint) == 0;
}

static void take_all(struct run *r)
{
	struct dp_record x = {0};

	// What a record does not say is not taken: it stays 0, as sums are compared whole.
	for (; dp_ring_take(r->ring, &x, 1) == 1; x = (struct dp_record){0}) {
		size_t i = 0;

		x.tick = r->keeps_ticks ? x.tick : 0;
		while (i < r->n_sums && !is_same(&r->sums[i], &x))
			i++;
		if (i == r->n_sums) {
			assert_true(r->n_sums < N_SUMS_MAX);
			r->sums[r->n_sums++] = x;
		} else if (x.kind == DP_RECORD_QUALITY) {
			merge_quality(&r->sums[i].quality, &x.quality);
		} else {
			merge_usage(&r->sums[i].usage, &x.usage);
		}
	}
}

static void packet(struct run *r, uint64_t *traffic, uint64_t tick, uint64_t time_ns)
{
	const uint32_t id = r->ids[draw(traffic, N_KEYS)];
	const bool is_up = draw(traffic, 2) == 0;
	const struct dp_tcp_event event = {
		.what = DP_TCP_RTT_DATA, .is_rtt_of_endpoint = is_up, .rtt_us = 5};

	dp_usage_add(&r->t, id, tick, time_ns, is_up ? 0 : 1, 1, 100 + draw(traffic, 1400),
		draw(traffic, 3) == 0);
	if (draw(traffic, 20) == 0)
		dp_usage_tcp(&r->t, id, tick, time_ns, &event);
}

/* A flow that ends in the tick being closed, as long ago as anything. */
static void late(struct run *r, uint64_t *traffic, uint64_t tick)
{
	const uint32_t id = r->ids[draw(traffic, N_KEYS)];
	const uint64_t first_ns = draw(traffic, 1000000) * (tick + 1), last_ns = first_ns + 1000;
	const struct dp_usage undecided = {.bytes = {draw(traffic, 1000)},
		.packets = {1},
		.first_ns = first_ns,
		.last_ns = last_ns};
	const struct dp_tcp_event event = {.what = DP_TCP_HANDSHAKE_FAILED};

	dp_usage_move(&r->t, id, tick, &undecided);
	dp_usage_add_flow(&r->t, id, tick, last_ns);
	if (draw(traffic, 3) == 0)
		dp_usage_tcp(&r->t, id, tick, last_ns, &event);
}

/* One step of the close of the tick before, when one is due. */
static bool slice(struct run *r, uint64_t *ends, uint64_t tick, unsigned int *n_late)
{
	if (*n_late > 0) {
		late(r, ends, tick);
		(*n_late)--;
		return false;
	}
	return dp_usage_flush(&r->t, 1 + draw(&r->slices, 7));
}

static void run(struct run *r, uint64_t slices, uint32_t n_records, bool keeps_ticks)
{
	uint64_t traffic = 1, ends = 2;

	*r = (struct run){.ring = dp_ring_new(n_records, false),
		.slices = slices,
		.keeps_ticks = keeps_ticks};
	assert_non_null(r->ring);
	assert_int_equal(dp_usage_init(&r->t, N_KEYS, N_ENDPOINTS, r->ring, 0), 0);
	for (unsigned int i = 0; i < N_KEYS; i++) {
		const uint8_t be[4] = {10, 0, 0, (uint8_t)(i / N_APPS)};
		const struct dp_usage_key key = {
			.endpoint = dp_addr_from_v4(be), .app = i % N_APPS};

		r->ids[i] = dp_usage_get(&r->t, &key);
	}
	for (uint64_t tick = 0; tick < N_TICKS; tick++) {
		unsigned int n_late = tick > 0 ? N_LATE : 0;
		bool is_closed = tick == 0;

		for (uint64_t i = 0; i < N_PACKETS; i++) {
			if (!is_closed && draw(&r->slices, 3) == 0)
				is_closed = slice(r, &ends, tick - 1, &n_late);
			packet(r, &traffic, tick, tick * TICK_NS + i * (TICK_NS / N_PACKETS));
			if (keeps_ticks)
				take_all(r);
		}
		while (!is_closed)
			is_closed = slice(r, &ends, tick - 1, &n_late);
		take_all(r);
		dp_usage_close_tick(&r->t, tick + 1);
	}
	for (uint64_t tick = N_TICKS; tick < 2 * N_TICKS; tick++) {
		while (!dp_usage_flush(&r->t, 8))
			;
		take_all(r);
		dp_usage_close_tick(&r->t, tick + 1);
	}
}

static void run_fini(struct run *r)
{
	for (unsigned int i = 0; i < N_KEYS; i++)
		dp_usage_put(&r->t, r->ids[i]);
	assert_int_equal(r->t.n_used, 0);
	assert_int_equal(r->t.quality.n_used, 0);
	assert_int_equal(r->t.quality.n_refused, 0);
	dp_usage_fini(&r->t);
	dp_ring_free(r->ring);
}

static int compare(const void *pa, const void *pb)
{
	const struct dp_record *a = pa, *b = pb;

	if (a->tick != b->tick)
		return a->tick < b->tick ? -1 : 1;
	if (dp_addr_cmp(&a->endpoint, &b->endpoint) != 0)
		return dp_addr_cmp(&a->endpoint, &b->endpoint);
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->app < b->app ? -1 : a->app > b->app;
}

static void assert_same(struct run *a, struct run *b)
{
	assert_int_equal(a->n_sums, b->n_sums);
	qsort(a->sums, a->n_sums, sizeof(a->sums[0]), compare);
	qsort(b->sums, b->n_sums, sizeof(b->sums[0]), compare);
	for (size_t i = 0; i < a->n_sums; i++)
		assert_memory_equal(&a->sums[i], &b->sums[i], sizeof(a->sums[i]));
}

static struct run one, other;

static void slices_of_a_close_change_no_record_of_a_tick(void **)
{
	run(&one, 1, 4096, true);
	assert_int_equal(dp_usage_postponed(&one.t), 0);
	assert_true(one.n_sums > (size_t)N_KEYS * N_TICKS / 2);
	for (uint64_t slices = 2; slices < 40; slices++) {
		run(&other, slices, 4096, true);
		assert_same(&one, &other);
		run_fini(&other);
	}
	run_fini(&one);
}

static void a_ring_that_is_often_full_changes_no_sum(void **)
{
	run(&one, 1, 4096, false);
	for (uint64_t slices = 2; slices < 20; slices++) {
		run(&other, slices, 8U << slices % 3, false);
		assert_true(dp_usage_postponed(&other.t) > 100);
		assert_same(&one, &other);
		run_fini(&other);
	}
	run_fini(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_of_a_close_change_no_record_of_a_tick),
		cmocka_unit_test(a_ring_that_is_often_full_changes_no_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
