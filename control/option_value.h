// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Text of one value to its number. Pure: no table, no file. */

#include "control/option.h"

struct ctl_value {
	uint64_t u64; // BOOL, COUNT, DURATION (ns), SIZE (bytes), RATE (bit/s), TIME (ns)
	double percent; // PERCENT, PERCENTS
	struct ctl_hours hours;
};

/* type is any but ENUM; a STRING only has to be not empty. Returns 0 or -EINVAL. ret_value's other
 * members are 0, so that two values of one type compare member by member. */
[[nodiscard]] int ctl_value_parse(
	enum ctl_option_type type, const char *text, struct ctl_value *ret_value);
