// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Where frames are lost, how many a second, and since when it goes on. Pure; remembers by the place's
 * name what it saw before. */

#include "control/top_view.h"

struct ctl_top_losses {
	GHashTable *places; // owned: name -> when it grew; NULL: nothing known
};

void ctl_top_losses_fini(struct ctl_top_losses *losses);

/* Take the ledger of a sample; before is the one of the same process before it, or NULL. Writes
 * losses, outcomes and what is lost in all to view; reads view->seconds. */
void ctl_top_losses_take(struct ctl_top_losses *losses, const struct ctl_top_sample *before,
	const struct ctl_top_sample *now, struct ctl_top_view *view);
