// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The steps of a walk, shared by the files that make it up and by nobody else:
 *
 *   walk.c         the loop; on from a fragment, in a datagram rebuilt
 *   walk_take.c    begin, step, end; what counts as opened
 *   walk_link.c    what a frame begins with; ethertypes; LLC and SNAP
 *   walk_ip.c      IPv4, IPv6 and its extension headers
 *   walk_mpls.c    labels, what lies under them
 *   walk_ppp.c     PPP, HDLC, PPPoE
 *   walk_wlan.c    radiotap, IEEE 802.11
 *   walk_gre.c     GRE
 *   walk_erspan.c  what GRE brings from a mirror
 *   walk_udp.c     which port means which tunnel
 *   walk_gtpu.c    and these: GTP-U,
 *   walk_vxlan.c   VXLAN,
 *   walk_geneve.c  GENEVE,
 *   walk_teredo.c  Teredo,
 *   walk_l2tp.c    L2TP
 *
 * A step looks at the header at the cursor, moves the cursor behind it and says what stands there.
 * It never reads a byte it has not asked dp_has() for. */

#include "dataplane/walk.h"

#include <stddef.h>

enum dp_step {
	DP_STEP_END, // nothing more to open
	DP_STEP_ETHERNET,
	DP_STEP_ETHERTYPE, // w->ethertype names it
	DP_STEP_LLC,
	DP_STEP_MPLS,
	DP_STEP_PPPOE,
	DP_STEP_PPP,
	DP_STEP_IP, // version by its first four bits
	DP_STEP_IPV4,
	DP_STEP_IPV6,
	DP_STEP_L4, // of w->ip, by its protocol
};

enum {
	DP_ETHERTYPE_LENGTH_MAX = 1500, // IEEE 802.3 3.2.6: up to here it is a length
	DP_ETHERTYPE_IPV4 = 0x0800,
	DP_ETHERTYPE_ARP = 0x0806,
	DP_ETHERTYPE_TEB = 0x6558, // Transparent Ethernet Bridging, RFC 1701
	DP_ETHERTYPE_IPV6 = 0x86dd,
	DP_ETHERTYPE_PPP = 0x880b, // RFC 2637
	DP_ETHERTYPE_MPLS = 0x8847,
	DP_ETHERTYPE_MPLS_MULTICAST = 0x8848,
	DP_ETHERTYPE_PPPOE_DISCOVERY = 0x8863,
	DP_ETHERTYPE_PPPOE_SESSION = 0x8864,
	DP_ETHERTYPE_ERSPAN = 0x88be, // I and II
	DP_ETHERTYPE_ERSPAN3 = 0x22eb,
};

/* Lengths, and where a field stands. */
enum {
	DP_ETHERNET_LEN = 14, // IEEE 802.3 3.1.1
	DP_ETHERNET_TYPE_OFF = 12,
	DP_TAG_LEN = 4, // IEEE 802.1Q 9.6: two bytes TCI, two bytes type
	DP_TAG_VLAN = 0x0fff, // of the TCI
	DP_IPV4_LEN = 20, // without options
	DP_IPV6_LEN = 40,
	DP_IPV6_NEXT_OFF = 6,
	DP_TCP_LEN = 20, // without options
	DP_UDP_LEN = 8,
};

/* RFC 791 3.1, behind the Identification: flags and Fragment Offset. */
enum {
	DP_IPV4_MORE = 0x2000,
	DP_IPV4_OFFSET = 0x1fff, // in units of 8 bytes
};

/* 3GPP TS 29.281 5.1. */
enum {
	DP_GTPU_LEN = 8,
	DP_GTPU_OPTIONS_LEN = 4, // there as soon as one of the flags E, S, PN is
	DP_GTPU_T_PDU = 255,
	DP_GTPU_KIND = 0xf0, // of the first byte: version and protocol type
	DP_GTPU_KIND_1 = 0x30, // version 1, GTP
	DP_GTPU_EXT_UNIT = 4, // what the length of an extension header counts in: 5.2
	DP_GTPU_FLAG_EXT = 0x04,
	DP_GTPU_FLAGS_OPTIONS = 0x07,
};

enum {
	DP_PORT_L2TP = 1701, // RFC 2661 8.1
	DP_PORT_GTPU = 2152, // 3GPP TS 29.281 4.4.2
	DP_PORT_TEREDO = 3544, // RFC 4380 2.7
	DP_PORT_VXLAN = 4789, // RFC 7348 5
	DP_PORT_GENEVE = 6081, // RFC 8926 3.3
	DP_PORT_VXLAN_LINUX =
		8472, // what Linux takes where nobody names one; OTV's, with the same header
};

