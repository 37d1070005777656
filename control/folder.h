// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Files that must be on the disk, and folders of them. Any thread; they wait for the disk. */

#include "dataplane/err.h"

#include <stddef.h>

/* All of it, whatever one write(2) takes. Returns 0 or -errno. */
[[nodiscard]] int ctl_fd_write(int fd, const void *bytes, size_t len);

/* Make it, mode 0700, unless it is there; a link to one is none. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_folder_make(const char *path, struct dp_err *reterr);

/* Names in the folder are durable when it returns 0; -errno with a sentence. */
[[nodiscard]] int ctl_folder_sync(const char *path, struct dp_err *reterr);

/* The folder and all that is in it, or a file or symbolic link of that name, which is not followed.
 * What cannot be removed stays. */
void ctl_folder_remove(const char *path);
