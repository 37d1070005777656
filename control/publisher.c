// SPDX-License-Identifier: BSD-3-Clause
#include "control/publisher.h"

#include "control/hiredis_compat.h"
#include "control/log.h"
#include "control/publisher_resume.h"
#include "control/publisher_script.h"
#include "control/redis_link.h"
#include "control/utc.h"

#include <event2/event.h>
#include <glib.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHA1_HEX = 40, NUMBER_MAX = 24, ID_MAX = 48 };

/* Nothing is sent before the stream's end is known; nothing more after a refusal until the
 * pipeline is empty. */
enum stage {
	STAGE_DOWN, // no connection
	STAGE_ASKING, // script, stream end, counters, heartbeat are on their way
	STAGE_OPEN, // entries may be sent
	STAGE_DRAINING, // the server has forgotten the script: wait, then ask again
};

struct ctl_publisher {
	struct event_base *base; // borrowed
	struct ctl_publisher_config config;
	struct ctl_redis_link *link;
	struct event *heartbeat_timer; // NULL without heartbeat
	char *stream_key, *counters_key, *heartbeat_key, *channel_all;

	enum stage stage;
	char sha[SHA1_HEX + 1]; // of the script, as the server tells
	struct ctl_stream_end end; // while asking
	uint64_t server_sequence; // what the stream has reached, as far as we were told
	char server_writer[40]; // and who brought it there
	size_t n_in_flight; // sent and unanswered: entries 0.. of the outbox
	bool has_asked_twice; // the script was lost right after it was loaded

	uint64_t n_published; // acknowledged as added by us
	uint64_t n_duplicates; // acknowledged as there already
	uint64_t n_unannounced; // in the stream, but a channel refused
	uint64_t n_lost_by_redis; // acknowledged earlier, not there any more
	uint64_t lost_told_for; // acknowledged sequence at which that was found
	char last_id[ID_MAX]; // of the last acknowledged one
};

static void ask(struct ctl_publisher *publisher);

static void refuse(struct ctl_publisher *publisher, const char *error)
{
	publisher->stage = STAGE_DOWN;
	publisher->n_in_flight = 0;
	ctl_redis_link_fail(publisher->link, ctl_redis_state_of(error), error);
}

/* A reply that is not what Redis answers. */
static void refuse_odd(struct ctl_publisher *publisher, const char *command)
{
	char cause[80];

	(void)snprintf(cause, sizeof(cause), "unexpected reply to %s", command);
	refuse(publisher, cause);
}

static void acknowledge(struct ctl_publisher *publisher, long long result)
{
	const struct ctl_outbox_entry *entry = ctl_outbox_peek(publisher->config.outbox, 0);

	if (result == CTL_SCRIPT_HAD_IT)
		publisher->n_duplicates++;
	else
		publisher->n_published++;
	if (result == CTL_SCRIPT_UNANNOUNCED) {
		publisher->n_unannounced++;
		ctl_log(CTL_LOG_ERR, "redis_channel_refused",
			CTL_TEXT("consequence", "in the stream only"),
			CTL_TEXT("remedy", "allow the user the channels of redis.prefix"),
			CTL_TEXT("type", entry->type));
	}
	(void)snprintf(publisher->last_id, sizeof(publisher->last_id), "%" PRIu64 "-%" PRIu64,
		entry->id_ms, entry->id_n);
	if (entry->sequence >= publisher->server_sequence) {
		publisher->server_sequence = entry->sequence;
		(void)g_strlcpy(publisher->server_writer,
			ctl_outbox_writer(publisher->config.outbox),
			sizeof(publisher->server_writer));
	}
	ctl_outbox_ack(publisher->config.outbox, 1);
	publisher->has_asked_twice = false;
	ctl_redis_link_progress(publisher->link);
	ctl_redis_link_ready(publisher->link);
}

static void pump(struct ctl_publisher *publisher);

static void on_published(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	publisher->n_in_flight--;
	if (publisher->stage == STAGE_DRAINING) {
		if (publisher->n_in_flight == 0)
			ask(publisher);
		return;
	}
	if (reply->type == REDIS_REPLY_INTEGER) {
		acknowledge(publisher, reply->integer);
		pump(publisher);
	} else if (reply->type != REDIS_REPLY_ERROR) {
		refuse_odd(publisher, "EVALSHA");
	} else if (g_str_has_prefix(reply->str, "NOSCRIPT") && !publisher->has_asked_twice) {
		publisher->has_asked_twice = true;
		publisher->stage = STAGE_DRAINING;
		if (publisher->n_in_flight == 0)
			ask(publisher);
	} else {
		refuse(publisher, reply->str);
	}
}

