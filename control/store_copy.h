// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Whole files of a store, put in place so that there is the old one or the new one and nothing
 * between. For the command line, one thread, SIGINT and its like put off (store_guard.h). */

#include "dataplane/err.h"

#include <stdbool.h>

/* A file that is being written beside its place. */
struct ctl_store_draft {
	char *path, *target; // owned; NULL = there is none (any more)
	int fd; // for writing
};

/* Begin one for target, in the same folder: a name of its own, mode 0600. */
[[nodiscard]] int ctl_store_draft_open(
	const char *target, struct ctl_store_draft *ret_draft, struct dp_err *reterr);

/* Give it the owner (and for a file the mode) of `like`; only root can do the former, and need not
 * where they are the same. */
[[nodiscard]] int ctl_store_draft_resemble(
	const struct ctl_store_draft *draft, const char *like, struct dp_err *reterr);

/* Synced, then named target, then the folder synced. may_replace: target may be there. The draft is
 * gone when it failed. */
[[nodiscard]] int ctl_store_draft_settle(
	struct ctl_store_draft *draft, bool may_replace, struct dp_err *reterr);

/* The same for the file of a store whose only writer we are; refused with -EBUSY while somebody
 * reads it. Its lock file goes with the old one: it tells which pages that one's readers see. */
[[nodiscard]] int ctl_store_draft_settle_store(
	struct ctl_store_draft *draft, struct dp_err *reterr);

/* Gone, as if it had never been. Does nothing when it is already. */
void ctl_store_draft_drop(struct ctl_store_draft *draft);

/* Remove drafts of the store's file that a killed process has left in its folder, whose only writer
 * we are. */
void ctl_store_draft_sweep(const char *folder);

/* A compact copy of what is committed in the store at place, to fd; wirecue may be running. Returns
 * as ctl_store_guard(). */
[[nodiscard]] int ctl_store_copy(
	const char *place, int fd, unsigned longest_s, struct dp_err *reterr);
