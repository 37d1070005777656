// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile.h"

#include <string.h>

static void row_push(struct ctl_bucket_use *bucket, uint64_t born_ns)
{
	if (bucket->n_rows == CTL_CYCLES_MAX) {
		memmove(&bucket->rows[0], &bucket->rows[1],
			(CTL_CYCLES_MAX - 1) * sizeof(bucket->rows[0]));
		bucket->n_rows--;
	}
	bucket->rows[bucket->n_rows++] = (struct ctl_cycle_row){
		.start_ns = bucket->cycle.start_ns,
		.cap_bytes = bucket->told->cap_bytes,
		.is_partial = born_ns > bucket->cycle.start_ns,
	};
}

bool ctl_bucket_roll(struct ctl_bucket_use *bucket, uint64_t t_ns, uint64_t born_ns)
{
	const struct ctl_bucket *told = bucket->told;
	struct ctl_cycle now;

	if (bucket->n_rows > 0 && t_ns < bucket->cycle.end_ns)
		return false;
	now = ctl_cycle_at(told->tz, told->anchor_day, t_ns);
	if (bucket->n_rows == 0)
		bucket->cycle = now;
	else
		bucket->cycle = ctl_cycle_at(told->tz, told->anchor_day, bucket->cycle.end_ns);
	row_push(bucket, born_ns);
	// Silent months are cycles of 0 bytes; more of them than rows need not be made one by one.
	while (bucket->cycle.start_ns < now.start_ns) {
		if (now.start_ns - bucket->cycle.start_ns > (CTL_CYCLES_MAX + 2) * 31 * CTL_DAY_NS)
			bucket->cycle = ctl_cycle_at(told->tz, told->anchor_day,
				now.start_ns - CTL_CYCLES_MAX * 31 * CTL_DAY_NS);
		else
			bucket->cycle = ctl_cycle_at(
				told->tz, told->anchor_day, bucket->cycle.end_ns);
		row_push(bucket, born_ns);
	}
	memset(&bucket->evidence, 0, sizeof(bucket->evidence));
	bucket->change = CTL_BUCKET_WHOLE;
	return true;
}

struct ctl_cycle_row *ctl_bucket_row(struct ctl_bucket_use *bucket, uint64_t t_ns)
{
	for (uint32_t i = bucket->n_rows; i-- > 0;)
		if (t_ns >= bucket->rows[i].start_ns)
			return &bucket->rows[i];
	return NULL;
}

static bool is_near_cap(const struct ctl_cycle_row *row)
{
	return row->cap_bytes > 0 &&
		(unsigned __int128)row->bytes * 100 >=
		(unsigned __int128)row->cap_bytes * CTL_NEAR_CAP_PERCENT;
}

void ctl_bucket_charge(
	struct ctl_bucket_use *bucket, struct ctl_cycle_row *row, uint64_t t_ns, int64_t n_bytes)
{
	const struct ctl_bucket *told = bucket->told;

	if (row != ctl_bucket_running(bucket))
		bucket->change = CTL_BUCKET_WHOLE;
	else if (bucket->change == CTL_BUCKET_SAME)
		bucket->change = CTL_BUCKET_RUNNING;
	if (n_bytes < 0)
		row->bytes -= MIN(row->bytes, (uint64_t)-n_bytes);
	else
		row->bytes += (uint64_t)n_bytes;
	if (row->day_reached == 0 && is_near_cap(row)) {
		const struct ctl_cycle cycle = ctl_cycle_at(
			told->tz, told->anchor_day, row->start_ns);

		row->day_reached = ctl_cycle_day_of(told->tz, &cycle, t_ns);
	}
}

static bool has_id(const uint32_t *ids, size_t n_ids, uint32_t id)
{
	for (size_t i = 0; i < n_ids; i++)
		if (ids[i] == id)
			return true;
	return false;
}

bool ctl_bucket_counts(
	const struct ctl_profile *profile, const struct ctl_bucket_use *bucket, uint32_t app)
{
	if (bucket->told->scope == CTL_SCOPE_APPS)
		return has_id(bucket->apps, bucket->n_apps, app);
	return !has_id(profile->zero_rated, profile->n_zero_rated, app);
}
