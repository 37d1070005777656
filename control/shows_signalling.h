// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* `wirecue show signalling`: what messages said, and what became of it. Control thread only. */

#include "control/pipeline.h"

#include <jansson.h>

/* [{"what":…,"count":…,"meaning":…}]; empty where no signalling is read. Owned by the caller. */
json_t *ctl_signalling_rows(struct ctl_pipeline *pipeline);
