// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Pools of mbufs, each with a struct dp_pkt in its private area. Control's thread. */

struct rte_mempool;

/* n mbufs with room bytes, headroom included, of which a thread may keep some at hand.
 *
 * Memory of the EAL. Where that has no hugepages, and all devices copy their frames, it is the kernel's
 * transparent ones instead: a frame in 4 KB pages costs misses of the TLB, 7 % of a known flow's packet
 * with 131,072 frames in the pool (./dev bench known). Other devices look for the EAL's memory.
 *
 * NULL, and rte_errno says why. Freed with rte_mempool_free(). */
struct rte_mempool *dp_pool_new(
	const char *name, unsigned int n, unsigned int cache_size, unsigned int room);
