// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile_image.h"

#include "control/detector.h"
#include "control/image_fields.h"
#include "control/profile_who.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void pack_head(uint64_t as_of_ns, struct ctl_pack *out)
{
	const size_t part = ctl_pack_open(out, CTL_PART_HEAD);

	ctl_pack_u64(out, as_of_ns);
	ctl_pack_close(out, part);
}

static void pack_flags(const struct ctl_profile *profile, struct ctl_pack *out)
{
	const size_t part = ctl_pack_open(out, CTL_PART_FLAGS);

	ctl_pack_u64(out, profile->is_unpublished);
	ctl_pack_u64(out, profile->untold_since_ns);
	ctl_pack_close(out, part);
}

static void pack_sums(const struct ctl_profile *profile, struct ctl_pack *out)
{
	const size_t part = ctl_pack_open(out, CTL_PART_SUMS);

	ctl_pack_sums(out, &profile->sums);
	ctl_pack_close(out, part);
}

static void pack_period(const struct ctl_profile *profile, struct ctl_pack *out)
{
	const size_t part = ctl_pack_open(out, CTL_PART_PERIOD);

	ctl_pack_seconds(out, profile->period.start_ns);
	ctl_pack_seconds(out, profile->period.end_ns);
	ctl_pack_u64(out, profile->period_no);
	ctl_pack_sums(out, &profile->since);
	ctl_pack_close(out, part);
}

static int row_cmp(const void *pa, const void *pb)
{
	struct ctl_app_use *const *a = pa;
	struct ctl_app_use *const *b = pb;

	return ((*a)->app > (*b)->app) - ((*a)->app < (*b)->app);
}

/* Few are in order nearly as fast as they are looked at. */
static void sort_rows(struct ctl_app_use **rows, size_t n_rows)
{
	enum { FEW = 48 };

	if (n_rows > FEW) {
		qsort(rows, n_rows, sizeof(rows[0]), row_cmp);
		return;
	}
	for (size_t i = 1; i < n_rows; i++) {
		struct ctl_app_use *row = rows[i];
		size_t to = i;

		for (; to > 0 && rows[to - 1]->app > row->app; to--)
			rows[to] = rows[to - 1];
		rows[to] = row;
	}
}

/* How far the app's id is above the one before, and in the lowest bit whether the row has bytes of
 * the running period. */
static void pack_row(const struct ctl_profile *profile, const struct ctl_app_use *row,
	uint32_t app_before, struct ctl_pack *out)
{
	const bool is_of_period = ctl_profile_period_bytes(profile, row) > 0;

	ctl_pack_u64(out, (uint64_t)(row->app - app_before) << 1 | is_of_period);
	ctl_pack_u64(out, row->bytes[0]);
	ctl_pack_u64(out, row->bytes[1]);
	if (!is_of_period)
		return;
	ctl_pack_u64(out, row->period_bytes[0]);
	ctl_pack_u64(out, row->period_bytes[1]);
}

/* Tables are small and those that change are few: looking ends with the last of them. */
static void collect_rows(
	const struct ctl_profile *profile, bool all, struct ctl_app_use **ret_rows, size_t n_rows)
{
	size_t n = 0;

	for (uint32_t i = 0; n < n_rows; i++) {
		struct ctl_app_use *row = &profile->apps[i];

		assert(i < profile->n_slots);
		if (row->app != UINT32_MAX && (all || row->is_changed))
			ret_rows[n++] = row;
	}
	sort_rows(ret_rows, n_rows);
}

/* All, or those that are marked, and then they are not any more. */
static void pack_apps(const struct ctl_profile *profile, bool all, struct ctl_pack *out)
{
	enum { ROWS_FEW = 64 };
	const size_t n_rows = all ? profile->n_apps : profile->n_changed_apps;
	struct ctl_app_use *few[ROWS_FEW];
	g_autofree struct ctl_app_use **many = n_rows > ROWS_FEW
		? g_new(struct ctl_app_use *, n_rows)
		: NULL;
	struct ctl_app_use **rows = many == NULL ? few : many;
	const size_t part = ctl_pack_open(out, CTL_PART_APPS);
	uint32_t app = 0;

	collect_rows(profile, all, rows, n_rows);
	ctl_pack_u64(out, n_rows);
	for (size_t i = 0; i < n_rows; i++) {
		pack_row(profile, rows[i], app, out);
		app = rows[i]->app;
		if (!all)
			rows[i]->is_changed = 0;
	}
	ctl_pack_close(out, part);
}

/* Newest row there is, first and number of those that follow, bytes of each. */
static void pack_days(
	const struct ctl_profile *profile, int32_t first, int32_t last, struct ctl_pack *out)
{
	size_t part;

	first = MAX(first, MAX(profile->last_day - CTL_DAYS_MAX + 1, 0));
	while (first < last && ctl_profile_day(profile, first) == 0)
		first++; // nothing is what a row begins with
	if (profile->day_bytes == NULL || first > last)
		return;
	part = ctl_pack_open(out, CTL_PART_DAYS);
	ctl_pack_u64(out, (uint64_t)profile->last_day);
	ctl_pack_u64(out, (uint64_t)(profile->last_day - first));
	ctl_pack_u64(out, (uint64_t)(last - first + 1));
	for (int32_t day = first; day <= last; day++)
		ctl_pack_u64(out, ctl_profile_day(profile, day));
	ctl_pack_close(out, part);
}

