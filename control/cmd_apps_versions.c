// SPDX-License-Identifier: BSD-3-Clause
/* apps stage, commit, rollback, history: the catalogue of the running daemon. */
#include "control/apps_commands.h"
#include "control/question.h"
#include "control/socket.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_HELP \
	"      --json         one JSON object a line\n" \
	"      --socket PATH  where the daemon answers, instead of $WIRECUE_CONTROL_SOCKET or\n" \
	"                     " CTL_SOCKET_PATH "\n" \
	"  -h, --help         this text\n"
#define WHY_HELP "      --why TEXT     for the history\n"

static const char stage_help[] =
	"usage: wirecue apps stage [--json] [--socket PATH] FILE\n"
	"\n"
	"Has the running daemon read a catalogue, with its rules and told facts, beside the one in\n"
	"force. Says every mistake, or what it would be; `wirecue apps commit` then puts it in force.\n"
	"The daemon reads FILE itself, with the rights of its own user, and keeps a copy.\n"
	"With --json each mistake is an object behind that of the change, {\"at\":\"FILE:LINE:COLUMN: ...\"}.\n"
	"\n" SOCKET_HELP "\n"
	"Exit codes: 0 it is staged; 1 run-time failure; 2 usage, or it has mistakes.\n";

static const char commit_help[] =
	"usage: wirecue apps commit [--why TEXT] [--json] [--socket PATH]\n"
	"\n"
	"What is staged is in force from here on, after a restart as well. No packet is lost over it.\n"
	"\n" WHY_HELP SOCKET_HELP "\n"
	"Exit codes: 0 it is in force; 1 run-time failure, such as nothing staged; 2 usage, or rules and\n"
	"told facts have changed and do not fit any more. With 1 and 2 nothing has changed.\n";

static const char rollback_help[] =
	"usage: wirecue apps rollback [VERSION] [--why TEXT] [--json] [--socket PATH]\n"
	"\n"
	"The version before the one in force is in force again, or VERSION; `wirecue apps history` has\n"
	"them. It becomes one more line of the history.\n"
	"\n" WHY_HELP SOCKET_HELP "\n"
	"Exit codes: 0 it is in force; 1 run-time failure, such as no copy of it; 2 usage, or rules and\n"
	"told facts do not fit it. With 1 and 2 nothing has changed.\n";

static const char history_help[] =
	"usage: wirecue apps history [--json] [--socket PATH]\n"
	"\n"
	"Which versions of the catalogue were in force, the newest first: when (UTC), what happened,\n"
	"who, why, and the first digits of the SHA-256 of its file.\n"
	"\n" SOCKET_HELP;

/* What is asked for. */
struct order {
	struct ctl_question question;
	char *path; // owned
};

enum { OPT_WHY = 256, OPT_JSON, OPT_SOCKET };

/* Options and at most one word. Returns -1 to go on, else the exit code. */
static int parse(int argc, char **argv, const char *help, bool takes_word,
	struct ctl_asking *ret_asking, struct ctl_question *question)
{
	static const struct option options[] = {{"why", required_argument, NULL, OPT_WHY},
		{"json", no_argument, NULL, OPT_JSON},
		{"socket", required_argument, NULL, OPT_SOCKET}, {"help", no_argument, NULL, 'h'},
		{0}};
	const bool takes_why = strstr(help, "--why") != NULL;
	int c;

	*ret_asking = (struct ctl_asking){.path = ctl_question_path(),
		.acts = question->cmd != NULL && strcmp(question->cmd, "do") == 0};
	optind = 0; // a new scan: the dispatcher has done its own
	while ((c = getopt_long(argc, argv, ":h", options + (takes_why ? 0 : 1), NULL)) >= 0) {
		if (c == OPT_WHY) {
			question->why = optarg;
		} else if (c == OPT_JSON) {
			ret_asking->is_json = true;
		} else if (c == OPT_SOCKET) {
			ret_asking->path = optarg;
		} else if (c == 'h') {
			(void)fputs(help, stdout);
			return CTL_EXIT_OK;
		} else {
			return ctl_complain_option(c, argv);
		}
	}
	if (takes_word && optind < argc)
		question->arg = argv[optind++];
	if (optind < argc)
		return ctl_complain(CTL_EXIT_USAGE, "%s: '%s' is too much", argv[0], argv[optind]);
	if ((question->arg != NULL && !g_utf8_validate(question->arg, -1, NULL)) ||
		(question->why != NULL && !g_utf8_validate(question->why, -1, NULL)))
		return ctl_complain(CTL_EXIT_USAGE, "%s: expected words in UTF-8", argv[0]);
	return -1;
}

