// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_copy.h"

#include "control/store_guard.h"
#include "control/store_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ending[] = ".XXXXXX"; // as mkostemp(3) wants it

int ctl_store_draft_open(
	const char *target, struct ctl_store_draft *ret_draft, struct dp_err *reterr)
{
	g_autofree char *path = g_strconcat(target, ending, NULL);
	const int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot write beside '%s': %m", target);
	*ret_draft = (struct ctl_store_draft){
		.path = g_steal_pointer(&path), .target = g_strdup(target), .fd = fd};
	return 0;
}

int ctl_store_draft_resemble(
	const struct ctl_store_draft *draft, const char *like, struct dp_err *reterr)
{
	struct stat st, own;

	if (stat(like, &st) < 0)
		return dp_fail(reterr, errno, "cannot look at '%s': %m", like);
	if (S_ISREG(st.st_mode) && fchmod(draft->fd, st.st_mode & 0777) < 0)
		return dp_fail(reterr, errno, "cannot set the mode of '%s': %m", draft->path);
	if (fstat(draft->fd, &own) == 0 && own.st_uid == st.st_uid && own.st_gid == st.st_gid)
		return 0;
	if (fchown(draft->fd, st.st_uid, st.st_gid) < 0)
		return dp_fail(reterr, errno,
			"cannot give '%s' the owner of '%s': %m; be root, or the daemon's user",
			draft->path, like);
	return 0;
}

static void forget(struct ctl_store_draft *draft)
{
	if (draft->fd >= 0)
		(void)close(draft->fd); // synced, or to be removed
	g_free(draft->path);
	g_free(draft->target);
	*draft = (struct ctl_store_draft){.fd = -1};
}

void ctl_store_draft_drop(struct ctl_store_draft *draft)
{
	if (draft->path == NULL)
		return;
	(void)unlink(draft->path);
	forget(draft);
}

static int sync_folder_of(const char *path, struct dp_err *reterr)
{
	g_autofree char *folder = g_path_get_dirname(path);
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0 || fsync(fd) < 0)
		r = dp_fail(reterr, errno, "cannot write the folder '%s': %m", folder);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* Atomic, and never over something where it must not be. */
static int rename_draft(const struct ctl_store_draft *draft, bool may_replace)
{
	if (may_replace)
		return rename(draft->path, draft->target);
	if (renameat2(AT_FDCWD, draft->path, AT_FDCWD, draft->target, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (link(draft->path, draft->target) < 0) // a file system that cannot do it at once
		return -1;
	return unlink(draft->path);
}

int ctl_store_draft_settle(struct ctl_store_draft *draft, bool may_replace, struct dp_err *reterr)
{
	int r = 0;

	if (fsync(draft->fd) < 0)
		r = dp_fail(reterr, errno, "cannot write '%s': %m", draft->path);
	else if (rename_draft(draft, may_replace) < 0)
		r = dp_fail(reterr, errno, "cannot write '%s': %m", draft->target);
	if (r < 0) {
		ctl_store_draft_drop(draft);
		return r;
	}
	r = sync_folder_of(draft->target, reterr);
	forget(draft);
	return r;
}

/* LMDB's own lock: whoever has a file open holds it for reading, at byte 0 (its mdb.c, function
 * mdb_env_excl_lock). Who comes meanwhile waits, and then finds that it has the lock file of
 * another file (store_reader.c). Returns a descriptor or -errno. */
static int lock_out_readers(const char *lock, const char *store, struct dp_err *reterr)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	const int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot open '%s': %m", lock);
	if (fcntl(fd, F_OFD_SETLK, &all) == 0)
		return fd;
	r = errno == EAGAIN || errno == EACCES
		? dp_fail(reterr, EBUSY,
			  "somebody reads the store '%s' (a check, a dump, a backup): wait until "
			  "it has ended",
			  store)
		: dp_fail(reterr, errno, "cannot lock '%s': %m", lock);
	(void)close(fd);
	return r;
}

int ctl_store_draft_settle_store(struct ctl_store_draft *draft, struct dp_err *reterr)
{
	g_autofree char *lock = g_strconcat(draft->target, "-lock", NULL);
	const int fd = lock_out_readers(lock, draft->target, reterr);
	int r;

	if (fd < 0) {
		ctl_store_draft_drop(draft);
		return fd;
	}
	r = ctl_store_draft_settle(draft, true, reterr);
	(void)unlink(lock); // nobody has it; LMDB makes it anew, for whoever comes first
	(void)close(fd);
	return r;
}

void ctl_store_draft_sweep(const char *folder)
{
	const size_t len = strlen(CTL_STORE_FILE) + strlen(ending);
	GDir *dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		if (strlen(name) == len && g_str_has_prefix(name, CTL_STORE_FILE "."))
			(void)unlink(path);
	}
	if (dir != NULL)
		g_dir_close(dir);
}

/* --- what is written --------------------------------------------------------------------------- */

struct copy {
	const char *from;
	int fd;
};

static int copy_env(void *ctx, struct dp_err *reterr)
{
	const struct copy *copy = ctx;
	struct ctl_store_reader *reader;
	int rc, r = ctl_store_reader_open(copy->from, &reader, reterr);

	if (r < 0)
		return r;
	rc = mdb_env_copyfd2(reader->env, copy->fd, MDB_CP_COMPACT);
	if (rc > 0)
		r = dp_fail(reterr, rc, "cannot write the copy: %s", mdb_strerror(rc));
	else if (rc < 0)
		r = dp_fail(reterr, EBADMSG, "'%s' is damaged: %s", reader->path, mdb_strerror(rc));
	ctl_store_reader_close(reader);
	return r;
}

int ctl_store_copy(const char *place, int fd, unsigned longest_s, struct dp_err *reterr)
{
	struct copy copy = {.from = place, .fd = fd};

	return ctl_store_reader_guard(copy_env, &copy, place, longest_s, reterr);
}
