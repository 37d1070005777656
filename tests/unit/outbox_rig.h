// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* An outbox with a real store in a folder of its own, and what a crash does to them. */

#include "control/outbox.h"

#include <glib.h>

struct outbox_rig {
	char dir[32];
	struct ctl_outbox_config config; // used by the next box_open
	struct ctl_store *store;
	struct ctl_outbox *outbox;
	uint64_t serial; // of the last batch given to this store
	struct ctl_batch *lost; // sealed and not given
	unsigned n_pushed;
	unsigned n_calls; // of the reader
};

/* cmocka setup: a new folder, an empty store, an outbox of 100,000. */
int box_setup(void **state);
int box_teardown(void **state);

/* The process starts with what the store has; fails the test when it does not. */
void box_open(struct outbox_rig *rig);

/* The same, where a refusal is expected: its sentence. */
void box_open_refused(struct outbox_rig *rig, struct dp_err *ret_err);

/* The process is gone; what was not given to the store is lost. */
void box_kill(struct outbox_rig *rig);

/* A tick of n triggers: sealed; and given to the store; and committed and told. */
void box_seal(struct outbox_rig *rig, unsigned n);
void box_give(struct outbox_rig *rig);
void box_commit(struct outbox_rig *rig);
void box_tick(struct outbox_rig *rig, unsigned n);

/* Let the store do what `fill` puts into a batch, behind the outbox's back. */
void box_tamper(struct outbox_rig *rig, enum ctl_table table, uint64_t key, const char *value);

/* Keys of the outbox's table, owned array of uint64_t. */
GArray *box_keys(struct outbox_rig *rig);

/* Entry i of those that are ready has this sequence, says so in its text, and is trigger number
 * `trigger`. */
void box_expect(struct outbox_rig *rig, size_t i, uint64_t sequence, unsigned trigger);
