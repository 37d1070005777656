// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Rows of control/unknown.h as records, the same of captures and of the running daemon:
 *
 *   {"bytes":…,"flows":…,"subscribers":…,"weak_bytes":…,"kind":"host","what":…,"port":…,"proto":…,"app":…,
 *    "domain":…,"examples":[…]}
 *
 * and sums, of kind others, unknown and all, with the first five keys. */

#include "control/unknown.h"

#include <jansson.h>

json_t *ctl_unknown_record(const struct ctl_unknown_row *row);
json_t *ctl_unknown_sum_record(const char *kind, const struct ctl_unknown_sum *sum);

/* For a table: each has all columns, examples are one text, a domain that says nothing new is left out. */
void ctl_unknown_record_to_text(json_t *record);
