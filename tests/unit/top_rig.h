// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Answers of a daemon, as text, and what `wirecue top` makes of them. */

#include "control/top_model.h"

/* {"node":[{…}],"ports":[{…},…],…}: what each `show` answers; the event time is the same before and after
 * apps were asked for. Fails the test when it is no JSON. Owned by the caller. */
struct ctl_top_sample *top_sample(const char *json);

/* The daemon "lab" of process `pid`, started at 18:00:00, after uptime_ms of it; rest: further members as
 * above, from ',' on, or "". */
struct ctl_top_sample *top_sample_at(int pid, int uptime_ms, const char *rest);

/* A node with everything: three ports (one down, one that loses), two workers, five apps, triggers,
 * Redis away, gaps, a swap under way. after_ms of it: counters have grown as if steadily. */
struct ctl_top_sample *top_busy_sample(int after_ms);
