// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Frames in memory: read out of captures, changed, and written to captures of one link type each. */

#include "dataplane/err.h"
#include "dataplane/walk.h"

#include <stddef.h>
#include <stdint.h>

struct rte_mempool;

enum { FRAME_BYTES_MAX = 65535 }; // captured; what an mbuf segment can describe

struct frame {
	uint8_t *data; // owned, cap_len bytes
	uint32_t cap_len;
	uint32_t wire_len; // at least cap_len
	uint64_t time_ns;
	enum dp_link link;
};

struct frames {
	struct frame *v; // owned
	size_t n, room;
};

/* A copy of data is kept. */
void frames_add(struct frames *f, const struct frame *frame);
void frames_copy(struct frames *to, const struct frames *from, size_t first, size_t n);
void frames_remove(struct frames *f, size_t i);
void frames_clear(struct frames *f); // frees everything

/* The first frames of a capture, at most max, as the source gives them. Returns 0, or -errno with a
 * sentence. */
[[nodiscard]] int frames_read(struct frames *f, const char *path, size_t max,
	struct rte_mempool *pool, struct dp_err *reterr);

/* The frames of one link type as a capture file of nanoseconds, written at the end of fd. */
void frames_write(const struct frames *f, enum dp_link link, int fd);

/* Whether any frame has that link type. */
bool frames_have(const struct frames *f, enum dp_link link);
