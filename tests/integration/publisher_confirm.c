// SPDX-License-Identifier: BSD-3-Clause

/* When a trigger counts as delivered: by replicas, by the append-only file. */

#include "tests/lib/publisher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

static const char *const synced[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

/* Everything is in the stream and waits nevertheless, for a reason that says `cause`. */
static void expect_unsafe(struct rig *rig, unsigned n, const char *cause)
{
	char sentence[512];

	rig_until_state(rig, CTL_REDIS_UNSAFE);
	rig_until_length(rig, n);
	ctl_publisher_sentence(rig->publisher, sentence, sizeof(sentence));
	if (strstr(sentence, cause) == NULL)
		fail_msg("'%s' does not say '%s'", sentence, cause);
}

static void start_replica(struct rig *rig, struct test_redis *replica)
{
	char port[8];
	const char *const args[] = {"--replicaof", "127.0.0.1", port, NULL};

	(void)snprintf(port, sizeof(port), "%u", rig->redis.port);
	test_redis_start(replica, args);
}

static void only_what_replicas_have_is_acknowledged(void **state)
{
	static const char *const quick[] = {
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", NULL};
	struct rig *rig = *state;
	struct test_redis replica;

	test_redis_init(&replica);
	test_redis_start(&rig->redis, quick);
	rig->config.confirm = CTL_CONFIRM_REPLICAS;
	rig->config.n_replicas = 1;
	rig->config.reply_timeout_ns = 500000000ULL;
	rig_connect(rig);
	rig_push(rig, 300);
	expect_unsafe(rig, 300, "0 of 1 replicas have what was published");
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 300);

	start_replica(rig, &replica);
	rig_until_waiting(rig, 0);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_expect(rig, 1, 0, 300);
	assert_int_equal(rig_count(rig, "confirmed"), 300);

	test_redis_freeze(&replica, true);
	rig_push(rig, 100);
	expect_unsafe(rig, 400, "0 of 1 replicas");
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 100);
	test_redis_freeze(&replica, false);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 400);
	assert_int_equal(rig_count(rig, "connects"), 1); // the connection was good all the time
	test_redis_fini(&replica);
}

/* What was published and not confirmed is in the stream: a new connection must neither send it
 * again nor take its own silence for a confirmation. */
static void a_reconnect_confirms_what_was_in_the_stream_before_it(void **state)
{
	struct rig *rig = *state;
	struct test_redis replica;

	test_redis_init(&replica);
	test_redis_start(&rig->redis, NULL);
	rig->config.confirm = CTL_CONFIRM_REPLICAS;
	rig->config.n_replicas = 1;
	rig->config.reply_timeout_ns = 500000000ULL;
	rig_connect(rig);
	rig_push(rig, 300);
	expect_unsafe(rig, 300, "0 of 1 replicas");
	test_redis_run(&rig->redis, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
	rig_until_count(rig, "connects", 2);
	rig_until_count(rig, "duplicates", 300);
	rig_run_ms(rig, 100);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 300);
	start_replica(rig, &replica);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 300);
	test_redis_fini(&replica);
}

/* Beyond what a restart reads at once. */
static void after_a_restart_triggers_go_out_though_none_is_confirmed(void **state)
{
	struct rig *rig = *state;

	rig_with_store(rig, 1000);
	test_redis_start(&rig->redis, NULL);
	rig->config.confirm = CTL_CONFIRM_REPLICAS;
	rig->config.n_replicas = 1;
	rig_connect(rig);
	rig_push(rig, 3000);
	expect_unsafe(rig, 3000, "0 of 1 replicas");
	rig_restart_process(rig);
	rig_push(rig, 10);
	for (int i = 0; i < 10; i++) // the ticks of a few seconds
		rig_commit(rig);
	expect_unsafe(rig, 3010, "0 of 1 replicas");
	rig_expect(rig, 1, 0, 3010);
}

static void a_replica_takes_over_and_has_all_that_was_acknowledged(void **state)
{
	static const char *const quick[] = {"--repl-diskless-sync-delay", "0", NULL};
	struct rig *rig = *state;
	struct test_redis replica, master;

	test_redis_init(&replica);
	test_redis_start(&rig->redis, quick);
	start_replica(rig, &replica);
	rig->config.confirm = CTL_CONFIRM_REPLICAS;
	rig->config.n_replicas = 1;
	rig_connect(rig);
	rig_push(rig, 3000);
	rig_until_count(rig, "confirmed", 500);
	test_redis_kill(&rig->redis);
	rig_disconnect(rig);
	test_redis_run(&replica, "REPLICAOF", "NO", "ONE");

	master = rig->redis;
	rig->redis = replica;
	rig->config.url = rig->redis.unix_url;
	rig->config.confirm = CTL_CONFIRM_REPLY;
	rig_connect(rig); // not in conflict: nothing acknowledged is missing
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 3000);
	rig_disconnect(rig);
	test_redis_fini(&master);
}

