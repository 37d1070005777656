// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the program in the kernel and its side in user space share: laid out the same on both.
 *
 * A packet is described as everywhere else, by struct dp_pkt (dataplane/packet.h). */

#include "dataplane/offload.h"
#include "dataplane/packet.h"
#include "dataplane/tcp.h"

/* What stands in front of each frame of a replay, as XDP metadata; the kernel takes at most 32 bytes. */
struct ebpf_replayed {
	uint64_t time_ns; // event time, the capture's
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
	uint8_t walked; // 0: it was plain, and not looked for; 2: EBPF_PREFIX bytes were not enough
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

/* Both directions of an innermost 5-tuple (ebpf/flow_key.h). */
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
	EBPF_FLOW_SYN_START = 1 << 1, // it began with a SYN, of syn_seq
	EBPF_FLOW_SIGNALLING = 1 << 2, // all packets are handed up
	EBPF_FLOW_WATCHED = 1 << 3, // all payload is
	EBPF_FLOW_FOLLOWED = 1 << 4, // a CPU looks closely at its connection
	EBPF_FLOW_TCP_SHIFT = 8, // here: set of enum dp_offload_tcp, of those that packets tell
	EBPF_FLOW_TCP_MASK = 0xff,
	EBPF_FLOW_STATE_SHIFT = 16, // above: set of DP_FLOW_SCRATCH_BITS, of its TCP connection
};

enum { EBPF_SLOT_UNDECIDED = 0 };

/* Of a waiting word: a verdict came, what is added from here on means nothing. */
#define EBPF_CLOSED (1ULL << 63)

/* Counts that grow with one another share a word, so that one addition does for both: those that are read as what came
 * since are told apart as long as less than the lower one's room came.
 *
 *   packets  below, TCP segments with data above (a closed word has a bit less for them)
 *   kept     packets below, bytes above; where the packets are full, struct ebpf_flow's kept_more counts one
 *   round trips  below, microseconds above */
#define EBPF_SEGMENT (1ULL << 32)
#define EBPF_KEPT_BYTE (1ULL << 20)
#define EBPF_RTT_US (1ULL << 24)

/* A flow. [EBPF_UP], [EBPF_DOWN]; bytes are those of IP packets.
 *
 * Without a verdict packets that are kept wait here. Each CPU adds in one instruction and is told what stood
 * there before; the verdict writes the slot, then takes each word and leaves EBPF_CLOSED. Who added to a closed
 * word knows that the verdict has not seen it, and sees the slot: so each packet counts once, and nobody waits.
 *
 * Who changes what the flow is (a verdict, its end, a new beginning) holds it meanwhile, and looks at its id then: it
 * may have become another one. Nobody waits for that either: a verdict is given again, and a packet that would begin
 * the flow anew leaves that to the next one. */
struct ebpf_flow {
	// What a packet of a decided flow touches, in one line with the end of the key: the map's elements have the
	// kernel's 48 bytes and the key's 40 in front, and begin at a line as long as this has 104.
	uint64_t last_ns; // event time of the last packet, handed up or kept
	uint32_t
		slot; // where it counts: worker * n_entries + entry; EBPF_SLOT_UNDECIDED: nowhere yet
	uint32_t flags; // enum ebpf_flow_flag
	// Since the verdict; one CPU a direction, or about so. See EBPF_KEPT_BYTE.
	uint64_t kept[2];
	uint32_t next_seq[2]; // of TCP: behind the highest byte seen
	// The others.
	uint32_t id; // which of the flows that its tuple had
	uint32_t syn_seq; // with EBPF_FLOW_SYN_START
	// Packets without a verdict, [1] with payload, modulo 2^16; without those that were lost.
	uint16_t n_asked[2];
	uint32_t held; // 1: somebody changes what the flow is, or it has been forgotten
	uint64_t waiting_bytes[2], waiting_packets[2]; // see EBPF_SEGMENT
	uint16_t kept_more[2];
	// How its connection goes on. Who has set EBPF_FLOW_FOLLOWED may write.
	uint32_t scratch[2]; // as the words of struct dp_flow_rest's
	uint8_t n_packets[2]; // handed up, or without a verdict; 2: that or more
	uint8_t overtaken; // as struct dp_flow's
	uint8_t pad;
};
static_assert(offsetof(struct ebpf_flow, id) == 128 - 88 && sizeof(struct ebpf_flow) == 104);

/* Packets of a flow without a verdict that are handed up: those of the classifier's budget, and behind them, up to so
 * many, small ones, since it goes on where it reads a name that comes in pieces. After EBPF_ASK_AGAIN it is asked anew:
 * where those before got lost behind us, it has not seen them. (In a replay all of them are: they wait for the verdict,
 * which a wire does not.) A power of two. Start values. */
enum { EBPF_PIECES_MAX = 1024, EBPF_PIECE_BYTES = 96, EBPF_ASK_AGAIN = 2048 };

