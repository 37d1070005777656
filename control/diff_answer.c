// SPDX-License-Identifier: BSD-3-Clause
#include "control/diff_answer.h"

#include "control/apps_commands.h"

#include <stdio.h>

static void print_json(const struct ctl_diff_answer *a)
{
	json_t *answer = ctl_flow_diff_totals_json(&a->totals), *changes = json_array();

	for (guint i = 0; i < a->changes->len; i++)
		(void)json_array_append(changes, a->changes->pdata[i]);
	(void)json_object_update(answer, a->keys);
	(void)json_object_set_new(answer, "changes", changes);
	// A write error stays in the stream.
	(void)json_dumpf(answer, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(answer);
}

static int print_text(const struct ctl_diff_answer *a)
{
	g_autofree char *sentence = ctl_flow_diff_sentence(&a->totals);
	int code = CTL_EXIT_OK;

	(void)puts(a->head); // write errors stay in the stream
	if (a->changes->len > 0)
		code = ctl_apps_print(a->changes, false);
	(void)puts(sentence);
	if (a->foot != NULL)
		(void)puts(a->foot);
	return code;
}

int ctl_diff_answer_print(const struct ctl_diff_answer *a, bool is_json)
{
	int code = CTL_EXIT_OK;

	if (is_json)
		print_json(a);
	else
		code = print_text(a);
	if (code == CTL_EXIT_OK && (fflush(stdout) != 0 || ferror(stdout)))
		code = ctl_complain(CTL_EXIT_FAILURE, "apps diff: cannot write the answer: %m");
	return code;
}
