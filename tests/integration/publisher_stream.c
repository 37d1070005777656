// SPDX-License-Identifier: BSD-3-Clause

/* The stream is not as wirecue left it: nothing is published until somebody has chosen, and then what
 * was chosen happens. */

#include "tests/lib/publisher_rig.h"
#include "tests/lib/trigger_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define STREAM "test:triggers:{0}"
#define COUNTERS "test:sequence:{0}"

/* Conflict, with a cause that holds `cause`; stays so; and each choice says this, "" = whatever. */
static void expect_conflict(
	struct rig *rig, const char *cause, const char *resend, const char *go_on)
{
	const size_t n_waiting = ctl_outbox_stats(rig->outbox).n_waiting;
	json_t *situation;
	const char *said;

	rig_until_state(rig, CTL_REDIS_CONFLICT);
	rig_run_ms(rig, 100); // some retries
	rig_until_state(rig, CTL_REDIS_CONFLICT);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, n_waiting);
	situation = ctl_publisher_stream_json(rig->publisher);
	said = json_string_value(json_object_get(situation, "cause"));
	if (said == NULL || strstr(said, cause) == NULL)
		fail_msg("'%s' does not say '%s'", said, cause);
	if (*resend != '\0')
		assert_string_equal(
			json_string_value(json_object_get(situation, "resend")), resend);
	if (*go_on != '\0')
		assert_string_equal(
			json_string_value(json_object_get(situation, "continue")), go_on);
	json_decref(situation);
}

static void choose(struct rig *rig, enum ctl_stream_choice choice)
{
	char text[256];

	if (ctl_publisher_choose(rig->publisher, choice, 0, text, sizeof(text)) < 0)
		fail_msg("%s", text);
}

static void expect_no_choice(struct rig *rig, enum ctl_stream_choice choice, const char *why)
{
	char text[256];

	assert_true(ctl_publisher_choose(rig->publisher, choice, 0, text, sizeof(text)) < 0);
	if (strstr(text, why) == NULL)
		fail_msg("'%s' does not say '%s'", text, why);
}

/* 100 delivered and durable, 20 more decided while Redis is away. */
static void deliver_100_then_20(struct rig *rig, uint64_t n_retained)
{
	rig_with_store(rig, n_retained);
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100);
	rig_until_waiting(rig, 0);
	rig_commit(rig);
	test_redis_kill(&rig->redis);
	rig_push(rig, 20);
	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
}

static void an_empty_stream_is_sent_again_what_the_store_keeps(void **state)
{
	struct rig *rig = *state;

	deliver_100_then_20(rig, 1000);
	test_redis_start(&rig->redis, NULL); // with nothing in it
	expect_conflict(rig, "WIRECUE_BEHIND the stream has sequence 0 where 100 was acknowledged",
		"sends 1 to 100 again, and the stream has no gap then; consumers whose groups or marks went "
		"with it act on them once more",
		"goes on behind 100; 1 to 100 stay a gap in the stream");
	assert_int_equal(rig_count(rig, "lost_by_redis"), 100);
	choose(rig, CTL_CHOICE_RESEND);
	rig_until_waiting(rig, 0);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_expect(rig, 1, 0, 120);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 130);
}

static void what_is_not_kept_any_more_is_told_and_stays_a_gap(void **state)
{
	struct rig *rig = *state;

	deliver_100_then_20(rig, 30);
	test_redis_start(&rig->redis, NULL);
	expect_conflict(rig, "WIRECUE_BEHIND",
		"sends 71 to 100 again; 1 to 70 are not kept any more and stay a gap", "");
	choose(rig, CTL_CHOICE_RESEND);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 71, 70, 50);
}

static void going_on_leaves_a_gap_and_survives_a_restart(void **state)
{
	struct rig *rig = *state;

	deliver_100_then_20(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	expect_conflict(rig, "WIRECUE_BEHIND", "", "");
	choose(rig, CTL_CHOICE_CONTINUE);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 101, 100, 20);
	rig_commit(rig);
	rig_restart_process(rig);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 101, 100, 30);
}

