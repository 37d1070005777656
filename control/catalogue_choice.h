// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which catalogue is read at a start or at a reload: the configured file, or the copy of a version
 * that was put in force since. Only reads the disk; any thread. */

#include "control/catalogue_history.h"

/* Filled by ctl_versions_choose or ctl_versions_choose_again. */
struct ctl_versions_choice {
	uint32_t version; // 0: the configured file itself
	char *path; // owned: of the version's copy; NULL for the configured file
	enum ctl_history_what what; // of the line to write for the configured file
	char configured[CTL_SHA256_MAX]; // digest of the configured file; "" = cannot be read
	struct dp_err damage; // text "": none; else why a version that was in force is not taken
	struct dp_err
		mistake; // text "": none; else why the configured file is not, though it is newer
};

/* The newest wins: the configured file when it is not what it was when it was last taken, else what
 * the history has in force. folder: of the versions; NULL: there is none. Can be asked before the
 * store is opened. */
void ctl_versions_choose(
	const char *folder, const char *configured_path, struct ctl_versions_choice *ret_choice);
/* The version that the history has in force, whatever the configured file is: 0 where there is none whose copy is
 * sound. The next choice looks at the configured file again. */
void ctl_versions_choose_kept(const char *folder, struct ctl_versions_choice *ret_choice);
/* The version cannot be used, for this reason: the configured file is taken instead. */
void ctl_versions_refuse(struct ctl_versions_choice *choice, const char *why);
void ctl_versions_choice_fini(struct ctl_versions_choice *choice);

/* STORE/catalogues, owned by the caller. */
char *ctl_versions_folder(const char *store_path);

/* For catalogue_versions.c: the configured file; or this line's version, unless its copy is damaged. */
void ctl_choice_configured(struct ctl_versions_choice *choice, const char *path);
void ctl_choice_take(struct ctl_versions_choice *choice, const char *folder,
	const struct ctl_history_line *line);
/* Path of a version's copy, owned by the caller; and whether every byte of it is what it was: 0, or
 * -EBADMSG with a sentence. */
char *ctl_choice_copy(const char *folder, const struct ctl_history_line *line);
[[nodiscard]] int ctl_choice_look(
	const char *path, const struct ctl_history_line *line, struct dp_err *reterr);
