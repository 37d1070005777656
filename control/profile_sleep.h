// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A profile that sleeps: nobody has asked for it since the start, so its image (profile_image.h)
 * stays as it was read. What is there is what finding it takes: who it is of, its flags, and what
 * its owner sets (person, subject, zone). All else is empty and must be neither read nor altered
 * before it is woken.
 *
 * An image sleeps only as long as reading it would change nothing but memory: it arms no timer, has
 * no state of a rule that is gone, and is told the buckets that it has. Its owner sees to that
 * whenever rules or facts change. Any thread that has the profile. */

#include "control/profile.h"
#include "control/seal.h"

/* profile->sleep; private but for its presence. */
struct ctl_sleep {
	uint64_t told; // digest of its buckets
	size_t len;
	uint8_t image[]; // without the part that says who it is of
};

static inline bool ctl_profile_is_asleep(const struct ctl_profile *profile)
{
	return profile->sleep != NULL;
}

/* Read an image into a new profile that sleeps on; copied. The rules in force as ctl_profile_prune()
 * has them. False: it has to be read whole, by ctl_profile_unpack(), which also says what is wrong
 * with it, if anything is; the profile is as before. */
[[nodiscard]] bool ctl_profile_read_asleep(struct ctl_profile *profile, struct ctl_seal *seal,
	const void *data, size_t len, const char *const *rules,
	const struct ctl_detector *const *detectors, size_t n_rules, uint64_t *ret_as_of_ns);

/* Of one that sleeps: would ctl_profile_prune() leave all its states? */
bool ctl_profile_keeps_asleep(const struct ctl_profile *profile, const char *const *rules,
	const struct ctl_detector *const *detectors, size_t n_rules);

/* And would ctl_profile_tell() leave its buckets and their caps as they are? */
bool ctl_profile_is_told_asleep(const struct ctl_profile *profile, const struct ctl_person *person);

/* Read what sleeps, as the image says; who it is of, flags and marks stay what they have become
 * meanwhile. ctl_profile_tell() is the caller's to repeat. Returns 0, or -EBADMSG with a sentence:
 * then it is as a new one of the same person, all of it marked. */
[[nodiscard]] int ctl_profile_wake(struct ctl_profile *profile, struct dp_err *reterr);