/* A cap that is that of the row before is not repeated. */
static void pack_rows(const struct ctl_bucket_use *bucket, struct ctl_pack *out)
{
	uint64_t cap_bytes = 0;

	for (uint32_t i = 0; i < bucket->n_rows; i++) {
		const struct ctl_cycle_row *row = &bucket->rows[i];
		const bool has_cap = row->cap_bytes != cap_bytes;

		ctl_pack_seconds(out, row->start_ns);
		ctl_pack_u64(out,
			(row->is_partial ? (unsigned)CTL_ROW_IS_PARTIAL : 0) |
				(has_cap ? (unsigned)CTL_ROW_HAS_CAP : 0));
		ctl_pack_u64(out, row->bytes);
		ctl_pack_u64(out, (uint64_t)row->day_reached);
		if (has_cap)
			ctl_pack_u64(out, row->cap_bytes);
		cap_bytes = row->cap_bytes;
	}
}

static void pack_bucket(const struct ctl_bucket_use *bucket, struct ctl_pack *out)
{
	const size_t part = ctl_pack_open(out, CTL_PART_BUCKET);

	ctl_pack_text(out, bucket->id);
	ctl_pack_u64(out, bucket->n_rows);
	if (bucket->n_rows > 0) {
		pack_rows(bucket, out);
		ctl_pack_seconds(out, bucket->cycle.end_ns - bucket->cycle.start_ns);
		ctl_pack_sums(out, &bucket->since);
		ctl_pack_evidence(out, &bucket->evidence);
	}
	ctl_pack_close(out, part);
}

static void pack_running(const struct ctl_bucket_use *bucket, struct ctl_pack *out)
{
	const struct ctl_cycle_row *row = &bucket->rows[bucket->n_rows - 1];
	const size_t part = ctl_pack_open(out, CTL_PART_RUNNING);

	ctl_pack_text(out, bucket->id);
	ctl_pack_u64(out, row->bytes);
	ctl_pack_u64(out, (uint64_t)row->day_reached);
	ctl_pack_evidence(out, &bucket->evidence);
	ctl_pack_close(out, part);
}

static void pack_buckets(const struct ctl_profile *profile, bool all, struct ctl_pack *out)
{
	if (all)
		ctl_pack_close(out, ctl_pack_open(out, CTL_PART_BUCKETS));
	for (size_t i = 0; i < profile->n_buckets; i++) {
		if (all || profile->buckets[i].change == CTL_BUCKET_WHOLE)
			pack_bucket(&profile->buckets[i], out);
		else if (profile->buckets[i].change == CTL_BUCKET_RUNNING)
			pack_running(&profile->buckets[i], out);
	}
}

static void pack_state(const struct ctl_rule_state *state, struct ctl_pack *out)
{
	const size_t part = ctl_pack_open(out, CTL_PART_STATE);

	ctl_pack_text(out, state->detector->name);
	ctl_pack_text(out, state->rule);
	state->detector->save(state->state, out);
	ctl_pack_close(out, part);
}

static void pack_states(const struct ctl_profile *profile, bool all, struct ctl_pack *out)
{
	if (all)
		ctl_pack_close(out, ctl_pack_open(out, CTL_PART_STATES));
	for (size_t i = 0; i < profile->n_states; i++)
		if (all || profile->states[i].is_changed)
			pack_state(&profile->states[i], out);
}

static void pack_cooldowns(const struct ctl_profile *profile, struct ctl_pack *out)
{
	const size_t part = ctl_pack_open(out, CTL_PART_COOLDOWNS);

	ctl_pack_u64(out, profile->n_cooldowns);
	for (size_t i = 0; i < profile->n_cooldowns; i++) {
		ctl_pack_u64(out, profile->cooldowns[i].key);
		ctl_pack_u64(out, profile->cooldowns[i].published_ns);
	}
	ctl_pack_close(out, part);
}

void ctl_profile_pack_image(const struct ctl_profile *profile, uint64_t as_of_ns,
	struct ctl_seal *seal, struct ctl_pack *out)
{
	assert(profile->sleep == NULL);
	pack_head(as_of_ns, out);
	ctl_profile_pack_who(profile, seal, out);
	pack_flags(profile, out);
	pack_sums(profile, out);
	pack_period(profile, out);
	pack_apps(profile, true, out);
	pack_days(profile, 0, profile->last_day, out);
	pack_buckets(profile, true, out);
	pack_states(profile, true, out);
	pack_cooldowns(profile, out);
}

void ctl_profile_pack_changes(
	struct ctl_profile *profile, struct ctl_seal *seal, struct ctl_pack *out)
{
	const unsigned marks = profile->marks;

	// Of one that sleeps no more than this can be altered.
	assert(profile->sleep == NULL || (marks & ~(CTL_MARK_WHO | CTL_MARK_FLAGS)) == 0);
	if ((marks & CTL_MARK_WHO) != 0)
		ctl_profile_pack_who(profile, seal, out);
	if ((marks & CTL_MARK_FLAGS) != 0)
		pack_flags(profile, out);
	if ((marks & CTL_MARK_SUMS) != 0)
		pack_sums(profile, out);
	if ((marks & CTL_MARK_PERIOD) != 0)
		pack_period(profile, out);
	if ((marks & CTL_MARK_APPS) != 0)
		pack_apps(profile, false, out);
	profile->n_changed_apps = 0;
	if ((marks & CTL_MARK_DAYS) != 0)
		pack_days(profile, profile->changed_first, profile->changed_last, out);
	if ((marks & (CTL_MARK_BUCKET | CTL_MARK_BUCKETS)) != 0)
		pack_buckets(profile, (marks & CTL_MARK_BUCKETS) != 0, out);
	if ((marks & (CTL_MARK_STATE | CTL_MARK_STATES)) != 0)
		pack_states(profile, (marks & CTL_MARK_STATES) != 0, out);
	if ((marks & CTL_MARK_COOLDOWNS) != 0)
		pack_cooldowns(profile, out);
	ctl_profile_unmark(profile);
}
