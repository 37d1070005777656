// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_db.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MODE = 0600, KEY_LEN = 8 };

static int open_tables(struct ctl_db *db)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(db->env, NULL, 0, &txn);

	for (size_t i = 0; code == 0 && i < CTL_TABLE_COUNT; i++)
		code = mdb_dbi_open(txn, ctl_table_names[i], MDB_CREATE, &db->tables[i]);
	if (code == 0)
		return mdb_txn_commit(txn); // writes only if a table was made
	mdb_txn_abort(txn);
	return code;
}

int ctl_db_open(const char *file, uint64_t size_max, struct ctl_db *ret_db)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct ctl_db db = {0};
	int n_dead, code = mdb_env_create(&db.env);

	if (code != 0)
		return code;
	code = mdb_env_set_maxdbs(db.env, CTL_TABLE_COUNT);
	if (code == 0)
		code = mdb_env_set_mapsize(db.env, size_max / page * page);
	// NOTLS: several readers in a thread, and a transaction may change its thread. NORDAHEAD:
	// profiles are touched here and there. Not WRITEMAP: a full disk would be a SIGBUS. Not
	// NOMEMINIT: what malloc() returns has held secrets, and would be written as it is.
	if (code == 0)
		code = mdb_env_open(
			db.env, file, MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD, FILE_MODE);
	if (code == 0)
		code = mdb_reader_check(db.env, &n_dead);
	if (code == 0)
		code = open_tables(&db);
	if (code != 0) {
		ctl_db_close(&db);
		return code;
	}
	*ret_db = db;
	return 0;
}

int ctl_db_grow(struct ctl_db *db, uint64_t size_max)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return mdb_env_set_mapsize(db->env, size_max / page * page);
}

void ctl_db_close(struct ctl_db *db)
{
	if (db->env != NULL)
		mdb_env_close(db->env);
	db->env = NULL;
}

int ctl_db_fail(struct dp_err *reterr, int code, const char *what)
{
	const int errnum = code > 0 ? code : code == MDB_MAP_FULL ? ENOSPC : EIO;

	return dp_fail(reterr, errnum, "%s: %s", what, mdb_strerror(code));
}

/* --- writing --------------------------------------------------------------------------------- */

int ctl_db_begin(const struct ctl_db *db, struct ctl_db_txn *ret_txn)
{
	struct ctl_db_txn txn = {.db = db};
	struct dp_err err;
	int code = mdb_txn_begin(db->env, NULL, 0, &txn.txn);

	if (code != 0)
		return code;
	if (ctl_db_state(db, txn.txn, &txn.state, &err) < 0) {
		mdb_txn_abort(txn.txn);
		return MDB_CORRUPTED;
	}
	*ret_txn = txn;
	return 0;
}

void ctl_db_abort(struct ctl_db_txn *txn)
{
	mdb_txn_abort(txn->txn); // closes the cursors, too
	txn->txn = NULL;
}

static int cursor_of(struct ctl_db_txn *txn, enum ctl_table table, MDB_cursor **ret_cursor)
{
	int code = 0;

	if (txn->cursors[table] == NULL)
		code = mdb_cursor_open(txn->txn, txn->db->tables[table], &txn->cursors[table]);
	*ret_cursor = txn->cursors[table];
	return code;
}

static bool is_of(const MDB_val *found, uint64_t key)
{
	uint8_t want[CTL_RECORD_KEY_MAX];

	(void)ctl_record_key(key, 0, want);
	return found->mv_size >= KEY_LEN && memcmp(found->mv_data, want, KEY_LEN) == 0;
}

/* Delete the parts of a value from this one on. Seeks anew each time: where a cursor stands behind
 * a deletion differs between versions of LMDB. */
static int delete_parts(MDB_cursor *cursor, uint64_t key, uint32_t part)
{
	uint8_t bytes[CTL_RECORD_KEY_MAX];
	int code = 0;

	while (code == 0) {
		MDB_val k = {ctl_record_key(key, part, bytes), bytes}, data;

		code = mdb_cursor_get(cursor, &k, &data, MDB_SET_RANGE);
		if (code == MDB_NOTFOUND || (code == 0 && !is_of(&k, key)))
			return 0;
		if (code == 0)
			code = mdb_cursor_del(cursor, 0);
	}
	return code;
}

/* The cursor stands at the last part that was put: those a longer value has left behind. */
static int delete_rest(MDB_cursor *cursor, uint64_t key, uint32_t n_parts)
{
	MDB_val k, data;
	const int code = mdb_cursor_get(cursor, &k, &data, MDB_NEXT);

	if (code == MDB_NOTFOUND || (code == 0 && !is_of(&k, key)))
		return 0;
	return code != 0 ? code : delete_parts(cursor, key, n_parts);
}

