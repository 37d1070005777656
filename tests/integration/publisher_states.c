// SPDX-License-Identifier: BSD-3-Clause

/* Each way in which Redis may refuse: named, with a remedy, and delivered once it is over. */

#include "tests/lib/publisher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Redis refuses with `state` and a cause that holds `cause`; nothing is dropped meanwhile. */
static void expect_refusal(struct rig *rig, enum ctl_redis_state state, const char *cause)
{
	const size_t n_waiting = ctl_outbox_stats(rig->outbox).n_waiting;
	char sentence[512];

	rig_until_state(rig, state);
	rig_run_ms(rig, 100); // some retries
	rig_until_state(rig, state);
	ctl_publisher_sentence(rig->publisher, sentence, sizeof(sentence));
	if (strstr(sentence, cause) == NULL)
		fail_msg("'%s' does not say '%s'", sentence, cause);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, n_waiting);
}

static void expect_delivery(struct rig *rig, unsigned n)
{
	rig_until_waiting(rig, 0);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_expect(rig, 1, 0, n);
}

/* Ready with ten triggers delivered. */
static void begin(struct rig *rig)
{
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
}

static void memory_is_full(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "1");
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_FULL, "OOM ");
	test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "0");
	expect_delivery(rig, 20);
}

static void the_server_is_a_replica(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	test_redis_run(&rig->redis, "REPLICAOF", "127.0.0.1", "1");
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_READONLY, "READONLY ");
	test_redis_run(&rig->redis, "REPLICAOF", "NO", "ONE");
	expect_delivery(rig, 20);
}

static void the_server_cannot_reach_its_replicas(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	test_redis_run(&rig->redis, "CONFIG", "SET", "min-replicas-to-write", "1");
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_UNSAFE, "NOREPLICAS ");
	test_redis_run(&rig->redis, "CONFIG", "SET", "min-replicas-to-write", "0");
	expect_delivery(rig, 20);
}

static void the_server_cannot_save(void **state)
{
	static const char *const saves[] = {"--save", "3600", "1", NULL};
	struct rig *rig = *state;
	char command[128];

	test_redis_start(&rig->redis, saves);
	rig_connect(rig);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	(void)snprintf(command, sizeof(command), "mkdir -p %s/dump.rdb/x", rig->redis.dir);
	assert_int_equal(system(command), 0);
	freeReplyObject(test_redis_do(&rig->redis, "BGSAVE"));
	for (int ms = 0; ms < 5000; ms += 20) { // the child's failure is noticed in a while
		redisReply *reply = test_redis_do(&rig->redis, "SET", "probe", "1");
		const bool is_refusing = reply->type == REDIS_REPLY_ERROR;

		freeReplyObject(reply);
		if (is_refusing)
			break;
		usleep(20000);
	}
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_UNSAFE, "MISCONF ");
	test_redis_run(&rig->redis, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no");
	expect_delivery(rig, 20);
}

static void the_server_is_loading(void **state)
{
	static const char *const slow[] = {"--key-load-delay", "1000",
		"--loading-process-events-interval-bytes", "1024", NULL};
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 300);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "DEBUG", "POPULATE", "1000"); // a second to load
	test_redis_run(&rig->redis, "SAVE");
	test_redis_kill(&rig->redis);
	rig_push(rig, 10);
	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
	test_redis_launch(&rig->redis, slow);
	rig_until_state(rig, CTL_REDIS_LOADING);
	rig_until_waiting(rig, 0);
	rig_until_state(rig, CTL_REDIS_READY);
	rig_expect(rig, 1, 0, 310);
}

