// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/packet_fields.h"

/* Endpoint and flags, those in `flags` and what the endpoint brings, of the tuple that stands in *pkt.
 * Returns true, and is never inlined, so that dp_packet_plain() ends with a jump here and needs no stack. */
__attribute__((noinline)) static bool set_endpoint(
	const struct dp_endpoint_nets *nets, uint8_t flags, struct dp_pkt *pkt)
{
	const struct dp_endpoint e = dp_endpoint_of(nets, &pkt->tuple.src, &pkt->tuple.dst);

	pkt->endpoint = e.addr;
	pkt->flags = (uint8_t)(flags | (e.is_src ? DP_PKT_UP : 0) |
		(e.is_ambiguous ? DP_PKT_AMBIGUOUS : 0));
	return true;
}

void dp_packet_of(const struct dp_walk *w, const struct dp_endpoint_nets *nets, uint32_t wire_bytes,
	struct dp_pkt *pkt)
{
	dp_packet_fields(w, wire_bytes, pkt);
	(void)set_endpoint(nets, pkt->flags, pkt);
}

/* --- plain frames ---------------------------------------------------------------------------- */

/* Where we are in a frame that is plain so far. The counts begin at p:
 * cap <= wire always, so that no step has to look for more than the bytes it needs. */
struct plain {
	const uint8_t *p;
	uint32_t cap; // bytes captured, of what encloses p
	uint32_t wire; // bytes on the wire, of the same
	uint8_t proto; // of the IP header behind which p stands
};

/* Of two ways the one to lay out without jumps: five instructions of a hundred. */
static inline bool usually(bool is_so)
{
	return __builtin_expect(is_so, 1);
}

static inline void pass(struct plain *at, uint32_t len)
{
	at->p += len;
	at->cap -= len;
	at->wire -= len;
}

/* As dp_limit(). */
static inline bool limit(struct plain *at, uint32_t len)
{
	if (len > at->wire)
		return false;
	at->wire = len;
	if (at->cap > len)
		at->cap = len;
	return true;
}

/* Step over tags, `type` is the first one's. Returns the ethertype of what stands behind them; 0, which
 * is none: not plain. */
static inline uint16_t plain_tags(struct plain *at, uint16_t type, struct dp_vlans *vlans)
{
	uint8_t n = 0;

	do {
		if (!dp_is_tag(type) || n == DP_WALK_VLANS_MAX || at->cap < DP_TAG_LEN)
			return 0;
		vlans->id[n++] = dp_be16(at->p) & DP_TAG_VLAN;
		type = dp_be16(at->p + 2);
		pass(at, DP_TAG_LEN);
	} while (type != DP_ETHERTYPE_IPV4 && type != DP_ETHERTYPE_IPV6);
	vlans->n = n;
	return type;
}

/* Step over an IP header. must_fit: as of dp_step_ipv4(). */
static inline bool plain_ipv4(struct plain *at, bool must_fit)
{
	const uint8_t *l3 = at->p;
	uint32_t bytes;

	if (at->cap < DP_IPV4_LEN)
		return false;
	bytes = dp_be16(l3 + 2);
	if (l3[0] != 0x45 || dp_ipv4_is_fragment(l3) || bytes < DP_IPV4_LEN)
		return false;
	if (!limit(at, bytes) && must_fit)
		return false;
	at->proto = l3[9];
	pass(at, DP_IPV4_LEN);
	return true;
}

static inline bool plain_ipv6(struct plain *at, bool must_fit)
{
	const uint8_t *l3 = at->p;
	uint32_t bytes;

	if (at->cap < DP_IPV6_LEN)
		return false;
	bytes = DP_IPV6_LEN + (uint32_t)dp_be16(l3 + 4);
	if (l3[0] >> 4 != 6 || bytes == DP_IPV6_LEN)
		return false;
	if (!limit(at, bytes) && must_fit)
		return false;
	at->proto = l3[DP_IPV6_NEXT_OFF];
	pass(at, DP_IPV6_LEN);
	return true;
}

/* What stands at p: nothing but the packet's own payload; a tunnel; something for the walker. */
enum plain_l4 { PLAIN_PAYLOAD, PLAIN_TUNNEL, PLAIN_NOT };

static inline enum plain_l4 plain_l4(const struct plain *at)
{
	if (usually(at->proto == IPPROTO_TCP))
		return at->cap >= DP_TCP_LEN ? PLAIN_PAYLOAD : PLAIN_NOT;
	if (at->proto != IPPROTO_UDP || at->cap < DP_UDP_LEN)
		return PLAIN_NOT;

	const uint16_t sport = dp_be16(at->p), dport = dp_be16(at->p + 2);

	if (usually(!dp_may_be_tunnel(sport, dport)))
		return PLAIN_PAYLOAD;
	switch (dp_tunnel_of(sport, dport)) {
	case DP_ENCAP_COUNT:
		return PLAIN_PAYLOAD;
	case DP_ENCAP_GTPU:
		return PLAIN_TUNNEL;
	default:
		return PLAIN_NOT;
	}
}

