// SPDX-License-Identifier: BSD-3-Clause

/* The length of the stream: what everybody has acknowledged goes, what somebody has not stays, and an
 * alarm comes before anything else. */

#include "tests/lib/publisher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <string.h>

#define STREAM "test:triggers:{0}"

/* 1000 triggers in the stream, 100 wanted; small nodes, so that the length is met closely. */
static void begin(struct rig *rig)
{
	static const char *const nodes[] = {"--stream-node-max-entries", "10", NULL};

	rig->config.stream_max_len = 100;
	test_redis_start(&rig->redis, nodes);
	rig_connect(rig);
	rig_push(rig, 1000);
	rig_until_waiting(rig, 0);
}

/* A new connection looks at the length at once. */
static void look(struct rig *rig)
{
	const uint64_t n_connects = rig_count(rig, "connects");

	test_redis_run(&rig->redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
	rig_until_count(rig, "connects", n_connects + 1);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_run_ms(rig, 100); // some round trips
}

static uint64_t length(struct rig *rig)
{
	redisReply *reply = test_redis_do(&rig->redis, "XLEN", STREAM);
	const uint64_t len = (uint64_t)reply->integer;

	freeReplyObject(reply);
	return len;
}

/* The group has read the n oldest it had not; acknowledged at once or not. */
static void group_reads(struct rig *rig, const char *group, const char *n, bool is_acked)
{
	redisReply *reply = is_acked ? test_redis_do(&rig->redis, "XREADGROUP", "GROUP", group, "c",
					       "COUNT", n, "NOACK", "STREAMS", STREAM, ">")
				     : test_redis_do(&rig->redis, "XREADGROUP", "GROUP", group, "c",
					       "COUNT", n, "STREAMS", STREAM, ">");

	assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
	freeReplyObject(reply);
}

static void group_made(struct rig *rig, const char *group)
{
	test_redis_run(&rig->redis, "XGROUP", "CREATE", STREAM, group, "0", "MKSTREAM");
}

static void what_every_group_has_acknowledged_is_trimmed(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	group_made(rig, "offers");
	group_made(rig, "audit");
	group_reads(rig, "offers", "1000", true);
	group_reads(rig, "audit", "1000", true);
	look(rig);
	assert_in_range(length(rig), 100, 110);
	assert_int_equal(rig_count(rig, "trimmed"), 1000 - length(rig));
	assert_int_equal(rig_count(rig, "trimmed_unread"), 0);
	g_ptr_array_free(rig_stream(rig, 1001 - length(rig)), TRUE);
}

static void the_slowest_group_holds_what_it_has_not_read(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	group_made(rig, "offers");
	group_made(rig, "audit");
	group_reads(rig, "offers", "1000", true);
	group_reads(rig, "audit", "600", true);
	look(rig);
	look(rig);
	assert_in_range(length(rig), 400, 410);
	assert_int_equal(rig_count(rig, "trimmed_unread"), 0);
	group_reads(rig, "audit", "400", true);
	look(rig);
	assert_in_range(length(rig), 100, 110);
}

static void one_entry_that_is_not_acknowledged_holds_all_behind_it(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	group_made(rig, "offers");
	group_reads(rig, "offers", "300", true);
	group_reads(rig, "offers", "1", false); // number 301, and its consumer is gone
	group_reads(rig, "offers", "699", true);
	look(rig);
	look(rig);
	assert_in_range(length(rig), 700, 710);
	assert_int_equal(rig_count(rig, "trimmed_unread"), 0);
}

/* Nothing can be written, not even a heartbeat; what has been read makes room. */
static void a_full_server_gets_rid_of_what_is_read(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	group_made(rig, "offers");
	group_reads(rig, "offers", "800", true);
	test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "1");
	rig_push(rig, 10);
	rig_until_state(rig, CTL_REDIS_FULL);
	rig_run_ms(rig, 300); // some retries
	rig_until_state(rig, CTL_REDIS_FULL);
	assert_in_range(length(rig), 200, 210);
	assert_int_equal(rig_count(rig, "trimmed_unread"), 0);
	test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "0");
	rig_until_waiting(rig, 0);
	rig_until_state(rig, CTL_REDIS_READY);
	assert_in_range(length(rig), 210, 220);
}

static void what_nobody_reads_stays(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	look(rig);
	look(rig);
	assert_int_equal(length(rig), 1000);
}

static void unread_entries_are_trimmed_only_where_that_is_wanted_and_after_the_alarm(void **state)
{
	struct rig *rig = *state;
	uint64_t n_unread;

	begin(rig);
	rig->config.stream_trim_unread = true;
	group_made(rig, "offers");
	group_reads(rig, "offers", "200", true);
	look(rig); // the alarm
	n_unread = length(rig);
	assert_in_range(n_unread, 800, 810);
	assert_int_equal(rig_count(rig, "trimmed_unread"), 0);
	look(rig);
	assert_in_range(length(rig), 100, 110);
	assert_int_equal(rig_count(rig, "trimmed_unread"), n_unread - length(rig));
	rig_push(rig, 50); // and so it goes on
	rig_until_waiting(rig, 0);
	g_ptr_array_free(rig_stream(rig, 1051 - length(rig)), TRUE);
}

static void a_stream_that_readers_trim_themselves_is_left_alone(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	test_redis_run(&rig->redis, "XTRIM", STREAM, "MAXLEN", "30");
	look(rig);
	assert_int_equal(length(rig), 30);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	g_ptr_array_free(rig_stream(rig, 971), TRUE);
}

static void show_names_the_groups_and_how_far_they_are(void **state)
{
	struct rig *rig = *state;
	json_t *object, *group;

	begin(rig);
	group_made(rig, "offers");
	group_reads(rig, "offers", "900", true);
	group_reads(rig, "offers", "7", false);
	look(rig);
	object = ctl_publisher_json(rig->publisher);
	group = json_array_get(json_object_get(object, "groups"), 0);
	assert_string_equal(json_string_value(json_object_get(group, "name")), "offers");
	assert_int_equal(json_integer_value(json_object_get(group, "lag")), 93);
	assert_int_equal(json_integer_value(json_object_get(group, "pending")), 7);
	json_decref(object);
}

static void without_the_rights_the_stream_grows_and_triggers_go_out(void **state)
{
	static char user[] = "wirecue", password[] = "secret";
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	test_redis_run(&rig->redis, "ACL", "SETUSER", user, "on", ">secret", "~test:*", "&test:*",
		"+@all", "-xinfo|groups", "-xtrim");
	rig->config.user = user;
	rig->config.password = password;
	rig->config.stream_max_len = 100;
	rig_connect(rig);
	rig_push(rig, 1000);
	rig_until_waiting(rig, 0);
	look(rig);
	assert_int_equal(length(rig), 1000);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 1010);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(what_every_group_has_acknowledged_is_trimmed),
		RIG_TEST(the_slowest_group_holds_what_it_has_not_read),
		RIG_TEST(one_entry_that_is_not_acknowledged_holds_all_behind_it),
		RIG_TEST(a_full_server_gets_rid_of_what_is_read),
		RIG_TEST(what_nobody_reads_stays),
		RIG_TEST(unread_entries_are_trimmed_only_where_that_is_wanted_and_after_the_alarm),
		RIG_TEST(a_stream_that_readers_trim_themselves_is_left_alone),
		RIG_TEST(show_names_the_groups_and_how_far_they_are),
		RIG_TEST(without_the_rights_the_stream_grows_and_triggers_go_out),
	};

	if (!test_redis_is_installed())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
