// SPDX-License-Identifier: BSD-3-Clause

/* With this beside them, the unit tests of walks ask the kernel as well: of each frame they make, of its
 * truncations and of those with a flipped bit. */

#include "tests/ebpf/kernel.h"
#include "tests/unit/walk_check.h"

bool walk_check_also(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len, enum dp_link link)
{
	const struct dp_capture_record record = {.time_ns = 1,
		.data = frame,
		.cap_len = cap_len,
		.wire_len = wire_len,
		.link = link};

	return kernel_agrees(&record);
}
