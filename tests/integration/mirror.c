// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror.h"

#include "control/hiredis_compat.h"
#include "tests/lib/redis_server.h"
#include "tests/unit/engine_fixture.h"

#include <event2/event.h>
#include <stdio.h>

/* A real engine, fed with made-up records, and its mirror to a real private redis-server. */

enum { PATIENCE_MS = 10000, STEP_MS = 5 };

#define ONE \
	"  - msisdn: \"+99900000001\"\n" \
	"    addresses: [10.20.0.11]\n" \
	"    zone: UTC\n" \
	"    line: {kind: consumer}\n"
#define TWO \
	"  - msisdn: \"+99900000002\"\n" \
	"    addresses: [10.20.0.12]\n" \
	"    zone: UTC\n" \
	"    line: {kind: consumer}\n"
#define GRANTED "    consent: [{purpose: profiling, status: granted, version: 1}]\n"
#define WITHDRAWN "    consent: [{purpose: profiling, status: withdrawn, version: 2}]\n"

#define HEAD(node) \
	"node: " node "\n" \
	"zone: UTC\n" \
	"apps: apps.yaml\n" \
	"binding: {sources: [static: facts.yaml]}\n" \
	"told: {files: [facts.yaml]}\n" \
	"privacy: {subject: plain}\n"
// With `plain`, these are the subjects.
#define USAGE_1 "test:usage:{msisdn:+99900000001}"
#define PROFILE_1 "test:profile:{msisdn:+99900000001}"

static const struct use FILM = {
	"2026-11-10T10:00:00Z", "film", .up_bytes = 10, .bytes = 100, .n_flows = 1};

/* A node: engine and mirror. */
struct node {
	struct fixture f;
	const char *head;
	struct ctl_mirror *mirror;
};

struct rig {
	struct test_redis redis;
	struct event_base *base;
	struct ctl_redis_config config;
	struct node a, b;
};

static int set_up(void **state)
{
	struct rig *rig;

	if (!test_redis_is_installed())
		skip();
	rig = g_new0(struct rig, 1);
	test_redis_init(&rig->redis);
	test_redis_start(&rig->redis, NULL);
	rig->base = event_base_new();
	rig->config = (struct ctl_redis_config){
		.url = rig->redis.unix_url,
		.prefix = (char *)"test:",
		.connect_timeout_ns = 500000000ULL,
		.reply_timeout_ns = 500000000ULL,
		.retry_min_ns = 10000000ULL,
		.retry_max_ns = 80000000ULL,
		.hashes = true,
		.usage_interval_ns = 100000000ULL,
	};
	*state = rig;
	return 0;
}

static void node_close(struct node *node)
{
	ctl_mirror_free(node->mirror);
	if (node->f.engine != NULL)
		fixture_close(&node->f);
	*node = (struct node){0};
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	node_close(&rig->a);
	node_close(&rig->b);
	event_base_free(rig->base);
	test_redis_fini(&rig->redis);
	g_free(rig);
	return 0;
}

static void connect_node(struct rig *rig, struct node *node)
{
	const struct ctl_mirror_config config = {
		.redis = &rig->config,
		.node = g_intern_string(node->f.config->node), // outlives a reload
		.engine = node->f.engine,
	};
	struct dp_err err = {0};

	if (ctl_mirror_new(rig->base, &config, &node->mirror, &err) < 0)
		fail_msg("%s", err.text);
}

static void open_node(struct rig *rig, struct node *node, const char *head, const char *persons)
{
	g_autofree char *facts = g_strconcat("subscribers:\n", persons, NULL);

	fixture_head = node->head = head;
	fixture_open(&node->f, NULL, facts);
	connect_node(rig, node);
}

static void reload(struct node *node, const char *persons)
{
	g_autofree char *facts = g_strconcat("subscribers:\n", persons, NULL);

	fixture_head = node->head;
	fixture_reload(&node->f, NULL, facts);
	ctl_mirror_reload(node->mirror);
}

static void on_step(evutil_socket_t, short, void *)
{
}

static void run(struct rig *rig)
{
	const struct timeval step = {.tv_usec = STEP_MS * 1000};
	struct event *timer = evtimer_new(rig->base, on_step, NULL);

	evtimer_add(timer, &step);
	while (evtimer_pending(timer, NULL))
		(void)event_base_loop(rig->base, EVLOOP_ONCE);
	event_free(timer);
}

