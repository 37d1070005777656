// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A hash that results depend on, so it has no key and is the same everywhere. Not for tables whose keys the network
 * chooses: dp_hash_mix() and control/addr_hash.h. Pure. */

#include <stdint.h>

/* The finaliser of MurmurHash3, public domain. */
static inline uint64_t ctl_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccd;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53;
	return x ^ (x >> 33);
}
