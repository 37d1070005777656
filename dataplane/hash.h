// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Keyed hashing for tables whose keys come off the wire: who does not know the key cannot choose
 * addresses, ports or names that meet in one bucket. No result depends on the key. */

#include <stdint.h>

extern uint64_t dp_hash_key[2]; // written once before any table is made, then read-only

/* Draw the key. Before the first table, no other thread; without it the key is a constant. */
void dp_hash_key_init(void);

/* 64 x 64 to 128 bits, folded: each bit of a and b reaches all of the result. */
static inline uint64_t dp_hash_mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 m = (unsigned __int128)(a ^ dp_hash_key[0]) * (b ^ dp_hash_key[1]);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}
