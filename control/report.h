// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a replay tells at its end: one JSON object, or the same for people. Of subscribers there may be millions
 * of rows: for people each is written as it comes. */

#include "control/pipeline.h"

#include <jansson.h>
#include <stdio.h>

struct ctl_timing {
	uint64_t worker_cpu_ns;
	uint64_t elapsed_ms;
};

/* The flow log is sealed. timing NULL: not asked for. Owned by the caller. */
json_t *ctl_report_json(struct ctl_pipeline *p, const struct ctl_timing *timing);

/* One record a line. Likewise; returns 0 or -errno. */
[[nodiscard]] int ctl_report_print(
	struct ctl_pipeline *p, const struct ctl_timing *timing, FILE *out);
