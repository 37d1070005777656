// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* May this file be opened? Every page and every record of it, without LMDB (store_pages.h). */

#include "dataplane/err.h"

#include <stdint.h>

struct ctl_store_checked {
	uint64_t n_pages; // those LMDB knows of
	uint64_t n_used, n_free, n_lost; // lost: neither; harmless
	uint64_t n_records;
};

/* node, tick_ns: whose it has to be; NULL: anybody's. Nobody writes to the file meanwhile, or the
 * caller holds a read transaction and asks again when it was damaged.
 *
 * Returns 0; -EBADMSG when it is damaged (also where the disk cannot read it); -ENOTSUP: the format
 * is newer; -EINVAL: another node's or tick length's; -errno when it cannot be opened. Always with
 * a sentence; ret_checked (NULL: not wanted) is written on success. Logs its progress if it takes
 * long. */
[[nodiscard]] int ctl_store_check(const char *file, const char *node, uint64_t tick_ns,
	struct ctl_store_checked *ret_checked, struct dp_err *reterr);
