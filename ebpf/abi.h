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

/* One CPU's. Written there only, and only growing. */
struct ebpf_ledger {
	uint64_t frames[EBPF_OUTCOMES]; // by enum dp_outcome: each frame that was received in one
	uint64_t wire_bytes; // of them all
	uint64_t walked_again; // frames of which EBPF_PREFIX bytes were not enough
	uint64_t opened[DP_ENCAP_COUNT]; // as struct dp_encap_counters
	uint64_t refused[DP_ENCAP_COUNT][EBPF_REFUSALS];
};

/* Bytes of a frame that a walk is tried with. Each of them costs all frames a copy; too few of them, those
 * frames a second walk that need more. Start value: four tags, IPv6, UDP, GTP-U with an extension header,
 * IPv6, TCP without options are 154. */
enum { EBPF_PREFIX = 192 };
