// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What programs in the kernel counted while nobody was there to take it (ebpf/kept.h), into the first tick. Control
 * thread. */

#include "control/collect.h"
#include "control/keeper.h"
#include "dataplane/offload.h"

/* Once the path is open, before it starts. offload NULL: nothing is in front of it. *ret_is_whole: nothing passed
 * uncounted since the last stop. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_takeover(const struct dp_offload *offload, struct ctl_collect *collect,
	uint64_t now_ns, uint64_t tick_ns, bool *ret_is_whole, struct dp_err *reterr);

/* A tick ends then, and is given to the store next. */
void ctl_takeover_tick(const struct dp_offload *offload, uint64_t end_ns);

/* What the store has on the disk by now need not be kept in the kernel. */
void ctl_takeover_tend(const struct dp_offload *offload, const struct ctl_keeper *keeper);
