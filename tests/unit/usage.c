// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t S = 1000000000, MS = 1000000;

struct rig {
	struct dp_usage_table t;
	struct dp_ring *ring;
};

static void rig_init(struct rig *r, uint32_t n_entries, uint32_t n_records)
{
	r->ring = dp_ring_new(n_records, false);
	assert_non_null(r->ring);
	assert_int_equal(dp_usage_init(&r->t, n_entries, n_entries, r->ring, 3), 0);
	dp_usage_open_tick(&r->t, 5);
}

static void rig_fini(struct rig *r)
{
	dp_usage_fini(&r->t);
	dp_ring_free(r->ring);
}

static struct dp_usage_key key(uint8_t endpoint, uint32_t app)
{
	const uint8_t be[4] = {10, 0, 0, endpoint};

	return (struct dp_usage_key){
		.endpoint = dp_addr_from_v4(be), .app = app, .tag = 4, .evidence = DP_EVIDENCE_SNI};
}

static uint32_t get(struct rig *r, uint8_t endpoint, uint32_t app)
{
	const struct dp_usage_key k = key(endpoint, app);

	return dp_usage_get(&r->t, &k);
}

/* The next record; fails when there is none. */
static struct dp_record take(struct rig *r)
{
	struct dp_record record;

	assert_int_equal(dp_ring_take(r->ring, &record, 1), 1);
	return record;
}

static void assert_nothing_posted(struct rig *r)
{
	assert_int_equal(dp_ring_count(r->ring), 0);
}

static void an_entry_collects_a_tick_and_becomes_one_record(void **)
{
	struct rig r;

	rig_init(&r, 4, 16);

	const uint32_t id = get(&r, 7, 10);

	dp_usage_add(&r.t, id, 5, 5 * S, 0, 1, 100, 0);
	dp_usage_add(&r.t, id, 5, 5 * S + 50 * MS, 1, 1, 1000, 0);
	dp_usage_add(&r.t, id, 5, 5 * S + 100 * MS, 1, 1, 1, 0);
	dp_usage_add_flow(&r.t, id, 5, 5 * S);
	assert_nothing_posted(&r);
	dp_usage_close_tick(&r.t, 6);
	assert_true(dp_usage_flush(&r.t, 256));

	const struct dp_record x = take(&r);

	assert_int_equal(x.kind, DP_RECORD_USAGE);
	assert_int_equal(x.tick, 5);
	assert_int_equal(x.app, 10);
	assert_int_equal(x.tag, 4);
	assert_int_equal(x.evidence, DP_EVIDENCE_SNI);
	assert_int_equal(x.worker, 3);
	assert_int_equal(x.usage.bytes[0], 100);
	assert_int_equal(x.usage.bytes[1], 1001);
	assert_int_equal(x.usage.packets[0], 1);
	assert_int_equal(x.usage.packets[1], 2);
	assert_int_equal(x.usage.first_ns, 5 * S);
	assert_int_equal(x.usage.last_ns, 5 * S + 100 * MS);
	assert_int_equal(x.usage.n_new_flows, 1);
	assert_int_equal(x.usage.active_ms, 200);
	assert_nothing_posted(&r);
	rig_fini(&r);
}

static void a_move_follows_the_usage_of_its_entry(void **)
{
	static const struct dp_usage undecided = {
		.bytes = {10, 20}, .packets = {1, 2}, .first_ns = 4 * S, .last_ns = 5 * S};
	static const struct dp_usage nothing = {.first_ns = 4 * S};
	struct rig r;
	struct dp_record x;

	rig_init(&r, 4, 16);

	const uint32_t id = get(&r, 7, 10);

	dp_usage_move(&r.t, id, 5, &nothing); // known from the first packet on
	dp_usage_move(&r.t, id, 5, &undecided);
	dp_usage_add(&r.t, id, 5, 5 * S, 0, 1, 100, 0);
	dp_usage_close_tick(&r.t, 6);
	assert_true(dp_usage_flush(&r.t, 256));
	assert_int_equal(take(&r).kind, DP_RECORD_USAGE);
	x = take(&r);
	assert_int_equal(x.kind, DP_RECORD_MOVE);
	assert_int_equal(x.usage.bytes[1], 20);
	assert_int_equal(x.usage.first_ns, 4 * S);
	assert_int_equal(x.usage.last_ns, 5 * S);
	assert_nothing_posted(&r);
	rig_fini(&r);
}

