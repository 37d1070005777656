// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `wirecue apps WHAT`: one file each, control/cmd_apps_WHAT.c; the table is in cmd_apps.c. */

#include "control/commands.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* Each as run of struct ctl_cmd. argv[0] is "apps WHAT", so that ctl_complain_option() names the help
 * that there is. getopt_long() is to begin anew (optind = 0). */

/* test [-c FILE] [--apps FILE] [--json] HOST...: every rule that fits, and why the winner wins. */
int ctl_cmd_apps_test(int argc, char **argv);

/* diff: what is staged would change in the running daemon; diff NEW [-c FILE] [--apps FILE] [--json] [--flows FILE]
 * --on CAPTURE...: what another catalogue would change. */
int ctl_cmd_apps_diff(int argc, char **argv);

/* unknown --on CAPTURE...: what has no app, by bytes; as entries to append to the catalogue. */
int ctl_cmd_apps_unknown(int argc, char **argv);

/* wrong FLOW APP [--to DIR --on CAPTURE...]: why a flow got another app; a sample, and the rule that would be right. */
int ctl_cmd_apps_wrong(int argc, char **argv);

/* Of `apps wrong` without --on: what ctl_show_flow() (control/shows_flow.h) answers, owned by the caller. socket NULL:
 * where the daemon answers otherwise. Returns -1 to go on, else the exit code. */
int ctl_wrong_ask_daemon(const char *socket, const char *flow, json_t **ret_answer);

/* Print records (json_t *, objects) to standard output: one JSON object a line, or as a table
 * (control/table.h). Returns the exit code. */
int ctl_apps_print(const GPtrArray *records, bool is_json);

/* stage FILE: the running daemon reads a catalogue, beside the one in force. */
int ctl_cmd_apps_stage(int argc, char **argv);

/* commit [--why TEXT]: what is staged is in force. */
int ctl_cmd_apps_commit(int argc, char **argv);

/* rollback [VERSION] [--why TEXT]: a version is in force again. */
int ctl_cmd_apps_rollback(int argc, char **argv);

/* history: when what was in force, who, why. */
int ctl_cmd_apps_history(int argc, char **argv);
