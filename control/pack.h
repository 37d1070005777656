// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Numbers and texts as bytes, for what is kept on disk: written without a schema, read with every
 * bound checked.
 *
 *   u64     LEB128: 7 bits a byte, least significant first, at most 10 bytes, no padding
 *   i64     the same, zigzag
 *   f64     8 bytes, IEEE 754, little-endian
 *   bytes   u64 length, then so many bytes
 *   text    bytes without a NUL
 *   part    u64 kind, then bytes: who does not know the kind can skip it
 *
 * No thread of its own; one owner. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Grows as needed; all zero = empty. */
struct ctl_pack {
	uint8_t *data; // owned
	size_t len, size;
};

void ctl_pack_fini(struct ctl_pack *pack);

/* Empty, memory kept. */
void ctl_pack_clear(struct ctl_pack *pack);

void ctl_pack_u64(struct ctl_pack *pack, uint64_t value);
void ctl_pack_i64(struct ctl_pack *pack, int64_t value);
void ctl_pack_f64(struct ctl_pack *pack, double value);
void ctl_pack_bytes(struct ctl_pack *pack, const void *data, size_t len);
void ctl_pack_text(struct ctl_pack *pack, const char *text);

/* What is packed between the two is one part. Parts nest. */
[[nodiscard]] size_t ctl_pack_open(struct ctl_pack *pack, uint64_t kind);
void ctl_pack_close(struct ctl_pack *pack, size_t opened);

/* Reads from borrowed memory. After the first thing that does not fit is_bad stays set, and
 * everything read is 0 or empty: a reader may check once, at its end. */
struct ctl_unpack {
	const uint8_t *at, *end;
	bool is_bad;
};

static inline struct ctl_unpack ctl_unpack_of(const void *data, size_t len)
{
	const uint8_t *begin = data; // NULL, when there is nothing

	return (struct ctl_unpack){.at = begin, .end = len > 0 ? begin + len : begin};
}

/* Something is left and nothing was bad. */
static inline bool ctl_unpack_has_more(const struct ctl_unpack *unpack)
{
	return !unpack->is_bad && unpack->at < unpack->end;
}

uint64_t ctl_unpack_u64(struct ctl_unpack *unpack);
/* Above max it is bad. */
uint64_t ctl_unpack_max(struct ctl_unpack *unpack, uint64_t max);
int64_t ctl_unpack_i64(struct ctl_unpack *unpack);
/* Finite, else bad. */
double ctl_unpack_f64(struct ctl_unpack *unpack);
bool ctl_unpack_bool(struct ctl_unpack *unpack);
/* Borrowed from the memory that is read. */
const uint8_t *ctl_unpack_bytes(struct ctl_unpack *unpack, size_t *ret_len);
/* At most max bytes, no NUL among them; copied, owned by the caller (g_free). NULL when bad. */
char *ctl_unpack_text(struct ctl_unpack *unpack, size_t max);
/* The next part: its kind, and a reader of what is in it. */
uint64_t ctl_unpack_part(struct ctl_unpack *unpack, struct ctl_unpack *ret_part);
