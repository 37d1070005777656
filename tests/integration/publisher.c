// SPDX-License-Identifier: BSD-3-Clause

/* What Redis holds after all that can happen on the way: everything, once, in order. */

#include "tests/lib/publisher_rig.h"
#include "tests/lib/trigger_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

static redisContext *subscribe(struct rig *rig, const char *channel)
{
	const struct timeval patience = {.tv_sec = 5};
	redisContext *c = redisConnectUnix(rig->redis.socket);

	assert_int_equal(c->err, 0);
	assert_int_equal(redisSetTimeout(c, patience), REDIS_OK);
	freeReplyObject(redisCommand(c, "SUBSCRIBE %s", channel));
	return c;
}

/* The next message is `event`. */
static void expect_message(redisContext *c, const char *event)
{
	redisReply *reply;

	assert_int_equal(redisGetReply(c, (void **)&reply), REDIS_OK);
	assert_string_equal(reply->element[0]->str, "message");
	assert_string_equal(reply->element[2]->str, event);
	freeReplyObject(reply);
}

/* Nothing more was sent: a PING's answer comes next. */
static void expect_silence(redisContext *c)
{
	redisReply *reply = redisCommand(c, "PING");

	assert_string_equal(reply->element[0]->str, "pong");
	freeReplyObject(reply);
	redisFree(c);
}

static void each_trigger_is_in_the_stream_and_on_both_channels_once_and_in_order(void **state)
{
	struct rig *rig = *state;
	redisContext *all, *of_type;
	GPtrArray *events;

	test_redis_start(&rig->redis, NULL);
	all = subscribe(rig, "test:triggers");
	of_type = subscribe(rig, "test:trigger:wirecue.app.watched.v1");
	rig_connect(rig);
	rig_push(rig, 1000);
	rig_until_waiting(rig, 0);

	rig_expect(rig, 1, 0, 1000);
	events = rig_stream(rig, 1);
	for (guint i = 0; i < events->len; i++) {
		expect_message(all, g_ptr_array_index(events, i));
		if (i % TEST_N_TYPES == 0)
			expect_message(of_type, g_ptr_array_index(events, i));
	}
	expect_silence(all);
	expect_silence(of_type);
	g_ptr_array_free(events, TRUE);
	assert_int_equal(rig_count(rig, "published"), 1000);
	assert_int_equal(rig_count(rig, "duplicates"), 0);
}

static void what_is_published_is_valid_by_its_schema(void **state)
{
	struct rig *rig = *state;
	GString *lines = g_string_new(NULL);
	GPtrArray *events;
	int r;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 2 * TEST_N_TYPES);
	rig_until_waiting(rig, 0);
	events = rig_stream(rig, 1);
	for (guint i = 0; i < events->len; i++)
		g_string_append_printf(lines, "%s\n", (char *)g_ptr_array_index(events, i));
	r = test_triggers_validate(lines->str);
	g_ptr_array_free(events, TRUE);
	g_string_free(lines, TRUE);
	if (r == 77)
		skip();
	assert_int_equal(r, 0);
}

static void a_server_killed_in_the_pipeline_has_everything_once_when_it_is_back(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, durable);
	rig_connect(rig);
	rig_push(rig, 3000);
	for (uint64_t n = 400; n <= 1600; n += 400) {
		rig_until_published(rig, n);
		test_redis_kill(&rig->redis);
		assert_true(ctl_outbox_stats(rig->outbox).n_waiting > 0);
		rig_until_state(rig, CTL_REDIS_UNREACHABLE);
		test_redis_start(&rig->redis, durable);
	}
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 3000);
	assert_int_equal(rig_count(rig, "published") + rig_count(rig, "duplicates"), 3000);
	assert_int_equal(rig_count(rig, "lost_by_redis"), 0);
}

/* Wait until the server has n entries without running our loop: its answers stay unread. */
static void wait_for_length(struct rig *rig, long long n)
{
	for (int ms = 0; ms < 5000; ms += 5) {
		redisReply *reply = test_redis_do(&rig->redis, "XLEN", "test:triggers:{0}");
		const long long len = reply->integer;

		freeReplyObject(reply);
		if (len == n)
			return;
		usleep(5000);
	}
	fail_msg("the stream never had %lld entries", n);
}

/* n triggers that the server has and has answered, while we have read no answer. */
static void leave_answers_unread(struct rig *rig, unsigned n)
{
	test_redis_freeze(&rig->redis, true);
	rig_push(rig, n);
	rig_run_ms(rig, 50); // to write them
	test_redis_freeze(&rig->redis, false);
	wait_for_length(rig, n);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, n);
}

static void a_resend_is_answered_as_a_duplicate_and_not_announced_again(void **state)
{
	struct rig *rig = *state;
	redisContext *all;
	GPtrArray *events;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_until_state(rig, CTL_REDIS_READY);
	all = subscribe(rig, "test:triggers");
	leave_answers_unread(rig, 100);
	rig_disconnect(rig);
	rig_connect(rig);
	rig_until_waiting(rig, 0);

	assert_int_equal(rig_count(rig, "duplicates"), 100);
	assert_int_equal(rig_count(rig, "published"), 0);
	rig_expect(rig, 1, 0, 100);
	events = rig_stream(rig, 1);
	for (guint i = 0; i < events->len; i++)
		expect_message(all, g_ptr_array_index(events, i));
	expect_silence(all);
	g_ptr_array_free(events, TRUE);
}

