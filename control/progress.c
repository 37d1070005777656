// SPDX-License-Identifier: BSD-3-Clause
#include "control/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 40 };
static const uint64_t DRAW_EVERY_NS = 200000000;

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void ctl_progress_begin(struct ctl_progress *p)
{
	*p = (struct ctl_progress){.is_shown = isatty(STDERR_FILENO) == 1, .unit = "frames"};
	p->begin_ns = monotonic_ns();
	p->last_ns = p->begin_ns;
}

void ctl_progress_draw(struct ctl_progress *p, uint64_t position, uint64_t size, uint64_t n)
{
	if (!p->is_shown)
		return;

	const uint64_t now = monotonic_ns();

	if (now - p->last_ns < DRAW_EVERY_NS)
		return;
	p->last_ns = now;

	const double seconds = (double)(now - p->begin_ns) / 1e9;
	const double share = size == 0 ? 0 : position >= size ? 1 : (double)position / (double)size;
	const int full = (int)(share * BAR_WIDTH);

	(void)fprintf(stderr, "\r[%.*s%*s] %3.0f %%  %.2f M %s/s ", full,
		"########################################", BAR_WIDTH - full, "", share * 100,
		(double)n / seconds / 1e6, p->unit);
	(void)fflush(stderr);
}

void ctl_progress_end(struct ctl_progress *p)
{
	if (p->is_shown)
		(void)fputs("\r\033[K", stderr);
}
