// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which entries of a table have something to say: two lists, of the open tick and of the tick being
 * closed. The table knows which of them an entry is in, if any. One worker's thread only. */

#include "dataplane/pages.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct dp_dirty_link {
	uint32_t prev, next; // 0: none
};

struct dp_dirty {
	struct dp_dirty_link *links; // owned; by entry, [0] is not used
	struct {
		uint32_t head, tail;
		uint64_t tick;
	} lists[2];
	uint8_t open; // which of the two is the open tick's
};

/* For entries 1 to n. Returns 0 or -ENOMEM. */
[[nodiscard]] static inline int dp_dirty_init(struct dp_dirty *d, uint32_t n)
{
	*d = (struct dp_dirty){.links = calloc((size_t)n + 1, sizeof(*d->links))};
	if (d->links == NULL)
		return -ENOMEM;
	dp_pages_want_large(d->links, ((size_t)n + 1) * sizeof(*d->links));
	return 0;
}

static inline void dp_dirty_fini(struct dp_dirty *d)
{
	free(d->links);
	*d = (struct dp_dirty){0};
}

/* The list of tick: the open one or the one being closed. */
static inline uint8_t dp_dirty_list(const struct dp_dirty *d, uint64_t tick)
{
	return tick == d->lists[d->open].tick ? d->open : d->open ^ 1;
}

static inline void dp_dirty_append(struct dp_dirty *d, uint8_t list, uint32_t id)
{
	const uint32_t tail = d->lists[list].tail;

	d->links[id] = (struct dp_dirty_link){.prev = tail};
	if (tail != 0)
		d->links[tail].next = id;
	else
		d->lists[list].head = id;
	d->lists[list].tail = id;
}

static inline void dp_dirty_remove(struct dp_dirty *d, uint8_t list, uint32_t id)
{
	const struct dp_dirty_link link = d->links[id];

	if (link.prev != 0)
		d->links[link.prev].next = link.next;
	else
		d->lists[list].head = link.next;
	if (link.next != 0)
		d->links[link.next].prev = link.prev;
	else
		d->lists[list].tail = link.prev;
}

static inline void dp_dirty_open_tick(struct dp_dirty *d, uint64_t tick)
{
	d->lists[d->open].tick = tick;
}

static inline void dp_dirty_close_tick(struct dp_dirty *d, uint64_t next_tick)
{
	d->open ^= 1;
	d->lists[d->open].tick = next_tick;
}

/* The first entry of the tick being closed, 0 when none is left. */
static inline uint32_t dp_dirty_closing(const struct dp_dirty *d)
{
	return d->lists[d->open ^ 1].head;
}
