// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* From a frame down to its innermost IP packet: the one walker of every capture path. The steps are
 * compiled for user space and for the kernel (ebpf/), so both give the same answers.
 *
 * It opens everything, a header a step, and knows why something was not opened. Nine frames of ten need
 * none of that: for them dp_packet_plain() (dataplane/packet.h) says the same in a third of the time. It
 * never says anything else: what is not plain, or is not sound, it leaves to this walker, and tests and
 * fuzzers hold the one against the other on every frame they try.
 *
 * Pure: no state, no library, any thread. No length in the frame is trusted, every loop has a bound
 * of its own, and nothing behind the captured bytes is read. */

#include "dataplane/addr.h"
#include "dataplane/encap.h"
#include "dataplane/outcome.h"

#include <stdbool.h>
#include <stdint.h>

/* What a frame begins with. Live ports have Ethernet; the others come from capture files. */
enum dp_link {
	DP_LINK_ETHERNET,
	DP_LINK_RAW_IP, // starts with the IP header
	DP_LINK_SLL, // Linux cooked capture v1
	DP_LINK_SLL2,
	DP_LINK_PPP, // with or without HDLC address and control
	DP_LINK_PPP_HDLC, // the same, or Cisco HDLC, by its first byte
	DP_LINK_PPPOE, // starts with the PPPoE header
	DP_LINK_NULL, // BSD loopback, byte order of the writer
	DP_LINK_CHDLC, // Cisco HDLC
	DP_LINK_WLAN, // IEEE 802.11
	DP_LINK_RADIOTAP,
	DP_LINK_COUNT,
};

enum {
	DP_WALK_TAGS_MAX = 4, // of one Ethernet header
	DP_WALK_LABELS_MAX = 8, // of one MPLS stack; start value
	DP_WALK_EXT_HEADERS_MAX =
		8, // of one IPv6 header; start value, real stacks have at most three
	DP_WALK_IP_MAX = 6, // IP packets in each other
	DP_WALK_STEPS_MAX = 32, // headers of any kind, tags and labels not counted
	DP_WALK_VLANS_MAX = 4, // remembered
};

/* The verifier of the kernel wants to see at each read that it stays inside, so there the bytes lie in
 * the walk: those at an offset below DP_WALK_BYTES, and room for what a step reads from the last one on. */
enum {
	DP_WALK_BYTES = 16384, // a power of two; no port has larger frames
	DP_WALK_READ_MAX = 1024, // GTP-U: 255 times 4 bytes of an extension header
};

/* VLAN ids, outermost first. */
struct dp_vlans {
	uint16_t id[DP_WALK_VLANS_MAX];
	uint8_t n;
};

/* One IP packet. Offsets count from the frame's first byte. */
struct dp_ip {
	struct dp_addr src, dst;
	uint32_t off; // of its header
	uint32_t bytes; // IPv4 Total Length; IPv6 40 + Payload Length; at most what the frame holds
	uint32_t cap_bytes; // of them captured
	uint32_t l4_off; // behind header, options and extension headers; in a fragment its payload
	uint32_t frag_id; // valid in a fragment
	uint32_t frag_off; // bytes, of this fragment's payload in the datagram's
	uint16_t
		frag_next_off; // IPv6: where, from off, the Next Header byte stands that names the Fragment header
	uint8_t proto; // IANA protocol number; in an IPv6 fragment that behind its Fragment header
	bool is_fragment;
	bool has_more; // fragments behind this one
	bool has_l4; // the first bytes of the L4 header belong to this packet
	bool is_overlong; // the header claims more than the frame has; bytes is what it has
};

enum { DP_REFUSED_NONE = 0xff };

/* Where a walk ended. */
struct dp_walk {
#ifdef __bpf__
	uint8_t frame[DP_WALK_BYTES + DP_WALK_READ_MAX];
	bool wanted_more; // bytes that are not there
#else
	const uint8_t *frame; // borrowed
#endif
	uint32_t off; // the cursor; captured is what stands before end
	uint32_t end;
	uint32_t wire_end; // where the enclosing headers say the bytes end on the wire
	struct dp_ip ip; // innermost, valid when n_ip > 0
	uint32_t encaps; // set of enum dp_encap around ip
	uint32_t pending; // set, opened behind ip: they count once there is an IP packet inside
	struct dp_vlans vlans; // where there is an IP packet those around the innermost one
	uint16_t ethertype; // of what stands at the cursor, between steps
	uint8_t n_vlans_ip; // of them around ip; between steps more may have been met
	uint8_t n_ip;
	uint8_t n_steps;
	uint8_t encap; // enum dp_encap opened last, valid while pending != 0
	uint8_t refused; // enum dp_encap that was not opened, or DP_REFUSED_NONE
	uint8_t reason; // enum dp_refusal, valid with refused
	uint8_t outcome; // enum dp_outcome, why there is no IP packet, while n_ip is 0
};

/* Walk a frame (IEEE 802.3, 802.1Q; RFC 791, RFC 8200, and what dataplane/encap.h names).
 *
 * frame      cap_len captured bytes of a frame of wire_len bytes (cap_len <= wire_len); borrowed
 *            while *ret_walk is used
 *
 * Returns DP_OUTCOME_ACCOUNTED when there is an IP packet: ret_walk->ip is the innermost one; or the
 * reason why there is none. An encapsulation is opened only when an IP packet lies inside that is
 * sound; otherwise the packet is the one that carries it, and refused says what was not opened. The
 * walk ends at a fragment. */
enum dp_outcome dp_walk(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, struct dp_walk *ret_walk);

/* Whether the payload of the first fragment at which the walk ended begins with a tunnel that holds
 * an IP packet; of a datagram whose length nobody knows yet. *w is left alone. */
bool dp_walk_is_tunnel(const struct dp_walk *w);

/* Go on in a datagram rebuilt from the fragments at which walks ended.
 *
 * first      the walk that ended at its first fragment: what it opened counts for the datagram
 * packet     cap_len bytes of the IP packet (of wire_len): its header without a trace of fragments
 *
 * As dp_walk(); offsets count from packet. */
enum dp_outcome dp_walk_rebuilt(const struct dp_walk *first, const uint8_t *packet,
	uint32_t cap_len, uint32_t wire_len, struct dp_walk *ret_walk);

/* Whether an IPv6 Next Header names an extension header behind which others follow (RFC 8200 4.1,
 * RFC 6275, RFC 7401, RFC 5533). */
bool dp_is_ipv6_ext(uint8_t next);

/* Count what the walk opened and what it did not. Owning thread. */
void dp_walk_count(const struct dp_walk *w, struct dp_encap_counters *counters);
