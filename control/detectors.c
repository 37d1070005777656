// SPDX-License-Identifier: BSD-3-Clause
#include "control/detector.h"

const struct ctl_detector *const ctl_detectors[] = {
	&ctl_det_app_session,
	&ctl_det_competitor,
	&ctl_det_near_cap,
	NULL,
};