static int put_record(
	MDB_cursor *cursor, enum ctl_table table, const struct ctl_record *record, bool *appended)
{
	uint8_t bytes[CTL_RECORD_KEY_MAX];
	MDB_val key = {ctl_record_key(record->key, record->part, bytes), bytes};
	MDB_val value = {record->len + CTL_RECORD_TRAILER, NULL};
	int code = MDB_KEYEXIST;

	if (*appended)
		code = mdb_cursor_put(cursor, &key, &value, MDB_RESERVE | MDB_APPEND);
	if (code == MDB_KEYEXIST) { // it is not the last key
		*appended = false;
		code = mdb_cursor_put(cursor, &key, &value, MDB_RESERVE);
	}
	if (code == 0)
		ctl_record_write(table, record, value.mv_data);
	return code;
}

int ctl_db_put(
	struct ctl_db_txn *txn, enum ctl_table table, uint64_t key, const void *value, size_t len)
{
	const uint32_t n_parts = ctl_record_n_parts(len);
	bool appended = true; // new ids are the highest: pages are filled then, not split in halves
	const uint8_t *at = value;
	MDB_cursor *cursor;
	int code = cursor_of(txn, table, &cursor);

	for (uint32_t part = 0; code == 0 && part < n_parts; part++) {
		const size_t n = MIN(len, (size_t)CTL_RECORD_DATA_MAX);
		const struct ctl_record record = {.key = key,
			.part = part,
			.n_follow = n_parts - 1 - part,
			.data = at,
			.len = n};

		code = put_record(cursor, table, &record, &appended);
		if (n > 0)
			at += n;
		len -= n;
	}
	return code != 0 || appended ? code : delete_rest(cursor, key, n_parts);
}

static int delete_key(struct ctl_db_txn *txn, enum ctl_table table, uint64_t key)
{
	MDB_cursor *cursor;
	const int code = cursor_of(txn, table, &cursor);

	return code != 0 ? code : delete_parts(cursor, key, 0);
}

/* Delete at most *n records of the table that are cut. */
static int trim_table(struct ctl_db_txn *txn, enum ctl_table table, size_t *n)
{
	struct ctl_store_cut *cut = &txn->state.cuts[table];
	MDB_val key, data;
	MDB_cursor *cursor;
	uint64_t number;
	int code = cursor_of(txn, table, &cursor);

	while (code == 0 && cut->is_set && *n > 0) {
		code = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
		if (code == MDB_NOTFOUND) {
			cut->is_set = false;
			return 0;
		}
		if (code != 0)
			return code;
		memcpy(&number, key.mv_data, sizeof(number));
		cut->is_set = GUINT64_FROM_BE(number) <= cut->key;
		if (cut->is_set)
			code = mdb_cursor_del(cursor, 0);
		(*n)--;
	}
	return code;
}

int ctl_db_trim(struct ctl_db_txn *txn, size_t n_max)
{
	int code = 0;

	for (size_t i = 0; code == 0 && n_max > 0 && i < CTL_TABLE_COUNT; i++) {
		if (txn->state.cuts[i].is_set)
			code = trim_table(txn, (enum ctl_table)i, &n_max);
	}
	return code;
}

bool ctl_db_is_trimmed(const struct ctl_db_txn *txn)
{
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++) {
		if (txn->state.cuts[i].is_set)
			return false;
	}
	return true;
}

static int apply_op(struct ctl_db_txn *txn, const struct ctl_op *op)
{
	struct ctl_store_cut *cut = &txn->state.cuts[op->table];
	size_t all = SIZE_MAX;
	int code = 0;

	switch (op->kind) {
	case CTL_OP_PUT:
		// What is put behind a cut stays, so nothing of the cut may be left to do.
		if (cut->is_set && op->key <= cut->key)
			code = trim_table(txn, op->table, &all);
		return code != 0 ? code : ctl_db_put(txn, op->table, op->key, op->value, op->len);
	case CTL_OP_DELETE:
		return delete_key(txn, op->table, op->key);
	case CTL_OP_CUT:
		cut->key = cut->is_set ? MAX(cut->key, op->key) : op->key;
		cut->is_set = true;
		return 0;
	}
	assert(!"a kind of operation that batch.h does not have");
	return EINVAL;
}

int ctl_db_apply(struct ctl_db_txn *txn, const struct ctl_batch *batch)
{
	const size_t n = ctl_batch_n_ops(batch);
	int code = 0;

	for (size_t i = 0; code == 0 && i < n; i++) {
		const struct ctl_op op = ctl_batch_op(batch, i);

		code = apply_op(txn, &op);
	}
	txn->state.serial = ctl_batch_serial(batch);
	txn->state.watermark_ns = ctl_batch_watermark(batch);
	return code;
}

static int count_pages(MDB_txn *txn, MDB_dbi dbi, uint64_t *n)
{
	MDB_stat stat;
	int code = mdb_stat(txn, dbi, &stat);

	if (code == 0)
		*n += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	return code;
}

