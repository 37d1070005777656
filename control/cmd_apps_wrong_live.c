// SPDX-License-Identifier: BSD-3-Clause
/* apps wrong of a running daemon: the flow, and which catalogue it was judged by. */
#include "control/apps_commands.h"
#include "control/question.h"

struct sought {
	const char *flow;
	json_t **ret_answer;
};

static int ask(FILE *connection, const struct ctl_asking *asking, const void *ctx)
{
	const struct sought *sought = ctx;
	const struct ctl_question question = {.cmd = "show", .what = "flow", .arg = sought->flow};
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	json_t *last = ctl_question_ask(connection, &question, NULL, records);
	int code = ctl_question_complain(last, asking->path);

	if (code < 0 && records->len == 1)
		*sought->ret_answer = json_incref(records->pdata[0]);
	else if (code < 0)
		code = ctl_complain(
			CTL_EXIT_FAILURE, "the daemon on '%s' has no answer", asking->path);
	json_decref(last);
	g_ptr_array_free(records, TRUE);
	return code < 0 ? CTL_EXIT_OK : code;
}

int ctl_wrong_ask_daemon(const char *socket, const char *flow, json_t **ret_answer)
{
	const struct ctl_asking asking = {
		.path = socket != NULL ? socket : ctl_question_path(), .acts = true};
	const struct sought sought = {.flow = flow, .ret_answer = ret_answer};
	const int code = ctl_question_run(&asking, ask, &sought);

	return code == CTL_EXIT_OK ? -1 : code;
}
