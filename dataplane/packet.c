// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/packet.h"

#include "dataplane/walk_step.h"

#include <netinet/in.h>

/* Ports, payload and TCP fields, as far as they were captured. */
static void l4_fields(const struct dp_walk *w, struct dp_pkt *pkt)
{
	const struct dp_ip *ip = &w->ip;
	const uint32_t ip_end = ip->off + ip->bytes;
	const uint32_t end = ip->off + ip->cap_bytes;
	uint32_t header_len = ip->proto == IPPROTO_TCP ? 20 : 8;

	if (ip_end >= ip->l4_off)
		pkt->payload_bytes = ip_end - ip->l4_off;
	if (!ip->has_l4 || end < ip->l4_off || end - ip->l4_off < 4 ||
		(ip->proto != IPPROTO_TCP && ip->proto != IPPROTO_UDP && ip->proto != IPPROTO_SCTP))
		return;

	const uint8_t *p = w->frame + ip->l4_off;

	pkt->tuple.sport = dp_be16(p);
	pkt->tuple.dport = dp_be16(p + 2);
	pkt->flags |= DP_PKT_HAS_PORTS;
	if (end - ip->l4_off < header_len) {
		pkt->payload_bytes = 0; // nobody can tell where it begins
		return;
	}
	if (ip->proto == IPPROTO_TCP) {
		pkt->tcp_seq = dp_be32(p + 4);
		pkt->tcp_ack = dp_be32(p + 8);
		pkt->tcp_window = dp_be16(p + 14);
		pkt->tcp_flags = p[13];
		header_len = (uint32_t)(p[12] >> 4) * 4; // RFC 9293 3.1, Data Offset
		if (header_len < 20 || header_len > pkt->payload_bytes)
			header_len = pkt->payload_bytes;
	}
	pkt->payload_bytes -= header_len;
}

void dp_packet_of(const struct dp_walk *w, const struct dp_endpoint_nets *nets, uint32_t wire_bytes,
	struct dp_pkt *ret_pkt)
{
	const struct dp_ip *ip = &w->ip;
	const struct dp_endpoint e = dp_endpoint_of(nets, &ip->src, &ip->dst);

	*ret_pkt = (struct dp_pkt){
		.tuple = {.src = ip->src, .dst = ip->dst, .l4_proto = ip->proto},
		.endpoint = e.addr,
		.time_ns = ret_pkt->time_ns,
		.hash = ret_pkt->hash,
		.wire_bytes = wire_bytes,
		.n_frames = 1,
		.n_packets = 1,
		.ip_bytes = ip->bytes,
		.l3_off = ip->off,
		.l3_len = ip->cap_bytes,
		.encaps = w->encaps,
		.flags = (uint8_t)((e.is_src ? DP_PKT_UP : 0) |
			(e.is_ambiguous ? DP_PKT_AMBIGUOUS : 0) |
			(ip->is_fragment ? DP_PKT_FRAGMENT : 0)),
	};
	l4_fields(w, ret_pkt);
}

enum dp_outcome dp_packet_parse(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, const struct dp_endpoint_nets *nets, struct dp_pkt *ret_pkt)
{
	struct dp_walk w;
	const enum dp_outcome r = dp_walk(frame, cap_len, wire_len, link, &w);

	if (r == DP_OUTCOME_ACCOUNTED)
		dp_packet_of(&w, nets, wire_len, ret_pkt);
	return r;
}

uint32_t dp_endpoint_hash(const struct dp_addr *endpoint)
{
	uint64_t w[2];

	memcpy(w, endpoint->b, sizeof(w));

	// splitmix64's finalizer: neighbours in an address plan must not meet on one worker
	uint64_t h = w[0] * 0x9e3779b97f4a7c15ULL ^ w[1];

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ h >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)(h ^ h >> 31);
}
