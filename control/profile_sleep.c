// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile_sleep.h"

#include "control/detector.h"
#include "control/image_fields.h"
#include "control/profile_image.h"
#include "control/profile_who.h"

#include <string.h>

/* A look at an image that makes nothing of it. */
struct scan {
	const char *const *rules;
	const struct ctl_detector *const *detectors;
	size_t n_rules;
	struct ctl_unpack who; // what is in that part
	const uint8_t *who_begin; // of the part itself, which ends with what is in it
	bool has_who, is_unpublished;
	uint64_t untold_since_ns, as_of_ns;
	uint64_t told; // digest
	bool may_sleep;
};

enum { TOLD_NONE = 1 }; // no bucket

/* Buckets are told apart by what telling them again would alter: their ids in order, and the cap of
 * the running cycle. FNV-1a over the id, then one multiplication to spread the cap: told facts are
 * the operator's own, nobody builds collisions. */
static uint64_t told_add(uint64_t told, const void *id, size_t len, uint64_t cap_bytes)
{
	const uint64_t prime = UINT64_C(0x100000001b3), odd = UINT64_C(0x9e3779b97f4a7c15);
	const uint8_t *bytes = id;

	for (size_t i = 0; i < len; i++)
		told = (told ^ bytes[i]) * prime;
	told = (told ^ len ^ cap_bytes) * odd;
	return told ^ told >> 29;
}

static uint64_t told_of(const struct ctl_person *person)
{
	uint64_t told = TOLD_NONE;

	for (size_t i = 0; i < person->n_buckets; i++)
		told = told_add(told, person->buckets[i].id, strlen(person->buckets[i].id),
			person->buckets[i].cap_bytes);
	return told;
}

/* One without a cycle has no cap to compare. */
static void scan_bucket(struct scan *scan, struct ctl_unpack *in)
{
	size_t len;
	const uint8_t *id = ctl_unpack_bytes(in, &len);
	const uint64_t n_rows = ctl_unpack_max(in, CTL_CYCLES_MAX);
	uint64_t cap_bytes = 0;

	for (uint64_t i = 0; i < n_rows; i++) {
		uint64_t flags;

		(void)ctl_unpack_seconds(in); // start
		flags = ctl_unpack_max(in, CTL_ROW_FLAGS_MAX);
		(void)ctl_unpack_u64(in); // bytes
		(void)ctl_unpack_u64(in); // day reached
		if ((flags & CTL_ROW_HAS_CAP) != 0)
			cap_bytes = ctl_unpack_u64(in);
	}
	if (in->is_bad || n_rows == 0)
		scan->may_sleep = false;
	else
		scan->told = told_add(scan->told, id, len, cap_bytes);
}

static bool is_in_force(
	const struct scan *scan, const struct ctl_detector *detector, const char *rule)
{
	for (size_t i = 0; i < scan->n_rules; i++)
		if (scan->rules[i] == rule && scan->detectors[i] == detector)
			return true;
	return false;
}

static void scan_state(struct scan *scan, struct ctl_unpack *in)
{
	size_t len;
	const uint8_t *name = ctl_unpack_bytes(in, &len);
	const struct ctl_detector *detector = ctl_detector_find(name, len);
	const char *rule = ctl_unpack_id(in);

	if (in->is_bad) {
		scan->may_sleep = false;
		return;
	}
	if (detector == NULL)
		return; // reading leaves it out
	if (!is_in_force(scan, detector, rule))
		scan->may_sleep = false;
	else if (detector->on_reload != NULL && (detector->rests == NULL || !detector->rests(in)))
		scan->may_sleep = false;
}

