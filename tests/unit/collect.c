// SPDX-License-Identifier: BSD-3-Clause
#include "control/collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/ring.h"

#include <string.h>

enum { N_WORKERS = 3 };

/* What collect sees of a path: its record rings, and whether it is told how far it may go. The rings
 * are real; threads and frames are left out, so that each order of arrival can be had. */
struct dp_path {
	struct dp_ring *rings[N_WORKERS];
	struct dp_signalling_ring *messages[N_WORKERS];
	uint64_t drained_tick, n_drained;
};

uint32_t dp_path_take(
	struct dp_path *path, uint16_t worker, struct dp_record *records, uint32_t max)
{
	return dp_ring_take(path->rings[worker], records, max);
}

bool dp_path_take_signalling(
	struct dp_path *path, uint16_t worker, struct dp_signalling *ret_message)
{
	return dp_signalling_ring_take(path->messages[worker], ret_message);
}

void dp_path_drained(struct dp_path *path, uint64_t tick, uint64_t n_ticks)
{
	path->drained_tick = tick;
	path->n_drained = n_ticks;
}

/* What was handed on. */
struct seen {
	struct {
		uint64_t end_ns;
		size_t n;
		struct dp_record records[16];
	} ticks[16];
	size_t n_ticks;
	char messages[64]; // the first byte of each, and '|' for each tick
	unsigned int n_notes;
	uint16_t told_by;
	uint64_t told; // request
	unsigned int n_notes_before; // it was
};

struct rig {
	struct dp_path path;
	struct ctl_collect *collect;
	struct seen seen;
};

static void on_tick(void *ctx, uint64_t end_ns, const struct dp_record *records, size_t n)
{
	struct seen *s = ctx;

	assert_true(s->n_ticks < 16 && n <= 16);
	if (s->messages[0] != '\0')
		strcat(s->messages, "|");
	s->ticks[s->n_ticks].end_ns = end_ns;
	s->ticks[s->n_ticks].n = n;
	if (n > 0)
		memcpy(s->ticks[s->n_ticks].records, records, n * sizeof(*records));
	s->n_ticks++;
}

static void on_signalling(void *ctx, const struct dp_signalling *message)
{
	struct seen *s = ctx;
	const size_t n = strlen(s->messages);

	assert_true(n + 2 < sizeof(s->messages) && message->len > 0);
	s->messages[n] = (char)message->bytes[0];
}

static void on_note(void *ctx, const struct dp_record *)
{
	struct seen *s = ctx;

	s->n_notes++;
}

static void on_told(void *ctx, uint16_t worker, uint64_t request)
{
	struct seen *s = ctx;

	s->told_by = worker;
	s->told = request;
	s->n_notes_before = s->n_notes;
}

static const struct ctl_collect_ops OPS = {
	.tick = on_tick, .signalling = on_signalling, .note = on_note, .told = on_told};

static void rig_init(struct rig *r)
{
	*r = (struct rig){0};
	for (int i = 0; i < N_WORKERS; i++) {
		r->path.rings[i] = dp_ring_new(64, false);
		r->path.messages[i] = dp_signalling_ring_new(DP_SIGNALLING_RING_MIN, false);
		assert_non_null(r->path.rings[i]);
		assert_non_null(r->path.messages[i]);
	}
	r->collect = ctl_collect_new(&r->path, N_WORKERS, 1000, &OPS, &r->seen);
}

static void rig_fini(struct rig *r)
{
	ctl_collect_free(r->collect);
	for (int i = 0; i < N_WORKERS; i++)
		dp_ring_free(r->path.rings[i]);
	for (int i = 0; i < N_WORKERS; i++)
		dp_signalling_ring_free(r->path.messages[i]);
}

static void say(struct rig *r, int worker, uint64_t time_ns, const char *text)
{
	const struct dp_signalling message = {.time_ns = time_ns, .len = (uint16_t)strlen(text)};

	assert_true(
		dp_signalling_ring_post(r->path.messages[worker], &message, (const uint8_t *)text));
}

static void post(struct rig *r, int worker, struct dp_record record)
{
	record.worker = (uint8_t)worker;
	assert_true(dp_ring_post(r->path.rings[worker], &record));
}

static struct dp_record usage(uint64_t tick, uint8_t endpoint, uint32_t app, uint64_t bytes)
{
	const uint8_t be[4] = {10, 0, 0, endpoint};

