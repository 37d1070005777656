// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/quality.h"
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

static void rig_init(struct rig *r, uint32_t n_endpoints, uint32_t n_records)
{
	r->ring = dp_ring_new(n_records, false);
	assert_non_null(r->ring);
	assert_int_equal(dp_usage_init(&r->t, 64, n_endpoints, r->ring, 3), 0);
	dp_usage_open_tick(&r->t, 5);
}

static void rig_fini(struct rig *r)
{
	dp_usage_fini(&r->t);
	dp_ring_free(r->ring);
}

static uint32_t get_of(struct rig *r, uint8_t endpoint, uint32_t app, bool is_ambiguous)
{
	const uint8_t be[4] = {10, 0, 0, endpoint};
	const struct dp_usage_key k = {
		.endpoint = dp_addr_from_v4(be), .app = app, .is_ambiguous = is_ambiguous};
	const uint32_t id = dp_usage_get(&r->t, &k);

	assert_true(id != DP_USAGE_NONE);
	return id;
}

static uint32_t get(struct rig *r, uint8_t endpoint, uint32_t app)
{
	return get_of(r, endpoint, app, false);
}

/* A packet of 100 bytes. */
static void add(struct rig *r, uint32_t id, uint64_t time_ns, unsigned int dir, uint32_t n_segments)
{
	dp_usage_add(&r->t, id, time_ns / S, time_ns, dir, 1, 100, n_segments);
}

static void tell(struct rig *r, uint32_t id, uint64_t time_ns, struct dp_tcp_event event)
{
	dp_usage_tcp(&r->t, id, time_ns / S, time_ns, &event);
}

static void close_tick(struct rig *r, uint64_t tick)
{
	dp_usage_close_tick(&r->t, tick + 1);
	while (!dp_usage_flush(&r->t, 3))
		;
}

static struct dp_record take(struct rig *r)
{
	struct dp_record record;

	assert_int_equal(dp_ring_take(r->ring, &record, 1), 1);
	return record;
}

/* The next record, which must be of quality, of that tick and endpoint. */
static struct dp_quality take_quality(struct rig *r, uint64_t tick, uint8_t endpoint)
{
	const struct dp_record x = take(r);

	assert_int_equal(x.kind, DP_RECORD_QUALITY);
	assert_int_equal(x.tick, tick);
	assert_int_equal(x.worker, 3);
	assert_int_equal(x.endpoint.b[15], endpoint);
	assert_int_equal(x.app, 0);
	assert_int_equal(x.tag, 0);
	assert_int_equal(x.evidence, DP_EVIDENCE_NONE);
	return x.quality;
}

static void skip_usage(struct rig *r, unsigned int n)
{
	for (; n > 0; n--)
		assert_int_equal(take(r).kind, DP_RECORD_USAGE);
}

static void assert_nothing_posted(struct rig *r)
{
	assert_int_equal(dp_ring_count(r->ring), 0);
}

static void segments_of_all_apps_become_one_record_behind_all_usage(void **)
{
	struct rig r;
	struct dp_quality q;

	rig_init(&r, 4, 64);

	const uint32_t a = get(&r, 7, 10), b = get(&r, 7, 11), c = get(&r, 8, 10);

	add(&r, a, 5 * S, 0, 0); // no data: not yet
	add(&r, a, 5 * S + 10 * MS, 0, 1);
	add(&r, b, 5 * S + 20 * MS, 1, 1);
	add(&r, a, 5 * S + 30 * MS, 1, 1);
	add(&r, c, 5 * S + 40 * MS, 1, 0);
	add(&r, a, 5 * S + 50 * MS, 1, 0); // no data: not any more
	close_tick(&r, 5);
	skip_usage(&r, 3);
	q = take_quality(&r, 5, 7);
	assert_int_equal(q.segments[0], 1);
	assert_int_equal(q.segments[1], 2);
	assert_int_equal(q.first_ns, 5 * S + 10 * MS);
	assert_int_equal(q.last_ns, 5 * S + 30 * MS);
	assert_int_equal(r.t.quality.n_used, 1); // the other one has nothing to say
	assert_nothing_posted(&r);
	close_tick(&r, 6); // nor has anybody now
	assert_nothing_posted(&r);
	rig_fini(&r);
}

