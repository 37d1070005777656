// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_state.h"

#include <string.h>

static struct ctl_profile *profile_make(struct ctl_engine *engine)
{
	struct ctl_profile *profile = ctl_profile_new(++engine->n_profiles);

	g_ptr_array_add(engine->by_id, profile);
	return profile;
}

/* Of somebody whom the facts do not know. */
static struct ctl_profile *profile_of_met(
	struct ctl_engine *engine, const struct ctl_person *person)
{
	struct ctl_profile *profile = g_hash_table_lookup(engine->by_met, person);

	if (profile == NULL) {
		profile = ctl_engine_untold(engine, person);
		if (profile == NULL)
			profile = profile_make(engine);
		else
			ctl_engine_wake(engine, profile);
		ctl_engine_tell(engine, profile, person);
		(void)g_hash_table_insert(engine->by_met, (gpointer)(uintptr_t)person, profile);
	}
	ctl_engine_wake(engine, profile);
	return profile;
}

static struct ctl_profile *profile_of_person(
	struct ctl_engine *engine, const struct ctl_person *person)
{
	struct ctl_profile **slot;

	if (ctl_is_met(person))
		return profile_of_met(engine, person);
	slot = &engine->by_person[person->id - 1];

	if (*slot == NULL) {
		*slot = profile_make(engine);
		ctl_engine_tell(engine, *slot, person);
	}
	ctl_engine_wake(engine, *slot);
	return *slot;
}

/* NULL when there are as many as the configuration allows: a scan must not eat the memory. */
static struct ctl_profile *profile_of_endpoint(
	struct ctl_engine *engine, const struct dp_addr *endpoint)
{
	struct ctl_profile *profile = g_hash_table_lookup(engine->by_endpoint, endpoint);

	if (profile != NULL)
		ctl_engine_wake(engine, profile);
	if (profile != NULL ||
		g_hash_table_size(engine->by_endpoint) >= engine->config->n_endpoints)
		return profile;
	profile = profile_make(engine);
	ctl_profile_is_endpoint(profile, endpoint);
	profile->zone = ctl_engine_zone(engine, engine->default_tz);
	(void)g_hash_table_insert(engine->by_endpoint, &profile->endpoint, profile);
	return profile;
}

static struct ctl_app_info *app_info(struct ctl_engine *engine, uint32_t app)
{
	struct ctl_app_info *info = g_hash_table_lookup(engine->apps, GUINT_TO_POINTER(app));
	const struct ctl_config *config = engine->config;
	const char *category;

	if (info != NULL)
		return info;
	category = cls_app_category(config->catalogue, app);
	info = g_malloc0(sizeof(*info) + config->n_rules * sizeof(info->rules[0]));
	info->is_opaque = strcmp(category, "vpn") == 0 || strcmp(category, CLS_CATEGORY_RELAY) == 0;
	for (uint32_t i = 0; i < config->n_rules && app >= DP_APP_FIRST; i++) {
		const struct ctl_rule *rule = &config->rules[i];

		if (rule->detector->wants_app != NULL &&
			rule->detector->wants_app(rule, config->catalogue, app))
			info->rules[info->n_rules++] = i;
	}
	(void)g_hash_table_insert(engine->apps, GUINT_TO_POINTER(app), info);
	return info;
}

static bool is_unclassified(uint32_t app)
{
	return app == DP_APP_UNDECIDED || app == DP_APP_UNKNOWN;
}

struct ctl_sums ctl_account_sums(const struct ctl_engine *engine, const struct ctl_profile *profile)
{
	struct ctl_sums sums = profile->sums;

	sums.n_seen = engine->sums.n_seen;
	sums.n_unbound = engine->sums.n_unbound;
	sums.n_lost = engine->sums.n_lost;
	return sums;
}

/* Bring cycles up to the packet's time. The period is what app shares are of: the cycle of the
 * first bucket, or the calendar month. */
