// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Why a catalogue says what it says: for each name, address or port every rule that fits, which one wins, and what
 * was near where none does. Says what the classifier does (classifier/verdict.c), from the same tables.
 * Control thread only. */

#include "classifier/catalogue.h"
#include "classifier/oracle.h"
#include "control/asked.h"
#include "control/domain.h"

#include <glib.h>

struct ctl_explain {
	const struct cls_catalogue *catalogue;
	struct cls_oracle *library;
	const struct ctl_domains *domains;
	const char *path; // of the catalogue's file, for the places of its rules
};

/* One record (json_t *, owned by the array) a rule, in the order in which they were asked, the winner first:
 * host, verdict (read, wins, may, loses, ignored, unknown, near), strength, rule, app, category, tag, place, why. null where
 * there is none. Returns 0, or -errno with a sentence when the file cannot be read again. */
[[nodiscard]] int ctl_explain(const struct ctl_explain *by, const struct ctl_asked *asked,
	size_t n_asked, GPtrArray *ret_records, struct dp_err *reterr);
