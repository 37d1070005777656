// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One change of the configuration or the catalogue: what the thread does of it. Private to changes.c
 * and change.c. While it runs all of it is the thread's, and what it borrows stays as it is. */

#include "control/apps_yaml.h"
#include "control/catalogue_versions.h"
#include "control/config.h"

enum ctl_change_kind {
	CTL_CHANGE_RELOAD,
	CTL_CHANGE_STAGE,
	CTL_CHANGE_COMMIT,
	CTL_CHANGE_ROLLBACK
};

/* Of a catalogue, beside the one in force. */
struct ctl_change_counts {
	size_t apps, apps_new, apps_gone; // by name
	size_t hosts, hosts_before;
	size_t nets, nets_before;
};

enum ctl_change_state {
	CTL_CHANGE_RUNNING,
	CTL_CHANGE_DONE,
	CTL_CHANGE_REFUSED, // for its mistakes
	CTL_CHANGE_FAILED, // err says why
};

struct ctl_change {
	uint64_t id;
	enum ctl_change_kind kind;
	uint64_t uid; // who asked; not of a reload
	char *why; // owned; "" = not said
	char *path; // owned: what is staged
	uint32_t version; // rollback: to which (0: the one before); then: the one that is in force

	struct ctl_versions *versions; // borrowed, like the next four
	const struct ctl_config *config; // in force
	const struct ctl_apps *staged; // commit: what was staged
	const char *config_path; // reload
	const struct ctl_config_overrides *overrides; // likewise

	enum ctl_change_state state;
	struct dp_err err;
	GPtrArray *mistakes; // char *, owned
	char *who; // owned: name of uid, or its number
	uint32_t was; // in force before; 0: it had no copy
	struct ctl_apps apps; // stage, rollback: what was read; owned
	char sha256[CTL_SHA256_MAX]; // of that, or of what is committed
	struct ctl_change_counts counts; // stage
	bool is_replacing; // stage: something was staged already
	uint32_t same_as; // stage: its bytes are those of this version, in force; 0: they are not
	struct ctl_config *loaded; // reload: owned
	char fixed[CTL_FIXED_KEY_MAX]; // reload: failed, because this key changed
	struct dp_err unkept; // reload: why there is no copy of it; text "": there is
};

void ctl_change_init(struct ctl_change *change); // of zeroed memory
void ctl_change_fini(struct ctl_change *change);

/* In the thread. */
void ctl_change_run(void *change);