static uint64_t count(struct node *node, const char *key)
{
	json_t *object = json_object();
	uint64_t n;

	ctl_mirror_json(node->mirror, object);
	assert_true(json_is_integer(json_object_get(object, key)));
	n = (uint64_t)json_integer_value(json_object_get(object, key));
	json_decref(object);
	return n;
}

/* "" when it is not there. Owned by the caller. */
static char *field(struct rig *rig, const char *key, const char *name)
{
	redisReply *reply = test_redis_do(&rig->redis, "HGET", key, name);
	char *value = g_strdup(reply->type == REDIS_REPLY_STRING ? reply->str : "");

	freeReplyObject(reply);
	return value;
}

static void until(struct rig *rig, const char *key, const char *name, const char *value)
{
	for (int ms = 0;; ms += STEP_MS) {
		g_autofree char *found = field(rig, key, name);

		if (strcmp(found, value) == 0)
			return;
		if (ms >= PATIENCE_MS)
			fail_msg("%s of %s is '%s', not '%s'", name, key, found, value);
		run(rig);
	}
}

static void until_written(struct rig *rig, struct node *node, uint64_t n)
{
	for (int ms = 0; count(node, "hashes_written") < n; ms += STEP_MS) {
		if (ms >= PATIENCE_MS)
			fail_msg("only %ju written", (uintmax_t)count(node, "hashes_written"));
		run(rig);
	}
}

static void until_state(struct rig *rig, struct node *node, enum ctl_redis_state state)
{
	for (int ms = 0; ctl_mirror_state(node->mirror) != state; ms += STEP_MS) {
		if (ms >= PATIENCE_MS)
			fail_msg("state is %s, not %s",
				ctl_redis_state_names[ctl_mirror_state(node->mirror)],
				ctl_redis_state_names[state]);
		run(rig);
	}
}

static int text_cmp(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "field=value field=value", sorted. */
static void assert_hash(struct rig *rig, const char *key, const char *expected)
{
	redisReply *reply = test_redis_do(&rig->redis, "HGETALL", key);
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
	char *text;

	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		g_ptr_array_add(lines,
			g_strdup_printf(
				"%s=%s", reply->element[i]->str, reply->element[i + 1]->str));
	g_ptr_array_sort(lines, text_cmp);
	g_ptr_array_add(lines, NULL);
	text = g_strjoinv(" ", (char **)lines->pdata);
	assert_string_equal(text, expected);
	g_free(text);
	g_ptr_array_unref(lines);
	freeReplyObject(reply);
}

static long long number(struct rig *rig, const char *command, const char *key)
{
	redisReply *reply = test_redis_do(&rig->redis, command, key);
	const long long n = reply->integer;

	assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
	return n;
}

static const char NAMED[] = "2026-11-01:edge1:film:down=100 2026-11-01:edge1:film:up=10"
			    " 2026-11-01:edge1:total:down=100 2026-11-01:edge1:total:up=10";
static const char TOTALS[] = "2026-11-01:edge1:total:down=100 2026-11-01:edge1:total:up=10";

static void each_subscriber_has_two_hashes_and_a_stranger_none(void **state)
{
	static const struct use stranger = {
		"2026-11-10T10:00:00Z", "film", .endpoint = "10.20.0.99", .bytes = 7};
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	fixture_play(&rig->a.f, &stranger, 1);
	until(rig, PROFILE_1, "v", "1");
	assert_hash(rig, USAGE_1, NAMED);
	until(rig, PROFILE_1, "node", "edge1");
	until(rig, PROFILE_1, "may_upsell", "0");
	assert_in_range(number(rig, "TTL", USAGE_1), 400 * 86400, 403 * 86400);
	assert_in_range(number(rig, "TTL", PROFILE_1), 400 * 86400, 403 * 86400);
	redisReply *reply = test_redis_do(&rig->redis, "DBSIZE");

	assert_int_equal(reply->integer, 3); // two hashes and the marker
	freeReplyObject(reply);
}

static void writing_again_changes_nothing_and_growth_replaces(void **state)
{
	static const struct use more = {
		"2026-11-10T10:00:05Z", "film", .up_bytes = 1, .bytes = 2, .n_flows = 1};
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, PROFILE_1, "v", "1");
	ctl_mirror_reload(rig->a.mirror);
	until_written(rig, &rig->a, 2);
	assert_hash(rig, USAGE_1, NAMED);
	test_redis_run(&rig->redis, "HSET", PROFILE_1, "of_an_earlier_version", "1");
	fixture_play(&rig->a.f, &more, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "102");
	until(rig, USAGE_1, "2026-11-01:edge1:total:up", "11");
	until(rig, PROFILE_1, "of_an_earlier_version", "");
}