static void a_password_is_needed_and_wrong_and_right(void **state)
{
	static const char *const guarded[] = {"--requirepass", "secret", NULL};
	struct rig *rig = *state;
	char right[] = "secret", wrong[] = "wrong", user[] = "default";

	test_redis_start(&rig->redis, guarded);
	rig_connect(rig);
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_DENIED, "NOAUTH ");
	rig_disconnect(rig);

	rig->config.password = wrong;
	rig_connect(rig);
	expect_refusal(rig, CTL_REDIS_DENIED, "WRONGPASS ");
	rig_disconnect(rig);

	rig->config.user = user;
	rig->config.password = right;
	rig_connect(rig);
	rig_until_waiting(rig, 0);
	assert_int_equal(rig_count(rig, "published"), 10);
}

/* A user with these rights on our keys and channels. */
static void allow(struct rig *rig, const char *commands, const char *channels)
{
	static char user[] = "wirecue", password[] = "secret";

	test_redis_run(&rig->redis, "ACL", "SETUSER", user, "reset", "on", ">secret", "~test:*",
		channels, commands);
	rig->config.user = user;
	rig->config.password = password;
}

static void a_user_without_rights_is_denied_and_with_them_is_not(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	allow(rig, "+@read", "&test:*");
	rig_connect(rig);
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_DENIED, "NOPERM ");
	test_redis_run(
		&rig->redis, "ACL", "SETUSER", "wirecue", "+@write", "+@scripting", "+publish");
	expect_delivery(rig, 10);
}

/* The ACL of docs/redis.md, as an operator would copy it, for our prefix. */
static void the_documented_rights_suffice(void **state)
{
	const char *top = getenv("WIRECUE_TOP");
	g_autofree char *path = g_strdup_printf("%s/docs/redis.md", top != NULL ? top : ".");
	g_autofree char *text = NULL;
	struct rig *rig = *state;
	static char user[] = "wirecue", password[] = "PASSWORD";
	g_auto(GStrv) words = NULL;
	GString *acl;
	char *end;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	acl = g_string_new(strstr(text, "ACL SETUSER"));
	end = strchr(acl->str, '`');
	assert_non_null(end);
	g_string_truncate(acl, (gsize)(end - acl->str));
	assert_int_not_equal(g_string_replace(acl, "wirecue:*", "test:*", 0), 0);
	(void)g_string_replace(acl, "\\|", "|", 0); // a table's way to write one
	words = g_strsplit(acl->str, " ", 0);
	g_string_free(acl, TRUE);

	test_redis_start(&rig->redis,
		(const char *const[]){"--appendonly", "yes", "--appendfsync", "always", NULL});
	test_redis_drop(test_redis_words(
		&rig->redis, (int)g_strv_length(words), (const char **)(void *)words));
	if (rig_has_command(rig, "WAITAOF")) // as it says there
		test_redis_run(&rig->redis, "ACL", "SETUSER", user, "+waitaof");
	rig->config.user = user;
	rig->config.password = password;
	rig->config.stream_max_len = 100;
	rig->config.confirm = CTL_CONFIRM_FSYNC;
	rig_connect(rig);
	rig_push(rig, 10);
	expect_delivery(rig, 10);
	rig_push(rig, 10); // behind a stream that must be there
	expect_delivery(rig, 20);
	assert_int_equal(rig_count(rig, "unannounced"), 0);
}

static void channels_that_are_denied_do_not_stop_the_stream(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	allow(rig, "+@all", "resetchannels");
	rig_connect(rig);
	rig_push(rig, 10);
	expect_delivery(rig, 10);
	assert_int_equal(rig_count(rig, "unannounced"), 10);
	test_redis_run(&rig->redis, "ACL", "SETUSER", "wirecue", "&test:*");
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	assert_int_equal(rig_count(rig, "unannounced"), 10);
}

static void nobody_listens_at_the_port(void **state)
{
	struct rig *rig = *state;

	rig->config.url = rig->redis.tcp_url;
	rig_connect(rig);
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_UNREACHABLE, "Connection refused");
	test_redis_start(&rig->redis, NULL);
	expect_delivery(rig, 10);
}

