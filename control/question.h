// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The asking end of the control socket (control/request.h), for commands: `wirecue show`, `stream`.
 * One thread, blocks as long as the daemon shows in ten seconds that it lives. */

#include "dataplane/err.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ctl_question {
	const char *cmd; // "show", "do", "list"
	const char *what, *arg, *after; // NULL = not given
	const char *why; // of a change; likewise
	json_t *options; // what else it says, texts by name; borrowed
};

/* What the command lines of those who ask have in common. */
struct ctl_asking {
	const char *path; // --socket, or where the daemon answers otherwise
	bool is_json; // --json
	bool acts; // something is to be changed: for the sentence when the socket refuses
};

/* Read the options; optind then stands at the first word. Returns -1 to go on, else the exit code. */
int ctl_question_options(int argc, char **argv, const char *usage, struct ctl_asking *ret_asking);

/* The same, with further ones of a value each: those in names, at most CTL_QUESTION_NAMES, NULL at the end.
 * What was given is put into options, an object. */
enum { CTL_QUESTION_NAMES = 8 };
int ctl_question_options_of(int argc, char **argv, const char *usage, const char *const *names,
	json_t *options, struct ctl_asking *ret_asking);

/* Connect, let ask() ask and print, and see that it was written. Returns the exit code. */
int ctl_question_run(const struct ctl_asking *asking,
	int (*ask)(FILE *connection, const struct ctl_asking *asking, const void *ctx),
	const void *ctx);

/* Ask, and read one page of the answer: records (json_t *, owned by the array) go to ret_records,
 * or as they came to raw, if that is not NULL. Returns the last line, owned by the caller, or NULL
 * when the daemon broke off. */
json_t *ctl_question_ask(
	FILE *connection, const struct ctl_question *question, FILE *raw, GPtrArray *ret_records);

/* What the last line of an answer means: -1 and nothing printed when it is one more page or the end;
 * else the sentence is on standard error and this is the exit code. */
int ctl_question_complain(const json_t *last, const char *path);

/* Ask for all pages of an answer; page() gets the records of each, which it may take from the array, or an
 * empty one where they were printed as they came (is_json). Returns the exit code; a sentence was said. */
int ctl_question_pages(FILE *connection, const struct ctl_asking *asking,
	const struct ctl_question *question, void (*page)(void *ctx, GPtrArray *records),
	void *ctx);

/* For ctl_question_run(): print all pages of `show what arg` of a struct ctl_question, as a table
 * (control/table.h) or as they come. Without `what`: what there is. */
int ctl_question_show(FILE *connection, const struct ctl_asking *asking, const void *question);

/* Where the daemon answers when nothing else is said. Borrowed. */
const char *ctl_question_path(void);

/* For g_ptr_array_new_with_free_func(). */
void ctl_question_free_record(void *record);
