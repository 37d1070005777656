// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ring.h"

#include "dataplane/idle.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>
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

struct dp_record *dp_ring_claim(struct dp_ring *ring)
{
	struct rte_ring_zc_data place;
	struct dp_idle idle = {0};

	while (rte_ring_enqueue_zc_bulk_elem_start(
		       ring->r, sizeof(struct dp_record), 1, &place, NULL) == 0) {
		if (!atomic_load_explicit(&ring->waits, memory_order_relaxed))
			return NULL;
		dp_idle_wait(&idle, DP_IDLE_SHORT_NS);
	}
	return place.ptr1;
}

void dp_ring_publish(struct dp_ring *ring)
{
	rte_ring_enqueue_zc_elem_finish(ring->r, 1);
}

bool dp_ring_post(struct dp_ring *ring, const struct dp_record *record)
{
	struct dp_record *place = dp_ring_claim(ring);

	if (place == NULL)
		return false;
	dp_record_copy(place, record);
	dp_ring_publish(ring);
	return true;
}

bool dp_ring_is_roomy(const struct dp_ring *ring)
{
	return rte_ring_count(ring->r) <= rte_ring_get_capacity(ring->r) / 2;
}

void dp_ring_abandon(struct dp_ring *ring)
{
	atomic_store_explicit(&ring->waits, false, memory_order_relaxed);
}

uint32_t dp_ring_take(struct dp_ring *ring, struct dp_record *records, uint32_t max)
{
	struct rte_ring_zc_data places;
	const uint32_t n = rte_ring_dequeue_zc_burst_elem_start(
		ring->r, sizeof(*records), max, &places, NULL);
	const struct dp_record *first = places.ptr1, *second = places.ptr2;

	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		dp_record_copy(&records[i], i < places.n1 ? &first[i] : &second[i - places.n1]);
	rte_ring_dequeue_zc_elem_finish(ring->r, n);
	return n;
}

uint32_t dp_ring_count(const struct dp_ring *ring)
{
	return rte_ring_count(ring->r);
}
