// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What apps_yaml.c read, and the catalogue made of it. Private to those two. */

#include "control/apps_yaml.h"

struct ctl_app_host {
	const char *host; // borrowed from the document
	const char *tag; // likewise, NULL = none
};

/* What the table reads. The lists are read a second time, node by node, because a claim needs its
 * position; the table checks their form. */
struct ctl_app {
	char *name, *category;
	char **ndpi, **hosts, **nets, **ports;
	GArray *host_defs; // struct ctl_app_host
	GArray *net_defs; // struct dp_prefix
	GArray *port_defs; // struct cls_port_def
};

/* apps: struct ctl_app *, free of mistakes. What the classifier refuses nevertheless is reported. */
[[nodiscard]] int ctl_apps_build(const struct ctl_yaml *doc, const GPtrArray *apps,
	struct ctl_dict *app_ids, struct ctl_dict *tag_ids, struct cls_catalogue **ret_catalogue);