static void a_name_is_resolved_and_an_unknown_one_is_told(void **state)
{
	struct rig *rig = *state;
	char url[64];

	(void)snprintf(url, sizeof(url), "redis://localhost:%u", rig->redis.port);
	rig->config.url = url;
	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 10);
	expect_delivery(rig, 10);
	rig_disconnect(rig);

	(void)snprintf(url, sizeof(url), "redis://nobody.invalid:%u", rig->redis.port);
	rig_connect(rig);
	rig_push(rig, 10);
	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
}

/* A listening socket where Redis should be; the kernel completes connections. */
static int listen_in_its_place(struct rig *rig)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(rig->redis.port)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 64), 0);
	rig->config.url = rig->redis.tcp_url;
	return fd;
}

/* A server that accepts and never answers: the kernel completes the connection, nobody reads. */
static void a_black_hole_is_noticed_by_its_silence(void **state)
{
	struct rig *rig = *state;
	int fd;

	fd = listen_in_its_place(rig);
	rig->config.reply_timeout_ns = 50000000ULL;
	rig_connect(rig);
	rig_push(rig, 10);
	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
	expect_refusal(rig, CTL_REDIS_UNREACHABLE, "no reply within 50 ms");
	(void)close(fd);
	test_redis_start(&rig->redis, NULL);
	expect_delivery(rig, 10);
}

/* Something that is no Redis answers. */
static void a_stranger_at_the_port_is_not_trusted(void **state)
{
	static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
		":1\r\n:2\r\n:3\r\n:4\r\n", "*-1\r\n", "$-1\r\n$-1\r\n$-1\r\n$-1\r\n", "-\r\n",
		"$40\r\n0123456789012345678901234567890123456789\r\n*2\r\n$17\r\nlast-generated-id\r\n:1\r\n",
		"$40\r\n0123456789012345678901234567890123456789\r\n-ERR no such key\r\n"
		"*2\r\n$8\r\nsequence\r\n$2\r\n-1\r\n",
		"$40\r\n0123456789012345678901234567890123456789\r\n-ERR no such key\r\n"
		"*1\r\n*0\r\n"};
	struct rig *rig = *state;
	int fd;

	fd = listen_in_its_place(rig);
	rig->config.reply_timeout_ns = 50000000ULL;
	rig_connect(rig);
	rig_push(rig, 10);
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
		int peer = -1;

		while (peer < 0) {
			rig_run_ms(rig, 5);
			peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		}
		assert_true(write(peer, answers[i], strlen(answers[i])) > 0);
		rig_run_ms(rig, 80);
		(void)close(peer);
		assert_int_not_equal(ctl_publisher_state(rig->publisher), CTL_REDIS_READY);
	}
	(void)close(fd);
	test_redis_start(&rig->redis, NULL);
	expect_delivery(rig, 10);
}

static void another_writer_of_the_stream_is_an_alarm_and_nothing_is_skipped(void **state)
{
	struct rig *rig = *state;
	char effect[256];

	begin(rig);
	test_redis_run(&rig->redis, "XADD", "test:triggers:{0}", "99999999999999-0", "event", "x");
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_CONFLICT, "equal or smaller");
	assert_int_equal(ctl_publisher_choose(
				 rig->publisher, CTL_CHOICE_CONTINUE, 0, effect, sizeof(effect)),
		0);
	rig_until_waiting(rig, 0);
	test_redis_run(&rig->redis, "XDEL", "test:triggers:{0}", "99999999999999-0");
	expect_delivery(rig, 20);
}

static void another_node_with_our_prefix_is_an_alarm(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	test_redis_run(
		&rig->redis, "HSET", "test:sequence:{0}", "sequence", "15", "writer", "another");
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_CONFLICT, "WIRECUE_TAKEN");
	test_redis_run(&rig->redis, "HSET", "test:sequence:{0}", "sequence", "10");
	expect_delivery(rig, 20);
}

