// SPDX-License-Identifier: BSD-3-Clause
#include "control/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_mode(int fd, const char *path, struct dp_err *reterr)
{
	struct stat st;
	const char *who;

	if (fstat(fd, &st) < 0)
		return dp_fail(reterr, errno, "'%s', expected a readable file (%m)", path);
	if (!S_ISREG(st.st_mode))
		return dp_fail(reterr, EINVAL, "'%s', expected a regular file", path);
	if ((st.st_mode & (S_IRWXO | S_IWGRP)) == 0)
		return 0;
	who = (st.st_mode & S_IRWXO) != 0 ? "everyone may use" : "its group may write";
	return dp_fail(reterr, EACCES,
		"'%s' has mode %04o, which %s, expected a private file: chmod 0640 %s", path,
		(unsigned)st.st_mode & 07777, who, path);
}

/* Up to size bytes; more is -EFBIG. */
static int read_all(int fd, uint8_t *buf, size_t size)
{
	size_t len = 0;
	uint8_t more;

	for (;;) {
		const ssize_t n = len < size ? read(fd, buf + len, size - len) : read(fd, &more, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (int)len;
		if (len == size)
			return -EFBIG;
		len += (size_t)n;
	}
}

static int read_checked(int fd, const char *path, uint8_t *buf, size_t size, struct dp_err *reterr)
{
	// Two bytes more for the newline that does not count.
	uint8_t raw[4096 + 2];
	int len, r = check_mode(fd, path, reterr);

	if (r < 0)
		return r;
	len = read_all(fd, raw, size > sizeof(raw) - 2 ? sizeof(raw) : size + 2);
	if (len > 0 && raw[len - 1] == '\n')
		len -= len > 1 && raw[len - 2] == '\r' ? 2 : 1;
	if (len == -EFBIG || (len > 0 && (size_t)len > size))
		r = dp_fail(reterr, EFBIG, "'%s', expected at most %zu bytes", path, size);
	else if (len < 0)
		r = dp_fail(reterr, -len, "'%s', expected a readable file (%m)", path);
	else
		memcpy(buf, raw, r = len);
	explicit_bzero(raw, sizeof(raw));
	return r;
}

int ctl_secret_read(const char *path, uint8_t *buf, size_t size, struct dp_err *reterr)
{
	// O_NONBLOCK: a FIFO in place of the file must not hang the start.
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno, "'%s', expected a readable file (%m)", path);
	r = read_checked(fd, path, buf, size, reterr);
	(void)close(fd); // nothing was written
	return r;
}
