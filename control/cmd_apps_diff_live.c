// SPDX-License-Identifier: BSD-3-Clause
/* apps diff of a running daemon: what is staged there against what is in force, over its flows of the last minutes. */
#include "control/commands.h"
#include "control/diff_answer.h"
#include "control/question.h"

#include <inttypes.h>

static uint64_t number(const json_t *record, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(record, key));
}

static struct ctl_flow_diff_totals totals_of(const json_t *record)
{
	return (struct ctl_flow_diff_totals){
		.all = {number(record, "flows"), number(record, "bytes"),
			number(record, "subscribers"),
			json_is_true(json_object_get(record, "is_estimate"))},
		.changed = {number(record, "flows_changed"), number(record, "bytes_changed"),
			number(record, "subscribers_changed"),
			json_is_true(json_object_get(record, "is_estimate_changed"))},
	};
}

static json_t *text_or_null(const json_t *record, const char *key)
{
	json_t *value = json_object_get(record, key);

	return value != NULL ? json_incref(value) : json_null();
}

static json_t *source_of(const json_t *record, const char *version, const char *file)
{
	const uint64_t n = number(record, version);

	return json_pack("{s:o, s:o}", "version",
		n != 0 ? json_integer((json_int_t)n) : json_null(), "file",
		text_or_null(record, file));
}

/* As apps diff --on has "catalogue", and what only a daemon knows. */
static json_t *keys_of(const json_t *record)
{
	return json_pack("{s:o, s:o, s:{s:I, s:I, s:I, s:I, s:o, s:I}}", "catalogue",
		source_of(record, "in_force", "in_force_file"), "staged",
		source_of(record, "staged", "staged_file"), "looked_at", "living",
		(json_int_t)number(record, "living"), "ended", (json_int_t)number(record, "ended"),
		"undecided", (json_int_t)number(record, "undecided"), "missed",
		(json_int_t)number(record, "missed"), "since", text_or_null(record, "since"),
		"seconds", (json_int_t)number(record, "seconds"));
}

static char *head_of(const json_t *record)
{
	const char *file = json_string_value(json_object_get(record, "in_force_file"));
	const char *staged = json_string_value(json_object_get(record, "staged_file"));

	return g_strdup_printf("# catalogue: version %" PRIu64
			       " in force%s%s; staged: version %" PRIu64 ", %s",
		number(record, "in_force"), file != NULL ? ", " : "", file != NULL ? file : "",
		number(record, "staged"), staged != NULL ? staged : "?");
}

static char *foot_of(const json_t *record)
{
	GString *text = g_string_new(NULL);

	g_string_append_printf(
		text, "looked at: %" PRIu64 " flows that live", number(record, "living"));
	if (json_is_string(json_object_get(record, "since")))
		g_string_append_printf(text,
			", %" PRIu64 " that ended within the last %" PRIu64 " s",
			number(record, "ended"), number(record, "seconds"));
	if (number(record, "undecided") > 0)
		g_string_append_printf(text, "; %" PRIu64 " are undecided and left out",
			number(record, "undecided"));
	if (number(record, "missed") > 0)
		g_string_append_printf(text, "; %" PRIu64 " were missed", number(record, "missed"));
	return g_string_free(text, FALSE);
}

/* All pages of `show diff ID`. Returns -1 to go on, else the exit code. */
static int read_changes(
	FILE *connection, const struct ctl_asking *asking, const char *id, GPtrArray *ret_changes)
{
	g_autofree char *after = NULL;
	int code = -1;

	do {
		const struct ctl_question page = {
			.cmd = "show", .what = "diff", .arg = id, .after = after};
		json_t *last = ctl_question_ask(connection, &page, NULL, ret_changes);
		char *next = g_strdup(json_string_value(json_object_get(last, "next")));

		code = ctl_question_complain(last, asking->path);
		json_decref(last);
		if (g_strcmp0(next, after) ==
			0) // complete; a page that leads to itself never would be
			g_clear_pointer(&next, g_free);
		g_free(after);
		after = next;
	} while (code < 0 && after != NULL);
	return code;
}

static int answer(FILE *connection, const struct ctl_asking *asking, const json_t *record)
{
	GPtrArray *changes = g_ptr_array_new_with_free_func(ctl_question_free_record);
	g_autofree char *id = g_strdup_printf("%" PRIu64, number(record, "diff"));
	g_autofree char *head = head_of(record), *foot = foot_of(record);
	json_t *keys = keys_of(record);
	const struct ctl_diff_answer a = {.head = head,
		.foot = foot,
		.keys = keys,
		.totals = totals_of(record),
		.changes = changes};
	int code = read_changes(connection, asking, id, changes);

	if (code < 0)
		code = ctl_diff_answer_print(&a, asking->is_json);
	json_decref(keys);
	g_ptr_array_free(changes, TRUE);
	return code;
}

static int ask(FILE *connection, const struct ctl_asking *asking, const void *)
{
	const struct ctl_question question = {.cmd = "show", .what = "diff"};
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	json_t *last = ctl_question_ask(connection, &question, NULL, records);
	int code = ctl_question_complain(last, asking->path);

	if (code < 0 && records->len == 1)
		code = answer(connection, asking, records->pdata[0]);
	else if (code < 0)
		code = ctl_complain(
			CTL_EXIT_FAILURE, "the daemon on '%s' has no answer", asking->path);
	json_decref(last);
	g_ptr_array_free(records, TRUE);
	return code;
}

int ctl_diff_ask_daemon(const char *socket, bool is_json)
{
	const struct ctl_asking asking = {
		.path = socket != NULL ? socket : ctl_question_path(), .is_json = is_json};

	return ctl_question_run(&asking, ask, NULL);
}
