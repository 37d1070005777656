// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of a replay, as control/flow_lines gives them, to what control/unknown takes. */

#include "control/distinct.h"
#include "control/unknown.h"

#include "dataplane/err.h"

#include <jansson.h>

/* Of all flows, whatever their app. All zero is the empty one. */
struct ctl_flow_sum {
	uint64_t bytes, flows;
	struct ctl_distinct subscribers;
};

/* Count it in sum, and add it to unknown when it has no app or one by weak evidence alone. The server is the
 * side that is outside of nets, where the other one is inside; of a flow with both or none inside no
 * address is taken, for it may be a subscriber's. Returns 0, or -EPROTO with a sentence when it is no line
 * of `replay --flows`. */
[[nodiscard]] int ctl_unknown_add_flow(struct ctl_unknown *unknown,
	const struct dp_endpoint_nets *nets, const json_t *flow, struct ctl_flow_sum *sum,
	struct dp_err *reterr);

struct ctl_unknown_sum ctl_flow_sum_of(const struct ctl_flow_sum *sum);
void ctl_flow_sum_clear(struct ctl_flow_sum *sum);
