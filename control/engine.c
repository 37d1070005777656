// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"
#include "control/engine_state.h"
#include "control/order.h"
#include "control/subject.h"

#include <errno.h>
#include <stddef.h>

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

/* The pseudonym of a name that nobody has tells one key from another. */
static char *naming_of(const struct ctl_privacy *privacy)
{
	char subject[CTL_SUBJECT_MAX];

	if (ctl_subject_of(privacy, "account:wirecue", subject, NULL) < 0)
		g_error("an account name is no identifier"); // our mistake
	return g_strdup_printf("%d %s", (int)privacy->subject, subject);
}

/* FNV-1a, of what is a MAC but for its first characters; part of the format of images. */
static uint64_t digest(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return MAX(hash, 1);
}

/* What follows from the configuration and nothing else. */
static void settle(struct ctl_engine *engine, const struct ctl_config *config)
{
	GTimeZone *tz = g_time_zone_new_identifier(config->default_zone);

	engine->config = config;
	ctl_whose_set_facts(engine->whose, config->facts);
	g_clear_pointer(&engine->default_tz, g_time_zone_unref);
	engine->default_tz = tz == NULL ? g_time_zone_new_utc() : tz;
	g_hash_table_remove_all(engine->zones);
	g_hash_table_remove_all(engine->apps);
	engine->rule_ids = g_renew(const char *, engine->rule_ids, config->n_rules + 1);
	engine->detectors = g_renew(
		const struct ctl_detector *, engine->detectors, config->n_rules + 1);
	for (size_t i = 0; i < config->n_rules; i++) {
		engine->rule_ids[i] = g_intern_string(config->rules[i].id);
		engine->detectors[i] = config->rules[i].detector;
	}
	if (engine->namer != NULL)
		ctl_namer_free(engine->namer);
	engine->namer = ctl_namer_new(&config->privacy);
	g_free(engine->naming);
	engine->naming = naming_of(&config->privacy);
	engine->naming_id = digest(engine->naming);
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
	engine->whose = ctl_whose_new(config->facts, &config->binding);
	ctl_timers_init(&engine->timers);
	engine->zones = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	engine->apps = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	engine->by_id = g_ptr_array_new_with_free_func(profile_destroy);
	engine->by_endpoint = g_hash_table_new(ctl_addr_hash, ctl_addr_equal);
	engine->by_subject = ctl_subject_index_new();
	engine->n_triggers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	engine->n_suppressed = g_hash_table_new_full(
		g_str_hash, g_str_equal, g_free, counts_destroy);
	engine->pending = g_ptr_array_new();
	engine->untold = g_ptr_array_new();
	engine->by_met = g_hash_table_new(NULL, NULL);
	engine->untold_by = g_hash_table_new_full(ctl_name_hash, g_str_equal, g_free, NULL);
	engine->forgotten = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	ctl_engine_publish_init(engine);
	ctl_engine_sleep_init(engine);
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
	for (guint i = 0; i < engine->pending->len; i++)
		ctl_trigger_free(engine->pending->pdata[i]);
	g_ptr_array_unref(engine->pending);
	g_hash_table_unref(engine->by_endpoint);
	ctl_subject_index_free(engine->by_subject);
	g_ptr_array_unref(engine->by_id);
	g_ptr_array_unref(engine->untold);
	g_hash_table_unref(engine->by_met);
	ctl_whose_free(engine->whose);
	g_hash_table_unref(engine->untold_by);
	g_array_unref(engine->forgotten);
	ctl_idset_fini(&engine->changed);
	ctl_idset_fini(&engine->unwritten);
	ctl_idset_fini(&engine->unpublished);
	ctl_idset_fini(&engine->round.todo);
	ctl_pack_fini(&engine->packed);
	ctl_engine_publish_fini(engine);
	ctl_engine_sleep_fini(engine);
	g_hash_table_unref(engine->n_triggers);
	g_hash_table_unref(engine->n_suppressed);
	g_hash_table_unref(engine->apps);
	g_hash_table_unref(engine->zones);
	ctl_timers_fini(&engine->timers);
	ctl_idset_fini(&engine->changed);
	g_time_zone_unref(engine->default_tz);
	g_free(engine->by_person);
	g_free(engine->rule_ids);
	g_free(engine->detectors);
	ctl_namer_free(engine->namer);
	g_free(engine->naming);
	g_free(engine);
}

void ctl_engine_set_bindings(struct ctl_engine *engine, const struct ctl_bindings *bindings)
{
	ctl_whose_set_bindings(engine->whose, bindings);
}

struct ctl_whose *ctl_engine_whose(const struct ctl_engine *engine)
{
	return engine->whose;
}

struct ctl_profile *ctl_engine_profile(const struct ctl_engine *engine, uint64_t id)
{
	struct ctl_profile *profile = ctl_engine_peek(engine, id);

	if (profile != NULL)
		ctl_engine_wake((struct ctl_engine *)engine, profile); // it says what it said
	return profile;
}

bool ctl_engine_has_person(const struct ctl_engine *engine, uint64_t id)
{
	const struct ctl_profile *profile = ctl_engine_peek(engine, id);

	return profile != NULL && profile->person != NULL;
}