static void two_nodes_write_one_hash_and_touch_their_own_fields_only(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	open_node(rig, &rig->b, HEAD("edge2"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	fixture_play(&rig->b.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	until(rig, USAGE_1, "2026-11-01:edge2:film:down", "100");
	reload(&rig->a, ONE WITHDRAWN);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "");
	assert_hash(rig, USAGE_1,
		"2026-11-01:edge1:total:down=100 2026-11-01:edge1:total:up=10"
		" 2026-11-01:edge2:film:down=100 2026-11-01:edge2:film:up=10"
		" 2026-11-01:edge2:total:down=100 2026-11-01:edge2:total:up=10");
}

static void consent_withdrawn_removes_the_apps_of_all_cycles(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	test_redis_run(&rig->redis, "HSET", USAGE_1, "2026-10-01:edge1:film:down", "5",
		"2026-10-01:edge1:total:down", "6");
	reload(&rig->a, ONE WITHDRAWN);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "");
	until(rig, USAGE_1, "2026-10-01:edge1:film:down", "");
	until(rig, USAGE_1, "2026-10-01:edge1:total:down", "6");
	reload(&rig->a, ONE GRANTED);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
}

static void a_consent_that_runs_out_does_so_without_a_word_or_a_packet(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"),
		ONE "    consent: [{purpose: profiling, status: granted, version: 1,\n"
		    "               until: 2026-11-12T00:00:00Z}]\n");
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	fixture_advance(&rig->a.f, "2026-11-12T00:00:01Z");
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "");
	assert_hash(rig, USAGE_1, TOTALS);
}

static void what_must_not_be_named_goes_even_if_it_once_stood_there(void **state)
{
	struct rig *rig = *state;

	test_redis_run(&rig->redis, "HSET", USAGE_1, "2026-10-01:edge1:casino:down", "5",
		"2026-10-01:edge1:rival:down", "5", "2026-10-01:edge1:chat:down", "5",
		"2026-11-01:edge1:chat:down", "5");
	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	g_autofree char *expected = g_strconcat("2026-10-01:edge1:chat:down=5 ", NAMED, NULL);

	assert_hash(rig, USAGE_1, expected); // of the running cycle what we count is all there is
}

static void a_new_cycle_keeps_the_old_one_and_drops_the_14th(void **state)
{
	static const struct use uses[] = {
		{"2026-11-30T23:59:00Z", "film", .bytes = 5, .n_flows = 1},
		{"2026-12-01T00:00:10Z", "film", .bytes = 7},
	};
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	test_redis_run(&rig->redis, "HSET", USAGE_1, "2025-11-01:edge1:total:down", "1",
		"2025-12-01:edge1:total:down", "2", "2025-11-01:edge2:total:down", "3");
	// Both in one go: the last bytes of November are published in December.
	fixture_play(&rig->a.f, uses, 2);
	until(rig, USAGE_1, "2026-12-01:edge1:total:down", "7");
	until(rig, USAGE_1, "2026-11-01:edge1:total:down", "105");
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "105");
	until(rig, USAGE_1, "2025-11-01:edge1:total:down", "");
	until(rig, USAGE_1, "2025-12-01:edge1:total:down", "2");
	until(rig, USAGE_1, "2025-11-01:edge2:total:down", "3");
}

static void a_redis_that_lost_everything_gets_it_again(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED TWO);
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	test_redis_kill(&rig->redis); // nothing was on disk
	until_state(rig, &rig->a, CTL_REDIS_UNREACHABLE);
	test_redis_start(&rig->redis, NULL);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");

	test_redis_run(&rig->redis, "FLUSHALL"); // and the connection stays
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	until(rig, PROFILE_1, "v", "1");
}

