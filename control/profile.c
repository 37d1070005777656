// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile.h"

#include "control/detector.h"

#include <assert.h>
#include <string.h>

enum { APP_FREE = UINT32_MAX, SLOTS_FIRST = 8 };

// docs/detection.md, "Memory"
static_assert(sizeof(struct ctl_profile) == 312);
static_assert(sizeof(struct ctl_bucket_use) == 592);
static_assert(sizeof(struct ctl_app_use) == 40);
static_assert(sizeof(struct ctl_cooldown) == 16);
static_assert(sizeof(struct ctl_rule_state) == 32);

struct ctl_profile *ctl_profile_new(uint64_t id)
{
	struct ctl_profile *profile = g_new0(struct ctl_profile, 1);

	profile->id = id;
	profile->changed_first = INT32_MAX;
	(void)ctl_profile_touch(profile, CTL_MARK_ALL);
	return profile;
}

static void buckets_free(struct ctl_bucket_use *buckets, size_t n_buckets)
{
	for (size_t i = 0; i < n_buckets; i++)
		g_free(buckets[i].apps);
	g_free(buckets);
}

static void state_free(struct ctl_rule_state *state)
{
	if (state->detector->state_fini != NULL)
		state->detector->state_fini(state->state);
	g_free(state->state);
}

void ctl_profile_drop_buckets(struct ctl_profile *profile)
{
	buckets_free(profile->buckets, profile->n_buckets);
	profile->buckets = NULL;
	profile->n_buckets = 0;
	(void)ctl_profile_touch(profile, CTL_MARK_BUCKETS);
}

void ctl_profile_drop_states(struct ctl_profile *profile)
{
	for (size_t i = 0; i < profile->n_states; i++)
		state_free(&profile->states[i]);
	g_clear_pointer(&profile->states, g_free);
	profile->n_states = 0;
	(void)ctl_profile_touch(profile, CTL_MARK_STATES);
}

void ctl_profile_empty(struct ctl_profile *profile)
{
	ctl_profile_drop_states(profile);
	ctl_profile_drop_buckets(profile);
	g_clear_pointer(&profile->cooldowns, g_free);
	g_clear_pointer(&profile->day_bytes, g_free);
	g_clear_pointer(&profile->apps, g_free);
	profile->n_cooldowns = 0;
	profile->n_slots = profile->n_apps = 0;
	profile->period = (struct ctl_cycle){0};
	profile->period_no = 0;
	profile->sums = profile->since = (struct ctl_sums){0};
	profile->last_day = 0;
	ctl_profile_unmark(profile);
	(void)ctl_profile_touch(profile, CTL_MARK_ALL);
}

void ctl_profile_free(struct ctl_profile *profile)
{
	if (profile == NULL)
		return;
	ctl_profile_drop_states(profile);
	ctl_profile_drop_buckets(profile);
	g_free(profile->sleep);
	g_free(profile->identity);
	g_free(profile->zero_rated);
	g_free(profile->cooldowns);
	g_free(profile->day_bytes);
	g_free(profile->apps);
	g_free(profile->subject);
	g_free(profile);
}

void ctl_profile_unmark(struct ctl_profile *profile)
{
	if (profile->n_changed_apps > 0)
		for (uint32_t i = 0; i < profile->n_slots; i++)
			profile->apps[i].is_changed = 0;
	for (size_t i = 0; i < profile->n_buckets; i++)
		profile->buckets[i].change = CTL_BUCKET_SAME;
	for (size_t i = 0; i < profile->n_states; i++)
		profile->states[i].is_changed = false;
	profile->n_changed_apps = 0;
	profile->changed_first = INT32_MAX;
	profile->changed_last = 0;
	profile->marks = 0;
}

void ctl_profile_is_endpoint(struct ctl_profile *profile, const struct dp_addr *endpoint)
{
	g_clear_pointer(&profile->identity, g_free);
	profile->who = CTL_WHO_ENDPOINT;
	profile->endpoint = *endpoint;
	(void)ctl_profile_touch(profile, CTL_MARK_WHO);
}

