// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `--triggers FILE`: one CloudEvent a line, as published.
 *
 * A file is a stream of its own: sequence and typesequence count its lines from 1, whatever the
 * stream in Redis has seen before. So the same capture gives the same bytes. Control thread only. */

#include "control/trigger.h"
#include "dataplane/err.h"

#include <stdbool.h>

struct ctl_trigger_file;

/* Creates or empties path. With is_replay recordedtime is the trigger's time. */
[[nodiscard]] int ctl_trigger_file_open(const char *path, bool is_replay,
	struct ctl_trigger_file **ret_file, struct dp_err *reterr);

/* Append; trigger is borrowed for the call. A failure is kept and told by close. */
void ctl_trigger_file_write(
	struct ctl_trigger_file *file, const struct ctl_trigger *trigger, uint64_t wall_ns);

/* Returns 0 when every line has reached the file, else -errno of the first failure. Frees file
 * in any case; NULL is allowed. */
[[nodiscard]] int ctl_trigger_file_close(struct ctl_trigger_file *file, struct dp_err *reterr);
