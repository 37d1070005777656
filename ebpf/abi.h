// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the program in the kernel and its side in user space share: laid out the same on both.
 *
 * A packet is described as everywhere else, by struct dp_pkt (dataplane/packet.h). */

#include "dataplane/packet.h"

/* What stands in front of each frame of a replay, as XDP metadata; the kernel takes at most 32 bytes. */
struct ebpf_replayed {
	uint64_t time_ns; // of the capture
	uint32_t wire_len; // at least what was captured
	uint32_t link; // enum dp_link
};
static_assert(sizeof(struct ebpf_replayed) == 16);

/* What a walk found. Per CPU, of the frame that it received last. */
struct ebpf_found {
	struct dp_pkt pkt; // with DP_OUTCOME_ACCOUNTED; without endpoint and hash
	struct dp_vlans vlans; // likewise
	uint8_t outcome; // enum dp_outcome
	uint8_t refused; // enum dp_encap, or DP_REFUSED_NONE
	uint8_t reason; // enum dp_refusal, valid with refused
	uint8_t n_ip; // IP packets in each other
	uint8_t walked; // 2: EBPF_PREFIX bytes were not enough
	uint8_t pad;
};
static_assert(sizeof(struct ebpf_found) == 128);

/* Rows of a ledger: powers of two, so that the verifier sees that an index is below. */
enum { EBPF_OUTCOMES = 16, EBPF_REFUSALS = 8 };
static_assert((int)DP_OUTCOME_COUNT <= EBPF_OUTCOMES && (int)DP_REFUSAL_COUNT <= EBPF_REFUSALS);

/* Of the map of endpoints' networks. */
struct ebpf_net_key {
	uint32_t prefix_len; // as struct dp_prefix's
	struct dp_addr addr;
};

/* Both directions of an innermost 5-tuple, in an order of their own: which address is first says
 * nothing. */
struct ebpf_flow_key {
	struct dp_addr addr[2];
	uint16_t port[2]; // host order
	uint8_t l4_proto;
	uint8_t pad[3]; // 0
};
static_assert(sizeof(struct ebpf_flow_key) == 40);

enum { EBPF_UP, EBPF_DOWN }; // sent by the endpoint, to it

enum ebpf_flow_flag {
	EBPF_FLOW_ENDPOINT = 1 << 0, // the endpoint is addr[1], else addr[0]
	EBPF_FLOW_AMBIGUOUS = 1 << 1, // it was chosen by the tie rule
	EBPF_FLOW_FINAL = 1 << 2, // no more samples are wanted
	EBPF_FLOW_WATCHED = 1 << 3, // all payload packets are wanted
};

enum { EBPF_SLOT_UNDECIDED = 0 };

/* A flow. Packets of one that is decided only read it. */
struct ebpf_flow {
	uint32_t slot; // where it counts
	uint32_t flags; // enum ebpf_flow_flag
	uint32_t n_lost; // samples for which the ring had no room: the flow asks again
	uint32_t pad;
	uint64_t packets[2]; // EBPF_UP, EBPF_DOWN: while it counts nowhere else
	uint64_t bytes[2]; // of IP packets
};

/* What one CPU counted for a slot. Written there only, and only growing. */
struct ebpf_slot {
	uint64_t packets[2]; // EBPF_UP, EBPF_DOWN
	uint64_t bytes[2]; // of IP packets
};

/* A verdict on a flow: from here on it counts in that slot, with what it had counted so far. */
struct ebpf_verdict {
	struct ebpf_flow_key key;
	uint32_t slot; // or EBPF_SLOT_UNDECIDED: it goes on as before
	uint32_t flags; // EBPF_FLOW_FINAL, EBPF_FLOW_WATCHED, or 0
};

/* A frame for user space, whole. One of a fragment belongs to no flow yet: key, flags and n_packets are 0. */
struct ebpf_sample {
	struct ebpf_flow_key key;
	uint32_t flags; // the flow's
	uint32_t n_packets; // of the flow, this one included
	uint64_t time_ns; // as CLOCK_MONOTONIC, in a replay the capture's
	uint32_t wire_len;
	uint32_t cap_len; // bytes of the frame that follow, at most EBPF_SAMPLE_MAX
	uint32_t link; // enum dp_link
	uint32_t pad;
};
static_assert(sizeof(struct ebpf_sample) == 72);

/* A record of the ring has one of these sizes, sample included. */
enum {
	EBPF_SAMPLE_SMALL = 512,
	EBPF_SAMPLE_MEDIUM = 2048,
	EBPF_SAMPLE_LARGE = DP_WALK_BYTES,
	EBPF_SAMPLE_MAX = EBPF_SAMPLE_LARGE - (int)sizeof(struct ebpf_sample),
};

/* One CPU's. Written there only, and only growing. */
struct ebpf_ledger {
	uint64_t frames[EBPF_OUTCOMES]; // by enum dp_outcome: each frame that was received in one
	uint64_t wire_bytes; // of them all
	uint64_t walked_again; // frames of which EBPF_PREFIX bytes were not enough
	uint64_t samples[2]; // handed up; lost, for the ring had no room
	uint64_t fragments,
		fragment_bytes; // IP packets that are: in no flow, user space puts them together
	uint64_t flows; // begun
	uint64_t undecided_bytes; // counted on flows without a slot
	uint64_t
		moved_bytes; // of these, to a slot. The rest stands on flows, or went with evicted ones
	uint64_t opened[DP_ENCAP_COUNT]; // as struct dp_encap_counters
	uint64_t refused[DP_ENCAP_COUNT][EBPF_REFUSALS];
};

/* Bytes of a frame that a walk is tried with. Each of them costs all frames a copy; too few of them, those
 * frames a second walk that need more. Start value: four tags, IPv6, UDP, GTP-U with an extension header,
 * IPv6, TCP without options are 154. */
enum { EBPF_PREFIX = 192 };
