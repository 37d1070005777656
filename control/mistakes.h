// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* All mistakes of one run: collected in any order, reported by file and position.
 *
 * Any thread, one at a time. */

#include <stddef.h>
#include <stdint.h>

struct ctl_mistakes;

/* Never fails (GLib aborts when memory runs out). */
struct ctl_mistakes *ctl_mistakes_new(void);
void ctl_mistakes_free(struct ctl_mistakes *mistakes);

/* A name for messages; files are reported in the order in which they were added. Index 0 is there
 * from the start and has no name: environment and flags. */
unsigned ctl_mistakes_add_file(struct ctl_mistakes *mistakes, const char *name);

/* "name:line:column: text". line and column count from 1; line 0: the file as a whole ("name: text");
 * file 0: only text. */
[[gnu::format(printf, 5, 6)]] void ctl_mistake(struct ctl_mistakes *mistakes, unsigned file,
	uint32_t line, uint32_t column, const char *fmt, ...);

size_t ctl_mistakes_count(const struct ctl_mistakes *mistakes);

/* fn is called with each line, sorted. After REPORTED_MAX lines one more says how many are left. */
void ctl_mistakes_report(
	struct ctl_mistakes *mistakes, void (*fn)(void *ctx, const char *text), void *ctx);

enum { CTL_QUOTE_MAX = 96, CTL_MISTAKES_REPORTED_MAX = 10000 };

/* 'word' for a message: cut to a sane length, control characters as '?', a password inside a URL
 * as ***. Returns buf. */
char *ctl_quote(const char *word, char buf[CTL_QUOTE_MAX]);

/* The candidate (NULL-terminated) with the smallest edit distance to word, at most 2 and less than
 * the candidate's length, letters compared without case; NULL when none is near. */
const char *ctl_nearest(const char *word, const char *const *candidates);
