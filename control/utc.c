// SPDX-License-Identifier: BSD-3-Clause
#include "control/utc.h"

#include <stdio.h>
#include <time.h>

void ctl_utc_format(uint64_t t_ns, char ret_text[CTL_UTC_MAX])
{
	const time_t seconds = (time_t)(t_ns / 1000000000ULL);
	struct tm tm;
	size_t len;

	(void)gmtime_r(&seconds, &tm); // the years of a uint64_t in ns always fit
	len = strftime(ret_text, CTL_UTC_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(
		ret_text + len, CTL_UTC_MAX - len, ".%03uZ", (unsigned)(t_ns / 1000000 % 1000));
}

uint64_t ctl_utc_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail for this clock
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}
