// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The versions of the catalogue that come back together with the store's file, though they are a folder
 * beside it:
 *
 *   catalogues.next      the new folder, complete and synced
 *   catalogues.restore   "INODE ASIDE": which file of the store it waits for, and where the present
 *                        folder goes then
 *
 * Once the store's file is that one, its rename being the one step that decides, the folder is what counts:
 * whoever is the store's writer next puts it in place, before anybody reads it. Before that, it is nothing
 * and is removed. */

#include "dataplane/err.h"

#include <sys/types.h>

/* STORE/catalogues.next; owned by the caller. */
char *ctl_versions_next_folder(const char *store_path);

/* The folder is complete, and waits for the store's file with this inode. aside: "before-restore-…", a folder in
 * that of the store. Durable when it returns 0; else -errno with a sentence. The store's writer only, like the
 * next one. */
[[nodiscard]] int ctl_versions_restore_ready(
	const char *store_path, ino_t inode, const char *aside, struct dp_err *reterr);

/* Put the folder in place if it is its turn, else remove it. Does nothing when there is none. Returns 0, or
 * -errno with a sentence; to be tried again then. */
[[nodiscard]] int ctl_versions_restore_finish(const char *store_path, struct dp_err *reterr);

/* The same by somebody who is not the writer, who becomes it meanwhile: before a start. Where another one is, or
 * when it fails, everything stays for the next. */
void ctl_versions_restore_recover(const char *store_path);