static const struct ctl_redis_call call_publish = {.reply = on_published};

static void send_entry(struct ctl_publisher *publisher, const struct ctl_outbox_entry *entry)
{
	const struct ctl_redis_config *redis = publisher->config.redis;
	char id[ID_MAX], sequence[NUMBER_MAX], previous[NUMBER_MAX], typesequence[NUMBER_MAX];
	char max_len[NUMBER_MAX], channel[256];
	const char *writer = ctl_outbox_writer(publisher->config.outbox), *last_writer = writer;
	uint64_t reached = entry->sequence - 1;

	// The first one after asking follows whatever the server has: another writer's numbers, or
	// less than we left there when Redis lost its tail. Every other one follows the one before it.
	if (publisher->n_in_flight == 0) {
		reached = MIN(reached, publisher->server_sequence);
		last_writer = publisher->server_writer;
	}
	(void)snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64, entry->id_ms, entry->id_n);
	(void)snprintf(sequence, sizeof(sequence), "%" PRIu64, entry->sequence);
	(void)snprintf(previous, sizeof(previous), "%" PRIu64, reached);
	(void)snprintf(typesequence, sizeof(typesequence), "%" PRIu64, entry->typesequence);
	(void)snprintf(max_len, sizeof(max_len), "%" PRIu64, redis->stream_max_len);
	(void)snprintf(channel, sizeof(channel), "%strigger:%s", redis->prefix, entry->type);

	const char *const argv[] = {"EVALSHA", publisher->sha, "2", publisher->stream_key,
		publisher->counters_key, id, sequence, previous, writer, entry->event, entry->type,
		entry->subject, typesequence, max_len, publisher->channel_all, channel,
		last_writer};
	ctl_redis_link_send(publisher->link, &call_publish, G_N_ELEMENTS(argv), argv);
}

static void pump(struct ctl_publisher *publisher)
{
	struct ctl_outbox *outbox = publisher->config.outbox;
	const size_t n_ready = ctl_outbox_n_ready(outbox);

	while (publisher->stage == STAGE_OPEN && publisher->n_in_flight < n_ready &&
		publisher->n_in_flight < CTL_PUBLISHER_WINDOW) {
		send_entry(publisher, ctl_outbox_peek(outbox, publisher->n_in_flight));
		publisher->n_in_flight++;
	}
}

static void on_ready(void *ctx)
{
	pump(ctx);
}

static void send_heartbeat(struct ctl_publisher *publisher, const struct ctl_redis_call *call)
{
	const struct ctl_outbox_stats stats = ctl_outbox_stats(publisher->config.outbox);
	json_t *object = json_object();
	char at[CTL_UTC_MAX], ttl[NUMBER_MAX];
	char *text;

	ctl_utc_format(ctl_utc_now_ns(), at);
	(void)snprintf(ttl, sizeof(ttl), "%d", CTL_HEARTBEAT_TTL_S);
	// Without memory a field is missing, nothing worse.
	(void)json_object_set_new(object, "at", json_string(at));
	(void)json_object_set_new(object, "outbox", json_integer((json_int_t)stats.n_waiting));
	(void)json_object_set_new(object, "refused", json_integer((json_int_t)stats.n_refused));
	(void)json_object_set_new(
		object, "published", json_integer((json_int_t)publisher->n_published));
	publisher->config.heartbeat(publisher->config.heartbeat_ctx, object);
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (text == NULL)
		return;

	const char *const argv[] = {"SET", publisher->heartbeat_key, text, "EX", ttl};
	ctl_redis_link_send(publisher->link, call, G_N_ELEMENTS(argv), argv);
	free(text);
}

static void on_heartbeat(void *ctx, const struct redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		refuse(ctx, reply->str);
	else
		ctl_redis_link_progress(((struct ctl_publisher *)ctx)->link);
}

static const struct ctl_redis_call call_heartbeat = {.reply = on_heartbeat};

static void on_heartbeat_timer(evutil_socket_t, short, void *arg)
{
	struct ctl_publisher *publisher = arg;

	if (publisher->stage == STAGE_OPEN)
		send_heartbeat(publisher, &call_heartbeat);
}

