// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"
#include "control/engine_state.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_MIN = 16,
	// Records ahead. 50,000 subscribers with 3 records a tick: 1460 ns a record without, 880 with.
	PREFETCH_PROFILE = 16,
	PREFETCH_INSIDE = 8,
};

static void profile_destroy(gpointer profile)
{
	ctl_profile_free(profile);
}

static void counts_destroy(gpointer counts)
{
	g_hash_table_unref(counts);
}

/* What follows from the configuration and nothing else. */
static void settle(struct ctl_engine *engine, const struct ctl_config *config)
{
	GTimeZone *tz = g_time_zone_new_identifier(config->default_zone);

	engine->config = config;
	g_clear_pointer(&engine->default_tz, g_time_zone_unref);
	engine->default_tz = tz == NULL ? g_time_zone_new_utc() : tz;
	g_hash_table_remove_all(engine->zones);
	g_hash_table_remove_all(engine->apps);
	engine->rule_ids = g_renew(const char *, engine->rule_ids, config->n_rules + 1);
	for (size_t i = 0; i < config->n_rules; i++)
		engine->rule_ids[i] = g_intern_string(config->rules[i].id);
}

int ctl_engine_new(const struct ctl_config *config, ctl_trigger_fn *sink, void *ctx,
	struct ctl_engine **ret_engine, struct dp_err *reterr)
{
	struct ctl_engine *engine;

	if (config->privacy.subject != CTL_SUBJECT_PLAIN && config->privacy.key_len < KEY_MIN)
		return dp_fail(reterr, EINVAL,
			"the pseudonym key has %zu bytes, expected %d or more",
			config->privacy.key_len, KEY_MIN);
	engine = g_new0(struct ctl_engine, 1);
	engine->sink = sink;
	engine->ctx = ctx;
	ctl_timers_init(&engine->timers);
	engine->zones = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	engine->apps = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	engine->by_endpoint = g_hash_table_new_full(
		ctl_addr_hash, ctl_addr_equal, NULL, profile_destroy);
	engine->by_subject = g_hash_table_new(g_str_hash, g_str_equal);
	engine->n_triggers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	engine->n_suppressed = g_hash_table_new_full(
		g_str_hash, g_str_equal, g_free, counts_destroy);
	engine->pending = g_ptr_array_new();
	settle(engine, config);
	engine->n_persons = config->facts->persons->len;
	engine->by_person = g_new0(struct ctl_profile *, engine->n_persons + 1);
	*ret_engine = engine;
	return 0;
}

void ctl_engine_free(struct ctl_engine *engine)
{
	if (engine == NULL)
		return;
	for (size_t i = 0; i < engine->n_persons; i++)
		ctl_profile_free(engine->by_person[i]);
	for (guint i = 0; i < engine->pending->len; i++)
		ctl_trigger_free(engine->pending->pdata[i]);
	g_ptr_array_unref(engine->pending);
	g_hash_table_unref(engine->by_endpoint);
	g_hash_table_unref(engine->by_subject);
	g_hash_table_unref(engine->n_triggers);
	g_hash_table_unref(engine->n_suppressed);
	g_hash_table_unref(engine->apps);
	g_hash_table_unref(engine->zones);
	ctl_timers_fini(&engine->timers);
	ctl_idset_fini(&engine->changed);
	g_time_zone_unref(engine->default_tz);
	g_free(engine->by_person);
	g_free(engine->rule_ids);
	g_free(engine);
}

struct ctl_zone *ctl_engine_zone(struct ctl_engine *engine, GTimeZone *tz)
{
	struct ctl_zone *zone = g_hash_table_lookup(engine->zones, tz);

	if (zone == NULL) {
		zone = g_new0(struct ctl_zone, 1);
		zone->tz = tz;
		(void)g_hash_table_insert(engine->zones, tz, zone);
	}
	return zone;
}

