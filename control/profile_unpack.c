// SPDX-License-Identifier: BSD-3-Clause
#include "control/detector.h"
#include "control/image_fields.h"
#include "control/profile_image.h"
#include "control/profile_who.h"

#include <errno.h>
#include <string.h>

/* One call: what the parts are read with. */
struct reading {
	struct ctl_profile *profile;
	struct ctl_seal *seal;
	uint64_t as_of_ns;
	bool is_unpublished; // as it was or is read: to read is no change
};

static void read_head(struct reading *r, struct ctl_unpack *in)
{
	r->as_of_ns = ctl_unpack_u64(in);
}

static void read_who(struct reading *r, struct ctl_unpack *in)
{
	size_t len;

	if (r->seal == NULL)
		(void)ctl_unpack_bytes(in, &len); // nobody asks
	else
		ctl_profile_unpack_who(r->profile, r->seal, in);
}

static void read_flags(struct reading *r, struct ctl_unpack *in)
{
	r->is_unpublished = ctl_unpack_bool(in);
	r->profile->untold_since_ns = ctl_unpack_u64(in);
}

static void read_sums(struct reading *r, struct ctl_unpack *in)
{
	r->profile->sums = ctl_unpack_sums(in);
}

static void read_period(struct reading *r, struct ctl_unpack *in)
{
	r->profile->period.start_ns = ctl_unpack_seconds(in);
	r->profile->period.end_ns = ctl_unpack_seconds(in);
	r->profile->period_no = (uint32_t)ctl_unpack_max(in, INT32_MAX);
	r->profile->since = ctl_unpack_sums(in);
	if (r->profile->period.end_ns < r->profile->period.start_ns)
		ctl_unpack_spoil(in);
}

static void read_row(struct reading *r, struct ctl_unpack *in, uint32_t app, bool is_of_period)
{
	struct ctl_app_use row = {.app = app, .period = r->profile->period_no};

	for (int dir = 0; dir < 2; dir++)
		row.bytes[dir] = ctl_unpack_u64(in);
	for (int dir = 0; dir < 2 && is_of_period; dir++)
		row.period_bytes[dir] = ctl_unpack_u64(in);
	if (!in->is_bad)
		*ctl_profile_app(r->profile, app) = row;
}

static void read_apps(struct reading *r, struct ctl_unpack *in)
{
	enum { ROW_BYTES_MIN = 3 };
	const size_t n_rows = ctl_unpack_count(in, ROW_BYTES_MIN);
	uint64_t app = 0;

	if (r->profile->n_apps == 0 && n_rows > 0)
		ctl_profile_reserve_apps(r->profile, n_rows);
	for (size_t i = 0; i < n_rows && !in->is_bad; i++) {
		const uint64_t head = ctl_unpack_max(in, (uint64_t)UINT32_MAX << 1 | 1);

		app += head >> 1;
		if (app >= UINT32_MAX || (i > 0 && head >> 1 == 0))
			ctl_unpack_spoil(in);
		else
			read_row(r, in, (uint32_t)app, (head & 1) != 0);
	}
}

/* Days are those of a time in ns. */
static void read_days(struct reading *r, struct ctl_unpack *in)
{
	const int32_t newest = (int32_t)ctl_unpack_max(in, UINT64_MAX / CTL_DAY_NS + 1);
	const int32_t first = newest - (int32_t)ctl_unpack_max(in, CTL_DAYS_MAX - 1);
	const int32_t n_days = (int32_t)ctl_unpack_max(in, CTL_DAYS_MAX);
	uint64_t rows[CTL_DAYS_MAX];

	if (first < 0 || n_days < 1 || first + n_days - 1 > newest) {
		ctl_unpack_spoil(in);
		return;
	}
	for (int32_t i = 0; i < n_days; i++)
		rows[i] = ctl_unpack_u64(in);
	ctl_profile_set_days(r->profile, newest, first, rows, n_days);
}

