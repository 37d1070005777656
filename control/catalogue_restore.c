// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_restore.h"

#include "control/catalogue_choice.h"
#include "control/folder.h"
#include "control/store_format.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL "catalogues.restore"
#define ASIDE "before-restore-"

enum { JOURNAL_BYTES_MAX = 128 };

char *ctl_versions_next_folder(const char *store_path)
{
	return g_build_filename(store_path, "catalogues.next", NULL);
}

static char *journal_of(const char *store_path)
{
	return g_build_filename(store_path, JOURNAL, NULL);
}

static int write_journal(const char *path, const char *text, struct dp_err *reterr)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	const int fd = open(path, flags, 0600);
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot make '%s': %m", path);
	r = ctl_fd_write(fd, text, strlen(text));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	(void)close(fd); // is synced, or given up
	return r < 0 ? dp_fail(reterr, -r, "cannot write '%s': %m", path) : 0;
}

int ctl_versions_restore_ready(
	const char *store_path, ino_t inode, const char *aside, struct dp_err *reterr)
{
	g_autofree char *path = journal_of(store_path);
	g_autofree char *text = g_strdup_printf("%" PRIu64 " %s\n", (uint64_t)inode, aside);
	struct stat st;
	int r;

	(void)unlink(path); // a link, or another owner's
	r = write_journal(path, text, reterr);
	if (r == 0 && geteuid() == 0 && stat(store_path, &st) == 0 &&
		chown(path, st.st_uid, st.st_gid) < 0)
		r = dp_fail(reterr, errno, "cannot give '%s' its owner: %m", path);
	return r == 0 ? ctl_folder_sync(store_path, reterr) : r;
}

/* The journal's bytes, up to size - 1. Returns how many; 0: there is none, or it is no file; -errno: nobody knows. */
static ssize_t read_journal(const char *path, char *ret_text, size_t size)
{
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		n = -errno;
	else if (S_ISREG(st.st_mode) && (n = read(fd, ret_text, size - 1)) < 0)
		n = -errno;
	(void)close(fd); // was only read
	return n;
}

/* "INODE ASIDE", complete. */
static bool parse_journal(char *text, size_t len, uint64_t *ret_inode, const char **ret_aside)
{
	char *end;

	if (len == 0 || text[len - 1] != '\n')
		return false;
	text[len - 1] = '\0';
	*ret_inode = g_ascii_strtoull(text, &end, 10);
	if (*end != ' ' || !g_str_has_prefix(end + 1, ASIDE) || strchr(end + 1, '/') != NULL)
		return false;
	*ret_aside = end + 1;
	return true;
}

/* Is it the turn of the new folder? Returns 1 with *ret_aside, a folder in that of the store, owned; 0; or -errno with a
 * sentence where that cannot be told now. */
static int is_due(const char *store_path, char **ret_aside, struct dp_err *reterr)
{
	g_autofree char *path = journal_of(store_path);
	g_autofree char *file = g_build_filename(store_path, CTL_STORE_FILE, NULL);
	char text[JOURNAL_BYTES_MAX];
	const ssize_t n = read_journal(path, text, sizeof(text));
	const char *aside;
	struct stat st;
	uint64_t inode;

	if (n < 0)
		return dp_fail(reterr, (int)-n, "cannot read '%s': %m", path);
	if (!parse_journal(text, (size_t)n, &inode, &aside))
		return 0;
	if (lstat(file, &st) < 0)
		return errno == ENOENT ? 0
				       : dp_fail(reterr, errno, "cannot look at '%s': %m", file);
	if ((uint64_t)st.st_ino != inode)
		return 0;
	*ret_aside = g_build_filename(store_path, aside, NULL);
	return 1;
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* Somebody may have tidied up the folder that was made for them. */
static int set_aside(const char *folder, const char *aside, struct dp_err *reterr)
{
	g_autofree char *to = g_build_filename(aside, "catalogues", NULL);

	if (mkdir(aside, 0700) < 0 && errno != EEXIST)
		return dp_fail(reterr, errno, "cannot make '%s': %m", aside);
	if (rename(folder, to) < 0)
		return dp_fail(reterr, errno, "cannot move '%s' to '%s': %m", folder, to);
	return 0;
}

/* Each step can be the last one before a crash: what is left to do can be seen. */
static int put_in_place(
	const char *store_path, const char *next, const char *aside, struct dp_err *reterr)
{
	g_autofree char *folder = ctl_versions_folder(store_path);
	int r = is_there(folder) ? set_aside(folder, aside, reterr) : 0;

	if (r < 0)
		return r;
	if (rename(next, folder) < 0)
		return dp_fail(reterr, errno, "cannot rename '%s' to '%s': %m", next, folder);
	return ctl_folder_sync(store_path, reterr);
}

int ctl_versions_restore_finish(const char *store_path, struct dp_err *reterr)
{
	g_autofree char *next = ctl_versions_next_folder(store_path);
	g_autofree char *journal = journal_of(store_path);
	g_autofree char *aside = NULL;
	int r = is_there(next) ? is_due(store_path, &aside, reterr) : 0;

	if (r > 0)
		r = put_in_place(store_path, next, aside, reterr);
	if (r < 0)
		return r;
	// The journal first: without it the folder is nothing.
	(void)unlink(journal);
	ctl_folder_remove(next);
	return 0;
}

void ctl_versions_restore_recover(const char *store_path)
{
	g_autofree char *next = ctl_versions_next_folder(store_path);
	g_autofree char *writer = g_build_filename(store_path, CTL_STORE_WRITER, NULL);
	struct dp_err err; // the next one has it, too
	int fd;

	if (!is_there(next))
		return;
	fd = open(writer, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return; // not ours to change
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)ctl_versions_restore_finish(store_path, &err);
	(void)close(fd); // and the lock
}
