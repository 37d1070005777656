// SPDX-License-Identifier: BSD-3-Clause
#include "control/detector.h"

#include <string.h>

const struct ctl_detector *const ctl_detectors[] = {
	&ctl_det_app_session,
	&ctl_det_competitor,
	&ctl_det_near_cap,
	NULL,
};

const struct ctl_detector *ctl_detector_find(const void *name, size_t len)
{
	for (size_t i = 0; ctl_detectors[i] != NULL; i++)
		if (strlen(ctl_detectors[i]->name) == len &&
			memcmp(ctl_detectors[i]->name, name, len) == 0)
			return ctl_detectors[i];
	return NULL;
}
