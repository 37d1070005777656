// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_diff.h"

#include "control/live_diff.h"
#include "control/shows.h"
#include "control/utc.h"

#include <stdlib.h>

/* Whose copy the version in force is. */
static bool take_file(void *ctx, size_t, json_t *given)
{
	json_t **ret_file = ctx;

	if (json_is_true(json_object_get(given, "in_force")))
		*ret_file = json_incref(json_object_get(given, "file"));
	json_decref(given);
	return false; // the first line tells
}

static json_t *file_in_force(const struct ctl_shows *s)
{
	json_t *file = NULL;

	ctl_versions_each(ctl_changes_versions(s->changes), 0, take_file, &file);
	return file != NULL ? file : json_null();
}

static void add_reach(json_t *row, const struct ctl_live_diff_result *r)
{
	const struct ctl_survey_reach *reach = &r->reach;
	char since[CTL_UTC_MAX];

	ctl_utc_format(reach->since_ns, since);
	(void)json_object_set_new(row, "living", json_integer((json_int_t)reach->n_living));
	(void)json_object_set_new(row, "ended", json_integer((json_int_t)reach->n_ended));
	(void)json_object_set_new(row, "undecided", json_integer((json_int_t)r->n_undecided));
	(void)json_object_set_new(
		row, "missed", json_integer((json_int_t)(reach->n_overwritten + reach->n_dropped)));
	(void)json_object_set_new(
		row, "since", reach->since_ns != 0 ? json_string(since) : json_null());
	(void)json_object_set_new(row, "seconds",
		json_integer(reach->since_ns != 0 && reach->since_ns < reach->end_ns
				? (json_int_t)((reach->end_ns - reach->since_ns) / 1000000000)
				: 0));
}

static json_t *row_of(const struct ctl_shows *s, const struct ctl_live_diff_result *r)
{
	const struct ctl_flow_diff_sum *all = &r->totals.all, *changed = &r->totals.changed;
	json_t *staged = ctl_changes_staged_json(s->changes);
	json_t *row = json_pack("{s:I, s:I, s:o, s:O, s:O, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}",
		"diff", (json_int_t)r->id, "in_force",
		(json_int_t)ctl_versions_in_force(ctl_changes_versions(s->changes)),
		"in_force_file", file_in_force(s), "staged", json_object_get(staged, "version"),
		"staged_file", json_object_get(staged, "file"), "flows", (json_int_t)all->flows,
		"flows_changed", (json_int_t)changed->flows, "bytes", (json_int_t)all->bytes,
		"bytes_changed", (json_int_t)changed->bytes, "subscribers",
		(json_int_t)all->subscribers, "subscribers_changed",
		(json_int_t)changed->subscribers, "is_estimate", all->is_estimate,
		"is_estimate_changed", changed->is_estimate);

	json_decref(staged);
	if (row != NULL)
		add_reach(row, r);
	return row;
}

static void answer_result(
	const struct ctl_shows *s, const struct ctl_live_diff_result *r, struct ctl_reply *reply)
{
	json_t *row;

	if (r->is_cancelled || ctl_changes_staged(s->changes) == NULL) {
		ctl_reply_fail(reply, false,
			"another catalogue was staged or came into force meanwhile: ask again");
		return;
	}
	row = row_of(s, r);
	if (row == NULL)
		ctl_reply_fail(reply, false, "no memory for an answer");
	else
		(void)ctl_reply_add(reply, row);
}

/* The newest one that has ended, when it is this one or a later one. */
static const struct ctl_live_diff_result *result_since(const struct ctl_shows *s, uint64_t id)
{
	const uint64_t newest = ctl_live_diff_id(s->diff);
	const uint64_t ended = ctl_live_diff_is_running(s->diff) ? newest - 1 : newest;

	return id != 0 && ended >= id ? ctl_live_diff_result(s->diff, ended) : NULL;
}

/* memo: the number of the diff that this question waits for, 0: none yet. Those who come while one runs wait for
 * the next one together. */
static void look(struct ctl_shows *s, struct ctl_reply *reply)
{
	uint64_t *memo = ctl_reply_memo(reply), id;
	const struct ctl_live_diff_result *result = result_since(s, *memo);
	struct dp_err err;

	if (result != NULL) {
		answer_result(s, result, reply);
		return;
	}
	if (ctl_changes_staged(s->changes) == NULL) {
		ctl_reply_fail(reply, false,
			"nothing is staged: `wirecue apps stage FILE` comes first; or compare on "
			"captures, with --on CAPTURE...");
		return;
	}
	if (*memo == 0)
		*memo = ctl_live_diff_id(s->diff) + 1;
	if (!ctl_live_diff_is_running(
		    s->diff)) // fails while others go through all flows: later, then
		(void)ctl_live_diff_begin(s->diff, ctl_pipeline_config_of(s->pipeline)->catalogue,
			ctl_changes_staged(s->changes), &id, &err);
	ctl_reply_wait(reply);
}

static void list(
	const struct ctl_shows *s, const json_t *args, uint64_t id, struct ctl_reply *reply)
{
	const struct ctl_live_diff_result *r = ctl_live_diff_result(s->diff, id);
	const char *after = ctl_args_text(args, "after");
	char cursor[24];

	if (r == NULL || r->is_cancelled) {
		ctl_reply_fail(reply, false,
			"nothing is known of that any more: others have asked since; ask again");
		return;
	}
	for (size_t i = after != NULL ? strtoul(after, NULL, 10) : 0; i < r->changes->len; i++) {
		if (ctl_reply_add(reply, json_incref(r->changes->pdata[i])))
			continue;
		(void)g_snprintf(cursor, sizeof(cursor), "%zu", i);
		ctl_reply_next(reply, cursor);
		return;
	}
}

void ctl_show_diff(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const char *word = ctl_args_text(args, "arg");
	struct ctl_shows *s = ctx;
	uint64_t id;

	if (word == NULL)
		look(s, reply);
	else if (g_ascii_string_to_unsigned(word, 10, 1, INT64_MAX, &id, NULL))
		list(s, args, id, reply);
	else
		ctl_reply_fail(reply, true,
			"diff: expected nothing, or the number that `show diff` has answered with");
}
