// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* CRC-32C (Castagnoli; RFC 3720 12.1): by the processor's own instruction where it has one.
 *
 * Why not zlib's: a restart checks every byte of the store, and this one takes a third of the
 * time at the same strength (tests/bench/store prints both). Any thread. */

#include <stddef.h>
#include <stdint.h>

/* Go on with crc (0 to begin with) over len bytes. */
uint32_t ctl_crc32c(uint32_t crc, const void *data, size_t len);

/* The same without the instruction; for tests, and for processors that lack it. */
uint32_t ctl_crc32c_portable(uint32_t crc, const void *data, size_t len);
