// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* When a flow ends: the same rules for whoever keeps flows, in a worker (dataplane/flow.h) and in the kernel
 * (ebpf/), which compiles this, too. Pure. */

#include "dataplane/packet.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* How long a flow may stay silent before it ends. Start values; RFC 5382 and RFC 4787 ask NATs for longer
 * ones, but a flow that comes back is merged again by its 5-tuple. */
#define DP_FLOW_LIVES(X) \
	X(TCP, 300) \
	X(TCP_CLOSED, 10) /* late retransmissions still belong to it */ \
	X(UDP, 180) \
	X(OTHER, 60)

#define DP_FLOW_LIFE_ENUM(id, seconds) DP_FLOW_##id,
enum dp_flow_life { DP_FLOW_LIVES(DP_FLOW_LIFE_ENUM) DP_FLOW_LIFE_COUNT };
#undef DP_FLOW_LIFE_ENUM

#define DP_NS_PER_S 1000000000ULL

/* No flow ends before. */
#define DP_FLOW_LIFE_MIN_NS (10 * DP_NS_PER_S)

#define DP_FLOW_LIFE_IS_MIN(id, seconds) \
	static_assert((seconds)*DP_NS_PER_S >= DP_FLOW_LIFE_MIN_NS, #id);
DP_FLOW_LIVES(DP_FLOW_LIFE_IS_MIN)
#undef DP_FLOW_LIFE_IS_MIN

/* Of a flow that begins. */
static inline enum dp_flow_life dp_flow_life_of(uint8_t l4_proto)
{
	switch (l4_proto) {
	case IPPROTO_TCP:
		return DP_FLOW_TCP;
	case IPPROTO_UDP:
		return DP_FLOW_UDP;
	default:
		return DP_FLOW_OTHER;
	}
}

/* When a flow is over whose last packet came at last_ns: its life span behind that second. */
static inline uint64_t dp_flow_end_ns(uint64_t last_ns, uint64_t life_ns)
{
	return (last_ns / DP_NS_PER_S + 1) * DP_NS_PER_S + life_ns;
}

/* dp_flow_end_ns() <= now_ns, without its division for a flow that saw a packet lately. */
static inline bool dp_flow_has_ended(uint64_t last_ns, uint64_t life_ns, uint64_t now_ns)
{
	if (now_ns - last_ns <= life_ns)
		return false;
	return dp_flow_end_ns(last_ns, life_ns) <= now_ns;
}

/* A connection begins. */
static inline bool dp_is_syn(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == DP_TCP_SYN;
}

/* A new handshake reuses the ports: is_closed, the flow is DP_FLOW_TCP_CLOSED; has_syn, it began with a SYN, of
 * syn_seq. */
static inline bool dp_is_new_handshake(
	const struct dp_pkt *p, bool is_closed, bool has_syn, uint32_t syn_seq)
{
	return dp_is_syn(p) && (is_closed || (has_syn && syn_seq != p->tcp_seq));
}

/* Somebody says something behind the handshake. */
static inline bool dp_is_talk(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_RST | DP_TCP_ACK)) == DP_TCP_ACK;
}
