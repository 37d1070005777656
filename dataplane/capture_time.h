// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The time of a record of a pcap file (draft-ietf-opsawg-pcap, 4): both fields are unsigned, so it can say times until
 * 2106. Up to 1.10.3 libpcap takes them as signed in a file of this machine's byte order, and from 1.10.5 on does not. */

#include <stdint.h>

enum {
	DP_CAPTURE_FRACTION_MAX_NS = 2000000000
}; // some writers do not carry over; the rest is nonsense

/* second     of either reading: -1 is 2^32 - 1
 * fraction   nanoseconds, likewise; of more than DP_CAPTURE_FRACTION_MAX_NS nothing is believed
 *
 * Returns event time in ns. */
static inline uint64_t dp_capture_pcap_time(int64_t second, int64_t fraction_ns)
{
	const uint64_t ns = (uint64_t)(uint32_t)second * 1000000000;

	if (fraction_ns < 0 || fraction_ns > DP_CAPTURE_FRACTION_MAX_NS)
		return ns;
	return ns + (uint64_t)fraction_ns;
}
