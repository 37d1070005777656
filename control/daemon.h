// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The running appliance: event loop, ports, Redis, control socket, signals. The main thread. */

#include "control/catalogue_versions.h"
#include "control/config.h"
#include "dataplane/err.h"

#include <stdbool.h>

struct ctl_daemon_config {
	const char *path; // of wirecue.yaml, read again on SIGHUP
	struct ctl_config_overrides overrides; // stand over every reading
	struct ctl_config *config; // given: the first reading
	struct ctl_versions_choice apps; // which catalogue that has; borrowed
};

/* Hold SIGHUP back, so that one that comes before the daemon can reload does not end the process;
 * ctl_daemon_run lets it through when it can. */
void ctl_daemon_hold_reloads(bool is_held);

/* Run until SIGTERM or SIGINT. Returns 0 when stopped in order, or -errno with a sentence. */
[[nodiscard]] int ctl_daemon_run(const struct ctl_daemon_config *config, struct dp_err *reterr);
