// SPDX-License-Identifier: BSD-3-Clause
#include "control/request.h"

#include <assert.h>
#include <glib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct ctl_request {
	const struct ctl_asker *asker; // borrowed
	json_t *line; // NULL: not JSON
	int mistake_at; // then the byte where it ceases to be
	uint64_t memo;
};

struct ctl_reply {
	struct ctl_request *request; // borrowed
	GString *text;
	char *next; // owned cursor, NULL = complete
	char *error; // owned sentence, NULL = none
	const char *none; // borrowed; NULL: there are records
	bool is_usage;
	bool waits;
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

void ctl_reply_wait(struct ctl_reply *reply)
{
	reply->waits = true;
}

uint64_t *ctl_reply_memo(struct ctl_reply *reply)
{
	return &reply->request->memo;
}

const struct ctl_asker *ctl_reply_asker(const struct ctl_reply *reply)
{
	return reply->request->asker;
}

const char *ctl_args_text(const json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

/* "[ARG] [--endpoint ADDRESS]" */
static json_t *args_of(const struct ctl_show *show)
{
	GString *text = g_string_new(show->args);
	json_t *args;

	for (const struct ctl_show_option *o = show->options; o != NULL && o->name != NULL; o++) {
		if (o->value != NULL)
			g_string_append_printf(
				text, "%s[--%s %s]", text->len > 0 ? " " : "", o->name, o->value);
	}
	args = json_string(text->str);
	g_string_free(text, TRUE);
	return args;
}

static void list(const struct ctl_show *table, struct ctl_reply *reply)
{
	for (; table->name != NULL; table++) {
		if (!table->acts)
			(void)ctl_reply_add(reply,
				json_pack("{ss so ss}", "name", table->name, "args", args_of(table),
					"help", table->help));
	}
}

static const struct ctl_show_option *option_of(const struct ctl_show *show, const char *name)
{
	const struct ctl_show_option *o = show->options;

	while (o != NULL && o->name != NULL && strcmp(o->name, name) != 0)
		o++;
	return o != NULL && o->name != NULL ? o : NULL;
}

/* What is not for this one would be left out of account, and the answer be to another question. Returns
 * false and a failed reply. */
static bool check_args(const struct ctl_show *show, json_t *args, struct ctl_reply *reply)
{
	static const char *const common[] = {"arg", "after", "why", NULL};
	const char *name;
	json_t *value;

	if (show->args[0] == '\0' && ctl_args_text(args, "arg") != NULL) {
		ctl_reply_fail(reply, true, "%s: expected no word behind it", show->name);
		return false;
	}
	json_object_foreach(args, name, value)
	{
		const struct ctl_show_option *o = option_of(show, name);

		if (g_strv_contains(common, name) || (o != NULL && json_is_string(value)))
			continue;
		if (o != NULL)
			ctl_reply_fail(reply, true, "%s: expected a text behind --%s", show->name,
				o->name);
		else
			ctl_reply_fail(reply, true,
				"%s: it has no such option; `wirecue show` lists "
				"which there are",
				show->name);
		return false;
	}
	return true;
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
		if (args == NULL)
			args = none = json_object();
		if (check_args(table, args, reply))
			table->run(ctx, args, reply);
		if (reply->text->len == 0 && ctl_args_text(args, "after") == NULL)
			reply->none = table->none;
		json_decref(none);
		return;
	}
	// What was asked for is not repeated: it may be an identifier on its way to a log.
	ctl_reply_fail(reply, true,
		acts ? "nothing of that name can be done"
		     : "nothing of that name can be shown; `wirecue show` lists what can");
}

static void dispatch(const struct ctl_show *table, void *ctx, struct ctl_reply *reply)
{
	const struct ctl_request *request = reply->request;
	const char *cmd = ctl_args_text(request->line, "cmd");

	if (request->line == NULL)
		ctl_reply_fail(reply, true,
			"expected one JSON object a line, found a mistake at byte %d",
			request->mistake_at);
	else if (cmd != NULL && strcmp(cmd, "show") == 0)
		run(table, ctx, request->line, false, reply);
	else if (cmd != NULL && strcmp(cmd, "do") == 0 && !request->asker->may_act)
		ctl_reply_fail(
			reply, false, "only root and the daemon's own user may change something");
	else if (cmd != NULL && strcmp(cmd, "do") == 0)
		run(table, ctx, request->line, true, reply);
	else if (cmd != NULL && strcmp(cmd, "list") == 0)
		list(table, reply);
	else
		ctl_reply_fail(reply, true, "expected \"cmd\" to be \"show\", \"do\" or \"list\"");
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
		last = json_pack("{sb ss*}", "end", 1, "none", reply->none);
	}
	if (!add_line(reply->text, last))
		g_string_append(
			reply->text, "{\"error\":\"the answer cannot be written as JSON\"}\n");
	json_decref(last);
}

struct ctl_request *ctl_request_new(const struct ctl_asker *asker, const char *line, size_t len)
{
	struct ctl_request *request = g_new0(struct ctl_request, 1);
	json_error_t error;

	request->asker = asker;
	request->line = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (request->line == NULL)
		request->mistake_at = error.position;
	return request;
}

void ctl_request_free(struct ctl_request *request)
{
	if (request == NULL)
		return;
	json_decref(request->line);
	g_free(request);
}

/* The text is the caller's, all else ends here. */
static char *close_reply(struct ctl_reply *reply, size_t *ret_len)
{
	g_free(reply->next);
	g_free(reply->error);
	*ret_len = reply->text->len;
	return g_string_free(reply->text, FALSE);
}

char *ctl_request_answer(
	struct ctl_request *request, const struct ctl_show *table, void *ctx, size_t *ret_len)
{
	struct ctl_reply reply = {.request = request, .text = g_string_new(NULL)};
	size_t len;

	dispatch(table, ctx, &reply);
	if (reply.waits && reply.error == NULL) {
		g_free(close_reply(&reply, &len));
		return NULL;
	}
	finish(&reply);
	return close_reply(&reply, ret_len);
}

char *ctl_request_give_up(const struct ctl_request *, size_t *ret_len)
{
	struct ctl_reply reply = {.text = g_string_new(NULL)};

	ctl_reply_fail(&reply, false,
		"no answer within %d s: the daemon works, but what was asked for is not ready; try again",
		CTL_REPLY_WAIT_S);
	finish(&reply);
	return close_reply(&reply, ret_len);
}
