// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A candidate that passed the gates becomes a CloudEvent (CloudEvents 1.0, JSON format).
 *
 * What depends on delivery (sequence, typesequence, recordedtime) is left to the outbox. */

#include "control/candidate.h"
#include "control/config.h"
#include "control/engine.h"
#include "control/trigger.h"

/* "2026-03-14T20:41:07.123Z" (RFC 3339, UTC, cut to ms); null for 0. A new reference. */
json_t *ctl_time_json(uint64_t t_ns);

/* One decimal, rounded down: what a reader needs of a percentage. A new reference. */
json_t *ctl_percent_json(double percent);

/* A share 0..1 with four decimals. A new reference. */
json_t *ctl_share_json(double share);

/* Everything of the envelope that does not stand in the candidate. */
struct ctl_event_frame {
	const char *node;
	const char *subject;
	const struct ctl_rule *rule;
	const struct ctl_candidate *candidate;
	enum ctl_class class;
	struct ctl_coverage coverage;
	const struct ctl_consent *consent; // NULL: none was needed
	bool is_control; // of the control group: measured, not addressed
};

/* Owned by the caller. */
struct ctl_trigger *ctl_event_new(const struct ctl_event_frame *frame);

/* Hex of the first 128 bits of SHA-256 over the parts, each with its NUL. */
void ctl_event_id(const char *const *parts, size_t n_parts, char ret_id[33]);

/* Stable place of a subject in a rule's draw, [0, 100). */
double ctl_event_draw(const char *rule, const char *subject);

/* Key of a cooldown slot. */
uint64_t ctl_event_slot(const char *rule, enum ctl_event event, const char *slot);