/* Below Redis 7.2 the settings say whether a reply comes behind the sync; from it on WAITAOF does. */
static void only_what_is_synced_is_acknowledged(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig->config.confirm = CTL_CONFIRM_FSYNC;
	rig_connect(rig);
	rig_push(rig, 300);
	expect_unsafe(rig, 300, "appendonly yes");
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 300);
	test_redis_run(&rig->redis, "CONFIG", "SET", "appendfsync", "always");
	test_redis_run(&rig->redis, "CONFIG", "SET", "appendonly", "yes");
	rig_disconnect(rig); // the rhythm would notice within ten seconds
	rig_connect(rig);
	rig_until_waiting(rig, 0);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_expect(rig, 1, 0, 300);
}

static void each_setting_that_is_missing_is_named(void **state)
{
	static const char *const begin[] = {"--appendonly", "yes", "--appendfsync", "everysec",
		"--no-appendfsync-on-rewrite", "yes", NULL};
	struct rig *rig = *state;

	test_redis_start(&rig->redis, begin);
	if (rig_has_command(rig, "WAITAOF"))
		skip(); // the server waits for its file itself, whatever these say
	rig->config.confirm = CTL_CONFIRM_FSYNC;
	rig_connect(rig);
	rig_push(rig, 10);
	expect_unsafe(rig, 10, "appendfsync always");
	rig_disconnect(rig);
	test_redis_run(&rig->redis, "CONFIG", "SET", "appendfsync", "always");
	rig_connect(rig);
	expect_unsafe(rig, 10, "no-appendfsync-on-rewrite no");
	rig_disconnect(rig);
	test_redis_run(&rig->redis, "CONFIG", "SET", "no-appendfsync-on-rewrite", "no");
	rig_connect(rig);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 10);
}

static void each_right_that_is_missing_is_named(void **state)
{
	static char user[] = "wirecue", password[] = "secret";
	struct rig *rig = *state;

	test_redis_start(&rig->redis, synced);
	test_redis_run(&rig->redis, "ACL", "SETUSER", user, "on", ">secret", "~test:*", "&test:*",
		"+@all", "-info", "-config");
	if (rig_has_command(rig, "WAITAOF"))
		test_redis_run(&rig->redis, "ACL", "SETUSER", user, "-waitaof");
	rig->config.user = user;
	rig->config.password = password;
	rig->config.confirm = CTL_CONFIRM_FSYNC;
	rig_connect(rig);
	rig_push(rig, 10);
	if (rig_has_command(rig, "WAITAOF")) {
		expect_unsafe(rig, 10, "+waitaof");
		test_redis_run(&rig->redis, "ACL", "SETUSER", user, "+waitaof");
	} else {
		expect_unsafe(rig, 10, "+info");
		rig_disconnect(rig);
		test_redis_run(&rig->redis, "ACL", "SETUSER", user, "+info");
		rig_connect(rig);
		expect_unsafe(rig, 10, "+config|get");
		test_redis_run(&rig->redis, "ACL", "SETUSER", user, "+config|get");
	}
	rig_disconnect(rig);
	rig_connect(rig);
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 10);
}

static void what_was_acknowledged_as_synced_survives_a_kill(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, synced);
	rig->config.confirm = CTL_CONFIRM_FSYNC;
	rig_connect(rig);
	rig_push(rig, 3000);
	for (uint64_t n = 500; n <= 2000; n += 500) {
		rig_until_count(rig, "confirmed", n);
		test_redis_kill(&rig->redis);
		rig_until_state(rig, CTL_REDIS_UNREACHABLE);
		test_redis_start(&rig->redis, synced);
	}
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, 3000);
	assert_int_equal(rig_count(rig, "lost_by_redis"), 0);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(only_what_replicas_have_is_acknowledged),
		RIG_TEST(a_reconnect_confirms_what_was_in_the_stream_before_it),
		RIG_TEST(after_a_restart_triggers_go_out_though_none_is_confirmed),
		RIG_TEST(a_replica_takes_over_and_has_all_that_was_acknowledged),
		RIG_TEST(only_what_is_synced_is_acknowledged),
		RIG_TEST(each_setting_that_is_missing_is_named),
		RIG_TEST(each_right_that_is_missing_is_named),
		RIG_TEST(what_was_acknowledged_as_synced_survives_a_kill),
	};

	if (!test_redis_is_installed())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
