// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the two hashes of one subscriber in Redis say (docs/hashes.md): fields from profile, told
 * facts, rules and event time.
 *
 * Pure: reads the engine, changes nothing, knows no Redis. Control thread only. */

#include "control/engine.h"
#include "control/texts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Consent without which no app is named. */
#define CTL_PURPOSE_PROFILING "profiling"

struct ctl_hashes {
	struct ctl_texts usage; // of cycles that this node counts; earlier fields stay as they are
	struct ctl_texts profile; // the whole hash
	char cycle[12]; // "2026-11-01": the running one, "" = none yet
	unsigned month; // 202611: in which the cycle of now began
	bool is_profiled; // apps may be named
	uint64_t closed_ns; // begin of the newest cycle in usage that had closed; 0 = none
	uint64_t change_ns; // from here on they say otherwise, though nothing happens
};

void ctl_hashes_fini(struct ctl_hashes *hashes);

/* Fill hashes, all zero or used before, for a profile that has a person. */
void ctl_hashes_make(
	struct ctl_engine *engine, struct ctl_profile *profile, struct ctl_hashes *hashes);

/* "|name|name|": apps of the catalogue that are never named. Owned by the caller. */
char *ctl_hashes_unnamed(const struct ctl_engine *engine);
