// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Where flows wait for their end: inside of the flow table, called by dataplane/flow.c only. */

#include "dataplane/flow.h"

/* Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_flow_wheels_init(struct dp_flow_table *t);
void dp_flow_wheels_fini(struct dp_flow_table *t);

/* The wheels are empty: nothing happened before now_ns. */
void dp_flow_wheels_start(struct dp_flow_table *t, uint64_t now_ns);

/* The flow's life and last_ns say where. */
void dp_flow_wheels_link(struct dp_flow_table *t, uint32_t flow);
void dp_flow_wheels_unlink(struct dp_flow_table *t, uint32_t flow);
