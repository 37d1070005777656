// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Who a profile is of, as part of its image or changes (profile_image.h): sealed. Any thread that
 * has the profile and a seal of its own. */

#include "control/pack.h"
#include "control/profile.h"
#include "control/seal.h"

/* Appends CTL_PART_WHO. */
void ctl_profile_pack_who(
	const struct ctl_profile *profile, struct ctl_seal *seal, struct ctl_pack *out);

/* in: what is in that part. Marks a change. Makes `in` bad when it was not sealed with this key
 * for this profile, or is nobody's; the profile is as before then. */
void ctl_profile_unpack_who(
	struct ctl_profile *profile, struct ctl_seal *seal, struct ctl_unpack *in);