uint64_t ctl_engine_unpublished(const struct ctl_engine *engine, uint64_t from)
{
	return ctl_idset_next(&engine->unpublished, from);
}

uint64_t ctl_engine_n_unpublished(const struct ctl_engine *engine)
{
	return engine->unpublished.n_ids;
}

void ctl_engine_set_published(struct ctl_engine *engine, uint64_t id)
{
	struct ctl_profile *profile = ctl_engine_peek(engine, id);

	ctl_idset_remove(&engine->unpublished, id);
	if (profile == NULL)
		return;
	(void)ctl_profile_published(profile);
	ctl_engine_note(engine, profile);
}

void ctl_engine_set_unpublished(struct ctl_engine *engine, uint64_t id)
{
	struct ctl_profile *profile = ctl_engine_peek(engine, id);

	if (profile == NULL)
		return;
	(void)ctl_profile_touch(profile, CTL_MARK_FLAGS);
	ctl_engine_note(engine, profile);
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
enum { TURN_IS_MOVE, TURN_TIME, KEY_WORDS, TURN_PROFILE = KEY_WORDS, TURN_IDX };

static struct ctl_profile *profile_of(const struct ctl_order *turn)
{
	return (struct ctl_profile *)(uintptr_t)turn->words[TURN_PROFILE];
}

/* Endpoint by endpoint, as the records come, while the binding is at hand. */
static size_t make_turns(struct ctl_engine *engine, const struct dp_record *records,
	size_t n_records, struct ctl_order *ret_turns)
{
	size_t n_turns = 0;

	for (size_t i = 0; i < n_records; i++) {
		const struct dp_record *r = &records[i];
		struct ctl_profile *profile;

		if (r->kind != DP_RECORD_USAGE && r->kind != DP_RECORD_MOVE)
			continue;
		if (!ctl_account_resolve(engine, r, &profile))
			continue;
		ret_turns[n_turns++] = (struct ctl_order){
			.words = {
				[TURN_IS_MOVE] = r->kind == DP_RECORD_MOVE,
				[TURN_TIME] = r->usage.first_ns,
				[TURN_PROFILE] = (uintptr_t)profile,
				[TURN_IDX] = i,
			}};
	}
	return n_turns;
}

/* Ask for len bytes early; of NULL that costs nothing. */
static void prefetch_block(const void *block, size_t len)
{
	for (size_t off = 0; off < len; off += 64)
		__builtin_prefetch((const void *)((uintptr_t)block + off));
}

/* In order of time the profiles come at random, so what a record touches is asked for early: the
 * record and the profile, then what that points to. */
static void prefetch(
	const struct dp_record *records, const struct ctl_order *turns, size_t n_turns, size_t i)
{
	const struct ctl_profile *p;

	if (n_turns - i > PREFETCH_PROFILE) {
		prefetch_block(&records[turns[i + PREFETCH_PROFILE].words[TURN_IDX]],
			offsetof(struct dp_record, usage) + sizeof(records->usage));
		prefetch_block(profile_of(&turns[i + PREFETCH_PROFILE]), sizeof(*p));
	}
	if (n_turns - i > PREFETCH_INSIDE && profile_of(&turns[i + PREFETCH_INSIDE]) != NULL) {
		p = profile_of(&turns[i + PREFETCH_INSIDE]);
		__builtin_prefetch(p->apps);
		__builtin_prefetch(p->states);
		__builtin_prefetch(p->person);
		prefetch_block(p->buckets, sizeof(*p->buckets));
	}
}

void ctl_engine_tick(struct ctl_engine *engine, uint64_t end_ns, const struct dp_record *records,
	size_t n_records, double capture_loss)
{
	g_autofree struct ctl_order *memory = g_new(struct ctl_order, 2 * n_records + 1);
	const size_t n_turns = make_turns(engine, records, n_records, memory);
	const struct ctl_order *turns = ctl_order_sort(
		memory, memory + n_turns, n_turns, KEY_WORDS);

	engine->loss = capture_loss;
	if (engine->born_ns == 0 && n_turns > 0)
		engine->born_ns = turns[0].words[TURN_TIME];
	for (size_t i = 0; i < n_turns; i++) {
		prefetch(records, turns, n_turns, i);
		run_timers(engine, MIN(turns[i].words[TURN_TIME], end_ns));
		ctl_account_record(
			engine, profile_of(&turns[i]), &records[turns[i].words[TURN_IDX]]);
	}
	ctl_engine_advance(engine, end_ns);
}

void ctl_engine_advance(struct ctl_engine *engine, uint64_t now_ns)
{
	run_timers(engine, now_ns);
	engine->now_ns = MAX(engine->now_ns, now_ns);
	ctl_decide_flush(engine);
	ctl_engine_forget_untold(engine);
}

void ctl_engine_reload(struct ctl_engine *engine, const struct ctl_config *config)
{
	const bool are_dropped = ctl_engine_drops_rules(engine, config);

	settle(engine, config);
	ctl_engine_bind(engine, 1, are_dropped ? CTL_BIND_RULES_DROPPED : 0);
}
