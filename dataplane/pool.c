// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pool.h"

#include "dataplane/eal.h"
#include "dataplane/pages.h"
#include "dataplane/path_state.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf_pool_ops.h>

static void unmap(struct rte_mempool_memhdr *chunk, void *)
{
	(void)munmap(chunk->addr, chunk->len);
}

/* Addresses for len bytes, beginning where a huge page does: what stands before is given back. */
static void *map_aligned(size_t len)
{
	const uintptr_t size = DP_LARGE_PAGE_BYTES;
	char *block = mmap(
		NULL, len + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return NULL;

	const size_t before = -(uintptr_t)block % size;

	if (before > 0)
		(void)munmap(block, before);
	(void)munmap(block + before + len, size - before);
	return block + before;
}

/* All elements of mp in one piece. Returns whether there was memory for them. */
static bool populate(struct rte_mempool *mp)
{
	const uintptr_t size = DP_LARGE_PAGE_BYTES;
	const size_t element = mp->header_size + mp->elt_size + mp->trailer_size;
	const size_t len = (mp->size * element + size - 1) / size * size;
	void *p = map_aligned(len);

	if (p == NULL)
		return false;
	dp_pages_want_large(p, len);
	// Addresses of IO are virtual ones (eal.c), so the mapping is one piece to devices, too.
	if (rte_mempool_populate_iova(mp, p, (rte_iova_t)(uintptr_t)p, len, unmap, NULL) ==
		(int)mp->size)
		return true;
	if (mp->nb_mem_chunks == 0)
		(void)munmap(p, len);
	return false;
}

/* As rte_pktmbuf_pool_create() does it, but for where the memory comes from. */
static struct rte_mempool *new_transparent(
	const char *name, unsigned int n, unsigned int cache_size, unsigned int room)
{
	struct rte_pktmbuf_pool_private sizes = {
		.mbuf_data_room_size = (uint16_t)room, .mbuf_priv_size = DP_PRIV_BYTES};
	struct rte_mempool *mp = rte_mempool_create_empty(name, n,
		sizeof(struct rte_mbuf) + DP_PRIV_BYTES + room, cache_size, sizeof(sizes),
		SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG); // they may cross pages

	if (mp == NULL)
		return NULL;
	if (rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL) < 0) {
		rte_mempool_free(mp);
		rte_errno = EINVAL;
		return NULL;
	}
	rte_pktmbuf_pool_init(mp, &sizes);
	if (!populate(mp)) {
		rte_mempool_free(mp);
		rte_errno = ENOMEM;
		return NULL;
	}
	(void)rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

struct rte_mempool *dp_pool_new(
	const char *name, unsigned int n, unsigned int cache_size, unsigned int room)
{
	if (!rte_eal_has_hugepages() && dp_eal_devices_copy())
		return new_transparent(name, n, cache_size, room);
	return rte_pktmbuf_pool_create(
		name, n, cache_size, DP_PRIV_BYTES, (uint16_t)room, SOCKET_ID_ANY);
}
