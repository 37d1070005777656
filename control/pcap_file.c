// SPDX-License-Identifier: BSD-3-Clause
#include "control/pcap_file.h"

#include "dataplane/capture.h"

#include <assert.h>
#include <string.h>

enum { SNAP_MAX = 65535 }; // what no packet is longer than

void ctl_pcap_head(enum dp_link link, uint8_t ret_head[CTL_PCAP_HEAD_BYTES])
{
	const uint32_t head[] = {
		0xa1b23c4d, 2 | 4 << 16, 0, 0, SNAP_MAX, dp_capture_link_type(link)};

	static_assert(sizeof(head) == CTL_PCAP_HEAD_BYTES);
	memcpy(ret_head, head, sizeof(head));
}

void ctl_pcap_record(uint64_t time_ns, uint32_t cap_len, uint32_t wire_len,
	uint8_t ret_record[CTL_PCAP_RECORD_BYTES])
{
	const uint64_t s = time_ns / 1000000000, ns = time_ns % 1000000000;
	const uint32_t record[] = {(uint32_t)s, (uint32_t)ns, cap_len, wire_len};

	static_assert(sizeof(record) == CTL_PCAP_RECORD_BYTES);
	memcpy(ret_record, record, sizeof(record));
}