static void move_away(struct rig *rig)
{
	test_redis_run(&rig->redis, "RENAME", STREAM, "away:s");
	test_redis_run(&rig->redis, "RENAME", COUNTERS, "away:c");
}

static void move_back(struct rig *rig)
{
	test_redis_run(&rig->redis, "RENAME", "away:s", STREAM);
	test_redis_run(&rig->redis, "RENAME", "away:c", COUNTERS);
}

/* What was chosen for a stream that had lost something is not done to one that has it again. */
static void a_choice_is_void_once_the_stream_is_put_right(void **state)
{
	static const enum ctl_stream_choice choices[] = {CTL_CHOICE_CONTINUE, CTL_CHOICE_RESEND};
	struct rig *rig = *state;

	rig->config.retry_min_ns = rig->config.retry_max_ns = 1000000000ULL; // time to act in
	rig_with_store(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100);
	rig_until_waiting(rig, 0);
	rig_commit(rig);
	for (size_t i = 0; i < G_N_ELEMENTS(choices); i++) {
		rig_push(rig, 5);
		rig_until_waiting(rig, 0);
		move_away(rig);
		rig_restart_process(rig); // does not know that the five arrived
		rig_until_state(rig, CTL_REDIS_CONFLICT);
		choose(rig, choices[i]);
		move_back(rig);
		rig_until_state(rig, CTL_REDIS_READY);
		rig_commit(rig);
		rig_until_waiting(rig, 0);
		rig_expect(rig, 1, 0, 105 + 5 * (unsigned)i);
	}
}

/* With nothing to send the choice must last as well. */
static void a_choice_is_kept_in_redis_though_nothing_follows(void **state)
{
	struct rig *rig = *state;

	rig_with_store(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "FLUSHALL");
	test_redis_run(&rig->redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
	expect_conflict(rig, "WIRECUE_BEHIND", "", "");
	choose(rig, CTL_CHOICE_CONTINUE);
	rig_until_state(rig, CTL_REDIS_READY);
	test_redis_run(&rig->redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
	rig_until_count(rig, "connects", rig_count(rig, "connects") + 1);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 101, 100, 10);
}

/* The server's disk was put back to an hour ago. */
static void a_stream_from_an_older_backup_is_filled_up(void **state)
{
	struct rig *rig = *state;
	g_autofree char *dump = g_strdup_printf("%s/dump.rdb", rig->redis.dir);
	g_autofree char *backup = g_strdup_printf("%s/backup.rdb", rig->redis.dir);

	rig_with_store(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 60);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "SAVE");
	assert_int_equal(rename(dump, backup), 0);
	rig_push(rig, 40);
	rig_until_waiting(rig, 0);
	rig_commit(rig);
	test_redis_kill(&rig->redis);
	assert_int_equal(rename(backup, dump), 0);
	rig_push(rig, 20);
	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
	test_redis_start(&rig->redis, NULL);
	expect_conflict(rig, "the stream has sequence 60 where 100 was acknowledged",
		"sends 61 to 100 again, and the stream has no gap then; consumers whose groups or marks went "
		"with it act on them once more",
		"goes on behind 100; 61 to 100 stay a gap in the stream");
	assert_int_equal(rig_count(rig, "lost_by_redis"), 40);
	choose(rig, CTL_CHOICE_RESEND);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 120);
}

static void a_stream_that_was_deleted_is_noticed_at_once_and_sent_again(void **state)
{
	struct rig *rig = *state;

	rig_with_store(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "DEL", STREAM); // the counters stay
	rig_push(rig, 10);
	expect_conflict(rig, "WIRECUE_GONE",
		"sends 1 to 100 again, and the stream has no gap then; consumers whose groups or marks went "
		"with it act on them once more",
		"goes on behind 100; 1 to 100 stay a gap in the stream");
	choose(rig, CTL_CHOICE_RESEND);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 110);
}

