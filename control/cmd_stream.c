// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/question.h"
#include "control/socket.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

static const char usage[] =
	"usage: wirecue stream [resend | continue] [--json] [--socket PATH]\n"
	"\n"
	"Without a word: what the stream in Redis has, what the outbox knows, and, when the two do not\n"
	"fit and nothing is published, what each choice would do.\n"
	"  resend             send again what the stream has lost and the store still keeps\n"
	"  continue           go on; what is missing stays missing\n"
	"      --json         one JSON object a line\n"
	"      --socket PATH  where the daemon answers, instead of $WIRECUE_CONTROL_SOCKET or\n"
	"                     " CTL_SOCKET_PATH "\n"
	"  -h, --help         this text\n";

struct wish {
	const char *word; // NULL = look only
	const char *path;
	bool is_json;
};

/* Returns -1 to go on, else the exit code. */
static int parse_args(int argc, char **argv, struct wish *wish)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	optind = 0; // a new scan: the caller has done its own
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		switch (c) {
		case 'j':
			wish->is_json = true;
			break;
		case 's':
			wish->path = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			return ctl_complain_option(c, argv);
		}
	}
	if (optind == argc)
		return -1;
	wish->word = argv[optind];
	if (optind + 1 < argc)
		return ctl_complain(CTL_EXIT_USAGE, "stream: '%s' is too much, expected one word",
			argv[optind + 1]);
	if (strcmp(wish->word, "resend") != 0 && strcmp(wish->word, "continue") != 0)
		return ctl_complain(CTL_EXIT_USAGE,
			"stream: '%s', expected resend, continue or nothing", wish->word);
	return -1;
}

/* A line a field, in the order they come. */
static void print(const json_t *record)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)record, key, value)
	{
		if (json_is_string(value))
			(void)printf("%-13s %s\n", key, json_string_value(value));
		else if (json_is_integer(value))
			(void)printf(
				"%-13s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
	}
}

static int ask(FILE *connection, const struct wish *wish)
{
	const struct ctl_question question = {
		.cmd = wish->word != NULL ? "do" : "show", .what = "stream", .arg = wish->word};
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	json_t *last = ctl_question_ask(
		connection, &question, wish->is_json ? stdout : NULL, records);
	int code = ctl_question_complain(last, wish->path);

	for (guint i = 0; code < 0 && i < records->len; i++)
		print(g_ptr_array_index(records, i));
	json_decref(last);
	g_ptr_array_free(records, TRUE);
	return code < 0 ? CTL_EXIT_OK : code;
}

int ctl_cmd_stream(int argc, char **argv)
{
	struct wish wish = {.path = ctl_question_path()};
	struct dp_err err;
	FILE *connection;
	int code;

	code = parse_args(argc, argv, &wish);
	if (code >= 0)
		return code;
	(void)signal(SIGPIPE, SIG_DFL); // 'wirecue stream | head' ends like any other
	connection = ctl_question_open(wish.path, &err);
	if (connection == NULL)
		return ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	code = ask(connection, &wish);
	(void)fclose(connection); // everything was flushed
	if (fflush(stdout) != 0)
		return ctl_complain(
			CTL_EXIT_FAILURE, "cannot write the answer: %s", strerror(errno));
	return code;
}
