// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_reader.h"

#include "control/store_dir.h"
#include "control/store_record.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 3, TABLES_MAX = 32 };

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool ctl_store_is_copy(const char *place)
{
	struct stat st;

	return stat(place, &st) == 0 && !S_ISDIR(st.st_mode);
}

char *ctl_store_file_of(const char *place)
{
	return is_folder(place) ? g_build_filename(place, CTL_STORE_FILE, NULL) : g_strdup(place);
}

/* LMDB has no assertion that is not about the file. */
[[gnu::noreturn]] static void on_assert(MDB_env *, const char *)
{
	abort(); // silently: the guard has the sentence
}

static int complain(const struct ctl_store_reader *reader, int rc, struct dp_err *reterr)
{
	switch (rc) {
	case ENOENT:
		return dp_fail(reterr, ENOENT,
			"there is no store at '%s', expected the folder of one", reader->path);
	case EACCES:
	case EPERM:
	case EROFS:
		return dp_fail(reterr, rc, "cannot read '%s' (%m): be root, or the daemon's user",
			reader->path);
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_CURSOR_FULL:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_DBI:
		return dp_fail(reterr, EBADMSG, "'%s' is damaged, or no store at all: %s",
			reader->path, mdb_strerror(rc));
	default:
		return dp_fail(reterr, rc > 0 ? rc : EIO, "cannot read '%s': %s", reader->path,
			mdb_strerror(rc));
	}
}

/* What the path leads to; all zero when there is nothing. */
struct identity {
	struct stat data, lock;
	int error; // why there is no data
};

static struct identity identify(const struct ctl_store_reader *reader)
{
	g_autofree char *lock = g_strconcat(reader->path, "-lock", NULL);
	struct identity identity = {0};

