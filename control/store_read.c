// SPDX-License-Identifier: BSD-3-Clause
/* Reading a store that is open: by one thread, by several, one value. */
#include "control/store_thread.h"

#include <errno.h>
#include <inttypes.h>

enum { THREADS_MAX = 64 };

/* Nothing is reopened until end_read(). While it is, which takes seconds, nobody waits. */
static int begin_read(struct ctl_store *store, MDB_txn **ret_txn, struct dp_err *reterr)
{
	int code;

	if (pthread_rwlock_tryrdlock(&store->db_lock) != 0)
		return dp_fail(reterr, EAGAIN, "the store is being opened again");
	code = store->db.env == NULL ? MDB_PANIC
				     : mdb_txn_begin(store->db.env, NULL, MDB_RDONLY, ret_txn);
	if (code == 0)
		return 0;
	(void)pthread_rwlock_unlock(&store->db_lock);
	return ctl_db_fail(reterr, code, "cannot read the store");
}

static void end_read(struct ctl_store *store, MDB_txn *txn)
{
	mdb_txn_abort(txn);
	(void)pthread_rwlock_unlock(&store->db_lock);
}

static int read_range(struct ctl_store *store, enum ctl_table table, uint64_t from, uint64_t to,
	ctl_store_fn *fn, void *ctx, struct dp_err *reterr)
{
	bool stopped;
	MDB_txn *txn;
	int r = begin_read(store, &txn, reterr);

	if (r < 0)
		return r;
	r = ctl_db_read(&store->db, txn, table, from, to, fn, ctx, &stopped, reterr);
	end_read(store, txn);
	return r;
}

int ctl_store_read(struct ctl_store *store, enum ctl_table table, uint64_t from, ctl_store_fn *fn,
	void *ctx, struct dp_err *reterr)
{
	return read_range(store, table, from, UINT64_MAX, fn, ctx, reterr);
}

/* --- one value ------------------------------------------------------------------------------- */

struct get {
	ctl_store_fn *fn;
	void *ctx;
	bool is_there;
};

static int take(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct get *get = ctx;

	get->is_there = true;
	return get->fn(get->ctx, key, value, len);
}

int ctl_store_get(struct ctl_store *store, enum ctl_table table, uint64_t key, ctl_store_fn *fn,
	void *ctx, struct dp_err *reterr)
{
	struct get get = {fn, ctx, false};
	const int r = read_range(store, table, key, key, take, &get, reterr);

	return r == 0 && !get.is_there ? -ENOENT : r;
}

/* --- several threads ------------------------------------------------------------------------- */

struct share {
	const struct ctl_store *store;
	MDB_txn *txn;
	enum ctl_table table;
	uint64_t from, to;
	ctl_store_fn *fn;
	void *ctx;
	_Atomic bool *stop; // of all: one has failed or has seen enough
	bool stopped;
	int r;
	struct dp_err err;
	pthread_t thread;
};

static int unless_stopped(void *ctx, uint64_t key, const void *value, size_t len)
{
	const struct share *share = ctx;

	if (atomic_load_explicit(share->stop, memory_order_relaxed))
		return 1;
	return share->fn(share->ctx, key, value, len);
}

static void *read_share(void *arg)
{
	struct share *share = arg;

	share->r = ctl_db_read(&share->store->db, share->txn, share->table, share->from, share->to,
		unless_stopped, share, &share->stopped, &share->err);
	if (share->r < 0 || share->stopped)
		atomic_store_explicit(share->stop, true, memory_order_relaxed);
	return NULL;
}

static void abort_txns(struct share *shares, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		mdb_txn_abort(shares[i].txn);
}

/* Transactions of one moment: begun again when a commit came between them. */
static int begin_txns(
	const struct ctl_store *store, struct share *shares, unsigned n, struct dp_err *reterr)
{
	unsigned i;
	int code;

	do {
		for (i = 0; i < n; i++) {
			code = mdb_txn_begin(store->db.env, NULL, MDB_RDONLY, &shares[i].txn);
			if (code != 0) {
				abort_txns(shares, i);
				return ctl_db_fail(reterr, code, "cannot read the store");
			}
			if (mdb_txn_id(shares[i].txn) != mdb_txn_id(shares[0].txn)) {
				abort_txns(shares, i + 1);
				break;
			}
		}
	} while (i < n);
	return 0;
}

static int run_shares(struct share *shares, unsigned n, struct dp_err *reterr)
{
	unsigned n_threads = 0;
	int r = 0;

	while (n_threads < n - 1 &&
		pthread_create(&shares[n_threads].thread, NULL, read_share, &shares[n_threads]) ==
			0)
		n_threads++;
	for (unsigned i = n_threads; i < n; i++) // the last one here, and those without a thread
		(void)read_share(&shares[i]);
	for (unsigned i = 0; i < n_threads; i++)
		(void)pthread_join(shares[i].thread, NULL); // ours and joinable
	for (unsigned i = 0; i < n; i++) {
		if (r == 0 && shares[i].r < 0) {
			r = shares[i].r;
			if (reterr != NULL)
				*reterr = shares[i].err;
		}
	}
	return r;
}

/* Equal parts of [first, last]. */
static void divide(struct share *shares, unsigned n, uint64_t first, uint64_t last)
{
	const uint64_t step = (last - first) / n + 1;

	for (unsigned i = 0; i < n; i++) {
		shares[i].from = first + i * step;
		shares[i].to = i + 1 == n ? last : shares[i].from + step - 1;
	}
}

int ctl_store_read_parallel(struct ctl_store *store, enum ctl_table table, unsigned n_threads,
	ctl_store_fn *fn, void *const *ctxs, struct dp_err *reterr)
{
	struct share shares[THREADS_MAX] = {0};
	_Atomic bool stop = false;
	uint64_t first, last;
	MDB_txn *txn;
	unsigned n = CLAMP(n_threads, 1, THREADS_MAX);
	int r = begin_read(store, &txn, reterr);

	if (r < 0)
		return r;
	r = ctl_db_bounds(&store->db, txn, table, &first, &last, reterr);
	if (r == 0) {
		n = (unsigned)MIN((uint64_t)n - 1, last - first) + 1;
		divide(shares, n, first, last);
		for (unsigned i = 0; i < n; i++) {
			shares[i].store = store;
			shares[i].table = table;
			shares[i].fn = fn;
			shares[i].ctx = ctxs[i];
			shares[i].stop = &stop;
		}
		r = begin_txns(store, shares, n, reterr);
		if (r == 0) {
			r = run_shares(shares, n, reterr);
			abort_txns(shares, n);
		}
	}
	end_read(store, txn);
	return r == -ENOENT ? 0 : r;
}
