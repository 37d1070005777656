// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Large tables in large pages, where the kernel gives them when it is asked (transparent hugepages,
 * "madvise" or "always"): a fault for 2 MB instead of 512, and one entry of the TLB. */

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE \
	23 // linux/mman.h since Linux 5.14; before it pages come one fault at a time
#endif

enum { DP_LARGE_PAGE_BYTES = 2 << 20 };

/* Ask for them for as much of p[0..len) as they can cover, before it is touched. */
static inline void dp_pages_want_large(void *p, size_t len)
{
	const uintptr_t large = DP_LARGE_PAGE_BYTES;
	const uintptr_t begin = ((uintptr_t)p + large - 1) / large * large;
	const uintptr_t end = ((uintptr_t)p + len) / large * large;

	if (begin < end) // a kernel without them has none to give, and small ones do
		(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* Have p[0..len) now, all of it at once; whole pages. Advice: where it is not taken each page comes by a fault,
 * which takes half as long again. */
static inline void dp_pages_populate(void *p, size_t len)
{
	(void)madvise(p, len, MADV_POPULATE_WRITE);
}