struct ctl_look ctl_engine_look(
	struct ctl_engine *engine, struct ctl_profile *profile, uint32_t rule_idx)
{
	return (struct ctl_look){
		.engine = engine,
		.rule = &engine->config->rules[rule_idx],
		.rule_idx = rule_idx,
		.rule_id = engine->rule_ids[rule_idx],
		.profile = profile,
	};
}

static void run_timers(struct ctl_engine *engine, uint64_t t_ns)
{
	struct ctl_timer timer;

	while (ctl_timers_pop(&engine->timers, t_ns, &timer)) {
		const struct ctl_look look = ctl_engine_look(engine, timer.profile, timer.rule_idx);

		look.rule->detector->on_timer(&look, timer.at_ns, timer.key);
	}
}

/* Order in which records are worked: usage before the moves that take from it, then by time, then
 * as given (endpoint, app, tag, evidence). */
struct turn {
	uint64_t first_ns;
	struct ctl_profile *profile;
	uint32_t idx;
	bool is_move;
};

static int turn_cmp(const void *pa, const void *pb)
{
	const struct turn *a = pa;
	const struct turn *b = pb;

	if (a->is_move != b->is_move)
		return a->is_move ? 1 : -1;
	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	return a->idx < b->idx ? -1 : a->idx > b->idx;
}

/* Endpoint by endpoint, as the records come, while the binding is at hand. */
static size_t make_turns(struct ctl_engine *engine, const struct dp_record *records,
	size_t n_records, struct turn *ret_turns)
{
	size_t n_turns = 0;

	for (size_t i = 0; i < n_records; i++) {
		const struct dp_record *r = &records[i];
		struct ctl_profile *profile;

		if (r->kind != DP_RECORD_USAGE && r->kind != DP_RECORD_MOVE)
			continue;
		if (!ctl_account_resolve(engine, r, &profile))
			continue;
		ret_turns[n_turns++] = (struct turn){
			.first_ns = r->usage.first_ns,
			.profile = profile,
			.idx = (uint32_t)i,
			.is_move = r->kind == DP_RECORD_MOVE,
		};
	}
	return n_turns;
}

/* In order of time the profiles come at random, so what a record touches is asked for early: the
 * profile itself, then what it points to. NULL costs nothing. */
static void prefetch(const struct turn *turns, size_t n_turns, size_t i)
{
	const struct ctl_profile *p;

	if (n_turns - i > PREFETCH_PROFILE) {
		p = turns[i + PREFETCH_PROFILE].profile;
		for (size_t off = 0; off < sizeof(*p); off += 64)
			__builtin_prefetch((const char *)p + off);
	}
	if (n_turns - i > PREFETCH_INSIDE && turns[i + PREFETCH_INSIDE].profile != NULL) {
		p = turns[i + PREFETCH_INSIDE].profile;
		__builtin_prefetch(p->apps);
		__builtin_prefetch(p->states);
		__builtin_prefetch(p->person);
		for (size_t off = 0; off < sizeof(*p->buckets); off += 64)
			__builtin_prefetch((const char *)p->buckets + off);
	}
}

void ctl_engine_tick(struct ctl_engine *engine, uint64_t end_ns, const struct dp_record *records,
	size_t n_records, double capture_loss)
{
	g_autofree struct turn *turns = g_new(struct turn, n_records + 1);
	const size_t n_turns = make_turns(engine, records, n_records, turns);

	qsort(turns, n_turns, sizeof(*turns), turn_cmp);
	engine->loss = capture_loss;
	if (engine->born_ns == 0 && n_turns > 0)
		engine->born_ns = turns[0].first_ns;
	for (size_t i = 0; i < n_turns; i++) {
		prefetch(turns, n_turns, i);
		run_timers(engine, MIN(turns[i].first_ns, end_ns));
		ctl_account_record(engine, turns[i].profile, &records[turns[i].idx]);
	}
	ctl_engine_advance(engine, end_ns);
}

void ctl_engine_advance(struct ctl_engine *engine, uint64_t now_ns)
{
	run_timers(engine, now_ns);
	engine->now_ns = MAX(engine->now_ns, now_ns);
	ctl_decide_flush(engine);
}

