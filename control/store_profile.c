// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_profile.h"

#include "control/detector.h"
#include "control/event.h"
#include "control/profile_image.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>

static const char *const part_names[] = {
	[CTL_PART_HEAD] = "head",
	[CTL_PART_WHO] = "identity",
	[CTL_PART_FLAGS] = "flags",
	[CTL_PART_SUMS] = "sums",
	[CTL_PART_PERIOD] = "period",
	[CTL_PART_APPS] = "apps",
	[CTL_PART_DAYS] = "days",
	[CTL_PART_BUCKETS] = "buckets",
	[CTL_PART_BUCKET] = "bucket",
	[CTL_PART_RUNNING] = "running",
	[CTL_PART_STATES] = "states",
	[CTL_PART_STATE] = "state",
	[CTL_PART_COOLDOWNS] = "cooldowns",
};

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void set(json_t *json, const char *key, json_t *value)
{
	(void)json_object_set_new(json, key, value); // without memory a field is missing
}

static int app_cmp(const void *pa, const void *pb)
{
	const struct ctl_app_use *a = pa;
	const struct ctl_app_use *b = pb;

	return (a->app > b->app) - (a->app < b->app);
}

static json_t *app_json(const struct ctl_profile *profile, const struct ctl_app_use *use)
{
	return json_pack("{sI sI sI sI}", "app", (json_int_t)use->app, "up_bytes",
		(json_int_t)use->bytes[0], "down_bytes", (json_int_t)use->bytes[1], "period_bytes",
		(json_int_t)ctl_profile_period_bytes(profile, use));
}

/* In order of their ids. */
static json_t *apps_json(const struct ctl_profile *profile)
{
	g_autofree struct ctl_app_use *uses = g_new(struct ctl_app_use, profile->n_apps + 1);
	json_t *apps = json_array();
	size_t n = 0;

	for (uint32_t i = 0; i < profile->n_slots; i++) {
		if (profile->apps[i].app != UINT32_MAX && n < profile->n_apps)
			uses[n++] = profile->apps[i];
	}
	qsort(uses, n, sizeof(uses[0]), app_cmp);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(apps, app_json(profile, &uses[i]));
	return apps;
}

static json_t *days_json(const struct ctl_profile *profile)
{
	json_t *days = json_object();

	for (int32_t day = profile->last_day - CTL_DAYS_MAX + 1; day <= profile->last_day; day++) {
		const uint64_t n_bytes = day < 0 ? 0 : ctl_profile_day(profile, day);
		char name[12];

		(void)g_snprintf(name, sizeof(name), "%d", day);
		if (n_bytes > 0)
			set(days, name, count(n_bytes));
	}
	return days;
}

static json_t *bucket_json(const struct ctl_bucket_use *bucket)
{
	json_t *cycles = json_array();

	for (uint32_t i = 0; i < bucket->n_rows; i++) {
		const struct ctl_cycle_row *row = &bucket->rows[i];

		(void)json_array_append_new(cycles,
			json_pack("{so sI sI si sb}", "start", ctl_time_json(row->start_ns),
				"bytes", (json_int_t)row->bytes, "cap_bytes",
				(json_int_t)row->cap_bytes, "day_reached", (int)row->day_reached,
				"partial", (int)row->is_partial));
	}
	return json_pack("{ss so}", "id", bucket->id, "cycles", cycles);
}

static json_t *state_json(const struct ctl_rule_state *state)
{
	struct ctl_pack pack = {0};
	json_t *json;

	state->detector->save(state->state, &pack);
	json = json_pack("{ss ss sI}", "detector", state->detector->name, "rule", state->rule,
		"bytes", (json_int_t)pack.len);
	ctl_pack_fini(&pack);
	return json;
}

/* Key as text: JSON numbers end at 2^53 for many readers. */
static json_t *cooldowns_json(const struct ctl_profile *profile)
{
	json_t *cooldowns = json_object();

	for (size_t i = 0; i < profile->n_cooldowns; i++) {
		g_autofree char *key = g_strdup_printf(
			"%016llx", (unsigned long long)profile->cooldowns[i].key);

		set(cooldowns, key, ctl_time_json(profile->cooldowns[i].published_ns));
	}
	return cooldowns;
}

static json_t *who_json(const struct ctl_profile *profile)
{
	const struct ctl_identity *identity = profile->identity;
	char address[DP_ADDR_STRLEN];

	switch (profile->who) {
	case CTL_WHO_PERSON:
		return json_pack("{ss* ss* ss*}", "account", identity->account, "imsi",
			identity->imsi, "msisdn", identity->msisdn);
	case CTL_WHO_ENDPOINT:
		return json_pack("{ss}", "address", dp_addr_format(&profile->endpoint, address));
	default:
		return json_string("sealed");
	}
}

static void fill(const struct ctl_profile *profile, uint64_t as_of_ns, json_t *json)
{
	json_t *buckets = json_array(), *states = json_array();

	for (size_t i = 0; i < profile->n_buckets; i++)
		(void)json_array_append_new(buckets, bucket_json(&profile->buckets[i]));
	for (size_t i = 0; i < profile->n_states; i++)
		(void)json_array_append_new(states, state_json(&profile->states[i]));
	set(json, "as_of", ctl_time_json(as_of_ns));
	set(json, "identity", who_json(profile));
	set(json, "untold_since", ctl_time_json(profile->untold_since_ns));
	set(json, "own_bytes", count(profile->sums.n_own));
	set(json, "unclassified_bytes", count(profile->sums.n_unclassified));
	set(json, "opaque_bytes", count(profile->sums.n_opaque));
	set(json, "period_begin", ctl_time_json(profile->period.start_ns));
	set(json, "period_end", ctl_time_json(profile->period.end_ns));
	set(json, "apps", apps_json(profile));
	set(json, "days", days_json(profile));
	set(json, "buckets", buckets);
	set(json, "states", states);
	set(json, "cooldowns", cooldowns_json(profile));
}

int ctl_store_profile_read(
	uint64_t id, const void *data, size_t len, struct ctl_seal *seal, json_t *json)
{
	struct ctl_profile *profile = ctl_profile_new(id);
	uint64_t as_of_ns;
	struct dp_err err;
	const int r = ctl_profile_unpack(profile, seal, data, len, &as_of_ns, &err);

	if (r == 0 && json != NULL)
		fill(profile, as_of_ns, json);
	ctl_profile_free(profile);
	return r;
}

int ctl_store_changes_read(uint64_t id, struct ctl_unpack *in, json_t *array)
{
	json_t *parts = json_object();
	struct ctl_unpack part;

	while (ctl_unpack_has_more(in)) {
		const uint64_t kind = ctl_unpack_part(in, &part);
		const char *name = kind < G_N_ELEMENTS(part_names) ? part_names[kind] : NULL;
		const json_t *before = json_object_get(parts, name == NULL ? "other" : name);

		set(parts, name == NULL ? "other" : name,
			count((uint64_t)(part.end - part.at) +
				(uint64_t)json_integer_value(before)));
	}
	if (array != NULL)
		(void)json_array_append_new(
			array, json_pack("{sI sO}", "id", (json_int_t)id, "parts", parts));
	json_decref(parts);
	return in->is_bad ? -EBADMSG : 0;
}
