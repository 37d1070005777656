// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Work on a store that may be damaged, in a process of its own.
 *
 * LMDB reads through a memory map and believes what stands in it: a page that the file has lost, or
 * a pointer that was altered, kills who follows it. Here that is a child, and its end a sentence.
 * For the command line: one thread, nothing else going on. */

#include "dataplane/err.h"

#include <signal.h>
#include <stddef.h>

/* Put off SIGINT, SIGTERM and SIGHUP: the guard hears them, everything else is not cut in two. They
 * act when *ret_old is set again with sigprocmask(). */
void ctl_store_put_off_signals(sigset_t *ret_old);

/* Memory that the child fills and its parent reads, all zero. NULL when there is none. */
void *ctl_store_share(size_t size);
void ctl_store_unshare(void *shared, size_t size); // NULL is fine

/* Returns 0, or -errno with a sentence. */
typedef int ctl_store_job_fn(void *ctx, struct dp_err *reterr);

/* Call fn(ctx) in a child; standard output is flushed before and behind it. What it writes to memory
 * is lost, but for shared memory. what: is looked at, for sentences.
 *
 * longest_s bounds it, 0 = it may take as long as it takes: a reader that stays keeps the daemon
 * from using freed pages again, and the file grows meanwhile.
 *
 * Returns what fn returned; -EBADMSG: the store ended it; -EINTR: SIGINT, SIGTERM or SIGHUP (and
 * the child is gone, so that the caller can tidy up); -ETIME; each with a sentence. */
[[nodiscard]] int ctl_store_guard(ctl_store_job_fn *fn, void *ctx, const char *what,
	unsigned longest_s, struct dp_err *reterr);
