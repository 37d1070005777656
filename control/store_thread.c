// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_thread.h"

#include "control/log.h"
#include "control/store_check.h"
#include "control/utc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	BATCHES_MAX = 256, // of one transaction
	FILLING_PERCENT = 80, // of store.size that are used when it is told; start value
	FILLED_LESS_PERCENT = 75, // when it may be told again
	TRIM_MAX = 16384, // records that are cut away in one transaction: about 20 ms
};
#define TXN_BYTES_MAX ((size_t)64 << 20) // then it is committed, though more waits; start value
#define TXN_NS_MAX (500ULL * 1000 * 1000) // the same in time
#define DISK_LEFT_MIN (1UL << 20) // less is a full disk: LMDB writes 256 KiB at once
#define READERS_NS (60ULL * 1000 * 1000 * 1000) // how often those that died are cleared away
#define RETRY_MIN_NS (100ULL * 1000 * 1000)
#define RETRY_MAX_NS (5ULL * 1000 * 1000 * 1000)

/* One attempt: what it is about, and what came of it. */
struct attempt {
	struct ctl_batch *batches[BATCHES_MAX]; // the oldest that wait; the queue has them still
	size_t n_batches;
	size_t n_applied; // from the first on
	uint64_t used_bytes;
	struct ctl_store_state state;
	bool is_trimmed;
	uint64_t begin_ns;
	const char *doing; // for the alarm
};

/* --- the alarm ------------------------------------------------------------------------------- */

static const char *cause_of(int code)
{
	switch (code) {
	case MDB_MAP_FULL:
		return "the file has reached store.size";
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case EBADMSG:
		return "the file is damaged";
	default:
		return mdb_strerror(code);
	}
}

static const char *remedy_of(int code)
{
	switch (code) {
	case MDB_MAP_FULL:
		return "raise store.size and reload (SIGHUP); it then goes on by itself";
	case ENOSPC:
	case EDQUOT:
		return "make room on the disk of store.path; it then goes on by itself";
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case EBADMSG:
		return "restart: the store is checked at the start";
	default:
		return "look at the disk of store.path and at the kernel's log; it is tried again";
	}
}

/* LMDB says EIO when only a part of what it wrote was taken, which is how a disk gets full. */
static int true_code(const struct ctl_store *store, int code)
{
	struct statvfs fs;

	if (code == EIO && statvfs(store->dir.path, &fs) == 0 &&
		fs.f_bavail * fs.f_frsize < DISK_LEFT_MIN)
		return ENOSPC;
	return code;
}

static void tell_failure(struct ctl_store *store, const struct attempt *attempt, int code)
{
	struct ctl_store_stats *stats = &store->stats;
	const char *cause = cause_of(code);
	size_t n_waiting;
	bool is_told;

	(void)pthread_mutex_lock(&store->lock);
	stats->n_failed++;
	is_told = stats->failing_since_ns != 0 && strcmp(stats->cause, cause) == 0;
	if (stats->failing_since_ns == 0)
		stats->failing_since_ns = ctl_utc_now_ns();
	(void)g_strlcpy(stats->cause, cause, sizeof(stats->cause));
	n_waiting = g_queue_get_length(&store->waiting);
	(void)pthread_mutex_unlock(&store->lock);
	if (!is_told)
		ctl_log(CTL_LOG_ERR, "store_failing", CTL_TEXT("path", store->dir.path),
			CTL_TEXT("doing", attempt->doing), CTL_TEXT("cause", cause),
			CTL_TEXT("remedy", remedy_of(code)), CTL_COUNT("waiting", n_waiting),
			CTL_TEXT("consequence", "nothing new is published until it works again"));
}

static void tell_recovery(const struct ctl_store *store, uint64_t since_ns)
{
	const uint64_t now_ns = ctl_utc_now_ns();

	ctl_log(CTL_LOG_NOTICE, "store_recovered", CTL_TEXT("path", store->dir.path),
		CTL_COUNT("failed_ms", now_ns > since_ns ? (now_ns - since_ns) / 1000000 : 0));
}

