// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/detector.h"

int ctl_config_load(const char *path, const struct ctl_config_overrides *overrides,
	ctl_mistake_fn *fn, void *ctx, struct ctl_config **ret_config)
{
	return ctl_config_load_with(path, overrides, ctl_detectors, fn, ctx, ret_config);
}
