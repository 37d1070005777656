// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_state.h"
#include "control/event.h"
#include "control/gates.h"

#include <string.h>

void *ctl_look_state(const struct ctl_look *look)
{
	void *state = ctl_profile_state(look->profile, look->rule->detector, look->rule_id);

	if (look->timers_apart == NULL)
		ctl_engine_note(look->engine, look->profile);
	return state;
}

void *ctl_look_unsaved(const struct ctl_look *look)
{
	return ctl_profile_state_find(look->profile, look->rule->detector, look->rule_id);
}

const void *ctl_look_peek(const struct ctl_look *look)
{
	return ctl_look_unsaved(look);
}

const struct ctl_config *ctl_look_config(const struct ctl_look *look)
{
	return look->engine->config;
}

void ctl_look_arm(const struct ctl_look *look, uint64_t at_ns, uint32_t key)
{
	const struct ctl_timer timer = {
		.at_ns = at_ns,
		.profile_id = look->profile->id,
		.profile = look->profile,
		.rule_idx = look->rule_idx,
		.key = key,
	};

	ctl_timers_push(
		look->timers_apart == NULL ? &look->engine->timers : look->timers_apart, &timer);
}

uint64_t ctl_look_born(const struct ctl_look *look)
{
	return look->engine->born_ns;
}

struct ctl_sums ctl_look_opening(const struct ctl_look *look)
{
	return look->engine->opening;
}

/* A late verdict can lower a sum below what it was when the window began. */
static double share(uint64_t part, uint64_t part_since, uint64_t whole, uint64_t whole_since)
{
	if (whole <= whole_since || part <= part_since)
		return 0;
	return (double)(part - part_since) / (double)(whole - whole_since);
}

double ctl_look_loss(const struct ctl_look *look, const struct ctl_sums *since)
{
	const struct ctl_sums now = ctl_account_sums(look->engine, look->profile);

	if (now.n_seen <= since->n_seen)
		return 0;
	return (now.n_lost - since->n_lost) / (double)(now.n_seen - since->n_seen);
}

static struct ctl_coverage coverage_of(const struct ctl_look *look, const struct ctl_sums *since)
{
	const struct ctl_sums now = ctl_account_sums(look->engine, look->profile);

	return (struct ctl_coverage){
		.capture_loss = ctl_look_loss(look, since),
		.unclassified = share(
			now.n_unclassified, since->n_unclassified, now.n_own, since->n_own),
		.unbound = share(now.n_unbound, since->n_unbound, now.n_seen, since->n_seen),
		.opaque = share(now.n_opaque, since->n_opaque, now.n_own, since->n_own),
	};
}

void ctl_count_up(GHashTable *counts, const char *name)
{
	uint64_t *n = g_hash_table_lookup(counts, name);

	if (n == NULL) {
		n = g_new0(uint64_t, 1);
		(void)g_hash_table_insert(counts, g_strdup(name), n);
	}
	(*n)++;
}

GHashTable *ctl_suppressed_of(struct ctl_engine *engine, const char *rule)
{
	GHashTable *reasons = g_hash_table_lookup(engine->n_suppressed, rule);

	if (reasons == NULL) {
		reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		(void)g_hash_table_insert(engine->n_suppressed, g_strdup(rule), reasons);
	}
	return reasons;
}

void ctl_look_withhold(const struct ctl_look *look, const char *reason)
{
	ctl_count_up(ctl_suppressed_of(look->engine, look->rule->id), reason);
}

static bool has_hour(const struct ctl_hours *hours, int hour)
{
	if (hours->begin == hours->end)
		return true;
	if (hours->begin < hours->end)
		return hour >= hours->begin && hour < hours->end;
	return hour >= hours->begin || hour < hours->end;
}

static bool has_segment(char *const *wanted, const struct ctl_person *person)
{
	if (wanted == NULL)
		return true;
	for (; *wanted != NULL && person != NULL && person->segments != NULL; wanted++)
		if (g_strv_contains((const char *const *)person->segments, *wanted))
			return true;
	return false;
}

