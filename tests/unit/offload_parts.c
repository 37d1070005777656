// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/offload_parts.h"

#include <stdlib.h>
#include <string.h>

void *offload_need(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

void offload_parts_init(struct offload_parts *p, uint32_t n_entries)
{
	*p = (struct offload_parts){.latest = offload_need(malloc(n_entries * sizeof(uint32_t)))};
	memset(p->latest, 0xff, n_entries * sizeof(uint32_t));
}

void offload_parts_fini(struct offload_parts *p)
{
	free(p->parts);
	free(p->ticks);
	free(p->latest);
}

struct dp_offload_usage *offload_parts_of(
	struct offload_parts *p, uint32_t id, uint64_t tick, uint64_t first_ns, bool begins)
{
	const uint32_t i = p->latest[id];

	if (i != UINT32_MAX && p->ticks[i] == tick && !begins)
		return &p->parts[i];
	if (p->n == p->room) {
		p->room = 2 * p->room + 64;
		p->parts = offload_need(realloc(p->parts, p->room * sizeof(*p->parts)));
		p->ticks = offload_need(realloc(p->ticks, p->room * sizeof(*p->ticks)));
	}
	p->latest[id] = (uint32_t)p->n;
	p->ticks[p->n] = tick;
	p->parts[p->n] = (struct dp_offload_usage){.id = id, .first_ns = first_ns};
	return &p->parts[p->n++];
}

/* The last part goes where one is taken away. */
static void take(struct offload_parts *p, uint32_t i, struct dp_offload_usage *ret)
{
	*ret = p->parts[i];
	if (p->latest[ret->id] == i)
		p->latest[ret->id] = UINT32_MAX;
	p->n--;
	if (p->n == i)
		return;
	p->parts[i] = p->parts[p->n];
	p->ticks[i] = p->ticks[p->n];
	if (p->latest[p->parts[i].id] == p->n)
		p->latest[p->parts[i].id] = i;
}

uint32_t offload_parts_drain(
	struct offload_parts *p, uint64_t end_ns, struct dp_offload_usage *ret, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n && n < max;) {
		if (p->parts[i].first_ns < end_ns)
			take(p, i, &ret[n++]);
		else
			i++;
	}
	return n;
}
