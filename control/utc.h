// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Wall clock and its one written form, RFC 3339 in UTC with milliseconds. Any thread. */

#include <stdint.h>

enum { CTL_UTC_MAX = 32 }; // bytes, NUL included

/* "2026-03-01T18:00:00.123Z" of ns since the epoch. */
void ctl_utc_format(uint64_t t_ns, char ret_text[CTL_UTC_MAX]);

/* Not for anything that depends on event time: delivery, status and logs only. */
uint64_t ctl_utc_now_ns(void);