/* `when`: a rule that does not speak of this subscriber or hour withholds nothing, it is silent. */
static bool is_meant(const struct ctl_look *look, uint64_t t_ns)
{
	const struct ctl_rule *rule = look->rule;

	if (!has_segment(rule->when.segments, look->profile->person))
		return false;
	return rule->when.hours.begin == rule->when.hours.end ||
		has_hour(&rule->when.hours, ctl_local_hour(look->profile->zone->tz, t_ns));
}

static void publish(const struct ctl_look *look, const struct ctl_gate_case *c)
{
	struct ctl_engine *engine = look->engine;
	const struct ctl_event_frame frame = {
		.node = engine->config->node,
		.subject = look->profile->subject,
		.rule = look->rule,
		.candidate = c->candidate,
		.class = c->class,
		.coverage = coverage_of(look, c->candidate->since),
		.consent = ctl_gates_needs_consent(c)
			? ctl_consent_find(c->person, look->rule->purpose)
			: NULL,
	};
	struct ctl_trigger *trigger = ctl_event_new(&frame);

	ctl_count_up(engine->n_triggers, trigger->type);
	g_ptr_array_add(engine->pending, trigger);
}

static bool is_control(const struct ctl_look *look, enum ctl_class class)
{
	return class != CTL_CLASS_SERVICE && look->rule->control_group > 0 &&
		ctl_event_draw(look->rule->id, look->profile->subject) < look->rule->control_group;
}

/* A statement that is always service is made once per session, or per step and cycle, which its
 * detector sees to; a time between two of them would tear start from end and hide a step. */
static bool has_cooldown(const struct ctl_rule *rule, enum ctl_event event)
{
	return rule->cooldown_ns > 0 && !ctl_event_kinds[event].is_service;
}

static void cool(const struct ctl_look *look, uint64_t slot, uint64_t t_ns)
{
	ctl_profile_cool(look->profile, slot, t_ns);
	ctl_engine_note(look->engine, look->profile);
}

void ctl_look_report(const struct ctl_look *look, const struct ctl_candidate *given)
{
	struct ctl_candidate candidate = *given;
	struct ctl_gate_case c;
	const char *code;
	uint64_t slot;

	// A late record speaks of the past; the decision is made now.
	candidate.time_ns = MAX(candidate.time_ns, look->engine->now_ns);
	if (!is_meant(look, candidate.time_ns))
		return;
	slot = ctl_event_slot(look->rule->id, candidate.event, candidate.slot);
	c = (struct ctl_gate_case){
		.config = look->engine->config,
		.rule = look->rule,
		.candidate = &candidate,
		.class = ctl_event_class(candidate.event, look->rule),
		.person = look->profile->person,
		.now_ns = candidate.time_ns,
		.published_ns = has_cooldown(look->rule, candidate.event)
			? ctl_profile_cooldown(look->profile, slot)
			: 0,
		.tz = look->profile->zone->tz,
	};
	code = ctl_gates_decide(&c);
	if (code != NULL) {
		ctl_look_withhold(look, code);
		return;
	}
	if (has_cooldown(look->rule, candidate.event))
		cool(look, slot, candidate.time_ns);
	// The control group cools down like the others, so that both are counted alike.
	if (is_control(look, c.class))
		ctl_look_withhold(look, "control_group");
	else
		publish(look, &c);
}

static int trigger_cmp(gconstpointer pa, gconstpointer pb)
{
	const struct ctl_trigger *a = *(struct ctl_trigger *const *)pa;
	const struct ctl_trigger *b = *(struct ctl_trigger *const *)pb;
	int r;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	r = strcmp(a->subject, b->subject);
	if (r == 0)
		r = strcmp(a->rule, b->rule);
	return r != 0 ? r : strcmp(a->type, b->type);
}

void ctl_decide_flush(struct ctl_engine *engine)
{
	g_autoptr(GPtrArray) triggers = engine->pending;

	engine->pending = g_ptr_array_new();
	g_ptr_array_sort(triggers, trigger_cmp);
	for (guint i = 0; i < triggers->len; i++)
		engine->sink(engine->ctx, triggers->pdata[i]);
}
