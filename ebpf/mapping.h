// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Values of an array map that may be mapped, seen by us and by the kernel. */

#include "dataplane/err.h"

#include <stddef.h>
#include <stdint.h>

struct ebpf_mapping {
	void *begin; // NULL: it is not open
	size_t bytes;
};

/* fd: of a map that has n values of value_bytes, a multiple of 8; borrowed for the call. Returns 0, or -errno with a
 * sentence; -EPROTO: its values are others. */
[[nodiscard]] int ebpf_mapping_open(
	struct ebpf_mapping *m, int fd, uint64_t n, size_t value_bytes, struct dp_err *reterr);
void ebpf_mapping_close(struct ebpf_mapping *m);
