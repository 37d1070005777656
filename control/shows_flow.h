// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One flow of the running daemon, for `wirecue apps wrong`: what it counts for and why, by a survey. For root and the
 * daemon's own user. Control thread only. */

#include "control/pipeline.h"
#include "control/request.h"

struct ctl_flow_finder;

/* pipeline is borrowed; it has a survey. */
struct ctl_flow_finder *ctl_flow_finder_new(struct ctl_pipeline *pipeline);
void ctl_flow_finder_free(struct ctl_flow_finder *finder); // ahead of the pipeline; NULL is fine

/* For ctl_show_table; ctx is a struct ctl_shows. args.arg: the flow (control/flow_seek.h). One record {"flow":{…} as of
 * `replay --flows`, "living":…, "version":…, "catalogue":"PATH"}; of several flows that word fits, of the one with
 * most bytes. An address that the question has not is "0.0.0.0" or "::" in it. */
void ctl_show_flow(void *ctx, const json_t *args, struct ctl_reply *reply);
