// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The gates: reasons not to publish, first match wins (docs/detection.md, "Gates").
 *
 * Pure: everything a gate looks at stands in the case. */

#include "control/candidate.h"
#include "control/config.h"
#include "control/facts.h"

struct ctl_gate_case {
	const struct ctl_config *config;
	const struct ctl_rule *rule;
	const struct ctl_candidate *candidate;
	enum ctl_class class; // of the event, not of the rule
	const struct ctl_person *person; // NULL: nobody is bound, or more than one
	uint64_t now_ns; // event time of the decision
	uint64_t published_ns; // by this rule in this cooldown slot; 0 = never
	GTimeZone *tz; // for the cycle of a person without buckets
};

/* "G2" of the first gate that holds the case back; NULL when none does. */
const char *ctl_gates_decide(const struct ctl_gate_case *c);

/* Class of an event under a rule. */
enum ctl_class ctl_event_class(enum ctl_event event, const struct ctl_rule *rule);

/* Does the event need consent for the rule's purpose? */
bool ctl_gates_needs_consent(const struct ctl_gate_case *c);

/* Is the consent for the rule's purpose in force? False without a person. */
bool ctl_gates_has_consent(const struct ctl_gate_case *c);

/* Do the gates let the case through? */
bool ctl_gates_are_open(const struct ctl_gate_case *c);

/* First instant after now at which the question (one of the two above) is answered otherwise, if
 * nothing new is told; UINT64_MAX = not in sight. */
uint64_t ctl_gates_change(
	const struct ctl_gate_case *c, bool (*question)(const struct ctl_gate_case *c));

/* The person's newest record for the purpose; NULL when there is none. */
const struct ctl_consent *ctl_consent_find(const struct ctl_person *person, const char *purpose);

/* Category that is never published, by any rule. */
bool ctl_category_is_sensitive(const char *category);

/* First instant at which the hold is over; UINT64_MAX = not in sight. tz for a person without
 * buckets. */
uint64_t ctl_hold_end(const struct ctl_person *person, const struct ctl_hold *hold, GTimeZone *tz);
