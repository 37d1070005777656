// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a TCP connection shows to somebody in the middle: retransmitted and out-of-order segments, round
 * trips to both sides, zero windows, resets, handshakes that failed (RFC 9293; RFC 6298 3, Karn).
 * docs/quality.md says what the numbers mean and what nobody here can know.
 *
 * The state is in the flow (dataplane/flow.h) and depends on its packets and their times alone:
 *
 *   next_seq[d]    behind the highest sequence number seen from d. 0 is not known yet: the next packet
 *                  sets it. A stream that really stands at 0 loses the judgement of one packet in 2^32.
 *   rest.scratch   one thing at a time. The classifier's as long as it has state: not touched meanwhile.
 *                  RTT: a segment from ..._DIR, until acknowledged. HOLE: what is missing from ..._DIR.
 *   ..._LOOK       a round trip is due (two in a period of 2^30 ns at most); while the classifier has the
 *                  scratch: something is missing. With NONE, ..._DIR: one of the two is done.
 *   overtaken      how long after a hole was noticed what fills it was overtaken, and not sent again:
 *                  the round trip of the handshake, as far as it was seen, or 0, and 3 ms at most.
 *
 * A packet that goes as expected costs a few compares in the line that is touched anyway. No allocation,
 * no clock; the owning worker's thread. */

#include "dataplane/flow.h"
#include "dataplane/packet.h"
#include "dataplane/tcp_event.h"

/* Whether a packet of a TCP flow, before it is counted, changes nothing but the number that is expected next: next,
 * of the direction it came in. flags: enum dp_flow_flag, last_ns: the flow's.
 *
 * No jumps: each of these questions alone is hard to foresee when packets of many flows come one after the
 * other, and all together hardly ever are answered with no. */
static inline bool dp_tcp_is_next(
	unsigned int flags, uint32_t next, uint64_t last_ns, const struct dp_pkt *p)
{
	// RTT and HOLE have one bit in common that NONE and STAGE lack.
	const unsigned int awaited = (DP_SCRATCH_RTT & DP_SCRATCH_HOLE) | DP_FLOW_LOOK;
	// A round trip that is due begins with data: an acknowledgement may pass.
	const bool is_due = (flags & (DP_FLOW_SCRATCH | DP_FLOW_LOOK)) == DP_FLOW_LOOK;
	const uint64_t waits = is_due ? p->payload_bytes : flags & awaited;
	const uint64_t apart = (p->time_ns ^ last_ns) >> 30 | (p->tcp_seq ^ next) |
		(p->tcp_flags & (DP_TCP_FIN | DP_TCP_SYN | DP_TCP_RST));

	return ((waits | apart) == 0) & (p->tcp_window != 0);
}

/* That: dp_tcp_go_on() is enough for it. */
static inline bool dp_tcp_is_expected(
	const struct dp_flow *f, const struct dp_pkt *p, bool is_reverse)
{
	return dp_tcp_is_next(f->flags, f->next_seq[is_reverse], f->last_ns, p);
}

/* Whether the flow's period of 2^30 ns is another one than at since_ns: only then a round trip of data may have begun
 * that was not under way. */
static inline bool dp_tcp_has_turned(uint64_t since_ns, uint64_t now_ns)
{
	return (since_ns ^ now_ns) >> 30 != 0;
}

/* What a packet told, without round trips that would not have been measured had the classifier's state stood in their
 * place until since_ns. */
static inline struct dp_tcp_event dp_tcp_since(
	struct dp_tcp_event event, uint64_t since_ns, uint64_t now_ns)
{
	const uint32_t begun_us = (uint32_t)(now_ns / 1000) - event.rtt_us;

	if (!dp_tcp_has_turned(since_ns, now_ns))
		event.what &= (uint8_t)~DP_TCP_RTT_DATA;
	if ((int32_t)(begun_us - (uint32_t)(since_ns / 1000)) <= 0)
		event.what &= (uint8_t)~DP_TCP_RTT_HANDSHAKE;
	return event;
}

/* n_bytes of the stream, as expected. */
static inline void dp_tcp_go_on(struct dp_flow *f, uint32_t n_bytes, bool is_reverse)
{
	f->next_seq[is_reverse] += n_bytes;
}

/* As expected, but for the round trip that is awaited, and it does not bring the answer: most of what else
 * comes from a busy connection. rtt_seq acknowledges what is awaited; is_opening: the flow has one packet of that
 * direction so far. The rest as dp_tcp_is_next(). */
static inline bool dp_tcp_is_waiting(unsigned int flags, uint32_t next, uint64_t last_ns,
	uint32_t rtt_seq, bool is_opening, const struct dp_pkt *p, bool is_reverse)
{
	const unsigned int kinds = p->tcp_flags &
		(DP_TCP_FIN | DP_TCP_SYN | DP_TCP_RST | DP_TCP_ACK);

	if ((flags & DP_FLOW_SCRATCH) != DP_SCRATCH_RTT || p->tcp_seq != next ||
		kinds != DP_TCP_ACK || p->tcp_window == 0 || (p->time_ns ^ last_ns) >> 30 != 0)
		return false;
	return ((flags & DP_FLOW_SCRATCH_DIR) != 0) == is_reverse
		? !is_opening
		: (int32_t)(rtt_seq - p->tcp_ack) > 0;
}

/* As dp_tcp_track(), of a packet that is not expected. */
void dp_tcp_odd(struct dp_flow *f, struct dp_flow_rest *rest, const struct dp_pkt *p,
	bool is_reverse, struct dp_tcp_event *ret_event);

/* A packet of a TCP flow, before it is counted: no fragment (a rebuilt datagram is none) and with its
 * whole TCP header. Others are left out: what they carry is missing then, and never counted wrong.
 *
 * is_reverse  it was sent by dst */
static inline void dp_tcp_track(struct dp_flow *f, struct dp_flow_rest *rest,
	const struct dp_pkt *p, bool is_reverse, struct dp_tcp_event *ret_event)
{
	if (!dp_tcp_is_expected(f, p, is_reverse)) {
		dp_tcp_odd(f, rest, p, is_reverse, ret_event);
		return;
	}
	dp_tcp_go_on(f, p->payload_bytes, is_reverse);
	*ret_event = (struct dp_tcp_event){.n_segments = p->payload_bytes != 0};
}

/* The flow ends. Returns whether *ret_event, which is only written then, has anything: a SYN that nobody
 * answered. Not for a flow given up while an answer may still come. */
bool dp_tcp_end(const struct dp_flow *f, struct dp_tcp_event *ret_event);