/* From a UDP header to what stands behind a GTP-U header with at most one extension. */
static inline bool plain_gtpu(struct plain *at)
{
	const uint32_t udp_bytes = dp_be16(at->p + 4);

	if (udp_bytes != 0 && (udp_bytes < DP_UDP_LEN || !limit(at, udp_bytes)))
		return false;
	pass(at, DP_UDP_LEN);
	if (at->cap < DP_GTPU_LEN)
		return false;

	const uint8_t *gtpu = at->p;

	if ((gtpu[0] & DP_GTPU_KIND) != DP_GTPU_KIND_1 || gtpu[1] != DP_GTPU_T_PDU)
		return false;
	pass(at, DP_GTPU_LEN);
	if (!limit(at, dp_be16(gtpu + 2)))
		return false;
	if ((gtpu[0] & DP_GTPU_FLAGS_OPTIONS) == 0)
		return true;
	if (at->cap < DP_GTPU_OPTIONS_LEN)
		return false;

	const uint8_t next = (gtpu[0] & DP_GTPU_FLAG_EXT) != 0 ? at->p[3] : 0;

	pass(at, DP_GTPU_OPTIONS_LEN);
	if (next == 0)
		return true;
	if (at->cap < DP_GTPU_EXT_UNIT)
		return false;

	const uint32_t len = (uint32_t)at->p[0] * DP_GTPU_EXT_UNIT;

	if (len == 0 || at->cap < len || at->p[len - 1] != 0)
		return false;
	pass(at, len);
	return true;
}

/* The addresses of the header and all that depends on them. Most often their first bytes are enough to
 * tell whose side is whose. */
static inline bool fill_ipv4(
	const uint8_t *l3, const struct dp_endpoint_nets *nets, struct dp_pkt *pkt)
{
	const unsigned int src_in = dp_nets_have4(nets, l3 + 12),
			   dst_in = dp_nets_have4(nets, l3 + 16);

	pkt->tuple.src = dp_addr_from_v4(l3 + 12);
	pkt->tuple.dst = dp_addr_from_v4(l3 + 16);
	if (src_in + dst_in != DP_NETS_NONE + DP_NETS_ALL)
		return set_endpoint(nets, DP_PKT_HAS_PORTS, pkt);

	const unsigned int is_up = src_in == DP_NETS_ALL; // no jumps: as often as not

	static_assert(DP_PKT_UP == 1);
	pkt->endpoint = dp_addr_from_v4(l3 + 16 - 4 * is_up);
	pkt->flags = (uint8_t)(DP_PKT_HAS_PORTS | is_up);
	return true;
}

static inline bool fill_ipv6(
	const uint8_t *l3, const struct dp_endpoint_nets *nets, struct dp_pkt *pkt)
{
	bool src_in;

	memcpy(pkt->tuple.src.b, l3 + 8, 16);
	memcpy(pkt->tuple.dst.b, l3 + 24, 16);
	if (l3[8] == 0 || l3[24] == 0)
		return set_endpoint(nets, DP_PKT_HAS_PORTS, pkt); // may be an IPv4 address
	src_in = dp_nets_have6(nets, &pkt->tuple.src);
	if (src_in == dp_nets_have6(nets, &pkt->tuple.dst))
		return set_endpoint(nets, DP_PKT_HAS_PORTS, pkt);
	memcpy(pkt->endpoint.b, src_in ? l3 + 8 : l3 + 24, 16);
	dp_addr_mask(&pkt->endpoint, &nets->mask6);
	pkt->flags = src_in ? DP_PKT_HAS_PORTS | DP_PKT_UP : DP_PKT_HAS_PORTS;
	return true;
}

/* is_ipv6 is a constant where this is called: each family has a way of its own, on which nobody asks for it
 * again. */
__attribute__((always_inline)) static inline bool fill(const struct plain *at, bool is_ipv6,
	const uint8_t *frame, uint32_t wire_len, uint32_t encaps,
	const struct dp_endpoint_nets *nets, struct dp_pkt *pkt)
{
	const uint32_t header_len = is_ipv6 ? DP_IPV6_LEN : DP_IPV4_LEN;
	const uint8_t *l3 = at->p - header_len;

	pkt->tuple.sport = dp_be16(at->p);
	pkt->tuple.dport = dp_be16(at->p + 2);
	pkt->tuple.l4_proto = at->proto;
	pkt->wire_bytes = wire_len;
	pkt->n_frames = 1;
	pkt->n_packets = 1;
	pkt->ip_bytes = at->wire + header_len;
	pkt->l3_off = (uint32_t)(l3 - frame);
	pkt->l3_len = at->cap + header_len;
	pkt->encaps = encaps;
	if (usually(at->proto == IPPROTO_TCP)) {
		dp_tcp_fields(at->p, at->wire, pkt);
	} else {
		dp_no_tcp_fields(pkt);
		pkt->payload_bytes = at->wire - DP_UDP_LEN;
	}
	return is_ipv6 ? fill_ipv6(l3, nets, pkt) : fill_ipv4(l3, nets, pkt);
}

