// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Files of told facts. Several files tell of one person: entries are merged by identifier.
 *
 * Messages about these files never show a value that could identify a person. Any thread. */

#include "control/facts.h"
#include "control/mistakes.h"
#include "control/option.h"

struct ctl_told_env {
	const char *default_zone; // known to the tz database
	uint8_t ipv6_prefix_len; // of an IPv6 endpoint
	GHashTable *app_names; // set; NULL: names of apps are not checked
};

/* Read all files (NULL-terminated) and report every mistake. Returns 0 and *ret_facts (owned by the
 * caller), or -EINVAL after mistakes. */
[[nodiscard]] int ctl_told_load(const char *const *paths, const struct ctl_told_env *env,
	struct ctl_mistakes *mistakes, struct ctl_facts **ret_facts);

/* Likewise from memory, one file. */
[[nodiscard]] int ctl_told_parse(const char *name, const char *text, size_t len,
	const struct ctl_told_env *env, struct ctl_mistakes *mistakes,
	struct ctl_facts **ret_facts);
