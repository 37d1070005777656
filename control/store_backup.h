// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a backup is: a compact copy of the store's file, and behind its last page the versions of the
 * catalogue as a bundle (catalogue_bundle.h). A mark in the first page, where LMDB has nothing, says that one
 * follows: so a backup that was cut off just before it is not taken for one of an older wirecue, without it.
 * LMDB, and a wirecue that knows no bundles, see the copy alone. For the command line, like store_copy.h. */

#include "control/catalogue_bundle.h"
#include "dataplane/err.h"

#include <stdbool.h>

struct ctl_backup_catalogues {
	bool has_bundle; // false: of an older wirecue, or a file that is no backup
	struct ctl_bundle_report bundle;
};

/* Of the store at place, to fd; wirecue may be running. Returns as ctl_store_guard(). */
[[nodiscard]] int ctl_store_backup(const char *place, int fd, unsigned longest_s,
	struct ctl_bundle_report *ret_bundle, struct dp_err *reterr);

/* The other way: the copy to fd, without its mark; the bundle, if there is one, to the new folder `to`,
 * whose owner will be that of the folder `like`. Returns as ctl_store_guard(). */
[[nodiscard]] int ctl_store_unpack(const char *file, int fd, const char *to, const char *like,
	struct ctl_backup_catalogues *ret_catalogues, struct dp_err *reterr);

/* Read a backup's bundle. Returns 0, or -errno with a sentence: -EBADMSG when it is damaged, or not there though
 * the mark says so, or there without one. */
[[nodiscard]] int ctl_store_backup_check(
	const char *file, struct ctl_backup_catalogues *ret_catalogues, struct dp_err *reterr);