/* The one record of an answer, owned by the caller; NULL after a complaint, with the exit code. */
static json_t *ask_one(FILE *connection, const struct ctl_asking *asking,
	const struct ctl_question *question, int *ret_code)
{
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	json_t *last = ctl_question_ask(connection, question, NULL, records);
	json_t *record = NULL;

	*ret_code = ctl_question_complain(last, asking->path);
	if (*ret_code < 0 && records->len > 0)
		record = json_incref(g_ptr_array_index(records, 0));
	else if (*ret_code < 0)
		*ret_code = ctl_complain(
			CTL_EXIT_FAILURE, "the daemon on '%s' has no answer", asking->path);
	json_decref(last);
	g_ptr_array_free(records, TRUE);
	return record;
}

static bool is_running(const json_t *change)
{
	return g_strcmp0(json_string_value(json_object_get(change, "state")), "running") == 0;
}

/* What became of it; likewise. Each of the steps is bounded, in all it takes as long as it takes. */
static json_t *wait_for(
	FILE *connection, const struct ctl_asking *asking, const char *id, int *ret_code)
{
	enum { PAUSE_MS = 20, PAUSE_MS_MAX = 500 };
	const struct ctl_question question = {.cmd = "do", .what = "change", .arg = id};
	long pause_ms = PAUSE_MS;
	json_t *change = ask_one(connection, asking, &question, ret_code);

	while (change != NULL && is_running(change)) {
		const struct timespec pause = {.tv_nsec = pause_ms * 1000000};

		(void)nanosleep(&pause, NULL); // woken early it asks early
		pause_ms = MIN(pause_ms * 2, PAUSE_MS_MAX);
		json_decref(change);
		change = ask_one(connection, asking, &question, ret_code);
	}
	return change;
}

/* Who runs the command is often somebody who sees what the daemon may not. */
static void hint(const struct order *order, const char *mistake)
{
	g_autofree char *unread = order->path == NULL
		? NULL
		: g_strconcat(order->path, ": cannot be read", NULL);

	if (unread != NULL && g_str_has_prefix(mistake, unread) && access(order->path, R_OK) == 0)
		(void)ctl_complain(0,
			"you can read that file, but not the daemon: it has its own user's rights, and "
			"its unit may hide /home and /tmp; put it where the configuration lies");
}

/* A record {"at":"file:line:column: what was found, what would be right"}. */
static void print_mistake(
	const struct ctl_asking *asking, const struct order *order, const json_t *record)
{
	const char *at = json_string_value(json_object_get(record, "at"));
	char *line = asking->is_json ? json_dumps(record, JSON_COMPACT) : NULL;

	if (line != NULL)
		(void)puts(line); // asked for errors at the end
	else
		ctl_print_mistake(NULL, at != NULL ? at : "?");
	free(line);
	hint(order, at != NULL ? at : "");
}

/* Every mistake, page by page. Returns the exit code. */
static int print_mistakes(FILE *connection, const struct ctl_asking *asking,
	const struct order *order, const char *id)
{
	g_autofree char *after = NULL;
	int code = -1;

	while (code < 0) {
		const struct ctl_question question = {
			.cmd = "do", .what = "mistakes", .arg = id, .after = after};
		GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
		json_t *last = ctl_question_ask(connection, &question, NULL, records);
		const char *next = json_string_value(json_object_get(last, "next"));

		code = ctl_question_complain(last, asking->path);
		for (guint i = 0; i < records->len; i++)
			print_mistake(asking, order, records->pdata[i]);
		if (code < 0 && (next == NULL || g_strcmp0(next, after) == 0)) {
			code = CTL_EXIT_USAGE;
		} else if (code < 0) {
			g_free(after);
			after = g_strdup(next);
		}
		json_decref(last);
		g_ptr_array_free(records, TRUE);
	}
	return code;
}

