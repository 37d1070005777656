// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* PFCP (3GPP TS 29.244): Session Establishment, Modification, Deletion; Association Setup and Release. */

#include "control/sig.h"

/* Returns bytes of the message, or 0 when it is none. */
size_t ctl_pfcp_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig);
