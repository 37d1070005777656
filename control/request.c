// SPDX-License-Identifier: BSD-3-Clause
#include "control/request.h"

#include <assert.h>
#include <glib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct ctl_reply {
	const struct ctl_asker *asker; // borrowed
	GString *text;
	char *next; // owned cursor, NULL = complete
	char *error; // owned sentence, NULL = none
	bool is_usage;
};

static bool add_line(GString *text, const json_t *object)
{
	char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));

	if (line == NULL)
		return false; // no memory, or not UTF-8
	g_string_append(text, line);
	g_string_append_c(text, '\n');
	free(line);
	return true;
}

bool ctl_reply_add(struct ctl_reply *reply, json_t *given)
{
	const size_t len = reply->text->len;

	assert(json_object_get(given, "end") == NULL && json_object_get(given, "error") == NULL);
	if (!add_line(reply->text, given))
		ctl_reply_fail(reply, false, "a record cannot be written as JSON");
	json_decref(given);
	if (len == 0 || reply->text->len <= CTL_REPLY_PAGE)
		return true;
	g_string_truncate(reply->text, len);
	return false;
}

void ctl_reply_next(struct ctl_reply *reply, const char *cursor)
{
	g_free(reply->next);
	reply->next = g_strdup(cursor);
}

void ctl_reply_fail(struct ctl_reply *reply, bool is_usage, const char *fmt, ...)
{
	va_list ap;

	g_free(reply->error);
	va_start(ap, fmt);
	reply->error = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	reply->is_usage = is_usage;
}

const struct ctl_asker *ctl_reply_asker(const struct ctl_reply *reply)
{
	return reply->asker;
}

const char *ctl_args_text(const json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

static void list(const struct ctl_show *table, struct ctl_reply *reply)
{
	for (; table->name != NULL; table++) {
		if (!table->acts)
			(void)ctl_reply_add(reply,
				json_pack("{ss ss ss}", "name", table->name, "args", table->args,
					"help", table->help));
	}
}

/* "show" or "do". */
static void run(const struct ctl_show *table, void *ctx, const json_t *request, bool acts,
	struct ctl_reply *reply)
{
	const char *what = ctl_args_text(request, "what");
	json_t *args = json_object_get(request, "args");
	json_t *none = NULL;

	if (what == NULL) {
		ctl_reply_fail(reply, true, "expected \"what\" with the name of what to %s",
			acts ? "do" : "show");
		return;
	}
	if (args != NULL && !json_is_object(args)) {
		ctl_reply_fail(reply, true, "expected \"args\" to be an object");
		return;
	}
	for (; table->name != NULL; table++) {
		if (table->acts != acts || strcmp(table->name, what) != 0)
			continue;
		if (table->args[0] == '\0' && ctl_args_text(args, "arg") != NULL) {
			ctl_reply_fail(reply, true, "%s: expected no word behind it", what);
			return;
		}
		if (args == NULL)
			args = none = json_object();
		table->run(ctx, args, reply);
		json_decref(none);
		return;
	}
	// What was asked for is not repeated: it may be an identifier on its way to a log.
	ctl_reply_fail(reply, true,
		acts ? "nothing of that name can be done"
		     : "nothing of that name can be shown; `wirecue show` lists what can");
}

static void dispatch(const struct ctl_show *table, void *ctx, const char *line, size_t len,
	struct ctl_reply *reply)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	const char *cmd = ctl_args_text(request, "cmd");

	if (request == NULL)
		ctl_reply_fail(reply, true,
			"expected one JSON object a line, found a mistake at byte %d",
			error.position);
	else if (cmd != NULL && strcmp(cmd, "show") == 0)
		run(table, ctx, request, false, reply);
	else if (cmd != NULL && strcmp(cmd, "do") == 0 && !reply->asker->may_act)
		ctl_reply_fail(
			reply, false, "only root and the daemon's own user may change something");
	else if (cmd != NULL && strcmp(cmd, "do") == 0)
		run(table, ctx, request, true, reply);
	else if (cmd != NULL && strcmp(cmd, "list") == 0)
		list(table, reply);
	else
		ctl_reply_fail(reply, true, "expected \"cmd\" to be \"show\", \"do\" or \"list\"");
	json_decref(request);
}

static void finish(struct ctl_reply *reply)
{
	json_t *last;

	if (reply->error != NULL) {
		g_string_truncate(reply->text, 0);
		last = json_pack("{ss}", "error", reply->error);
		if (last == NULL) // a handler's sentence with foreign bytes
			last = json_pack("{ss}", "error", "the answer cannot be written as JSON");
		if (reply->is_usage)
			(void)json_object_set_new(last, "usage", json_true());
	} else if (reply->next != NULL) {
		last = json_pack("{sb ss}", "end", 1, "next", reply->next);
	} else {
		last = json_pack("{sb}", "end", 1);
	}
	if (!add_line(reply->text, last))
		g_string_append(
			reply->text, "{\"error\":\"the answer cannot be written as JSON\"}\n");
	json_decref(last);
}

char *ctl_request_answer(const struct ctl_show *table, void *ctx, const struct ctl_asker *asker,
	const char *line, size_t len, size_t *ret_len)
{
	struct ctl_reply reply = {.asker = asker, .text = g_string_new(NULL)};

	dispatch(table, ctx, line, len, &reply);
	finish(&reply);
	g_free(reply.next);
	g_free(reply.error);
	*ret_len = reply.text->len;
	return g_string_free(reply.text, FALSE);
}
