// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The versions of the catalogue on the disk, in a folder `catalogues` of the store:
 *
 *   history        what was in force when (control/catalogue_history.h); its last line decides
 *   000001/ …      a copy of each version: the catalogue's file and its hosts files
 *   staged/        what was staged last; nobody's after a restart
 *
 * The history is replaced in one step, so a crash leaves the old version in force or the new one.
 * Without a store the folder is a temporary one and ends with the process.
 *
 * What changes something waits for the disk and belongs into one thread at a time; what only asks is
 * for any thread meanwhile. Nothing here looks into a catalogue. */

#include "control/catalogue_choice.h"

#include <jansson.h>

enum { CTL_VERSIONS_KEPT = 20 }; // copies; start value

struct ctl_versions;

/* ctl_versions_choose in a process that knows what is in force. */
void ctl_versions_choose_again(struct ctl_versions *versions, const char *configured_path,
	struct ctl_versions_choice *ret_choice);

/* store_path: the folder of an open store, or NULL: a temporary folder (where there is no room for one
 * either, each change fails and says so). Removes what a crash has left over. Returns 0, or -errno with
 * a sentence; never without a store. */
[[nodiscard]] int ctl_versions_open(
	const char *store_path, struct ctl_versions **ret_versions, struct dp_err *reterr);
void ctl_versions_close(struct ctl_versions *versions); // NULL is fine

/* Any thread. */
bool ctl_versions_are_kept(const struct ctl_versions *versions); // a restart remembers them
uint32_t ctl_versions_in_force(struct ctl_versions *versions); // 0: what is in force has no copy
bool ctl_versions_is_in_force(struct ctl_versions *versions, const char *sha256);
uint32_t ctl_versions_before(struct ctl_versions *versions); // what a rollback takes; 0 = none
uint32_t ctl_versions_next(struct ctl_versions *versions); // the number of a new one
/* Lines of the history, newest first, from the one with index `from` (0 = newest); each as ctl_history_row() has it.
 * fn returns false when it wants no more. */
void ctl_versions_each(struct ctl_versions *versions, size_t from,
	bool (*fn)(void *ctx, size_t i, json_t *given), void *ctx);

/* What is in force was chosen and read: write a line and make a copy, unless it is in the history.
 * configured_path: of the configured file, which must still be what was read. When that fails, with a
 * sentence, it is in force all the same, without a copy (version 0). */
[[nodiscard]] int ctl_versions_take(struct ctl_versions *versions,
	const struct ctl_versions_choice *choice, const char *configured_path,
	struct dp_err *reterr);

/* Copy a catalogue to be looked at. *ret_copy: path of the copy's file, owned by the caller. Until
 * ctl_versions_stage_end(), which decides whether it becomes what is staged. Returns -errno with a
 * sentence; *ret_is_source then tells whether the original cannot be read. */
[[nodiscard]] int ctl_versions_stage_begin(struct ctl_versions *versions, const char *path,
	char **ret_copy, bool *ret_is_source, struct dp_err *reterr);
[[nodiscard]] int ctl_versions_stage_end(
	struct ctl_versions *versions, bool is_good, struct dp_err *reterr);

/* Of what is staged; "" and false when nothing is. *ret_file: owned by the caller; NULL: not asked. */
bool ctl_versions_staged(
	struct ctl_versions *versions, char ret_sha256[CTL_SHA256_MAX], char **ret_file);

/* What is staged is in force from here on: durable when it returns 0. Else nothing has changed. */
[[nodiscard]] int ctl_versions_commit(struct ctl_versions *versions, const char *who,
	const char *why, uint32_t *ret_version, struct dp_err *reterr);

/* Where the copy of a version lies, after looking that every byte of it is what it was. *ret_copy:
 * owned by the caller. */
[[nodiscard]] int ctl_versions_find(struct ctl_versions *versions, uint32_t version,
	char **ret_copy, char ret_sha256[CTL_SHA256_MAX], struct dp_err *reterr);

/* Where the copy of a version lies, without a look at it; NULL: it has none. Any thread; owned by the caller. */
char *ctl_versions_copy(struct ctl_versions *versions, uint32_t version);

/* That version is in force again: durable when it returns 0. */
[[nodiscard]] int ctl_versions_roll_back(struct ctl_versions *versions, uint32_t version,
	const char *who, const char *why, struct dp_err *reterr);
