// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The versions of the catalogue as one stream of bytes: what a backup of the store has of them.
 *
 *   wirecue-catalogues 1 NL
 *   file SIZE LENGTH NL NAME NL BYTES     the history, then each version's copy, in rising order
 *   …                                     (its catalogue first, its hosts files sorted by name)
 *   end SHA256 NL                         of all before this line
 *
 * SIZE of BYTES and LENGTH of NAME are decimal; NAME is "history" or "000003/lists/video.txt". Instead of
 * files there may be one line `absent`: they could not be read when the backup was made. Every copy must
 * be what the history says of it (catalogue_files.h), so a bundle is sound or refused.
 *
 * Both ways wait for the disk and take memory by the number of files, not of bytes. Any thread. */

#include "control/apps_files.h"
#include "dataplane/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CTL_BUNDLE_HEAD "wirecue-catalogues 1\n"

enum {
	CTL_BUNDLE_VERSIONS_MAX = 100, // of a bundle; CTL_VERSIONS_KEPT and some are made
	CTL_BUNDLE_NAME_MAX = 7 + 255, // bytes: a version's folder, a file's path in it
	CTL_BUNDLE_FILES_MAX = 1 + CTL_HOSTS_FILES_MAX, // of a version
	CTL_BUNDLE_VERSION_BYTES_MAX = CTL_YAML_BYTES_MAX + CTL_HOSTS_BYTES_MAX,
	CTL_BUNDLE_FAULT_MAX = 200,
};

struct ctl_bundle_report {
	bool is_there; // the versions are in it; false: they could not be read
	uint32_t n_lines; // of the history
	uint32_t n_versions; // that have a copy in it
	uint32_t in_force; // of the last line; 0 = no line
	uint64_t n_bytes; // of the whole bundle
	uint32_t n_left_out; // damaged lines and copies, only when written
	char fault
		[CTL_BUNDLE_FAULT_MAX]; // why there is nothing, or what was left out first; "" = nothing
};

/* Write a bundle of STORE/catalogues to fd; -1: nowhere, only to look. A daemon may commit meanwhile: what
 * the history said at the beginning counts, and versions never change. What is damaged is left out, and
 * reported. Returns 0; -EAGAIN: a version that was sound is gone; -errno: cannot be written; with a
 * sentence. */
[[nodiscard]] int ctl_bundle_write(
	const char *folder, int fd, struct ctl_bundle_report *ret_report, struct dp_err *reterr);

/* Check what follows in a stream, to its end. to: a new folder (made here, mode 0700) that gets the files,
 * durably but for its own name, of this owner where we are root; NULL: only check. What was written stays
 * when it fails. Returns 0, or -EBADMSG or -errno with a sentence. */
[[nodiscard]] int ctl_bundle_read(FILE *in, const char *to, uid_t uid, gid_t gid,
	struct ctl_bundle_report *ret_report, struct dp_err *reterr);
