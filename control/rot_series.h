// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Bytes per event-hour: the 24 that are judged, fourteen days before to hold them against, and some that are not over.
 * Hours are numbers since the epoch. Pure. */

#include <stdint.h>
#include <string.h>

enum {
	CTL_ROT_DAY = 24, // hours
	CTL_ROT_WEEK = 7, // days
	CTL_ROT_DAYS = 2 * CTL_ROT_WEEK, // before the last 24 hours
	CTL_ROT_DAYS_MIN = 3, // of them, until they say anything
	CTL_ROT_OPEN = 24, // hours of which more may come
	CTL_ROT_HOURS = CTL_ROT_DAY * (CTL_ROT_DAYS + 1) + CTL_ROT_OPEN,
};

/* All zero is the empty one. */
struct ctl_rot_series {
	uint64_t newest; // hour
	uint64_t bytes[CTL_ROT_HOURS]; // of hour h at h % CTL_ROT_HOURS; 0 where nothing was
};

static inline uint64_t ctl_rot_series_at(const struct ctl_rot_series *s, uint64_t hour)
{
	return hour > s->newest || s->newest - hour >= CTL_ROT_HOURS
		? 0
		: s->bytes[hour % CTL_ROT_HOURS];
}

/* Of the last two days in which there was anything: to tell large from small. */
static inline uint64_t ctl_rot_lately(const struct ctl_rot_series *s)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 2 * CTL_ROT_DAY; i++)
		sum += ctl_rot_series_at(s, s->newest - i);
	return sum;
}

/* What is older than the series reaches back is dropped. */
static inline void ctl_rot_series_add(struct ctl_rot_series *s, uint64_t hour, uint64_t bytes)
{
	if (hour > s->newest) {
		if (hour - s->newest >= CTL_ROT_HOURS)
			memset(s->bytes, 0, sizeof(s->bytes));
		else
			for (uint64_t h = s->newest + 1; h <= hour; h++)
				s->bytes[h % CTL_ROT_HOURS] = 0;
		s->newest = hour;
	}
	if (s->newest - hour < CTL_ROT_HOURS)
		s->bytes[hour % CTL_ROT_HOURS] += bytes;
}
