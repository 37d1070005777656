// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of the running daemon, as notes of them, to what control/unknown takes. Pure. */

#include "classifier/catalogue.h"
#include "control/unknown.h"
#include "control/unknown_flow.h"
#include "dataplane/record.h"

/* Count it in sum, and add it to unknown when by the catalogue it has no app, or one by weak evidence alone:
 * what ended before a rule for it came into force is not unknown any more. A flow that lives and is undecided
 * yet is in sum only. note: END or LIVING. */
void ctl_unknown_add_note(struct ctl_unknown *unknown, const struct cls_catalogue *catalogue,
	const struct dp_record *note, struct ctl_flow_sum *sum);