/* Who the person is under the new facts, by one kind of identifier; NULL when nobody. */
static const struct ctl_person *person_again(const struct ctl_facts *facts,
	const struct ctl_person *person, const char *kind, const char *value)
{
	g_autofree char *identifier = g_strconcat(kind, value, NULL);
	const struct ctl_person *found = value == NULL ? NULL : ctl_facts_find(facts, identifier);

	// A number or SIM that another account has now was recycled: its new holder starts empty.
	if (found != NULL && found->account != NULL && person->account != NULL &&
		strcmp(found->account, person->account) != 0)
		return NULL;
	return found;
}

/* Hand profiles over to the persons of the new facts, by the surest identifier first: a new SIM
 * keeps the account or the number, and who took the number along keeps the SIM. */
static void rebind_by(struct ctl_engine *engine, const struct ctl_facts *facts,
	struct ctl_profile **old, size_t n_old, const char *kind, size_t value_off)
{
	for (size_t i = 0; i < n_old; i++) {
		const struct ctl_person *was = old[i] == NULL ? NULL : old[i]->person;
		const struct ctl_person *is = was == NULL
			? NULL
			: person_again(facts, was, kind,
				  *(char *const *)((const char *)was + value_off));

		if (is == NULL || engine->by_person[is->id - 1] != NULL)
			continue;
		engine->by_person[is->id - 1] = old[i];
		ctl_account_tell(engine, old[i], is);
		old[i] = NULL;
	}
}

static void rebind_persons(struct ctl_engine *engine, const struct ctl_facts *facts)
{
	struct ctl_profile **const old = engine->by_person;
	const size_t n_old = engine->n_persons;

	g_hash_table_remove_all(engine->by_subject); // each profile is named anew
	engine->n_persons = facts->persons->len;
	engine->by_person = g_new0(struct ctl_profile *, engine->n_persons + 1);
	rebind_by(engine, facts, old, n_old, "account:", offsetof(struct ctl_person, account));
	rebind_by(engine, facts, old, n_old, "imsi:", offsetof(struct ctl_person, imsi));
	rebind_by(engine, facts, old, n_old, "msisdn:", offsetof(struct ctl_person, msisdn));
	for (size_t i = 0; i < n_old; i++)
		ctl_profile_free(old[i]); // told no more
	g_free(old);
}

static void profile_reload(struct ctl_engine *engine, struct ctl_profile *profile,
	const struct ctl_detector *const *detectors)
{
	ctl_profile_prune(profile, engine->rule_ids, detectors, engine->config->n_rules);
	for (uint32_t i = 0; i < engine->config->n_rules; i++) {
		const struct ctl_look look = ctl_engine_look(engine, profile, i);

		if (look.rule->detector->on_reload != NULL &&
			ctl_profile_state_find(profile, look.rule->detector, look.rule_id) != NULL)
			look.rule->detector->on_reload(&look);
	}
	ctl_engine_note(engine, profile);
}

void ctl_engine_reload(struct ctl_engine *engine, const struct ctl_config *config)
{
	g_autofree const struct ctl_detector **detectors = g_new0(
		const struct ctl_detector *, config->n_rules + 1);
	GHashTableIter iter;
	gpointer profile;

	for (size_t i = 0; i < config->n_rules; i++)
		detectors[i] = config->rules[i].detector;
	settle(engine, config);
	ctl_timers_clear(&engine->timers);
	rebind_persons(engine, config->facts);
	g_hash_table_iter_init(&iter, engine->by_endpoint);
	while (g_hash_table_iter_next(&iter, NULL, &profile)) {
		struct ctl_profile *p = profile;

		p->zone = ctl_engine_zone(engine, engine->default_tz);
		profile_reload(engine, p, detectors);
	}
	for (size_t i = 0; i < engine->n_persons; i++)
		if (engine->by_person[i] != NULL)
			profile_reload(engine, engine->by_person[i], detectors);
}
