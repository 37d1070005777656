// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a catalogue's files say, host by host, with its place: for who explains a verdict or looks for what is
 * near. The catalogue that is matched against (classifier/catalogue.h) knows no places. Control thread only. */

#include "dataplane/err.h"

#include <stdint.h>

enum ctl_entry_kind { CTL_ENTRY_HOST, CTL_ENTRY_NDPI, CTL_ENTRY_NET, CTL_ENTRY_PORT };

/* Everything is borrowed during the call. */
struct ctl_entry {
	enum ctl_entry_kind kind;
	const char
		*text; // as it is written: "netflix.com", "NetFlix", "10.0.0.0/8", "udp:3478-3481"
	const char *app, *category;
	const char *tag; // of a host; NULL: none
	const char *file; // as messages name it
	uint32_t line, column; // from 1
};

typedef void ctl_entry_fn(void *ctx, const struct ctl_entry *entry);

/* Call fn for each entry of the catalogue at `path` and of its hosts files, in their order. What is none is passed
 * over: mistakes are for ctl_apps_load(). Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_entries_read(
	const char *path, ctl_entry_fn *fn, void *ctx, struct dp_err *reterr);
