// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What is remembered of one subscriber, or of an endpoint that nobody is bound to.
 *
 * Totals by app, daily bytes, up to 13 billing cycles per bucket, the state of each rule and when
 * something was published last. Whatever is altered is marked, so that only changes are written
 * (profile_image.h). All operations on the path of a record are O(1) in the number of profiles,
 * apps and days. Memory per subscriber is stated in docs/detection.md and bounded by the
 * catalogue (apps), the plan (buckets) and the configuration (rules). Control thread only. */

#include "classifier/catalogue.h"
#include "control/cycle.h"
#include "control/evidence.h"
#include "control/facts.h"
#include "dataplane/record.h"

struct ctl_detector;
struct ctl_sleep;

enum {
	CTL_NEAR_CAP_PERCENT = 80, // from here on a cycle is nearly used up
	CTL_CYCLES_MAX = 13, // per bucket, the running one included
	CTL_DAYS_MAX = 35, // daily rows
};

/* Bytes of one app, up and down. */
struct ctl_app_use {
	uint32_t app; // UINT32_MAX = free slot
	uint32_t period : 31; // number of the period period_bytes belongs to
	uint32_t is_changed : 1;
	uint64_t bytes[2]; // since the profile began
	uint64_t period_bytes[2]; // of the running period only
};

/* Running sums, of which a window takes the difference. They grow, but for n_unclassified, which
 * a late verdict lowers. */
struct ctl_sums {
	uint64_t n_seen, n_unbound; // bytes of the node
	double n_lost; // bytes of the node x share of frames lost while they were counted
	uint64_t n_own, n_unclassified, n_opaque; // bytes of the profile
};

struct ctl_cycle_row {
	uint64_t start_ns;
	uint64_t bytes;
	uint64_t cap_bytes; // while it ran
	int32_t day_reached; // day of the cycle on which it came near the cap; 0 = never
	bool is_partial; // observation began inside the cycle
};

/* What of a bucket has changed; more than before includes it. */
enum ctl_bucket_change { CTL_BUCKET_SAME, CTL_BUCKET_RUNNING, CTL_BUCKET_WHOLE };

/* One cap of the plan and its cycles. */
struct ctl_bucket_use {
	const struct ctl_bucket *told; // borrowed from the facts; NULL: read and not told yet
	const char *id; // interned: equal ids are equal pointers
	uint32_t *apps; // scope apps: their ids
	size_t n_apps;
	struct ctl_cycle cycle; // the running one
	struct ctl_cycle_row rows[CTL_CYCLES_MAX]; // oldest first; the last one is running
	uint32_t n_rows;
	enum ctl_bucket_change change;
	struct ctl_sums since; // as the cycle began
	struct ctl_evidence evidence; // of the running cycle
};

/* State of one rule, made when it first sees the profile. */
struct ctl_rule_state {
	const struct ctl_detector *detector;
	const char *rule; // id, interned: equal ids are equal pointers
	void *state; // owned, detector->state_size bytes
	bool is_changed;
};

/* Gate G14: when something was published last. */
struct ctl_cooldown {
	uint64_t key; // of rule, event and slot
	uint64_t published_ns;
};

/* Whom a profile is of, as told last. A copy, since a profile outlives its facts. */
struct ctl_identity {
	const char *account, *imsi, *msisdn; // in texts; NULL = not told
	char texts[];
};

enum ctl_who { CTL_WHO_NOBODY, CTL_WHO_PERSON, CTL_WHO_ENDPOINT };

