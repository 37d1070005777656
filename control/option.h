// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The one table form for everything a user can write.
 *
 * Parser, checks, help and documentation come from these tables; a detector exports one for its
 * parameters, config.c holds those of wirecue.yaml. Values are written to a struct at `off`:
 *
 *   type        written as                      in YAML
 *   BOOL        bool                            true, false
 *   COUNT       uint64_t                        17, 4M, 512k (powers of ten)
 *   DURATION    uint64_t nanoseconds            100ms, 10min, 7d, 1 tick is not one
 *   SIZE        uint64_t bytes                  150MB, 2GB (10^n), 4MiB (2^n)
 *   RATE        uint64_t bit per second         200kbit, 2Gbit
 *   PERCENT     double                          80%, 1.5%
 *   STRING      char * owned, NULL when absent  text
 *   ENUM        int, index into values          one of values
 *   STRINGS     char ** owned, NULL-terminated, NULL when absent   [a, b] or a
 *   PERCENTS    GArray * of double, owned       [80%, 90%]
 *   HOURS       struct ctl_hours                18-24 (local hours, end exclusive; 22-6 wraps)
 *
 * A value without a unit where one is due is a mistake, and so is an unknown key. */

#include <stddef.h>
#include <stdint.h>

enum ctl_option_type {
	CTL_OPTION_BOOL,
	CTL_OPTION_COUNT,
	CTL_OPTION_DURATION,
	CTL_OPTION_SIZE,
	CTL_OPTION_RATE,
	CTL_OPTION_PERCENT,
	CTL_OPTION_STRING,
	CTL_OPTION_ENUM,
	CTL_OPTION_STRINGS,
	CTL_OPTION_PERCENTS,
	CTL_OPTION_HOURS,
	CTL_OPTION_TYPE_COUNT,
};

struct ctl_hours {
	uint8_t begin, end; // [begin, end) in local hours 0..24; begin == end means always
};

struct ctl_option {
	const char *name; // NULL ends a table
	enum ctl_option_type type;
	size_t off;
	const char *def; // as the user would write it; NULL = absent
	const char *min, *max; // likewise, inclusive; NULL = no bound
	const char *const *values; // ENUM: NULL-terminated
	bool required;
	const char *help; // one sentence
};