static void on_script(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (reply->type == REDIS_REPLY_ERROR)
		refuse(publisher, reply->str);
	else if (reply->type != REDIS_REPLY_STRING || reply->len != SHA1_HEX)
		refuse_odd(publisher, "SCRIPT LOAD");
	else
		memcpy(publisher->sha, reply->str, SHA1_HEX + 1);
}

static void on_stream_info(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (ctl_stream_end_info(&publisher->end, reply) == 0)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		refuse(publisher, reply->str);
	else
		refuse_odd(publisher, "XINFO STREAM");
}

static void tell_lost(struct ctl_publisher *publisher, uint64_t acknowledged)
{
	const uint64_t n_lost = acknowledged - publisher->server_sequence;

	if (publisher->lost_told_for == acknowledged)
		return;
	publisher->lost_told_for = acknowledged;
	publisher->n_lost_by_redis += n_lost;
	ctl_log(CTL_LOG_ERR, "redis_lost_triggers", CTL_COUNT("lost", n_lost),
		CTL_COUNT("acknowledged", acknowledged),
		CTL_COUNT("found", publisher->server_sequence),
		CTL_TEXT("consequence", "the stream has a gap there"),
		CTL_TEXT("remedy", "appendonly yes, appendfsync always"));
}

/* The stream's end is known: go on behind it. */
static void stream_end_use(struct ctl_publisher *publisher)
{
	struct ctl_outbox *outbox = publisher->config.outbox;
	const struct ctl_stream_end *end = &publisher->end;
	uint64_t acknowledged;
	char cause[160];

	publisher->server_sequence = end->mark.sequence;
	(void)g_strlcpy(publisher->server_writer, end->writer, sizeof(publisher->server_writer));
	if (!ctl_outbox_has_mark(outbox)) {
		if (end->n_entries > 0 && !end->has_counters) {
			(void)snprintf(cause, sizeof(cause),
				"WIRECUE_COUNTERS %s is not empty but %s is gone",
				publisher->stream_key, publisher->counters_key);
			refuse(publisher, cause);
			return;
		}
		ctl_outbox_resume(outbox, &end->mark);
		return;
	}
	acknowledged = ctl_outbox_stats(outbox).acked_sequence;
	if (end->mark.sequence < acknowledged)
		tell_lost(publisher, acknowledged);
}

static void open_stage(struct ctl_publisher *publisher)
{
	publisher->stage = STAGE_OPEN;
	// With entries waiting, the first acknowledgement says that Redis is ready.
	if (ctl_outbox_n_ready(publisher->config.outbox) == 0)
		ctl_redis_link_ready(publisher->link);
	pump(publisher);
}

static void on_counters(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (reply->type == REDIS_REPLY_ERROR) {
		refuse(publisher, reply->str);
		return;
	}
	if (ctl_stream_end_counters(&publisher->end, reply) < 0) {
		refuse_odd(publisher, "HGETALL");
		return;
	}
	stream_end_use(publisher);
	if (publisher->stage == STAGE_ASKING && publisher->heartbeat_timer == NULL)
		open_stage(publisher);
}

/* The heartbeat is the first write: a Redis that reads but does not write is not ready. */
static void on_first_heartbeat(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	on_heartbeat(publisher, reply);
	if (publisher->stage == STAGE_ASKING)
		open_stage(publisher);
}

static const struct ctl_redis_call call_script = {.reply = on_script};
static const struct ctl_redis_call call_stream_info = {.reply = on_stream_info};
static const struct ctl_redis_call call_counters = {.reply = on_counters};
static const struct ctl_redis_call call_first_heartbeat = {.reply = on_first_heartbeat};

static void ask(struct ctl_publisher *publisher)
{
	const char *const script[] = {"SCRIPT", "LOAD", ctl_publisher_script};
	const char *const info[] = {"XINFO", "STREAM", publisher->stream_key};
	const char *const counters[] = {"HGETALL", publisher->counters_key};

	publisher->stage = STAGE_ASKING;
	ctl_stream_end_fini(&publisher->end);
	ctl_stream_end_init(&publisher->end);
	ctl_redis_link_send(publisher->link, &call_script, G_N_ELEMENTS(script), script);
	ctl_redis_link_send(publisher->link, &call_stream_info, G_N_ELEMENTS(info), info);
	ctl_redis_link_send(publisher->link, &call_counters, G_N_ELEMENTS(counters), counters);
	if (publisher->heartbeat_timer != NULL)
		send_heartbeat(publisher, &call_first_heartbeat);
}

static void on_up(void *ctx)
{
	ask(ctx);
}

