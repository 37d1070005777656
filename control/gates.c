// SPDX-License-Identifier: BSD-3-Clause
#include "control/gates.h"

#include "control/cycle.h"

#include <string.h>

// docs/signals.md, "Gates"
#define CONSENT_STALE_NS (24 * 3600 * CTL_SECOND_NS)
#define HOLD_STALE_NS (3600 * CTL_SECOND_NS)
#define RECOVERY_NS (72 * 3600 * CTL_SECOND_NS) // after a complaint is resolved

static const char *const sensitive[] = {
	"adult", "dating", "gambling", "health", "politics", "religion", NULL};

bool ctl_category_is_sensitive(const char *category)
{
	return category != NULL && g_strv_contains(sensitive, category);
}

enum ctl_class ctl_event_class(enum ctl_event event, const struct ctl_rule *rule)
{
	return ctl_event_kinds[event].is_service ? CTL_CLASS_SERVICE : (enum ctl_class)rule->class;
}

bool ctl_gates_needs_consent(const struct ctl_gate_case *c)
{
	if (c->class != CTL_CLASS_SERVICE)
		return true;
	// A notice goes out beside the marketing events of its rule; what tells of behaviour does not.
	if (ctl_event_kinds[c->candidate->event].is_notice && c->rule->class != CTL_CLASS_SERVICE)
		return false;
	return c->rule->purpose != NULL;
}

const struct ctl_consent *ctl_consent_find(const struct ctl_person *person, const char *purpose)
{
	const struct ctl_consent *newest = NULL;

	for (size_t i = 0; purpose != NULL && i < person->n_consents; i++) {
		const struct ctl_consent *c = &person->consents[i];

		if (strcmp(c->purpose, purpose) == 0 &&
			(newest == NULL || c->version >= newest->version))
			newest = c;
	}
	return newest;
}

static bool is_stale(const struct ctl_gate_case *c, uint64_t limit_ns)
{
	const struct ctl_facts *facts = c->config->facts;

	return !facts->is_static && c->now_ns > facts->as_of_ns &&
		c->now_ns - facts->as_of_ns > limit_ns;
}

static uint64_t end_of_next_cycle(const struct ctl_person *person, uint64_t t_ns, GTimeZone *tz)
{
	const struct ctl_bucket *b = person->n_buckets > 0 ? &person->buckets[0] : NULL;
	const uint8_t anchor_day = b == NULL ? 1 : b->anchor_day;
	struct ctl_cycle cycle;

	if (b != NULL)
		tz = b->tz;
	cycle = ctl_cycle_at(tz, anchor_day, t_ns);
	return ctl_cycle_at(tz, anchor_day, cycle.end_ns).end_ns;
}

uint64_t ctl_hold_end(const struct ctl_person *person, const struct ctl_hold *hold, GTimeZone *tz)
{
	if (hold->kind == CTL_HOLD_COMPLAINT && hold->resolved_ns != 0)
		return hold->resolved_ns + RECOVERY_NS;
	if (hold->until_ns != 0)
		return hold->until_ns;
	if (hold->kind == CTL_HOLD_BILL_SHOCK)
		return end_of_next_cycle(person, hold->since_ns, tz);
	return UINT64_MAX;
}

static bool has_hold(const struct ctl_gate_case *c, enum ctl_hold_kind kind)
{
	for (size_t i = 0; c->person != NULL && i < c->person->n_holds; i++) {
		const struct ctl_hold *hold = &c->person->holds[i];

		if (hold->kind == (int)kind && c->now_ns >= hold->since_ns &&
			c->now_ns < ctl_hold_end(c->person, hold, c->tz))
			return true;
	}
	return false;
}

static bool is_switched_off(const struct ctl_gate_case *c)
{
	return c->config->kill_switch || !c->rule->enabled || c->rule->dry_run;
}

bool ctl_gates_has_consent(const struct ctl_gate_case *c)
{
	const struct ctl_consent *consent;

	if (c->person == NULL ||
		has_hold(c, CTL_HOLD_DO_NOT_CONTACT)) // an objection overrides what was granted
		return false;
	consent = ctl_consent_find(c->person, c->rule->purpose);
	return consent != NULL && consent->is_granted &&
		(consent->until_ns == 0 || c->now_ns < consent->until_ns) &&
		!is_stale(c, CONSENT_STALE_NS);
}

/* Without a person there is nobody to ask: G5 names that reason. */
static bool lacks_consent(const struct ctl_gate_case *c)
{
	return c->person != NULL && ctl_gates_needs_consent(c) && !ctl_gates_has_consent(c);
}

