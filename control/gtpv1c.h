// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* GTPv1-C (3GPP TS 29.060): Create, Update and Delete PDP Context. */

#include "control/sig.h"

/* Returns bytes of the message, or 0 when it is none: not version 1, GTP' or longer than what there is. */
size_t ctl_gtpv1c_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig);
