// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/dns_tcp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	LENGTH_LEN = 2,
	HEADER_LEN = 12, // RFC 1035 4.1.1
	FLAGS_OFF = LENGTH_LEN + 2,
	WORD_BITS = 64,
};

struct waiting {
	struct waiting *next_free;
	uint32_t seq; // of its first byte
	uint32_t n_bytes; // that are there
	uint64_t is_there[CLS_DNS_TCP_MAX / WORD_BITS]; // a bit each
	uint8_t bytes[CLS_DNS_TCP_MAX];
};
static_assert(CLS_DNS_TCP_MAX % WORD_BITS == 0);

struct cls_dns_tcp_pool {
	struct waiting *all; // owned
	struct waiting *free_list;
	uint32_t n, n_touched; // the pages beyond cost nothing yet
	uint64_t n_refused;
};

struct cls_dns_tcp_pool *cls_dns_tcp_pool_new(uint32_t n)
{
	struct cls_dns_tcp_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->n = n;
	pool->all = calloc(n, sizeof(*pool->all));
	if (pool->all == NULL) {
		free(pool);
		return NULL;
	}
	return pool;
}

void cls_dns_tcp_pool_free(struct cls_dns_tcp_pool *pool)
{
	if (pool == NULL)
		return;
	free(pool->all);
	free(pool);
}

static struct waiting *take(struct cls_dns_tcp_pool *pool, uint32_t seq)
{
	struct waiting *w = pool->free_list;

	if (w != NULL)
		pool->free_list = w->next_free;
	else if (pool->n_touched < pool->n)
		w = &pool->all[pool->n_touched++];
	if (w == NULL) {
		pool->n_refused++;
		return NULL;
	}
	w->seq = seq;
	w->n_bytes = 0;
	memset(w->is_there, 0, sizeof(w->is_there));
	return w;
}

void cls_dns_tcp_drop(struct cls_dns_tcp_pool *pool, void **waiting)
{
	struct waiting *w = *waiting;

	if (w == NULL)
		return;
	w->next_free = pool->free_list;
	pool->free_list = w;
	*waiting = NULL;
}

uint64_t cls_dns_tcp_refused(const struct cls_dns_tcp_pool *pool)
{
	return pool->n_refused;
}

/* Length of the message with that in front, of which len bytes are there from its first on; LENGTH_LEN while that is not
 * known; 0 when this is no answer, as far as can be seen. */
static uint32_t size_of(const uint8_t *p, size_t len)
{
	uint32_t size;

	if (len < LENGTH_LEN)
		return LENGTH_LEN;
	size = LENGTH_LEN + ((uint32_t)p[0] << 8 | p[1]);
	if (size < LENGTH_LEN + HEADER_LEN)
		return 0;
	if (len > FLAGS_OFF && (p[FLAGS_OFF] & 0xf8) != 0x80) // QR, and the Opcode of a query
		return 0;
	return size;
}

/* --- a message that waits --------------------------------------------------------------------- */

static bool is_there(const struct waiting *w, uint32_t i)
{
	return (w->is_there[i / WORD_BITS] >> i % WORD_BITS & 1) != 0;
}

/* Bytes from the first on without a gap, as many as tell what this is. */
static size_t n_first(const struct waiting *w)
{
	size_t n = 0;

	while (n <= FLAGS_OFF && is_there(w, (uint32_t)n))
		n++;
	return n;
}

/* bytes[0..len) stand at off. What came first stays. */
static void store(struct waiting *w, uint32_t off, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len && off + i < CLS_DNS_TCP_MAX; i++) {
		const uint32_t at = off + (uint32_t)i;

		if (is_there(w, at))
			continue;
		w->is_there[at / WORD_BITS] |= UINT64_C(1) << at % WORD_BITS;
		w->bytes[at] = bytes[i];
		w->n_bytes++;
	}
}

static bool is_whole(const struct waiting *w, uint32_t size)
{
	uint32_t n = 0;

	if (w->n_bytes < size)
		return false;
	while (n < size && is_there(w, n))
		n++;
	return n == size;
}

/* Bytes for the message that waits. Returns how many of them belong to it, when it is whole; all, when it goes
 * on waiting; none, when it is given up and they begin anew. */
static size_t complete(struct cls_dns_tcp_pool *pool, void **waiting, uint32_t seq,
	const uint8_t *bytes, size_t len, const struct cls_dns_sink *sink)
{
	struct waiting *w = *waiting;
	const uint32_t off = seq - w->seq;
	uint32_t size;

	if (off > INT32_MAX) { // what was there before; a part may be new
		const uint32_t n_old = w->seq - seq;

		if (n_old >= len)
			return len;
		return n_old + complete(pool, waiting, w->seq, bytes + n_old, len - n_old, sink);
	}
	store(w, off, bytes, len);
	size = size_of(w->bytes, n_first(w));
	if (size == 0 || size > CLS_DNS_TCP_MAX || off >= size) {
		cls_dns_tcp_drop(pool, waiting);
		return 0;
	}
	if (size == LENGTH_LEN || !is_whole(w, size))
		return len;
	sink->take(sink->arg, w->bytes + LENGTH_LEN, size - LENGTH_LEN);
	cls_dns_tcp_drop(pool, waiting);
	return off + len > size ? size - off : len;
}

/* --- */

void cls_dns_tcp_put(struct cls_dns_tcp_pool *pool, void **waiting, uint32_t seq,
	const uint8_t *bytes, size_t len, const struct cls_dns_sink *sink)
{
	size_t n = 0;

	if (*waiting != NULL)
		n = complete(pool, waiting, seq, bytes, len, sink);
	while (n < len && *waiting == NULL) {
		const uint32_t size = size_of(bytes + n, len - n);

		if (size == 0 || size > CLS_DNS_TCP_MAX)
			return;
		if (size > len - n) {
			struct waiting *w = take(pool, seq + (uint32_t)n);

			if (w != NULL)
				store(w, 0, bytes + n, len - n);
			*waiting = w;
			return;
		}
		sink->take(sink->arg, bytes + n + LENGTH_LEN, size - LENGTH_LEN);
		n += size;
	}
}
