// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Fragments: their bytes go to the flow of their datagram, and the classifier sees it whole (RFC 791
 * 3.2, RFC 8200 4.5; overlaps as RFC 5722 wants it).
 *
 * (DPDK's rte_ip_frag is built for 8 fragments a datagram and does not judge overlaps.)
 *
 * Fragments may come in any order, one at a time or several in each other's way. A datagram is one of
 * three kinds:
 *
 *   unknown   its first fragment has not come: nobody knows the ports. Its fragments wait.
 *   plain     each fragment is a packet of the flow and is credited as it comes; the one that makes
 *             it whole brings the bytes for the classifier.
 *   tunnel    its first fragment begins a tunnel. All wait; whole, it is one inner packet.
 *
 * What does not become whole in time, or has an overlap, or is too long, is credited to the flow that
 * carries it, fragment by fragment, without ports where the first one never came. The same bytes once
 * more at the same place are a repetition, no overlap. A fragment without payload, one that ends
 * behind byte 65535 or behind the last one, one with more behind it that does not end on a boundary
 * of 8, and one that claims more than its frame had are given up like an overlap: no two receivers
 * agree about them.
 *
 * A datagram that became whole is remembered until its timeout. Repetitions of its fragments are
 * known then; anything else of the same key begins another datagram, whose number came round
 * (RFC 4963). Where repetitions are not dropped, those of a plain datagram are credited to its flow,
 * and those of a tunnel begin it once more.
 *
 * Memory is had at start: n_datagrams entries that remember ranges, n_buffers of them with bytes
 * (the first DP_DATAGRAM_BYTES of a datagram's payload; longer ones are whole, but cut). When an
 * entry is wanted the oldest gives its place.
 *
 * One receiver's thread only. No clock of its own: time is that of the packets. */

#include "dataplane/outcome.h"
#include "dataplane/packet.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DP_DATAGRAM_BYTES =
		9216, // of payload kept: 8 KB for the classifier, and a jumbo frame in a tunnel
	DP_DATAGRAM_HEADER_MAX = 512, // of the IP header, options and extension headers kept
	DP_DATAGRAM_FRAGMENTS_MAX = 64, // of one datagram, distinct; start value
	DP_DATAGRAM_NESTING_MAX = 3, // a datagram in fragments inside one in fragments
};

struct dp_datagram_config {
	uint32_t n_datagrams; // being rebuilt or remembered at a time; a power of two
	uint32_t n_buffers;
	uint64_t timeout_ns; // from a datagram's first fragment seen
	bool drops_repeated; // a repetition ends as DP_OUTCOME_DUPLICATE instead of being credited
};

/* Written by the receiver, read by any thread. A datagram that is over was counted in one of rebuilt,
 * overlapped, expired, evicted and crowded. */
struct dp_datagram_counters {
	dp_counter fragments; // seen; those of rebuilt tunnels included
	dp_counter rebuilt; // datagrams that became whole
	dp_counter overlapped; // datagrams given up for an overlap or impossible lengths
	dp_counter expired; // datagrams that did not become whole in time
	dp_counter evicted; // datagrams that gave their place early
	// Not rebuilt: no buffer, more fragments or a longer header than are kept, a header that was
	// not captured.
	dp_counter crowded;
	dp_counter repeated; // fragments that came once more
	dp_counter held; // frames that wait now: of no outcome yet
};

enum dp_datagram {
	DP_DATAGRAM_HELD, // it waits; the ledger will hear of it later
	DP_DATAGRAM_REPEATED, // drop it as DP_OUTCOME_DUPLICATE
	DP_DATAGRAM_CREDIT, // *ret_pkt says what to credit, with or without those that waited
	DP_DATAGRAM_WHOLE, // *ret_whole is the datagram
};

/* A datagram that became whole. packet is borrowed until the next call. */
struct dp_datagram_whole {
	struct dp_walk first; // for dp_walk_rebuilt(); its frame pointer is not valid any more
	const uint8_t *
		packet; // cap_len bytes of an IP packet of wire_len bytes without a trace of fragments
	uint32_t cap_len, wire_len;
	struct dp_pkt credit; // what has not been credited yet, as fragments of the carrying flow
	bool is_tunnel; // nothing has been credited: the inner packet is to be, with credit.n_frames
};

struct dp_datagrams;

/* Returns 0 or -ENOMEM. nets is borrowed. */
[[nodiscard]] int dp_datagrams_new(const struct dp_datagram_config *config,
	const struct dp_endpoint_nets *nets, struct dp_datagrams **ret_datagrams);
void dp_datagrams_free(struct dp_datagrams *d); // NULL is fine

/* A walk ended at a fragment.
 *
 * frag       what dp_packet_of() says of it: time, frames (several when it came out of a rebuilt
 *            tunnel), bytes
 * ret_pkt    written on CREDIT
 * ret_whole  written on WHOLE
 *
 * Whoever calls has emptied dp_datagrams_next() at frag's time before, so that there are free entries: for this one
 * and DP_DATAGRAM_NESTING_MAX - 1 that lie in it. */
enum dp_datagram dp_datagrams_add(struct dp_datagrams *d, const struct dp_walk *w,
	const struct dp_pkt *frag, struct dp_pkt *ret_pkt, struct dp_datagram_whole *ret_whole);

/* As dp_datagrams_add(), and on into the datagram: what is to be handed on, fragments in fragments
 * included.
 *
 * w, pkt     in: where the frame's walk ended, and what dp_packet_of() says of it; out, on CREDIT and
 *            WHOLE: the packet to hand on, and its walk (frame is not valid any more)
 *
 * On CREDIT the packet is for no classifier: DP_PKT_FRAGMENT is set. Its bytes stand in the frame, or
 * are gone when l3_len is 0. On WHOLE l3_off counts from ret_whole->packet. */
enum dp_datagram dp_datagrams_open(struct dp_datagrams *d, struct dp_walk *w, struct dp_pkt *pkt,
	struct dp_datagram_whole *ret_whole);

/* What waited long enough, or has to make room for one more: one credit a call, oldest first, until
 * it returns false. Its time is now_ns, its fragments' bytes are gone (l3_len 0). now_ns of
 * UINT64_MAX: the source has ended, everything; its time is that of the last packet. */
bool dp_datagrams_next(struct dp_datagrams *d, uint64_t now_ns, struct dp_pkt *ret_pkt);

const struct dp_datagram_counters *dp_datagrams_counters(const struct dp_datagrams *d);