static void an_event_counts_for_the_direction_of_its_sender_or_the_side_of_the_trip(void **)
{
	static const uint8_t one_way[] = {
		DP_TCP_RETRANSMITTED, DP_TCP_OUT_OF_ORDER, DP_TCP_ZERO_WINDOW, DP_TCP_RESET};
	struct rig r;
	struct dp_quality q;

	rig_init(&r, 4, 64);

	const uint32_t id = get(&r, 7, 10);

	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int n = 0; n <= i; n++)
			tell(&r, id, 5 * S + i,
				(struct dp_tcp_event){.what = one_way[i], .is_up = true});
		tell(&r, id, 5 * S + i, (struct dp_tcp_event){.what = one_way[i]});
	}
	tell(&r, id, 5 * S + 4,
		(struct dp_tcp_event){.what = DP_TCP_RESET | DP_TCP_HANDSHAKE_FAILED});
	tell(&r, id, 5 * S + 4,
		(struct dp_tcp_event){
			.what = DP_TCP_RTT_HANDSHAKE, .is_rtt_of_endpoint = true, .rtt_us = 40000});
	for (uint32_t us = 100; us < 300; us += 100)
		tell(&r, id, 5 * S + 4,
			(struct dp_tcp_event){.what = DP_TCP_RTT_HANDSHAKE, .rtt_us = us});
	tell(&r, id, 5 * S + 5,
		(struct dp_tcp_event){.what = DP_TCP_RTT_DATA, .is_up = true, .rtt_us = 7});
	tell(&r, id, 5 * S + 6,
		(struct dp_tcp_event){
			.what = DP_TCP_RTT_DATA, .is_rtt_of_endpoint = true, .rtt_us = UINT32_MAX});
	tell(&r, id, 5 * S + 7,
		(struct dp_tcp_event){
			.what = DP_TCP_RTT_DATA, .is_rtt_of_endpoint = true, .rtt_us = UINT32_MAX});
	tell(&r, id, 5 * S + 9, (struct dp_tcp_event){.rtt_us = 9}); // nothing
	close_tick(&r, 5);
	q = take_quality(&r, 5, 7);
	assert_int_equal(q.retransmitted[0], 1);
	assert_int_equal(q.out_of_order[0], 2);
	assert_int_equal(q.zero_windows[0], 3);
	assert_int_equal(q.resets[0], 4);
	assert_int_equal(q.retransmitted[1], 1);
	assert_int_equal(q.out_of_order[1], 1);
	assert_int_equal(q.zero_windows[1], 1);
	assert_int_equal(q.resets[1], 2);
	assert_int_equal(q.handshakes_failed, 1);
	assert_int_equal(q.n_handshake_rtt[0], 1);
	assert_int_equal(q.handshake_rtt_us[0], 40000);
	assert_int_equal(q.n_handshake_rtt[1], 2);
	assert_int_equal(q.handshake_rtt_us[1], 300);
	assert_int_equal(q.n_data_rtt[0], 2);
	assert_int_equal(q.data_rtt_us[0], 2 * (uint64_t)UINT32_MAX);
	assert_int_equal(q.n_data_rtt[1], 1);
	assert_int_equal(q.data_rtt_us[1], 7);
	assert_int_equal(q.first_ns, 5 * S);
	assert_int_equal(q.last_ns, 5 * S + 7);
	assert_int_equal(q.segments[0] + q.segments[1], 0);
	assert_nothing_posted(&r);
	rig_fini(&r);
}