/* From a UDP header to the packet inside of GTP-U. In single words: a struct would cost all callers a place
 * on the stack. */
__attribute__((noinline)) static bool plain_tunnel(const uint8_t *udp, uint32_t cap, uint32_t wire,
	const uint8_t *frame, uint32_t wire_len, uint32_t encaps,
	const struct dp_endpoint_nets *nets, struct dp_pkt *pkt)
{
	struct plain at = {.p = udp, .cap = cap, .wire = wire};

	encaps |= UINT32_C(1) << DP_ENCAP_GTPU;
	if (!plain_gtpu(&at) || at.cap == 0)
		return false;
	if (at.p[0] >> 4 == 6)
		return plain_ipv6(&at, true) && plain_l4(&at) == PLAIN_PAYLOAD &&
			fill(&at, true, frame, wire_len, encaps, nets, pkt);
	return plain_ipv4(&at, true) && plain_l4(&at) == PLAIN_PAYLOAD &&
		fill(&at, false, frame, wire_len, encaps, nets, pkt);
}

/* From an IP header on; is_ipv6 as of fill(). */
__attribute__((always_inline)) static inline bool plain_ip(struct plain *at, bool is_ipv6,
	const uint8_t *frame, uint32_t wire_len, uint32_t encaps,
	const struct dp_endpoint_nets *nets, struct dp_pkt *pkt)
{
	if (is_ipv6 ? !plain_ipv6(at, false) : !plain_ipv4(at, false))
		return false;
	switch (plain_l4(at)) {
	case PLAIN_PAYLOAD:
		return fill(at, is_ipv6, frame, wire_len, encaps, nets, pkt);
	case PLAIN_TUNNEL:
		return plain_tunnel(at->p, at->cap, at->wire, frame, wire_len, encaps, nets, pkt);
	case PLAIN_NOT:
		break;
	}
	return false;
}

/* As dp_packet_plain(), from the first tag on. */
__attribute__((noinline)) static bool plain_tagged(const uint8_t *frame, uint32_t cap_len,
	uint32_t wire_len, const struct dp_endpoint_nets *nets, struct dp_pkt *pkt,
	struct dp_vlans *vlans)
{
	const uint32_t encaps = UINT32_C(1) << DP_ENCAP_VLAN;
	struct plain at = {.p = frame, .cap = cap_len, .wire = wire_len};
	uint16_t type;

	pass(&at, DP_ETHERNET_LEN);
	type = plain_tags(&at, dp_be16(frame + DP_ETHERNET_TYPE_OFF), vlans);
	if (type == DP_ETHERTYPE_IPV4)
		return plain_ip(&at, false, frame, wire_len, encaps, nets, pkt);
	return type == DP_ETHERTYPE_IPV6 && plain_ip(&at, true, frame, wire_len, encaps, nets, pkt);
}

bool dp_packet_plain(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	const struct dp_endpoint_nets *nets, struct dp_pkt *pkt, struct dp_vlans *vlans)
{
	struct plain at = {.p = frame, .cap = cap_len, .wire = wire_len};
	uint16_t type;

	if (cap_len < DP_ETHERNET_LEN)
		return false;
	type = dp_be16(frame + DP_ETHERNET_TYPE_OFF);
	pass(&at, DP_ETHERNET_LEN);
	vlans->n = 0;
	if (usually(type == DP_ETHERTYPE_IPV4))
		return plain_ip(&at, false, frame, wire_len, 0, nets, pkt);
	if (type == DP_ETHERTYPE_IPV6)
		return plain_ip(&at, true, frame, wire_len, 0, nets, pkt);
	return plain_tagged(frame, cap_len, wire_len, nets, pkt, vlans);
}

static enum dp_outcome parse_any(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, const struct dp_endpoint_nets *nets, struct dp_pkt *ret_pkt)
{
	struct dp_walk w;
	const enum dp_outcome r = dp_walk(frame, cap_len, wire_len, link, &w);

	if (r == DP_OUTCOME_ACCOUNTED)
		dp_packet_of(&w, nets, wire_len, ret_pkt);
	return r;
}

enum dp_outcome dp_packet_parse(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, const struct dp_endpoint_nets *nets, struct dp_pkt *ret_pkt)
{
	struct dp_vlans vlans;

	if (link == DP_LINK_ETHERNET &&
		dp_packet_plain(frame, cap_len, wire_len, nets, ret_pkt, &vlans))
		return DP_OUTCOME_ACCOUNTED;
	return parse_any(frame, cap_len, wire_len, link, nets, ret_pkt);
}