/* To the verdict's programs, and back. */
struct ebpf_verdict {
	struct ebpf_flow_key key;
	uint32_t flow; // the id of the flow that is meant; 0: any
	uint32_t slot; // of an end: where what waits goes; EBPF_SLOT_UNDECIDED: nowhere
	uint16_t is_watched;
	uint16_t keeps; // what waits goes to the slot, else it is told
	uint32_t pad;
	uint64_t since_ns; // as dp_offload_ops.decide's
	struct dp_offload_counts counts; // out
};
static_assert(sizeof(struct ebpf_verdict) == 120);

/* A frame on its way up. */
struct ebpf_sample {
	uint64_t time_ns; // event time
	uint32_t wire_len;
	uint32_t cap_len; // bytes of the frame that follow, at most EBPF_SAMPLE_MAX
	uint32_t flow; // as struct dp_offload_frame's
	uint8_t link; // enum dp_link
	uint8_t handed; // enum dp_handed
	uint16_t n_packets; // that the frame is made of: more than 1 where the host sends it (GSO)
	struct dp_tcp_event event;
	struct dp_offload_counts ended; // with DP_HANDED_ENDED
};
static_assert(sizeof(struct ebpf_sample) == 88);

/* A record of the ring has one of these sizes, sample included. */
enum {
	EBPF_SAMPLE_TINY = 208,
	EBPF_SAMPLE_SMALL = 512,
	EBPF_SAMPLE_MEDIUM = 1664, // an Ethernet frame of 1518 bytes and some tags
	EBPF_SAMPLE_LARGE = DP_WALK_BYTES, // the packet path's buffers have room for less
	EBPF_SAMPLE_MAX = EBPF_SAMPLE_LARGE - (int)sizeof(struct ebpf_sample),
};

/* --- what decided flows count on -------------------------------------------------------------- */

enum { EBPF_ACTIVE_NS = 100000000 }; // as DP_USAGE_SLOT_NS

/* What one CPU counted for a slot in ticks of one parity: number
 * (cpu * 2 + tick % 2) * n_slots + slot of the map, so that those in use lie together. All but is_listed is written by
 * that CPU only. The counts only grow: user space remembers what it has seen, and nothing is ever lost to a reset.
 *
 * The CPU adds and then looks at is_listed; user space clears it and then looks at the counts. The last of the
 * CPU's additions is one that orders memory in full (BPF_FETCH), user space has a fence in between: one of the
 * two sees the other, on any machine. So what was counted is either read now or listed again. */
struct ebpf_slot {
	uint64_t packets[2], bytes[2]; // EBPF_UP, EBPF_DOWN; of IP packets. See EBPF_SEGMENT
	uint64_t last_ns;
	uint64_t active[2]; // as struct dp_offload_usage's; since it was listed
	uint32_t is_listed;
	uint32_t n_told; // packets that told something
};
static_assert(sizeof(struct ebpf_slot) == 64, "most packets touch one line");

/* Of a slot, of the same number in another map: what packets of TCP told (struct dp_tcp_event), by who sent it; round
 * trips by the side. As struct dp_quality, but for smaller words that begin anew: what came since is told as long as that
 * is less. */
struct ebpf_told {
	uint64_t handshake_rtt[2], data_rtt[2]; // see EBPF_RTT_US
	uint32_t retransmitted[2], out_of_order[2], zero_windows[2];
	uint16_t resets[2], handshakes_failed; // of packets for which the way up had no room
	uint16_t pad;
};
static_assert(sizeof(struct ebpf_told) == 64);

/* The slots of one worker that one CPU counts on, in ticks of one parity: a ring of n_entries places,
 * enough since no slot is in there twice. Number (cpu * 2 + tick % 2) * n_workers + worker of the map; its
 * places are n_entries entries of the other, from n_entries times that on. */
struct ebpf_list {
	uint64_t n; // listed so far. Written when the entry is, with a full barrier in between
	uint64_t pad[7]; // the next one's is another CPU's
};
static_assert(sizeof(struct ebpf_list) == 64);

struct ebpf_listed {
	uint32_t entry; // of the worker
	uint32_t pad;
	uint64_t first_ns;
};
static_assert(sizeof(struct ebpf_listed) == 16);

/* One CPU's, of one port. Written there only, and only growing. */
struct ebpf_ledger {
	uint64_t received; // frames
	uint64_t handed; // of them up
	uint64_t frames[EBPF_OUTCOMES]; // the others, kept, by enum dp_outcome
	uint64_t wire_bytes; // of frames kept
	uint64_t packets, up_packets, ip_bytes; // of those that are DP_OUTCOME_ACCOUNTED
	uint64_t lost; // frames for which the way up had no room
	uint64_t flows; // begun
	uint64_t undecided_bytes; // went to a flow's waiting words
	uint64_t
		taken_bytes; // from there to user space. The rest stands there, or went with evicted flows
	uint64_t walked_again; // frames of which EBPF_PREFIX bytes were not enough
	uint64_t opened[DP_ENCAP_COUNT]; // as struct dp_encap_counters; of frames kept
	uint64_t refused[DP_ENCAP_COUNT][EBPF_REFUSALS];
};

/* Bytes of a frame that a walk is tried with. Each of them costs all frames a copy; too few of them, those
 * frames a second walk that need more. Start value: four tags, IPv6, UDP, GTP-U with an extension header,
 * IPv6, TCP without options are 154. */
enum { EBPF_PREFIX = 192 };
