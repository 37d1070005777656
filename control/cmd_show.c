// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/question.h"
#include "control/socket.h"
#include "control/table.h"

#include <getopt.h>
#include <glib.h>
#include <string.h>

static const char usage[] =
	"usage: wirecue show [WHAT [ARG]] [--json] [--socket PATH]\n"
	"\n"
	"Asks the running daemon. Without WHAT: what can be shown.\n"
	"      --json         one JSON object a line\n"
	"      --socket PATH  where it answers, instead of $WIRECUE_CONTROL_SOCKET or\n"
	"                     " CTL_SOCKET_PATH "\n"
	"  -h, --help         this text\n";

/* A draft is text of many lines, to be appended to a catalogue: it stands for its record where one was asked
 * for, and is no column. */
static void print_drafts(GPtrArray *records, bool is_asked_for)
{
	for (guint i = 0; i < records->len;) {
		json_t *record = records->pdata[i];
		const char *draft = json_string_value(json_object_get(record, "draft"));

		if (draft == NULL || !is_asked_for) {
			(void)json_object_del(record, "draft");
			i++;
		} else {
			(void)fputs(draft, stdout);
			(void)g_ptr_array_remove_index(records, i);
		}
	}
}

int ctl_question_show(FILE *stream, const struct ctl_asking *asking, const void *ctx)
{
	const struct ctl_question *question = ctx;
	g_autofree char *after = NULL;
	struct ctl_table table;
	int code = -1;

	ctl_table_init(&table);
	while (code < 0) {
		const struct ctl_question page = {.cmd = question->what != NULL ? "show" : "list",
			.what = question->what,
			.arg = question->arg,
			.after = after};
		GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
		json_t *last = ctl_question_ask(
			stream, &page, asking->is_json ? stdout : NULL, records);
		const char *next = json_string_value(json_object_get(last, "next"));

		print_drafts(records, question->arg != NULL);
		ctl_table_print(&table, records, stdout);
		code = ctl_question_complain(last, asking->path);
		if (code < 0 && (next == NULL || g_strcmp0(next, after) == 0)) {
			code = 0; // complete; a page that leads to itself never would be
		} else if (code < 0) {
			g_free(after);
			after = g_strdup(next);
		}
		json_decref(last);
		g_ptr_array_free(records, TRUE);
	}
	ctl_table_fini(&table);
	return code;
}

/* Returns -1 to go on, else the exit code. */
static int parse_args(
	int argc, char **argv, struct ctl_asking *asking, struct ctl_question *question)
{
	const int code = ctl_question_options(argc, argv, usage, asking);

	if (code >= 0)
		return code;
	if (argc - optind > 2)
		return ctl_complain(CTL_EXIT_USAGE,
			"show: '%s' is too much, expected WHAT and one ARG at most",
			argv[optind + 2]);
	question->what = optind < argc ? argv[optind] : NULL;
	question->arg = optind + 1 < argc ? argv[optind + 1] : NULL;
	for (int i = optind; i < argc; i++) {
		if (g_utf8_validate(argv[i], -1, NULL))
			continue;
		(void)fprintf(stderr, "wirecue: expected words in UTF-8\n"); // for JSON
		return 2;
	}
	return -1;
}

int ctl_cmd_show(int argc, char **argv)
{
	struct ctl_asking asking;
	struct ctl_question question = {0};
	const int code = parse_args(argc, argv, &asking, &question);

	return code >= 0 ? code : ctl_question_run(&asking, ctl_question_show, &question);
}
