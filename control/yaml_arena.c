// SPDX-License-Identifier: BSD-3-Clause
#include "control/yaml_arena.h"

#include <glib.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

struct block {
	struct block *next;
	size_t size;
	alignas(max_align_t) char bytes[];
};

struct ctl_yaml_arena {
	struct block *blocks; // newest first: only that one has room
	size_t used; // of the newest
};

enum { BLOCK_SIZE = 64 * 1024, ALIGNMENT = alignof(void *) };

struct ctl_yaml_arena *ctl_yaml_arena_new(void)
{
	return g_new0(struct ctl_yaml_arena, 1);
}

void ctl_yaml_arena_free(struct ctl_yaml_arena *arena)
{
	if (arena == NULL)
		return;
	while (arena->blocks != NULL) {
		struct block *block = arena->blocks;

		arena->blocks = block->next;
		explicit_bzero(block->bytes, block->size);
		g_free(block);
	}
	g_free(arena);
}

void *ctl_yaml_arena_alloc(struct ctl_yaml_arena *arena, size_t size)
{
	void *ret;

	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (arena->blocks == NULL || arena->blocks->size - arena->used < size) {
		const size_t block_size = MAX(size, (size_t)BLOCK_SIZE);
		struct block *block = g_malloc(sizeof(*block) + block_size);

		block->next = arena->blocks;
		block->size = block_size;
		arena->blocks = block;
		arena->used = 0;
	}
	ret = arena->blocks->bytes + arena->used;
	arena->used += size;
	return ret;
}

char *ctl_yaml_arena_text(struct ctl_yaml_arena *arena, const char *text, size_t len)
{
	char *copy = ctl_yaml_arena_alloc(arena, len + 1);

	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}
