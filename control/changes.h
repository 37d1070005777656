// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What changes the configuration or the catalogue of a running daemon: SIGHUP, `wirecue apps stage`,
 * `commit`, `rollback`.
 *
 * Each is one change with a number. Reading, checking and making durable happen in a thread of their
 * own; control takes what came of it in one step. One at a time: a second one is refused, but a
 * SIGHUP waits. Control thread only. */

#include "control/catalogue_versions.h"
#include "control/config.h"
#include "control/pipeline.h"

#include <jansson.h>

struct event_base;
struct ctl_changes;

struct ctl_changes_config {
	struct event_base *base;
	struct ctl_pipeline *pipeline; // borrowed
	const char *path; // of wirecue.yaml
	const struct ctl_config_overrides *overrides; // borrowed
	const struct ctl_versions_choice *start; // which catalogue the pipeline was opened with
	/* The staged catalogue, or the one in force, is about to go: whoever works with either lets go of
	 * both. */
	void (*leaving)(void *ctx);
	/* The configuration or its catalogue is another one. */
	void (*swapped)(void *ctx);
	void *ctx;
};

/* Opens the versions in the store's folder, or in a temporary one where there is no store or its
 * folder does not take them, which is logged. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_changes_new(const struct ctl_changes_config *config,
	struct ctl_changes **ret_changes, struct dp_err *reterr);

/* Nothing is changed any more: the workers are gone. */
void ctl_changes_stop(struct ctl_changes *changes);

/* Wait for a change that is under way, some seconds at most (CTL_CHANGES_PATIENCE_MS); it has no effect on the
 * pipeline any more. False, which is logged: its thread does not come back from a file. It goes on to read the
 * configuration and the catalogues: what owns them stays until the process ends, and so does this. NULL is fine. */
bool ctl_changes_end(struct ctl_changes *changes);

/* Ended before, and not in vain. NULL is fine. */
void ctl_changes_free(struct ctl_changes *changes);

enum { CTL_CHANGES_PATIENCE_MS = 10000 }; // a million hosts take one second; start value

/* Who asks for a change, and why. */
struct ctl_changes_asker {
	uint64_t uid;
	const char *why; // NULL = not said
};

/* Begin. Return 0 and the number of the change, or -errno with a sentence: -EBUSY while another runs. */
[[nodiscard]] int ctl_changes_stage(struct ctl_changes *changes,
	const struct ctl_changes_asker *asker, const char *path, uint64_t *ret_id,
	struct dp_err *reterr);
[[nodiscard]] int ctl_changes_commit(struct ctl_changes *changes,
	const struct ctl_changes_asker *asker, uint64_t *ret_id, struct dp_err *reterr);
/* version 0: the one before. */
[[nodiscard]] int ctl_changes_roll_back(struct ctl_changes *changes,
	const struct ctl_changes_asker *asker, uint32_t version, uint64_t *ret_id,
	struct dp_err *reterr);

/* SIGHUP: when something runs, afterwards. */
void ctl_changes_reload(struct ctl_changes *changes);

/* What became of one of the last changes that were asked for; else NULL. Begins with
 * {"change":…,"what":"stage","state":"running"|"done"|"refused"|"failed","sentence":…,…}; refused:
 * the catalogue has mistakes. Owned by the caller. */
json_t *ctl_changes_json(const struct ctl_changes *changes, uint64_t id);
/* Its mistakes, each a char *, or NULL; borrowed until another change is done. */
const GPtrArray *ctl_changes_mistakes(const struct ctl_changes *changes, uint64_t id);

/* What is staged: {"state":"staged"|"nothing","version":…,…}. Owned by the caller. */
json_t *ctl_changes_staged_json(const struct ctl_changes *changes);

/* Borrowed until leaving() is called; NULL: nothing is staged. */
const struct cls_catalogue *ctl_changes_staged(const struct ctl_changes *changes);

struct ctl_versions *ctl_changes_versions(const struct ctl_changes *changes);
