// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Values as the store keeps them: in parts that fit one page, each with its checksum.
 *
 *   key     8 bytes, big-endian; part 1 and on: 4 bytes more, the part's number, big-endian.
 *           So parts follow their first one and byte order is number order.
 *   record  data, then u32 parts that follow, then u32 CRC-32C of table (one byte), key, data and
 *           parts that follow. Both little-endian.
 *
 * A part takes one page at most: a value of megabytes needs no run of free pages, which are rare
 * in a file where every tick rewrites something (docs/store.md has the figures).
 *
 * Pure; any thread. */

#include "control/batch.h"
#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_RECORD_TRAILER = 8,
	CTL_RECORD_MAX = 4080, // bytes: a page of 4096 less its header
	CTL_RECORD_DATA_MAX = CTL_RECORD_MAX - CTL_RECORD_TRAILER,
	CTL_RECORD_KEY_MAX = 12,
};

struct ctl_record {
	uint64_t key;
	uint32_t part, n_follow;
	const uint8_t *data;
	size_t len;
};

/* How many parts a value of len bytes has, 1 or more. */
uint32_t ctl_record_n_parts(size_t len);

/* Returns the key's length. */
size_t ctl_record_key(uint64_t key, uint32_t part, uint8_t ret_key[CTL_RECORD_KEY_MAX]);

/* Write record->data and the trailer behind it to `to`, which has room for both. */
void ctl_record_write(enum ctl_table table, const struct ctl_record *record, uint8_t *to);

/* Returns 0, or -EBADMSG when it was not written by ctl_record_write() for this table and key.
 * ret_record->data is in record. */
[[nodiscard]] int ctl_record_read(enum ctl_table table, const void *key, size_t key_len,
	const void *record, size_t size, struct ctl_record *ret_record);

/* Value without its trailers, borrowed for the call. As ctl_store_fn (store.h). */
typedef int ctl_record_fn(void *ctx, uint64_t key, const void *value, size_t len);

/* Puts parts together that come in the order of their keys. All zero but for table = new. */
struct ctl_joiner {
	enum ctl_table table;
	bool is_open; // parts are missing yet
	uint64_t key; // of the value under way
	uint32_t part_next, n_follow;
	uint8_t *data; // owned
	size_t len, size;
};

void ctl_joiner_fini(struct ctl_joiner *joiner);

/* The next record. Calls fn when the value is whole and returns what it returned, else 0; -EBADMSG
 * with a sentence when the record is damaged or out of order. fn NULL: only looks. */
[[nodiscard]] int ctl_joiner_add(struct ctl_joiner *joiner, const void *key, size_t key_len,
	const void *record, size_t size, ctl_record_fn *fn, void *ctx, struct dp_err *reterr);

/* Nothing comes any more. Returns 0, or -EBADMSG with a sentence when a value is not whole. */
[[nodiscard]] int ctl_joiner_end(const struct ctl_joiner *joiner, struct dp_err *reterr);
