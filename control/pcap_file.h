// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The one form in which captures are written: pcap-savefile(5), version 2.4, nanoseconds, in our byte order. Pure;
 * any thread. */

#include "dataplane/walk.h"

#include <stdint.h>

enum {
	CTL_PCAP_HEAD_BYTES = 24, // of a file
	CTL_PCAP_RECORD_BYTES = 16, // before each packet
};

/* How a file begins whose packets are all of that link type. */
void ctl_pcap_head(enum dp_link link, uint8_t ret_head[CTL_PCAP_HEAD_BYTES]);

/* What stands before the cap_len bytes that are kept of a packet of wire_len. */
void ctl_pcap_record(uint64_t time_ns, uint32_t cap_len, uint32_t wire_len,
	uint8_t ret_record[CTL_PCAP_RECORD_BYTES]);
