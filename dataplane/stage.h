// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The seam between the packet path and the classifier.
 *
 * A worker hands payload packets of undecided flows to its stage, each before it is counted, and gets
 * verdicts back. With the final one a stage may ask to hear the flow's later payload packets, too, of
 * which it says nothing: what one flow carries may name others (answers to look-ups). The stage belongs to
 * one worker and is called from its thread only. It borrows the packets for the call; to keep bytes it
 * copies them. */

#include "dataplane/said.h"

#include <stddef.h>
#include <stdint.h>

/* What is known of a flow's app. app is decided once and not changed afterwards, but for is_renewed; the
 * library's own opinion may still be refined until is_final, when nothing more is wanted from this flow. */
struct dp_verdict {
	uint32_t app; // DP_APP_UNDECIDED while nothing is known
	uint16_t tag;
	uint16_t ndpi_master;
	uint16_t ndpi_app;
	uint8_t evidence; // enum dp_evidence
	bool is_final;
	bool is_watched; // with is_final: payload packets to come go to overhear
	bool has_hello; // its client's TLS hello was read, with a name or an encrypted one
	bool has_ech; // with an encrypted hello inside; host is the outer name then
	uint8_t effort; // packets of the flow that the library looked at so far, 255: that or more
	bool is_renewed; // app is decided anew, by what renew brought since: the flow counts there from here on
	bool is_cut; // judged early, its state went to another flow: names, basis, risks and the library's opinion
		// are not written, and those of the verdict before stand
	uint8_t basis; // how that came about, for the stage itself when it judges anew
	uint64_t risk_bits; // the library's, for printing
	char host[DP_HOST_MAX];
	char alias[DP_ALIAS_MAX]; // another name of the server
};

/* Who talks to whom, seen from the first packet (of a SYN-ACK from its receiver). */
struct dp_five_tuple {
	struct dp_addr src, dst;
	uint16_t sport, dport; // host order, 0 where the protocol has none
	uint8_t l4_proto; // IANA protocol number
};

/* A packet for the classifier. */
struct dp_stage_item {
	void **state; // the flow's slot for the stage's state; NULL inside = none yet; the stage writes
	const struct dp_five_tuple *tuple; // borrowed
	const struct dp_addr *endpoint; // whose flow it is, borrowed; IPv6: the prefix
	const uint8_t *l3; // innermost IP header, l3_len contiguous bytes, borrowed; NULL in finish
	uint32_t l3_len; // captured bytes from l3 on, trailing padding cut
	uint32_t n_packets; // of the flow so far, this one included, with and without payload
	uint64_t time_ns;
	uint32_t tcp_seq; // of TCP, else 0
	uint32_t
		syn_seq; // valid with has_syn: of the SYN from tuple->src, so its bytes begin at + 1
	bool has_syn; // the flow began with one
	bool is_from_dst; // the packet was sent by tuple->dst
	bool server_is_src; // the side that is not the endpoint sent the flow's first packet
	bool is_watched; // overhear: true, and false out when enough was heard; finish: see there
	struct dp_verdict verdict; // out, whole: what is known after this packet
};

/* A decided flow, to be judged anew by what is remembered of it. Pointers are borrowed for the call. */
struct dp_known {
	const struct dp_said *said;
	const struct dp_addr *server; // the side that is not the endpoint
	uint16_t server_port; // host order
	uint8_t l4_proto;
	uint8_t evidence; // in: as it counts, not undecided; out: as it is now
	uint16_t tag; // likewise
	uint32_t app; // likewise
};

struct dp_stage_ops {
	/* A round begins: from here to the next call flows are judged by what is in force now. Returns true
	 * when that is something else than in the round before: then flows with a final verdict are to be
	 * resolved again. NULL: it is always the same. */
	bool (*renew)(void *stage);
	/* What a flow is by what is in force; nothing changes where it is what it was. Flows without a final
	 * verdict are not asked for: their next packet, or finish, judges them anew (is_renewed). NULL where
	 * renew is. */
	void (*resolve)(void *stage, struct dp_known *known);
	/* Look at a packet of a flow without a final verdict. Never fails. */
	void (*look)(void *stage, struct dp_stage_item *item);
	/* A packet of a flow whose final verdict said is_watched; it is not counted as effort, and there
	 * is no verdict: item->verdict is not read. *state may be kept from the look that brought the
	 * verdict or taken here; while it is not NULL a TCP flow's round trips and holes are not
	 * followed (dataplane/tcp.h shares the slot), so it is to be held only as long as bytes are
	 * missing. Who sets is_watched to false, with *state NULL, hears no more. Never fails.
	 * NULL where no verdict says is_watched. */
	void (*overhear)(void *stage, struct dp_stage_item *item);
	/* The flow ends or asks for a last word: decide now by what is known (address, port), free
	 * the state, set *state to NULL. Called at most once per flow, not after a final verdict; but
	 * at the end of a watched flow that holds state: then is_watched is true, the state is to be
	 * freed, and item->verdict is not read. */
	void (*finish)(void *stage, struct dp_stage_item *item);
	/* What a full table inside made it forget, that might have named a flow: a count. NULL: nothing. */
	uint64_t (*forgotten)(const void *stage);
	void (*free)(void *stage); // owned by the worker, freed after it stopped
};

struct dp_stage {
	const struct dp_stage_ops *ops;
	void *self;
};