	return (struct dp_record){.kind = DP_RECORD_USAGE,
		.tick = tick,
		.endpoint = dp_addr_from_v4(be),
		.app = app,
		.usage = {.bytes = {bytes, 2 * bytes},
			.packets = {1, 2},
			.first_ns = tick * 1000 + bytes,
			.last_ns = tick * 1000 + 2 * bytes,
			.n_new_flows = 1,
			.active_ms = 100}};
}

static struct dp_record end(uint64_t tick, uint64_t n_ticks)
{
	return (struct dp_record){
		.kind = DP_RECORD_TICK_END, .tick = tick, .end = {.n_ticks = n_ticks}};
}

static void signalling_comes_by_time_ahead_of_the_records_of_its_tick(void **)
{
	struct rig r;

	rig_init(&r);
	say(&r, 0, 5100, "b");
	say(&r, 1, 5050, "a");
	say(&r, 2, 5100, "c"); // of the same moment: by what it says
	say(&r, 2, 6000, "e"); // of the next tick
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(5, 1));
	assert_true(ctl_collect_poll(r.collect));
	assert_string_equal(r.seen.messages, "abc|");
	say(&r, 0, 5999, "d"); // late by the order of rings, not by its worker's
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(6, 1));
	assert_true(ctl_collect_poll(r.collect));
	assert_string_equal(r.seen.messages, "abc|de|");
	rig_fini(&r);
}

static void a_tick_is_handed_on_when_every_worker_has_closed_it(void **)
{
	struct rig r;

	rig_init(&r);
	assert_false(ctl_collect_poll(r.collect));
	assert_int_equal(ctl_collect_watermark(r.collect), 0);
	post(&r, 0, usage(5, 1, 10, 100));
	post(&r, 0, end(5, 1));
	post(&r, 1, end(5, 1));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.n_ticks, 0);
	post(&r, 2, end(5, 1));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.n_ticks, 1);
	assert_int_equal(r.seen.ticks[0].end_ns, 6000);
	assert_int_equal(r.seen.ticks[0].n, 1);
	assert_int_equal(ctl_collect_watermark(r.collect), 6000);
	assert_int_equal(r.path.drained_tick, 5);
	assert_int_equal(r.path.n_drained, 1);
	rig_fini(&r);
}

static void records_of_later_ticks_wait_for_theirs(void **)
{
	struct rig r;

	rig_init(&r);
	post(&r, 0, usage(6, 1, 10, 7)); // posted early, in the slices of the close before
	post(&r, 0, usage(5, 1, 10, 100));
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(5, 1));
	post(&r, 0, usage(6, 1, 10, 8));
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(6, 2));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.n_ticks, 2);
	assert_int_equal(r.seen.ticks[0].n, 1);
	assert_int_equal(r.seen.ticks[0].records[0].usage.bytes[0], 100);
	assert_int_equal(r.seen.ticks[1].n, 1);
	assert_int_equal(r.seen.ticks[1].records[0].usage.bytes[0], 15);
	rig_fini(&r);
}

static void a_record_that_comes_late_belongs_to_the_tick_that_closes_next(void **)
{
	struct rig r;

	rig_init(&r);
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(5, 1));
	assert_true(ctl_collect_poll(r.collect));
	post(&r, 0, usage(5, 1, 10, 100));
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(6, 2));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.ticks[0].n, 0); // an empty tick is a tick
	assert_int_equal(r.seen.ticks[1].n, 1);
	rig_fini(&r);
}

static void an_end_may_speak_for_the_ticks_a_full_ring_swallowed(void **)
{
	struct rig r;

	rig_init(&r);
	post(&r, 0, usage(5, 1, 10, 1));
	post(&r, 0, end(5, 1));
	post(&r, 0, end(6, 2));
	post(&r, 1, usage(7, 2, 10, 2)); // postponed from 5
	post(&r, 1, end(7, 3));
	post(&r, 2, end(5, 1));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.n_ticks, 1); // 5; of 6 the last worker has not spoken
	assert_int_equal(r.path.n_drained, 1);
	post(&r, 0, end(7, 3));
	post(&r, 2, end(7, 3));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.n_ticks, 3);
	assert_int_equal(r.seen.ticks[1].end_ns, 7000);
	assert_int_equal(r.seen.ticks[2].end_ns, 8000);
	assert_int_equal(r.seen.ticks[2].n, 1);
	assert_int_equal(r.path.drained_tick, 7);
	assert_int_equal(r.path.n_drained, 3);
	rig_fini(&r);
}

