// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/publisher_rig.h"

#include "tests/lib/trigger_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 10000, STEP_MS = 2 };

int rig_setup(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);

	test_redis_init(&rig->redis);
	(void)g_strlcpy(rig->prefix, "test:", sizeof(rig->prefix));
	rig->base = event_base_new();
	rig->config = (struct ctl_redis_config){
		.url = rig->redis.unix_url,
		.prefix = rig->prefix,
		.connect_timeout_ns = 500000000ULL,
		.reply_timeout_ns = 500000000ULL,
		.retry_min_ns = 10000000ULL,
		.retry_max_ns = 80000000ULL,
	};
	rig_outbox(rig, 100000);
	*state = rig;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig_disconnect(rig);
	ctl_outbox_free(rig->outbox);
	ctl_store_close(rig->store);
	event_base_free(rig->base);
	test_redis_fini(&rig->redis);
	if (rig->store_dir[0] != '\0') {
		g_autofree char *command = g_strdup_printf("rm -r '%s'", rig->store_dir);

		assert_int_equal(system(command), 0);
	}
	g_free(rig);
	return 0;
}

void rig_outbox(struct rig *rig, size_t queue_max)
{
	const struct ctl_outbox_config config = {.queue_max = queue_max,
		.is_published = true,
		.store = rig->store,
		.n_retained = rig->n_retained};
	struct dp_err err = {0};

	ctl_outbox_free(rig->outbox);
	rig->outbox = ctl_outbox_new(&config);
	if (rig->store != NULL && ctl_outbox_restore(rig->outbox, &err) < 0)
		fail_msg("%s", err.text);
}

static void open_store(struct rig *rig)
{
	const struct ctl_store_config config = {
		.path = rig->store_dir,
		.node = "edge1",
		.tick_ns = 1000000000ULL,
		.size_max = 1ULL << 30,
		.backlog_max = 1000,
		.backlog_bytes_max = 1U << 30,
	};
	struct dp_err err = {0};

	rig->serial = 0;
	if (ctl_store_open(&config, &rig->store, &err) < 0)
		fail_msg("%s", err.text);
}

void rig_with_store(struct rig *rig, uint64_t n_retained)
{
	(void)g_strlcpy(rig->store_dir, "/tmp/wirecue-rig-XXXXXX", sizeof(rig->store_dir));
	assert_non_null(g_mkdtemp(rig->store_dir));
	rig->n_retained = n_retained;
	rig_reopen_store(rig);
}

void rig_reopen_store(struct rig *rig)
{
	open_store(rig);
	rig_outbox(rig, 100000);
}

static void on_heartbeat(void *, json_t *object)
{
	(void)json_object_set_new(object, "watermark", json_string("2026-03-01T18:00:00.000Z"));
}

void rig_connect(struct rig *rig)
{
	const struct ctl_publisher_config config = {
		.redis = &rig->config,
		.node = "edge1",
		.outbox = rig->outbox,
		.heartbeat = on_heartbeat,
	};
	struct dp_err err = {0};

	assert_null(rig->publisher);
	if (ctl_publisher_new(rig->base, &config, &rig->publisher, &err) < 0)
		fail_msg("%s", err.text);
}

void rig_disconnect(struct rig *rig)
{
	ctl_publisher_free(rig->publisher);
	rig->publisher = NULL;
}

void rig_restart_process(struct rig *rig)
{
	rig_disconnect(rig);
	if (rig->store != NULL) {
		ctl_outbox_free(rig->outbox);
		rig->outbox = NULL;
		ctl_store_close(rig->store);
		open_store(rig);
	}
	rig_outbox(rig, 100000);
	rig_connect(rig);
}

void rig_push(struct rig *rig, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ctl_outbox_push(rig->outbox, test_trigger(rig->n_pushed++));
	rig_commit(rig);
}

void rig_commit(struct rig *rig)
{
	struct ctl_batch *batch;

	if (rig->store == NULL) {
		ctl_outbox_seal(rig->outbox, NULL);
		return;
	}
	rig->serial++;
	batch = ctl_batch_new(rig->serial, rig->serial * 1000000000ULL);
	ctl_outbox_seal(rig->outbox, batch);
	ctl_store_give(rig->store, batch);
	assert_true(ctl_store_flush(rig->store, 20000000000ULL));
	ctl_outbox_committed(rig->outbox, rig->serial);
}

static void on_step(evutil_socket_t, short, void *)
{
}

void rig_run_ms(struct rig *rig, int ms)
{
	const struct timeval step = {.tv_usec = ms * 1000 % 1000000, .tv_sec = ms / 1000};
	struct event *timer = evtimer_new(rig->base, on_step, NULL);

	evtimer_add(timer, &step);
	while (evtimer_pending(timer, NULL))
		(void)event_base_loop(rig->base, EVLOOP_ONCE);
	event_free(timer);
}

void rig_until_waiting(struct rig *rig, size_t n_waiting)
{
	for (int ms = 0; ctl_outbox_stats(rig->outbox).n_waiting != n_waiting; ms += STEP_MS) {
		if (ms >= PATIENCE_MS)
			fail_msg("%zu wait, not %zu; state %s",
				ctl_outbox_stats(rig->outbox).n_waiting, n_waiting,
				ctl_redis_state_names[ctl_publisher_state(rig->publisher)]);
		rig_run_ms(rig, STEP_MS);
	}
}

