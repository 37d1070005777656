// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `wirecue show flows`: single flows of the running daemon, those with most bytes.
 *
 * For root and the daemon's own user. Who the subscriber is stands there as the pseudonym of his address,
 * unless the question named the address or privacy.subject is plain. Control thread only. */

#include "control/pipeline.h"
#include "control/request.h"

enum { CTL_SHOWN_FLOWS_MAX = 10000 };

struct ctl_shown_flows;

/* pipeline is borrowed; it has a survey. */
struct ctl_shown_flows *ctl_shown_flows_new(struct ctl_pipeline *pipeline);
void ctl_shown_flows_free(struct ctl_shown_flows *flows); // ahead of the pipeline; NULL is fine

/* Now and then: drops answers that nobody has asked for lately. */
void ctl_shown_flows_tend(struct ctl_shown_flows *flows);

/* ctx is a struct ctl_shows. */
void ctl_show_flows(void *ctx, const json_t *args, struct ctl_reply *reply);
extern const struct ctl_show_option ctl_show_flows_options[];

/* Rows that args.top asks for; n where it does not, 0 and a failed reply where it says nonsense. */
size_t ctl_shown_rows(const json_t *args, size_t n, struct ctl_reply *reply);