static void entries_that_readers_delete_are_no_loss(void **state)
{
	struct rig *rig = *state;

	rig_with_store(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "XTRIM", STREAM, "MAXLEN", "0");
	test_redis_run(&rig->redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
	rig_until_count(rig, "connects", 2);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 101, 100, 10);
	assert_int_equal(rig_count(rig, "lost_by_redis"), 0);
}

static void counters_that_are_gone_are_set_behind_what_was_acknowledged(void **state)
{
	struct rig *rig = *state;

	deliver_100_then_20(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	test_redis_run(&rig->redis, "XADD", STREAM, "1-1", "event", "x");
	expect_conflict(rig, "WIRECUE_COUNTERS",
		"not possible: the stream has lost nothing that was acknowledged",
		"goes on in the stream as it is, behind 100");
	expect_no_choice(rig, CTL_CHOICE_RESEND, "not possible");
	choose(rig, CTL_CHOICE_CONTINUE);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "XDEL", STREAM, "1-1");
	rig_expect(rig, 101, 100, 20);
}

/* Its store was lost, or put back to an older state: the stream knows more than we do. */
static void a_stream_that_is_ahead_is_followed_with_new_numbers(void **state)
{
	struct rig *rig = *state;

	deliver_100_then_20(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	test_redis_run(&rig->redis, "XADD", STREAM, "99999999999999-7", "event", "x");
	test_redis_run(&rig->redis, "HSET", COUNTERS, "sequence", "500", "writer", "another");
	expect_conflict(rig, "WIRECUE_AHEAD the stream has sequence 500 where 120 was given last",
		"not possible: the stream has lost nothing that was acknowledged",
		"gives the 20 waiting new numbers behind 500 and goes on there; "
		"what was said since a restored backup may be said again, with the same id; a second "
		"writer needs a redis.prefix of its own");
	choose(rig, CTL_CHOICE_CONTINUE);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_commit(rig); // the new numbers are durable first
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "XDEL", STREAM, "99999999999999-7");
	rig_expect(rig, 501, 100, 20);
}

static void another_writer_is_left_behind_by_choice(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "HSET", COUNTERS, "sequence", "15", "writer", "another");
	rig_push(rig, 10);
	expect_conflict(rig, "WIRECUE_TAKEN", "",
		"gives the 10 waiting new numbers behind 15 and goes on there; "
		"what was said since a restored backup may be said again, with the same id; a second "
		"writer needs a redis.prefix of its own");
	choose(rig, CTL_CHOICE_CONTINUE);
	rig_until_waiting(rig, 0);
	redisReply *reply = test_redis_do(&rig->redis, "HGET", COUNTERS, "sequence");

	assert_string_equal(reply->str, "25");
	freeReplyObject(reply);
}

static void a_new_store_adopts_the_stream_it_finds(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100); // by a life without a store
	rig_until_waiting(rig, 0);
	rig_disconnect(rig);
	rig_with_store(rig, 1000);
	rig_push(rig, 10);
	rig_connect(rig);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_commit(rig);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 110);
}

static void close_store(struct rig *rig)
{
	ctl_outbox_free(rig->outbox);
	rig->outbox = NULL;
	ctl_store_close(rig->store);
	rig->store = NULL;
}

/* A store put back to a backup gives numbers a second time, to others: its writer is known, its
 * numbers fit, and yet they are not the same entries. n of them are in the stream, and it decides
 * n_again more; is_restarted: it then reads the first of them only into memory. */
