// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* RADIUS accounting (RFC 2866; addresses RFC 2865, 3162, 4818; 3GPP's own attributes TS 29.061 16.4.7). */

#include "control/sig.h"

/* Returns bytes of the message, or 0 when it is neither an Accounting-Request nor its answer. */
size_t ctl_radius_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig);
