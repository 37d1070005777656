// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* LMDB as the store uses it: tables, records, one write transaction at a time.
 *
 * Functions return 0 or a code of LMDB (mdb_strerror(): errno above 0, MDB_* below) where they say
 * "LMDB code". The file has been found sound before (store_pages.h): LMDB trusts what it reads. */

#include "control/batch.h"
#include "control/store_format.h"
#include "control/store_record.h"
#include "dataplane/err.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_db {
	MDB_env *env; // NULL = closed
	MDB_dbi tables[CTL_TABLE_COUNT];
};

/* LMDB code. Opens or makes the file with its tables; readers that died are cleared away. */
[[nodiscard]] int ctl_db_open(const char *file, uint64_t size_max, struct ctl_db *ret_db);

/* LMDB code. No transaction of this process is open. */
[[nodiscard]] int ctl_db_grow(struct ctl_db *db, uint64_t size_max);

/* No transaction is open. Closed already is fine. */
void ctl_db_close(struct ctl_db *db);

/* A write transaction. One thread. */
struct ctl_db_txn {
	const struct ctl_db *db; // borrowed
	MDB_txn *txn;
	MDB_cursor *cursors[CTL_TABLE_COUNT]; // opened when needed; the transaction's
	struct ctl_store_state state; // written by ctl_db_commit()
};

/* LMDB code. state as committed last, all zero in a new file. */
[[nodiscard]] int ctl_db_begin(const struct ctl_db *db, struct ctl_db_txn *ret_txn);
void ctl_db_abort(struct ctl_db_txn *txn);

/* LMDB code. One value. */
[[nodiscard]] int ctl_db_put(
	struct ctl_db_txn *txn, enum ctl_table table, uint64_t key, const void *value, size_t len);

/* LMDB code. All operations of a batch, and what it says of itself into state. */
[[nodiscard]] int ctl_db_apply(struct ctl_db_txn *txn, const struct ctl_batch *batch);

/* LMDB code. Delete at most n_max records of what is cut. Readers do not see the rest either. */
[[nodiscard]] int ctl_db_trim(struct ctl_db_txn *txn, size_t n_max);
bool ctl_db_is_trimmed(const struct ctl_db_txn *txn);

/* LMDB code. Pages of the file that hold something. */
[[nodiscard]] int ctl_db_used_pages(const struct ctl_db_txn *txn, uint64_t *ret_n);

/* LMDB code. Durable when it returns 0. The transaction is over in any case. */
[[nodiscard]] int ctl_db_commit(struct ctl_db_txn *txn);

/* Values of keys in [from, to] as the read transaction sees them. Returns 0, what fn failed with,
 * or -errno with a sentence; -EBADMSG when a checksum is wrong. *ret_stopped: fn returned > 0. */
[[nodiscard]] int ctl_db_read(const struct ctl_db *db, MDB_txn *txn, enum ctl_table table,
	uint64_t from, uint64_t to, ctl_record_fn *fn, void *ctx, bool *ret_stopped,
	struct dp_err *reterr);

/* First and last key that a reader may see; -ENOENT when there is none. */
[[nodiscard]] int ctl_db_bounds(const struct ctl_db *db, MDB_txn *txn, enum ctl_table table,
	uint64_t *ret_first, uint64_t *ret_last, struct dp_err *reterr);

/* What is committed last, as the read transaction sees it. */
[[nodiscard]] int ctl_db_state(const struct ctl_db *db, MDB_txn *txn,
	struct ctl_store_state *ret_state, struct dp_err *reterr);

/* dp_fail() for an LMDB code. what: what could not be done. */
int ctl_db_fail(struct dp_err *reterr, int code, const char *what);