static void a_batch_does_not_depend_on_who_posted_and_when(void **)
{
	const struct dp_record move = {.kind = DP_RECORD_MOVE,
		.tick = 5,
		.endpoint = usage(5, 1, 10, 1).endpoint,
		.app = 10,
		.usage = {.bytes = {1, 1}, .packets = {1, 1}, .first_ns = 1, .last_ns = 2}};
	struct dp_record records[] = {usage(5, 2, 10, 3), move, usage(5, 1, 11, 4),
		usage(5, 1, 10, 5), usage(5, 1, 10, 6), usage(5, 2, 10, 7)};
	const int n = sizeof(records) / sizeof(records[0]);
	struct seen first = {0};

	records[5].is_ambiguous = true;
	for (int order = 0; order < 720; order++) {
		struct rig r;
		int left[6] = {0, 1, 2, 3, 4, 5};
		int code = order;

		rig_init(&r);
		for (int i = 0; i < n; i++) {
			const int pick = code % (n - i);

			code /= n - i;
			post(&r, (order + i) % N_WORKERS, records[left[pick]]);
			left[pick] = left[n - i - 1];
		}
		for (int i = 0; i < N_WORKERS; i++)
			post(&r, i, end(5, 1));
		assert_true(ctl_collect_poll(r.collect));
		assert_int_equal(r.seen.n_ticks, 1);
		assert_int_equal(r.seen.ticks[0].n, 5);
		for (int i = 0; i < 5; i++)
			r.seen.ticks[0].records[i].worker = 0;
		if (order == 0)
			first = r.seen;
		for (int i = 0; i < 5; i++) // what is behind a record says nothing
			assert_memory_equal(&r.seen.ticks[0].records[i], &first.ticks[0].records[i],
				dp_record_size(&first.ticks[0].records[i]));
		rig_fini(&r);
	}

	const struct dp_record *got = first.ticks[0].records;

	// 10.0.0.1: its usage by app, then its move; 10.0.0.2: both kinds of endpoint apart.
	assert_int_equal(got[0].usage.bytes[0], 11);
	assert_int_equal(got[0].usage.bytes[1], 22);
	assert_int_equal(got[0].usage.packets[1], 4);
	assert_int_equal(got[0].usage.first_ns, 5005);
	assert_int_equal(got[0].usage.last_ns, 5012);
	assert_int_equal(got[0].usage.n_new_flows, 2);
	assert_int_equal(got[0].usage.active_ms, 100); // of one tenth of a second
	assert_int_equal(got[1].app, 11);
	assert_int_equal(got[2].kind, DP_RECORD_MOVE);
	assert_false(got[3].is_ambiguous);
	assert_true(got[4].is_ambiguous);
}

/* An endpoint whose flows a device spreads over workers. */
static void time_that_several_workers_saw_is_no_more_than_there_was(void **)
{
	static const uint32_t active_ms[][4] = {
		// what three workers say, and what is true of 300 ms
		{100, 100, 100, 300},
		{300, 300, 300, 300},
		{100, 100, 0, 200},
	};

	for (size_t i = 0; i < sizeof(active_ms) / sizeof(*active_ms); i++) {
		struct dp_record got;
		struct rig r;

		rig_init(&r);
		for (unsigned int k = 0; k < 3; k++) {
			struct dp_record record = usage(5, 1, 10, 1);

			record.usage.first_ns = 1000000000 + 100000000 * k;
			record.usage.last_ns = 1000000000 + 100000000 * k + 99999999;
			record.usage.active_ms = active_ms[i][k];
			post(&r, (int)k, record);
			post(&r, (int)k, end(5, 1));
		}
		assert_true(ctl_collect_poll(r.collect));
		assert_int_equal(r.seen.ticks[0].n, 1);
		got = r.seen.ticks[0].records[0];
		assert_int_equal(got.usage.active_ms, active_ms[i][3]);
		assert_int_equal(got.usage.n_new_flows, 3);
		rig_fini(&r);
	}
}