static void time_begins_at_nothing(void **)
{
	struct rig r;
	struct dp_quality q;

	rig_init(&r, 4, 64);
	dp_usage_open_tick(&r.t, 0);

	const uint32_t id = get(&r, 7, 10);

	tell(&r, id, 0, (struct dp_tcp_event){.what = DP_TCP_RESET});
	tell(&r, id, 5, (struct dp_tcp_event){.what = DP_TCP_RESET});
	close_tick(&r, 0);
	q = take_quality(&r, 0, 7);
	assert_int_equal(q.first_ns, 0);
	assert_int_equal(q.last_ns, 5);
	rig_fini(&r);
}

static void ticks_are_kept_apart_while_a_close_is_under_way(void **)
{
	struct rig r;
	struct dp_quality q;

	rig_init(&r, 4, 64);

	const uint32_t a = get(&r, 7, 10), b = get(&r, 7, 11);

	add(&r, a, 5 * S, 0, 1);
	add(&r, b, 5 * S, 0, 1);
	dp_usage_close_tick(&r.t, 6);
	tell(&r, a, 6 * S, (struct dp_tcp_event){.what = DP_TCP_RESET});
	add(&r, a, 6 * S, 0, 1); // posts what tick 5 had, and its segment goes back to tick 5
	q = take_quality(&r, 6, 7); // the reset, since the entry takes up tick 5 again
	assert_int_equal(q.resets[1], 1);
	assert_int_equal(q.segments[0], 0);
	assert_int_equal(q.first_ns, 6 * S);
	skip_usage(&r, 1);
	// A flow ends in the tick being closed: a handshake of it was never answered.
	tell(&r, b, 6 * S - 1, (struct dp_tcp_event){.what = DP_TCP_HANDSHAKE_FAILED});
	assert_false(dp_usage_flush(&r.t, 1));
	skip_usage(&r, 1);
	assert_nothing_posted(&r);
	assert_true(dp_usage_flush(&r.t, 1));
	q = take_quality(&r, 5, 7);
	assert_int_equal(q.segments[0], 2);
	assert_int_equal(q.handshakes_failed, 1);
	assert_int_equal(q.resets[1], 0);
	assert_int_equal(q.first_ns, 5 * S);
	assert_int_equal(q.last_ns, 6 * S - 1);
	assert_nothing_posted(&r);
	close_tick(&r, 6);
	skip_usage(&r, 1);
	assert_int_equal(take_quality(&r, 6, 7).segments[0], 1);
	assert_nothing_posted(&r);
	rig_fini(&r);
}

static void an_endpoint_chosen_by_the_tie_rule_is_another_one(void **)
{
	struct rig r;

	rig_init(&r, 4, 64);
	add(&r, get_of(&r, 7, 10, false), 5 * S, 0, 1);
	add(&r, get_of(&r, 7, 10, true), 5 * S, 0, 1);
	close_tick(&r, 5);
	skip_usage(&r, 2);
	for (int i = 0; i < 2; i++) {
		const struct dp_record x = take(&r);

		assert_int_equal(x.kind, DP_RECORD_QUALITY);
		assert_int_equal(x.is_ambiguous, i);
		assert_int_equal(x.quality.segments[0], 1);
	}
	rig_fini(&r);
}

static void a_full_table_counts_for_nobody_else_and_says_so(void **)
{
	struct rig r;

	rig_init(&r, 1, 64);

	const uint32_t a = get(&r, 7, 10), b = get(&r, 8, 10);

	add(&r, a, 5 * S, 0, 1);
	tell(&r, a, 5 * S, (struct dp_tcp_event){.what = DP_TCP_RESET});
	add(&r, b, 5 * S, 0, 1);
	tell(&r, b, 5 * S, (struct dp_tcp_event){.what = DP_TCP_RESET});
	assert_int_equal(r.t.quality.n_refused, 1);
	close_tick(&r, 5);
	assert_int_equal(r.t.quality.n_refused, 2);
	skip_usage(&r, 2);
	assert_int_equal(take_quality(&r, 5, 7).resets[1], 1);
	assert_nothing_posted(&r);
	// Its segments are gone with the tick, not kept for the next.
	dp_usage_put(&r.t, a);
	assert_int_equal(r.t.quality.n_used, 0);
	add(&r, b, 6 * S, 1, 1);
	close_tick(&r, 6);
	skip_usage(&r, 1);

	const struct dp_quality q = take_quality(&r, 6, 8);

	assert_int_equal(q.segments[0], 0);
	assert_int_equal(q.segments[1], 1);
	assert_int_equal(r.t.quality.n_refused, 2);
	rig_fini(&r);
}

