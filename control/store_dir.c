// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_dir.h"

#include "control/store_format.h"
#include "control/utc.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	DIR_MODE = 0700, // the key of identities lies here, too
	FILE_MODE = 0600,
	LOCK_FILE_BYTES = 16384, // LMDB takes 64 bytes a reader, 126 of them
	N_NAMES = 100, // of folders for damaged files in one second
};

static int make_folder(const char *path, struct dp_err *reterr)
{
	struct stat st;

	if (mkdir(path, DIR_MODE) == 0)
		return 0;
	if (errno == ENOENT)
		return dp_fail(reterr, errno,
			"cannot make the folder '%s' of the store: the one above it is missing; "
			"make it, or set store.path",
			path);
	if (errno != EEXIST)
		return dp_fail(reterr, errno,
			"cannot make the folder '%s' of the store: %m; make it for the user that "
			"runs wirecue, or set store.path",
			path);
	if (stat(path, &st) < 0)
		return dp_fail(reterr, errno, "cannot look at '%s' of the store: %m", path);
	if (!S_ISDIR(st.st_mode))
		return dp_fail(reterr, ENOTDIR,
			"'%s' is no folder: store.path names the folder of the store", path);
	return 0;
}

/* Who holds it, for the sentence only: 0 = unknown. */
static long pid_in(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return strtol(text, NULL, 10);
}

static int busy(const char *path, int fd, struct dp_err *reterr)
{
	const long pid = pid_in(fd);

	if (pid > 0)
		return dp_fail(reterr, EBUSY,
			"another process (%ld) writes to the store '%s': stop it, or set store.path",
			pid, path);
	return dp_fail(reterr, EBUSY,
		"another process writes to the store '%s': stop it, or set store.path", path);
}

static int become_writer(const char *path, int *ret_fd, struct dp_err *reterr)
{
	g_autofree char *name = g_build_filename(path, CTL_STORE_WRITER, NULL);
	const int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	char pid[16];
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno,
			"cannot open '%s': %m; the user that runs wirecue must be able to write "
			"in this folder",
			name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? busy(path, fd, reterr)
					 : dp_fail(reterr, errno, "cannot lock '%s': %m", name);
		(void)close(fd);
		return r;
	}
	// Only what others are told: that it cannot be written on a full disk is no reason to stop.
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, pid, (size_t)g_snprintf(pid, sizeof(pid), "%d\n", getpid()), 0);
	*ret_fd = fd;
	return 0;
}

int ctl_store_dir_open(const char *path, struct ctl_store_dir *ret_dir, struct dp_err *reterr)
{
	int fd = -1, r = make_folder(path, reterr);

	if (r == 0)
		r = become_writer(path, &fd, reterr);
	if (r < 0)
		return r;
	*ret_dir = (struct ctl_store_dir){
		.path = g_strdup(path),
		.file = g_build_filename(path, CTL_STORE_FILE, NULL),
		.lock_fd = fd,
	};
	return 0;
}

void ctl_store_dir_close(struct ctl_store_dir *dir)
{
	if (dir->path == NULL)
		return;
	(void)close(dir->lock_fd); // nothing was written that matters
	g_free(dir->path);
	g_free(dir->file);
	*dir = (struct ctl_store_dir){.lock_fd = -1};
}

int ctl_store_dir_has_file(const struct ctl_store_dir *dir, struct dp_err *reterr)
{
	struct stat st;

	if (stat(dir->file, &st) < 0)
		return errno == ENOENT
			? 0
			: dp_fail(reterr, errno, "cannot look at '%s': %m", dir->file);
	if (!S_ISREG(st.st_mode))
		return dp_fail(reterr, EINVAL,
			"'%s' is no ordinary file: move it away, or set store.path", dir->file);
	return 1;
}

int ctl_store_dir_reserve_lock(const char *file, struct dp_err *reterr)
{
	g_autofree char *name = g_strconcat(file, "-lock", NULL);
	const int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot open '%s': %m", name);
	r = posix_fallocate(fd, 0, LOCK_FILE_BYTES);
	(void)close(fd); // blocks are reserved already
	return r == 0 ? 0 : dp_fail(reterr, r, "cannot open the store: no room for '%s': %m", name);
}

static int make_damaged(const struct ctl_store_dir *dir, char **ret_where, struct dp_err *reterr)
{
	const time_t now = (time_t)(ctl_utc_now_ns() / 1000000000ULL);
	char utc[32], suffix[8] = "";
	struct tm tm;

	(void)strftime(utc, sizeof(utc), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	for (int i = 0; i < N_NAMES; i++) {
		g_autofree char *name = g_strdup_printf("%s/damaged-%s%s", dir->path, utc, suffix);

		if (mkdir(name, DIR_MODE) == 0) {
			*ret_where = g_steal_pointer(&name);
			return 0;
		}
		if (errno != EEXIST)
			return dp_fail(reterr, errno, "cannot make '%s': %m", name);
		(void)g_snprintf(suffix, sizeof(suffix), "-%d", i + 2);
	}
	return dp_fail(
		reterr, EEXIST, "too many damaged stores in '%s': move them away", dir->path);
}

static int sync_folder(const char *path, struct dp_err *reterr)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot open '%s': %m", path);
	if (fsync(fd) < 0)
		r = dp_fail(reterr, errno, "cannot write the folder '%s': %m", path);
	(void)close(fd);
	return r;
}

int ctl_store_dir_set_aside(
	const struct ctl_store_dir *dir, char **ret_where, struct dp_err *reterr)
{
	g_autofree char *where = NULL, *to = NULL, *lock = NULL;
	int r = make_damaged(dir, &where, reterr);

	if (r < 0)
		return r;
	to = g_build_filename(where, CTL_STORE_FILE, NULL);
	lock = g_strconcat(dir->file, "-lock", NULL);
	if (rename(dir->file, to) < 0)
		return dp_fail(reterr, errno, "cannot move '%s' to '%s': %m", dir->file, to);
	(void)unlink(lock); // says nothing without its file; LMDB makes it anew
	r = sync_folder(dir->path, reterr);
	if (r == 0)
		*ret_where = g_steal_pointer(&where);
	return r;
}

int ctl_store_dir_adopt(const struct ctl_store_dir *dir, const char *from, struct dp_err *reterr)
{
	g_autofree char *name = g_build_filename(dir->path, from, NULL);
	g_autofree char *lock = g_strconcat(name, "-lock", NULL);

	if (rename(name, dir->file) < 0)
		return dp_fail(reterr, errno, "cannot rename '%s' to '%s': %m", name, dir->file);
	(void)unlink(lock); // of nobody any more
	return sync_folder(dir->path, reterr);
}
