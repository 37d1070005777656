// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Usage entries that somebody else counts on, too (dp_usage_table.rests): when one is free again. */

enum { N_ENTRIES = 4, N_RECORDS = 256 };

static const uint64_t S = 1000000000;

struct rig {
	struct dp_usage_table t;
	struct dp_ring *ring;
	uint64_t tick; // open
};

static void rig_init(struct rig *r)
{
	r->ring = dp_ring_new(N_RECORDS, false);
	assert_non_null(r->ring);
	assert_int_equal(dp_usage_init(&r->t, N_ENTRIES, N_ENTRIES, r->ring, 0), 0);
	r->t.rests = true;
	r->tick = 5;
	dp_usage_open_tick(&r->t, r->tick);
}

static void rig_fini(struct rig *r)
{
	dp_usage_fini(&r->t);
	dp_ring_free(r->ring);
}

static uint32_t get(struct rig *r, uint32_t app)
{
	const uint8_t be[4] = {10, 0, 0, 7};
	const struct dp_usage_key key = {.endpoint = dp_addr_from_v4(be), .app = app};

	return dp_usage_get(&r->t, &key);
}

static void count(struct rig *r, uint32_t id)
{
	dp_usage_add(&r->t, id, r->tick, r->tick * S, 0, 1, 100, 0);
}

/* Somebody else's count of the tick that is open, or of the one being closed. */
static void absorb(struct rig *r, uint32_t id, uint64_t tick)
{
	const struct dp_usage kept = {
		.packets = {1}, .bytes = {100}, .first_ns = tick * S, .last_ns = tick * S};

	dp_usage_absorb(&r->t, id, tick, &kept);
}

static void close_tick(struct rig *r)
{
	dp_usage_close_tick(&r->t, ++r->tick);
	while (!dp_usage_flush(&r->t, 2))
		;
}

static uint64_t take_bytes(struct rig *r)
{
	struct dp_record record;
	uint64_t n_bytes = 0;

	while (dp_ring_take(r->ring, &record, 1) == 1)
		n_bytes += record.usage.bytes[0];
	return n_bytes;
}

/* A worker that runs for months has more keys than entries. */
static void entries_without_flows_come_back(void **)
{
	struct rig r;

	rig_init(&r);
	for (uint32_t app = 2; app < 200; app++) {
		const uint32_t id = get(&r, app);

		assert_int_not_equal(id, DP_USAGE_NONE);
		if (app % 2 == 0)
			count(&r, id);
		if (app % 3 == 0)
			close_tick(&r); // it may be dirty when it is given back, of either tick
		dp_usage_put(&r.t, id);
		close_tick(&r);
		close_tick(&r);
		close_tick(&r);
		assert_int_equal(r.t.n_used, 0);
	}
	assert_int_equal(take_bytes(&r), 99 * 100);
	rig_fini(&r);
}

/* What was counted on it when its flow ended is told of with the next close: until then the entry is
 * nobody else's. */
static void an_entry_without_flows_is_nobody_else_s_until_a_tick_was_closed(void **)
{
	for (int is_dirty = 0; is_dirty < 2; is_dirty++) {
		struct rig r;
		uint32_t id;

		rig_init(&r);
		id = get(&r, 10);
		if (is_dirty)
			count(&r, id);
		dp_usage_close_tick(&r.t, ++r.tick); // the close that the flow ends in
		dp_usage_put(&r.t, id);
		while (!dp_usage_flush(&r.t, 1))
			;
		for (uint32_t app = 11; app < 11 + N_ENTRIES - 1; app++)
			assert_int_not_equal(get(&r, app), id);
		assert_int_equal(get(&r, 20), DP_USAGE_NONE);
		absorb(&r, id, r.tick);
		close_tick(&r);
		assert_int_equal(take_bytes(&r), is_dirty ? 200 : 100);
		rig_fini(&r);
	}
}

static void an_entry_that_rests_is_had_again_by_its_own_key(void **)
{
	struct rig r;
	uint32_t id;

	rig_init(&r);
	id = get(&r, 10);
	for (int i = 0; i < 20; i++) {
		dp_usage_put(&r.t, id);
		for (int n = i % 3; n > 0; n--)
			close_tick(&r);
		if (i % 3 < 2)
			assert_int_equal(get(&r, 10), id);
		else
			id = get(&r, 10);
		count(&r, id);
	}
	assert_int_equal(r.t.n_used, 1);
	close_tick(&r);
	assert_int_equal(take_bytes(&r), 20 * 100);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_without_flows_come_back),
		cmocka_unit_test(an_entry_without_flows_is_nobody_else_s_until_a_tick_was_closed),
		cmocka_unit_test(an_entry_that_rests_is_had_again_by_its_own_key),
	};

	return cmocka_run_group_tests_name("offload_usage", tests, NULL, NULL);
}
