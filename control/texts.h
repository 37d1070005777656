// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A list of texts in one piece of memory that is used again: field, value, field, value, … of a
 * hash in Redis. One owner. */

#include <stddef.h>
#include <stdint.h>

/* All zero = empty. */
struct ctl_texts {
	char *bytes; // owned
	size_t n_bytes, size;
	uint32_t *offs; // owned: begin of each in bytes
	size_t n, n_max;
};

void ctl_texts_fini(struct ctl_texts *texts);
void ctl_texts_clear(struct ctl_texts *texts); // keeps its memory

[[gnu::format(printf, 2, 3)]] void ctl_texts_add(struct ctl_texts *texts, const char *fmt, ...);

/* Borrowed until the next change. i < n. */
static inline const char *ctl_text(const struct ctl_texts *texts, size_t i)
{
	return texts->bytes + texts->offs[i];
}
