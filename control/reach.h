// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How far a survey reached, as the last record of an answer: {"summary":"SENTENCE", …}. Pure. */

#include "control/survey.h"

#include <jansson.h>

/* "12 flows of 5321 (4000 live, 1321 ended since 2026-…Z); 3 missed": of how many that were found. Adds
 * living, ended, missed, since, seconds behind what the record has, and summary in front of it.
 * Returns a new record, owned by the caller; record is given. NULL: no memory. */
json_t *ctl_reach_record(
	const struct ctl_survey_reach *reach, uint64_t n_found, const char *what, json_t *record);
