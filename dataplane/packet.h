// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the path needs of a packet, and how it is made of a walk (dataplane/walk.h).
 *
 * Pure: called by receivers, tests and fuzzers on any thread. */

#include "dataplane/addr.h"
#include "dataplane/outcome.h"
#include "dataplane/stage.h"
#include "dataplane/walk.h"

#include <assert.h>
#include <stddef.h>

enum dp_pkt_flag {
	DP_PKT_UP = 1 << 0, // sent by the endpoint
	DP_PKT_AMBIGUOUS = 1 << 1, // the endpoint was chosen by the tie rule
	DP_PKT_FRAGMENT = 1 << 2, // part of a datagram: for the classifier only once it is rebuilt
	DP_PKT_HAS_PORTS = 1 << 3,
};

enum dp_tcp_flag {
	DP_TCP_FIN = 0x01,
	DP_TCP_SYN = 0x02,
	DP_TCP_RST = 0x04,
	DP_TCP_ACK = 0x10,
};

/* About the innermost IP packet. One that stands for a whole datagram, or for fragments that waited
 * for their first one, speaks for several frames. Who it belongs to, then what is counted. */
struct dp_pkt {
	struct dp_five_tuple tuple; // src is the sender of this packet
	uint8_t tcp_flags; // enum dp_tcp_flag, 0 unless TCP
	uint8_t flags; // enum dp_pkt_flag
	struct dp_addr endpoint;
	uint64_t time_ns; // set by the source
	uint32_t hash; // of the endpoint: chooses the worker
	uint32_t wire_bytes; // of all its frames
	uint32_t n_frames; // the ledger counts so many
	uint32_t n_packets; // the flow counts so many
	uint32_t ip_bytes; // the flow's bytes: struct dp_ip's, summed up
	uint32_t payload_bytes; // behind the L4 header, by the IP header's count
	uint32_t tcp_seq, tcp_ack; // of TCP, else 0; tcp_ack means something with DP_TCP_ACK only
	uint32_t l3_off; // from the start of the mbuf's data
	uint32_t l3_len; // captured bytes of the IP packet, link padding cut off
	uint32_t encaps; // set of enum dp_encap around it
	uint16_t tcp_window; // as in the header, not scaled
	uint8_t handed; // set by the source: enum dp_handed (dataplane/offload.h), 0 where nothing is kept
};
static_assert(offsetof(struct dp_pkt, hash) == 64 && sizeof(struct dp_pkt) == 112, "two lines");

/* Describe the packet that a walk found: one packet of one frame.
 *
 * ret_pkt    written but for time_ns, hash and handed; offsets count from the walk's frame
 *
 * Where the L4 header is missing the ports are 0. */
void dp_packet_of(const struct dp_walk *w, const struct dp_endpoint_nets *nets, uint32_t wire_bytes,
	struct dp_pkt *ret_pkt);

/* The frame that *pkt describes is made of n packets, at least one, each with the headers and a part of the
 * payload. */
static inline void dp_packet_split(struct dp_pkt *pkt, uint32_t n)
{
	pkt->ip_bytes += (n - 1) * (pkt->ip_bytes - pkt->payload_bytes);
	pkt->n_packets = n;
}

/* dp_walk() and dp_packet_of() in one step, for the frames that most frames are (see dataplane/walk.h):
 * an Ethernet frame with TCP or UDP in IPv4 or IPv6, or with that in GTP-U, the headers whole, no
 * options, no fragments.
 *
 * ret_pkt    as of dp_packet_of()
 * ret_vlans  of the frame
 *
 * Returns false when the frame is anything else, for dp_walk() to say what: both may be written. */
bool dp_packet_plain(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	const struct dp_endpoint_nets *nets, struct dp_pkt *ret_pkt, struct dp_vlans *ret_vlans);

/* The packet of any frame, for whoever does not rebuild datagrams. Returns DP_OUTCOME_ACCOUNTED, and
 * ret_pkt is written, or the reason why there is no packet. */
enum dp_outcome dp_packet_parse(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	enum dp_link link, const struct dp_endpoint_nets *nets, struct dp_pkt *ret_pkt);

/* Of an endpoint, equal for equal bytes: which worker counts it. */
static inline uint32_t dp_endpoint_hash(const struct dp_addr *endpoint)
{
	// splitmix64's finalizer: neighbours in an address plan must not meet on one worker
	uint64_t h = dp_addr_half_be(endpoint, 0) * 0x9e3779b97f4a7c15ULL ^
		dp_addr_half_be(endpoint, 1);

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ h >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)(h ^ h >> 31);
}
