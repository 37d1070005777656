// SPDX-License-Identifier: BSD-3-Clause
#include "control/hiredis_compat.h"
#include "control/log.h"
#include "control/publisher_private.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Redis removes whole nodes (100 entries by default), so a stream that is this much longer than
 * asked for is not too long. */
static const uint64_t NODE = 100;

static uint64_t wanted(const struct ctl_publisher *publisher)
{
	return publisher->config.redis->stream_max_len;
}

void ctl_publisher_trim_init(struct ctl_publisher *publisher)
{
	publisher->trim.groups = ctl_groups_new();
}

void ctl_publisher_trim_fini(struct ctl_publisher *publisher)
{
	if (publisher->trim.groups != NULL)
		g_array_unref(publisher->trim.groups);
}

void ctl_publisher_trim_down(struct ctl_publisher *publisher)
{
	publisher->trim.is_looking = false;
}

static void look_over(struct ctl_publisher *publisher)
{
	publisher->trim.is_looking = false;
	if (publisher->stage == CTL_STAGE_FULL)
		ctl_publisher_refuse(publisher, publisher->trim.full);
}

/* The look is over. An answer that is none, or no right to ask, costs the trimming only: the stream
 * grows, and the log says so once for each cause. */
static void give_up(struct ctl_publisher *publisher, const char *command, const redisReply *reply)
{
	if (wanted(publisher) > 0) // else the groups are missing in `show` only
		ctl_log(CTL_LOG_ERR, "redis_stream_untrimmed", CTL_TEXT("command", command),
			CTL_TEXT("cause",
				reply->type == REDIS_REPLY_ERROR ? reply->str : "unexpected reply"),
			CTL_TEXT("consequence", "the stream grows"));
	look_over(publisher);
}

/* How many entries the group has not read and acknowledged. Redis 7 counts what is not read; before,
 * only the stream as a whole can be told. */
static uint64_t unread_of(
	const struct ctl_publisher *publisher, const struct ctl_stream_group *group)
{
	if (group == NULL)
		return publisher->trim.length;
	return group->has_lag ? MIN(group->n_lag + group->n_pending, publisher->trim.length)
			      : publisher->trim.length;
}

static void tell_unread(struct ctl_publisher *publisher, const struct ctl_stream_group *group)
{
	const bool may_trim = publisher->config.redis->stream_trim_unread;
	const char *name = group != NULL ? group->name : "none";
	struct ctl_publisher_trim *t = &publisher->trim;

	t->was_unread = t->is_unread && strcmp(t->unread_group, name) == 0;
	t->is_unread = true;
	(void)g_strlcpy(t->unread_group, name, sizeof(t->unread_group));
	ctl_log(CTL_LOG_ERR, "redis_stream_unread", CTL_TEXT("group", name),
		CTL_COUNT("unread", unread_of(publisher, group)),
		CTL_COUNT("length", publisher->trim.length),
		CTL_COUNT("stream_max_length", wanted(publisher)),
		CTL_TEXT("consequence",
			may_trim ? "unread entries are trimmed away"
				 : "the stream grows beyond that"));
}

static void tell_read(struct ctl_publisher *publisher)
{
	if (publisher->trim.is_unread)
		ctl_log(CTL_LOG_NOTICE, "redis_stream_read",
			CTL_COUNT("length", publisher->trim.length),
			CTL_COUNT("lost_unread", publisher->trim.n_trimmed_unread));
	publisher->trim.is_unread = publisher->trim.was_unread = false;
}

static void on_unread_trimmed(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
		give_up(publisher, "XTRIM", reply);
		return;
	}
	publisher->trim.n_trimmed_unread += (uint64_t)reply->integer;
	publisher->trim.n_trimmed += (uint64_t)reply->integer;
	look_over(publisher);
}

static void trim_unread(struct ctl_publisher *publisher)
{
	static const struct ctl_redis_call call = {.reply = on_unread_trimmed};
	char length[CTL_REDIS_NUMBER_MAX];

	(void)snprintf(length, sizeof(length), "%" PRIu64, wanted(publisher));
	const char *const argv[] = {"XTRIM", publisher->stream_key, "MAXLEN", "~", length};
	ctl_redis_link_send(publisher->link, &call, G_N_ELEMENTS(argv), argv);
}

/* What may go is gone. Is it enough? */
static void judge_length(struct ctl_publisher *publisher)
{
	if (publisher->trim.length <= wanted(publisher) + NODE) {
		tell_read(publisher);
		look_over(publisher);
		return;
	}
	tell_unread(publisher, ctl_groups_slowest(publisher->trim.groups));
	if (publisher->config.redis->stream_trim_unread && publisher->trim.was_unread)
		trim_unread(publisher);
	else
		look_over(publisher); // the alarm comes first
}

