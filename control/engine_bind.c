// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_state.h"
#include "control/facts_build.h"
#include "control/profile_sleep.h"
#include "control/share.h"
#include "control/subject.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	FORGET_MAX = 1000, // profiles a tick; start value
	// Matches ahead, as in engine.c: each profile and person lies somewhere else.
	PREFETCH_FIRST = 16,
	PREFETCH_INSIDE = 8,
};

/* A profile on its way to the person it is of under the facts in force. */
struct match {
	struct ctl_profile *profile;
	const struct ctl_person *person; // NULL = not found
	const struct ctl_person *candidate; // by the identifier at work
	char *old_subject; // owned; NULL = the name is the same, or the first
	uint32_t subject_hash; // of ctl_subject_index_hash(); with a person
};

struct binding {
	struct ctl_engine *engine;
	bool are_renamed; // those without a name had another one when they were written
	bool are_rules_dropped; // who sleeps may have states of them
	const char *kind; // of the identifier at work
	size_t value_off; // its place in struct ctl_identity
	struct match *matches;
	size_t n_matches;
	GMutex timers_lock; // of the engine's timers
};

/* The pseudonym is derived at the edge: under a new key the profile stays and is named anew.
 * Returns whether it has another name now; *ret_old: the one it had, owned by the caller. */
static bool name(const struct ctl_engine *engine, struct ctl_namer *namer,
	struct ctl_profile *profile, char **ret_old)
{
	uint64_t named_under = engine->naming_id;
	char subject[CTL_SUBJECT_MAX];

	if (profile->subject != NULL && profile->named_under == named_under)
		return false;
	if (ctl_namer_person(namer, profile->person, subject, NULL) < 0) {
		ctl_subject_by_place(profile->person, subject);
		named_under = 0; // by its place in the facts
	}
	if (g_strcmp0(profile->subject, subject) == 0) {
		profile->named_under = named_under;
		return false;
	}
	*ret_old = g_steal_pointer(&profile->subject);
	ctl_profile_name(profile, subject, named_under);
	return true;
}

/* What the engine keeps of it. No old name is in by_subject. */
static void enter(struct ctl_engine *engine, struct ctl_profile *profile, uint32_t subject_hash)
{
	const struct ctl_person *person = profile->person;
	GTimeZone *tz = person->tz;

	if (tz == NULL && person->n_buckets > 0)
		tz = person->buckets[0].tz;
	profile->zone = ctl_engine_zone(engine, tz == NULL ? engine->default_tz : tz);
	ctl_subject_index_add_hash(engine->by_subject, engine->by_id, profile->id, subject_hash);
}

void ctl_engine_tell(
	struct ctl_engine *engine, struct ctl_profile *profile, const struct ctl_person *person)
{
	g_autofree char *old = NULL; // a new profile has none

	ctl_profile_tell(profile, person, engine->config->catalogue);
	(void)name(engine, engine->namer, profile, &old);
	enter(engine, profile, ctl_subject_index_hash(profile->subject));
	ctl_engine_note(engine, profile);
}

/* What binding reads of a profile. */
static void prefetch_profile(const struct ctl_profile *profile)
{
	__builtin_prefetch(&profile->person, 1);
	__builtin_prefetch(&profile->subject, 1);
	__builtin_prefetch(&profile->marks, 1);
}

static void prefetch_person(const struct ctl_person *person)
{
	__builtin_prefetch(&person->msisdn);
	__builtin_prefetch(&person->buckets);
	__builtin_prefetch(&person->tz);
}

/* What a match points to, and what that points to. */
static void prefetch_match(const struct binding *b, size_t i)
{
	const struct match *m;

	if (b->n_matches - i > PREFETCH_FIRST) {
		m = &b->matches[i + PREFETCH_FIRST];
		prefetch_profile(m->profile);
		if (m->person != NULL)
			prefetch_person(m->person);
	}
	if (b->n_matches - i > PREFETCH_INSIDE) {
		m = &b->matches[i + PREFETCH_INSIDE];
		__builtin_prefetch(m->profile->identity);
		__builtin_prefetch(m->profile->sleep);
		__builtin_prefetch(m->profile->subject);
		if (m->person != NULL) {
			__builtin_prefetch(m->person->msisdn);
			__builtin_prefetch(m->person->imsi);
			__builtin_prefetch(m->person->account);
			__builtin_prefetch(m->person->buckets);
		}
	}
}

