// SPDX-License-Identifier: BSD-3-Clause
#include "control/publisher_groups.h"

#include "control/hiredis_compat.h"

#include <errno.h>
#include <string.h>

static void group_clear(void *group)
{
	g_free(((struct ctl_stream_group *)group)->key);
}

GArray *ctl_groups_new(void)
{
	GArray *groups = g_array_new(FALSE, TRUE, sizeof(struct ctl_stream_group));

	g_array_set_clear_func(groups, group_clear);
	return groups;
}

static bool is_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

bool ctl_stream_id_parse(const struct redisReply *reply, struct ctl_stream_id *ret)
{
	g_auto(GStrv) parts = NULL;

	if (!is_text(reply))
		return false;
	parts = g_strsplit(reply->str, "-", 2);
	return parts[0] != NULL && parts[1] != NULL &&
		g_ascii_string_to_unsigned(parts[0], 10, 0, UINT64_MAX, &ret->ms, NULL) &&
		g_ascii_string_to_unsigned(parts[1], 10, 0, UINT64_MAX, &ret->n, NULL);
}

int ctl_stream_id_compare(const struct ctl_stream_id *a, const struct ctl_stream_id *b)
{
	if (a->ms != b->ms)
		return a->ms < b->ms ? -1 : 1;
	return a->n < b->n ? -1 : a->n > b->n;
}

static struct ctl_stream_id id_after(struct ctl_stream_id id)
{
	if (++id.n == 0)
		id.ms++;
	return id;
}

static void name_set(struct ctl_stream_group *group, const redisReply *name)
{
	g_autofree char *valid = g_utf8_make_valid(name->str, (gssize)name->len);

	(void)g_utf8_strncpy(group->name, valid, (CTL_GROUP_NAME_MAX - 1) / 6);
	g_free(group->key);
	group->key = g_strndup(name->str, name->len);
}

static int group_read(struct ctl_stream_group *group, const redisReply *fields)
{
	bool has_id = false;

	if (fields->type != REDIS_REPLY_ARRAY)
		return -EBADMSG;
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		const redisReply *key = fields->element[i], *value = fields->element[i + 1];

		if (!is_text(key))
			return -EBADMSG;
		if (strcmp(key->str, "name") == 0 && is_text(value)) {
			name_set(group, value);
		} else if (strcmp(key->str, "pending") == 0 && value->type == REDIS_REPLY_INTEGER &&
			value->integer >= 0) {
			group->n_pending = (uint64_t)value->integer;
		} else if (strcmp(key->str, "last-delivered-id") == 0) {
			has_id = ctl_stream_id_parse(value, &group->last_read);
		} else if (strcmp(key->str, "lag") == 0 && value->type == REDIS_REPLY_INTEGER &&
			value->integer >= 0) {
			group->n_lag = (uint64_t)value->integer;
			group->has_lag = true;
		}
	}
	group->needs = id_after(group->last_read);
	return group->key != NULL && has_id ? 0 : -EBADMSG;
}

int ctl_groups_read(GArray *groups, const struct redisReply *reply)
{
	g_array_set_size(groups, 0);
	if (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "no such key") != NULL)
		return 0;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements > CTL_GROUPS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < reply->elements; i++) {
		g_array_set_size(groups, (guint)i + 1);
		if (group_read(&g_array_index(groups, struct ctl_stream_group, i),
			    reply->element[i]) < 0)
			return -EBADMSG;
	}
	return 0;
}

int ctl_group_pending(struct ctl_stream_group *group, const struct redisReply *reply)
{
	struct ctl_stream_id first;

	// {count, smallest id, greatest id, consumers}; the ids are nil when the count is 0
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 4 ||
		reply->element[0]->type != REDIS_REPLY_INTEGER || reply->element[0]->integer < 0)
		return -EBADMSG;
	group->n_pending = (uint64_t)reply->element[0]->integer;
	if (group->n_pending == 0)
		return 0;
	if (!ctl_stream_id_parse(reply->element[1], &first))
		return -EBADMSG;
	if (ctl_stream_id_compare(&first, &group->needs) < 0)
		group->needs = first;
	return 0;
}

const struct ctl_stream_group *ctl_groups_slowest(const GArray *groups)
{
	const struct ctl_stream_group *slowest = NULL;

	for (guint i = 0; i < groups->len; i++) {
		const struct ctl_stream_group *group = &g_array_index(
			groups, struct ctl_stream_group, i);

		if (slowest == NULL || ctl_stream_id_compare(&group->needs, &slowest->needs) < 0)
			slowest = group;
	}
	return slowest;
}
