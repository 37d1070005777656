// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What becomes of a packet: handed up, or kept and counted. Part of frame.bpf.h. */

#include "dataplane/budget.h"

enum { TCP_EVENTS = DP_TCP_SYN | DP_TCP_FIN | DP_TCP_RST };

enum { HANDED_UP = DP_OUTCOME_COUNT }; // instead of an outcome

/* EBPF_UP or EBPF_DOWN, to index by. */
static __u32 way_of(struct work *w, const struct ebpf_flow *f)
{
	return as_index(w, (f->flags & EBPF_FLOW_ENDPOINT) != w->src);
}

/* --- kept ------------------------------------------------------------------------------------ */

/* Of a flow that has a verdict: on its slot, and on itself since when. */
static INLINE bool count_decided(struct work *w, struct ebpf_flow *f, __u32 way)
{
	const __u64 kept = f->kept[way], n = frame_packets(w), low = EBPF_KEPT_BYTE - 1;

	if ((kept & low) + n > low)
		f->kept_more[way]++;
	f->kept[way] = (kept & ~low) + ((kept + n) & low) + w->found.pkt.ip_bytes * EBPF_KEPT_BYTE;
	return count_on_slot(w, way, w->packets, w->found.pkt.ip_bytes);
}

/* Add to a waiting word. Returns 0 when it stands there; where a verdict came first, what is to be counted. */
static __u64 wait(uint64_t *word, __u64 n)
{
	return (__sync_fetch_and_add(word, n) & EBPF_CLOSED) == 0 ? 0 : n;
}

/* Of a flow without a verdict. False: it has been forgotten meanwhile. (Words of 64 bits: without CAP_PERFMON
 * less than that must not be put on the stack where a pointer was.) */
static __attribute__((noinline)) bool count_undecided(
	struct work *w, struct ebpf_ledger *l, struct ebpf_flow *f)
{
	const __u32 way = dp_below(w->way, 2);
	__u64 bytes = w->found.pkt.ip_bytes, packets = w->packets, left;

	// The second time: a verdict came, and then it began anew.
	DP_UNROLLED
	for (int i = 0; i < 2; i++) {
		left = wait(&f->waiting_bytes[way], bytes);
		l->undecided_bytes += bytes - left;
		bytes = left;
		packets = wait(&f->waiting_packets[way], packets);
		if ((bytes | packets) == 0)
			return true;
		w->slot = *(volatile __u32 *)&f->slot;
		if (w->slot != EBPF_SLOT_UNDECIDED)
			return count_on_slot(w, way, packets, bytes);
	}
	return false;
}

/* A packet of the flow, w->way, w->packets. Returns the frame's enum dp_outcome. */
static __attribute__((always_inline)) int keep(
	struct work *w, struct ebpf_ledger *l, struct ebpf_flow *f)
{
	const __u32 way = dp_below(w->way, 2);

	w->slot = *(volatile __u32 *)&f->slot;
	if (w->slot != EBPF_SLOT_UNDECIDED ? count_decided(w, f, way) : count_undecided(w, l, f))
		return DP_OUTCOME_ACCOUNTED;
	return DP_OUTCOME_NO_ROOM;
}

/* --- handed up ------------------------------------------------------------------------------- */

static __u32 budget_of(__u8 l4_proto)
{
	switch (l4_proto) {
	case IPPROTO_TCP:
		return DP_BUDGET_TCP;
	case IPPROTO_UDP:
		return DP_BUDGET_UDP;
	default:
		return DP_BUDGET_OTHER;
	}
}

/* As the worker's wants_classifier(). */
static bool has_payload(const struct dp_pkt *p)
{
	return p->payload_bytes > 0 || !dp_has_ports(p->tuple.l4_proto);
}

static __u16 *asked(struct work *w, struct ebpf_flow *f)
{
	return &f->n_asked[as_index(w, has_payload(&w->found.pkt))];
}

/* See EBPF_ASK_AGAIN. One packet more than the budget: with it the classifier is asked for its last word. */
static bool is_within_budget(struct work *w, struct ebpf_flow *f)
{
	const struct dp_pkt *p = &w->found.pkt;
	const __u32 n = *asked(w, f) & (EBPF_ASK_AGAIN - 1);

	if (ebpf_is_replay)
		return true;
	return n <= budget_of(p->tuple.l4_proto) ||
		(n < EBPF_PIECES_MAX && p->payload_bytes > 0 &&
			p->payload_bytes <= EBPF_PIECE_BYTES);
}

static bool is_wanted(struct work *w, struct ebpf_flow *f)
{
	const struct dp_pkt *p = &w->found.pkt;

	if ((p->tcp_flags & TCP_EVENTS) != 0 || (f->flags & EBPF_FLOW_SIGNALLING) != 0)
		return true;
	if (f->slot == EBPF_SLOT_UNDECIDED)
		return is_within_budget(w, f);
	return (f->flags & EBPF_FLOW_WATCHED) != 0 && has_payload(p);
}

