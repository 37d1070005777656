// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* apps.yaml to a catalogue. One thread at a time for the same dictionaries. */

#include "classifier/catalogue.h"
#include "control/dict.h"
#include "control/option.h"
#include "control/yaml.h"

#include <glib.h>

extern const struct ctl_option ctl_app_options[]; // of one entry of apps:
extern const struct ctl_option ctl_app_lists[]; // its lists of texts

struct ctl_apps {
	struct cls_catalogue *catalogue; // owned; NULL when there was a mistake
	GHashTable *names; // set of the names that the file gives, mistakes or not; owned
	GPtrArray *files; // char *: its hosts files, as ctl_apps_files() has them; owned
	size_t n_hosts, n_nets; // that were read
};

/* Read the file and the hosts files it names, and report every mistake. Ids of new apps and tags are taken from the dictionaries
 * only when the file has none, so that a refused file leaves no trace. Returns 0, -EINVAL after
 * mistakes, or -errno when the file cannot be read; ret_apps is written in each case and is freed
 * with ctl_apps_fini. */
[[nodiscard]] int ctl_apps_load(const char *path, struct ctl_dict *app_ids,
	struct ctl_dict *tag_ids, struct ctl_mistakes *mistakes, struct ctl_apps *ret_apps);

/* Likewise from a document. */
[[nodiscard]] int ctl_apps_read(const struct ctl_yaml *doc, struct ctl_dict *app_ids,
	struct ctl_dict *tag_ids, struct ctl_apps *ret_apps);

void ctl_apps_fini(struct ctl_apps *apps);
