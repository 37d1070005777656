// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `wirecue show rot`: control/rot.h over the socket. Control thread only. */

#include "control/pipeline.h"

#include <jansson.h>

/* The rows of all apps, in front of them one that says whether it is watching; or those of one app, with
 * their drafts. Owned by the caller. */
json_t *ctl_rot_rows(const struct ctl_pipeline *pipeline, const char *app);
