// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A profile as bytes (pack.h), for journal and store.
 *
 * An image is the whole profile; changes are what an image would say differently since they were
 * taken last. Both are the same parts with absolute values, so that changes are applied by reading
 * them over what is there, and twice does no harm. Unknown parts are skipped.
 *
 * Apps stand by the ids of the store's dictionary, rules and buckets by name; who it is of is
 * sealed (seal.h). What follows from configuration and facts (cycle lengths, app scopes, timers) is
 * no part of it. Pure but for the seal: any thread that has the profile and a seal of its own. */

#include "control/pack.h"
#include "control/profile.h"
#include "control/seal.h"

/* The parts, in the order they are written, all but HEAD only as needed. The numbers are part of
 * the format; a member that is added is a part of its own. */
enum ctl_part {
	CTL_PART_HEAD = 1, // of an image: as_of_ns
	/* Sealed: enum ctl_who, then address, or account, imsi, msisdn (empty = not told), and where
	 * it is known what tells the naming from others and the subject under it. */
	CTL_PART_WHO,
	CTL_PART_FLAGS, // is_unpublished, untold_since_ns
	CTL_PART_SUMS,
	CTL_PART_PERIOD,
	CTL_PART_APPS, // some rows, by app
	CTL_PART_DAYS, // some rows, in sequence
	CTL_PART_BUCKETS, // there are none but those that follow
	CTL_PART_BUCKET, // one, all of it
	CTL_PART_RUNNING, // what is running of one that is there
	CTL_PART_STATES, // there are none but those that follow
	CTL_PART_STATE, // one: detector, rule, and what the detector saves
	CTL_PART_COOLDOWNS, // all
};

enum { CTL_BUCKETS_MAX = 256 }; // of one profile

/* as_of_ns: end of the tick the image is of; changes of ticks up to it are in it. */
void ctl_profile_pack_image(const struct ctl_profile *profile, uint64_t as_of_ns,
	struct ctl_seal *seal, struct ctl_pack *out);

/* And takes the marks of change off. */
void ctl_profile_pack_changes(
	struct ctl_profile *profile, struct ctl_seal *seal, struct ctl_pack *out);

/* Read an image into a new profile, or changes over one; no marks are left. *ret_as_of_ns is 0 for
 * changes. Buckets come without what is told of them: ctl_profile_tell() matches them by id; the
 * zone is the caller's to set. seal NULL: who it is of is not read, the profile stays nobody's; for
 * those who only look at the numbers. Returns 0; -EBADMSG with a sentence when it is neither, and then the
 * profile is good for freeing only. */
[[nodiscard]] int ctl_profile_unpack(struct ctl_profile *profile, struct ctl_seal *seal,
	const void *data, size_t len, uint64_t *ret_as_of_ns, struct dp_err *reterr);