static void what_changes_while_redis_is_away_is_there_afterwards(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	test_redis_kill(&rig->redis);
	fixture_play(&rig->a.f, &FILM, 1);
	until_state(rig, &rig->a, CTL_REDIS_UNREACHABLE);
	assert_int_equal(count(&rig->a, "hashes_waiting"), 1);
	test_redis_start(&rig->redis, NULL);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	until_written(rig, &rig->a, 1);
	assert_int_equal(count(&rig->a, "hashes_waiting"), 0);
}

static void a_server_that_hangs_leaves_nothing_half_said(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	until_state(rig, &rig->a, CTL_REDIS_READY);
	test_redis_freeze(&rig->redis, true);
	fixture_play(&rig->a.f, &FILM, 1);
	until_state(rig, &rig->a, CTL_REDIS_UNREACHABLE);
	assert_int_equal(count(&rig->a, "hashes_waiting"), 1);
	test_redis_freeze(&rig->redis, false);
	until_written(rig, &rig->a, 1);
	assert_hash(rig, USAGE_1, NAMED);
}

static void refusals_are_states_and_pass(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	until_state(rig, &rig->a, CTL_REDIS_READY);
	test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "1");
	fixture_play(&rig->a.f, &FILM, 1);
	until_state(rig, &rig->a, CTL_REDIS_FULL);
	test_redis_run(&rig->redis, "CONFIG", "SET", "maxmemory", "0");
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");

	test_redis_run(&rig->redis, "REPLICAOF", "127.0.0.1", "1");
	ctl_mirror_reload(rig->a.mirror);
	until_state(rig, &rig->a, CTL_REDIS_READONLY);
	test_redis_run(&rig->redis, "REPLICAOF", "NO", "ONE");
	until_state(rig, &rig->a, CTL_REDIS_READY);

	test_redis_run(&rig->redis, "SCRIPT", "FLUSH");
	test_redis_run(&rig->redis, "DEL", USAGE_1);
	ctl_mirror_reload(rig->a.mirror);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	assert_int_equal(ctl_mirror_state(rig->a.mirror), CTL_REDIS_READY);
}

/* docs/hashes.md names these rights; with one of them missing it does not work. */
static void the_documented_rights_suffice_and_are_needed(void **state)
{
	struct rig *rig = *state;

	test_redis_run(&rig->redis, "ACL", "SETUSER", "hashes", "on", ">of-a-test", "~test:*",
		"+select", "+script|load", "+evalsha", "+getset", "+hset", "+hdel", "+hkeys",
		"+del", "+expire");
	rig->config.user = (char *)"hashes";
	rig->config.password = (char *)"of-a-test";
	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	reload(&rig->a, TWO); // forgets the first one
	until(rig, USAGE_1, "2026-11-01:edge1:total:down", "");

	test_redis_run(&rig->redis, "ACL", "SETUSER", "hashes", "-hkeys");
	reload(&rig->a, ONE GRANTED); // who is told again is remembered
	until_state(rig, &rig->a, CTL_REDIS_DENIED);
	test_redis_run(&rig->redis, "ACL", "SETUSER", "hashes", "+hkeys");
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
}

static void who_is_renamed_leaves_nothing_under_the_old_name(void **state)
{
	struct rig *rig = *state;
	g_autofree char *old_usage = NULL, *old_profile = NULL, *new_usage = NULL;

	fixture_head = NULL; // pseudonyms
	fixture_open(&rig->a.f, NULL, NULL);
	connect_node(rig, &rig->a);
	fixture_play(&rig->a.f, &FILM, 1);
	for (int i = 0; i < 2; i++) {
		char subject[128];

		rig->a.f.key = i == 0 ? NULL : "another key of the pseudonyms, 32";
		if (i == 1) {
			fixture_reload(&rig->a.f, NULL, NULL);
			ctl_mirror_reload(rig->a.mirror);
		}
		assert_int_equal(ctl_subject_of(&rig->a.f.config->privacy, "msisdn:+99900000001",
					 subject, NULL),
			0);
		new_usage = g_strdup_printf("test:usage:{%s}", subject);
		until(rig, new_usage, "2026-11-01:edge1:total:down", "100");
		if (i == 0) {
			old_usage = g_steal_pointer(&new_usage);
			old_profile = g_strdup_printf("test:profile:{%s}", subject);
			test_redis_run(
				&rig->redis, "HSET", old_usage, "2026-11-01:edge2:total:down", "9");
		}
	}
	assert_string_not_equal(old_usage, new_usage);
	assert_hash(rig, old_usage, "2026-11-01:edge2:total:down=9"); // another node's
	assert_int_equal(number(rig, "EXISTS", old_profile), 0);
}

