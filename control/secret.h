// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Files that hold a password or a key. */

#include "dataplane/err.h"

#include <stddef.h>
#include <stdint.h>

/* Read at most size bytes into buf; one newline at the end ("\n", "\r\n") does not count. Returns
 * the length, or -errno with one sentence in reterr, which names the path but nothing of the
 * content: -EACCES when others may read or the group may write the file, -EFBIG, -EINVAL (no
 * regular file). */
[[nodiscard]] int ctl_secret_read(
	const char *path, uint8_t *buf, size_t size, struct dp_err *reterr);
