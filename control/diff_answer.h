// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How `apps diff` says what a catalogue would change, on captures and on a running daemon alike. */

#include "control/flow_diff.h"

struct ctl_diff_answer {
	const char *head; // the first line: which catalogues; borrowed, like all of it
	const char *foot; // the last one; NULL: none
	json_t *keys; // what JSON has of both
	struct ctl_flow_diff_totals totals;
	const GPtrArray *changes; // json_t *, records of ctl_flow_diff_records()
};

/* To standard output. Returns the exit code. */
int ctl_diff_answer_print(const struct ctl_diff_answer *answer, bool is_json);

/* Of `apps diff` without --on: the daemon's answer. Returns the exit code. socket NULL: where it answers
 * otherwise. */
int ctl_diff_ask_daemon(const char *socket, bool is_json);
