// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Is everything of a store, or of a copy, as it was written? For the command line (store_guard.h). */

#include "control/store_backup.h"
#include "control/store_format.h"
#include "dataplane/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What there is. Numbers only: it lies in shared memory. */
struct ctl_store_survey {
	struct {
		uint64_t n_entries, n_bytes; // values without what the file needs around them
	} tables[CTL_TABLE_COUNT];
	uint64_t file_bytes, n_pages, n_free_pages;
	uint64_t format, tick_ns, created_ns;
	char node[CTL_STORE_NODE_MAX + 1];
	uint64_t watermark_ns; // everything before is in it; 0 = nothing yet
	uint64_t sequence; // given last; 0 = none yet
	uint64_t n_waiting, n_retained; // triggers not delivered yet, and kept behind delivery
	bool is_copy; // of a file, not a folder; then:
	struct ctl_backup_catalogues catalogues;
};

/* Reads every page that is in use, every checksum, every value, at most longest_s (0: no limit).
 * place: a folder or a file, as in store_reader.h; wirecue may be running. Draws a progress bar on
 * a terminal. Returns 0; -EBADMSG, -ENOENT and so on, or what ctl_store_guard() returns, with a
 * sentence. */
[[nodiscard]] int ctl_store_survey(const char *place, unsigned longest_s,
	struct ctl_store_survey *ret_report, struct dp_err *reterr);

/* One object; owned by the caller. */
json_t *ctl_store_survey_json(const struct ctl_store_survey *report);
