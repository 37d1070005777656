// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a configuration means for the EAL and the packet path: devices, CPUs, threads. Nothing is
 * started here, so that `run --dry` says what `run` does. */

#include "control/config.h"
#include "control/way.h"
#include "dataplane/eal.h"
#include "dataplane/path.h"

enum { CTL_WORKERS_MAX = 64 };

struct ctl_plan {
	struct ctl_way *ways; // owned, of ports; NULL for captures
	char **devices; // owned, of ports: as the EAL is told them, or an interface for XDP; likewise
	const char **eal_devices; // owned, NULL-terminated: of them those that are DPDK's
	char **cpus; // owned: main's, those of ports' threads, the workers'; "" where none was chosen
	struct dp_path_port *ports; // owned
	char *refusal; // owned: why ports are refused (control/offload.h), or NULL
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

/* For `run --dry`: what the EAL would be started with (NULL when memory runs out), and which thread
 * would run where, a line each. Owned by the caller. */
void ctl_plan_describe(const struct ctl_config *config, char **ret_eal, char **ret_threads);
