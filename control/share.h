// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One piece of work in several hands: n items, a contiguous range of them for each thread. */

#include <stddef.h>

/* Items [begin, end). Called by several threads at once, with the same ctx. */
typedef void ctl_share_fn(void *ctx, size_t begin, size_t end);

/* Returns when all is done. The caller is one of the n_threads (0 is as good as 1), and alone when
 * no other can be had. */
void ctl_share(unsigned n_threads, size_t n_items, ctl_share_fn *fn, void *ctx);
