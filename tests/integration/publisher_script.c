// SPDX-License-Identifier: BSD-3-Clause

/* The server-side step by itself: what it takes, what it refuses, and what the counters say after a
 * refusal in the middle. */

#include "control/publisher_script.h"

#include "tests/lib/publisher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define STREAM "test:triggers:{0}"
#define COUNTERS "test:sequence:{0}"

/* A call of n entries, base + 1 on, each with the id "1-SEQUENCE", the event "WRITER-SEQUENCE" and
 * the types t and u in turn. */
static redisReply *call(struct rig *rig, const char *user, const char *writer, unsigned base,
	unsigned n, unsigned reached, const char *last_writer, const char *must_exist)
{
	const char *const head[] = {"EVAL", ctl_publisher_script, "2", STREAM, COUNTERS};
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
	redisContext *c = redisConnectUnix(rig->redis.socket);
	redisReply *reply;

	if (user != NULL)
		freeReplyObject(redisCommand(c, "AUTH %s secret", user));
	for (size_t i = 0; i < G_N_ELEMENTS(head); i++)
		g_ptr_array_add(argv, g_strdup(head[i]));
	g_ptr_array_add(argv, g_strdup(writer));
	g_ptr_array_add(argv, g_strdup_printf("%u", base));
	g_ptr_array_add(argv, g_strdup_printf("%u", reached));
	g_ptr_array_add(argv, g_strdup(last_writer));
	g_ptr_array_add(argv, g_strdup(must_exist));
	g_ptr_array_add(argv, g_strdup("test:triggers"));
	g_ptr_array_add(argv, g_strdup("test:trigger:"));
	for (unsigned s = base + 1; s <= base + n; s++) {
		g_ptr_array_add(argv, g_strdup_printf("1-%u", s));
		g_ptr_array_add(argv, g_strdup_printf("%s-%u", writer, s));
		g_ptr_array_add(argv, g_strdup(s % 2 == 1 ? "t" : "u"));
		g_ptr_array_add(argv, g_strdup("subject"));
		g_ptr_array_add(argv, g_strdup_printf("%u", (s + 1) / 2));
	}
	reply = redisCommandArgv(c, (int)argv->len, (const char **)argv->pdata, NULL);
	assert_non_null(reply);
	g_ptr_array_free(argv, TRUE);
	redisFree(c);
	return reply;
}

/* The reply as text: "3 1 0", "3 1 0 ERR …" cut to the length of what is expected, or an error. */
static void expect_reply(redisReply *reply, const char *expected)
{
	GString *got = g_string_new(NULL);

	if (reply->type != REDIS_REPLY_ARRAY)
		g_string_append(got, reply->str);
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
		const redisReply *e = reply->element[i];

		if (i > 0)
			g_string_append_c(got, ' ');
		if (e->type == REDIS_REPLY_INTEGER)
			g_string_append_printf(got, "%lld", e->integer);
		else
			g_string_append(got, e->str);
	}
	if (got->len > strlen(expected) && reply->type == REDIS_REPLY_ERROR)
		g_string_truncate(got, strlen(expected));
	if (got->len > strlen(expected) && reply->elements == 4)
		g_string_truncate(got, strlen(expected));
	assert_string_equal(got->str, expected);
	g_string_free(got, TRUE);
	freeReplyObject(reply);
}

/* An error that we take for a missing right, however this server words it. */
static void expect_denied(redisReply *reply)
{
	assert_int_equal(reply->type, REDIS_REPLY_ERROR);
	assert_int_equal(ctl_redis_state_of(reply->str), CTL_REDIS_DENIED);
	freeReplyObject(reply);
}