/* Which tunnel UDP's ports mean, or DP_ENCAP_COUNT. Where the source port is a hash of the flow inside
 * (VXLAN, GENEVE), only the destination says it. */
static inline enum dp_encap dp_tunnel_of(uint16_t sport, uint16_t dport)
{
	switch (dport) {
	case DP_PORT_GTPU:
		return DP_ENCAP_GTPU;
	case DP_PORT_VXLAN:
	case DP_PORT_VXLAN_LINUX:
		return DP_ENCAP_VXLAN;
	case DP_PORT_GENEVE:
		return DP_ENCAP_GENEVE;
	case DP_PORT_TEREDO:
		return DP_ENCAP_TEREDO;
	case DP_PORT_L2TP:
		return DP_ENCAP_L2TP;
	}
	switch (sport) {
	case DP_PORT_GTPU:
		return DP_ENCAP_GTPU;
	case DP_PORT_TEREDO:
		return DP_ENCAP_TEREDO;
	case DP_PORT_L2TP:
		return DP_ENCAP_L2TP;
	}
	return DP_ENCAP_COUNT;
}

#define DP_PORT_BIT(port) (UINT64_C(1) << ((port) >> 3 & 63))

/* False where dp_tunnel_of() would say DP_ENCAP_COUNT, of ten packets with any ports for nine or so; and that
 * without jumps, which neither clients' ports nor the direction let anybody foresee. */
static inline bool dp_may_be_tunnel(uint16_t sport, uint16_t dport)
{
	const uint64_t set = DP_PORT_BIT(DP_PORT_GTPU) | DP_PORT_BIT(DP_PORT_VXLAN) |
		DP_PORT_BIT(DP_PORT_VXLAN_LINUX) | DP_PORT_BIT(DP_PORT_GENEVE) |
		DP_PORT_BIT(DP_PORT_TEREDO) | DP_PORT_BIT(DP_PORT_L2TP);

	return ((set >> (sport >> 3 & 63) | set >> (dport >> 3 & 63)) & 1) != 0;
}

/* IEEE 802.1Q and 802.1ad, and what was used before them. */
static inline bool dp_is_tag(uint16_t ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100 ||
		ethertype == 0x9200;
}

static inline uint16_t dp_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t dp_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* RFC 791 3.1: More Fragments, or an offset. */
static inline bool dp_ipv4_is_fragment(const uint8_t *header)
{
	uint16_t be;

	memcpy(&be, header + 6, sizeof(be));
	return (be & htobe16(DP_IPV4_MORE | DP_IPV4_OFFSET)) != 0;
}

/* Whether `need` captured bytes stand at `off`. The kernel has a frame's first bytes in the walk to begin
 * with, and has to know when that was not enough. */
static inline bool dp_has_at(const struct dp_walk *w, uint32_t off, uint32_t need)
{
	const bool has = w->end >= off && w->end - off >= need;

#ifdef __bpf__
	if (!has)
		((struct dp_walk *)w)->wanted_more = true;
#endif
	return has;
}

/* The same, at the cursor. */
static inline bool dp_has(const struct dp_walk *w, uint32_t need)
{
	return dp_has_at(w, w->off, need);
}

/* i, which is below n, a power of two: so that the verifier of the kernel sees it, too. */
static inline uint32_t dp_below(uint32_t i, uint32_t n)
{
#ifdef __bpf__
	asm volatile("" : "+r"(i)); // what the compiler knows it leaves out
	return i & (n - 1);
#else
	(void)n;
	return i;
#endif
}

/* Before a loop: without CAP_PERFMON the verifier follows no branch back. */
#ifdef __bpf__
#define DP_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define DP_UNROLLED
#endif

/* The bytes from `off` on, of which dp_has() or the like has said how many there are. */
static inline const uint8_t *dp_frame_at(const struct dp_walk *w, uint32_t off)
{
	return w->frame + dp_below(off, DP_WALK_BYTES);
}

static inline const uint8_t *dp_at(const struct dp_walk *w)
{
	return dp_frame_at(w, w->off);
}

/* The next `len` bytes are all that belongs to what is opened (len counts from the cursor). False,
 * and nothing changed, when the enclosing headers have fewer. */
static inline bool dp_limit(struct dp_walk *w, uint32_t len)
{
	if (w->off > w->wire_end || len > w->wire_end - w->off)
		return false;
	w->wire_end = w->off + len;
	if (w->wire_end < w->end)
		w->end = w->wire_end;
	return true;
}

/* The IP packet at the cursor, of which w->ip.off and l4_off are known, claims so many bytes. A length
 * that the frame cannot hold must not credit bytes that never were on the wire. */