/* Before it is full: somebody has to raise store.size. */
static void tell_filling(struct ctl_store *store, uint64_t used_bytes)
{
	const uint64_t percent = store->size_max / 100;

	if (!store->is_filling && used_bytes > FILLING_PERCENT * percent)
		ctl_log(CTL_LOG_WARNING, "store_filling", CTL_TEXT("path", store->dir.path),
			CTL_COUNT("used_bytes", used_bytes), CTL_COUNT("size", store->size_max),
			CTL_TEXT("remedy", "raise store.size and reload (SIGHUP)"));
	if (used_bytes > FILLING_PERCENT * percent)
		store->is_filling = true;
	else if (used_bytes < FILLED_LESS_PERCENT * percent)
		store->is_filling = false;
}

/* --- one transaction ------------------------------------------------------------------------- */

/* The environment gives up after a failed write of its head. Nothing of it is used meanwhile. */
static int reopen(struct ctl_store *store)
{
	struct dp_err err;
	int code;

	(void)pthread_rwlock_wrlock(&store->db_lock);
	ctl_db_close(&store->db);
	// LMDB trusts what it reads, and something went wrong down there.
	code = -ctl_store_check(store->dir.file, store->node, store->tick_ns, NULL, &err);
	if (code == 0)
		code = ctl_db_open(store->dir.file, store->size_max, &store->db);
	(void)pthread_rwlock_unlock(&store->db_lock);
	return code;
}

/* The operator has raised store.size. The map moves, so nobody may be reading. */
static int grow(struct ctl_store *store)
{
	uint64_t wanted;
	int code = 0;

	(void)pthread_mutex_lock(&store->lock);
	wanted = store->size_wanted;
	(void)pthread_mutex_unlock(&store->lock);
	if (wanted <= store->size_max)
		return 0;
	(void)pthread_rwlock_wrlock(&store->db_lock);
	if (store->db.env != NULL)
		code = ctl_db_grow(&store->db, wanted);
	(void)pthread_rwlock_unlock(&store->db_lock);
	if (code == 0)
		store->size_max = wanted;
	return code;
}

static int begin(struct ctl_store *store, struct attempt *attempt, struct ctl_db_txn *txn)
{
	int code = grow(store);

	if (code != 0)
		return code;
	code = store->db.env == NULL ? MDB_PANIC : ctl_db_begin(&store->db, txn);

	if (code == MDB_PANIC) {
		attempt->doing = "open the file again";
		code = reopen(store);
		if (code == 0)
			code = ctl_db_begin(&store->db, txn);
	}
	if (code == 0 && txn->state.generation != store->generation) {
		txn->state.generation = store->generation;
		txn->state.serial = 0;
	}
	return code;
}

static bool is_enough(const struct attempt *attempt, size_t n_bytes)
{
	return n_bytes >= TXN_BYTES_MAX ||
		ctl_store_monotonic_ns() - attempt->begin_ns >= TXN_NS_MAX;
}

static int fill(struct attempt *attempt, struct ctl_db_txn *txn)
{
	size_t n_bytes = 0, i = 0;
	int code = 0;

	for (; code == 0 && i < attempt->n_batches && !is_enough(attempt, n_bytes); i++) {
		// After an error in the last step of a commit it may be in, and must not be
		// published before a commit on top of it has succeeded.
		if (ctl_batch_serial(attempt->batches[i]) <= txn->state.serial)
			continue;
		code = ctl_db_apply(txn, attempt->batches[i]);
		n_bytes += ctl_batch_bytes(attempt->batches[i]);
	}
	attempt->n_applied = i;
	if (code == 0)
		code = ctl_db_trim(txn, TRIM_MAX);
	return code;
}

/* A reader of another process that was killed would keep every page it could see. */
static void clear_readers(struct ctl_store *store)
{
	const uint64_t now_ns = ctl_store_monotonic_ns();
	int n_dead;

	if (store->db.env == NULL || now_ns - store->readers_ns < READERS_NS)
		return;
	store->readers_ns = now_ns;
	(void)mdb_reader_check(store->db.env, &n_dead); // else next time
}