static void read_rows(struct ctl_bucket_use *bucket, struct ctl_unpack *in)
{
	uint64_t cap_bytes = 0;

	for (uint32_t i = 0; i < bucket->n_rows; i++) {
		struct ctl_cycle_row *row = &bucket->rows[i];
		uint64_t flags;

		row->start_ns = ctl_unpack_seconds(in);
		flags = ctl_unpack_max(in, CTL_ROW_FLAGS_MAX);
		row->is_partial = (flags & CTL_ROW_IS_PARTIAL) != 0;
		row->bytes = ctl_unpack_u64(in);
		row->day_reached = (int32_t)ctl_unpack_max(in, INT32_MAX);
		if ((flags & CTL_ROW_HAS_CAP) != 0)
			cap_bytes = ctl_unpack_u64(in);
		row->cap_bytes = cap_bytes;
	}
}

static void read_cycle(struct ctl_bucket_use *bucket, struct ctl_unpack *in)
{
	const uint64_t start_ns = ctl_bucket_running(bucket)->start_ns;
	const uint64_t length_ns = ctl_unpack_seconds(in);

	if (length_ns == 0 || length_ns > UINT64_MAX - start_ns)
		ctl_unpack_spoil(in);
	bucket->cycle = (struct ctl_cycle){start_ns, start_ns + length_ns};
}

static struct ctl_bucket_use *find_bucket(struct ctl_profile *profile, const char *id)
{
	for (size_t i = 0; i < profile->n_buckets; i++)
		if (profile->buckets[i].id == id)
			return &profile->buckets[i];
	return NULL;
}

/* In the place of the one with its id, else behind the others. */
static void put_bucket(
	struct ctl_profile *profile, const struct ctl_bucket_use *bucket, struct ctl_unpack *in)
{
	struct ctl_bucket_use *at = find_bucket(profile, bucket->id);

	if (at == NULL && profile->n_buckets == CTL_BUCKETS_MAX) {
		ctl_unpack_spoil(in);
		return;
	}
	if (at == NULL) {
		profile->buckets = g_renew(
			struct ctl_bucket_use, profile->buckets, profile->n_buckets + 1);
		at = &profile->buckets[profile->n_buckets++];
	} else {
		g_free(at->apps);
	}
	*at = *bucket;
}

static void read_bucket(struct reading *r, struct ctl_unpack *in)
{
	struct ctl_bucket_use bucket = {.id = ctl_unpack_id(in)};

	bucket.n_rows = (uint32_t)ctl_unpack_max(in, CTL_CYCLES_MAX);
	if (bucket.n_rows > 0) {
		read_rows(&bucket, in);
		read_cycle(&bucket, in);
		bucket.since = ctl_unpack_sums(in);
		bucket.evidence = ctl_unpack_evidence(in);
	}
	if (!in->is_bad)
		put_bucket(r->profile, &bucket, in);
}

static void read_running(struct reading *r, struct ctl_unpack *in)
{
	const char *id = ctl_unpack_id(in);
	struct ctl_bucket_use *bucket = id == NULL ? NULL : find_bucket(r->profile, id);
	struct ctl_cycle_row *row;

	if (bucket == NULL || bucket->n_rows == 0) {
		ctl_unpack_spoil(in);
		return;
	}
	row = ctl_bucket_running(bucket);
	row->bytes = ctl_unpack_u64(in);
	row->day_reached = (int32_t)ctl_unpack_max(in, INT32_MAX);
	bucket->evidence = ctl_unpack_evidence(in);
}

static void drop_buckets(struct reading *r, struct ctl_unpack *)
{
	ctl_profile_drop_buckets(r->profile);
}

static void drop_states(struct reading *r, struct ctl_unpack *)
{
	ctl_profile_drop_states(r->profile);
}

