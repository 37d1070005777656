// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which version of the catalogue was put in force when, by whom and why.
 *
 * A file `history`, one JSON object a line, oldest first; the last line is in force:
 *
 *   {"version":3,"time":"2026-03-01T18:00:00.000Z","what":"committed","who":"root","why":"new CDN",
 *    "file":"/etc/wirecue/apps.yaml","sha256":"…","configured":"…"}
 *
 * It is never changed in place: a new file takes its place. So a line that cannot be read is damage.
 * Parsing and asking know no disk. Any thread, one at a time. */

#include "control/catalogue_files.h"
#include "control/utc.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum ctl_history_what {
	CTL_HISTORY_STARTED, // the configured file, when there was no history
	CTL_HISTORY_FILE, // the configured file, which had changed
	CTL_HISTORY_COMMITTED,
	CTL_HISTORY_ROLLED_BACK,
	CTL_HISTORY_WHAT_COUNT
};
extern const char *const ctl_history_what_names[]; // "started" ..., NULL-terminated

enum {
	CTL_HISTORY_LINES_MAX = 1000, // older ones are forgotten
	CTL_HISTORY_BYTES_MAX = 8 << 20, // of a file that is read
	CTL_HISTORY_WHY_MAX = 500, // bytes
	CTL_HISTORY_VERSION_MAX = 999999, // six digits
};

struct ctl_history_line {
	uint32_t version; // 1..CTL_HISTORY_VERSION_MAX
	enum ctl_history_what what;
	char time[CTL_UTC_MAX];
	char *who; // a user's name or number; "" = nobody: a file had changed
	char *why; // "" = not given
	char *file; // whose copy it is
	char sha256[CTL_SHA256_MAX]; // of the version
	char configured
		[CTL_SHA256_MAX]; // of the configured file when it was last taken; "" = never
};

struct ctl_history {
	GPtrArray *lines; // struct ctl_history_line *, owned
	size_t n_damaged; // lines that could not be read
	bool is_end_damaged; // the last one is among them: nobody knows what is in force
};

void ctl_history_init(struct ctl_history *history);
void ctl_history_fini(struct ctl_history *history); // zeroed memory is fine

/* Add what the text says, any bytes. */
void ctl_history_parse(struct ctl_history *history, const char *text, size_t len);

/* Add the lines as text. False when one has a text that is not UTF-8. */
[[nodiscard]] bool ctl_history_format(const struct ctl_history *history, GString *ret_text);

/* ctl_history_parse of FOLDER/history; a file that is missing says nothing. Symbolic links are not
 * followed. Returns 0, or -errno with a sentence when the file cannot be read. */
[[nodiscard]] int ctl_history_read(
	struct ctl_history *history, const char *folder, struct dp_err *reterr);

/* Put the lines in the place of what is there, durably. What was damaged stays as `history.damaged`.
 * Returns -errno with a sentence, and the old file is in its place again. */
[[nodiscard]] int ctl_history_write(
	const struct ctl_history *history, const char *folder, struct dp_err *reterr);

/* Add a line with the time of now. The first of too many goes. */
void ctl_history_add(struct ctl_history *history, const struct ctl_history_line *line);
/* Take the last one back. */
void ctl_history_drop(struct ctl_history *history);

/* The last line; NULL when there is none or it is damaged. */
const struct ctl_history_line *ctl_history_in_force(const struct ctl_history *history);

/* The last line that speaks of this version, or NULL. */
const struct ctl_history_line *ctl_history_find(
	const struct ctl_history *history, uint32_t version);

/* What was in force before this version was made: what a rollback goes back to, so that rolling back
 * twice goes back two changes. 0 = nothing. */
uint32_t ctl_history_before(const struct ctl_history *history, uint32_t version);

/* The file's name without its folder, for the copy. */
const char *ctl_history_file_name(const struct ctl_history_line *line);

/* {"version":…,"in_force":…,"time":…,"what":…,"who":…,"sha256":…,"file":…,"why":…}; what is absent is
 * null. Owned by the caller. */
json_t *ctl_history_row(const struct ctl_history_line *line, bool is_in_force);
