// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Server ports of apps: their text, and who has one that another has too. Private to apps_yaml.c. */

#include "classifier/catalogue.h"
#include "control/yaml.h"

#include <glib.h>

struct ctl_app_port {
	struct cls_port_def def;
	const char *app; // borrowed
	const struct ctl_yaml_node *node; // where it stands
};

/* "udp:53" or "udp:3478-3481". Returns 0 or -EINVAL. */
[[nodiscard]] int ctl_app_port_parse(const char *text, struct cls_port_def *ret);

/* NULL, or "expected ..." (static). */
const char *ctl_check_app_port(const char *text);

/* Each port that two have becomes a mistake at the later place. ports: struct ctl_app_port, of all apps;
 * sorted. */
void ctl_app_ports_check(const struct ctl_yaml *doc, GArray *ports);
