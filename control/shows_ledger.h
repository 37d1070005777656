// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The ledger as `wirecue show ledger` has it: rows {"part":…,"what":…,"count":…,"unit":…,"meaning":…}.
 *
 * Parts are total, port:NAME, worker:N, encapsulation:NAME, fragments, copies and tcp, in this order.
 * Rows of total, fragments, copies and tcp are always there; of the others those that are not zero. */

#include "control/pipeline.h"

#include <jansson.h>
#include <stdbool.h>

/* part NULL: all; "port" or "port:NAME": what belongs to it, none where there is no such part. Owned
 * by the caller. Control thread only. */
json_t *ctl_ledger_json(struct ctl_pipeline *pipeline, const char *part);

/* Whether it names parts, though there may be none of it now. */
bool ctl_ledger_is_part(const char *word);
