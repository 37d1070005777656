// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Keyed hashing for tables whose keys come off the wire: who does not know the key cannot choose
 * addresses, ports or names that meet in one bucket. No result depends on the key. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern uint64_t dp_hash_key[2]; // written once before any table is made, then read-only

/* Draw the key. Before the first table, no other thread; without it the key is a constant. */
void dp_hash_key_init(void);

/* 64 x 64 to 128 bits, folded: each bit of a and b reaches all of the result. */
static inline uint64_t dp_hash_mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 m = (unsigned __int128)(a ^ dp_hash_key[0]) * (b ^ dp_hash_key[1]);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Of n bytes, on top of h, which is to tell n: the last word is filled up with zeros. */
static inline uint64_t dp_hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		uint64_t w = 0;

		memcpy(&w, (const char *)bytes + i, n - i < sizeof(w) ? n - i : sizeof(w));
		h = dp_hash_mix(h, w);
	}
	return h;
}
