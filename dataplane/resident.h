// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Memory that is to be there before the first packet, in huge pages where the kernel has them: of 4 KB
 * ones each line of a large table costs a miss of the TLB as well. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { DP_HUGE_PAGE_BYTES = 2 << 20 };

/* Ask for huge pages in what was never touched. Where there are none small ones do. */
static inline void dp_advise_huge(void *p, size_t len)
{
	const uintptr_t size = DP_HUGE_PAGE_BYTES;
	const uintptr_t begin = ((uintptr_t)p + size - 1) / size * size;
	const uintptr_t end = ((uintptr_t)p + len) / size * size;

	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* Zero all of it. */
static inline void dp_make_resident(void *p, size_t len)
{
	dp_advise_huge(p, len);
	memset(p, 0, len);
}
