// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A catalogue as it lies on the disk: its file, and the hosts files that it names (apps_files.h).
 *
 * What tells one from another is a digest of all their bytes: of the file alone what `sha256sum
 * FILE` prints, with hosts files the SHA-256 of what `sha256sum FILE HOSTSFILE...` prints in that
 * folder, those sorted by name. Reads the disk; any thread. */

#include "dataplane/err.h"

#include <glib.h>
#include <stdbool.h>

enum {
	CTL_SHA256_MAX = 65, // lower-case hex, NUL included
	CTL_SHA256_SHOWN = 12, // digits that people see: enough to tell versions apart
};

/* is_kept: a copy of ours, in which a symbolic link is damage. Returns 0, or -errno with a sentence
 * when a file is missing, no ordinary file or cannot be read. */
[[nodiscard]] int ctl_catalogue_digest(
	const char *path, bool is_kept, char ret_sha256[CTL_SHA256_MAX], struct dp_err *reterr);

/* Copy to the folder `to` (made here, mode 0700, must not exist), under the same names. Durable, but
 * for the folder's own name, when it returns 0; the digest is of what was written. Returns -errno with
 * a sentence; *ret_is_source then tells whether it is the original that cannot be read. What was
 * written until then stays. */
[[nodiscard]] int ctl_catalogue_copy(const char *path, const char *to,
	char ret_sha256[CTL_SHA256_MAX], bool *ret_is_source, struct dp_err *reterr);

/* The digest of files whose lines are these, not none: as sha256sum(1) prints them, the catalogue's first. */
void ctl_catalogue_digest_of(const GString *sums, char ret_sha256[CTL_SHA256_MAX]);