static inline void dp_enter(struct dp_walk *w, uint32_t bytes)
{
	const uint32_t wire_left = w->wire_end - w->off;

	w->ip.is_overlong = bytes > wire_left;
	w->ip.bytes = w->ip.is_overlong ? wire_left : bytes;
	(void)dp_limit(w, w->ip.bytes); // never more than what is left
	w->ip.cap_bytes = w->end - w->off;
	w->off = w->ip.l4_off;
}

/* `encap` was recognised and its header is passed; it counts once an IP packet lies inside. */
static inline void dp_open(struct dp_walk *w, enum dp_encap encap)
{
	w->pending |= UINT32_C(1) << encap;
	w->encap = (uint8_t)encap;
}

/* `encap` is not opened. The walk ends here; the first refusal stays. Inside an IP packet what is not
 * there is truncated only where the wire had more: else it does not fit into what carries it. */
static inline enum dp_step dp_refuse(struct dp_walk *w, enum dp_encap encap, enum dp_refusal reason)
{
	if (w->refused == DP_REFUSED_NONE) {
		if (reason == DP_REFUSAL_TRUNCATED && w->n_ip > 0 && w->end == w->wire_end)
			reason = DP_REFUSAL_MALFORMED;
		w->refused = (uint8_t)encap;
		w->reason = (uint8_t)reason;
	}
	return DP_STEP_END;
}

/* The frame has no packet for us, for a reason of the link layer itself. The walk ends here. */
static inline enum dp_step dp_give_up(struct dp_walk *w, enum dp_outcome why)
{
	w->outcome = (uint8_t)why;
	return DP_STEP_END;
}

/* walk_take.c. A walk begins at the frame's first header, takes DP_WALK_STEPS_MAX steps at most and
 * ends: with the step it had no more time for, or with DP_STEP_END. w->frame is set by the caller. */
enum dp_step dp_step_begin(
	struct dp_walk *w, uint32_t cap_len, uint32_t wire_len, enum dp_link link);
enum dp_step dp_step_take(struct dp_walk *w, enum dp_step step);
enum dp_outcome dp_step_end(struct dp_walk *w, enum dp_step step);

/* What a refusal means for a frame without any IP packet. */
enum dp_outcome dp_step_outcome_of(enum dp_refusal reason);

/* walk_link.c. dp_step_link: the frame's first header. */
enum dp_step dp_step_link(struct dp_walk *w, enum dp_link link);
enum dp_step dp_step_ethernet(struct dp_walk *w);
enum dp_step dp_step_ethertype(struct dp_walk *w);
enum dp_step dp_step_llc(struct dp_walk *w);

/* walk_mpls.c. The cursor stands at the first label. */
enum dp_step dp_step_mpls(struct dp_walk *w);

/* walk_ppp.c. */
enum dp_step dp_step_pppoe(struct dp_walk *w);
enum dp_step dp_step_ppp(struct dp_walk *w);

/* walk_wlan.c. has_pad: the header is filled up to a multiple of four bytes. */
enum dp_step dp_step_radiotap(struct dp_walk *w);
enum dp_step dp_step_wlan(struct dp_walk *w, bool has_pad);

/* walk_ip.c. must_fit: the header may not claim more than the frame has. On success w->ip is written,
 * the cursor stands at the L4 header and the walk's end where the packet ends; else nothing has changed.
 * Returns DP_OUTCOME_ACCOUNTED or why it is no IP packet. */
enum dp_outcome dp_step_ipv4(struct dp_walk *w, bool must_fit);
enum dp_outcome dp_step_ipv6(struct dp_walk *w, bool must_fit);

/* walk_gre.c. The cursor stands at a GRE header. */
enum dp_step dp_step_gre(struct dp_walk *w);

/* walk_erspan.c. The cursor stands behind the GRE header, whose protocol type is `type`. */
enum dp_step dp_step_erspan(struct dp_walk *w, uint16_t type, bool has_sequence);

/* walk_udp.c. The cursor stands at a UDP header, 8 bytes of which were captured. */
enum dp_step dp_step_udp(struct dp_walk *w);

/* walk_gtpu.c and so on. The cursor stands behind the UDP header, the walk's end where the datagram
 * ends. */
enum dp_step dp_step_gtpu(struct dp_walk *w);
enum dp_step dp_step_vxlan(struct dp_walk *w);
enum dp_step dp_step_geneve(struct dp_walk *w);
enum dp_step dp_step_teredo(struct dp_walk *w);
enum dp_step dp_step_l2tp(struct dp_walk *w);
