// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A progress bar on standard error, where that is a terminal. Control thread only. */

#include <stdbool.h>
#include <stdint.h>

struct ctl_progress {
	bool is_shown;
	uint64_t begin_ns, last_ns; // monotonic
	const char *unit; // of what is counted; "frames" where nothing else is set
};

void ctl_progress_begin(struct ctl_progress *p);
/* Draw at most five times a second. size 0: not known. n: how many of the unit so far. */
void ctl_progress_draw(struct ctl_progress *p, uint64_t position, uint64_t size, uint64_t n);
/* Clear the line. */
void ctl_progress_end(struct ctl_progress *p);
