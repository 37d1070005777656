// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The two ways from an Ethernet frame to its packet, held against each other: for unit tests and fuzz
 * targets, of any bytes. */

#include "dataplane/packet.h"

static inline bool plain_same_pkt(const struct dp_pkt *a, const struct dp_pkt *b)
{
	static_assert(sizeof(*a) == 112, "compare what was added, too");

	return dp_addr_cmp(&a->tuple.src, &b->tuple.src) == 0 &&
		dp_addr_cmp(&a->tuple.dst, &b->tuple.dst) == 0 &&
		a->tuple.sport == b->tuple.sport && a->tuple.dport == b->tuple.dport &&
		a->tuple.l4_proto == b->tuple.l4_proto && a->tcp_flags == b->tcp_flags &&
		a->flags == b->flags && dp_addr_cmp(&a->endpoint, &b->endpoint) == 0 &&
		a->time_ns == b->time_ns && a->hash == b->hash && a->wire_bytes == b->wire_bytes &&
		a->n_frames == b->n_frames && a->n_packets == b->n_packets &&
		a->ip_bytes == b->ip_bytes && a->payload_bytes == b->payload_bytes &&
		a->tcp_seq == b->tcp_seq && a->tcp_ack == b->tcp_ack && a->l3_off == b->l3_off &&
		a->l3_len == b->l3_len && a->encaps == b->encaps && a->tcp_window == b->tcp_window;
}

static inline bool plain_same_vlans(const struct dp_vlans *a, const struct dp_vlans *b)
{
	return a->n == b->n && memcmp(a->id, b->id, a->n * sizeof(a->id[0])) == 0;
}

/* Whether dp_packet_plain(), where it takes the frame, says what dp_walk() and dp_packet_of() say, and
 * where it does not, leaves the packet alone. *ret_is_plain: whether it takes it. */
static inline bool plain_agrees(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len,
	const struct dp_endpoint_nets *nets, bool *ret_is_plain)
{
	const struct dp_pkt before = {.time_ns = 1, .hash = 2, .payload_bytes = 3, .encaps = 4};
	struct dp_pkt quick = before, thorough = before;
	struct dp_vlans vlans;
	struct dp_walk w;

	*ret_is_plain = dp_packet_plain(frame, cap_len, wire_len, nets, &quick, &vlans);
	if (!*ret_is_plain)
		return plain_same_pkt(&quick, &before);
	if (dp_walk(frame, cap_len, wire_len, DP_LINK_ETHERNET, &w) != DP_OUTCOME_ACCOUNTED ||
		w.refused != DP_REFUSED_NONE || w.ip.is_fragment)
		return false;
	dp_packet_of(&w, nets, wire_len, &thorough);
	return plain_same_pkt(&quick, &thorough) && plain_same_vlans(&vlans, &w.vlans);
}