/* A move makes the entry dirty before its first packet. */
static void the_span_of_usage_is_not_that_of_a_move_nor_of_the_tick_before(void **)
{
	static const struct dp_usage undecided = {
		.packets = {1}, .first_ns = 3 * S, .last_ns = 4 * S};
	struct rig r;
	struct dp_record x;

	rig_init(&r, 4, 16);

	const uint32_t id = get(&r, 7, 10);

	for (uint64_t tick = 5; tick < 7; tick++) {
		dp_usage_move(&r.t, id, tick, &undecided);
		dp_usage_add(&r.t, id, tick, tick * S + 200 * MS, 0, 1, 100, 1);
		dp_usage_add(&r.t, id, tick, tick * S + 300 * MS, 0, 1, 100, 0);
		dp_usage_close_tick(&r.t, tick + 1);
		assert_true(dp_usage_flush(&r.t, 256));
		x = take(&r);
		assert_int_equal(x.tick, tick);
		assert_int_equal(x.usage.first_ns, tick * S + 200 * MS);
		assert_int_equal(x.usage.last_ns, tick * S + 300 * MS);
		assert_int_equal(take(&r).kind, DP_RECORD_MOVE);
		assert_int_equal(take(&r).kind, DP_RECORD_QUALITY);
	}
	assert_nothing_posted(&r);
	rig_fini(&r);
}

/* A tick border inside a slot makes it no two. */
static void a_slot_is_active_once_whatever_falls_into_it(void **)
{
	static const uint64_t ms[] = {4950, 4999, 5000, 5049, 5099, 5100, 5299, 8000};
	struct rig r;
	uint32_t active_ms = 0;

	rig_init(&r, 4, 16);

	const uint32_t id = get(&r, 7, 10), other = get(&r, 8, 10);

	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		if (i == 3) {
			dp_usage_close_tick(&r.t, 6);
			assert_true(dp_usage_flush(&r.t, 256));
		}
		dp_usage_add(&r.t, id, 5 + (i >= 3), ms[i] * MS, i % 2, 1, 100, 0);
		dp_usage_add(&r.t, other, 5 + (i >= 3), ms[i] * MS, i % 2, 1, 100, 0);
	}
	dp_usage_close_tick(&r.t, 7);
	assert_true(dp_usage_flush(&r.t, 256));
	for (int i = 0; i < 4; i++)
		active_ms += take(&r).usage.active_ms;
	assert_int_equal(active_ms, 2 * 500); // 4900, 5000, 5100, 5200, 8000
	rig_fini(&r);
}

static void a_flush_is_done_in_slices_and_says_when_nothing_is_left(void **)
{
	enum { N = 10 };
	struct rig r;

	rig_init(&r, N, 64);
	for (unsigned int i = 0; i < N; i++)
		dp_usage_add(&r.t, get(&r, (uint8_t)i, 10), 5, 5 * S, 0, 1, i, 0);
	dp_usage_close_tick(&r.t, 6);
	assert_false(dp_usage_flush(&r.t, 4));
	assert_int_equal(dp_ring_count(r.ring), 4);
	assert_false(dp_usage_flush(&r.t, 4));
	assert_true(dp_usage_flush(&r.t, 4));
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(take(&r).usage.bytes[0], i);
	rig_fini(&r);
}

static void an_entry_touched_in_the_next_tick_is_posted_first(void **)
{
	struct rig r;
	struct dp_record x;

	rig_init(&r, 4, 16);

	const uint32_t id = get(&r, 7, 10);

	dp_usage_add(&r.t, id, 5, 5 * S, 0, 1, 100, 0);
	dp_usage_close_tick(&r.t, 6);
	dp_usage_add(&r.t, id, 6, 6 * S, 0, 1, 7, 0); // before its turn in the flush
	x = take(&r);
	assert_int_equal(x.tick, 5);
	assert_int_equal(x.usage.bytes[0], 100);
	assert_true(dp_usage_flush(&r.t, 256));
	assert_nothing_posted(&r);
	dp_usage_close_tick(&r.t, 7);
	assert_true(dp_usage_flush(&r.t, 256));
	x = take(&r);
	assert_int_equal(x.tick, 6);
	assert_int_equal(x.usage.bytes[0], 7);
	rig_fini(&r);
}

static void a_full_ring_postpones_into_the_open_tick_and_loses_no_byte(void **)
{
	enum { N = 40 };
	struct rig r;
	uint64_t sum = 0, want = 0;
	uint32_t ids[N];

	rig_init(&r, N, 8); // room for 7
	for (unsigned int i = 0; i < N; i++)
		ids[i] = get(&r, (uint8_t)i, 10);
	for (uint64_t tick = 5; tick < 30; tick++) {
		for (unsigned int i = 0; i < N && tick < 10; i++) {
			dp_usage_add(&r.t, ids[i], tick, tick * S, i % 2, 1, 100 + i, 0);
			want += 100 + i;
		}
		dp_usage_close_tick(&r.t, tick + 1);
		while (!dp_usage_flush(&r.t, 16))
			;
		while (dp_ring_count(r.ring) > 0) {
			const struct dp_record x = take(&r);

			assert_true(x.tick <= tick);
			sum += x.usage.bytes[0] + x.usage.bytes[1];
		}
	}
	assert_true(r.t.n_postponed > 0);
	assert_int_equal(sum, want);
	rig_fini(&r);
}

