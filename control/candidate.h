// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a detector found, before the gates. */

#include "control/evidence.h"
#include "control/profile.h"

#include <jansson.h>
#include <stdint.h>

enum ctl_event {
	CTL_EVENT_SESSION_STARTED,
	CTL_EVENT_SESSION_ENDED,
	CTL_EVENT_WATCHED,
	CTL_EVENT_COMPETITOR,
	CTL_EVENT_THRESHOLD,
	CTL_EVENT_NUDGE,
	CTL_EVENT_CAP_PATTERN,
	CTL_EVENT_COUNT,
};

struct ctl_event_kind {
	const char *type; // "wirecue.app.watched.v1"
	bool is_service; // class service whatever the rule says
	bool is_usage; // rests on counted bytes, not on knowing an app
	bool is_notice; // about the person's own plan: as a service event it needs no purpose
};
extern const struct ctl_event_kind ctl_event_kinds[CTL_EVENT_COUNT];

struct ctl_candidate {
	enum ctl_event event;
	const char
		*window; // what makes it this one and no other: with rule, subject and type its id
	const char *slot; // cooldown counts per rule, event and slot; "" = one slot
	uint64_t time_ns; // of the decision
	uint64_t expiry_ns;
	const char *category; // of the app it is about, for gate G4; NULL = none
	const struct ctl_evidence *evidence; // borrowed
	int confidence; // 0..100
	uint64_t n_bytes;
	uint32_t n_sessions, n_days;
	const struct ctl_sums *since; // begin of the coverage window
	bool is_too_late; // gate G15
	/* Write the event's own members; called only when it is published. */
	void (*fill)(json_t *data, const void *arg);
	const void *arg;
};
