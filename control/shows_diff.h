// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the staged catalogue would change, on the control socket (control/live_diff.h). For ctl_show_table, where ctx is a
 * struct ctl_shows. Control thread only. */

#include "control/request.h"

/* Without args.arg: goes through all flows, and one record of what was looked at, with the number `diff`. args.arg: that
 * number; a record for each change. No flow and no address is in either. */
void ctl_show_diff(void *ctx, const json_t *args, struct ctl_reply *reply);
