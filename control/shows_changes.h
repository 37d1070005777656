// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The catalogue on the control socket: what is in force and was, and changing it.
 *
 * A change takes seconds, an answer may not: `do stage`, `commit` and `rollback` begin one and answer
 * {"change":ID}; `do change ID` says what became of it, `do mistakes ID` why it was refused. For
 * ctl_show_table, where ctx is a struct ctl_shows. Control thread only. */

#include "control/request.h"

/* args.after: a line. Newest first. */
void ctl_show_history(void *ctx, const json_t *args, struct ctl_reply *reply);
void ctl_show_staged(void *ctx, const json_t *args, struct ctl_reply *reply);

/* args.arg: an absolute path. */
void ctl_do_stage(void *ctx, const json_t *args, struct ctl_reply *reply);
/* args.why: at most CTL_HISTORY_WHY_MAX bytes; may be absent, here and below. */
void ctl_do_commit(void *ctx, const json_t *args, struct ctl_reply *reply);
/* args.arg: a version; absent: the one before. */
void ctl_do_rollback(void *ctx, const json_t *args, struct ctl_reply *reply);

/* args.arg: number of the last change. */
void ctl_do_change(void *ctx, const json_t *args, struct ctl_reply *reply);
/* Likewise; records {"at":"file:line:column: what was found, what would be right"}. */
void ctl_do_mistakes(void *ctx, const json_t *args, struct ctl_reply *reply);
