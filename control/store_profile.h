// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Profiles of the store as objects, for `wirecue store check` and `dump`. One thread. */

#include "control/pack.h"
#include "control/seal.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* An image (profile_image.h). Fills json, which may be NULL; seal NULL: who it is of is "sealed".
 * Returns 0 or -EBADMSG. */
[[nodiscard]] int ctl_store_profile_read(
	uint64_t id, const void *data, size_t len, struct ctl_seal *seal, json_t *json);

/* What is left of one profile's changes of a tick: appends {"id":…, "parts":{NAME:bytes}} to
 * array, which may be NULL. Returns 0 or -EBADMSG. */
[[nodiscard]] int ctl_store_changes_read(uint64_t id, struct ctl_unpack *in, json_t *array);
