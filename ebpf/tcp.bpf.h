// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* TCP connections, followed by the worker's rules (dataplane/tcp.h, the very same code): part of frame.bpf.h. */

#include "dataplane/tcp.h"

/* Of a flow's flags, those of enum dp_flow_flag. ..._DIR is set where it is about what the endpoint gets. */
static __u32 state_flags(__u32 flags)
{
	return flags >> EBPF_FLOW_STATE_SHIFT;
}

/* Without flags its header was cut. */
static bool is_segment(const struct dp_pkt *p)
{
	return p->tuple.l4_proto == IPPROTO_TCP && p->tcp_flags != 0;
}

static bool has_data(const struct dp_pkt *p)
{
	return is_segment(p) && p->payload_bytes != 0;
}

/* As many packets as the frame is made of, each with data when has_data, for a word of packets. */
static __u64 packets_of(const struct work *w, bool has_data)
{
	const __u64 n = frame_packets(w);

	return has_data ? n * (EBPF_SEGMENT + 1) : n;
}

/* Packets of a way that the flow had before this one; 2: that or more. */
static __u32 packets_before(const struct ebpf_flow *f, __u32 way)
{
	const __u64 kept = f->kept[way] & (EBPF_KEPT_BYTE - 1);
	const __u64 n = kept + f->kept_more[way] + f->n_packets[way];

	return n < 2 ? n : 2;
}

/* Apart from what most packets touch. */
static bool is_waiting(const struct work *w, const struct ebpf_flow *f, __u32 way)
{
	// Not the number to index by, of which the verifier must not learn which it is.
	const bool is_down = *(const volatile __u32 *)&w->way != EBPF_UP;

	return dp_tcp_is_waiting(state_flags(f->flags), f->next_seq[way], f->last_ns, f->scratch[0],
		packets_before(f, way) == 1, &w->found.pkt, is_down);
}

/* A packet of a decided flow, w->way, that says of its connection only that it goes on. It is counted as such. */
static INLINE bool goes_on(const struct work *w, struct ebpf_flow *f)
{
	const struct dp_pkt *p = &w->found.pkt;
	const __u32 way = dp_below(w->way, 2), flags = state_flags(f->flags);
	const __u32 next = f->next_seq[way];

	if (!is_segment(p))
		return true;
	if (!dp_tcp_is_next(flags, next, f->last_ns, p) &&
		((flags & DP_FLOW_SCRATCH) != DP_SCRATCH_RTT || !is_waiting(w, f, way)))
		return false;
	f->next_seq[way] = next + p->payload_bytes;
	return true;
}

/* The packet in *w is of the connection in w->connection, where [0] is who sent it: so that no index varies. */
GLOBAL int ebpf_follow(void)
{
	struct work *w = this_work();

	if (w != NULL)
		dp_tcp_track(
			&w->connection.flow, &w->connection.rest, &w->found.pkt, false, &w->event);
	return 0;
}

/* ..._DIR turned about for what the endpoint gets, where there is something that it is about. */
static __u32 turn(__u32 state, __u32 way)
{
	static_assert(
		(DP_SCRATCH_RTT & DP_SCRATCH_HOLE) == 1 << 14 && DP_FLOW_SCRATCH_DIR == 1 << 12);
	return state ^ (state >> 14 & way & 1) << 12;
}

static void load_connection(struct work *w, const struct ebpf_flow *f)
{
	const __u32 way = dp_below(w->way, 2), flags = f->flags;
	struct dp_flow *c = &w->connection.flow;
	__u32 state = turn(state_flags(flags), way);

	static_assert(DP_FLOW_ENDPOINT_IS_SRC == 1 << 6);
	state |= (way ^ 1) << 6;
	if ((flags & EBPF_FLOW_SYN_START) != 0)
		state |= DP_FLOW_SYN_START;
	if ((flags & DP_OFFLOAD_TALKED << EBPF_FLOW_TCP_SHIFT) != 0)
		state |= DP_FLOW_TALKED;
	c->flags = (__u16)state;
	c->last_ns = f->last_ns;
	c->overtaken = f->overtaken;
	c->next_seq[0] = f->next_seq[way];
	c->next_seq[1] = f->next_seq[way ^ 1];
	c->packets_low[0] = packets_before(f, way);
	c->packets_low[1] = packets_before(f, way ^ 1);
	w->connection.rest.scratch.rtt.seq = f->scratch[0];
	w->connection.rest.scratch.rtt.us = f->scratch[1];
}

static void store_connection(const struct work *w, struct ebpf_flow *f)
{
	const struct dp_flow *c = &w->connection.flow;
	const __u32 way = dp_below(w->way, 2);
	const __u32 bits = DP_FLOW_SCRATCH_BITS, state = turn(c->flags, way) & bits;

	f->overtaken = c->overtaken;
	f->next_seq[way] = c->next_seq[0];
	f->next_seq[way ^ 1] = c->next_seq[1];
	f->scratch[0] = w->connection.rest.scratch.rtt.seq;
	f->scratch[1] = w->connection.rest.scratch.rtt.us;
	if (state == (state_flags(f->flags) & bits))
		return;
	__sync_fetch_and_and(&f->flags, ~(bits << EBPF_FLOW_STATE_SHIFT));
	__sync_fetch_and_or(&f->flags, state << EBPF_FLOW_STATE_SHIFT);
}

/* What the packet says of the connection of its flow, w->way, into w->event. Where another CPU asks that of a
 * packet of the same flow right now nothing is found out: what this one carries is missing then. */
static __attribute__((noinline)) int follow_closely(struct work *w, struct ebpf_flow *f)
{
	if ((__sync_fetch_and_or(&f->flags, EBPF_FLOW_FOLLOWED) & EBPF_FLOW_FOLLOWED) != 0)
		return 0;
	load_connection(w, f);
	(void)ebpf_follow();
	store_connection(w, f);
	__sync_fetch_and_and(&f->flags, ~(__u32)EBPF_FLOW_FOLLOWED);
	return 0;
}

/* A packet, w->way, that is not counted as kept. */
static void count_packet(const struct work *w, struct ebpf_flow *f)
{
	const __u32 way = dp_below(w->way, 2);

	if (f->n_packets[way] < 2)
		f->n_packets[way]++;
}
