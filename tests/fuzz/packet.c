// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/packet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 3 };

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

/* Byte 0 chooses the link type, 1 and 2 say how many bytes of the frame were not captured; behind
 * them stands the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dp_endpoint_nets nets;

	if (nets.n_nets == 0)
		dp_endpoint_nets_default(&nets);
	if (size < HEAD_BYTES || size > 65535 + HEAD_BYTES)
		return -1;

	const enum dp_link link = data[0] % DP_LINK_COUNT;
	const uint32_t cap_len = (uint32_t)size - HEAD_BYTES;
	const uint32_t wire_len = cap_len + ((uint32_t)data[1] << 8 | data[2]);
	struct dp_pkt p = {.time_ns = 1, .hash = 2};

	if (dp_packet_parse(data + HEAD_BYTES, cap_len, wire_len, link, &nets, &p) !=
		DP_OUTCOME_ACCOUNTED) {
		check(p.wire_bytes == 0 && p.time_ns == 1 && p.hash == 2);
		return 0;
	}
	check(p.time_ns == 1 && p.hash == 2);
	check(p.l3_off <= cap_len && p.l3_len <= cap_len - p.l3_off);
	check(p.ip_bytes <= wire_len - p.l3_off && p.wire_bytes == wire_len);
	check(p.l3_len <= p.ip_bytes && p.payload_bytes <= p.ip_bytes);
	check((p.flags & DP_PKT_HAS_PORTS) != 0 || (p.tuple.sport == 0 && p.tuple.dport == 0));

	const struct dp_endpoint back = dp_endpoint_of(&nets, &p.tuple.dst, &p.tuple.src);

	check(dp_addr_cmp(&back.addr, &p.endpoint) == 0);
	check(back.is_ambiguous == ((p.flags & DP_PKT_AMBIGUOUS) != 0));
	return 0;
}
