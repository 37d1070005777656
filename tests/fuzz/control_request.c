// SPDX-License-Identifier: BSD-3-Clause

/* A request line from a hostile peer: always exactly one answer, of whole JSON lines. */

#include "control/request.h"

#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKED_MAX = 4 };

static void run_echo(void *, const json_t *args, struct ctl_reply *reply)
{
	const char *after = ctl_args_text(args, "after"), *arg = ctl_args_text(args, "arg");

	if (ctl_args_text(args, "wait") != NULL && ++*ctl_reply_memo(reply) < ASKED_MAX)
		ctl_reply_wait(reply); // and what follows is dropped, but a failure
	if (after != NULL)
		ctl_reply_next(reply, after);
	if (!ctl_reply_add(reply, json_pack("{ss? sO}", "arg", arg, "args", args)))
		abort(); // the first one always fits
	if (arg != NULL && *arg == '!')
		ctl_reply_fail(reply, false, "%s", arg);
}

static const struct ctl_show table[] = {
	{"echo", "", "", run_echo}, {"echo", "", "", run_echo, .acts = true}, {.name = NULL}};
static const struct ctl_asker asker = {.may_act = true};

/* Of one that waits the last answer, or the sentence. */
static char *answer_of(const uint8_t *data, size_t size, size_t *ret_len)
{
	struct ctl_request *request = ctl_request_new(&asker, (const char *)data, size);
	char *answer = NULL;
	int n_asked = 0;

	while (answer == NULL && n_asked++ < ASKED_MAX)
		answer = ctl_request_answer(request, table, NULL, ret_len);
	if (answer == NULL)
		abort(); // it ceases to wait
	if (n_asked > 1) {
		g_free(answer);
		answer = ctl_request_give_up(request, ret_len);
	}
	ctl_request_free(request);
	return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len, n_last = 0;
	char *answer = answer_of(data, size, &len);

	if (len == 0 || strlen(answer) != len || answer[len - 1] != '\n')
		abort();
	for (char *line = answer; *line != '\0';) {
		char *end = strchr(line, '\n');
		json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);

		if (!json_is_object(object))
			abort();
		n_last += json_object_get(object, "end") != NULL ||
			json_object_get(object, "error") != NULL;
		json_decref(object);
		line = end + 1;
	}
	if (n_last != 1)
		abort();
	g_free(answer);
	return 0;
}
