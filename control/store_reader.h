// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The store, or a copy of it, seen by somebody who is not its daemon: as of one moment, read-only,
 * every page and checksum doubted. For children of ctl_store_guard(): what is damaged may still end
 * the process that reads it. */

#include "control/store.h"
#include "control/store_format.h"
#include "control/store_guard.h"

#include <lmdb.h>

/* Of one file. What a transaction sees does not change while a daemon goes on writing. */
struct ctl_store_reader {
	char *path; // of the file; owned
	bool is_alone; // a copy: without a lock file, nobody writes
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbis[CTL_TABLE_COUNT]; // 0 = the file has no such table
	bool has_format;
	struct ctl_store_format format;
	struct ctl_store_state state;
};

/* place: the folder of a store, or a copy made by `store backup`. Returns 0 and the reader, or
 * -errno with a sentence: -ENOENT no store there, -EBADMSG damaged or something else, -ENOTSUP of a
 * newer wirecue. */
[[nodiscard]] int ctl_store_reader_open(
	const char *place, struct ctl_store_reader **ret_reader, struct dp_err *reterr);
void ctl_store_reader_close(struct ctl_store_reader *reader); // NULL is fine

/* All of a table in order of keys; like ctl_store_read(). What fn fails with is returned without a
 * sentence. A table the file does not have is empty. */
[[nodiscard]] int ctl_store_reader_walk(struct ctl_store_reader *reader, enum ctl_table table,
	ctl_store_fn *fn, void *ctx, struct dp_err *reterr);

/* Is the place a file, not the folder of a store? */
bool ctl_store_is_copy(const char *place);

/* The file of a place: of a folder the one in it. Owned by the caller. */
char *ctl_store_file_of(const char *place);

/* ctl_store_guard() for a job that reads the store at place: a reader that was killed is struck off
 * LMDB's list, else its daemon would keep pages for it as long as it runs. */
[[nodiscard]] int ctl_store_reader_guard(ctl_store_job_fn *fn, void *ctx, const char *place,
	unsigned longest_s, struct dp_err *reterr);
