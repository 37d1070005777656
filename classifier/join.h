// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The beginning of a byte stream whose pieces come in any order, repeated and overlapping: a direction
 * of TCP, or the CRYPTO frames of a QUIC connection (RFC 9000 19.6).
 *
 * Joins are taken from a pool of a worker and given back; one holds CLS_JOIN_BYTES at most and
 * CLS_JOIN_PIECES pieces that do not touch. Where bytes come twice the first stay (what a sender says twice
 * is the same, and who says two things shall not choose later). Worker's thread only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CLS_JOIN_BYTES = 16384, // longest ClientHello that is looked at, with its record headers
	CLS_JOIN_PIECES = 32, // start value
};

struct cls_join;
struct cls_join_pool;

/* n: joins that may be in use at once; memory for their bytes follows use. NULL: no memory. */
struct cls_join_pool *cls_join_pool_new(uint32_t n);
void cls_join_pool_free(struct cls_join_pool *pool); // all that were taken too; NULL is fine

/* An empty one; NULL: all are in use. */
struct cls_join *cls_join_take(struct cls_join_pool *pool);
uint64_t cls_join_pool_refused(const struct cls_join_pool *pool); // times that all were in use
void cls_join_give(struct cls_join_pool *pool, struct cls_join *join); // NULL is fine

/* bytes[0..len) stand at offset; NULL is fine where len is 0. What lies beyond CLS_JOIN_BYTES is left
 * out. Returns false when there is no room for one more piece: the join holds what it held. */
bool cls_join_put(struct cls_join *join, uint64_t offset, const uint8_t *bytes, size_t len);

/* Bytes from 0 on without a gap; borrowed until the next put or give. */
const uint8_t *cls_join_ready(const struct cls_join *join, size_t *ret_len);
/* Nothing more can come: all of CLS_JOIN_BYTES is there. */
bool cls_join_is_full(const struct cls_join *join);