static void read_state(struct reading *r, struct ctl_unpack *in)
{
	size_t name_len;
	const uint8_t *name = ctl_unpack_bytes(in, &name_len);
	const struct ctl_detector *detector = ctl_detector_find(name, name_len);
	const char *rule = ctl_unpack_id(in);
	void *state;

	if (in->is_bad)
		return;
	if (detector == NULL) {
		in->at = in->end; // of a detector that was, or is to come
		return;
	}
	state = ctl_profile_state(r->profile, detector, rule);
	if (detector->state_fini != NULL)
		detector->state_fini(state);
	memset(state, 0, detector->state_size);
	if (!detector->load(state, in))
		ctl_unpack_spoil(in);
}

static void read_cooldowns(struct reading *r, struct ctl_unpack *in)
{
	enum { COOLDOWN_BYTES_MIN = 2 };
	struct ctl_profile *const p = r->profile;

	p->n_cooldowns = ctl_unpack_count(in, COOLDOWN_BYTES_MIN);
	p->cooldowns = g_renew(struct ctl_cooldown, p->cooldowns, p->n_cooldowns);
	for (size_t i = 0; i < p->n_cooldowns; i++) {
		p->cooldowns[i].key = ctl_unpack_u64(in);
		p->cooldowns[i].published_ns = ctl_unpack_u64(in);
	}
}

static const struct {
	const char *name;
	void (*read)(struct reading *r, struct ctl_unpack *in);
} parts[] = {
	[CTL_PART_HEAD] = {"head", read_head},
	[CTL_PART_WHO] = {"identity", read_who},
	[CTL_PART_FLAGS] = {"flags", read_flags},
	[CTL_PART_SUMS] = {"sums", read_sums},
	[CTL_PART_PERIOD] = {"period", read_period},
	[CTL_PART_APPS] = {"apps", read_apps},
	[CTL_PART_DAYS] = {"days", read_days},
	[CTL_PART_BUCKETS] = {"list of buckets", drop_buckets},
	[CTL_PART_BUCKET] = {"bucket", read_bucket},
	[CTL_PART_RUNNING] = {"running cycle", read_running},
	[CTL_PART_STATES] = {"list of states", drop_states},
	[CTL_PART_STATE] = {"state of a rule", read_state},
	[CTL_PART_COOLDOWNS] = {"cooldowns", read_cooldowns},
};

static int read_part(struct reading *r, uint64_t kind, struct ctl_unpack *part, struct dp_err *err)
{
	if (kind >= G_N_ELEMENTS(parts) || parts[kind].read == NULL)
		return 0; // of a later version
	parts[kind].read(r, part);
	if (!part->is_bad && part->at == part->end)
		return 0;
	if (kind == CTL_PART_WHO)
		return dp_fail(err, EBADMSG,
			"profile %" G_GUINT64_FORMAT ": its identity cannot be opened, expected "
			"the key it was sealed with and an unaltered store",
			r->profile->id);
	return dp_fail(err, EBADMSG,
		"profile %" G_GUINT64_FORMAT ": its %s cannot be read, expected what this version "
		"writes",
		r->profile->id, parts[kind].name);
}

int ctl_profile_unpack(struct ctl_profile *profile, struct ctl_seal *seal, const void *data,
	size_t len, uint64_t *ret_as_of_ns, struct dp_err *reterr)
{
	struct reading r = {
		.profile = profile,
		.seal = seal,
		.is_unpublished = profile->is_unpublished,
	};
	struct ctl_unpack in = ctl_unpack_of(data, len);
	int result = 0;

	while (result == 0 && ctl_unpack_has_more(&in)) {
		struct ctl_unpack part;
		const uint64_t kind = ctl_unpack_part(&in, &part);

		if (!in.is_bad)
			result = read_part(&r, kind, &part, reterr);
	}
	profile->is_unpublished = r.is_unpublished;
	ctl_profile_unmark(profile);
	if (result < 0)
		return result;
	if (in.is_bad || (profile->who == CTL_WHO_NOBODY && seal != NULL))
		return dp_fail(reterr, EBADMSG, "profile %" G_GUINT64_FORMAT ": %s", profile->id,
			in.is_bad ? "its image ends too early, expected whole parts"
				  : "it is nobody's, expected an identity");
	*ret_as_of_ns = r.as_of_ns;
	return 0;
}