	(void)stat(lock, &identity.lock); // stays zero
	if (stat(reader->path, &identity.data) < 0)
		identity.error = errno;
	return identity;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* LMDB would make its lock file as well; but one of root's must not keep the daemon out, and a hole in
 * it would be a SIGBUS on a full disk. */
static int make_lock(
	const struct ctl_store_reader *reader, const struct identity *before, struct dp_err *reterr)
{
	g_autofree char *lock = g_strconcat(reader->path, "-lock", NULL);
	int r;

	if (reader->is_alone)
		return 0;
	r = ctl_store_dir_reserve_lock(reader->path, reterr);
	if (r == -EROFS)
		return 0; // nobody writes there
	if (r == 0 && geteuid() == 0 && chown(lock, before->data.st_uid, before->data.st_gid) < 0)
		r = dp_fail(reterr, errno, "cannot give '%s' the owner of '%s': %m", lock,
			reader->path);
	return r;
}

static int open_env(struct ctl_store_reader *reader, struct dp_err *reterr)
{
	const unsigned flags = MDB_RDONLY | MDB_NOSUBDIR | MDB_NOTLS |
		(reader->is_alone ? MDB_NOLOCK : 0);
	int rc = mdb_env_create(&reader->env);

	if (rc == 0)
		rc = mdb_env_set_assert(reader->env, on_assert);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(reader->env, TABLES_MAX);
	if (rc == 0)
		rc = mdb_env_open(reader->env, reader->path, flags, 0600);
	if (rc != 0) {
		errno = rc; // for %m
		return complain(reader, rc, reterr);
	}
	return 0;
}

static void close_env(struct ctl_store_reader *reader)
{
	if (reader->env != NULL)
		mdb_env_close(reader->env);
	reader->env = NULL;
}

/* Restore and compact put another file in place, and the lock file that belongs to it: never look
 * at one through the lock of the other. */
static int open_same(struct ctl_store_reader *reader, struct dp_err *reterr)
{
	for (int i = 0; i < TRIES; i++) {
		const struct identity before = identify(reader);
		struct identity after;
		int r;

		if (before.error != 0) {
			errno = before.error; // for %m
			return complain(reader, before.error, reterr);
		}
		if (!S_ISREG(before.data.st_mode))
			return dp_fail(reterr, EINVAL, "'%s' is no regular file, expected a store",
				reader->path);
		if (before.data.st_size == 0)
			return dp_fail(
				reterr, EBADMSG, "'%s' is empty, expected a store", reader->path);
		r = before.lock.st_ino == 0 ? make_lock(reader, &before, reterr) : 0;
		if (r == 0)
			r = open_env(reader, reterr);
		if (r < 0 || reader->is_alone)
			return r;
		after = identify(reader);
		if (is_same(&before.data, &after.data) &&
			(before.lock.st_ino == 0 || is_same(&before.lock, &after.lock)))
			return 0;
		close_env(reader);
	}
	return dp_fail(reterr, EBUSY, "'%s' is being replaced, try again", reader->path);
}

static int open_tables(struct ctl_store_reader *reader, struct dp_err *reterr)
{
	int rc = mdb_txn_begin(reader->env, NULL, MDB_RDONLY, &reader->txn);

	if (rc == MDB_READERS_FULL)
		return dp_fail(reterr, EAGAIN,
			"'%s' has as many readers as it can have: end one of them", reader->path);
	for (int i = 0; i < CTL_TABLE_COUNT && rc == 0; i++) {
		rc = mdb_dbi_open(reader->txn, ctl_table_names[i], 0, &reader->dbis[i]);
		if (rc == MDB_NOTFOUND) {
			reader->dbis[i] = 0;
			rc = 0;
		}
	}
	return rc == 0 ? 0 : complain(reader, rc, reterr);
}

/* What the store says of itself. */
static int on_meta(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct ctl_store_reader *reader = ctx;

	if (key == CTL_META_FORMAT) {
		reader->has_format = true;
		return ctl_store_format_unpack(value, len, &reader->format, NULL);
	}
	return key == CTL_META_COMMITTED ? ctl_store_state_unpack(value, len, &reader->state) : 0;
}

static int read_meta(struct ctl_store_reader *reader, struct dp_err *reterr)
{
	struct dp_err err = {0};
	const int r = ctl_store_reader_walk(reader, CTL_TABLE_META, on_meta, reader, &err);

	if (r == -EBADMSG && err.text[0] == '\0')
		return dp_fail(reterr, EBADMSG,
			"'%s' is damaged: what it says of itself cannot be read", reader->path);
	if (r < 0)
		return dp_fail(reterr, -r, "%s", err.text);
	if (!reader->has_format)
		return dp_fail(reterr, EBADMSG, "'%s' is no store of wirecue", reader->path);
	return ctl_store_format_suits(&reader->format, reader->path, NULL, 0, reterr);
}

int ctl_store_reader_open(
	const char *place, struct ctl_store_reader **ret_reader, struct dp_err *reterr)
{
	struct ctl_store_reader *reader = g_new0(struct ctl_store_reader, 1);
	int r;

	reader->path = ctl_store_file_of(place);
	reader->is_alone = ctl_store_is_copy(place);
	r = open_same(reader, reterr);
	if (r == 0)
		r = open_tables(reader, reterr);
	if (r == 0)
		r = read_meta(reader, reterr);
	if (r < 0) {
		ctl_store_reader_close(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

void ctl_store_reader_close(struct ctl_store_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->txn != NULL)
		mdb_txn_abort(reader->txn);
	close_env(reader);
	ctl_store_format_fini(&reader->format);
	g_free(reader->path);
	g_free(reader);
}

static int fault(const struct ctl_store_reader *reader, enum ctl_table table, uint64_t key,
	const char *what, struct dp_err *reterr)
{
	return dp_fail(reterr, EBADMSG, "'%s' is damaged: table '%s', behind key %llu: %s",
		reader->path, ctl_table_names[table], (unsigned long long)key, what);
}

/* One walk over a table. */
struct walk {
	struct ctl_store_reader *reader;
	struct ctl_joiner joiner;
	uint8_t last[CTL_RECORD_KEY_MAX]; // key of the record before
	size_t last_len; // 0 = there was none
	bool has_first;
	uint64_t first; // keys below are deleted, whatever of them is still there
	ctl_store_fn *fn;
	void *ctx;
};

/* Pointers that lead back would make a walk endless. */
static bool is_above(const struct walk *walk, const MDB_val *key)
{
	const int order = memcmp(key->mv_data, walk->last, MIN(key->mv_size, walk->last_len));

	return order > 0 || (order == 0 && key->mv_size > walk->last_len);
}

static uint64_t key_of(const uint8_t *key)
{
	uint64_t number;

	memcpy(&number, key, sizeof(number));
	return GUINT64_FROM_BE(number);
}

static int visit(struct walk *walk, const MDB_val *k, const MDB_val *v, struct dp_err *reterr)
{
	const enum ctl_table table = walk->joiner.table;
	const uint64_t last = key_of(walk->last);
	struct ctl_record record;
	struct dp_err err = {0};
	int r;

	if (k->mv_size == 0 || k->mv_size > sizeof(walk->last) || !is_above(walk, k))
		return fault(walk->reader, table, last, "the next key is not above it", reterr);
	memcpy(walk->last, k->mv_data, k->mv_size);
	walk->last_len = k->mv_size;
	if (ctl_record_read(table, k->mv_data, k->mv_size, v->mv_data, v->mv_size, &record) < 0)
		return fault(walk->reader, table, last, "a record without its checksum", reterr);
	if (!walk->has_first || record.key < walk->first)
		return 0; // of a long deletion that is still going on
	r = ctl_joiner_add(&walk->joiner, k->mv_data, k->mv_size, v->mv_data, v->mv_size, walk->fn,
		walk->ctx, &err);
	if (r == -EBADMSG && err.text[0] != '\0')
		return fault(walk->reader, table, last, err.text, reterr);
	return r;
}

int ctl_store_reader_walk(struct ctl_store_reader *reader, enum ctl_table table, ctl_store_fn *fn,
	void *ctx, struct dp_err *reterr)
{
	struct walk walk = {.reader = reader, .joiner = {.table = table}, .fn = fn, .ctx = ctx};
	MDB_cursor *cursor;
	MDB_val k, v;
	struct dp_err err;
	int rc, r = 0;

	if (reader->dbis[table] == 0)
		return 0;
	walk.has_first = ctl_store_state_first(&reader->state, table, 0, &walk.first);
	rc = mdb_cursor_open(reader->txn, reader->dbis[table], &cursor);
	if (rc != 0)
		return complain(reader, rc, reterr);
	for (rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST); rc == 0 && r == 0;
		rc = r != 0 ? r : mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
		r = visit(&walk, &k, &v, reterr);
	mdb_cursor_close(cursor);
	if (r == 0 && rc != MDB_NOTFOUND)
		r = complain(reader, rc, reterr);
	if (r == 0 && ctl_joiner_end(&walk.joiner, &err) < 0)
		r = fault(reader, table, key_of(walk.last), err.text, reterr);
	ctl_joiner_fini(&walk.joiner);
	return r < 0 ? r : 0;
}

/* In a child. */
static int strike_off(void *ctx, struct dp_err *reterr)
{
	struct ctl_store_reader reader = {.path = ctl_store_file_of(ctx)};
	int n_dead, r = open_same(&reader, reterr);

	if (r == 0)
		(void)mdb_reader_check(reader.env, &n_dead); // as far as it can
	close_env(&reader);
	g_free(reader.path);
	return r;
}

int ctl_store_reader_guard(ctl_store_job_fn *fn, void *ctx, const char *place, unsigned longest_s,
	struct dp_err *reterr)
{
	const int r = ctl_store_guard(fn, ctx, place, longest_s, reterr);
	g_autofree char *folder = g_strdup(place);
	struct dp_err err;

	if (r < 0 && r != -ENOENT && is_folder(place))
		(void)ctl_store_guard(
			strike_off, folder, place, longest_s, &err); // that failed already
	return r;
}