void rig_until_state(struct rig *rig, enum ctl_redis_state state)
{
	for (int ms = 0; ctl_publisher_state(rig->publisher) != state; ms += STEP_MS) {
		if (ms >= PATIENCE_MS)
			fail_msg("state is %s, not %s",
				ctl_redis_state_names[ctl_publisher_state(rig->publisher)],
				ctl_redis_state_names[state]);
		rig_run_ms(rig, STEP_MS);
	}
}

uint64_t rig_count(struct rig *rig, const char *key)
{
	json_t *object = ctl_publisher_json(rig->publisher);
	json_t *value = json_object_get(object, key);
	uint64_t count;

	assert_true(json_is_integer(value));
	count = (uint64_t)json_integer_value(value);
	json_decref(object);
	return count;
}

void rig_until_published(struct rig *rig, uint64_t n)
{
	for (int rounds = 0; rig_count(rig, "published") < n; rounds++) {
		if (rounds >= 100000)
			fail_msg("only %" PRIu64 " published", rig_count(rig, "published"));
		(void)event_base_loop(rig->base, EVLOOP_ONCE);
	}
}

void rig_until_count(struct rig *rig, const char *key, uint64_t n)
{
	for (int ms = 0; rig_count(rig, key) < n; ms += STEP_MS) {
		if (ms >= PATIENCE_MS)
			fail_msg("%s is %" PRIu64 ", not %" PRIu64, key, rig_count(rig, key), n);
		rig_run_ms(rig, STEP_MS);
	}
}

void rig_until_length(struct rig *rig, long long n)
{
	for (int ms = 0;; ms += STEP_MS) {
		redisReply *reply = test_redis_do(&rig->redis, "XLEN", "test:triggers:{0}");
		const long long len = reply->integer;

		freeReplyObject(reply);
		if (len == n)
			return;
		if (ms >= PATIENCE_MS)
			fail_msg("the stream has %lld entries, not %lld", len, n);
		rig_run_ms(rig, STEP_MS);
	}
}

bool rig_has_command(struct rig *rig, const char *name)
{
	redisReply *reply = test_redis_do(&rig->redis, "COMMAND", "INFO", name);
	const bool has = reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 &&
		reply->element[0]->type == REDIS_REPLY_ARRAY;

	freeReplyObject(reply);
	return has;
}

static uint64_t number_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	assert_non_null(text);
	assert_int_equal(strlen(text), 20);
	return strtoull(text, NULL, 10);
}

/* One stream entry against its own event and what came before. */
static void check_entry(const redisReply *entry, uint64_t sequence, uint64_t first,
	uint64_t last_id[2], uint64_t last_of_type[TEST_N_TYPES])
{
	const redisReply *fields = entry->element[1];
	json_t *event = json_loads(fields->element[1]->str, 0, NULL);
	uint64_t id[2], typesequence;
	size_t type = 0;

	assert_int_equal(sscanf(entry->element[0]->str, "%" SCNu64 "-%" SCNu64, &id[0], &id[1]), 2);
	assert_true(id[0] > last_id[0] || (id[0] == last_id[0] && id[1] > last_id[1]));
	memcpy(last_id, id, sizeof(id));

	assert_int_equal(fields->elements, 6);
	assert_string_equal(fields->element[0]->str, "event");
	assert_string_equal(fields->element[2]->str, "type");
	assert_string_equal(fields->element[4]->str, "subject");
	assert_non_null(event);
	assert_string_equal(
		fields->element[3]->str, json_string_value(json_object_get(event, "type")));
	assert_string_equal(
		fields->element[5]->str, json_string_value(json_object_get(event, "subject")));
	assert_int_equal(number_of(event, "sequence"), sequence);

	while (strcmp(test_types[type], fields->element[3]->str) != 0)
		type++;
	typesequence = number_of(event, "typesequence");
	if (last_of_type[type] != 0 || first == 1)
		assert_int_equal(typesequence, last_of_type[type] + 1);
	last_of_type[type] = typesequence;
	json_decref(event);
}

GPtrArray *rig_stream(struct rig *rig, uint64_t first)
{
	GPtrArray *events = g_ptr_array_new_with_free_func(g_free);
	redisReply *reply = test_redis_do(&rig->redis, "XRANGE", "test:triggers:{0}", "-", "+");
	uint64_t last_of_type[TEST_N_TYPES] = {0}, last_id[2] = {0};

	assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
	for (size_t i = 0; i < reply->elements; i++) {
		check_entry(reply->element[i], first + i, first, last_id, last_of_type);
		g_ptr_array_add(events, g_strdup(reply->element[i]->element[1]->element[1]->str));
	}
	freeReplyObject(reply);
	return events;
}

void rig_expect(struct rig *rig, uint64_t first_sequence, unsigned first_trigger, unsigned n)
{
	GPtrArray *events = rig_stream(rig, first_sequence);
	char id[64];

	assert_int_equal(events->len, n);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "\"id\":\"%032x\"", first_trigger + i);
		assert_non_null(strstr(g_ptr_array_index(events, i), id));
	}
	g_ptr_array_free(events, TRUE);
}