static void a_name_that_changes_hands_brings_nothing_along(void **state)
{
	struct rig *rig = *state;

	// The first account gets another number, its old number goes to the second one.
	open_node(rig, &rig->a, HEAD("edge1"),
		ONE "    account: first\n" GRANTED TWO "    account: second\n");
	fixture_play(&rig->a.f, &FILM, 1);
	fixture_play(&rig->a.f,
		&(const struct use){
			"2026-11-10T10:00:00Z", "chat", .endpoint = "10.20.0.12", .bytes = 3},
		1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	reload(&rig->a,
		"  - msisdn: \"+99900000003\"\n    account: first\n    zone: UTC\n" GRANTED
		"  - msisdn: \"+99900000001\"\n    account: second\n    zone: UTC\n");
	until(rig, USAGE_1, "2026-11-01:edge1:total:down", "3");
	assert_hash(rig, USAGE_1, "2026-11-01:edge1:total:down=3 2026-11-01:edge1:total:up=0");
	until(rig, "test:usage:{msisdn:+99900000003}", "2026-11-01:edge1:film:down", "100");
}

static void a_process_that_starts_anew_writes_everybody_again(void **state)
{
	struct rig *rig = *state;

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	ctl_mirror_free(rig->a.mirror);
	test_redis_run(&rig->redis, "DEL", PROFILE_1);
	connect_node(rig, &rig->a);
	until(rig, PROFILE_1, "v", "1");
}

/* More fields than Lua's stack holds. */
static void a_hash_of_thousands_of_fields_is_written_and_cleaned(void **state)
{
	struct rig *rig = *state;
	GString *fields = g_string_new(NULL);

	open_node(rig, &rig->a, HEAD("edge1"), ONE GRANTED);
	for (int i = 0; i < 20000; i++)
		g_string_append_printf(
			fields, "%s2025-01-01:edge1:app-%d:up", i == 0 ? "" : " ", i);
	g_auto(GStrv) names = g_strsplit(fields->str, " ", -1);

	for (int i = 0; i < 20000; i++)
		test_redis_run(&rig->redis, "HSET", USAGE_1, names[i], "1");
	fixture_play(&rig->a.f, &FILM, 1);
	until(rig, USAGE_1, "2026-11-01:edge1:film:down", "100");
	assert_hash(rig, USAGE_1, NAMED);
	g_string_free(fields, TRUE);
}

#define scenario(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario(each_subscriber_has_two_hashes_and_a_stranger_none),
		scenario(writing_again_changes_nothing_and_growth_replaces),
		scenario(two_nodes_write_one_hash_and_touch_their_own_fields_only),
		scenario(consent_withdrawn_removes_the_apps_of_all_cycles),
		scenario(a_consent_that_runs_out_does_so_without_a_word_or_a_packet),
		scenario(what_must_not_be_named_goes_even_if_it_once_stood_there),
		scenario(a_new_cycle_keeps_the_old_one_and_drops_the_14th),
		scenario(a_redis_that_lost_everything_gets_it_again),
		scenario(what_changes_while_redis_is_away_is_there_afterwards),
		scenario(a_server_that_hangs_leaves_nothing_half_said),
		scenario(refusals_are_states_and_pass),
		scenario(the_documented_rights_suffice_and_are_needed),
		scenario(who_is_renamed_leaves_nothing_under_the_old_name),
		scenario(a_name_that_changes_hands_brings_nothing_along),
		scenario(a_process_that_starts_anew_writes_everybody_again),
		scenario(a_hash_of_thousands_of_fields_is_written_and_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
