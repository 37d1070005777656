// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Small blocks for one worker's library: what nDPI allocates while it dissects.
 *
 * Blocks of up to 4 KB come from slabs of one size class each, in one reserved range of addresses, so
 * that a block carries no header and the heap's own blocks are told apart by their address. What
 * does not fit, or comes when the range is used up, is the heap's. Freed blocks are used again, last
 * first; slabs stay until the arena goes. One thread at a time. */

#include <stddef.h>

struct cls_arena;

/* Reserves max_bytes of addresses, at least one slab of 64 KB; memory follows use. NULL: ENOMEM. */
struct cls_arena *cls_arena_new(size_t max_bytes);
/* All its blocks are gone with it, but not those that the heap gave. */
void cls_arena_free(struct cls_arena *arena);

/* As malloc() and free(); a block goes back where it came from. arena NULL: the heap. Blocks are
 * aligned for any type. */
void *cls_arena_alloc(struct cls_arena *arena, size_t size);
void cls_arena_release(struct cls_arena *arena, void *block);

/* Bytes of slabs in use or kept for use. */
size_t cls_arena_bytes(const struct cls_arena *arena);