static void an_entry_lives_while_it_is_referred_to_or_has_something_to_say(void **)
{
	struct rig r;

	rig_init(&r, 2, 64);

	const uint32_t a = get(&r, 7, 10), b = get(&r, 7, 11);

	tell(&r, a, 5 * S, (struct dp_tcp_event){.what = DP_TCP_RESET});
	dp_usage_put(&r.t, a); // clean itself: its place is free, what it told is kept
	assert_int_equal(r.t.n_used, 1);
	assert_int_equal(r.t.quality.n_used, 1);
	close_tick(&r, 5);
	assert_int_equal(take_quality(&r, 5, 7).resets[1], 1);
	assert_int_equal(r.t.quality.n_used, 0);
	tell(&r, b, 6 * S, (struct dp_tcp_event){.what = DP_TCP_RESET});
	close_tick(&r, 6);
	assert_int_equal(r.t.quality.n_used, 1); // referred to
	assert_int_equal(take_quality(&r, 6, 7).resets[1], 1);
	dp_usage_put(&r.t, b);
	assert_int_equal(r.t.quality.n_used, 0);
	rig_fini(&r);
}

static void a_full_ring_postpones_and_loses_nothing(void **)
{
	enum { N = 20 };
	struct rig r;
	uint64_t segments = 0, resets = 0, n = 0;
	uint32_t ids[N];

	rig_init(&r, N, 8); // room for 7
	for (unsigned int i = 0; i < N; i++)
		ids[i] = get(&r, (uint8_t)i, 10);
	for (uint64_t tick = 5; tick < 40; tick++) {
		for (unsigned int i = 0; i < N && tick < 10; i++) {
			add(&r, ids[i], tick * S + i, i % 2, 1);
			tell(&r, ids[i], tick * S + i, (struct dp_tcp_event){.what = DP_TCP_RESET});
			n++;
		}
		close_tick(&r, tick);
		while (dp_ring_count(r.ring) > 0) {
			const struct dp_record x = take(&r);

			assert_true(x.tick <= tick);
			if (x.kind != DP_RECORD_QUALITY)
				continue;
			assert_true(x.quality.first_ns >= 5 * S);
			assert_true(x.quality.last_ns < 10 * S);
			assert_int_equal(x.quality.first_ns % S, x.endpoint.b[15]);
			segments += x.quality.segments[0] + x.quality.segments[1];
			resets += x.quality.resets[1];
		}
	}
	assert_true(r.t.quality.n_postponed > 0);
	assert_true(dp_usage_postponed(&r.t) > r.t.quality.n_postponed);
	assert_int_equal(segments, n);
	assert_int_equal(resets, n);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_of_all_apps_become_one_record_behind_all_usage),
		cmocka_unit_test(
			an_event_counts_for_the_direction_of_its_sender_or_the_side_of_the_trip),
		cmocka_unit_test(time_begins_at_nothing),
		cmocka_unit_test(ticks_are_kept_apart_while_a_close_is_under_way),
		cmocka_unit_test(an_endpoint_chosen_by_the_tie_rule_is_another_one),
		cmocka_unit_test(a_full_table_counts_for_nobody_else_and_says_so),
		cmocka_unit_test(an_entry_lives_while_it_is_referred_to_or_has_something_to_say),
		cmocka_unit_test(a_full_ring_postpones_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
