// SPDX-License-Identifier: BSD-3-Clause
/* The file of a store: found sound and ours, or made, or set aside and made anew. */
#include "control/log.h"
#include "control/store_check.h"
#include "control/store_thread.h"
#include "control/utc.h"

#include <errno.h>
#include <unistd.h>

static const char new_name[] = CTL_STORE_FILE ".new";

static int put_head(struct ctl_db_txn *txn, const struct ctl_store *store)
{
	const struct ctl_store_format format = {.version = CTL_STORE_VERSION,
		.node = store->node,
		.tick_ns = store->tick_ns,
		.created_ns = ctl_utc_now_ns()};
	struct ctl_pack pack = {0};
	int code;

	ctl_store_format_pack(&format, &pack);
	code = ctl_db_put(txn, CTL_TABLE_META, CTL_META_FORMAT, pack.data, pack.len);
	ctl_pack_fini(&pack);
	return code;
}

/* Under another name, so that a file with the right one is always whole. */
static int write_new(const struct ctl_store *store, const char *file, struct dp_err *reterr)
{
	struct ctl_db db;
	struct ctl_db_txn txn;
	int code = ctl_db_open(file, store->size_max, &db);

	if (code != 0)
		goto fail;
	code = ctl_db_begin(&db, &txn);
	if (code == 0) {
		code = put_head(&txn, store);
		if (code == 0)
			code = ctl_db_commit(&txn);
		else
			ctl_db_abort(&txn);
	}
	ctl_db_close(&db);
fail:
	if (code == 0)
		return 0;
	return dp_fail(reterr, code > 0 ? code : ENOSPC, "cannot make the store '%s': %s; see %s",
		store->dir.file, mdb_strerror(code),
		code == MDB_MAP_FULL ? "store.size" : "to the disk of store.path");
}

static int make(struct ctl_store *store, struct dp_err *reterr)
{
	g_autofree char *file = g_build_filename(store->dir.path, new_name, NULL);
	g_autofree char *lock = g_strconcat(file, "-lock", NULL);
	int r;

	(void)unlink(file); // an attempt that was not finished: nothing was in it
	r = ctl_store_dir_reserve_lock(file, reterr);
	if (r == 0)
		r = write_new(store, file, reterr);
	if (r == 0)
		return ctl_store_dir_adopt(&store->dir, new_name, reterr);
	(void)unlink(file);
	(void)unlink(lock);
	return r;
}

/* Into store->db, and what it says it is. */
static int open_db(struct ctl_store *store, struct dp_err *reterr)
{
	struct ctl_db_txn txn;
	int code, r = ctl_store_dir_reserve_lock(store->dir.file, reterr);

	if (r < 0)
		return r;
	code = ctl_db_open(store->dir.file, store->size_max, &store->db);
	if (code == 0)
		code = ctl_db_begin(&store->db, &txn);
	if (code == ENOMEM)
		return dp_fail(reterr, code,
			"cannot open the store '%s': no addresses for store.size; lower it, or "
			"raise the limit (ulimit -v)",
			store->dir.file);
	if (code != 0)
		return dp_fail(reterr, code > 0 ? code : EIO, "cannot open the store '%s': %s",
			store->dir.file, mdb_strerror(code));
	store->generation = txn.state.generation + 1;
	store->is_trimmed = ctl_db_is_trimmed(&txn);
	store->stats.watermark_ns = txn.state.watermark_ns;
	store->watermark_ns = txn.state.watermark_ns;
	ctl_db_abort(&txn);
	return 0;
}

/* Out of the way, with all that is in it. */
static int set_aside(struct ctl_store *store, const struct dp_err *found, struct dp_err *reterr)
{
	g_autofree char *where = NULL;
	const int r = ctl_store_dir_set_aside(&store->dir, &where, reterr);

	if (r < 0)
		return r;
	ctl_log(CTL_LOG_ERR, "store_damaged", CTL_TEXT("path", store->dir.path),
		CTL_TEXT("found", found->text), CTL_TEXT("kept_in", where),
		CTL_TEXT("consequence", "it begins with an empty store"),
		CTL_TEXT("remedy", "stop wirecue, then: wirecue store restore"));
	return 0;
}

int ctl_store_open_file(struct ctl_store *store, struct dp_err *reterr)
{
	struct dp_err found;
	int r = ctl_store_dir_has_file(&store->dir, reterr);

	if (r < 0)
		return r;
	store->is_new = r == 0;
	if (!store->is_new) {
		r = ctl_store_check(store->dir.file, store->node, store->tick_ns, NULL, &found);
		if (r == -EBADMSG) {
			r = set_aside(store, &found, reterr);
			store->is_new = true;
		} else if (r < 0 && reterr != NULL) {
			*reterr = found;
		}
	}
	if (r >= 0 && store->is_new)
		r = make(store, reterr);
	return r < 0 ? r : open_db(store, reterr);
}
