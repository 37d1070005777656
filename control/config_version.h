// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The configuration with the version of the catalogue that is in force
 * (control/catalogue_versions.h). Any thread that ctl_config_load is for. */

#include "control/catalogue_versions.h"
#include "control/config.h"

/* Like ctl_config_load, with what ctl_versions_choose_again chose. ret_choice: written in each case, ended with
 * ctl_versions_choice_fini(). A version that was in force and is damaged is not read, see
 * ret_choice->damage. versions NULL: those in the store's folder, as ctl_versions_choose has them. */
[[nodiscard]] int ctl_config_load_version(const char *path,
	const struct ctl_config_overrides *overrides, struct ctl_versions *versions,
	ctl_mistake_fn *fn, void *ctx, struct ctl_versions_choice *ret_choice,
	struct ctl_config **ret_config);

/* Likewise with what ctl_versions_choose chose in the store, at a start, which no catalogue keeps from going on while there
 * is a good one: where a version cannot be used (it has mistakes, or rules and told facts name an app that it has
 * not), the configured file is read instead, and ret_choice->damage says why; where the configured file is newer and cannot be
 * used, the version that was in force stays, and ret_choice->mistake says why. */
[[nodiscard]] int ctl_config_load_start(const char *path,
	const struct ctl_config_overrides *overrides, ctl_mistake_fn *fn, void *ctx,
	struct ctl_versions_choice *ret_choice, struct ctl_config **ret_config);