int ctl_db_used_pages(const struct ctl_db_txn *txn, uint64_t *ret_n)
{
	uint64_t n = 2; // meta pages
	int code = count_pages(txn->txn, 0, &n); // LMDB's own: the free pages

	if (code == 0)
		code = count_pages(txn->txn, 1, &n); // and the tables
	for (size_t i = 0; code == 0 && i < CTL_TABLE_COUNT; i++)
		code = count_pages(txn->txn, txn->db->tables[i], &n);
	if (code == 0)
		*ret_n = n;
	return code;
}

int ctl_db_commit(struct ctl_db_txn *txn)
{
	struct ctl_pack pack = {0};
	int code;

	ctl_store_state_pack(&txn->state, &pack);
	code = ctl_db_put(txn, CTL_TABLE_META, CTL_META_COMMITTED, pack.data, pack.len);
	ctl_pack_fini(&pack);
	if (code != 0) {
		ctl_db_abort(txn);
		return code;
	}
	code = mdb_txn_commit(txn->txn);
	txn->txn = NULL;
	return code;
}

/* --- reading --------------------------------------------------------------------------------- */

/* As ctl_db_read(), whatever is cut. */
static int read_range(const struct ctl_db *db, MDB_txn *txn, enum ctl_table table, uint64_t from,
	uint64_t to, ctl_record_fn *fn, void *ctx, struct dp_err *reterr)
{
	struct ctl_joiner joiner = {.table = table};
	uint8_t first[CTL_RECORD_KEY_MAX], last[CTL_RECORD_KEY_MAX];
	MDB_val key = {ctl_record_key(from, 0, first), first}, value;
	MDB_cursor *cursor;
	int r = 0, code = mdb_cursor_open(txn, db->tables[table], &cursor);

	if (code != 0)
		return ctl_db_fail(reterr, code, "cannot read the store");
	(void)ctl_record_key(to, 0, last);
	code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (code == 0 && r == 0) {
		if (memcmp(key.mv_data, last, MIN(key.mv_size, (size_t)KEY_LEN)) > 0)
			break;
		r = ctl_joiner_add(&joiner, key.mv_data, key.mv_size, value.mv_data, value.mv_size,
			fn, ctx, reterr);
		if (r == 0)
			code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	if (code != 0 && code != MDB_NOTFOUND)
		r = ctl_db_fail(reterr, code, "cannot read the store");
	else if (r == 0)
		r = ctl_joiner_end(&joiner, reterr);
	mdb_cursor_close(cursor);
	ctl_joiner_fini(&joiner);
	return r;
}

static int take_state(void *ctx, uint64_t, const void *value, size_t len)
{
	return ctl_store_state_unpack(value, len, ctx);
}

int ctl_db_state(const struct ctl_db *db, MDB_txn *txn, struct ctl_store_state *ret_state,
	struct dp_err *reterr)
{
	struct ctl_store_state state = {0};
	int r = read_range(db, txn, CTL_TABLE_META, CTL_META_COMMITTED, CTL_META_COMMITTED,
		take_state, &state, reterr);

	if (r == 0)
		*ret_state = state;
	return r;
}

int ctl_db_read(const struct ctl_db *db, MDB_txn *txn, enum ctl_table table, uint64_t from,
	uint64_t to, ctl_record_fn *fn, void *ctx, bool *ret_stopped, struct dp_err *reterr)
{
	struct ctl_store_state state;
	uint64_t first;
	int r = ctl_db_state(db, txn, &state, reterr);

	*ret_stopped = false;
	if (r < 0 || !ctl_store_state_first(&state, table, from, &first) || first > to)
		return r;
	r = read_range(db, txn, table, first, to, fn, ctx, reterr);
	*ret_stopped = r > 0;
	return MIN(r, 0);
}

int ctl_db_bounds(const struct ctl_db *db, MDB_txn *txn, enum ctl_table table, uint64_t *ret_first,
	uint64_t *ret_last, struct dp_err *reterr)
{
	struct ctl_store_state state;
	uint8_t bytes[CTL_RECORD_KEY_MAX];
	uint64_t first = 0, last = 0;
	MDB_val key, value;
	MDB_cursor *cursor;
	int code, r = ctl_db_state(db, txn, &state, reterr);

	if (r < 0)
		return r;
	if (!ctl_store_state_first(&state, table, 0, &first))
		return -ENOENT;
	code = mdb_cursor_open(txn, db->tables[table], &cursor);
	if (code != 0)
		return ctl_db_fail(reterr, code, "cannot read the store");
	key = (MDB_val){ctl_record_key(first, 0, bytes), bytes};
	code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (code == 0) {
		memcpy(&first, key.mv_data, sizeof(first));
		code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	}
	if (code == 0)
		memcpy(&last, key.mv_data, sizeof(last));
	mdb_cursor_close(cursor);
	if (code != 0)
		return code == MDB_NOTFOUND ? -ENOENT
					    : ctl_db_fail(reterr, code, "cannot read the store");
	*ret_first = GUINT64_FROM_BE(first);
	*ret_last = GUINT64_FROM_BE(last);
	return 0;
}
