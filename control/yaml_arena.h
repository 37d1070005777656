// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Memory that is freed at once: a document has millions of small nodes. */

#include <stddef.h>

struct ctl_yaml_arena;

struct ctl_yaml_arena *ctl_yaml_arena_new(void);

/* Wipes: a document may hold identifiers of persons. NULL allowed. */
void ctl_yaml_arena_free(struct ctl_yaml_arena *arena);

/* size bytes, aligned for any node, not initialised. */
void *ctl_yaml_arena_alloc(struct ctl_yaml_arena *arena, size_t size);

/* len bytes and a NUL. */
char *ctl_yaml_arena_text(struct ctl_yaml_arena *arena, const char *text, size_t len);
