// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Frame to packet: link layer, tags, IP, GTP-U, down to the innermost IP and its ports.
 *
 * Pure: called by receivers, tests and fuzzers on any thread. No length in the frame is trusted
 * and every loop has a bound of its own. */

#include "dataplane/addr.h"
#include "dataplane/outcome.h"
#include "dataplane/stage.h"

enum dp_link {
	DP_LINK_ETHERNET,
	DP_LINK_RAW_IP, // starts with the IP header
	DP_LINK_SLL, // Linux cooked capture v1
	DP_LINK_SLL2,
	DP_LINK_COUNT,
};

enum dp_pkt_flag {
	DP_PKT_UP = 1 << 0, // sent by the endpoint
	DP_PKT_AMBIGUOUS = 1 << 1, // the endpoint was chosen by the tie rule
	DP_PKT_FRAGMENT = 1 << 2, // of a larger datagram; ports are 0 unless it is the first
	DP_PKT_HAS_PORTS = 1 << 3,
	DP_PKT_GTPU = 1 << 4, // the innermost packet came out of a T-PDU
	DP_PKT_VLAN = 1 << 5,
};

enum dp_tcp_flag {
	DP_TCP_FIN = 0x01,
	DP_TCP_SYN = 0x02,
	DP_TCP_RST = 0x04,
	DP_TCP_ACK = 0x10,
};

/* What the path needs of a frame, about the innermost IP packet. */
struct dp_pkt {
	struct dp_five_tuple tuple; // src is the sender of this packet
	uint8_t tcp_flags; // enum dp_tcp_flag, 0 unless TCP
	struct dp_addr endpoint;
	uint64_t time_ns; // set by the source
	uint32_t hash; // of the endpoint: chooses the worker
	uint32_t wire_bytes; // of the whole frame
	uint32_t
		ip_bytes; // IPv4 Total Length; IPv6 40 + Payload Length; at most what the frame holds
	uint32_t l3_off; // from the start of the frame
	uint32_t l3_len; // captured bytes of the IP packet, link padding cut off
	uint32_t payload_bytes; // behind the L4 header, by the IP header's count
	uint32_t tcp_seq;
	uint8_t flags; // enum dp_pkt_flag
};

/* Describe one frame (IEEE 802.3, 802.1Q; RFC 791, RFC 8200; 3GPP TS 29.281).
 *
 * frame      cap_len captured bytes of a frame of wire_len bytes (cap_len <= wire_len)
 * ret_pkt    written on DP_OUTCOME_ACCOUNTED only; time_ns and hash are left alone
 *
 * Returns DP_OUTCOME_ACCOUNTED or the reason why the frame has no packet for us. A tunnel is opened
 * only when a sound IP header lies inside; otherwise the packet is the one that carries it. Where
 * the L4 header is missing the ports are 0. Never reads past cap_len. */
enum dp_outcome dp_packet_parse(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, const struct dp_endpoint_nets *nets, struct dp_pkt *ret_pkt);

/* Of an endpoint, equal for equal bytes: which worker counts it. */
uint32_t dp_endpoint_hash(const struct dp_addr *endpoint);
