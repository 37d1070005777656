// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Stores for tests: in a folder that ends with the test, with the log in memory, and a picture of
 * what has to be in them. */

#include "control/store.h"

#include <glib.h>

#define RIG_TICK_NS 1000000000ULL
#define RIG_WAIT_NS (60ULL * 1000000000ULL) // patience for what must come

struct rig {
	char *dir; // owned, made and removed
	char *path; // owned: DIR/store
	struct ctl_store_config config; // path is the rig's
	struct ctl_store *store; // NULL = closed
	uint64_t serial; // of the last batch given
	/* What is committed or given: by table, key (guint64) to GBytes. */
	GHashTable *tables[CTL_TABLE_COUNT];
	FILE *log; // a file in memory: the store's thread writes while the test reads
};

void rig_init(struct rig *rig);
void rig_fini(struct rig *rig);
/* A folder and all that is in it. */
void rig_remove(const char *path);

/* Fail the test with the sentence. */
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
/* Fail the test unless opening is refused with an error whose sentence has `text` in it. */
void rig_refuses(struct rig *rig, int r, const char *text);

/* The next batch; goes into the picture as well. */
struct ctl_batch *rig_batch(struct rig *rig);
void rig_put(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key,
	const void *value, size_t len);
void rig_delete(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key);
void rig_cut(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key);
/* len bytes that follow from key and seed. */
GBytes *rig_bytes(uint64_t key, uint64_t seed, size_t len);
/* put() of rig_bytes(). */
void rig_put_made(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key,
	uint64_t seed, size_t len);
/* What tick n of a long life puts, deletes and cuts: follows from n alone, and each tick leaves
 * something that the next ones do not touch. */
void rig_numbered(struct rig *rig, struct ctl_batch *batch, uint64_t n);
/* The n the store is at: 0 = none. */
uint64_t rig_number(struct rig *rig);
/* The picture as of tick n, from nothing. */
void rig_picture(struct rig *rig, uint64_t n);
void rig_give(struct rig *rig, struct ctl_batch *given);
void rig_flush(struct rig *rig); // fails the test when it takes too long

/* Fails the test unless the store has what the picture has, no more, no less, in order. */
void rig_compare(struct rig *rig);

/* Has the log a line of this event with this text in it? "" is in every line. */
bool rig_logged(const struct rig *rig, const char *event, const char *text);
/* Fails the test unless it has, soon. */
void rig_wait_logged(const struct rig *rig, const char *event, const char *text);
