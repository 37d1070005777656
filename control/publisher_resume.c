// SPDX-License-Identifier: BSD-3-Clause
#include "control/publisher_resume.h"

#include "control/hiredis_compat.h"

#include <errno.h>
#include <string.h>

static void free_type(gpointer mark)
{
	g_free((char *)((struct ctl_outbox_type_mark *)mark)->type);
}

void ctl_stream_end_init(struct ctl_stream_end *end)
{
	*end = (struct ctl_stream_end){
		.type_marks = g_array_new(FALSE, FALSE, sizeof(struct ctl_outbox_type_mark)),
	};
	g_array_set_clear_func(end->type_marks, free_type);
}

void ctl_stream_end_fini(struct ctl_stream_end *end)
{
	if (end->type_marks != NULL)
		g_array_free(end->type_marks, TRUE);
	end->type_marks = NULL;
}

/* The script counts in doubles: beyond 2^53 it would be wrong, and ours are added to theirs. */
#define COUNT_MAX (UINT64_C(1) << 52)

static bool is_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

/* Decimal digits and nothing else; hiredis puts a NUL behind every string. */
static bool count_parse(const redisReply *reply, uint64_t *ret)
{
	return is_text(reply) &&
		g_ascii_string_to_unsigned(reply->str, 10, 0, COUNT_MAX, ret, NULL);
}

/* "1700000000000-3" */
static bool id_parse(const redisReply *reply, struct ctl_outbox_mark *mark)
{
	g_auto(GStrv) parts = NULL;

	if (!is_text(reply))
		return false;
	parts = g_strsplit(reply->str, "-", 2);
	return parts[0] != NULL && parts[1] != NULL &&
		g_ascii_string_to_unsigned(parts[0], 10, 0, UINT64_MAX, &mark->id_ms, NULL) &&
		g_ascii_string_to_unsigned(parts[1], 10, 0, UINT64_MAX, &mark->id_n, NULL);
}

int ctl_stream_end_info(struct ctl_stream_end *end, const struct redisReply *reply)
{
	bool has_id = false;

	if (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "no such key") != NULL)
		return 0;
	if (reply->type != REDIS_REPLY_ARRAY)
		return -EBADMSG;
	end->exists = true;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *name = reply->element[i], *value = reply->element[i + 1];

		if (!is_text(name))
			continue;
		if (strcmp(name->str, "length") == 0 && value->type == REDIS_REPLY_INTEGER)
			end->n_entries = (uint64_t)value->integer;
		else if (strcmp(name->str, "last-generated-id") == 0)
			has_id = id_parse(value, &end->mark);
	}
	return has_id ? 0 : -EBADMSG;
}

int ctl_stream_end_counters(struct ctl_stream_end *end, const struct redisReply *reply)
{
	struct ctl_outbox_type_mark type;

	if (reply->type != REDIS_REPLY_ARRAY)
		return -EBADMSG;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *name = reply->element[i], *value = reply->element[i + 1];

		if (!is_text(name))
			return -EBADMSG;
		if (strcmp(name->str, "sequence") == 0) {
			if (!count_parse(value, &end->mark.sequence))
				return -EBADMSG;
			end->has_counters = end->mark.sequence > 0;
		} else if (strcmp(name->str, "writer") == 0 && is_text(value)) {
			if (g_strlcpy(end->writer, value->str, sizeof(end->writer)) >=
				sizeof(end->writer))
				return -EBADMSG;
		} else if (g_str_has_prefix(name->str, "type:")) {
			if (!count_parse(value, &type.typesequence))
				return -EBADMSG;
			// A foreign server could make us remember names for ever; ours are few.
			if (end->type_marks->len >= 256)
				return -EBADMSG;
			type.type = g_strdup(name->str + strlen("type:"));
			g_array_append_val(end->type_marks, type);
		}
	}
	end->mark.types = (const struct ctl_outbox_type_mark *)(const void *)end->type_marks->data;
	end->mark.n_types = end->type_marks->len;
	return 0;
}

enum ctl_stream_verdict ctl_stream_judge(
	const struct ctl_stream_end *end, const struct ctl_stream_ours *ours)
{
	const bool is_used = end->mark.sequence > 0 || end->mark.id_ms > 0;

	if (end->n_entries > 0 && !end->has_counters &&
		(ours->acked > 0 || !ours->has_mark || ours->is_fresh))
		return CTL_STREAM_UNCOUNTED;
	if (!ours->has_mark)
		return CTL_STREAM_ADOPT;
	if (ours->is_fresh && is_used && strcmp(end->writer, ours->writer) != 0)
		return CTL_STREAM_ADOPT;
	if (end->mark.sequence < ours->acked)
		return CTL_STREAM_BEHIND;
	if (end->mark.sequence > ours->given)
		return CTL_STREAM_AHEAD;
	if (!end->exists && end->mark.sequence > 0)
		return CTL_STREAM_GONE;
	return CTL_STREAM_FITS;
}
