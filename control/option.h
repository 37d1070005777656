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
 *   TIME        uint64_t ns since the epoch     2026-03-01T00:00:00Z (RFC 3339, zone required;
 *                                               later than the year 2262 is INT64_MAX)
 *
 * A value without a unit where one is due is a mistake, and so is an unknown key. */

#include <glib.h>
#include <stdbool.h>
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
	CTL_OPTION_TIME,
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
	/* What the type cannot say; of a list, called for each element. NULL, or one static sentence
	 * "expected ...". */
	const char *(*check)(const char *text);
	const char *env; // environment variable that overrides the file; NULL = none
	bool is_private; // identifies a person: the value is never part of a message
};

enum { CTL_EXPECTED_MAX = 320 };

static inline bool ctl_option_is_list(const struct ctl_option *option)
{
	return option->type == CTL_OPTION_STRINGS || option->type == CTL_OPTION_PERCENTS;
}

/* Read text as a value of the option and write it to base + off; an owned value that is there is
 * freed, a list gets one element more. Returns 0, or -EINVAL with one sentence "expected ..."
 * (the value untouched; text is no part of it). */
[[nodiscard]] int ctl_option_set(const struct ctl_option *option, const char *text, void *base,
	char reterr[CTL_EXPECTED_MAX]);

/* Free what the option owns and leave it absent. */
void ctl_option_clear(const struct ctl_option *option, void *base);

/* "expected a duration with a unit such as 10min (ms, s, min, h, d)" */
void ctl_option_expected(const struct ctl_option *option, char ret_text[CTL_EXPECTED_MAX]);

/* Write every default; base is zeroed memory. A default that does not parse is our mistake. */
void ctl_options_init(const struct ctl_option *options, void *base);
void ctl_options_fini(const struct ctl_option *options, void *base);

/* The table as rows of a markdown table: key, value with its range, default, meaning. */
void ctl_options_print_head(GString *out);
void ctl_options_print(const struct ctl_option *options, GString *out);