static void quality_is_merged_by_endpoint_and_stands_behind_its_usage(void **)
{
	const struct dp_quality a = {.first_ns = 5200,
		.last_ns = 5300,
		.segments = {1, 2},
		.retransmitted = {3, 4},
		.out_of_order = {5, 6},
		.zero_windows = {7, 8},
		.resets = {9, 10},
		.handshakes_failed = 11,
		.n_handshake_rtt = {12, 13},
		.n_data_rtt = {14, 15},
		.handshake_rtt_us = {16, 17},
		.data_rtt_us = {18, 19}};
	struct dp_record x = {
		.kind = DP_RECORD_QUALITY, .tick = 5, .endpoint = usage(5, 1, 10, 1).endpoint};
	struct rig r;

	rig_init(&r);
	x.quality = a;
	post(&r, 0, x);
	x.quality.first_ns = 5100;
	x.quality.last_ns = 5250;
	x.quality.segments[1] = 1ULL << 40;
	post(&r, 1, x);
	post(&r, 0, usage(5, 1, 10, 100));
	post(&r, 0, usage(5, 0, 10, 100));
	x.is_ambiguous = true;
	post(&r, 0, x);
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(5, 1));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.ticks[0].n, 4);

	const struct dp_record *got = r.seen.ticks[0].records;
	const struct dp_quality *q = &got[2].quality;

	assert_int_equal(got[0].kind, DP_RECORD_USAGE);
	assert_int_equal(got[1].kind, DP_RECORD_USAGE);
	assert_int_equal(got[2].kind, DP_RECORD_QUALITY);
	assert_false(got[2].is_ambiguous);
	assert_true(got[3].is_ambiguous);
	assert_int_equal(q->first_ns, 5100);
	assert_int_equal(q->last_ns, 5300);
	assert_int_equal(q->segments[1], 2 + (1ULL << 40));
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(q->retransmitted[i], 2 * (3 + i));
		assert_int_equal(q->out_of_order[i], 2 * (5 + i));
		assert_int_equal(q->zero_windows[i], 2 * (7 + i));
		assert_int_equal(q->resets[i], 2 * (9 + i));
		assert_int_equal(q->n_handshake_rtt[i], 2 * (12 + i));
		assert_int_equal(q->n_data_rtt[i], 2 * (14 + i));
		assert_int_equal(q->handshake_rtt_us[i], 2 * (16 + i));
		assert_int_equal(q->data_rtt_us[i], 2 * (18 + i));
	}
	assert_int_equal(q->segments[0], 2);
	assert_int_equal(q->handshakes_failed, 22);
	rig_fini(&r);
}

static void notes_are_handed_on_as_they_come(void **)
{
	struct rig r;

	rig_init(&r);
	post(&r, 1, (struct dp_record){.kind = DP_RECORD_NOTE, .tick = 5});
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.n_notes, 1);
	assert_int_equal(r.seen.n_ticks, 0);
	rig_fini(&r);
}

static void the_end_of_a_telling_is_handed_on_behind_its_notes(void **)
{
	struct rig r;

	rig_init(&r);
	post(&r, 1, (struct dp_record){.kind = DP_RECORD_NOTE, .tick = 5});
	post(&r, 1, (struct dp_record){.kind = DP_RECORD_TOLD, .tick = 5, .told = {.request = 9}});
	post(&r, 1, (struct dp_record){.kind = DP_RECORD_NOTE, .tick = 5});
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.told_by, 1);
	assert_int_equal(r.seen.told, 9);
	assert_int_equal(r.seen.n_notes_before, 1);
	assert_int_equal(r.seen.n_notes, 2);
	assert_int_equal(r.seen.n_ticks, 0);
	rig_fini(&r);
}

static void a_tick_without_records_is_handed_on(void **)
{
	struct rig r;

	rig_init(&r);
	for (int i = 0; i < N_WORKERS; i++)
		post(&r, i, end(5, 1));
	assert_true(ctl_collect_poll(r.collect));
	assert_int_equal(r.seen.n_ticks, 1);
	assert_int_equal(r.seen.ticks[0].n, 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signalling_comes_by_time_ahead_of_the_records_of_its_tick),
		cmocka_unit_test(a_tick_is_handed_on_when_every_worker_has_closed_it),
		cmocka_unit_test(records_of_later_ticks_wait_for_theirs),
		cmocka_unit_test(a_record_that_comes_late_belongs_to_the_tick_that_closes_next),
		cmocka_unit_test(an_end_may_speak_for_the_ticks_a_full_ring_swallowed),
		cmocka_unit_test(a_batch_does_not_depend_on_who_posted_and_when),
		cmocka_unit_test(time_that_several_workers_saw_is_no_more_than_there_was),
		cmocka_unit_test(quality_is_merged_by_endpoint_and_stands_behind_its_usage),
		cmocka_unit_test(notes_are_handed_on_as_they_come),
		cmocka_unit_test(the_end_of_a_telling_is_handed_on_behind_its_notes),
		cmocka_unit_test(a_tick_without_records_is_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
