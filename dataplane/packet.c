// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/packet.h"

#include <netinet/in.h>

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_MULTICAST = 0x8848,
	ETHERTYPE_PPPOE_SESSION = 0x8864,
	TAGS_MAX = 4,
	EXT_HEADERS_MAX = 8, // start value; real stacks have at most three
	TUNNELS_MAX = 3,
	GTPU_PORT = 2152, // 3GPP TS 29.281 4.4.2
	GTPU_T_PDU = 255,
	GTPU_EXT_MAX = 8,
	SUPER_FRAME_MAX = 8 * 65535,
};

/* Where the walk stands. Everything from `off` to `end` was captured; `wire_end` is where the
 * enclosing header says the bytes end on the wire. Offsets count from the frame's first byte. */
struct cursor {
	const uint8_t *frame;
	uint32_t off;
	uint32_t end;
	uint32_t wire_end;
};

/* One IP packet. */
struct layer {
	struct dp_addr src, dst;
	uint32_t l3_off;
	uint32_t ip_bytes;
	uint32_t l4_off;
	uint8_t proto;
	bool is_fragment;
	bool has_l4; // the first bytes of the L4 header belong to this packet
	bool is_overlong; // the header claims more than the frame has; ip_bytes is what it has
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool has(const struct cursor *c, uint32_t need)
{
	return c->end - c->off >= need;
}

static const uint8_t *at(const struct cursor *c)
{
	return c->frame + c->off;
}

static bool is_tag(uint16_t ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100 ||
		ethertype == 0x9200;
}

/* Step over tags. IEEE 802.1Q 9.6: two bytes TCI, two bytes type. */
static enum dp_outcome skip_tags(struct cursor *c, uint16_t *ethertype, uint8_t *flags)
{
	for (unsigned int n = 0; is_tag(*ethertype); n++) {
		if (n == TAGS_MAX)
			return DP_OUTCOME_TOO_DEEP;
		if (!has(c, 4))
			return DP_OUTCOME_TRUNCATED;
		*ethertype = be16(at(c) + 2);
		c->off += 4;
		*flags |= DP_PKT_VLAN;
	}
	return DP_OUTCOME_ACCOUNTED;
}

/* Leave the cursor at the IP header and its ethertype in *ethertype. */
static enum dp_outcome link_layer(
	struct cursor *c, enum dp_link link, uint16_t *ethertype, uint8_t *flags)
{
	static const struct {
		uint8_t header_len, type_off;
	} shape[DP_LINK_COUNT] = {
		[DP_LINK_ETHERNET] = {14, 12},
		[DP_LINK_SLL] = {16, 14}, // pcap-linktype(7): LINKTYPE_LINUX_SLL
		[DP_LINK_SLL2] = {20, 0}, // LINKTYPE_LINUX_SLL2
	};

	if (link == DP_LINK_RAW_IP) {
		if (!has(c, 1))
			return DP_OUTCOME_TRUNCATED;
		*ethertype = *at(c) >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
		return DP_OUTCOME_ACCOUNTED;
	}
	if (!has(c, shape[link].header_len))
		return DP_OUTCOME_TRUNCATED;
	*ethertype = be16(at(c) + shape[link].type_off);
	c->off += shape[link].header_len;
	return skip_tags(c, ethertype, flags);
}

/* Segmentation offload leaves the length to the NIC: then it is what the frame has, up to what
 * Linux builds (GSO_MAX_SIZE). */
static uint32_t super_frame(uint32_t wire_left)
{
	return wire_left < SUPER_FRAME_MAX ? wire_left : SUPER_FRAME_MAX;
}

/* RFC 791 3.1. */
static enum dp_outcome ipv4(const struct cursor *c, struct layer *l)
{
	if (!has(c, 20))
		return DP_OUTCOME_TRUNCATED;

	const uint8_t *p = at(c);
	const uint32_t header_len = (uint32_t)(p[0] & 0x0f) * 4;
	const uint16_t frag = be16(p + 6);
	const uint32_t wire_left = c->wire_end - c->off;

	l->ip_bytes = be16(p + 2);
	if (l->ip_bytes == 0)
		l->ip_bytes = super_frame(wire_left);
	if (p[0] >> 4 != 4 || header_len < 20 || l->ip_bytes < header_len)
		return DP_OUTCOME_MALFORMED;
	l->src = dp_addr_from_v4(p + 12);
	l->dst = dp_addr_from_v4(p + 16);
	l->l3_off = c->off;
	l->l4_off = c->off + header_len;
	l->proto = p[9];
	l->is_fragment = (frag & 0x3fff) != 0; // More Fragments or an offset
	l->has_l4 = (frag & 0x1fff) == 0;
	return DP_OUTCOME_ACCOUNTED;
}

static bool is_ipv6_ext(uint8_t next)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case 139: // HIP, RFC 7401
	case 140: // Shim6, RFC 5533
		return true;
	default:
		return false;
	}
}

