// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Whole files into memory, within a bound. Any thread. */

#include <glib.h>
#include <stddef.h>

/* Append what can be read from fd. At most max + 1 bytes: a longer file shows by its length. Returns 0
 * or -errno. */
[[nodiscard]] int ctl_file_read(int fd, size_t max, GByteArray *ret_bytes);
