// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The folder of a store: who may write in it, and where a damaged file goes. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_store_dir {
	char *path; // owned, of the folder
	char *file; // owned: PATH/wirecue.mdb
	int lock_fd; // flock is held while it is open; -1 = none
};

/* Make the folder if it is missing, and be its one writer. Returns 0; -EBUSY when another process
 * is, or -errno; with a sentence. */
[[nodiscard]] int ctl_store_dir_open(
	const char *path, struct ctl_store_dir *ret_dir, struct dp_err *reterr);
void ctl_store_dir_close(struct ctl_store_dir *dir); // closed already is fine

/* Is there a file (of any size)? Returns 0 or 1, or -errno with a sentence. */
[[nodiscard]] int ctl_store_dir_has_file(const struct ctl_store_dir *dir, struct dp_err *reterr);

/* Blocks for LMDB's lock file, which it maps: on a full disk a hole in it would be a SIGBUS. */
[[nodiscard]] int ctl_store_dir_reserve_lock(const char *file, struct dp_err *reterr);

/* Move the file to PATH/damaged-UTC/. *ret_where: owned by the caller (g_free). */
[[nodiscard]] int ctl_store_dir_set_aside(
	const struct ctl_store_dir *dir, char **ret_where, struct dp_err *reterr);

/* Rename PATH/FROM, complete and synced, to the store's file; durable when it returns 0. */
[[nodiscard]] int ctl_store_dir_adopt(
	const struct ctl_store_dir *dir, const char *from, struct dp_err *reterr);
