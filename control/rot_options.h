// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* When the rot alarm (control/rot.h) speaks: section `rot` of the configuration. */

#include <stdbool.h>
#include <stdint.h>

struct ctl_rot_options {
	bool enabled;
	double share, taken; // percent
	uint64_t floor_bytes; // expected in 24 hours, under which an app is not judged
	uint64_t n_endpoints; // likewise
};
