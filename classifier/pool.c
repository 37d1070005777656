// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/pool.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = 0 }; // index; those of the pool start at 1, scratch has it

struct cls_pool {
	struct cls_library *lib;
	struct cls_names *names;
	struct cls_overhear *overhear;
	struct cls_state *scratch;
	struct cls_state **states; // [1..n_made] are there
	uint32_t n, n_made;
	uint32_t free_list; // by `newer`
	uint32_t oldest, newest;
};

struct cls_pool *cls_pool_new(
	uint32_t n, struct cls_library *lib, struct cls_names *names, struct cls_overhear *overhear)
{
	struct cls_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	*pool = (struct cls_pool){.lib = lib, .names = names, .overhear = overhear, .n = n};
	pool->scratch = calloc(1, sizeof(*pool->scratch));
	pool->states = calloc((size_t)n + 1, sizeof(struct cls_state *));
	if (pool->scratch == NULL || pool->states == NULL) {
		cls_pool_free(pool);
		return NULL;
	}
	return pool;
}

/* What hangs on it goes; the rest is as of a flow never seen. */
static void wipe(struct cls_pool *pool, struct cls_state *state)
{
	const uint32_t index = state->index, generation = state->generation;

	cls_library_drop(pool->lib, &state->flow);
	cls_names_drop(pool->names, &state->names);
	cls_overhear_drop(pool->overhear, &state->waiting);
	memset(state, 0, sizeof(*state));
	state->index = index;
	state->generation = generation;
}

void cls_pool_free(struct cls_pool *pool)
{
	if (pool == NULL)
		return;
	for (uint32_t i = 1; i <= pool->n_made; i++) {
		wipe(pool, pool->states[i]);
		free(pool->states[i]);
	}
	free(pool->states);
	free(pool->scratch);
	free(pool);
}

struct cls_state *cls_pool_scratch(struct cls_pool *pool)
{
	return pool->scratch;
}

static void unlink_state(struct cls_pool *pool, struct cls_state *state)
{
	if (state->older != NONE)
		pool->states[state->older]->newer = state->newer;
	else
		pool->oldest = state->newer;
	if (state->newer != NONE)
		pool->states[state->newer]->older = state->older;
	else
		pool->newest = state->older;
}

static void link_newest(struct cls_pool *pool, struct cls_state *state)
{
	state->older = pool->newest;
	state->newer = NONE;
	if (pool->newest != NONE)
		pool->states[pool->newest]->newer = state->index;
	else
		pool->oldest = state->index;
	pool->newest = state->index;
}

static struct cls_state *make(struct cls_pool *pool)
{
	struct cls_state *state = calloc(1, sizeof(*state));

	if (state == NULL)
		return NULL;
	state->index = ++pool->n_made;
	pool->states[state->index] = state;
	return state;
}

/* One that nobody uses, wiped; in the end the oldest one's. NULL: no memory, and there is none. */
static struct cls_state *take(struct cls_pool *pool)
{
	struct cls_state *state = NULL;

	if (pool->free_list != NONE) {
		state = pool->states[pool->free_list];
		pool->free_list = state->newer;
		return state;
	}
	if (pool->n_made < pool->n)
		state = make(pool);
	if (state == NULL && pool->oldest != NONE) {
		state = pool->states[pool->oldest];
		unlink_state(pool, state);
		wipe(pool, state);
		state->generation++;
	}
	return state;
}

/* Index and generation in a pointer, which is never followed. */
static void *slot_of(const struct cls_state *state)
{
	static_assert(sizeof(uintptr_t) == sizeof(uint64_t));
	return (void *)((uint64_t)state->generation << 32 | state->index);
}

struct cls_state *cls_pool_keep(struct cls_pool *pool, void **slot)
{
	struct cls_state *state = take(pool);

	if (state == NULL)
		return NULL;

	const uint32_t index = state->index, generation = state->generation;

	// The library keeps no pointer to the struct itself.
	*state = *pool->scratch;
	memset(pool->scratch, 0, sizeof(*pool->scratch));
	state->index = index;
	state->generation = generation;
	link_newest(pool, state);
	*slot = slot_of(state);
	return state;
}

struct cls_state *cls_pool_find(const struct cls_pool *pool, const void *slot)
{
	struct cls_state *state = pool->states[(uint32_t)(uintptr_t)slot];

	return slot_of(state) == slot ? state : NULL;
}

void cls_pool_give(struct cls_pool *pool, struct cls_state *state)
{
	if (state->index != NONE)
		unlink_state(pool, state);
	wipe(pool, state);
	if (state->index == NONE)
		return;
	state->generation++;
	state->newer = pool->free_list;
	pool->free_list = state->index;
}