static void scan_part(
	struct scan *scan, uint64_t kind, const uint8_t *begin, struct ctl_unpack *part)
{
	switch (kind) {
	case CTL_PART_HEAD:
		scan->as_of_ns = ctl_unpack_u64(part);
		break;
	case CTL_PART_WHO:
		if (scan->has_who)
			scan->may_sleep = false; // one is enough
		scan->has_who = true;
		scan->who = *part;
		scan->who_begin = begin;
		break;
	case CTL_PART_FLAGS:
		scan->is_unpublished = ctl_unpack_bool(part);
		scan->untold_since_ns = ctl_unpack_u64(part);
		break;
	case CTL_PART_BUCKETS:
		scan->told = TOLD_NONE;
		break;
	case CTL_PART_BUCKET:
		scan_bucket(scan, part);
		break;
	case CTL_PART_RUNNING: // of changes
		scan->may_sleep = false;
		break;
	case CTL_PART_STATE:
		scan_state(scan, part);
		break;
	default:
		return;
	}
	if (part->is_bad)
		scan->may_sleep = false;
}

static struct scan scan_of(const void *data, size_t len, const char *const *rules,
	const struct ctl_detector *const *detectors, size_t n_rules)
{
	struct scan scan = {
		.rules = rules,
		.detectors = detectors,
		.n_rules = n_rules,
		.is_unpublished = true,
		.told = TOLD_NONE,
		.may_sleep = true,
	};
	struct ctl_unpack in = ctl_unpack_of(data, len);

	while (scan.may_sleep && ctl_unpack_has_more(&in)) {
		struct ctl_unpack part;
		const uint8_t *begin = in.at;
		const uint64_t kind = ctl_unpack_part(&in, &part);

		if (!in.is_bad)
			scan_part(&scan, kind, begin, &part);
	}
	scan.may_sleep = scan.may_sleep && !in.is_bad;
	return scan;
}

/* But for who it is of, which is read. */
static struct ctl_sleep *sleep_new(const struct scan *scan, const uint8_t *image, size_t len)
{
	const size_t before = (size_t)(scan->who_begin - image);
	const size_t behind = len - (size_t)(scan->who.end - image);
	struct ctl_sleep *sleep = g_malloc(sizeof(*sleep) + before + behind);

	sleep->told = scan->told;
	sleep->len = before + behind;
	memcpy(sleep->image, image, before);
	memcpy(sleep->image + before, scan->who.end, behind);
	return sleep;
}

bool ctl_profile_read_asleep(struct ctl_profile *profile, struct ctl_seal *seal, const void *data,
	size_t len, const char *const *rules, const struct ctl_detector *const *detectors,
	size_t n_rules, uint64_t *ret_as_of_ns)
{
	const struct scan scan = scan_of(data, len, rules, detectors, n_rules);

	struct ctl_unpack who = scan.who;

	if (!scan.may_sleep || !scan.has_who)
		return false;
	ctl_profile_unpack_who(profile, seal, &who);
	if (who.is_bad || who.at < who.end)
		return false;
	profile->is_unpublished = scan.is_unpublished;
	profile->untold_since_ns = scan.untold_since_ns;
	ctl_profile_unmark(profile);
	profile->sleep = sleep_new(&scan, data, len);
	*ret_as_of_ns = scan.as_of_ns;
	return true;
}

bool ctl_profile_keeps_asleep(const struct ctl_profile *profile, const char *const *rules,
	const struct ctl_detector *const *detectors, size_t n_rules)
{
	return scan_of(profile->sleep->image, profile->sleep->len, rules, detectors, n_rules)
		.may_sleep;
}

bool ctl_profile_is_told_asleep(const struct ctl_profile *profile, const struct ctl_person *person)
{
	return profile->sleep->told == told_of(person);
}

int ctl_profile_wake(struct ctl_profile *profile, struct dp_err *reterr)
{
	g_autofree struct ctl_sleep *sleep = g_steal_pointer(&profile->sleep);
	const struct ctl_profile meanwhile = *profile;
	uint64_t as_of_ns;
	const int r = ctl_profile_unpack(
		profile, NULL, sleep->image, sleep->len, &as_of_ns, reterr);

	profile->is_unpublished = meanwhile.is_unpublished;
	profile->untold_since_ns = meanwhile.untold_since_ns;
	profile->marks = meanwhile.marks;
	if (r < 0)
		ctl_profile_empty(profile);
	return r;
}