/* Newest first: who was told last has the better claim to what they share. */
static int untold_cmp(gconstpointer pa, gconstpointer pb)
{
	const struct ctl_profile *a = ((const struct match *)pa)->profile;
	const struct ctl_profile *b = ((const struct match *)pb)->profile;

	if (a->untold_since_ns != b->untold_since_ns)
		return a->untold_since_ns > b->untold_since_ns ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Profiles of persons, those bound until now first, by id. */
static void collect(struct binding *b)
{
	const GPtrArray *by_id = b->engine->by_id;
	g_autoptr(GArray) untold = g_array_new(FALSE, FALSE, sizeof(struct match));

	b->matches = g_new(struct match, by_id->len + 1);
	for (guint i = 0; i < by_id->len; i++) {
		struct match match = {.profile = by_id->pdata[i]};

		if (by_id->len - i > PREFETCH_FIRST && by_id->pdata[i + PREFETCH_FIRST] != NULL)
			prefetch_profile(by_id->pdata[i + PREFETCH_FIRST]);
		if (match.profile == NULL || match.profile->who != CTL_WHO_PERSON)
			continue;
		if (match.profile->untold_since_ns != 0)
			g_array_append_val(untold, match);
		else
			b->matches[b->n_matches++] = match;
	}
	g_array_sort(untold, untold_cmp);
	if (untold->len > 0)
		memcpy(b->matches + b->n_matches, untold->data, untold->len * sizeof(struct match));
	b->n_matches += untold->len;
}

/* Who the person is under the new facts, by one kind of identifier; NULL when nobody. */
static const struct ctl_person *person_again(const struct ctl_facts *facts,
	const struct ctl_identity *identity, const char *kind, const char *value)
{
	char identifier[CTL_SUBJECT_MAX];
	const struct ctl_person *found;

	if (value == NULL)
		return NULL;
	(void)g_strlcpy(identifier, kind, sizeof(identifier));
	if (g_strlcat(identifier, value, sizeof(identifier)) >= sizeof(identifier))
		return NULL; // longer than any that can be told
	found = ctl_facts_find(facts, identifier);
	// A number or SIM that another account has now was recycled: its new holder starts empty.
	if (found != NULL && found->account != NULL && identity->account != NULL &&
		strcmp(found->account, identity->account) != 0)
		return NULL;
	return found;
}

/* Who is told no more, and was met under a name that he had. */
static void match_met(struct binding *b)
{
	struct ctl_engine *engine = b->engine;

	g_hash_table_remove_all(engine->by_met);
	for (size_t i = 0; i < b->n_matches; i++) {
		struct match *m = &b->matches[i];
		const struct ctl_identity *identity = m->profile->identity;
		const struct ctl_person *person = m->person != NULL
			? NULL
			: ctl_whose_met(engine->whose, identity->imsi, identity->msisdn,
				  identity->account);

		if (person == NULL || g_hash_table_lookup(engine->by_met, person) != NULL)
			continue;
		(void)g_hash_table_insert(engine->by_met, (gpointer)(uintptr_t)person, m->profile);
		m->person = person;
	}
}

static void find_share(void *ctx, size_t begin, size_t end)
{
	struct binding *b = ctx;

	for (size_t i = begin; i < end; i++) {
		struct match *m = &b->matches[i];
		const struct ctl_identity *identity = m->profile->identity;

		prefetch_match(b, i);
		if (m->person == NULL)
			m->candidate = person_again(b->engine->config->facts, identity, b->kind,
				*(const char *const *)((const char *)identity + b->value_off));
	}
}

/* By one kind of identifier; of two who claim the same person the first one has it. */
static void match_by(struct binding *b, unsigned n_threads, const char *kind, size_t value_off)
{
	b->kind = kind;
	b->value_off = value_off;
	ctl_share(n_threads, b->n_matches, find_share, b);
	for (size_t i = 0; i < b->n_matches; i++) {
		struct match *m = &b->matches[i];
		struct ctl_profile **slot;

		if (m->person != NULL || m->candidate == NULL)
			continue;
		slot = &b->engine->by_person[m->candidate->id - 1];
		if (*slot != NULL)
			continue;
		*slot = m->profile;
		m->person = m->candidate;
	}
}

void ctl_engine_rearm(
	struct ctl_engine *engine, struct ctl_profile *profile, struct ctl_timers *timers_apart)
{
	if (profile->n_states == 0)
		return;
	for (uint32_t i = 0; i < engine->config->n_rules; i++) {
		struct ctl_look look = ctl_engine_look(engine, profile, i);

		look.timers_apart = timers_apart;
		if (look.rule->detector->on_reload != NULL &&
			ctl_profile_state_find(profile, look.rule->detector, look.rule_id) != NULL)
			look.rule->detector->on_reload(&look);
	}
}

/* Their order is total: it does not matter which thread comes first. */
static void take_timers(struct binding *b, const struct ctl_timers *timers)
{
	g_mutex_lock(&b->timers_lock);
	for (guint i = 0; i < timers->heap->len; i++)
		ctl_timers_push(
			&b->engine->timers, &g_array_index(timers->heap, struct ctl_timer, i));
	g_mutex_unlock(&b->timers_lock);
}

/* Unless all of this leaves it as it is. */
static void wake_unless(
	const struct binding *b, struct ctl_profile *profile, const struct ctl_person *person)
{
	if (ctl_profile_is_asleep(profile) &&
		!ctl_engine_sleeps_on(b->engine, profile, person, b->are_rules_dropped))
		ctl_engine_read_asleep(b->engine, profile);
}

/* What belongs to the one profile alone. */
static void tell_share(void *ctx, size_t begin, size_t end)
{
	struct binding *b = ctx;
	const struct ctl_config *config = b->engine->config;
	struct ctl_namer *namer = ctl_namer_new(&config->privacy);
	struct ctl_timers timers;

	ctl_timers_init(&timers);
	for (size_t i = begin; i < end; i++) {
		struct match *m = &b->matches[i];
		struct ctl_profile *profile = m->profile;
		const bool had_name = profile->subject != NULL;

		prefetch_match(b, i);
		wake_unless(b, profile, m->person);
		ctl_profile_prune(
			profile, b->engine->rule_ids, b->engine->detectors, config->n_rules);
		if (m->person == NULL) {
			ctl_profile_untell(profile, MAX(b->engine->now_ns, 1));
			continue;
		}
		ctl_profile_tell(profile, m->person, config->catalogue);
		ctl_engine_rearm(b->engine, profile, &timers);
		if (name(b->engine, namer, profile, &m->old_subject) &&
			(had_name || b->are_renamed)) // nothing is under it yet
			(void)ctl_profile_touch(profile, CTL_MARK_WHO | CTL_MARK_FLAGS);
		m->subject_hash = ctl_subject_index_hash(profile->subject);
	}
	ctl_namer_free(namer);
	take_timers(b, &timers);
	ctl_timers_fini(&timers);
}

/* Its names, surest first: of two who had one, the one that is told last. */
static void each_name(struct ctl_engine *engine, struct ctl_profile *profile,
	void (*fn)(GHashTable *names, char *name, struct ctl_profile *profile))
{
	const struct ctl_identity *identity = profile->identity;

	if (identity->imsi != NULL)
		fn(engine->untold_by, ctl_identifier("imsi", identity->imsi), profile);
	if (identity->msisdn != NULL)
		fn(engine->untold_by, ctl_identifier("msisdn", identity->msisdn), profile);
	if (identity->account != NULL)
		fn(engine->untold_by, ctl_identifier("account", identity->account), profile);
}

static void add_name(GHashTable *names, char *name, struct ctl_profile *profile)
{
	(void)g_hash_table_insert(names, name, profile);
}

static void drop_name(GHashTable *names, char *name, struct ctl_profile *profile)
{
	if (g_hash_table_lookup(names, name) == profile)
		(void)g_hash_table_remove(names, name);
	g_free(name);
}

static void enter_untold(struct ctl_engine *engine, struct ctl_profile *profile)
{
	each_name(engine, profile, add_name);
}

struct ctl_profile *ctl_engine_untold(
	const struct ctl_engine *engine, const struct ctl_person *person)
{
	g_autofree char *name = person->imsi != NULL ? ctl_identifier("imsi", person->imsi)
		: person->msisdn != NULL	     ? ctl_identifier("msisdn", person->msisdn)
						     : ctl_identifier("account", person->account);
	struct ctl_profile *profile = g_hash_table_lookup(engine->untold_by, name);

	return profile != NULL && profile->untold_since_ns != 0 ? profile : NULL;
}

static void set_untold(struct ctl_engine *engine, struct ctl_profile *profile)
{
	profile->zone = ctl_engine_zone(engine, engine->default_tz);
	ctl_engine_retire(engine, profile->subject);
	ctl_profile_name(profile, NULL, 0);
	g_ptr_array_add(engine->untold, profile);
	enter_untold(engine, profile);
	ctl_idset_remove(&engine->unpublished, profile->id);
	ctl_engine_note(engine, profile);
}

static int oldest_cmp(gconstpointer pa, gconstpointer pb)
{
	const struct ctl_profile *a = *(struct ctl_profile *const *)pa;
	const struct ctl_profile *b = *(struct ctl_profile *const *)pb;

	if (a->untold_since_ns != b->untold_since_ns)
		return a->untold_since_ns < b->untold_since_ns ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static void settle_persons(struct binding *b)
{
	struct ctl_engine *engine = b->engine;

	for (size_t i = 0; i < b->n_matches; i++) {
		struct match *m = &b->matches[i];

		prefetch_match(b, i);
		if (b->n_matches - i > PREFETCH_INSIDE)
			ctl_subject_index_prefetch(
				engine->by_subject, b->matches[i + PREFETCH_INSIDE].subject_hash);
		if (m->person == NULL) {
			set_untold(engine, m->profile);
			continue;
		}
		ctl_engine_retire(engine, m->old_subject);
		g_clear_pointer(&m->old_subject, g_free);
		enter(engine, m->profile, m->subject_hash);
		ctl_engine_note(engine, m->profile);
	}
	g_ptr_array_sort(engine->untold, oldest_cmp);
}

static void settle_endpoints(struct binding *b)
{
	struct ctl_engine *engine = b->engine;

	for (guint i = 0; i < engine->by_id->len; i++) {
		struct ctl_profile *profile = engine->by_id->pdata[i];

		if (profile == NULL || profile->who != CTL_WHO_ENDPOINT)
			continue;
		profile->zone = ctl_engine_zone(engine, engine->default_tz);
		wake_unless(b, profile, NULL);
		ctl_profile_prune(
			profile, engine->rule_ids, engine->detectors, engine->config->n_rules);
		ctl_engine_rearm(engine, profile, NULL);
		ctl_engine_note(engine, profile);
	}
}

/* By the surest identifier first: a new SIM keeps the account or the number, and who took the
 * number along keeps the SIM. */
void ctl_engine_bind(struct ctl_engine *engine, unsigned n_threads, unsigned flags)
{
	struct binding b = {
		.engine = engine,
		.are_renamed = (flags & CTL_BIND_RENAMED) != 0,
		.are_rules_dropped = (flags & CTL_BIND_RULES_DROPPED) != 0,
	};

	ctl_timers_clear(&engine->timers);
	ctl_subject_index_clear(engine->by_subject, engine->by_id->len); // each is named anew
	g_ptr_array_set_size(engine->untold, 0);
	g_hash_table_remove_all(engine->untold_by);
	g_free(engine->by_person);
	engine->n_persons = engine->config->facts->persons->len;
	engine->by_person = g_new0(struct ctl_profile *, engine->n_persons + 1);
	collect(&b);
	match_by(&b, n_threads, "account:", offsetof(struct ctl_identity, account));
	match_by(&b, n_threads, "imsi:", offsetof(struct ctl_identity, imsi));
	match_by(&b, n_threads, "msisdn:", offsetof(struct ctl_identity, msisdn));
	match_met(&b);
	ctl_share(n_threads, b.n_matches, tell_share, &b);
	settle_persons(&b);
	settle_endpoints(&b);
	g_free(b.matches);
	ctl_engine_forget_untold(engine);
}

static void forget(struct ctl_engine *engine, struct ctl_profile *profile)
{
	const uint64_t id = profile->id;

	each_name(engine, profile, drop_name);
	engine->by_id->pdata[id - 1] = NULL;
	ctl_profile_free(profile);
	ctl_idset_remove(&engine->changed, id);
	ctl_idset_remove(&engine->unwritten, id);
	ctl_idset_remove(&engine->round.todo, id);
	ctl_idset_remove(&engine->unpublished, id);
	ctl_idset_remove(&engine->unreadable.ids, id);
	(void)g_hash_table_remove(engine->closed, &id);
	g_array_append_val(engine->forgotten, id);
}

void ctl_engine_forget_untold(struct ctl_engine *engine)
{
	const uint64_t keep_ns = engine->config->store.keep_untold_ns;
	guint n = 0;

	// One reload may have left out many: all of them are due in the same tick.
	for (; n < MIN(engine->untold->len, FORGET_MAX); n++) {
		struct ctl_profile *profile = engine->untold->pdata[n];

		if (profile->untold_since_ns == 0)
			continue; // was met since
		if (engine->now_ns < profile->untold_since_ns ||
			engine->now_ns - profile->untold_since_ns < keep_ns)
			break;
		forget(engine, profile);
	}
	if (n > 0)
		g_ptr_array_remove_range(engine->untold, 0, n);
}
