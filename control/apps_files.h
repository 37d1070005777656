// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Hosts files: which ones a catalogue names, and how they are opened.
 *
 * A hosts file is named by its path relative to the folder that the catalogue's path says (where a link to
 * the catalogue stands, not where it leads to) and lies in that folder or below: so a catalogue and its
 * hosts files can be copied as one. Links on the way may lead to within the folder and nowhere else; the kernel
 * sees to that (openat2, Linux 5.6). Any thread. */

#include "control/yaml.h"
#include "dataplane/err.h"

#include <glib.h>

enum {
	CTL_HOSTS_BYTES_MAX = 256 * 1024 * 1024, // of all hosts files of a catalogue together
	CTL_HOSTS_FILES_MAX = 1000, // of a catalogue: each is opened, copied and counted
};

/* Whether text may name a hosts file: NULL, or "expected ..." (static). */
const char *ctl_check_hosts_file(const char *text);

/* The hosts files that a catalogue names, as written there, each once and in its order: char *, the caller
 * unrefs the array. Names that ctl_check_hosts_file() refuses are left out; nothing else is checked, and
 * nothing is reported. doc: any document, without a root as well. */
GPtrArray *ctl_apps_files(const struct ctl_yaml *doc);

/* Open a hosts file for reading. catalogue: its path; name: as ctl_apps_files() has it. Returns the file
 * descriptor (the caller's), or -errno and a sentence that begins with the name and says what would be right:
 * -EXDEV when a link leads out of the folder, -EINVAL when it is no regular file. */
[[nodiscard]] int ctl_apps_file_open(
	const char *catalogue, const char *name, struct dp_err *reterr);

/* All of it, at most max bytes, and one byte behind that may be written. Returns the number of bytes and the
 * memory (g_free), or -errno and a sentence: -EFBIG when it has more. */
[[nodiscard]] ssize_t ctl_apps_file_read(const char *catalogue, const char *name, size_t max,
	char **ret_text, struct dp_err *reterr);
