// SPDX-License-Identifier: BSD-3-Clause
#include "control/publisher.h"

#include "control/hiredis_compat.h"
#include "control/publisher_private.h"
#include "control/publisher_script.h"
#include "control/utc.h"

#include <event2/event.h>
#include <glib.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Nothing is on its way, nothing is known of what was. */
static void forget_flight(struct ctl_publisher *publisher)
{
	publisher->n_sent = publisher->n_in = 0;
	publisher->n_sent_ever = publisher->n_acked_ever = 0;
	publisher->n_calls = 0;
	publisher->confirm.is_asked = false;
	ctl_publisher_trim_down(publisher);
}

void ctl_publisher_refuse(struct ctl_publisher *publisher, const char *error)
{
	publisher->stage = CTL_STAGE_DOWN;
	forget_flight(publisher);
	ctl_redis_link_fail(publisher->link, ctl_redis_state_of(error), error);
}

void ctl_publisher_refuse_odd(struct ctl_publisher *publisher, const char *command)
{
	char cause[80];

	(void)snprintf(cause, sizeof(cause), "unexpected reply to %s", command);
	ctl_publisher_refuse(publisher, cause);
}

void ctl_publisher_acknowledge(struct ctl_publisher *publisher, size_t n)
{
	struct ctl_outbox *outbox = publisher->config.outbox;
	const struct ctl_outbox_entry *last = ctl_outbox_peek(outbox, n - 1);

	(void)snprintf(publisher->last_id, sizeof(publisher->last_id), "%" PRIu64 "-%" PRIu64,
		last->id_ms, last->id_n);
	publisher->n_sent -= n;
	publisher->n_in -= n;
	publisher->n_acked_ever += n;
	ctl_outbox_ack(outbox, n);
	ctl_redis_link_progress(publisher->link);
	ctl_redis_link_ready(publisher->link);
}

void ctl_publisher_pump(struct ctl_publisher *publisher)
{
	while (publisher->stage == CTL_STAGE_OPEN && publisher->n_calls < CTL_CALLS_MAX &&
		publisher->n_sent < ctl_outbox_n_ready(publisher->config.outbox)) {
		const size_t n = ctl_publisher_call(publisher);

		publisher->n_sent += n;
		publisher->n_sent_ever += n;
	}
	ctl_publisher_confirm_sent(publisher);
}

static void on_ready(void *ctx)
{
	ctl_publisher_pump(ctx);
}

static void send_heartbeat(struct ctl_publisher *publisher, const struct ctl_redis_call *call)
{
	const struct ctl_outbox_stats stats = ctl_outbox_stats(publisher->config.outbox);
	json_t *object = json_object();
	char at[CTL_UTC_MAX], ttl[CTL_REDIS_NUMBER_MAX];
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
		ctl_publisher_refuse(ctx, reply->str);
	else
		ctl_redis_link_progress(((struct ctl_publisher *)ctx)->link);
}

static const struct ctl_redis_call call_heartbeat = {.reply = on_heartbeat};

static void on_rhythm(evutil_socket_t, short, void *arg)
{
	struct ctl_publisher *publisher = arg;

	if (publisher->stage != CTL_STAGE_OPEN)
		return;
	ctl_publisher_confirm_look(publisher);
	// With nothing to send nobody would notice that the stream has gone.
	if (publisher->n_sent == 0) {
		ctl_publisher_ask(publisher);
		return;
	}
	if (publisher->config.heartbeat != NULL)
		send_heartbeat(publisher, &call_heartbeat);
	ctl_publisher_trim_look(publisher);
}

static void on_script(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (reply->type == REDIS_REPLY_ERROR)
		ctl_publisher_refuse(publisher, reply->str);
	else if (reply->type != REDIS_REPLY_STRING || reply->len != CTL_SHA1_HEX)
		ctl_publisher_refuse_odd(publisher, "SCRIPT LOAD");
	else
		memcpy(publisher->sha, reply->str, CTL_SHA1_HEX + 1);
}

static void on_stream_info(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (ctl_stream_end_info(&publisher->asked, reply) == 0)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		ctl_publisher_refuse(publisher, reply->str);
	else
		ctl_publisher_refuse_odd(publisher, "XINFO STREAM");
}