/* Parts of a profile that changes are noted of. */
enum ctl_mark {
	CTL_MARK_WHO = 1 << 0,
	CTL_MARK_FLAGS = 1 << 1, // is_unpublished, untold_since_ns
	CTL_MARK_SUMS = 1 << 2,
	CTL_MARK_PERIOD = 1 << 3,
	CTL_MARK_APPS = 1 << 4, // those with is_changed
	CTL_MARK_DAYS = 1 << 5, // those from changed_first to changed_last
	CTL_MARK_BUCKET = 1 << 6, // those with a change
	CTL_MARK_BUCKETS = 1 << 7, // which there are
	CTL_MARK_STATE = 1 << 8, // those with is_changed
	CTL_MARK_STATES = 1 << 9, // which there are
	CTL_MARK_COOLDOWNS = 1 << 10,
	CTL_MARK_ALL = (1 << 11) - 1,
};

struct ctl_profile {
	uint64_t id; // never reused
	struct ctl_sleep *sleep; // owned; NULL: it is awake (profile_sleep.h)
	const struct ctl_person *person; // borrowed from the facts; NULL: an endpoint's, or untold
	struct ctl_identity *identity; // owned; of a person
	struct dp_addr endpoint; // of an endpoint nobody is bound to
	char *subject; // owned; NULL without person
	uint64_t
		named_under; // what tells its naming from others; 0: not known, or of another identity
	struct ctl_zone *zone; // borrowed from the engine
	uint64_t untold_since_ns; // the facts do not know the person any more since; 0 = they do
	struct ctl_app_use *apps; // open addressing, n_slots is a power of two
	uint32_t n_slots, n_apps;
	struct ctl_cycle period; // cycle of the first bucket, else the calendar month
	uint32_t period_no;
	struct ctl_sums sums; // own members only
	struct ctl_sums since; // as the period began
	uint64_t *day_bytes; // CTL_DAYS_MAX rows by day number; only with buckets
	int32_t last_day; // newest row
	int32_t changed_first, changed_last; // days
	uint32_t n_changed_apps;
	uint16_t marks; // of enum ctl_mark, since changes were packed last
	uint8_t who; // enum ctl_who
	bool is_unpublished; // what others read of it in Redis is behind
	struct ctl_bucket_use *buckets;
	size_t n_buckets;
	uint32_t *zero_rated; // app ids that count in no bucket of scope all
	size_t n_zero_rated;
	struct ctl_rule_state *states;
	size_t n_states;
	struct ctl_cooldown *cooldowns;
	size_t n_cooldowns;
};

/* All of a new profile is marked. */
struct ctl_profile *ctl_profile_new(uint64_t id);
void ctl_profile_free(struct ctl_profile *profile);

/* Note that parts (of enum ctl_mark) are altered. Returns whether nothing was marked before: then
 * its owner notes the profile. */
static inline bool ctl_profile_touch(struct ctl_profile *profile, unsigned marks)
{
	const bool was_clean = profile->marks == 0;

	if (!profile->is_unpublished)
		marks |= CTL_MARK_FLAGS;
	profile->is_unpublished = true;
	profile->marks |= (uint16_t)marks;
	return was_clean;
}

/* What others read of it in Redis says what it says. Returns as ctl_profile_touch. */
static inline bool ctl_profile_published(struct ctl_profile *profile)
{
	const bool was_clean = profile->marks == 0;

	profile->is_unpublished = false;
	profile->marks |= CTL_MARK_FLAGS;
	return was_clean;
}

/* Take all marks off. */
void ctl_profile_unmark(struct ctl_profile *profile);

/* The profile is an endpoint's, or a person's of whom so much is told (NULL = not; copied). A
 * name that is the same marks nothing. */
void ctl_profile_is_endpoint(struct ctl_profile *profile, const struct dp_addr *endpoint);
void ctl_profile_is_person(
	struct ctl_profile *profile, const char *account, const char *imsi, const char *msisdn);

/* The subject is this one (copied; NULL = none) under a way of naming that the number tells from
 * others, 0 = from none. Marks nothing. A person that becomes another one keeps the subject until
 * it is named again. */
void ctl_profile_name(struct ctl_profile *profile, const char *subject, uint64_t named_under);

/* Take over what is told of the person: who it is; buckets are matched by id and keep their
 * cycles, those that are told no more are dropped. person outlives the profile or the next call.
 * catalogue resolves app names. One that sleeps has its buckets told when it is woken. */
