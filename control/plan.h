// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a configuration means for the EAL and the packet path: devices, CPUs, threads. Nothing is
 * started here, so that `run --dry` says what `run` does. */

#include "control/config.h"
#include "dataplane/eal.h"
#include "dataplane/path.h"

enum { CTL_WORKERS_MAX = 64 };

struct ctl_plan {
	char **devices; // owned, as the EAL is told them; NULL for captures
	char **cpus; // owned: main's, those of ports' threads, the workers'; "" where none was chosen
	struct dp_path_port *ports; // owned
	struct dp_path_config path; // without stages
	struct dp_eal_config eal;
};

/* How many workers: one for each CPU that ports and control leave, or what was asked for. */
uint16_t ctl_plan_workers(const struct ctl_config *config, bool is_live);

/* captures NULL: live. Borrows from config and captures until ctl_plan_fini; what ports ignore is
 * borrowed by the path, too. */
void ctl_plan_make(struct ctl_plan *ret_plan, const struct ctl_config *config,
	const char *const *captures, size_t n_captures, uint16_t n_workers);
void ctl_plan_fini(struct ctl_plan *plan);

/* Which thread runs where, a line each; owned by the caller. For a live plan. */
char *ctl_plan_threads(const struct ctl_plan *plan, const struct ctl_config *config);
