// SPDX-License-Identifier: BSD-3-Clause
#include "control/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int ctl_fd_write(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		const ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int ctl_folder_make(const char *path, struct dp_err *reterr)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return dp_fail(reterr, errno, "cannot make the folder '%s': %m", path);
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return dp_fail(reterr, ENOTDIR, "'%s' is no folder", path);
	return 0;
}

int ctl_folder_sync(const char *path, struct dp_err *reterr)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot open '%s': %m", path);
	if (fsync(fd) < 0)
		r = dp_fail(reterr, errno, "cannot write the folder '%s': %m", path);
	(void)close(fd); // was only synced
	return r;
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
	(void)remove(path); // what stays is in nobody's way
	return 0;
}

void ctl_folder_remove(const char *path)
{
	enum { DESCRIPTORS = 16 };

	(void)nftw(
		path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS); // is missing: nothing to do
}