static void on_trimmed(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "syntax error") != NULL) {
		if (!publisher->trim.is_old_told)
			ctl_log(CTL_LOG_ERR, "redis_stream_untrimmed", CTL_TEXT("command", "XTRIM"),
				CTL_TEXT("cause", "stream_max_length needs Redis 6.2 or newer"),
				CTL_TEXT("consequence", "the stream grows"));
		publisher->trim.is_old_told = true;
		look_over(publisher);
		return;
	}
	if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
		give_up(publisher, "XTRIM", reply);
		return;
	}
	publisher->trim.n_trimmed += (uint64_t)reply->integer;
	publisher->trim.length -= MIN(publisher->trim.length, (uint64_t)reply->integer);
	judge_length(publisher);
}

/* Take away what is too much, as far as everybody has acknowledged it: by id, so that nothing that
 * comes in meanwhile can make it more. */
static void trim_read(struct ctl_publisher *publisher, const struct ctl_stream_group *slowest)
{
	static const struct ctl_redis_call call = {.reply = on_trimmed};
	char id[CTL_REDIS_ID_MAX], limit[CTL_REDIS_NUMBER_MAX];

	(void)snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64, slowest->needs.ms, slowest->needs.n);
	(void)snprintf(
		limit, sizeof(limit), "%" PRIu64, publisher->trim.length - wanted(publisher));
	const char *const argv[] = {
		"XTRIM", publisher->stream_key, "MINID", "~", id, "LIMIT", limit};
	ctl_redis_link_send(publisher->link, &call, G_N_ELEMENTS(argv), argv);
}

static void trim(struct ctl_publisher *publisher)
{
	const struct ctl_stream_group *slowest = ctl_groups_slowest(publisher->trim.groups);

	if (wanted(publisher) == 0 ||
		(publisher->stage != CTL_STAGE_OPEN && publisher->stage != CTL_STAGE_FULL)) {
		look_over(publisher);
		return;
	}
	if (publisher->trim.length <= wanted(publisher)) {
		tell_read(publisher);
		look_over(publisher);
		return;
	}
	if (slowest != NULL)
		trim_read(publisher, slowest);
	else
		judge_length(publisher); // nobody has read anything
}

static void on_pending(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;
	struct ctl_publisher_trim *t = &publisher->trim;

	if (!t->is_looking)
		return; // another answer could not be read
	if (reply->type == REDIS_REPLY_ERROR && g_str_has_prefix(reply->str, "NOGROUP")) {
		look_over(publisher); // destroyed meanwhile: the next look knows
		return;
	}
	if (ctl_group_pending(
		    &g_array_index(t->groups, struct ctl_stream_group, t->i_pending), reply) < 0) {
		give_up(publisher, "XPENDING", reply);
		return;
	}
	if (++t->i_pending == t->groups->len)
		trim(publisher);
}

static void on_groups(void *ctx, const struct redisReply *reply)
{
	static const struct ctl_redis_call call = {.reply = on_pending};
	struct ctl_publisher *publisher = ctx;
	struct ctl_publisher_trim *t = &publisher->trim;

	if (!t->is_looking)
		return;
	if (ctl_groups_read(t->groups, reply) < 0) {
		g_array_set_size(t->groups, 0);
		give_up(publisher, "XINFO GROUPS", reply);
		return;
	}
	t->i_pending = 0;
	for (guint i = 0; i < t->groups->len; i++) {
		const char *const argv[] = {"XPENDING", publisher->stream_key,
			g_array_index(t->groups, struct ctl_stream_group, i).key};

		ctl_redis_link_send(publisher->link, &call, G_N_ELEMENTS(argv), argv);
	}
	if (t->groups->len == 0)
		trim(publisher);
}

static void on_length(void *ctx, const struct redisReply *reply)
{
	struct ctl_publisher *publisher = ctx;

	if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0)
		publisher->trim.length = (uint64_t)reply->integer;
	else
		give_up(publisher, "XLEN", reply);
}

void ctl_publisher_trim_look(struct ctl_publisher *publisher)
{
	static const struct ctl_redis_call call_length = {.reply = on_length};
	static const struct ctl_redis_call call_groups = {.reply = on_groups};
	const char *const length[] = {"XLEN", publisher->stream_key};
	const char *const groups[] = {"XINFO", "GROUPS", publisher->stream_key};

	if (publisher->trim.is_looking)
		return;
	publisher->trim.is_looking = true;
	ctl_redis_link_send(publisher->link, &call_length, G_N_ELEMENTS(length), length);
	ctl_redis_link_send(publisher->link, &call_groups, G_N_ELEMENTS(groups), groups);
}

bool ctl_publisher_trim_full(struct ctl_publisher *publisher, const char *error)
{
	if (wanted(publisher) == 0)
		return false;
	publisher->stage = CTL_STAGE_FULL;
	(void)g_strlcpy(publisher->trim.full, error, sizeof(publisher->trim.full));
	ctl_publisher_trim_look(publisher);
	return true;
}