static size_t text_size(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

/* Returns where the next one goes. */
static char *text_put(char *to, const char *text, const char **ret_put)
{
	const size_t size = text_size(text);

	*ret_put = size == 0 ? NULL : to;
	if (size > 0)
		memcpy(to, text, size);
	return to + size;
}

void ctl_profile_is_person(
	struct ctl_profile *profile, const char *account, const char *imsi, const char *msisdn)
{
	struct ctl_identity *const old = profile->identity;
	struct ctl_identity *now;
	char *to;

	if (old != NULL && g_strcmp0(old->account, account) == 0 &&
		g_strcmp0(old->imsi, imsi) == 0 && g_strcmp0(old->msisdn, msisdn) == 0)
		return;
	now = g_malloc(sizeof(*now) + text_size(account) + text_size(imsi) + text_size(msisdn));
	to = text_put(now->texts, account, &now->account);
	to = text_put(to, imsi, &now->imsi);
	(void)text_put(to, msisdn, &now->msisdn);
	g_free(old);
	profile->identity = now;
	profile->who = CTL_WHO_PERSON;
	profile->named_under = 0;
	(void)ctl_profile_touch(profile, CTL_MARK_WHO);
}

void ctl_profile_name(struct ctl_profile *profile, const char *subject, uint64_t named_under)
{
	g_free(profile->subject);
	profile->subject = g_strdup(subject);
	profile->named_under = named_under;
}

/* Names to ids; a name that the catalogue does not know counts for nothing. */
static uint32_t *app_ids(
	const struct cls_catalogue *catalogue, char *const *names, size_t *ret_n_ids)
{
	const size_t n_names = names == NULL ? 0 : g_strv_length((char **)names);
	uint32_t *ids = n_names == 0 ? NULL : g_new(uint32_t, n_names);
	size_t n_ids = 0;

	for (size_t i = 0; i < n_names; i++) {
		const uint32_t app = cls_app_by_name(catalogue, names[i]);

		if (app != DP_APP_UNKNOWN)
			ids[n_ids++] = app;
	}
	*ret_n_ids = n_ids;
	return ids;
}

/* The cycles of the bucket that had the id before, if there was one. */
static void bucket_inherit(
	struct ctl_bucket_use *bucket, const struct ctl_bucket_use *old, size_t n_old)
{
	for (size_t i = 0; i < n_old; i++) {
		if (old[i].id != bucket->id)
			continue;
		bucket->cycle = old[i].cycle;
		bucket->n_rows = old[i].n_rows;
		bucket->change = old[i].change;
		bucket->since = old[i].since;
		bucket->evidence = old[i].evidence;
		memcpy(bucket->rows, old[i].rows, sizeof(bucket->rows));
		return;
	}
}

/* The running row has the cap that is told now. */
static void bucket_cap(struct ctl_profile *profile, struct ctl_bucket_use *bucket)
{
	if (bucket->n_rows == 0 || ctl_bucket_running(bucket)->cap_bytes == bucket->told->cap_bytes)
		return;
	ctl_bucket_running(bucket)->cap_bytes = bucket->told->cap_bytes;
	bucket->change = CTL_BUCKET_WHOLE;
	(void)ctl_profile_touch(profile, CTL_MARK_BUCKET);
}

/* Told of the same buckets in the same order, as nearly always. */
static bool are_told_again(const struct ctl_profile *profile, const struct ctl_person *person)
{
	if (profile->n_buckets != person->n_buckets)
		return false;
	for (size_t i = 0; i < person->n_buckets; i++)
		if (strcmp(profile->buckets[i].id, person->buckets[i].id) != 0)
			return false;
	return true;
}

/* In new memory, the cycles those of the buckets with the ids. */
static void replace_buckets(struct ctl_profile *profile, const struct ctl_person *person)
{
	struct ctl_bucket_use *const old = profile->buckets;
	const size_t n_old = profile->n_buckets;

	profile->n_buckets = person->n_buckets;
	profile->buckets = g_new0(struct ctl_bucket_use, person->n_buckets);
	for (size_t i = 0; i < person->n_buckets; i++) {
		profile->buckets[i].id = g_intern_string(person->buckets[i].id);
		bucket_inherit(&profile->buckets[i], old, n_old);
	}
	buckets_free(old, n_old);
	(void)ctl_profile_touch(profile, CTL_MARK_BUCKETS);
}

static void tell_buckets(struct ctl_profile *profile, const struct ctl_person *person,
	const struct cls_catalogue *catalogue)
{
	if (!are_told_again(profile, person))
		replace_buckets(profile, person);
	for (size_t i = 0; i < person->n_buckets; i++) {
		struct ctl_bucket_use *b = &profile->buckets[i];

		b->told = &person->buckets[i];
		g_clear_pointer(&b->apps, g_free);
		b->n_apps = 0;
		if (b->told->scope == CTL_SCOPE_APPS)
			b->apps = app_ids(catalogue, b->told->apps, &b->n_apps);
		bucket_cap(profile, b);
	}
}

void ctl_profile_tell(struct ctl_profile *profile, const struct ctl_person *person,
	const struct cls_catalogue *catalogue)
{
	profile->person = person;
	ctl_profile_is_person(profile, person->account, person->imsi, person->msisdn);
	if (profile->untold_since_ns != 0)
		(void)ctl_profile_touch(profile, CTL_MARK_FLAGS);
	profile->untold_since_ns = 0;
	if (profile->sleep != NULL)
		return;
	tell_buckets(profile, person, catalogue);
	g_free(profile->zero_rated);
	profile->zero_rated = app_ids(catalogue, person->zero_rated, &profile->n_zero_rated);
	if (profile->n_buckets > 0 && profile->day_bytes == NULL)
		profile->day_bytes = g_new0(uint64_t, CTL_DAYS_MAX);
}

void ctl_profile_untell(struct ctl_profile *profile, uint64_t now_ns)
{
	profile->person = NULL;
	for (size_t i = 0; i < profile->n_buckets; i++) {
		profile->buckets[i].told = NULL;
		g_clear_pointer(&profile->buckets[i].apps, g_free);
		profile->buckets[i].n_apps = 0;
	}
	if (profile->untold_since_ns != 0)
		return;
	profile->untold_since_ns = now_ns;
	(void)ctl_profile_touch(profile, CTL_MARK_FLAGS);
}

/* Slot of the app, or the free one where it belongs. n_slots > 0 and one slot is free. */
static uint32_t slot_of(const struct ctl_app_use *apps, uint32_t n_slots, uint32_t app)
{
	uint32_t i = (app * UINT32_C(2654435769)) & (n_slots - 1);

	while (apps[i].app != app && apps[i].app != APP_FREE)
		i = (i + 1) & (n_slots - 1);
	return i;
}

static void apps_resize(struct ctl_profile *profile, uint32_t n_slots)
{
	struct ctl_app_use *apps = g_new0(struct ctl_app_use, n_slots);

	for (uint32_t i = 0; i < n_slots; i++)
		apps[i].app = APP_FREE;
	for (uint32_t i = 0; i < profile->n_slots; i++)
		if (profile->apps[i].app != APP_FREE)
			apps[slot_of(apps, n_slots, profile->apps[i].app)] = profile->apps[i];
	g_free(profile->apps);
	profile->apps = apps;
	profile->n_slots = n_slots;
}

void ctl_profile_reserve_apps(struct ctl_profile *profile, size_t n_apps)
{
	uint32_t n_slots = MAX(profile->n_slots, (uint32_t)SLOTS_FIRST);

	while (n_apps * 4 > (size_t)n_slots * 3)
		n_slots *= 2;
	if (n_slots > profile->n_slots)
		apps_resize(profile, n_slots);
}

const struct ctl_app_use *ctl_profile_app_find(const struct ctl_profile *profile, uint32_t app)
{
	uint32_t i;

	if (profile->n_slots == 0 || app == APP_FREE)
		return NULL;
	i = slot_of(profile->apps, profile->n_slots, app);
	return profile->apps[i].app == APP_FREE ? NULL : &profile->apps[i];
}

struct ctl_app_use *ctl_profile_app(struct ctl_profile *profile, uint32_t app)
{
	struct ctl_app_use *use;

	assert(app != APP_FREE);
	ctl_profile_reserve_apps(profile, (size_t)profile->n_apps + 1);
	use = &profile->apps[slot_of(profile->apps, profile->n_slots, app)];
	if (use->app == APP_FREE) {
		use->app = app;
		use->period = profile->period_no;
		profile->n_apps++;
	}
	if (use->period != profile->period_no) {
		use->period = profile->period_no;
		memset(use->period_bytes, 0, sizeof(use->period_bytes));
	}
	profile->n_changed_apps += !use->is_changed;
	use->is_changed = 1;
	(void)ctl_profile_touch(profile, CTL_MARK_APPS);
	return use;
}

uint64_t ctl_profile_period_bytes(const struct ctl_profile *profile, const struct ctl_app_use *use)
{
	return use->period == profile->period_no ? use->period_bytes[0] + use->period_bytes[1] : 0;
}

/* Have rows up to the day; those that are new are empty. */
static void advance_days(struct ctl_profile *profile, int32_t day)
{
	if (day <= profile->last_day)
		return;
	for (int32_t d = MAX(profile->last_day + 1, day - CTL_DAYS_MAX + 1); d <= day; d++)
		profile->day_bytes[d % CTL_DAYS_MAX] = 0;
	profile->last_day = day;
}

void ctl_profile_add_day(struct ctl_profile *profile, int32_t day, uint64_t n_bytes)
{
	if (profile->day_bytes == NULL || day < 0)
		return;
	advance_days(profile, day);
	if (day <= profile->last_day - CTL_DAYS_MAX)
		return;
	profile->day_bytes[day % CTL_DAYS_MAX] += n_bytes;
	profile->changed_first = MIN(profile->changed_first, day);
	profile->changed_last = MAX(profile->changed_last, day);
	(void)ctl_profile_touch(profile, CTL_MARK_DAYS);
}

void ctl_profile_set_days(struct ctl_profile *profile, int32_t newest, int32_t first,
	const uint64_t *rows, int32_t n_days)
{
	if (profile->day_bytes == NULL) {
		profile->day_bytes = g_new0(uint64_t, CTL_DAYS_MAX);
		profile->last_day = MAX(profile->last_day, newest); // all rows are empty
	}
	advance_days(profile, newest);
	for (int32_t i = 0; i < n_days; i++)
		if (first + i > profile->last_day - CTL_DAYS_MAX)
			profile->day_bytes[(first + i) % CTL_DAYS_MAX] = rows[i];
}

uint64_t ctl_profile_day(const struct ctl_profile *profile, int32_t day)
{
	if (profile->day_bytes == NULL || day < 0 || day > profile->last_day ||
		day <= profile->last_day - CTL_DAYS_MAX)
		return 0;
	return profile->day_bytes[day % CTL_DAYS_MAX];
}

static struct ctl_rule_state *state_of(
	const struct ctl_profile *profile, const struct ctl_detector *detector, const char *rule)
{
	for (size_t i = 0; i < profile->n_states; i++)
		if (profile->states[i].rule == rule && profile->states[i].detector == detector)
			return &profile->states[i];
	return NULL;
}

void *ctl_profile_state_find(
	const struct ctl_profile *profile, const struct ctl_detector *detector, const char *rule)
{
	const struct ctl_rule_state *state = state_of(profile, detector, rule);

	return state == NULL ? NULL : state->state;
}

void *ctl_profile_state(
	struct ctl_profile *profile, const struct ctl_detector *detector, const char *rule)
{
	struct ctl_rule_state *state = state_of(profile, detector, rule);

	if (state == NULL) {
		profile->states = g_renew(
			struct ctl_rule_state, profile->states, profile->n_states + 1);
		state = &profile->states[profile->n_states++];
		*state = (struct ctl_rule_state){
			.detector = detector,
			.rule = rule,
			.state = g_malloc0(detector->state_size),
		};
	}
	state->is_changed = true;
	(void)ctl_profile_touch(profile, CTL_MARK_STATE);
	return state->state;
}

static bool is_among(const struct ctl_rule_state *state, const char *const *rules,
	const struct ctl_detector *const *detectors, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (state->rule == rules[i] && state->detector == detectors[i])
			return true;
	return false;
}

void ctl_profile_prune(struct ctl_profile *profile, const char *const *rules,
	const struct ctl_detector *const *detectors, size_t n)
{
	size_t n_kept = 0;

	for (size_t i = 0; i < profile->n_states; i++) {
		if (is_among(&profile->states[i], rules, detectors, n))
			profile->states[n_kept++] = profile->states[i];
		else
			state_free(&profile->states[i]);
	}
	if (n_kept < profile->n_states)
		(void)ctl_profile_touch(profile, CTL_MARK_STATES);
	profile->n_states = n_kept;
}

uint64_t ctl_profile_cooldown(const struct ctl_profile *profile, uint64_t key)
{
	for (size_t i = 0; i < profile->n_cooldowns; i++)
		if (profile->cooldowns[i].key == key)
			return profile->cooldowns[i].published_ns;
	return 0;
}

void ctl_profile_cool(struct ctl_profile *profile, uint64_t key, uint64_t now_ns)
{
	(void)ctl_profile_touch(profile, CTL_MARK_COOLDOWNS);
	for (size_t i = 0; i < profile->n_cooldowns; i++) {
		if (profile->cooldowns[i].key == key) {
			profile->cooldowns[i].published_ns = now_ns;
			return;
		}
	}
	profile->cooldowns = g_renew(
		struct ctl_cooldown, profile->cooldowns, profile->n_cooldowns + 1);
	profile->cooldowns[profile->n_cooldowns++] = (struct ctl_cooldown){
		.key = key, .published_ns = now_ns};
}
