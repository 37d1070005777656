// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/question.h"
#include "control/socket.h"
#include "control/table.h"

#include <getopt.h>
#include <glib.h>
#include <string.h>

static const char usage[] =
	"usage: wirecue show [WHAT [ARG]] [OPTION...]\n"
	"\n"
	"Asks the running daemon. Without WHAT: what can be shown.\n"
	"\n"
	"Of flows only those that fit all of:\n"
	"      --endpoint A   of an address, a network, or endpoint:NAME of an answer\n"
	"      --app NAME     of that app, or unknown, or undecided\n"
	"      --host NAME    to that name and those below it, or to a server's address\n"
	"      --evidence E   known by sni, quic, http, cert, dns, payload, address, port, none\n"
	"      --top N        N rows at most, 1 to 10000; of unknown as well\n"
	"\n"
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

/* The sentence of a summary, which is no row: taken off the records. NULL: there is none. */
static char *take_summary(GPtrArray *records)
{
	const json_t *last = records->len > 0 ? records->pdata[records->len - 1] : NULL;
	char *summary = g_strdup(json_string_value(json_object_get(last, "summary")));

	if (summary != NULL)
		g_ptr_array_set_size(records, (gint)records->len - 1);
	return summary;
}

/* What is printed, page by page. */
struct printed {
	struct ctl_table table;
	bool has_arg; // of the question
};

static void show_page(void *ctx, GPtrArray *records)
{
	struct printed *printed = ctx;
	g_autofree char *summary = take_summary(records);

	print_drafts(records, printed->has_arg);
	ctl_table_print(&printed->table, records, stdout);
	if (summary != NULL)
		(void)printf("# %s\n", summary); // asked for errors at the end
}

/* An empty answer is none to scripts, and a sentence to who reads. */
static void say_none(const char *sentence)
{
	if (sentence != NULL)
		(void)fprintf(stderr, "wirecue: %s\n", sentence);
}

int ctl_question_pages(FILE *stream, const struct ctl_asking *asking,
	const struct ctl_question *question, void (*page)(void *ctx, GPtrArray *records), void *ctx)
{
	g_autofree char *after = NULL;
	int code = -1;

	while (code < 0) {
		struct ctl_question q = *question;
		GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
		json_t *last;
		const char *next;

		q.after = after;
		last = ctl_question_ask(stream, &q, asking->is_json ? stdout : NULL, records);
		next = json_string_value(json_object_get(last, "next"));
		code = ctl_question_complain(last, asking->path);
		if (code < 0)
			page(ctx, records);
		if (code < 0 && !asking->is_json)
			say_none(json_string_value(json_object_get(last, "none")));
		if (code < 0 && (next == NULL || g_strcmp0(next, after) == 0)) {
			code = 0; // complete; a page that leads to itself never would be
		} else if (code < 0) {
			g_free(after);
			after = g_strdup(next);
		}
		json_decref(last);
		g_ptr_array_free(records, TRUE);
	}
	return code;
}

int ctl_question_show(FILE *stream, const struct ctl_asking *asking, const void *ctx)
{
	struct ctl_question question = *(const struct ctl_question *)ctx;
	struct printed printed = {.has_arg = question.arg != NULL};
	int code;

	question.cmd = question.what != NULL ? "show" : "list";
	ctl_table_init(&printed.table);
	code = ctl_question_pages(stream, asking, &question, show_page, &printed);
	ctl_table_fini(&printed.table);
	return code;
}

/* Returns -1 to go on, else the exit code. */
static int parse_args(
	int argc, char **argv, struct ctl_asking *asking, struct ctl_question *question)
{
	static const char *const names[] = {"endpoint", "app", "host", "evidence", "top", NULL};
	const int code = ctl_question_options_of(
		argc, argv, usage, names, question->options, asking);

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
	struct ctl_question question = {.options = json_object()};
	int code = parse_args(argc, argv, &asking, &question);

	if (code < 0)
		code = ctl_question_run(&asking, ctl_question_show, &question);
	json_decref(question.options);
	return code;
}
