// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/join.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes that are there, begin to end. */
struct piece {
	uint16_t begin, end;
};

static_assert(CLS_JOIN_BYTES <= UINT16_MAX, "offsets of pieces have 16 bits");

struct cls_join {
	uint8_t *bytes; // CLS_JOIN_BYTES of the pool's
	struct cls_join *next; // of those that are free
	uint32_t n_pieces;
	struct piece pieces[CLS_JOIN_PIECES]; // in order; between two of them a byte is missing
};

struct cls_join_pool {
	uint8_t *bytes; // of all joins, mapped; NULL: there are none
	struct cls_join *freed; // given back, last first: its memory is warm
	uint32_t n, n_fresh; // joins[n_fresh..n) were never taken
	uint64_t n_refused;
	struct cls_join joins[];
};

struct cls_join_pool *cls_join_pool_new(uint32_t n)
{
	struct cls_join_pool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->joins[0]));
	void *bytes;

	if (pool == NULL || n == 0)
		return pool;
	bytes = mmap(NULL, (size_t)n * CLS_JOIN_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bytes == MAP_FAILED) {
		free(pool);
		return NULL;
	}
	pool->bytes = bytes;
	pool->n = n;
	return pool;
}

void cls_join_pool_free(struct cls_join_pool *pool)
{
	if (pool != NULL && pool->bytes != NULL)
		(void)munmap(pool->bytes, (size_t)pool->n * CLS_JOIN_BYTES);
	free(pool);
}

struct cls_join *cls_join_take(struct cls_join_pool *pool)
{
	struct cls_join *join = pool->freed;

	if (join != NULL) {
		pool->freed = join->next;
	} else if (pool->n_fresh < pool->n) {
		join = &pool->joins[pool->n_fresh];
		join->bytes = pool->bytes + (size_t)pool->n_fresh * CLS_JOIN_BYTES;
		pool->n_fresh++;
	} else {
		pool->n_refused++;
		return NULL;
	}
	join->n_pieces = 0;
	return join;
}

uint64_t cls_join_pool_refused(const struct cls_join_pool *pool)
{
	return pool->n_refused;
}

void cls_join_give(struct cls_join_pool *pool, struct cls_join *join)
{
	if (join == NULL)
		return;
	join->next = pool->freed;
	pool->freed = join;
}

/* What of bytes, which stand from begin to end, lies in none of the n pieces. */
static void fill(struct cls_join *join, const struct piece *pieces, size_t n, const uint8_t *bytes,
	size_t begin, size_t end)
{
	size_t at = begin;

	for (size_t i = 0; i < n; i++) {
		if (at < pieces[i].begin)
			memcpy(join->bytes + at, bytes + (at - begin), pieces[i].begin - at);
		if (at < pieces[i].end)
			at = pieces[i].end;
	}
	if (at < end)
		memcpy(join->bytes + at, bytes + (at - begin), end - at);
}

bool cls_join_put(struct cls_join *join, uint64_t offset, const uint8_t *bytes, size_t len)
{
	struct piece *const pieces = join->pieces;
	size_t i = 0, k; // pieces[i..k) are those that the new one meets or touches

	if (offset >= CLS_JOIN_BYTES || len == 0)
		return true;

	const size_t begin = (size_t)offset;
	const size_t end = len < CLS_JOIN_BYTES - begin ? begin + len : CLS_JOIN_BYTES;
	struct piece all = {(uint16_t)begin, (uint16_t)end};

	while (i < join->n_pieces && pieces[i].end < begin)
		i++;
	for (k = i; k < join->n_pieces && pieces[k].begin <= end;)
		k++;
	if (i == k && join->n_pieces == CLS_JOIN_PIECES)
		return false;
	fill(join, pieces + i, k - i, bytes, begin, end);
	if (i < k && pieces[i].begin < begin)
		all.begin = pieces[i].begin;
	if (i < k && pieces[k - 1].end > end)
		all.end = pieces[k - 1].end;
	memmove(pieces + i + 1, pieces + k, (join->n_pieces - k) * sizeof(pieces[0]));
	pieces[i] = all;
	join->n_pieces += 1 + (uint32_t)i - (uint32_t)k;
	return true;
}

const uint8_t *cls_join_ready(const struct cls_join *join, size_t *ret_len)
{
	const bool has_first = join->n_pieces > 0 && join->pieces[0].begin == 0;

	*ret_len = has_first ? join->pieces[0].end : 0;
	return join->bytes;
}

bool cls_join_is_full(const struct cls_join *join)
{
	size_t n_ready;

	(void)cls_join_ready(join, &n_ready);
	return n_ready == CLS_JOIN_BYTES;
}
