// SPDX-License-Identifier: BSD-3-Clause
#include "control/hiredis_compat.h"
#include "control/publisher_private.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How long one WAIT may hold the connection up: what is sent behind it waits as long. Redis 7.0 takes up
 * to 0.1 s more. Start value. */
static const uint64_t WAIT_MAX_NS = 200000000;

static bool wants_fsync(const struct ctl_publisher *publisher)
{
	return publisher->config.redis->confirm == CTL_CONFIRM_FSYNC;
}

static bool is_proven(const struct ctl_publisher *publisher)
{
	return publisher->confirm.way != CTL_WAY_UNPROVEN;
}

/* Nothing is acknowledged, and this is why; entries go on into the stream. */
static void unproven(struct ctl_publisher *publisher, const char *cause)
{
	publisher->confirm.way = CTL_WAY_UNPROVEN;
	(void)g_strlcpy(publisher->confirm.cause, cause, sizeof(publisher->confirm.cause));
	ctl_redis_link_hold(publisher->link, CTL_REDIS_UNSAFE, cause);
}

static void acknowledge_replied(struct ctl_publisher *publisher)
{
	if (publisher->n_in > 0)
		ctl_publisher_acknowledge(publisher, publisher->n_in);
}

static void proven(struct ctl_publisher *publisher, enum ctl_confirm_way way)
{
	publisher->confirm.way = way;
	publisher->confirm.cause[0] = '\0';
	if (way == CTL_WAY_REPLY)
		acknowledge_replied(publisher);
	if (publisher->stage == CTL_STAGE_OPEN && publisher->n_sent == 0)
		ctl_redis_link_ready(publisher->link);
	ctl_publisher_confirm_sent(publisher);
}

/* Below Redis 7.2: with appendfsync always, the reply itself comes after the sync. */

static bool is_denied(struct ctl_publisher *publisher, const redisReply *reply, const char *right)
{
	char cause[160];

	if (reply->type != REDIS_REPLY_ERROR)
		return false;
	(void)snprintf(cause, sizeof(cause),
		"cannot see whether the append-only file is synced, allow the user %s: %.60s",
		right, reply->str);
	unproven(publisher, cause);
	return true;
}

static void on_info(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	publisher->confirm.has_aof = false;
	if (is_denied(publisher, reply, "+info"))
		return;
	publisher->confirm.has_aof = reply->type == REDIS_REPLY_STRING &&
		strstr(reply->str, "aof_enabled:1") != NULL;
	if (!publisher->confirm.has_aof)
		unproven(publisher,
			"the server keeps no append-only file: CONFIG SET appendonly yes");
}

/* {name, value} and value is this. */
static bool config_is(const redisReply *reply, const char *value)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
		reply->element[1]->type == REDIS_REPLY_STRING &&
		strcmp(reply->element[1]->str, value) == 0;
}

static void on_appendfsync(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	publisher->confirm.syncs_always = config_is(reply, "always");
	if (!publisher->confirm.has_aof || is_denied(publisher, reply, "+config|get"))
		return;
	if (!publisher->confirm.syncs_always)
		unproven(publisher,
			"a reply comes before the sync: CONFIG SET appendfsync always, or Redis 7.2");
}

static void on_rewrite_sync(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	publisher->confirm.syncs_while_rewriting = config_is(reply, "no");
	if (!publisher->confirm.has_aof || !publisher->confirm.syncs_always)
		return;
	if (publisher->confirm.syncs_while_rewriting)
		proven(publisher, CTL_WAY_REPLY);
	else
		unproven(publisher,
			"a reply comes before the sync while the file is rewritten: "
			"CONFIG SET no-appendfsync-on-rewrite no");
}

static void ask_server(struct ctl_publisher *publisher)
{
	static const struct ctl_redis_call call_info = {.reply = on_info};
	static const struct ctl_redis_call call_appendfsync = {.reply = on_appendfsync};
	static const struct ctl_redis_call call_rewrite = {.reply = on_rewrite_sync};
	const char *const info[] = {"INFO", "persistence"};
	const char *const appendfsync[] = {"CONFIG", "GET", "appendfsync"};
	const char *const rewrite[] = {"CONFIG", "GET", "no-appendfsync-on-rewrite"};

	ctl_redis_link_send(publisher->link, &call_info, G_N_ELEMENTS(info), info);
	ctl_redis_link_send(
		publisher->link, &call_appendfsync, G_N_ELEMENTS(appendfsync), appendfsync);
	ctl_redis_link_send(publisher->link, &call_rewrite, G_N_ELEMENTS(rewrite), rewrite);
}

static void on_probe(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;
	char cause[160];

	if (reply->type == REDIS_REPLY_ARRAY) {
		proven(publisher, CTL_WAY_WAITAOF);
	} else if (reply->type == REDIS_REPLY_ERROR &&
		strstr(reply->str, "unknown command") != NULL) {
		ask_server(publisher);
	} else if (reply->type == REDIS_REPLY_ERROR) {
		(void)snprintf(cause, sizeof(cause),
			"WAITAOF is refused, set appendonly yes and allow the user +waitaof: %.70s",
			reply->str);
		unproven(publisher, cause);
	} else {
		ctl_publisher_refuse_odd(publisher, "WAITAOF");
	}
}

static void wait_text(const struct ctl_publisher *publisher, char *ret_text, size_t size)
{
	const uint64_t ns = MIN(publisher->config.redis->reply_timeout_ns / 4, WAIT_MAX_NS);

	(void)snprintf(ret_text, size, "%" PRIu64, MAX(ns / 1000000, 1));
}

