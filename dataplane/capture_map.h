// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A file as memory that is read once, from front to back.
 *
 * Pages come a window at a time and go again behind the reader, so it takes no more memory than that,
 * however long the file is; a byte read later than that is still there (a page fault). A file that is
 * cut short while it is mapped, or whose disk fails, would end the process with SIGBUS: here the rest
 * reads as zeros from then on, and is_torn says so. For that, the process has one handler of SIGBUS
 * while something is mapped; faults elsewhere go to the one that was there before.
 *
 * Opened and closed by one thread of the process, advanced by one, read by any. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_capture_map {
	const uint8_t *bytes;
	size_t size;
	size_t room; // whole pages
	size_t ahead; // pages up to here were asked for; reader
	size_t behind; // pages up to here were given back; reader
	atomic_bool is_torn; // set by the thread that met it, before it sees a zero
	struct dp_capture_map *_Atomic next; // of all that are mapped
};

/* size: not 0. Returns 0; or -errno when it cannot be mapped. *ret_map must stay where it is. */
[[nodiscard]] int dp_capture_map_open(int fd, size_t size, struct dp_capture_map *ret_map);
void dp_capture_map_close(struct dp_capture_map *map);

/* Get and give back pages. */
void dp_capture_map_turn(struct dp_capture_map *map, size_t off);

/* Reading got to off. */
static inline void dp_capture_map_advance(struct dp_capture_map *map, size_t off)
{
	enum { MARGIN_BYTES = 256 * 1024 }; // a burst of frames of 4 KB, and the prefetch behind it

	// Records may have been longer than a window.
	while (map->ahead < map->size && map->ahead < off + MARGIN_BYTES)
		dp_capture_map_turn(map, off);
}
