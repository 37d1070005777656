// SPDX-License-Identifier: BSD-3-Clause
#include "control/file.h"

#include <errno.h>
#include <unistd.h>

int ctl_file_read(int fd, size_t max, GByteArray *ret_bytes)
{
	enum { STEP_BYTES = 64 * 1024 };
	const size_t end = ret_bytes->len + max + 1;

	while (ret_bytes->len < end) {
		const guint len = ret_bytes->len;
		const size_t step = MIN((size_t)STEP_BYTES, end - len);
		ssize_t n;

		g_byte_array_set_size(ret_bytes, len + (guint)step);
		n = read(fd, ret_bytes->data + len, step);
		g_byte_array_set_size(ret_bytes, len + (guint)MAX(n, 0));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return 0;
}
