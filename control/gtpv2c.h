// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* GTPv2-C (3GPP TS 29.274): Create Session, Modify Bearer, Delete Session, Create/Update/Delete Bearer. */

#include "control/sig.h"

/* One message. Returns bytes of it, or 0 when it is none: no version 2, or longer than what there is. */
size_t ctl_gtpv2c_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig);