/* sequence writer type:t type:u, and how many entries. */
static void expect_counters(struct rig *rig, const char *expected, long long n_entries)
{
	redisReply *reply = test_redis_do(
		&rig->redis, "HMGET", COUNTERS, "sequence", "writer", "type:t", "type:u");
	GString *got = g_string_new(NULL);

	for (size_t i = 0; i < reply->elements; i++)
		g_string_append_printf(got, "%s%s", i > 0 ? " " : "",
			reply->element[i]->str != NULL ? reply->element[i]->str : "-");
	assert_string_equal(got->str, expected);
	g_string_free(got, TRUE);
	freeReplyObject(reply);
	reply = test_redis_do(&rig->redis, "XLEN", STREAM);
	assert_int_equal(reply->integer, n_entries);
	freeReplyObject(reply);
}

static void it_takes_only_what_follows_what_is_there(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	expect_reply(call(rig, NULL, "we", 1, 1, 1, "we", "0"), "WIRECUE_ORDER"); // 1 was refused
	expect_reply(call(rig, NULL, "we", 0, 3, 0, "", "0"), "3 0 0");
	expect_counters(rig, "3 we 2 1", 3);
	expect_reply(call(rig, NULL, "we", 4, 2, 4, "we", "1"), "WIRECUE_ORDER");
	expect_reply(call(rig, NULL, "we", 3, 2, 3, "we", "1"), "2 0 0");
	expect_reply(call(rig, NULL, "we", 3, 2, 3, "we", "1"), "2 2 0"); // a resend
	expect_reply(call(rig, NULL, "we", 0, 3, 0, "", "1"), "3 3 0");
	expect_reply(call(rig, NULL, "we", 3, 4, 3, "we", "1"), "4 2 0"); // half of it
	expect_counters(rig, "7 we 4 3", 7);
	expect_reply(call(rig, NULL, "they", 5, 2, 5, "we", "1"), "WIRECUE_TAKEN");
	expect_reply(call(rig, NULL, "they", 7, 2, 7, "they", "1"), "WIRECUE_ORDER");
	expect_reply(call(rig, NULL, "they", 7, 2, 7, "we", "1"), "2 0 0"); // they asked first
	expect_reply(call(rig, NULL, "we", 9, 2, 9, "we", "1"), "WIRECUE_ORDER");
	expect_counters(rig, "9 they 5 4", 9);
}

static void what_another_writer_brought_there_for_us_is_known_by_its_text(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	expect_reply(call(rig, NULL, "we", 0, 3, 0, "", "0"), "3 0 0");
	test_redis_run(&rig->redis, "HDEL", COUNTERS, "writer"); // put back by hand
	expect_reply(call(rig, NULL, "we", 1, 4, 3, "", "1"), "4 2 0");
	expect_counters(rig, "5 we 3 2", 5);
}

static void without_entries_it_moves_the_counters_and_nothing_else(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	expect_reply(call(rig, NULL, "we", 0, 3, 0, "", "0"), "3 0 0");
	expect_reply(call(rig, NULL, "we", 9, 0, 3, "they", "1"), "WIRECUE_ORDER");
	expect_reply(call(rig, NULL, "we", 9, 0, 3, "we", "1"), "0 0 0");
	expect_counters(rig, "9 we 2 1", 3);
	expect_reply(call(rig, NULL, "we", 1, 0, 9, "we", "1"), "0 0 0"); // and back
	expect_counters(rig, "1 we 2 1", 3);

	test_redis_run(&rig->redis, "DEL", STREAM);
	expect_reply(call(rig, NULL, "we", 3, 0, 1, "we", "1"), "WIRECUE_GONE");
	expect_reply(call(rig, NULL, "we", 3, 0, 1, "we", "0"), "0 0 0"); // was chosen
	redisReply *reply = test_redis_do(&rig->redis, "EXISTS", STREAM);

	assert_int_equal(reply->integer, 1);
	freeReplyObject(reply);
	expect_counters(rig, "3 we 2 1", 0);
}

