// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Results that are asked for page by page: a few, each under its number, for CTL_KEPT_S after it was asked
 * for last. The cursor of a page names the result and the row it goes on at. Control thread only. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_KEPT_S = 60, // start value
	CTL_KEPT_CURSOR_MAX = 48,
};

struct ctl_kept;

/* n_max results at most; the one that was asked for longest ago gives way. */
struct ctl_kept *ctl_kept_new(size_t n_max, GDestroyNotify free_result);
void ctl_kept_free(struct ctl_kept *kept); // NULL is fine

/* result is given. number: never used before, not 0. */
void ctl_kept_add(struct ctl_kept *kept, uint64_t number, void *result);

/* Borrowed until the next call of any of these; NULL: it is not kept any more. */
void *ctl_kept_get(struct ctl_kept *kept, uint64_t number);

/* Drop what nobody has asked for lately. */
void ctl_kept_tend(struct ctl_kept *kept);

/* "NUMBER:ROW", and back; false when it is none. */
void ctl_kept_cursor(uint64_t number, size_t row, char ret_text[CTL_KEPT_CURSOR_MAX]);
bool ctl_kept_read_cursor(const char *text, uint64_t *ret_number, size_t *ret_row);