static void roll(struct ctl_engine *engine, struct ctl_profile *profile, uint64_t t_ns)
{
	for (size_t i = 0; i < profile->n_buckets; i++)
		if (ctl_bucket_roll(&profile->buckets[i], t_ns, engine->born_ns)) {
			profile->buckets[i].since = engine->opening;
			(void)ctl_profile_touch(profile, CTL_MARK_BUCKET);
		}
	if (t_ns < profile->period.end_ns)
		return;
	ctl_engine_close_period(engine, profile);
	profile->period = profile->n_buckets > 0 ? profile->buckets[0].cycle
						 : ctl_cycle_at(profile->zone->tz, 1, t_ns);
	profile->period_no++;
	profile->since = engine->opening;
	(void)ctl_profile_touch(profile, CTL_MARK_PERIOD);
}

/* Add to (or, for what a move takes away, subtract from) the buckets the app counts in. */
static void charge(struct ctl_engine *engine, struct ctl_profile *profile,
	const struct dp_record *record, uint32_t app, int64_t n_bytes)
{
	for (size_t i = 0; i < profile->n_buckets; i++) {
		struct ctl_bucket_use *b = &profile->buckets[i];
		struct ctl_cycle_row *row;

		if (!ctl_bucket_counts(profile, b, app))
			continue;
		row = ctl_bucket_row(b, record->usage.first_ns);
		if (row == NULL)
			continue; // of a cycle older than all we keep
		ctl_bucket_charge(b, row, record->usage.first_ns, n_bytes);
		(void)ctl_profile_touch(profile, CTL_MARK_BUCKET);
		if (n_bytes > 0 && row == ctl_bucket_running(b))
			b->evidence.bytes[record->evidence] += (uint64_t)n_bytes;
	}
}

static void add_app(struct ctl_engine *engine, struct ctl_profile *profile,
	const struct dp_record *record, uint32_t app, const uint64_t bytes[2])
{
	const uint64_t n_bytes = bytes[0] + bytes[1];
	struct ctl_app_use *use = ctl_profile_app(profile, app);

	(void)ctl_profile_touch(profile, CTL_MARK_SUMS);
	for (int dir = 0; dir < 2; dir++) {
		use->bytes[dir] += bytes[dir];
		if (record->usage.first_ns >= profile->period.start_ns)
			use->period_bytes[dir] += bytes[dir];
	}
	if (is_unclassified(app)) {
		profile->sums.n_unclassified += n_bytes;
		engine->counted.n_unclassified += n_bytes;
	}
	if (app_info(engine, app)->is_opaque)
		profile->sums.n_opaque += n_bytes;
	charge(engine, profile, record, app, (int64_t)n_bytes);
}

/* Take a verdict's bytes out of undecided again, at most what is there: what was counted while
 * the endpoint was somebody else's is not. ret_bytes: what was taken. */
static void take_undecided(struct ctl_engine *engine, struct ctl_profile *profile,
	const struct dp_record *record, uint64_t ret_bytes[2])
{
	struct ctl_app_use *use = ctl_profile_app(profile, DP_APP_UNDECIDED);
	uint64_t n_bytes;

	(void)ctl_profile_touch(profile, CTL_MARK_SUMS);
	for (int dir = 0; dir < 2; dir++) {
		ret_bytes[dir] = MIN(record->usage.bytes[dir], use->bytes[dir]);
		use->bytes[dir] -= ret_bytes[dir];
		if (record->usage.first_ns >= profile->period.start_ns)
			use->period_bytes[dir] -= MIN(use->period_bytes[dir], ret_bytes[dir]);
	}
	n_bytes = ret_bytes[0] + ret_bytes[1];
	profile->sums.n_unclassified -= MIN(profile->sums.n_unclassified, n_bytes);
	engine->counted.n_unclassified -= MIN(engine->counted.n_unclassified, n_bytes);
	charge(engine, profile, record, DP_APP_UNDECIDED, -(int64_t)n_bytes);
}