static void a_move_that_finds_no_room_waits_and_its_usage_is_not_said_twice(void **)
{
	static const struct dp_usage undecided = {
		.bytes = {10, 20}, .packets = {1, 2}, .first_ns = 4 * S, .last_ns = 5 * S};
	struct rig r;

	rig_init(&r, 4, 2); // room for 1

	const uint32_t id = get(&r, 7, 10);

	dp_usage_add(&r.t, id, 5, 5 * S, 0, 1, 100, 0);
	dp_usage_move(&r.t, id, 5, &undecided);
	dp_usage_close_tick(&r.t, 6);
	assert_true(dp_usage_flush(&r.t, 256));
	assert_int_equal(take(&r).kind, DP_RECORD_USAGE);
	assert_nothing_posted(&r);
	dp_usage_close_tick(&r.t, 7);
	assert_true(dp_usage_flush(&r.t, 256));
	assert_int_equal(take(&r).kind, DP_RECORD_MOVE);
	assert_nothing_posted(&r);
	rig_fini(&r);
}

/* The open tick may be told its number when something postponed waits in it already. */
static void what_is_postponed_goes_with_the_tick_that_follows(void **)
{
	struct rig r;
	struct dp_record x;

	rig_init(&r, 4, 2); // room for 1

	const uint32_t id = get(&r, 7, 10), other = get(&r, 8, 10);

	dp_usage_add(&r.t, id, 5, 5 * S, 0, 1, 100, 0);
	dp_usage_add(&r.t, other, 5, 5 * S + 1, 0, 1, 100, 0);
	dp_usage_close_tick(&r.t, 6);
	assert_true(dp_usage_flush(&r.t, 256));
	assert_int_equal(take(&r).usage.bytes[0], 100);
	dp_usage_open_tick(&r.t, 9);
	dp_usage_add(&r.t, other, 9, 9 * S, 0, 1, 11, 0);
	assert_nothing_posted(&r);
	dp_usage_close_tick(&r.t, 10);
	assert_true(dp_usage_flush(&r.t, 256));
	x = take(&r);
	assert_int_equal(x.tick, 9);
	assert_int_equal(x.usage.bytes[0], 111);
	assert_int_equal(x.usage.first_ns, 5 * S + 1);
	assert_int_equal(x.usage.last_ns, 9 * S);
	assert_int_equal(x.usage.active_ms, 200);
	assert_int_equal(dp_usage_postponed(&r.t), 1);
	rig_fini(&r);
}

static void an_entry_lives_while_it_is_referred_to_or_has_something_to_say(void **)
{
	struct rig r;

	rig_init(&r, 1, 16);

	const uint32_t id = get(&r, 7, 10);

	assert_int_equal(get(&r, 7, 10), id); // a second reference
	assert_int_equal(get(&r, 8, 10), DP_USAGE_NONE); // no room for another
	dp_usage_put(&r.t, id);
	dp_usage_add(&r.t, id, 5, 5 * S, 0, 1, 100, 0);
	dp_usage_put(&r.t, id);
	assert_int_equal(get(&r, 8, 10), DP_USAGE_NONE); // not yet reported
	dp_usage_close_tick(&r.t, 6);
	assert_true(dp_usage_flush(&r.t, 256));
	assert_int_equal(r.t.n_used, 0);
	assert_int_equal(get(&r, 8, 10), id);
	dp_usage_put(&r.t, DP_USAGE_NONE);
	rig_fini(&r);
}

static void keys_that_differ_in_one_field_are_different_entries(void **)
{
	struct rig r;
	struct dp_usage_key k[6];
	uint32_t ids[6];

	rig_init(&r, 6, 16);
	for (int i = 0; i < 6; i++)
		k[i] = key(7, 10);
	k[1].endpoint.b[15]++;
	k[2].app++;
	k[3].tag++;
	k[4].evidence++;
	k[5].is_ambiguous = true;
	for (int i = 0; i < 6; i++) {
		ids[i] = dp_usage_get(&r.t, &k[i]);
		assert_true(ids[i] != DP_USAGE_NONE);
		for (int j = 0; j < i; j++)
			assert_true(ids[i] != ids[j]);
	}
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_collects_a_tick_and_becomes_one_record),
		cmocka_unit_test(a_move_follows_the_usage_of_its_entry),
		cmocka_unit_test(the_span_of_usage_is_not_that_of_a_move_nor_of_the_tick_before),
		cmocka_unit_test(a_slot_is_active_once_whatever_falls_into_it),
		cmocka_unit_test(a_flush_is_done_in_slices_and_says_when_nothing_is_left),
		cmocka_unit_test(an_entry_touched_in_the_next_tick_is_posted_first),
		cmocka_unit_test(a_full_ring_postpones_into_the_open_tick_and_loses_no_byte),
		cmocka_unit_test(a_move_that_finds_no_room_waits_and_its_usage_is_not_said_twice),
		cmocka_unit_test(what_is_postponed_goes_with_the_tick_that_follows),
		cmocka_unit_test(an_entry_lives_while_it_is_referred_to_or_has_something_to_say),
		cmocka_unit_test(keys_that_differ_in_one_field_are_different_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
