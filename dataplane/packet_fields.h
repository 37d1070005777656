// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A packet's fields as a walk found them, but for its endpoint: what dp_packet_of() and the kernel's
 * program (ebpf/) make of a walk, and nobody else. */

#include "dataplane/packet.h"
#include "dataplane/walk_step.h"

#include <netinet/in.h>

/* Of a header of which 20 bytes were captured. payload_bytes: what the IP packet has from l4 on. */
static inline void dp_tcp_fields(const uint8_t *l4, uint32_t payload_bytes, struct dp_pkt *pkt)
{
	uint32_t header_len = l4[12] >> 2 & 0x3c; // RFC 9293 3.1, Data Offset

	if (header_len < DP_TCP_LEN || header_len > payload_bytes)
		header_len = payload_bytes;
	pkt->payload_bytes = payload_bytes - header_len;
	pkt->tcp_flags = l4[13];
	pkt->tcp_seq = dp_be32(l4 + 4);
	pkt->tcp_ack = dp_be32(l4 + 8);
	pkt->tcp_window = dp_be16(l4 + 14);
}

static inline void dp_no_tcp_fields(struct dp_pkt *pkt)
{
	pkt->tcp_flags = 0;
	pkt->tcp_seq = 0;
	pkt->tcp_ack = 0;
	pkt->tcp_window = 0;
}

static inline bool dp_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* Ports, payload and TCP fields, as far as they were captured. Returns DP_PKT_HAS_PORTS or 0. */
static inline uint8_t dp_l4_fields(const struct dp_walk *w, struct dp_pkt *pkt)
{
	const struct dp_ip *ip = &w->ip;
	const uint32_t ip_end = ip->off + ip->bytes, end = ip->off + ip->cap_bytes;
	const uint32_t header_len = ip->proto == IPPROTO_TCP ? DP_TCP_LEN : DP_UDP_LEN;

	pkt->tuple.sport = 0;
	pkt->tuple.dport = 0;
	dp_no_tcp_fields(pkt);
	pkt->payload_bytes = ip_end >= ip->l4_off ? ip_end - ip->l4_off : 0;
	if (!ip->has_l4 || end < ip->l4_off || end - ip->l4_off < 4 || !dp_has_ports(ip->proto))
		return 0;

	const uint8_t *p = dp_frame_at(w, ip->l4_off);

	pkt->tuple.sport = dp_be16(p);
	pkt->tuple.dport = dp_be16(p + 2);
	if (end - ip->l4_off < header_len)
		pkt->payload_bytes = 0; // nobody can tell where it begins
	else if (ip->proto == IPPROTO_TCP)
		dp_tcp_fields(p, pkt->payload_bytes, pkt);
	else
		pkt->payload_bytes -= DP_UDP_LEN;
	return DP_PKT_HAS_PORTS;
}

/* All of *pkt but endpoint, time_ns and hash; flags are what is known without an endpoint. */
static inline void dp_packet_fields(
	const struct dp_walk *w, uint32_t wire_bytes, struct dp_pkt *pkt)
{
	const struct dp_ip *ip = &w->ip;
	const uint8_t has_ports = dp_l4_fields(w, pkt);

	pkt->tuple.src = ip->src;
	pkt->tuple.dst = ip->dst;
	pkt->tuple.l4_proto = ip->proto;
	pkt->flags = (uint8_t)(has_ports | (ip->is_fragment ? DP_PKT_FRAGMENT : 0));
	pkt->wire_bytes = wire_bytes;
	pkt->n_frames = 1;
	pkt->n_packets = 1;
	pkt->ip_bytes = ip->bytes;
	pkt->l3_off = ip->off;
	pkt->l3_len = ip->cap_bytes;
	pkt->encaps = w->encaps;
}