/* Walk the extension headers (RFC 8200 4). A chain that is cut, runs past the packet or is longer
 * than the bound leaves the packet without L4, its protocol the header that could not be read. */
static void ipv6_ext(const struct cursor *c, struct layer *l)
{
	const uint32_t ip_end = l->l3_off + l->ip_bytes;
	const uint32_t end = ip_end < c->end ? ip_end : c->end;

	for (unsigned int n = 0; is_ipv6_ext(l->proto); n++) {
		if (n == EXT_HEADERS_MAX || end < l->l4_off || end - l->l4_off < 8) {
			l->has_l4 = false;
			return;
		}

		const uint8_t *p = c->frame + l->l4_off;
		uint32_t len = ((uint32_t)p[1] + 1) * 8;

		if (l->proto == IPPROTO_AH)
			len = ((uint32_t)p[1] + 2) * 4; // RFC 4302 2.2
		if (l->proto == IPPROTO_FRAGMENT) {
			const uint16_t frag = be16(p + 2);

			len = 8;
			l->is_fragment = (frag & 0xfff9) != 0; // not so for an atomic one, RFC 6946
			l->has_l4 = (frag & 0xfff8) == 0;
		}
		l->proto = p[0];
		l->l4_off += len;
		if (!l->has_l4) // the rest of a fragment is payload
			return;
	}
}

/* RFC 8200 3. */
static enum dp_outcome ipv6(const struct cursor *c, struct layer *l)
{
	if (!has(c, 40))
		return DP_OUTCOME_TRUNCATED;

	const uint8_t *p = at(c);

	if (p[0] >> 4 != 6)
		return DP_OUTCOME_MALFORMED;
	l->ip_bytes = 40 + (uint32_t)be16(p + 4);
	if (l->ip_bytes == 40 && p[6] == IPPROTO_TCP)
		l->ip_bytes = super_frame(c->wire_end - c->off);
	memcpy(l->src.b, p + 8, 16);
	memcpy(l->dst.b, p + 24, 16);
	l->l3_off = c->off;
	l->l4_off = c->off + 40;
	l->proto = p[6];
	l->is_fragment = false;
	l->has_l4 = true;
	ipv6_ext(c, l);
	return DP_OUTCOME_ACCOUNTED;
}

static enum dp_outcome ip(const struct cursor *c, uint16_t ethertype, struct layer *l)
{
	const enum dp_outcome r = ethertype == ETHERTYPE_IPV6 ? ipv6(c, l) : ipv4(c, l);

	if (r != DP_OUTCOME_ACCOUNTED)
		return r;
	// A length that the frame cannot hold must not credit bytes that never were on the wire.
	l->is_overlong = l->ip_bytes > c->wire_end - c->off;
	if (l->is_overlong)
		l->ip_bytes = c->wire_end - c->off;
	return r;
}

/* Step over a GTP-U header (3GPP TS 29.281 5.1, 5.2). Returns false when the bytes are no T-PDU. */
static bool gtpu_header(struct cursor *c)
{
	if (!has(c, 8))
		return false;

	const uint8_t *p = at(c);
	const uint8_t flags = p[0];

	if ((flags & 0xf0) != 0x30 || p[1] != GTPU_T_PDU) // version 1, protocol type GTP
		return false;

	const uint32_t gtp_end = c->off + 8 + be16(p + 2);

	if (gtp_end > c->wire_end)
		return false;
	c->wire_end = gtp_end;
	if (gtp_end < c->end)
		c->end = gtp_end;
	c->off += 8;
	if ((flags & 0x07) == 0)
		return true;
	if (!has(c, 4))
		return false;

	uint8_t next = (flags & 0x04) != 0 ? at(c)[3] : 0; // the field counts only with E set

	c->off += 4;
	for (unsigned int n = 0; next != 0; n++) {
		if (n == GTPU_EXT_MAX || !has(c, 4))
			return false;

		const uint32_t len = (uint32_t)at(c)[0] * 4;

		if (len == 0 || !has(c, len))
			return false;
		next = at(c)[len - 1];
		c->off += len;
	}
	return true;
}

