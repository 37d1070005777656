// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Versions of a catalogue in a folder that ends with the test; "first" is what is configured. Nobody
 * looks into a catalogue here, so any text is one. What fails fails the test. */

#include "control/catalogue_versions.h"

struct rig {
	char *dir, *store, *configured;
	struct ctl_versions *versions; // NULL = closed
};

int rig_setup(void **state);
int rig_teardown(void **state);

/* Below the rig's folder. */
char *rig_path(const struct rig *rig, const char *name);
void rig_put(const struct rig *rig, const char *name, const char *text);
char *rig_get(const struct rig *rig, const char *name); // NULL: cannot be read
bool rig_has(const struct rig *rig, const char *name); // of whatever kind
void rig_replace(
	const struct rig *rig, const char *name, const char *target); // by a link, or nothing

/* What a start does. Returns what it has taken. */
struct ctl_versions_choice rig_begin(struct rig *rig);
void rig_shut(struct rig *rig);

/* What a start would take, without one: its version and text. */
uint32_t rig_chosen(const struct rig *rig, char **ret_text);
void rig_assert_chosen(const struct rig *rig, uint32_t version, const char *text);

int rig_stage(struct rig *rig, const char *name, struct dp_err *reterr);
/* Put that text in force. Returns its version. */
uint32_t rig_commit(struct rig *rig, const char *text);
void rig_roll_back(struct rig *rig, uint32_t version);
