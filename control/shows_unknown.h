// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `wirecue show unknown`, and `apps unknown` of the running daemon: what has no app, by what an engineer could
 * make a rule of (control/unknown.h). No name that fewer than three endpoints have shown. Control thread only. */

#include "control/pipeline.h"
#include "control/request.h"

enum { CTL_SHOWN_UNKNOWN = 40 }; // rows, without --top

struct ctl_shown_unknown;

/* pipeline is borrowed; it has a survey. */
struct ctl_shown_unknown *ctl_shown_unknown_new(struct ctl_pipeline *pipeline);
void ctl_shown_unknown_free(
	struct ctl_shown_unknown *unknown); // ahead of the pipeline; NULL is fine

/* Now and then: drops answers that nobody has asked for lately. */
void ctl_shown_unknown_tend(struct ctl_shown_unknown *unknown);

/* ctx is a struct ctl_shows. args.draft, with how far entries are indented: {"line":…} each of entries for the
 * catalogue, instead of rows. */
void ctl_show_unknown(void *ctx, const json_t *args, struct ctl_reply *reply);
extern const struct ctl_show_option ctl_show_unknown_options[];