static void give_numbers_twice(struct rig *rig, unsigned n, unsigned n_again, bool is_restarted)
{
	g_autofree char *command = NULL;

	rig_with_store(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	rig_commit(rig);
	command = g_strdup_printf("cp -r %s %s.backup", rig->store_dir, rig->store_dir);
	assert_int_equal(system(command), 0);
	rig_push(rig, n);
	rig_until_waiting(rig, 0);
	rig_disconnect(rig);
	close_store(rig);
	g_free(command);
	command = g_strdup_printf(
		"rm -r %s && mv %s.backup %s", rig->store_dir, rig->store_dir, rig->store_dir);
	assert_int_equal(system(command), 0);
	rig_reopen_store(rig);
	rig_push(rig, n_again); // from 11 on, of which the stream has others
	if (is_restarted) {
		close_store(rig);
		rig_reopen_store(rig);
	}
	rig_connect(rig);
	expect_conflict(rig, "WIRECUE_OTHER", "", "");
	choose(rig, CTL_CHOICE_CONTINUE);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_commit(rig);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 10 + n + n_again);
}

static void numbers_given_twice_are_noticed(void **state)
{
	give_numbers_twice(*state, 10, 15, false);
}

static void numbers_given_twice_are_noticed_though_they_are_on_disk_only(void **state)
{
	give_numbers_twice(*state, 3000, 4000, true);
}

/* Numbers behind these could not be counted, and would be kept for ever. */
static void counters_that_nobody_could_have_reached_are_not_followed(void **state)
{
	struct rig *rig = *state;
	char text[256];

	deliver_100_then_20(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	test_redis_run(&rig->redis, "HSET", COUNTERS, "sequence", "9007199254740993");
	rig_until_state(rig, CTL_REDIS_FAILING);
	assert_true(ctl_publisher_choose(
			    rig->publisher, CTL_CHOICE_CONTINUE, 0, text, sizeof(text)) < 0);
	test_redis_run(&rig->redis, "DEL", COUNTERS);
	expect_conflict(rig, "WIRECUE_BEHIND", "", "");
	choose(rig, CTL_CHOICE_RESEND);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 120);
}

static void without_a_store_nothing_can_be_sent_again(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 100);
	rig_until_waiting(rig, 0);
	expect_no_choice(rig, CTL_CHOICE_CONTINUE, "there is nothing to choose");
	test_redis_kill(&rig->redis);
	rig_push(rig, 50);
	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
	test_redis_start(&rig->redis, NULL);
	expect_conflict(
		rig, "WIRECUE_BEHIND", "not possible: none of 1 to 100 is kept any more", "");
	expect_no_choice(rig, CTL_CHOICE_RESEND, "not possible");
	choose(rig, CTL_CHOICE_CONTINUE);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 101, 100, 50);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(an_empty_stream_is_sent_again_what_the_store_keeps),
		RIG_TEST(what_is_not_kept_any_more_is_told_and_stays_a_gap),
		RIG_TEST(going_on_leaves_a_gap_and_survives_a_restart),
		RIG_TEST(a_choice_is_void_once_the_stream_is_put_right),
		RIG_TEST(a_choice_is_kept_in_redis_though_nothing_follows),
		RIG_TEST(a_stream_from_an_older_backup_is_filled_up),
		RIG_TEST(a_stream_that_was_deleted_is_noticed_at_once_and_sent_again),
		RIG_TEST(entries_that_readers_delete_are_no_loss),
		RIG_TEST(counters_that_are_gone_are_set_behind_what_was_acknowledged),
		RIG_TEST(a_stream_that_is_ahead_is_followed_with_new_numbers),
		RIG_TEST(another_writer_is_left_behind_by_choice),
		RIG_TEST(a_new_store_adopts_the_stream_it_finds),
		RIG_TEST(numbers_given_twice_are_noticed),
		RIG_TEST(numbers_given_twice_are_noticed_though_they_are_on_disk_only),
		RIG_TEST(counters_that_nobody_could_have_reached_are_not_followed),
		RIG_TEST(without_a_store_nothing_can_be_sent_again),
	};

	if (!test_redis_is_installed())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
