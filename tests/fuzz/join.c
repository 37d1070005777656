// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/join.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Pieces of four bytes: where it stands and its length, 16 bits each, for one of two joins by the lowest bit
 * of the length. */
enum {
	N_JOINS = 2,
	PIECE_BYTES = 4,
	N_PIECES_MAX = 80,
	GIVE_BACK = 0xffff, // instead of where: the join is given back and another taken
};

/* What one should hold: of each byte which piece said it, counted from 1. */
struct model {
	uint8_t said_by[CLS_JOIN_BYTES];
	size_t n_pieces;
};

static struct model models[N_JOINS];

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Of pieces, where [begin, end) is said as well. */
static size_t count(const struct model *m, size_t begin, size_t end)
{
	size_t n = m->n_pieces;

	if (begin == end)
		return n;
	for (size_t i = begin; i <= end && i < CLS_JOIN_BYTES; i++) // one that begins at end too
		n -= m->said_by[i] != 0 && (i == 0 || m->said_by[i - 1] == 0);
	return n + (begin == 0 || m->said_by[begin - 1] == 0);
}

static bool model_put(struct model *m, size_t offset, size_t len, uint8_t who)
{
	const size_t begin = smaller(offset, CLS_JOIN_BYTES);
	const size_t end = begin + smaller(len, CLS_JOIN_BYTES - begin);
	const size_t n = count(m, begin, end);

	if (n > CLS_JOIN_PIECES)
		return false;
	for (size_t i = begin; i < end; i++)
		m->said_by[i] = m->said_by[i] != 0 ? m->said_by[i] : who;
	m->n_pieces = n;
	return true;
}

/* Its bytes are of one value, so that who said them is seen. */
static void put(struct cls_join *join, struct model *m, size_t offset, size_t len, uint8_t who)
{
	uint8_t *bytes = malloc(len > 0 ? len : 1);
	const uint8_t *ready;
	size_t n;

	check(bytes != NULL);
	memset(bytes, who, len);
	check(cls_join_put(join, offset, bytes, len) == model_put(m, offset, len, who));
	free(bytes);
	ready = cls_join_ready(join, &n);
	check(n <= CLS_JOIN_BYTES && memcmp(ready, m->said_by, n) == 0);
	check(memchr(ready, 0, n) == NULL);
	check(n == CLS_JOIN_BYTES || m->said_by[n] == 0);
	check(cls_join_is_full(join) == (n == CLS_JOIN_BYTES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cls_join_pool *pool = cls_join_pool_new(N_JOINS);
	struct cls_join *joins[N_JOINS];

	check(pool != NULL);
	for (size_t i = 0; i < N_JOINS; i++) {
		joins[i] = cls_join_take(pool);
		memset(&models[i], 0, sizeof(models[i]));
	}
	check(cls_join_take(pool) == NULL);
	for (size_t i = 0; i < N_PIECES_MAX && size - i * PIECE_BYTES >= PIECE_BYTES; i++) {
		const uint8_t *p = data + i * PIECE_BYTES;
		const size_t offset = (size_t)p[0] << 8 | p[1], len = (size_t)p[2] << 8 | p[3];
		const size_t k = len % N_JOINS;

		if (offset != GIVE_BACK) {
			put(joins[k], &models[k], offset, len / 2, (uint8_t)(i + 1));
			continue;
		}
		cls_join_give(pool, joins[k]);
		joins[k] = cls_join_take(pool);
		memset(&models[k], 0, sizeof(models[k]));
	}
	cls_join_pool_free(pool);
	return 0;
}