void ctl_profile_tell(struct ctl_profile *profile, const struct ctl_person *person,
	const struct cls_catalogue *catalogue);

/* The facts do not know the person any more, whose facts may be freed now: what is remembered stays
 * until they do again, or somebody forgets the profile. Records must not be added meanwhile. */
void ctl_profile_untell(struct ctl_profile *profile, uint64_t now_ns);

/* Row of an app, made when it is new, to be altered: it is marked. Valid until the next call. */
struct ctl_app_use *ctl_profile_app(struct ctl_profile *profile, uint32_t app);
const struct ctl_app_use *ctl_profile_app_find(const struct ctl_profile *profile, uint32_t app);

/* Make room for n_apps rows at once. */
void ctl_profile_reserve_apps(struct ctl_profile *profile, size_t n_apps);

/* Bytes of the app in the running period, both directions. */
uint64_t ctl_profile_period_bytes(const struct ctl_profile *profile, const struct ctl_app_use *use);

void ctl_profile_add_day(struct ctl_profile *profile, int32_t day, uint64_t n_bytes);

/* Put n_days rows from `first` on there as they are read, without a mark; newest is the newest row
 * there is, none of them is newer. */
void ctl_profile_set_days(struct ctl_profile *profile, int32_t newest, int32_t first,
	const uint64_t *rows, int32_t n_days);

/* Bytes of a local day; 0 when it is out of the rows. */
uint64_t ctl_profile_day(const struct ctl_profile *profile, int32_t day);

/* State of a rule (interned id), to be altered: it is marked. Zeroed memory when it is new. */
void *ctl_profile_state(
	struct ctl_profile *profile, const struct ctl_detector *detector, const char *rule);
/* The same for looking; NULL when there is none. */
void *ctl_profile_state_find(
	const struct ctl_profile *profile, const struct ctl_detector *detector, const char *rule);

/* Forget all states, or all buckets; or all but who it is of, its flags and what its owner sets:
 * then all of it is marked. */
void ctl_profile_drop_states(struct ctl_profile *profile);
void ctl_profile_drop_buckets(struct ctl_profile *profile);
void ctl_profile_empty(struct ctl_profile *profile);

/* Forget the states of rules that are not among the n (interned id, detector) pairs. */
void ctl_profile_prune(struct ctl_profile *profile, const char *const *rules,
	const struct ctl_detector *const *detectors, size_t n);

/* When something was published last under the key, 0 = never. */
uint64_t ctl_profile_cooldown(const struct ctl_profile *profile, uint64_t key);
void ctl_profile_cool(struct ctl_profile *profile, uint64_t key, uint64_t now_ns);

/* Move the bucket to the cycle of t_ns: closes the running row and adds rows for cycles without
 * traffic, all marked. Does nothing when t_ns lies in the running cycle or before. born_ns is when observation
 * began. Returns whether a new cycle began. */
bool ctl_bucket_roll(struct ctl_bucket_use *bucket, uint64_t t_ns, uint64_t born_ns);

/* Row of the cycle t_ns lies in; NULL when it is older than all rows. */
struct ctl_cycle_row *ctl_bucket_row(struct ctl_bucket_use *bucket, uint64_t t_ns);

/* Add to the row, or subtract from it (never below 0), and note the day it came near the cap.
 * The bucket's change is marked; that of the profile is the caller's. */
void ctl_bucket_charge(
	struct ctl_bucket_use *bucket, struct ctl_cycle_row *row, uint64_t t_ns, int64_t n_bytes);

static inline struct ctl_cycle_row *ctl_bucket_running(struct ctl_bucket_use *bucket)
{
	return &bucket->rows[bucket->n_rows - 1];
}

/* Does the app count in the bucket? */
bool ctl_bucket_counts(
	const struct ctl_profile *profile, const struct ctl_bucket_use *bucket, uint32_t app);
