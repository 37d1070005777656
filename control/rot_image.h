// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the rot alarm remembers, as bytes (control/pack.h): CTL_META_ROT of the store. Apps by the numbers of the
 * store's dictionary. The last nine days, and of networks and names the 256 with most bytes, so that making the image
 * stays a matter of milliseconds. Who is suspected, and the endpoints of the open day, are not in it. */

#include "control/pack.h"
#include "control/rot.h"

void ctl_rot_pack(const struct ctl_rot *rot, struct ctl_pack *out);

/* Into a new one that has its catalogue and has seen nothing: apps whose names another catalogue has changed since
 * begin anew. Then it goes on behind the last tick of the image, or, where ticks are missing, the hours of these do
 * not count. Returns 0, or -EBADMSG when it is none; then rot is as it was. */
[[nodiscard]] int ctl_rot_unpack(struct ctl_rot *rot, const void *data, size_t len);