static bool is_excluded_line(const struct ctl_gate_case *c)
{
	const struct ctl_person *p = c->person;

	return p != NULL &&
		(!p->has_line_facts || p->line != CTL_LINE_CONSUMER || p->is_minor ||
			p->is_regulated);
}

static bool is_sensitive(const struct ctl_gate_case *c)
{
	return ctl_category_is_sensitive(c->candidate->category);
}

static bool is_unbound(const struct ctl_gate_case *c)
{
	return c->person == NULL;
}

static bool is_unsure(const struct ctl_gate_case *c)
{
	const struct ctl_candidate *candidate = c->candidate;

	if (candidate->confidence < c->rule->min_confidence)
		return true;
	return !ctl_event_kinds[candidate->event].is_usage &&
		!ctl_evidence_has_strong(candidate->evidence);
}

static bool has_complaint(const struct ctl_gate_case *c)
{
	return has_hold(c, CTL_HOLD_COMPLAINT) || is_stale(c, HOLD_STALE_NS);
}

static bool has_bill_shock(const struct ctl_gate_case *c)
{
	return has_hold(c, CTL_HOLD_BILL_SHOCK);
}

static bool is_cooling_down(const struct ctl_gate_case *c)
{
	// Records of one tick are worked by their first packets: what was published may lie ahead.
	return c->published_ns != 0 && c->now_ns < c->published_ns + c->rule->cooldown_ns;
}

static bool is_too_late(const struct ctl_gate_case *c)
{
	return c->candidate->is_too_late;
}

static const struct {
	const char *code;
	bool (*holds)(const struct ctl_gate_case *c);
	bool blocks[CTL_CLASS_COUNT]; // upsell, retention, service
} gates[] = {
	{"G1", is_switched_off, {true, true, true}},
	{"G2", lacks_consent, {true, true, true}}, // of service only what needs a purpose
	{"G3", is_excluded_line, {true, true, false}},
	{"G4", is_sensitive, {true, true, true}},
	{"G5", is_unbound, {true, true, true}},
	{"G7", is_unsure, {true, true, true}},
	{"G8", has_complaint, {true, false, false}},
	{"G10", has_bill_shock, {true, false, false}},
	{"G14", is_cooling_down, {true, true, true}},
	{"G15", is_too_late, {true, true, false}},
};

const char *ctl_gates_decide(const struct ctl_gate_case *c)
{
	for (size_t i = 0; i < G_N_ELEMENTS(gates); i++)
		if (gates[i].blocks[c->class] && gates[i].holds(c))
			return gates[i].code;
	return NULL;
}

static void take_if_next(uint64_t t_ns, uint64_t after_ns, uint64_t *next_ns)
{
	if (t_ns > after_ns && t_ns < *next_ns)
		*next_ns = t_ns;
}

/* The next instant after t_ns at which what is told may mean something else. */
static uint64_t next_instant(const struct ctl_gate_case *c, uint64_t t_ns)
{
	const struct ctl_facts *facts = c->config->facts;
	uint64_t next_ns = UINT64_MAX;

	if (!facts->is_static) {
		take_if_next(facts->as_of_ns + HOLD_STALE_NS + 1, t_ns, &next_ns);
		take_if_next(facts->as_of_ns + CONSENT_STALE_NS + 1, t_ns, &next_ns);
	}
	for (size_t i = 0; c->person != NULL && i < c->person->n_consents; i++)
		if (c->person->consents[i].until_ns != 0)
			take_if_next(c->person->consents[i].until_ns, t_ns, &next_ns);
	for (size_t i = 0; c->person != NULL && i < c->person->n_holds; i++) {
		const struct ctl_hold *hold = &c->person->holds[i];

		take_if_next(hold->since_ns, t_ns, &next_ns);
		take_if_next(ctl_hold_end(c->person, hold, c->tz), t_ns, &next_ns);
	}
	return next_ns;
}

bool ctl_gates_are_open(const struct ctl_gate_case *c)
{
	return ctl_gates_decide(c) == NULL;
}

uint64_t ctl_gates_change(
	const struct ctl_gate_case *c, bool (*question)(const struct ctl_gate_case *c))
{
	const bool answer = question(c);
	struct ctl_gate_case later = *c;

	do {
		later.now_ns = next_instant(c, later.now_ns);
		if (later.now_ns == UINT64_MAX)
			return UINT64_MAX;
	} while (question(&later) == answer);
	return later.now_ns;
}