/* Where the packet is a T-PDU with a sound IP packet inside, make that one *l. */
static bool open_tunnel(const struct cursor *outer, struct layer *l)
{
	struct cursor c = *outer;
	struct layer inner;

	if (l->proto != IPPROTO_UDP || !l->has_l4 || l->is_fragment)
		return false;
	c.off = l->l4_off;
	c.wire_end = l->l3_off + l->ip_bytes;
	if (c.wire_end < c.end)
		c.end = c.wire_end;
	if (c.off > c.end || !has(&c, 8))
		return false;
	if (be16(at(&c)) != GTPU_PORT && be16(at(&c) + 2) != GTPU_PORT)
		return false;
	c.off += 8;
	if (!gtpu_header(&c) || !has(&c, 1))
		return false;

	const uint8_t version = *at(&c) >> 4;

	if (version != 4 && version != 6)
		return false;
	if (ip(&c, version == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4, &inner) !=
			DP_OUTCOME_ACCOUNTED ||
		inner.is_overlong)
		return false;
	*l = inner;
	return true;
}

/* Ports, payload and TCP fields, as far as they were captured. */
static void l4_fields(const struct cursor *c, const struct layer *l, struct dp_pkt *pkt)
{
	const uint32_t ip_end = l->l3_off + l->ip_bytes;
	const uint32_t end = ip_end < c->end ? ip_end : c->end;
	uint32_t header_len = l->proto == IPPROTO_TCP ? 20 : 8;

	if (ip_end >= l->l4_off)
		pkt->payload_bytes = ip_end - l->l4_off;
	if (!l->has_l4 || end < l->l4_off || end - l->l4_off < 4 ||
		(l->proto != IPPROTO_TCP && l->proto != IPPROTO_UDP && l->proto != IPPROTO_SCTP))
		return;

	const uint8_t *p = c->frame + l->l4_off;

	pkt->tuple.sport = be16(p);
	pkt->tuple.dport = be16(p + 2);
	pkt->flags |= DP_PKT_HAS_PORTS;
	if (end - l->l4_off < header_len) {
		pkt->payload_bytes = 0; // nobody can tell where it begins
		return;
	}
	if (l->proto == IPPROTO_TCP) {
		pkt->tcp_seq = be32(p + 4);
		pkt->tcp_flags = p[13];
		header_len = (uint32_t)(p[12] >> 4) * 4; // RFC 9293 3.1, Data Offset
		if (header_len < 20 || header_len > pkt->payload_bytes)
			header_len = pkt->payload_bytes;
	}
	pkt->payload_bytes -= header_len;
}

enum dp_outcome dp_packet_parse(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, const struct dp_endpoint_nets *nets, struct dp_pkt *ret_pkt)
{
	struct cursor c = {.frame = frame, .end = cap_len, .wire_end = wire_len};
	uint16_t ethertype;
	uint8_t flags = 0;
	struct layer l;
	enum dp_outcome r = link_layer(&c, link, &ethertype, &flags);

	if (r != DP_OUTCOME_ACCOUNTED)
		return r;
	if (ethertype == ETHERTYPE_MPLS || ethertype == ETHERTYPE_MPLS_MULTICAST ||
		ethertype == ETHERTYPE_PPPOE_SESSION)
		return DP_OUTCOME_UNSUPPORTED;
	if (ethertype != ETHERTYPE_IPV4 && ethertype != ETHERTYPE_IPV6)
		return DP_OUTCOME_NOT_IP;
	r = ip(&c, ethertype, &l);
	if (r != DP_OUTCOME_ACCOUNTED)
		return r;
	for (unsigned int n = 0; n < TUNNELS_MAX && open_tunnel(&c, &l); n++)
		flags |= DP_PKT_GTPU;

	const uint32_t ip_end = l.l3_off + l.ip_bytes;
	const struct dp_endpoint e = dp_endpoint_of(nets, &l.src, &l.dst);
	struct dp_pkt pkt = {
		.tuple = {.src = l.src, .dst = l.dst, .l4_proto = l.proto},
		.endpoint = e.addr,
		.wire_bytes = wire_len,
		.ip_bytes = l.ip_bytes,
		.l3_off = l.l3_off,
		.l3_len = (ip_end < c.end ? ip_end : c.end) - l.l3_off,
		.flags = (uint8_t)(flags | (e.is_src ? DP_PKT_UP : 0) |
			(e.is_ambiguous ? DP_PKT_AMBIGUOUS : 0) |
			(l.is_fragment ? DP_PKT_FRAGMENT : 0)),
	};

	l4_fields(&c, &l, &pkt);
	pkt.time_ns = ret_pkt->time_ns;
	pkt.hash = ret_pkt->hash;
	*ret_pkt = pkt;
	return DP_OUTCOME_ACCOUNTED;
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
