// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What survives: one LMDB file, written by a thread of its own (docs/store.md).
 *
 * The control thread gives one batch a tick and never waits for the disk; the store thread commits
 * what has been given, as many batches as wait in one transaction, and syncs it (no MDB_NOSYNC).
 * What is in a batch may be said outside once its serial is committed.
 *
 * A commit that fails (disk full, map full, I/O) is tried again until it succeeds, in the same
 * order; what is given meanwhile waits, until ctl_store_has_room() turns false and control stops
 * draining. The alarm says why.
 *
 * On disk: PATH/wirecue.mdb and its lock file (store_format.h). Keys are 8 bytes, big-endian, so
 * that byte order is number order; values are kept in parts with a checksum each (store_record.h).
 * Format version 1. One process at a time writes, by flock on PATH/writer.lock; others may read
 * (backup, dump) while it does. */

#include "control/batch.h"
#include "dataplane/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_store;

struct ctl_store_config {
	const char *path; // a folder; made when it is missing (its parent must be there)
	const char *node; // borrowed for the call
	uint64_t tick_ns;
	uint64_t size_max; // bytes the file may grow to
	size_t backlog_max; // batches given and not committed, > 0
	size_t backlog_bytes_max; // and their bytes
};

/* Open or make the store. Every page and checksum is looked at before LMDB, which trusts what it
 * reads, sees the file (store_check.h; about a second for 2 GB). A damaged one is set aside
 * (PATH/damaged-UTC/) with an alarm, and an empty one is made. Refused with a sentence: -EBUSY
 * another process has it, -EINVAL another node's or another tick length's, -ENOTSUP a newer format,
 * else no rights, no space. Starts the thread. */
[[nodiscard]] int ctl_store_open(
	const struct ctl_store_config *config, struct ctl_store **ret_store, struct dp_err *reterr);

/* Let the file grow to size_max, more than now: takes effect before the next attempt to commit.
 * Less than now takes effect when it is opened again. Control thread. */
void ctl_store_grow(struct ctl_store *store, uint64_t size_max);

/* Commits what waits, as far as it can within 5 s, and stops. NULL is fine. */
void ctl_store_close(struct ctl_store *store);

/* Was it empty (new, or made anew in place of a damaged one)? */
bool ctl_store_is_new(const struct ctl_store *store);

/* The same, or was nothing ever committed to it: its process ended before it came to that. */
bool ctl_store_was_unused(const struct ctl_store *store);

/* May another batch be given? Control thread, like all below unless stated. */
bool ctl_store_has_room(const struct ctl_store *store);

/* Takes the batch. The first one since the start has serial 1, then they rise by 1. A cut takes
 * several commits if it is long, but readers see all of it with the first. */
void ctl_store_give(struct ctl_store *store, struct ctl_batch *given);

/* Serial of the last batch that is durable; 0 = none since the start. Any thread. */
uint64_t ctl_store_committed(const struct ctl_store *store);

/* The watermark of that one, or of the last one of an earlier process; 0 = none ever. Any thread. */
uint64_t ctl_store_watermark(const struct ctl_store *store);

/* Readable after a commit, until ctl_store_heard(): for an event loop. */
int ctl_store_fd(const struct ctl_store *store);
void ctl_store_heard(struct ctl_store *store);

/* Wait until everything given is durable, at most timeout_ns. */
[[nodiscard]] bool ctl_store_flush(struct ctl_store *store, uint64_t timeout_ns);

/* Value without its checksum, borrowed for the call. Return 0 to go on, > 0 to stop, < 0 to fail. */
typedef int ctl_store_fn(void *ctx, uint64_t key, const void *value, size_t len);

/* What is committed of a table, in order of keys from `from` on, as of one moment. Returns 0, what
 * fn failed with, -EBADMSG with a sentence when a checksum is wrong, or -EAGAIN with one while the
 * file is opened again after a failure: it never waits for that. Any thread. */
[[nodiscard]] int ctl_store_read(struct ctl_store *store, enum ctl_table table, uint64_t from,
	ctl_store_fn *fn, void *ctx, struct dp_err *reterr);

/* The same by n_threads at once, each with a contiguous range of the keys; ctxs: one each. As of one
 * moment, in no order between threads. One that stops or fails stops the others. */
[[nodiscard]] int ctl_store_read_parallel(struct ctl_store *store, enum ctl_table table,
	unsigned n_threads, ctl_store_fn *fn, void *const *ctxs, struct dp_err *reterr);

/* One value. Returns 0, -ENOENT, or as above. */
[[nodiscard]] int ctl_store_get(struct ctl_store *store, enum ctl_table table, uint64_t key,
	ctl_store_fn *fn, void *ctx, struct dp_err *reterr);

struct ctl_store_stats {
	uint64_t n_committed, n_failed; // batches; attempts
	size_t n_waiting, waiting_bytes;
	uint64_t file_bytes, used_bytes, size_max; // used: without pages that are free again
	uint64_t watermark_ns; // of the last batch that is durable, of an earlier process perhaps
	uint64_t commit_ns_last, commit_ns_max;
	uint64_t failing_since_ns; // wall clock; 0 = it works
	char cause[160]; // of the failure in force
};
void ctl_store_stats(const struct ctl_store *store, struct ctl_store_stats *ret_stats);

/* One record for `show store`; owned by the caller. */
json_t *ctl_store_json(const struct ctl_store *store);

/* The names an existing store has given numbers to, into dictionaries that are still empty: before
 * a configuration is loaded, so that apps keep their ids. A path without a store is fine; one that
 * cannot be read is left for ctl_store_open to judge. */
struct ctl_dict;
void ctl_store_dictionaries(const char *path, struct ctl_dict *apps, struct ctl_dict *tags);
