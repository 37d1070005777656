// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Functions of nDPI's that it calls through its PLT, where ours of the same names come first. */

#include <stddef.h>

struct cls_memo;

/* What this thread's library remembers: from now on it is looked up there first. Borrowed; NULL: nothing is. */
void cls_plt_use(struct cls_memo *memo);

/* Find the library's own behind ours. Before the first packet is looked at, one thread at a time.
 *
 * module_size: bytes of the library's module. Where they are not those of the headers we were built with, it
 * is another build of the library than Debian's, and hellos are left to it as they are. */
void cls_plt_init(size_t module_size);