static void probe(struct ctl_publisher *publisher)
{
	static const struct ctl_redis_call call = {.reply = on_probe};
	char timeout[CTL_REDIS_NUMBER_MAX];

	wait_text(publisher, timeout, sizeof(timeout));
	const char *const argv[] = {"WAITAOF", "1", "0", timeout};
	ctl_redis_link_send(publisher->link, &call, G_N_ELEMENTS(argv), argv);
}

/* Fewer than asked for: not acknowledged, and after a while told. */
static void fall_short(struct ctl_publisher *publisher, uint64_t n, uint64_t n_needed)
{
	struct ctl_publisher_confirm *confirm = &publisher->confirm;
	const int64_t now_us = g_get_monotonic_time();
	char cause[160];

	if (confirm->short_since_us == 0)
		confirm->short_since_us = now_us;
	if ((uint64_t)(now_us - confirm->short_since_us) * 1000 <
		publisher->config.redis->reply_timeout_ns)
		return;
	if (wants_fsync(publisher))
		(void)snprintf(cause, sizeof(cause), "the append-only file is not synced in time");
	else
		(void)snprintf(cause, sizeof(cause),
			"%" PRIu64 " of %" PRIu64 " replicas have what was published", n, n_needed);
	ctl_redis_link_hold(publisher->link, CTL_REDIS_UNSAFE, cause);
}

static void on_wait(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;
	struct ctl_publisher_confirm *confirm = &publisher->confirm;
	const bool is_aof = confirm->way == CTL_WAY_WAITAOF;
	const redisReply *count = reply;
	uint64_t n_needed = 1;

	confirm->is_asked = false;
	if (publisher->stage == CTL_STAGE_DRAINING) { // what it covers was not taken
		ctl_publisher_drained(publisher);
		return;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		if (is_aof)
			probe(publisher); // the file was switched off: says so
		else
			ctl_publisher_refuse(publisher, reply->str);
		return;
	}
	if (is_aof)
		count = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 ? reply->element[0]
										: NULL;
	else
		n_needed = publisher->config.redis->n_replicas;
	if (count == NULL || count->type != REDIS_REPLY_INTEGER || count->integer < 0) {
		ctl_publisher_refuse_odd(publisher, is_aof ? "WAITAOF" : "WAIT");
		return;
	}
	if ((uint64_t)count->integer < n_needed) {
		fall_short(publisher, (uint64_t)count->integer, n_needed);
	} else {
		confirm->short_since_us = 0;
		if (confirm->n_covered > publisher->n_acked_ever)
			ctl_publisher_acknowledge(
				publisher, (size_t)(confirm->n_covered - publisher->n_acked_ever));
		else if (publisher->stage == CTL_STAGE_OPEN && publisher->n_sent == 0)
			ctl_redis_link_ready(publisher->link);
	}
	ctl_publisher_pump(publisher);
	ctl_publisher_confirm_sent(publisher);
}

/* Ask how far everything sent so far is. One question at a time: what is sent meanwhile is covered
 * by the next. */
static void wait_send(struct ctl_publisher *publisher)
{
	static const struct ctl_redis_call call = {.reply = on_wait};
	char timeout[CTL_REDIS_NUMBER_MAX], n[CTL_REDIS_NUMBER_MAX];

	if (publisher->confirm.is_asked || publisher->stage != CTL_STAGE_OPEN ||
		(publisher->confirm.way != CTL_WAY_WAIT &&
			publisher->confirm.way != CTL_WAY_WAITAOF))
		return;
	publisher->confirm.is_asked = true;
	publisher->confirm.n_covered = publisher->n_sent_ever;
	wait_text(publisher, timeout, sizeof(timeout));
	(void)snprintf(n, sizeof(n), "%" PRIu64, publisher->config.redis->n_replicas);

	const char *const aof[] = {"WAITAOF", "1", "0", timeout},
			  *const wait[] = {"WAIT", n, timeout};
	if (publisher->confirm.way == CTL_WAY_WAITAOF)
		ctl_redis_link_send(publisher->link, &call, G_N_ELEMENTS(aof), aof);
	else
		ctl_redis_link_send(publisher->link, &call, G_N_ELEMENTS(wait), wait);
}

void ctl_publisher_confirm_sent(struct ctl_publisher *publisher)
{
	if (publisher->n_sent > 0)
		wait_send(publisher);
}

void ctl_publisher_confirm_entries(struct ctl_publisher *publisher, size_t n)
{
	publisher->n_in += n;
	if (publisher->confirm.way == CTL_WAY_REPLY)
		acknowledge_replied(publisher);
}

void ctl_publisher_confirm_ask(struct ctl_publisher *publisher)
{
	const int64_t short_since_us = publisher->confirm.short_since_us;

	publisher->confirm = (struct ctl_publisher_confirm){.short_since_us = short_since_us};
	switch ((enum ctl_confirm)publisher->config.redis->confirm) {
	case CTL_CONFIRM_REPLY:
		publisher->confirm.way = CTL_WAY_REPLY;
		break;
	case CTL_CONFIRM_REPLICAS:
		publisher->confirm.way = CTL_WAY_WAIT;
		break;
	case CTL_CONFIRM_FSYNC:
		publisher->confirm.way = CTL_WAY_UNPROVEN;
		probe(publisher);
		break;
	}
}

void ctl_publisher_confirm_look(struct ctl_publisher *publisher)
{
	if (!is_proven(publisher) ||
		(wants_fsync(publisher) && publisher->confirm.way == CTL_WAY_REPLY))
		probe(publisher); // settings change while a server runs
	else
		wait_send(publisher);
}
