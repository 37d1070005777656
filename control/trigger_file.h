// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `--triggers FILE`: one CloudEvent a line, as published.
 *
 * A file is a stream of its own: sequence and typesequence count its lines from 1, whatever the
 * stream in Redis has seen before. So the same capture gives the same bytes, interrupted or not.
 * Written by the outbox, which counts the lines. Control thread only. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_trigger_file;

/* Creates path, or empties it. keep: what is in an existing file stays, and ctl_trigger_file_cut()
 * says how much of it counts before the first line is written. */
[[nodiscard]] int ctl_trigger_file_open(
	const char *path, bool keep, struct ctl_trigger_file **ret_file, struct dp_err *reterr);

/* Keep the first n lines and go on behind them: they are counted, and the last one must have number
 * n. Returns 0, or -errno with a sentence when the file has fewer or other ones; it is then left as
 * it was. */
[[nodiscard]] int ctl_trigger_file_cut(
	struct ctl_trigger_file *file, uint64_t n, struct dp_err *reterr);

/* Append an event: its text (ctl_trigger_text in numbering.h) and its numbers. A failure is kept and
 * told by close. */
void ctl_trigger_file_write(
	struct ctl_trigger_file *file, const char *text, uint64_t sequence, uint64_t typesequence);

/* Hand what was written to the kernel: it is not lost with the process. */
void ctl_trigger_file_flush(struct ctl_trigger_file *file);

/* Returns 0 when every line has reached the file, else -errno of the first failure. Frees file
 * in any case; NULL is allowed. */
[[nodiscard]] int ctl_trigger_file_close(struct ctl_trigger_file *file, struct dp_err *reterr);
