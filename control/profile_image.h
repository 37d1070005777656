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

/* as_of_ns: end of the tick the image is of; changes of ticks up to it are in it. */
void ctl_profile_pack_image(const struct ctl_profile *profile, uint64_t as_of_ns,
	struct ctl_seal *seal, struct ctl_pack *out);

/* And takes the marks of change off. */
void ctl_profile_pack_changes(
	struct ctl_profile *profile, struct ctl_seal *seal, struct ctl_pack *out);

/* Read an image into a new profile, or changes over one. Buckets come without what is told of them:
 * ctl_profile_tell() matches them by id. Returns 0; -EBADMSG with a sentence when it is neither,
 * and then the profile is good for freeing only. */
[[nodiscard]] int ctl_profile_unpack(struct ctl_profile *profile, struct ctl_seal *seal,
	const void *data, size_t len, uint64_t *ret_as_of_ns, struct dp_err *reterr);
