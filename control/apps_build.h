// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What apps_yaml.c read, and the catalogue made of it. Private to those two. */

#include "control/apps_hosts.h"
#include "control/apps_yaml.h"

/* One entry. The lists of all apps lie in one array of each kind, an app's behind each other. */
struct ctl_app {
	char *name, *category, *hosts_file; // what the table reads; owned
	size_t ndpi_begin; // NULL-terminated
	size_t host_begin, n_hosts;
	size_t net_begin, n_nets;
	size_t port_begin, n_ports;
};

struct ctl_apps_raw {
	GArray *apps; // struct ctl_app
	GPtrArray *ndpi; // const char *, borrowed from the document, a NULL behind each app's
	struct ctl_hosts *hosts; // borrowed from the document and from texts
	GArray *nets; // struct dp_prefix
	GArray *ports; // struct cls_port_def
	GPtrArray *texts; // char *: the hosts files, owned
};

struct ctl_apps_raw *ctl_apps_raw_new(struct ctl_mistakes *mistakes);
void ctl_apps_raw_free(struct ctl_apps_raw *raw);

/* Whether names that are new get a number; a mistake for apps and one for tags if not. */
void ctl_apps_check_room(const struct ctl_yaml *doc, const struct ctl_apps_raw *raw,
	const struct ctl_dict *app_ids, const struct ctl_dict *tag_ids);

/* raw is free of mistakes, and is of no use any more then. What the classifier refuses nevertheless is
 * reported. */
[[nodiscard]] int ctl_apps_build(const struct ctl_yaml *doc, struct ctl_apps_raw *raw,
	struct ctl_dict *app_ids, struct ctl_dict *tag_ids, struct cls_catalogue **ret_catalogue);