static void on_down(void *ctx)
{
	struct ctl_publisher *publisher = ctx;

	publisher->stage = STAGE_DOWN;
	publisher->n_in_flight = 0;
}

static const struct ctl_redis_link_ops link_ops = {.up = on_up, .down = on_down};

int ctl_publisher_new(struct event_base *base, const struct ctl_publisher_config *config,
	struct ctl_publisher **ret_publisher, struct dp_err *reterr)
{
	const struct timeval period = {.tv_sec = CTL_HEARTBEAT_S};
	const char *prefix = config->redis->prefix;
	struct ctl_publisher *publisher = g_new0(struct ctl_publisher, 1);
	int r;

	publisher->base = base;
	publisher->config = *config;
	r = ctl_redis_link_new(base, config->redis, &link_ops, publisher, &publisher->link, reterr);
	if (r < 0) {
		g_free(publisher);
		return r;
	}
	publisher->stream_key = g_strdup_printf("%striggers:{0}", prefix);
	publisher->counters_key = g_strdup_printf("%ssequence:{0}", prefix);
	publisher->heartbeat_key = g_strdup_printf("%sheartbeat:{%s}", prefix, config->node);
	publisher->channel_all = g_strdup_printf("%striggers", prefix);
	if (config->heartbeat != NULL) {
		publisher->heartbeat_timer = event_new(
			base, -1, EV_PERSIST, on_heartbeat_timer, publisher);
		(void)event_add(publisher->heartbeat_timer, &period); // no memory only
	}
	ctl_outbox_on_ready(config->outbox, on_ready, publisher);
	*ret_publisher = publisher;
	return 0;
}

void ctl_publisher_free(struct ctl_publisher *publisher)
{
	if (publisher == NULL)
		return;
	ctl_outbox_on_ready(publisher->config.outbox, NULL, NULL);
	if (publisher->heartbeat_timer != NULL)
		event_free(publisher->heartbeat_timer);
	ctl_redis_link_free(publisher->link);
	ctl_stream_end_fini(&publisher->end);
	g_free(publisher->stream_key);
	g_free(publisher->counters_key);
	g_free(publisher->heartbeat_key);
	g_free(publisher->channel_all);
	g_free(publisher);
}

static void on_flush_timer(evutil_socket_t, short, void *arg)
{
	bool *is_over = arg;

	*is_over = true;
}

size_t ctl_publisher_flush(struct ctl_publisher *publisher, uint64_t timeout_ns)
{
	const struct timeval timeout = {
		.tv_sec = (time_t)(timeout_ns / 1000000000ULL),
		.tv_usec = (suseconds_t)(timeout_ns / 1000 % 1000000),
	};
	struct ctl_outbox *outbox = publisher->config.outbox;
	bool is_over = false;
	struct event *timer = evtimer_new(publisher->base, on_flush_timer, &is_over);

	(void)evtimer_add(timer, &timeout); // no memory only
	while (!is_over && ctl_outbox_stats(outbox).n_waiting > 0) {
		if (event_base_loop(publisher->base, EVLOOP_ONCE) != 0)
			break; // nothing to wait for, or the kernel refuses
	}
	event_free(timer);
	return ctl_outbox_stats(outbox).n_waiting;
}

enum ctl_redis_state ctl_publisher_state(const struct ctl_publisher *publisher)
{
	return ctl_redis_link_state(publisher->link);
}

void ctl_publisher_sentence(const struct ctl_publisher *publisher, char *ret_text, size_t size)
{
	ctl_redis_link_sentence(publisher->link, ret_text, size);
}

json_t *ctl_publisher_json(const struct ctl_publisher *publisher)
{
	const struct ctl_outbox_stats stats = ctl_outbox_stats(publisher->config.outbox);
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = {
		{"waiting", stats.n_waiting},
		{"in_flight", publisher->n_in_flight},
		{"published", publisher->n_published},
		{"duplicates", publisher->n_duplicates},
		{"refused", stats.n_refused},
		{"unannounced", publisher->n_unannounced},
		{"lost_by_redis", publisher->n_lost_by_redis},
	};
	json_t *object = json_object();

	// Without memory a field is missing, nothing worse.
	ctl_redis_link_json(publisher->link, object);
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		(void)json_object_set_new(
			object, counts[i].key, json_integer((json_int_t)counts[i].count));
	(void)json_object_set_new(object, "is_full", json_boolean(stats.is_full));
	(void)json_object_set_new(object, "last_id",
		publisher->last_id[0] != '\0' ? json_string(publisher->last_id) : json_null());
	return object;
}
