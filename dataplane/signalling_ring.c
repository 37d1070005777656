// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/signalling_ring.h"

#include "dataplane/idle.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdatomic.h>
#include <stdlib.h>

/* rte_ring, each element a word: a message is a run of them that goes in and out as one. */
enum {
	WORD = sizeof(uint64_t),
	HEAD_WORDS = offsetof(struct dp_signalling, bytes) / WORD,
	ROOM_WORDS = DP_SIGNALLING_ROOM / WORD,
};

struct dp_signalling_ring {
	struct rte_ring *r; // owned, cache-line aligned
	atomic_bool waits; // written by control once, read by the worker on a full ring
	union {
		struct dp_signalling head;
		uint64_t words[ROOM_WORDS];
	} out; // the worker's: the message being posted
};

static unsigned int n_payload_words(size_t len)
{
	return (unsigned int)((len + WORD - 1) / WORD);
}

struct dp_signalling_ring *dp_signalling_ring_new(uint32_t n_bytes, bool waits)
{
	const uint32_t n_words = n_bytes / WORD;
	const ssize_t size = rte_ring_get_memsize_elem(WORD, n_words);
	struct dp_signalling_ring *ring = calloc(1, sizeof(*ring));

	if (ring == NULL || size < 0)
		goto fail;
	atomic_init(&ring->waits, waits);
	ring->r = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL((size_t)size, RTE_CACHE_LINE_SIZE));
	if (ring->r == NULL)
		goto fail;
	if (rte_ring_init(ring->r, "signalling", n_words, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0)
		return ring;
	free(ring->r);
fail:
	free(ring);
	return NULL;
}

void dp_signalling_ring_free(struct dp_signalling_ring *ring)
{
	if (ring == NULL)
		return;
	free(ring->r);
	free(ring);
}

bool dp_signalling_ring_post(struct dp_signalling_ring *ring, const struct dp_signalling *message,
	const uint8_t *payload)
{
	const unsigned int n = HEAD_WORDS + n_payload_words(message->len);
	struct dp_idle idle = {0};

	memcpy(&ring->out.head, message, offsetof(struct dp_signalling, bytes));
	if (message->len % WORD != 0)
		ring->out.words[n - 1] = 0; // what is behind the payload in its last word
	memcpy(ring->out.words + HEAD_WORDS, payload, message->len);
	while (rte_ring_sp_enqueue_bulk_elem(ring->r, ring->out.words, WORD, n, NULL) == 0) {
		if (!atomic_load_explicit(&ring->waits, memory_order_relaxed))
			return false;
		dp_idle_wait(&idle, DP_IDLE_SHORT_NS);
	}
	return true;
}

bool dp_signalling_ring_take(struct dp_signalling_ring *ring, struct dp_signalling *ret_message)
{
	unsigned int n;

	if (rte_ring_sc_dequeue_bulk_elem(ring->r, ret_message, WORD, HEAD_WORDS, NULL) == 0)
		return false;
	n = n_payload_words(ret_message->len);
	// It went in as one, so all of it is there.
	if (n > 0)
		(void)rte_ring_sc_dequeue_bulk_elem(ring->r, ret_message->bytes, WORD, n, NULL);
	return true;
}

void dp_signalling_ring_abandon(struct dp_signalling_ring *ring)
{
	atomic_store_explicit(&ring->waits, false, memory_order_relaxed);
}
