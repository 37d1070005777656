// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The view as data, for programs: `wirecue top --batch`, as text or JSON. Pure but for the stream. */

#include "control/top_view.h"

#include <stdio.h>

/* One object; owned by the caller. n_apps: most rows of apps, those with most bytes a second. */
json_t *ctl_top_json(const struct ctl_top_view *view, size_t n_apps);

/* Instead, while nobody answers: why, and who it was; now_ns: wall clock. Nothing is in it that was true once. */
json_t *ctl_top_json_away(const struct ctl_top_view *view, const char *why, uint64_t now_ns);

/* The same as text, a record a line: "TIME throughput wire_bps=…". A write error stays in out. */
void ctl_top_print(const json_t *object, FILE *out);
