// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One viewing: usage of one app joined over gaps. Pure. */

#include "control/evidence.h"

#include <stdint.h>

struct ctl_session {
	uint64_t started_ns, last_ns; // first and last packet; last_ns 0 = nothing yet
	uint64_t n_bytes; // both directions
	uint64_t active_ms; // of all ticks but the last one
	uint64_t tick; // of the record added last
	uint32_t tick_active_ms;
	uint32_t n_flows;
	struct ctl_evidence evidence;
};

/* Does the record join a session that ends gap_ns after its last packet? Also one that lies
 * before the session by no more than the gap: a verdict comes later than its bytes. */
bool ctl_session_joins(
	const struct ctl_session *session, const struct dp_record *record, uint64_t gap_ns);

/* Add a usage or move record. tick_ns bounds what one tick can be active. is_fixed: the session
 * has been announced, its start does not move any more. */
void ctl_session_add(struct ctl_session *session, const struct dp_record *record, uint64_t tick_ns,
	bool is_fixed);

static inline uint64_t ctl_session_duration_ns(const struct ctl_session *session)
{
	return session->last_ns - session->started_ns;
}

/* Time with traffic, in slots of 100 ms; at most the duration. */
uint64_t ctl_session_active_ms(const struct ctl_session *session);

/* Mean rate over the duration; 0 for a session of one instant. */
uint64_t ctl_session_bps(const struct ctl_session *session);

/* "audio", "sd", "hd" or "uhd". */
const char *ctl_session_bitrate_class(const struct ctl_session *session);