/* False: the flow is to be left as it is, and the packet kept. */
static bool hand_up_packet(void *ctx, struct work *w, struct ebpf_ledger *l, struct ebpf_flow *f)
{
	w->up.handed = f->slot == EBPF_SLOT_UNDECIDED ? DP_HANDED_ASKS : DP_HANDED_FOLLOWS;
	if (w->up.is_new != 0)
		w->up.handed = DP_HANDED_ASKS | DP_HANDED_ENDED;
	if (hand_up(ctx, w, f))
		return true;
	l->lost++;
	return false;
}

/* What it says of its connection: w->event, w->packets. Of one that begins another flow that is nothing. */
static void look_at_tcp(struct work *w, struct ebpf_flow *f)
{
	const struct dp_pkt *p = &w->found.pkt;

	w->event = (struct dp_tcp_event){
		.n_segments = has_data(p) && (p->tcp_flags & DP_TCP_RST) == 0};
	if (is_segment(p) && w->up.is_new == 0)
		(void)follow_closely(w, f);
	w->packets = packets_of(w, w->event.n_segments != 0);
}

/* A packet that may matter for more than its bytes. Returns as take_packet(). (What it finds stands in the work area:
 * see count_undecided() for what must not be on the stack.) */
static __attribute__((noinline)) int take_closely(
	void *ctx, struct work *w, struct ebpf_ledger *l, struct ebpf_flow *f)
{
	w->up.flow = id_of(f); // before it is looked at: what is over is this one
	w->up.is_new = is_stale(w, f);
	look_at_tcp(w, f);
	w->up.is_to_go = w->up.is_new != 0 || is_wanted(w, f);
	w->up.has_gone = w->up.is_to_go != 0 && hand_up_packet(ctx, w, l, f);
	w->way = way_of(w, f); // it may be another flow by now
	if (w->up.is_new != 0 && w->up.has_gone == 0) // the next packet ends it
		return keep(w, l, f);
	if (w->up.is_new != 0 && is_segment(&w->found.pkt))
		(void)follow_closely(w, f);
	touch(f, w->frame.time_ns);
	follow(f, &w->found.pkt, w->way);
	if (f->slot == EBPF_SLOT_UNDECIDED && w->up.is_to_go == w->up.has_gone)
		++*asked(w, f);
	if (w->up.has_gone != 0 || f->slot == EBPF_SLOT_UNDECIDED)
		count_packet(w, f);
	return w->up.has_gone != 0 ? HANDED_UP : keep(w, l, f);
}

/* --- which ----------------------------------------------------------------------------------- */

/* Whether it has a verdict and the packet says nothing but that it goes on. Most packets do that. */
static bool is_plain(const struct work *w, const struct ebpf_flow *f)
{
	const __u32 flags = f->flags, tcp_flags = w->found.pkt.tcp_flags;

	return f->slot != EBPF_SLOT_UNDECIDED &&
		(__s64)(w->frame.time_ns - f->last_ns) <= (__s64)DP_FLOW_LIFE_MIN_NS &&
		(flags & (EBPF_FLOW_SIGNALLING | EBPF_FLOW_WATCHED)) == 0 &&
		(tcp_flags & TCP_EVENTS) == 0 &&
		((tcp_flags & DP_TCP_ACK) == 0 ||
			(flags & DP_OFFLOAD_TALKED << EBPF_FLOW_TCP_SHIFT) != 0);
}

/* Part of a datagram, which user space puts together: of no flow that anybody knew here. */
static int take_fragment(void *ctx, struct work *w, struct ebpf_ledger *l)
{
	w->up.flow = 0;
	w->up.handed = DP_HANDED_PLAIN;
	if (hand_up(ctx, w, NULL))
		return HANDED_UP;
	l->lost++;
	return DP_OUTCOME_QUEUE_FULL;
}

/* The next packet, which may be counted without a look at its connection, tells nothing. */
static int forget_event(struct work *w, int outcome)
{
	w->event.what = 0;
	return outcome;
}

/* The packet that was found in the frame. Returns HANDED_UP, or the frame's enum dp_outcome. */
static int take_packet(void *ctx, struct work *w, struct ebpf_ledger *l)
{
	struct ebpf_flow *f;

	if ((w->found.pkt.flags & DP_PKT_FRAGMENT) != 0)
		return take_fragment(ctx, w, l);
	w->src = set_key(w);
	f = bpf_map_lookup_elem(&ebpf_flows, &w->key);
	if (f == NULL)
		f = flow_begin(w, l);
	if (f == NULL)
		return DP_OUTCOME_NO_ROOM;
	w->way = way_of(w, f);
	if (!is_plain(w, f) || !goes_on(w, f))
		return forget_event(w, take_closely(ctx, w, l, f));
	touch(f, w->frame.time_ns);
	w->packets = packets_of(w, has_data(&w->found.pkt));
	return keep(w, l, f);
}
