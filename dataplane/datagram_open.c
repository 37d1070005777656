// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/datagram_state.h"

/* Fragments that are credited without bytes. */
static enum dp_datagram credit_only(struct dp_pkt *pkt)
{
	pkt->flags |= DP_PKT_FRAGMENT;
	pkt->l3_off = 0;
	pkt->l3_len = 0;
	return DP_DATAGRAM_CREDIT;
}

/* What the datagram holds: a packet inside its tunnel, or itself. */
static enum dp_datagram look_inside(struct dp_datagrams *d, const struct dp_datagram_whole *whole,
	struct dp_walk *w, struct dp_pkt *pkt)
{
	const struct dp_pkt *credit = &whole->credit;
	const enum dp_outcome r = dp_walk_rebuilt(
		&whole->first, whole->packet, whole->cap_len, whole->wire_len, w);
	const bool is_inside = w->n_ip > whole->first.n_ip;

	// Too many steps behind the walk; or a tunnel that was not to be seen in the first fragment,
	// and others have been credited to its carrier already.
	if (r != DP_OUTCOME_ACCOUNTED || w->n_ip < whole->first.n_ip ||
		(is_inside && !whole->is_tunnel)) {
		*w = whole->first;
		*pkt = *credit;
		return credit_only(pkt);
	}
	dp_packet_of(w, d->nets, credit->wire_bytes, pkt);
	pkt->time_ns = credit->time_ns;
	pkt->n_frames = credit->n_frames;
	if (is_inside)
		return DP_DATAGRAM_WHOLE;
	pkt->n_packets = credit->n_packets;
	pkt->ip_bytes = credit->ip_bytes;
	if (!whole->is_tunnel)
		pkt->tcp_flags = credit->tcp_flags; // they came with the first fragment
	return DP_DATAGRAM_WHOLE;
}

enum dp_datagram dp_datagrams_open(struct dp_datagrams *d, struct dp_walk *w, struct dp_pkt *pkt,
	struct dp_datagram_whole *ret_whole)
{
	for (unsigned int depth = 0; depth < DP_DATAGRAM_NESTING_MAX; depth++) {
		const struct dp_pkt frag = *pkt;
		enum dp_datagram r = dp_datagrams_add(d, w, &frag, pkt, ret_whole);

		if (r == DP_DATAGRAM_WHOLE)
			r = look_inside(d, ret_whole, w, pkt);
		else if (r == DP_DATAGRAM_CREDIT && depth > 0)
			r = credit_only(pkt); // they lie in a datagram that is gone
		if (r == DP_DATAGRAM_WHOLE && w->ip.is_fragment)
			continue;
		if (r == DP_DATAGRAM_WHOLE)
			dp_datagram_shorten(
				&d->buffers[d->lent], ret_whole, pkt->l3_off, pkt->l3_len);
		return r;
	}
	return credit_only(pkt);
}
