// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/question.h"
#include "control/socket.h"

#include <getopt.h>
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

/* Returns -1 to go on, else the exit code. *ret_word: NULL = look only. */
static int parse_args(int argc, char **argv, struct ctl_asking *asking, const char **ret_word)
{
	const int code = ctl_question_options(argc, argv, usage, asking);

	if (code >= 0 || optind == argc)
		return code;
	*ret_word = argv[optind];
	asking->acts = true;
	if (optind + 1 < argc)
		return ctl_complain(CTL_EXIT_USAGE, "stream: '%s' is too much, expected one word",
			argv[optind + 1]);
	if (strcmp(*ret_word, "resend") != 0 && strcmp(*ret_word, "continue") != 0)
		return ctl_complain(CTL_EXIT_USAGE,
			"stream: '%s', expected resend, continue or nothing", *ret_word);
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

static int ask(FILE *connection, const struct ctl_asking *asking, const void *ctx)
{
	const char *word = ctx;
	const struct ctl_question question = {
		.cmd = word != NULL ? "do" : "show", .what = "stream", .arg = word};
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	json_t *last = ctl_question_ask(
		connection, &question, asking->is_json ? stdout : NULL, records);
	int code = ctl_question_complain(last, asking->path);

	for (guint i = 0; code < 0 && i < records->len; i++)
		print(g_ptr_array_index(records, i));
	json_decref(last);
	g_ptr_array_free(records, TRUE);
	return code < 0 ? CTL_EXIT_OK : code;
}

int ctl_cmd_stream(int argc, char **argv)
{
	struct ctl_asking asking;
	const char *word = NULL;
	const int code = parse_args(argc, argv, &asking, &word);

	return code >= 0 ? code : ctl_question_run(&asking, ask, word);
}
