// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A detector: one file, one vtable, one line in ctl_detectors. */

#include "control/config.h"
#include "control/option.h"

struct ctl_detector {
	const char *name; // `detect:` in a rule
	const char *help;
	const struct ctl_option *params; // table over the params struct
	size_t params_size;
	/* What a table cannot say (values that exclude each other). Returns NULL or one static
	 * sentence "expected ..." for the rule as a whole. */
	const char *(*check)(const struct ctl_rule *rule, const struct cls_catalogue *catalogue);
};

extern const struct ctl_detector *const ctl_detectors[]; // NULL-terminated
