// SPDX-License-Identifier: BSD-3-Clause
#include "control/hiredis_compat.h"
#include "control/log.h"
#include "control/publisher_private.h"
#include "control/publisher_script.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	HEAD_ARGS = 5, // EVALSHA sha 2 stream counters
	ARGS_MAX = HEAD_ARGS + CTL_SCRIPT_FIXED_ARGS + CTL_CALL_ENTRIES * CTL_SCRIPT_ENTRY_ARGS,
};

/* One call while it is put together; texts that numbers need live here. */
struct call {
	const char *argv[ARGS_MAX];
	int n_args;
	char base[CTL_REDIS_NUMBER_MAX], reached[CTL_REDIS_NUMBER_MAX];
	char ids[CTL_CALL_ENTRIES][CTL_REDIS_ID_MAX];
	char typesequences[CTL_CALL_ENTRIES][CTL_REDIS_NUMBER_MAX];
};

static void push(struct call *call, const char *arg)
{
	call->argv[call->n_args++] = arg;
}

static void begin(struct call *call, const struct ctl_publisher *publisher, uint64_t base)
{
	(void)snprintf(call->base, sizeof(call->base), "%" PRIu64, base);
	(void)snprintf(call->reached, sizeof(call->reached), "%" PRIu64, publisher->tip_sequence);
	call->n_args = 0;
	push(call, "EVALSHA");
	push(call, publisher->sha);
	push(call, "2");
	push(call, publisher->stream_key);
	push(call, publisher->counters_key);
	push(call, ctl_outbox_writer(publisher->config.outbox));
	push(call, call->base);
	push(call, call->reached);
	push(call, publisher->tip_writer);
	push(call, publisher->tip_exists ? "1" : "0");
	push(call, publisher->channel_all);
	push(call, publisher->channel_type);
}

static void push_entry(struct call *call, size_t i, const struct ctl_outbox_entry *entry)
{
	(void)snprintf(call->ids[i], sizeof(call->ids[i]), "%" PRIu64 "-%" PRIu64, entry->id_ms,
		entry->id_n);
	(void)snprintf(call->typesequences[i], sizeof(call->typesequences[i]), "%" PRIu64,
		entry->typesequence);
	push(call, call->ids[i]);
	push(call, entry->event);
	push(call, entry->type);
	push(call, entry->subject);
	push(call, call->typesequences[i]);
}

/* What the stream will have when this call is through. */
static void tip_move(struct ctl_publisher *publisher, uint64_t sequence)
{
	publisher->tip_sequence = sequence;
	(void)g_strlcpy(publisher->tip_writer, ctl_outbox_writer(publisher->config.outbox),
		sizeof(publisher->tip_writer));
}

static void tell_unannounced(struct ctl_publisher *publisher, uint64_t n)
{
	if (n == 0)
		return;
	publisher->n_unannounced += n;
	ctl_log(CTL_LOG_ERR, "redis_channel_refused", CTL_COUNT("count", n),
		CTL_TEXT("consequence", "in the stream only"),
		CTL_TEXT("remedy", "allow the user the channels of redis.prefix"));
}

/* {in, had, unannounced} or {in, had, unannounced, error} about n entries. */
static bool is_answer(const redisReply *reply, size_t n)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 || reply->elements > 4 ||
		(reply->elements == 4 && reply->element[3]->type != REDIS_REPLY_STRING))
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (reply->element[i]->type != REDIS_REPLY_INTEGER ||
			reply->element[i]->integer < 0)
			return false;
	}
	return (uint64_t)reply->element[0]->integer <= n &&
		reply->element[1]->integer <= reply->element[0]->integer &&
		(reply->elements == 4 || (uint64_t)reply->element[0]->integer == n);
}

static void on_answer(struct ctl_publisher *publisher, const redisReply *reply)
{
	const uint64_t in = (uint64_t)reply->element[0]->integer;
	const uint64_t had = (uint64_t)reply->element[1]->integer;

	publisher->n_duplicates += had;
	publisher->n_published += in - had;
	publisher->has_asked_twice = false;
	tell_unannounced(publisher, (uint64_t)reply->element[2]->integer);
	if (in > 0)
		ctl_redis_link_progress(publisher->link);
	ctl_publisher_confirm_entries(publisher, (size_t)in);
	if (reply->elements == 4)
		ctl_publisher_refuse(publisher, reply->element[3]->str);
	else
		ctl_publisher_pump(publisher);
}

static void on_reply(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;
	const unsigned n = publisher->calls[publisher->calls_head];

	publisher->calls_head = (publisher->calls_head + 1) % CTL_CALLS_MAX;
	publisher->n_calls--;
	if (publisher->stage == CTL_STAGE_DRAINING) {
		ctl_publisher_drained(publisher);
	} else if (is_answer(reply, n)) {
		if (publisher->stage == CTL_STAGE_SETTING)
			ctl_publisher_open(publisher);
		else
			on_answer(publisher, reply);
	} else if (reply->type != REDIS_REPLY_ERROR) {
		ctl_publisher_refuse_odd(publisher, "EVALSHA");
	} else if (g_str_has_prefix(reply->str, "NOSCRIPT") && !publisher->has_asked_twice) {
		publisher->has_asked_twice = true;
		publisher->stage = CTL_STAGE_DRAINING;
		ctl_publisher_drained(publisher);
	} else {
		ctl_publisher_refuse(publisher, reply->str);
	}
}

static void send_call(struct ctl_publisher *publisher, const struct call *call, unsigned n_entries)
{
	static const struct ctl_redis_call kind = {.reply = on_reply};
	const size_t i = (publisher->calls_head + publisher->n_calls) % CTL_CALLS_MAX;

	publisher->calls[i] = n_entries;
	publisher->n_calls++;
	ctl_redis_link_send(publisher->link, &kind, call->n_args, call->argv);
}

size_t ctl_publisher_call(struct ctl_publisher *publisher)
{
	struct ctl_outbox *outbox = publisher->config.outbox;
	const struct ctl_outbox_entry *entry = ctl_outbox_peek(outbox, publisher->n_sent);
	const size_t n_ready = ctl_outbox_n_ready(outbox) - publisher->n_sent;
	size_t n = 0, n_bytes = 0;
	uint64_t sequence = 0;
	struct call call;

	begin(&call, publisher, entry->sequence - 1);
	while (n < n_ready && n < CTL_CALL_ENTRIES) {
		entry = ctl_outbox_peek(outbox, publisher->n_sent + n);
		n_bytes += entry->event_len;
		if (n > 0 && n_bytes > CTL_CALL_BYTES)
			break;
		push_entry(&call, n++, entry);
		sequence = entry->sequence;
	}
	send_call(publisher, &call, (unsigned)n);
	tip_move(publisher, sequence);
	publisher->tip_exists = true;
	return n;
}

void ctl_publisher_call_set(struct ctl_publisher *publisher, uint64_t base)
{
	struct call call;

	begin(&call, publisher, base);
	send_call(publisher, &call, 0);
	tip_move(publisher, base);
	publisher->tip_exists = true;
}
