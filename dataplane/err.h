// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One sentence for the operator.
 *
 * Everything below control returns -errno and leaves one sentence here: what was tried, on what,
 * why it failed and the remedy if there is one. Only control logs. */

#include <stdarg.h>
#include <stdio.h>

struct dp_err {
	char text[512]; // NUL-terminated, no newline, no subscriber identifier
};

/* Fill reterr (NULL allowed) and return -errnum. %m in fmt is expanded for errnum.
 * Any thread; the struct is the caller's. */
[[gnu::format(printf, 3, 4)]] int dp_fail(struct dp_err *reterr, int errnum, const char *fmt, ...);
