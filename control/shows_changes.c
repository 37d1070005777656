// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_changes.h"

#include "control/mistakes.h"
#include "control/shows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN_MAX = 4095 };

static void leave_off(struct ctl_reply *reply, size_t i)
{
	char cursor[24];

	(void)g_snprintf(cursor, sizeof(cursor), "%zu", i);
	ctl_reply_next(reply, cursor);
}

static size_t go_on_at(const json_t *args)
{
	const char *after = ctl_args_text(args, "after");

	return after != NULL ? strtoul(after, NULL, 10) : 0;
}

/* Digits alone, up to max; 0 when it is something else. */
static uint64_t number(const char *text, uint64_t max)
{
	uint64_t n;

	if (text == NULL || !g_ascii_string_to_unsigned(text, 10, 1, max, &n, NULL))
		return 0;
	return n;
}

static bool add_line(void *ctx, size_t i, json_t *given)
{
	struct ctl_reply *reply = ctx;

	if (ctl_reply_add(reply, given))
		return true;
	leave_off(reply, i);
	return false;
}

void ctl_show_history(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;

	ctl_versions_each(ctl_changes_versions(s->changes), go_on_at(args), add_line, reply);
}

void ctl_show_staged(void *ctx, const json_t *, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;

	(void)ctl_reply_add(reply, ctl_changes_staged_json(s->changes));
}

/* Who asks, and why; false and a failed reply when that is too long. */
static bool asker_of(
	const json_t *args, struct ctl_reply *reply, struct ctl_changes_asker *ret_asker)
{
	*ret_asker = (struct ctl_changes_asker){
		.uid = ctl_reply_asker(reply)->uid, .why = ctl_args_text(args, "why")};
	if (ret_asker->why == NULL || strlen(ret_asker->why) <= CTL_HISTORY_WHY_MAX)
		return true;
	ctl_reply_fail(reply, true, "why: %zu bytes, expected at most %d", strlen(ret_asker->why),
		CTL_HISTORY_WHY_MAX);
	return false;
}

/* How it began. */
static void answer(struct ctl_reply *reply, int r, const uint64_t *id, const struct dp_err *err)
{
	if (r < 0)
		ctl_reply_fail(reply, false, "%s", err->text);
	else
		(void)ctl_reply_add(reply, json_pack("{sI}", "change", (json_int_t)*id));
}

void ctl_do_stage(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const char *path = ctl_args_text(args, "arg");
	struct ctl_changes_asker asker;
	struct dp_err err;
	uint64_t id = 0;

	if (path == NULL || *path != '/' || strlen(path) > PATH_LEN_MAX)
		ctl_reply_fail(reply, true, "stage: expected the whole path of a catalogue");
	else if (asker_of(args, reply, &asker))
		answer(reply, ctl_changes_stage(s->changes, &asker, path, &id, &err), &id, &err);
}

void ctl_do_commit(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	struct ctl_changes_asker asker;
	struct dp_err err;
	uint64_t id = 0;

	if (asker_of(args, reply, &asker))
		answer(reply, ctl_changes_commit(s->changes, &asker, &id, &err), &id, &err);
}

void ctl_do_rollback(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const char *word = ctl_args_text(args, "arg");
	const uint32_t version = (uint32_t)number(word, CTL_HISTORY_VERSION_MAX);
	struct ctl_changes_asker asker;
	struct dp_err err;
	char quoted[CTL_QUOTE_MAX];
	uint64_t id = 0;

	if (word != NULL && version == 0)
		ctl_reply_fail(reply, true,
			"rollback: %s, expected the number of a version (`wirecue apps history`)",
			ctl_quote(word, quoted));
	else if (asker_of(args, reply, &asker))
		answer(reply, ctl_changes_roll_back(s->changes, &asker, version, &id, &err), &id,
			&err);
}

/* Commands ask for the change that they began. */
static uint64_t id_of(const json_t *args)
{
	return number(ctl_args_text(args, "arg"), INT64_MAX);
}

static void fail_unknown(struct ctl_reply *reply)
{
	ctl_reply_fail(reply, false,
		"nothing is known of that change any more: somebody has begun another; "
		"`wirecue apps history` says what is in force");
}

void ctl_do_change(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	json_t *row = ctl_changes_json(s->changes, id_of(args));

	if (row == NULL)
		fail_unknown(reply);
	else
		(void)ctl_reply_add(reply, row);
}

void ctl_do_mistakes(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const GPtrArray *mistakes = ctl_changes_mistakes(s->changes, id_of(args));

	if (mistakes == NULL) {
		fail_unknown(reply);
		return;
	}
	for (size_t i = go_on_at(args); i < mistakes->len; i++) {
		if (ctl_reply_add(reply, json_pack("{ss}", "at", mistakes->pdata[i])))
			continue;
		leave_off(reply, i);
		return;
	}
}