static void add_usage(
	struct ctl_engine *engine, struct ctl_profile *profile, const struct dp_record *record)
{
	const uint64_t n_bytes = record->usage.bytes[0] + record->usage.bytes[1];

	profile->sums.n_own += n_bytes;
	ctl_profile_add_day(
		profile, ctl_zone_day(profile->zone, record->usage.first_ns)->number, n_bytes);
	add_app(engine, profile, record, record->app, record->usage.bytes);
}

static void ask_detectors(
	struct ctl_engine *engine, struct ctl_profile *profile, const struct dp_record *record)
{
	const struct ctl_app_info *info = app_info(engine, record->app);

	for (size_t b = 0; b < profile->n_buckets; b++) {
		// A late record belongs to a closed cycle, of which nothing is said any more.
		if (record->usage.first_ns < profile->buckets[b].cycle.start_ns)
			continue;
		for (uint32_t i = 0; i < engine->config->n_rules; i++) {
			const struct ctl_look look = ctl_engine_look(engine, profile, i);

			if (look.rule->detector->on_charge != NULL)
				look.rule->detector->on_charge(
					&look, &profile->buckets[b], record->usage.last_ns);
		}
	}
	for (uint32_t i = 0; i < info->n_rules; i++) {
		const struct ctl_look look = ctl_engine_look(engine, profile, info->rules[i]);

		look.rule->detector->on_usage(&look, record);
	}
}

static void count(
	struct ctl_sums *sums, uint64_t n_bytes, double loss, const struct ctl_person *person)
{
	sums->n_seen += n_bytes;
	sums->n_lost += (double)n_bytes * loss;
	if (person == NULL)
		sums->n_unbound += n_bytes;
}

static void count_node(
	struct ctl_engine *engine, const struct dp_record *record, const struct ctl_person *person)
{
	const uint64_t n_bytes = record->usage.bytes[0] + record->usage.bytes[1];

	count(&engine->sums, n_bytes, engine->loss, person);
	count(&engine->counted, n_bytes, engine->loss, person);
}

bool ctl_account_resolve(
	struct ctl_engine *engine, const struct dp_record *record, struct ctl_profile **ret_profile)
{
	bool is_one;
	const struct ctl_person *person = ctl_whose_credited(engine->whose, &record->endpoint,
		record->usage.first_ns, record->usage.last_ns, &is_one);

	// A verdict over a change of hands moves nothing: the bytes stay undecided.
	if (record->kind == DP_RECORD_MOVE && !is_one)
		return false;
	*ret_profile = person != NULL ? profile_of_person(engine, person)
				      : profile_of_endpoint(engine, &record->endpoint);
	return *ret_profile != NULL || record->kind == DP_RECORD_USAGE;
}

void ctl_account_record(
	struct ctl_engine *engine, struct ctl_profile *profile, const struct dp_record *given)
{
	struct dp_record record = *given;

	if (profile == NULL) {
		count_node(engine, &record, NULL);
		engine->counted.n_unclassified += record.usage.bytes[0] + record.usage.bytes[1];
		engine->other_bytes[0] += record.usage.bytes[0];
		engine->other_bytes[1] += record.usage.bytes[1];
		return;
	}
	engine->opening = ctl_account_sums(engine, profile);
	roll(engine, profile, record.usage.first_ns);
	// The tie rule chose this side: good enough to count, too weak to carry a signal.
	if (record.is_ambiguous && ctl_evidence_is_strong((enum dp_evidence)record.evidence))
		record.evidence = DP_EVIDENCE_ADDRESS;
	if (record.kind == DP_RECORD_MOVE) {
		take_undecided(engine, profile, &record, record.usage.bytes);
		add_app(engine, profile, &record, record.app, record.usage.bytes);
	} else {
		count_node(engine, &record, profile->person);
		add_usage(engine, profile, &record);
	}
	ask_detectors(engine, profile, &record);
	ctl_engine_note(engine, profile);
}