static int commit(struct ctl_store *store, struct attempt *attempt)
{
	struct ctl_db_txn txn;
	uint64_t n_pages = 0;
	int code;

	clear_readers(store);
	attempt->doing = "begin";
	code = begin(store, attempt, &txn);
	if (code != 0)
		return code;
	attempt->doing = "write";
	code = fill(attempt, &txn);
	if (code == 0)
		code = ctl_db_used_pages(&txn, &n_pages);
	if (code != 0) {
		ctl_db_abort(&txn);
		return code;
	}
	attempt->used_bytes = n_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	attempt->state = txn.state;
	attempt->is_trimmed = ctl_db_is_trimmed(&txn);
	attempt->doing = "commit";
	return ctl_db_commit(&txn);
}

/* --- the loop -------------------------------------------------------------------------------- */

/* Wait for batches, or go on with a cut. False: the end. */
static bool take(struct ctl_store *store, struct attempt *attempt, bool is_trimmed)
{
	bool stop;

	(void)pthread_mutex_lock(&store->lock);
	while (!store->stop && is_trimmed && g_queue_is_empty(&store->waiting))
		(void)pthread_cond_wait(&store->to_thread, &store->lock);
	*attempt = (struct attempt){.begin_ns = ctl_store_monotonic_ns()};
	for (GList *l = store->waiting.head; l != NULL && attempt->n_batches < BATCHES_MAX;
		l = l->next)
		attempt->batches[attempt->n_batches++] = l->data;
	stop = store->stop;
	(void)pthread_mutex_unlock(&store->lock);
	return !stop;
}

/* The batches are durable: forget them, say so. */
static void finish(struct ctl_store *store, const struct attempt *attempt)
{
	const uint64_t took_ns = ctl_store_monotonic_ns() - attempt->begin_ns, one = 1;
	struct ctl_store_stats *stats = &store->stats;

	if (stats->failing_since_ns != 0) // written by this thread alone
		tell_recovery(store, stats->failing_since_ns);
	atomic_store_explicit(
		&store->watermark_ns, attempt->state.watermark_ns, memory_order_relaxed);
	atomic_store_explicit(&store->committed, attempt->state.serial, memory_order_release);
	(void)pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < attempt->n_applied; i++) {
		(void)g_queue_pop_head(&store->waiting);
		store->waiting_bytes -= ctl_batch_bytes(attempt->batches[i]);
	}
	stats->n_committed += attempt->n_applied;
	stats->used_bytes = attempt->used_bytes;
	stats->watermark_ns = attempt->state.watermark_ns;
	stats->commit_ns_last = took_ns;
	stats->commit_ns_max = MAX(stats->commit_ns_max, took_ns);
	stats->failing_since_ns = 0;
	stats->cause[0] = '\0';
	(void)pthread_cond_broadcast(&store->to_flush);
	(void)pthread_mutex_unlock(&store->lock);
	(void)!write(store->fd, &one, sizeof(one)); // EAGAIN: it is readable enough
	tell_filling(store, attempt->used_bytes);
	// Outside of the lock: control must not wait for megabytes to be given back.
	for (size_t i = 0; i < attempt->n_applied; i++)
		ctl_batch_free(attempt->batches[i]);
}

/* Until it is time to try again, or to stop. */
static void back_off(struct ctl_store *store, uint64_t wait_ns)
{
	const uint64_t deadline_ns = ctl_store_monotonic_ns() + wait_ns;
	bool in_time = true;

	(void)pthread_mutex_lock(&store->lock);
	while (in_time && !store->stop)
		in_time = ctl_store_wait(store, &store->to_thread, deadline_ns);
	(void)pthread_mutex_unlock(&store->lock);
}

void *ctl_store_thread(void *arg)
{
	struct ctl_store *store = arg;
	struct attempt attempt;
	uint64_t retry_ns = RETRY_MIN_NS;
	bool is_trimmed = store->is_trimmed;
	int code;

	(void)pthread_setname_np(pthread_self(), "store"); // short enough
	while (take(store, &attempt, is_trimmed)) {
		code = commit(store, &attempt);
		if (code == 0) {
			finish(store, &attempt);
			is_trimmed = attempt.is_trimmed;
			retry_ns = RETRY_MIN_NS;
			continue;
		}
		tell_failure(store, &attempt, true_code(store, code));
		back_off(store, retry_ns);
		retry_ns = MIN(retry_ns * 2, RETRY_MAX_NS);
	}
	return NULL;
}