static void a_stream_without_its_counters_is_an_alarm(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	test_redis_run(&rig->redis, "RENAME", "test:sequence:{0}", "test:kept");
	rig_restart_process(rig);
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_CONFLICT, "WIRECUE_COUNTERS");
	test_redis_run(&rig->redis, "RENAME", "test:kept", "test:sequence:{0}");
	expect_delivery(rig, 20);
}

static void keys_of_a_wrong_type_are_an_error_with_its_text(void **state)
{
	struct rig *rig = *state;

	test_redis_start(&rig->redis, NULL);
	test_redis_run(&rig->redis, "SET", "test:triggers:{0}", "x");
	rig_connect(rig);
	rig_push(rig, 10);
	expect_refusal(rig, CTL_REDIS_FAILING, "WRONGTYPE ");
	test_redis_run(&rig->redis, "DEL", "test:triggers:{0}");
	expect_delivery(rig, 10);
}

static void the_heartbeat_has_a_time_to_live_and_says_how_it_is(void **state)
{
	struct rig *rig = *state;
	redisReply *reply;
	json_t *heartbeat;

	test_redis_start(&rig->redis, NULL);
	rig_connect(rig);
	rig_push(rig, 10);
	rig_until_waiting(rig, 0);
	reply = test_redis_do(&rig->redis, "TTL", "test:heartbeat:{edge1}");
	assert_in_range(reply->integer, CTL_HEARTBEAT_TTL_S - 5, CTL_HEARTBEAT_TTL_S);
	freeReplyObject(reply);
	reply = test_redis_do(&rig->redis, "GET", "test:heartbeat:{edge1}");
	heartbeat = json_loads(reply->str, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(heartbeat, "outbox")), 10);
	assert_non_null(json_object_get(heartbeat, "watermark"));
	json_decref(heartbeat);
	freeReplyObject(reply);
}

static void retries_double_up_to_their_bound(void **state)
{
	struct rig *rig = *state;
	unsigned n_attempts = 0;
	int fd;

	fd = listen_in_its_place(rig);
	rig->config.retry_min_ns = 20000000ULL; // at 0, 20, 60, 140, 220, 300 ms
	rig_connect(rig);
	for (int ms = 0; ms < 330; ms += 5) {
		const int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		n_attempts += peer >= 0;
		if (peer >= 0)
			(void)close(peer);
		rig_run_ms(rig, 5);
	}
	(void)close(fd);
	assert_in_range(n_attempts, 4, 9); // 16 if they did not
	test_redis_start(&rig->redis, NULL);
	rig_until_state(rig, CTL_REDIS_READY);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(memory_is_full),
		RIG_TEST(the_server_is_a_replica),
		RIG_TEST(the_server_cannot_reach_its_replicas),
		RIG_TEST(the_server_cannot_save),
		RIG_TEST(the_server_is_loading),
		RIG_TEST(a_password_is_needed_and_wrong_and_right),
		RIG_TEST(a_user_without_rights_is_denied_and_with_them_is_not),
		RIG_TEST(the_documented_rights_suffice),
		RIG_TEST(channels_that_are_denied_do_not_stop_the_stream),
		RIG_TEST(nobody_listens_at_the_port),
		RIG_TEST(a_name_is_resolved_and_an_unknown_one_is_told),
		RIG_TEST(a_black_hole_is_noticed_by_its_silence),
		RIG_TEST(a_stranger_at_the_port_is_not_trusted),
		RIG_TEST(another_writer_of_the_stream_is_an_alarm_and_nothing_is_skipped),
		RIG_TEST(another_node_with_our_prefix_is_an_alarm),
		RIG_TEST(a_stream_without_its_counters_is_an_alarm),
		RIG_TEST(keys_of_a_wrong_type_are_an_error_with_its_text),
		RIG_TEST(the_heartbeat_has_a_time_to_live_and_says_how_it_is),
		RIG_TEST(retries_double_up_to_their_bound),
	};

	if (!test_redis_is_installed())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