/* A line a field, in the order they come; of the change itself nothing. */
static void print(const json_t *change)
{
	static const char *const inner[] = {"change", "what", "state", "sentence", NULL};
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)change, key, value)
	{
		if (g_strv_contains(inner, key))
			continue;
		if (json_is_string(value))
			(void)printf("%-15s %s\n", key, json_string_value(value));
		else if (json_is_integer(value))
			(void)printf(
				"%-15s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
	}
}

static int tell(FILE *connection, const struct ctl_asking *asking, const struct order *order,
	const char *id, const json_t *change)
{
	const char *state = json_string_value(json_object_get(change, "state"));
	const char *sentence = json_string_value(json_object_get(change, "sentence"));
	char *line = asking->is_json ? json_dumps(change, JSON_COMPACT) : NULL;

	if (line != NULL)
		(void)puts(line); // asked for errors at the end
	free(line);
	if (g_strcmp0(state, "refused") == 0)
		return print_mistakes(connection, asking, order, id);
	if (g_strcmp0(state, "done") != 0)
		return ctl_complain(CTL_EXIT_FAILURE, "%s", sentence != NULL ? sentence : "?");
	if (!asking->is_json)
		print(change);
	return CTL_EXIT_OK;
}

/* Begin it, wait for its end, say what came of it. */
static int ask(FILE *connection, const struct ctl_asking *asking, const void *ctx)
{
	const struct order *order = ctx;
	int code;
	json_t *begun = ask_one(connection, asking, &order->question, &code), *change;
	g_autofree char *id = NULL;

	if (begun == NULL)
		return code;
	id = g_strdup_printf(
		"%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(begun, "change")));
	json_decref(begun);
	change = wait_for(connection, asking, id, &code);
	if (change == NULL)
		return code;
	code = tell(connection, asking, order, id, change);
	json_decref(change);
	return code;
}

int ctl_cmd_apps_stage(int argc, char **argv)
{
	struct order order = {.question = {.cmd = "do", .what = "stage"}};
	struct ctl_asking asking;
	int code = parse(argc, argv, stage_help, true, &asking, &order.question);

	if (code >= 0)
		return code;
	if (order.question.arg == NULL)
		return ctl_complain(CTL_EXIT_USAGE, "apps stage: no catalogue, expected FILE");
	if (access(order.question.arg, F_OK) < 0)
		return ctl_complain(CTL_EXIT_USAGE, "apps stage: '%s': %s", order.question.arg,
			strerror(errno));
	order.path = g_canonicalize_filename(order.question.arg, NULL);
	order.question.arg = order.path;
	code = ctl_question_run(&asking, ask, &order);
	g_free(order.path);
	return code;
}

int ctl_cmd_apps_commit(int argc, char **argv)
{
	struct order order = {.question = {.cmd = "do", .what = "commit"}};
	struct ctl_asking asking;
	const int code = parse(argc, argv, commit_help, false, &asking, &order.question);

	return code >= 0 ? code : ctl_question_run(&asking, ask, &order);
}

int ctl_cmd_apps_rollback(int argc, char **argv)
{
	struct order order = {.question = {.cmd = "do", .what = "rollback"}};
	struct ctl_asking asking;
	const int code = parse(argc, argv, rollback_help, true, &asking, &order.question);

	return code >= 0 ? code : ctl_question_run(&asking, ask, &order);
}

int ctl_cmd_apps_history(int argc, char **argv)
{
	struct ctl_question question = {.what = "history"};
	struct ctl_asking asking;
	const int code = parse(argc, argv, history_help, false, &asking, &question);

	return code >= 0 ? code : ctl_question_run(&asking, ctl_question_show, &question);
}