static void a_deleted_stream_is_not_begun_anew(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	expect_reply(call(rig, NULL, "we", 0, 3, 0, "", "0"), "3 0 0");
	test_redis_run(&rig->redis, "DEL", STREAM);
	expect_reply(call(rig, NULL, "we", 3, 2, 3, "we", "1"), "WIRECUE_GONE");
	expect_counters(rig, "3 we 2 1", 0);
	expect_reply(call(rig, NULL, "we", 3, 2, 3, "we", "0"), "2 0 0"); // was chosen
}

/* Entry 3 of 5 meets an id that is greater: two are in, and the counters say two. */
static void a_refusal_in_the_middle_leaves_counters_that_tell_the_truth(void **state)
{
	struct rig *rig = *state;
	redisContext *c;
	redisReply *reply;

	test_redis_start(&rig->redis, NULL);
	expect_reply(call(rig, NULL, "we", 0, 2, 0, "", "0"), "2 0 0");
	test_redis_run(&rig->redis, "XADD", STREAM, "1-4", "by", "hand");
	expect_reply(call(rig, NULL, "we", 2, 3, 2, "we", "1"),
		"ERR The ID specified in XADD is equal or smaller");
	expect_counters(rig, "2 we 1 1", 3); // as it was

	test_redis_run(&rig->redis, "DEL", STREAM, COUNTERS);
	expect_reply(call(rig, NULL, "we", 0, 2, 0, "", "0"), "2 0 0");
	c = redisConnectUnix(rig->redis.socket);
	reply = redisCommand(c,
		"EVAL %s 2 " STREAM " " COUNTERS " we 2 2 we 1 test:triggers test:trigger: "
		"1-3 e t s 2 1-4 f u s 2 1-4 g t s 3 1-6 h u s 3",
		ctl_publisher_script);
	expect_reply(reply, "2 0 0 ERR The ID specified in XADD is equal or smaller");
	redisFree(c);
	expect_counters(rig, "4 we 2 2", 4);
	expect_reply(call(rig, NULL, "we", 4, 2, 4, "we", "1"), "2 0 0");
	expect_counters(rig, "6 we 3 3", 6);
}

static void no_memory_is_met_before_anything_is_written(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	expect_reply(call(rig, NULL, "we", 0, 2, 0, "", "0"), "2 0 0");
	test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "1");
	expect_reply(call(rig, NULL, "we", 2, 3, 2, "we", "1"), "OOM ");
	expect_counters(rig, "2 we 1 1", 2);
}

static void rights_that_end_in_the_middle_change_nothing(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	expect_reply(call(rig, NULL, "we", 0, 2, 0, "", "0"), "2 0 0");
	test_redis_run(&rig->redis, "ACL", "SETUSER", "half", "on", ">secret", "~test:*", "&test:*",
		"+@all", "-xadd");
	expect_denied(call(rig, "half", "we", 2, 3, 2, "we", "1"));
	expect_counters(rig, "2 we 1 1", 2);
	test_redis_run(
		&rig->redis, "ACL", "SETUSER", "half", "+xadd", "resetchannels", "&test:trigger:t");
	expect_reply(call(rig, "half", "we", 2, 3, 2, "we", "1"), "3 0 3"); // in, unannounced
	test_redis_run(&rig->redis, "ACL", "SETUSER", "half", "-hset");
	expect_denied(call(rig, "half", "we", 5, 3, 5, "we", "1"));
	expect_counters(rig, "5 we 3 2", 5);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(it_takes_only_what_follows_what_is_there),
		RIG_TEST(what_another_writer_brought_there_for_us_is_known_by_its_text),
		RIG_TEST(without_entries_it_moves_the_counters_and_nothing_else),
		RIG_TEST(a_deleted_stream_is_not_begun_anew),
		RIG_TEST(a_refusal_in_the_middle_leaves_counters_that_tell_the_truth),
		RIG_TEST(no_memory_is_met_before_anything_is_written),
		RIG_TEST(rights_that_end_in_the_middle_change_nothing),
	};

	if (!test_redis_is_installed())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