static void a_resend_of_what_was_trimmed_meanwhile_is_a_duplicate_too(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_until_state(rig, CTL_REDIS_READY);
	leave_answers_unread(rig, 10);
	test_redis_run(&rig->redis, "XTRIM", "test:triggers:{0}", "MAXLEN", "0");
	rig_disconnect(rig);
	rig_connect(rig);
	rig_until_waiting(rig, 0);
	assert_int_equal(rig_count(rig, "duplicates"), 10);
	wait_for_length(rig, 0);
}

static void while_redis_is_away_the_queue_fills_to_its_bound_and_refuses_the_newest(void **state)
{
	struct rig *rig = *state;
	struct ctl_outbox_stats stats;

	rig_outbox(rig, 50);
	rig_connect(rig);
	rig_push(rig, 80);
	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
	stats = ctl_outbox_stats(rig->outbox);
	assert_int_equal(stats.n_waiting, 50);
	assert_int_equal(stats.n_refused, 30);
	assert_true(stats.is_full);

	test_redis_start(&rig->redis, NULL);
	rig_until_waiting(rig, 0);
	assert_false(ctl_outbox_stats(rig->outbox).is_full);
	rig_expect(rig, 1, 0, 50);
	rig_push(rig, 10); // numbers 80 to 89, sequence 51 to 60: no gap
	rig_until_waiting(rig, 0);
	GPtrArray *events = rig_stream(rig, 1);

	assert_int_equal(events->len, 60);
	g_ptr_array_free(events, TRUE);
}

static void a_new_process_continues_the_numbers_of_the_old_one(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100);
	rig_until_waiting(rig, 0);
	rig_restart_process(rig);
	rig_push(rig, 101); // before it has reached Redis
	rig_until_waiting(rig, 0);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 211);
}

static void entry_ids_follow_a_stream_that_is_ahead_of_our_clock(void **state)
{
	struct rig *rig = *state;
	GPtrArray *events;

	test_redis_start(&rig->redis, NULL);
	test_redis_run(&rig->redis, "XADD", "test:triggers:{0}", "99999999999999-7", "event", "x");
	test_redis_run(&rig->redis, "XTRIM", "test:triggers:{0}", "MAXLEN", "0");
	test_redis_run(&rig->redis, "HSET", "test:sequence:{0}", "sequence", "41");
	rig_connect(rig);
	rig_push(rig, 20);
	rig_until_waiting(rig, 0);
	events = rig_stream(rig, 42);
	assert_int_equal(events->len, 20);
	g_ptr_array_free(events, TRUE);
}

static void scripts_flushed_in_between_are_loaded_again_without_a_reconnect(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 3000);
	for (uint64_t n = 500; n <= 2000; n += 500) {
		rig_until_published(rig, n);
		test_redis_run(&rig->redis, "SCRIPT", "FLUSH");
	}
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 3000);
	assert_int_equal(rig_count(rig, "connects"), 1);
}

static void flush_tells_how_many_could_not_be_delivered(void **state)
{
	struct rig *rig = *state;

	rig_connect(rig);
	rig_push(rig, 7);
	assert_int_equal(ctl_publisher_flush(rig->publisher, 100000000ULL), 7);
	test_redis_start(&rig->redis, NULL);
	assert_int_equal(ctl_publisher_flush(rig->publisher, 5000000000ULL), 0);
	rig_expect(rig, 1, 0, 7);
}

/* One step of misfortune; fixed order, so a failure can be repeated. */
static void disturb(struct rig *rig, unsigned step)
{
	switch (step % 5) {
	case 0:
		test_redis_kill(&rig->redis);
		rig_run_ms(rig, 5);
		test_redis_start(&rig->redis, durable);
		break;
	case 1:
		test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "1");
		rig_run_ms(rig, 20);
		test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "0");
		break;
	case 2:
		test_redis_run(&rig->redis, "SCRIPT", "FLUSH");
		break;
	case 3:
		test_redis_freeze(&rig->redis, true);
		rig_run_ms(rig, 120); // longer than the reply timeout of this test
		test_redis_freeze(&rig->redis, false);
		break;
	case 4:
		test_redis_run(&rig->redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
		break;
	}
}

static void after_any_sequence_of_misfortunes_the_stream_is_whole(void **state)
{
	struct rig *rig = *state;
	unsigned step = 0;

	rig->config.reply_timeout_ns = 60000000ULL;
	test_redis_start(&rig->redis, durable);
	rig_connect(rig);
	while (rig->n_pushed < 6000) {
		rig_push(rig, 300);
		rig_run_ms(rig, (int)(step * 7 % 11));
		disturb(rig, step++);
	}
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 6000);
	assert_int_equal(rig_count(rig, "published") + rig_count(rig, "duplicates"), 6000);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(each_trigger_is_in_the_stream_and_on_both_channels_once_and_in_order),
		RIG_TEST(what_is_published_is_valid_by_its_schema),
		RIG_TEST(a_server_killed_in_the_pipeline_has_everything_once_when_it_is_back),
		RIG_TEST(a_resend_is_answered_as_a_duplicate_and_not_announced_again),
		RIG_TEST(a_resend_of_what_was_trimmed_meanwhile_is_a_duplicate_too),
		RIG_TEST(while_redis_is_away_the_queue_fills_to_its_bound_and_refuses_the_newest),
		RIG_TEST(a_new_process_continues_the_numbers_of_the_old_one),
		RIG_TEST(entry_ids_follow_a_stream_that_is_ahead_of_our_clock),
		RIG_TEST(scripts_flushed_in_between_are_loaded_again_without_a_reconnect),
		RIG_TEST(flush_tells_how_many_could_not_be_delivered),
		RIG_TEST(after_any_sequence_of_misfortunes_the_stream_is_whole),
	};

	if (!test_redis_is_installed())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
