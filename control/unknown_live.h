// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `wirecue apps unknown` of the running daemon: the asking end of control/shows_unknown.h. */

#include "control/question.h"

#include <stdbool.h>
#include <stddef.h>

/* Ask for n_rows and print them, or the draft of their entries. Returns the exit code. */
int ctl_unknown_live(const struct ctl_asking *asking, size_t n_rows, bool is_draft);
