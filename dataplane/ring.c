// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ring.h"

#include "dataplane/idle.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdatomic.h>
#include <stdlib.h>

struct dp_ring {
	struct rte_ring *r; // owned, cache-line aligned
	atomic_bool waits; // written by control once, read by the worker on a full ring
};

struct dp_ring *dp_ring_new(uint32_t n_records, bool waits)
{
	const ssize_t size = rte_ring_get_memsize_elem(sizeof(struct dp_record), n_records);
	struct dp_ring *ring = malloc(sizeof(*ring));

	if (ring == NULL || size < 0)
		goto fail;
	atomic_init(&ring->waits, waits);
	ring->r = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL((size_t)size, RTE_CACHE_LINE_SIZE));
	if (ring->r == NULL)
		goto fail;
	if (rte_ring_init(ring->r, "records", n_records, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0)
		return ring;
	free(ring->r);
fail:
	free(ring);
	return NULL;
}

void dp_ring_free(struct dp_ring *ring)
{
	if (ring == NULL)
		return;
	free(ring->r);
	free(ring);
}

bool dp_ring_post(struct dp_ring *ring, const struct dp_record *record)
{
	void *const element = (void *)(uintptr_t)record; // rte_ring takes no pointer to const

	struct dp_idle idle = {0};

	while (rte_ring_sp_enqueue_elem(ring->r, element, sizeof(*record)) != 0) {
		if (!atomic_load_explicit(&ring->waits, memory_order_relaxed))
			return false;
		dp_idle_wait(&idle, true);
	}
	return true;
}

void dp_ring_abandon(struct dp_ring *ring)
{
	atomic_store_explicit(&ring->waits, false, memory_order_relaxed);
}

uint32_t dp_ring_take(struct dp_ring *ring, struct dp_record *records, uint32_t max)
{
	return rte_ring_sc_dequeue_burst_elem(ring->r, records, sizeof(*records), max, NULL);
}

uint32_t dp_ring_count(const struct dp_ring *ring)
{
	return rte_ring_count(ring->r);
}
