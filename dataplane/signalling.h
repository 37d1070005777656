// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which packets tell of subscribers instead of being theirs: who keeps packets from user space (ebpf/) brings
 * all of these. Pure. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	DP_PORT_RADIUS_OLD = 1645, // RFC 2865 3, RFC 2866 3: what early servers took
	DP_PORT_RADIUS_ACCOUNTING_OLD = 1646,
	DP_PORT_RADIUS = 1812, // RFC 2865 3
	DP_PORT_RADIUS_ACCOUNTING = 1813, // RFC 2866 3
	DP_PORT_GTPC = 2123, // 3GPP TS 29.274 4.1
	DP_PORT_PFCP = 8805, // 3GPP TS 29.244 6.3
};

static inline bool dp_is_signalling_port(uint16_t port)
{
	switch (port) {
	case DP_PORT_RADIUS_OLD:
	case DP_PORT_RADIUS_ACCOUNTING_OLD:
	case DP_PORT_RADIUS:
	case DP_PORT_RADIUS_ACCOUNTING:
	case DP_PORT_GTPC:
	case DP_PORT_PFCP:
		return true;
	default:
		return false;
	}
}

/* Packets that who they are of is read from: all but the questions of RADIUS. */
static inline bool dp_is_told_port(uint16_t port)
{
	return port == DP_PORT_RADIUS_ACCOUNTING_OLD || port == DP_PORT_RADIUS_ACCOUNTING ||
		port == DP_PORT_GTPC || port == DP_PORT_PFCP;
}

static inline bool dp_is_signalling(uint8_t l4_proto, uint16_t sport, uint16_t dport)
{
	return l4_proto == IPPROTO_UDP &&
		(dp_is_signalling_port(sport) || dp_is_signalling_port(dport));
}
