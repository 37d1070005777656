// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which catalogue a command of the workbench is about that asks no daemon: a file that was named, the version
 * that a start would take (control/catalogue_choice.h), or the configured file. One thread. */

#include "control/config_version.h"

struct ctl_apps_source {
	struct ctl_config *config; // owned; its catalogue is that of path
	uint32_t version; // 0: a file
	char *path; // owned: where rules stand; of a version the copy
	char *unread; // owned: why no version was looked for; NULL: nothing was in the way
};

/* config NULL: the built-in one with the shipped catalogue. apps: a file, whatever is in force; NULL: none was
 * named. Every mistake goes to ctl_print_mistake(). Returns -1 to go on, else the exit code, and nothing is owned. */
int ctl_apps_source_open(const char *config, const char *apps, struct ctl_apps_source *ret_source);
void ctl_apps_source_fini(struct ctl_apps_source *source); // zeroed memory is fine

/* "# catalogue: version 2, /var/lib/wirecue/catalogues/000002/apps.yaml", a line of text; owned by the caller. */
char *ctl_apps_source_line(const struct ctl_apps_source *source);

/* {"version":…,"file":…}, version null for a file; owned by the caller. */
json_t *ctl_apps_source_json(const struct ctl_apps_source *source);
