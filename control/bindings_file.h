// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `replay --bindings FILE`: who endpoints were, one JSON object a line (docs/design.md section 6), by
 * (from_ns, endpoint). Lines wait in memory for their order. Control thread only. */

#include "control/bindings.h"
#include "control/config.h"

#include <stdio.h>

struct ctl_bindings_file;

/* privacy is borrowed. */
struct ctl_bindings_file *ctl_bindings_file_new(const struct ctl_privacy *privacy);
void ctl_bindings_file_free(struct ctl_bindings_file *file); // NULL is fine

/* A ctl_binding_fn, for ctx a file: one line. */
void ctl_bindings_file_add(void *ctx, const struct ctl_binding *binding);

/* Returns 0 or -errno. */
[[nodiscard]] int ctl_bindings_file_write(const struct ctl_bindings_file *file, FILE *out);