void ctl_publisher_open(struct ctl_publisher *publisher)
{
	publisher->stage = CTL_STAGE_OPEN;
	// With entries waiting, the first acknowledgement says that Redis is ready.
	if (ctl_outbox_n_ready(publisher->config.outbox) == 0 &&
		publisher->confirm.way != CTL_WAY_UNPROVEN)
		ctl_redis_link_ready(publisher->link);
	ctl_publisher_pump(publisher);
	ctl_publisher_trim_look(publisher);
}

static void on_counters(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (reply->type == REDIS_REPLY_ERROR)
		ctl_publisher_refuse(publisher, reply->str);
	else if (ctl_stream_end_counters(&publisher->asked, reply) < 0)
		ctl_publisher_refuse_odd(publisher, "HGETALL");
	else if (publisher->config.heartbeat == NULL && ctl_publisher_stream_found(publisher))
		ctl_publisher_open(publisher);
}

/* The heartbeat is the first write: a Redis that reads but does not write is not ready. */
static void on_first_heartbeat(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	// Its memory may be full of what everybody has read.
	if (publisher->stage == CTL_STAGE_ASKING && reply->type == REDIS_REPLY_ERROR &&
		ctl_redis_state_of(reply->str) == CTL_REDIS_FULL &&
		ctl_publisher_trim_full(publisher, reply->str))
		return;
	on_heartbeat(publisher, reply);
	if (publisher->stage == CTL_STAGE_ASKING && ctl_publisher_stream_found(publisher))
		ctl_publisher_open(publisher);
}

static const struct ctl_redis_call call_script = {.reply = on_script};
static const struct ctl_redis_call call_stream_info = {.reply = on_stream_info};
static const struct ctl_redis_call call_counters = {.reply = on_counters};
static const struct ctl_redis_call call_first_heartbeat = {.reply = on_first_heartbeat};

void ctl_publisher_ask(struct ctl_publisher *publisher)
{
	const char *const script[] = {"SCRIPT", "LOAD", ctl_publisher_script};
	const char *const info[] = {"XINFO", "STREAM", publisher->stream_key};
	const char *const counters[] = {"HGETALL", publisher->counters_key};

	publisher->stage = CTL_STAGE_ASKING;
	forget_flight(publisher);
	ctl_stream_end_fini(&publisher->asked);
	ctl_stream_end_init(&publisher->asked);
	ctl_publisher_confirm_ask(publisher);
	ctl_redis_link_send(publisher->link, &call_script, G_N_ELEMENTS(script), script);
	ctl_redis_link_send(publisher->link, &call_stream_info, G_N_ELEMENTS(info), info);
	ctl_redis_link_send(publisher->link, &call_counters, G_N_ELEMENTS(counters), counters);
	if (publisher->config.heartbeat != NULL)
		send_heartbeat(publisher, &call_first_heartbeat);
}

void ctl_publisher_drained(struct ctl_publisher *publisher)
{
	if (publisher->n_calls == 0 && !publisher->confirm.is_asked)
		ctl_publisher_ask(publisher);
}

static void on_up(void *ctx)
{
	ctl_publisher_ask(ctx);
}

static void on_down(void *ctx)
{
	struct ctl_publisher *publisher = ctx;

	publisher->stage = CTL_STAGE_DOWN;
	forget_flight(publisher);
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
	publisher->channel_type = g_strdup_printf("%strigger:", prefix);
	publisher->rhythm = event_new(base, -1, EV_PERSIST, on_rhythm, publisher);
	(void)event_add(publisher->rhythm, &period); // no memory only
	ctl_publisher_trim_init(publisher);
	ctl_outbox_on_ready(config->outbox, on_ready, publisher);
	*ret_publisher = publisher;
	return 0;
}

void ctl_publisher_free(struct ctl_publisher *publisher)
{
	if (publisher == NULL)
		return;
	ctl_outbox_on_ready(publisher->config.outbox, NULL, NULL);
	event_free(publisher->rhythm);
	ctl_redis_link_free(publisher->link);
	ctl_publisher_trim_fini(publisher);
	ctl_stream_end_fini(&publisher->asked);
	ctl_stream_end_fini(&publisher->end);
	g_free(publisher->stream_key);
	g_free(publisher->counters_key);
	g_free(publisher->heartbeat_key);
	g_free(publisher->channel_all);
	g_free(publisher->channel_type);
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
