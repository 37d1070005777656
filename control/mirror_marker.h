// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A key in Redis by which a process knows whether Redis still has what it was given.
 *
 * Its value is a token of the process and the time at which it was set. What Redis loses is the end
 * of what it was given (a crash, a replica that was behind, an older backup) or everything; so what
 * was written before the marker that it has is there, and the rest is not. Pure but for random. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CTL_MARKER_TOKEN = 32, CTL_MARKER_MAX = 48 };

struct ctl_marker {
	char token[CTL_MARKER_TOKEN + 1]; // of this process
	uint32_t set; // when it was sent last, > 0 in the unit of the caller; 0 = never
	uint32_t acked; // likewise, the last one that was answered
};

void ctl_marker_init(struct ctl_marker *marker);

/* The value to send now; now does not go back. */
void ctl_marker_set(struct ctl_marker *marker, uint32_t now, char ret_value[CTL_MARKER_MAX]);

/* Redis had this value (NULL: none) when it took the last one. Returns when the marker it had was
 * set, 0 when it is not of this process. *ret_is_lost: it should have had a later one. */
uint32_t ctl_marker_found(
	struct ctl_marker *marker, const char *value, size_t len, bool *ret_is_lost);
