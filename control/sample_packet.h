// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A packet on its way into a sample: without what is said in it (control/sample_keep.h), and without who the
 * subscriber is. In the header, and wherever else its bytes stand, the endpoint's address becomes its number
 * (control/sample_addrs.h); checksums that were right are right. One thread. */

#include "control/sample_addrs.h"
#include "control/sample_keep.h"

#include <stddef.h>
#include <stdint.h>

/* ip: `len` captured bytes of the innermost IP packet of a flow, which has ip_bytes; changed in place. endpoint: of the
 * flow, IPv6 its prefix. is_up: it sent the packet. Returns how many bytes may be written, 0 when none may: a
 * packet that is not TCP or UDP, a fragment, or whose headers were cut. */
[[nodiscard]] size_t ctl_sample_packet(struct ctl_sample_keep *keep, struct ctl_sample_addrs *addrs,
	const struct dp_addr *endpoint, bool is_up, uint8_t *ip, size_t len, uint32_t ip_bytes);
