// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Whose flow a packet is, where flows begin and end: part of frame.bpf.h. */

#include "dataplane/flow_life.h"
#include "dataplane/signalling.h"
#include "ebpf/flow_key.h"

/* Networks of endpoints (struct dp_endpoint_nets), IPv4 as ::ffff:a.b.c.d. All ports share them. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, DP_NETS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ebpf_net_key);
	__type(value, __u8);
} ebpf_nets SEC(".maps");

/* All ports share them. The size is set before it is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct ebpf_flow_key);
	__type(value, struct ebpf_flow);
} ebpf_flows SEC(".maps");

/* --- the key --------------------------------------------------------------------------------- */

/* 0 or 1, to index by: a number the verifier knows nothing of. One that it knows on each way, and that is
 * not the same on all of them, must not be added to a pointer without CAP_PERFMON. */
static __u32 as_index(struct work *w, bool is_one)
{
	*(volatile __u32 *)&w->index = is_one;
	return dp_below(*(volatile __u32 *)&w->index, 2);
}

static void copy_addr(struct dp_addr *to, const struct dp_addr *from)
{
	__u64 *words = (__u64 *)__builtin_assume_aligned(to, sizeof(__u64));

	words[0] = ebpf_key_half(from, 0);
	words[1] = ebpf_key_half(from, 1);
}

/* The key into the work area. Returns where in it the packet's source stands. */
static __u32 set_key(struct work *w)
{
	const struct dp_five_tuple *t = &w->found.pkt.tuple;
	const __u32 src = as_index(w, ebpf_key_is_second(t)), dst = src ^ 1;

	copy_addr(&w->key.addr[src], &t->src);
	copy_addr(&w->key.addr[dst], &t->dst);
	w->key.port[src] = t->sport;
	w->key.port[dst] = t->dport;
	w->key.l4_proto = t->l4_proto;
	return src;
}

/* --- beginning ------------------------------------------------------------------------------- */

static bool is_lower(const struct dp_addr *a, const struct dp_addr *b)
{
	const __u64 high_a = dp_addr_half(a, 0), high_b = dp_addr_half(b, 0);

	return high_a != high_b ? high_a < high_b : dp_addr_half(a, 1) < dp_addr_half(b, 1);
}

/* Whether an address lies in the networks. */
static bool is_inside(struct work *w, const struct dp_addr *addr)
{
	w->net.prefix_len = 128;
	w->net.addr = *addr;
	return bpf_map_lookup_elem(&ebpf_nets, &w->net) != NULL;
}

/* As dp_endpoint_of(): whether the source is the endpoint of a flow that begins with the packet in *w. */
static bool endpoint_is_src(struct work *w)
{
	const struct dp_five_tuple *t = &w->found.pkt.tuple;
	const bool src_in = is_inside(w, &t->src), dst_in = is_inside(w, &t->dst);

	return src_in != dst_in ? src_in : !is_lower(&t->dst, &t->src);
}

/* The flow that begins with the packet in *w, into w->flow. */
GLOBAL int ebpf_flow_new(void)
{
	struct work *w = this_work();
	const struct dp_pkt *p;
	__u32 flags;

	if (w == NULL)
		return 0;
	p = &w->found.pkt;
	flags = endpoint_is_src(w) == (w->src == 1) ? EBPF_FLOW_ENDPOINT : 0;
	if (dp_is_syn(p))
		flags |= EBPF_FLOW_SYN_START;
	if (dp_is_signalling(p->tuple.l4_proto, p->tuple.sport, p->tuple.dport))
		flags |= EBPF_FLOW_SIGNALLING;
	w->flow = (struct ebpf_flow){.last_ns = w->frame.time_ns,
		.id = bpf_get_prandom_u32() | 1,
		.flags = flags,
		.syn_seq = p->tcp_seq};
	return 0;
}

/* A flow begins. NULL: there is no memory for it, which a map that is filled at start always has. */
static struct ebpf_flow *flow_begin(struct work *w, struct ebpf_ledger *l)
{
	(void)ebpf_flow_new();
	// Another CPU may have been faster: then it is its flow.
	if (bpf_map_update_elem(&ebpf_flows, &w->key, &w->flow, BPF_NOEXIST) == 0)
		l->flows++;
	return bpf_map_lookup_elem(&ebpf_flows, &w->key);
}

/* --- what it was ----------------------------------------------------------------------------- */

static __u32 tcp_of(const struct ebpf_flow *f)
{
	return *(const volatile __u32 *)&f->flags >> EBPF_FLOW_TCP_SHIFT & EBPF_FLOW_TCP_MASK;
}

/* Words of packets, see EBPF_SEGMENT. */
static void split_packets(struct dp_offload_counts *c)
{
	c->segments[0] = (c->packets[0] & ~EBPF_CLOSED) / EBPF_SEGMENT;
	c->segments[1] = (c->packets[1] & ~EBPF_CLOSED) / EBPF_SEGMENT;
	c->packets[0] &= EBPF_SEGMENT - 1;
	c->packets[1] &= EBPF_SEGMENT - 1;
}

/* Of a flow that is held: what stands on it. Its waiting words are left as `leave`, 0 or EBPF_CLOSED. */
static void take_waiting(struct ebpf_flow *f, struct dp_offload_counts *c, __u64 leave)
{
	c->bytes[0] = __sync_lock_test_and_set(&f->waiting_bytes[0], leave);
	c->bytes[1] = __sync_lock_test_and_set(&f->waiting_bytes[1], leave);
	c->packets[0] = __sync_lock_test_and_set(&f->waiting_packets[0], leave);
	c->packets[1] = __sync_lock_test_and_set(&f->waiting_packets[1], leave);
	split_packets(c);
	c->last_ns = f->last_ns;
	c->tcp = tcp_of(f);
}

static void look_kept(const struct ebpf_flow *f, struct dp_offload_counts *c)
{
	c->bytes[0] = f->kept[0] / EBPF_KEPT_BYTE;
	c->bytes[1] = f->kept[1] / EBPF_KEPT_BYTE;
	c->packets[0] = f->kept_more[0] * EBPF_KEPT_BYTE + f->kept[0] % EBPF_KEPT_BYTE;
	c->packets[1] = f->kept_more[1] * EBPF_KEPT_BYTE + f->kept[1] % EBPF_KEPT_BYTE;
	c->segments[0] = 0;
	c->segments[1] = 0;
	c->last_ns = f->last_ns;
	c->tcp = tcp_of(f) | DP_OFFLOAD_DECIDED;
}

/* Hold a flow: nobody else changes what it is. False: somebody else does. */
static bool flow_hold(struct ebpf_flow *f)
{
	return __sync_val_compare_and_swap(&f->held, 0, 1) == 0;
}

static void flow_leave(struct ebpf_flow *f)
{
	(void)__sync_lock_test_and_set(&f->held, 0);
}

static __u32 id_of(const struct ebpf_flow *f)
{
	return *(const volatile __u32 *)&f->id;
}

/* The flow, w->up.flow, ends with the packet in *w, which is the first of another one: at the same place, since a packet
 * that another CPU counts meanwhile must not count on a stranger's. c: what is told of it. False: it is held, or another
 * CPU had such a packet and was faster: then the packet is one of that flow. */
static bool flow_begin_anew(struct work *w, struct ebpf_flow *f, struct dp_offload_counts *c)
{
	struct ebpf_ledger *l = this_ledger();

	(void)ebpf_flow_new();
	if (l == NULL || !flow_hold(f))
		return false;
	if (id_of(f) != w->up.flow) {
		flow_leave(f);
		return false;
	}
	l->flows++;
	take_waiting(f, c, 0); // from here on packets may wait
	if (f->slot == EBPF_SLOT_UNDECIDED)
		l->taken_bytes += c->bytes[0] + c->bytes[1];
	else
		look_kept(f, c);
	f->kept[0] = 0;
	f->kept[1] = 0;
	f->kept_more[0] = 0;
	f->kept_more[1] = 0;
	f->next_seq[0] = 0;
	f->next_seq[1] = 0;
	f->n_packets[0] = 0;
	f->n_packets[1] = 0;
	f->overtaken = 0;
	f->n_asked[0] = 0;
	f->n_asked[1] = 0;
	f->syn_seq = w->flow.syn_seq;
	f->last_ns = w->flow.last_ns;
	*(volatile __u32 *)&f->flags = w->flow.flags;
	(void)__sync_lock_test_and_set(&f->slot, EBPF_SLOT_UNDECIDED);
	(void)__sync_lock_test_and_set(&f->id, w->flow.id);
	flow_leave(f);
	w->up.flow = w->flow.id;
	return true;
}

/* --- how far it has come --------------------------------------------------------------------- */

static bool has_closed(const struct ebpf_flow *f)
{
	const __u32 fins = DP_OFFLOAD_FIN_UP | DP_OFFLOAD_FIN_DOWN, tcp = tcp_of(f);

	return (tcp & DP_OFFLOAD_RST) != 0 || (tcp & fins) == fins;
}

static __u64 life_ns(__u8 l4_proto, bool is_closed)
{
#define LIFE(id, seconds) \
	case DP_FLOW_##id: \
		return (seconds)*DP_NS_PER_S;
	switch (is_closed ? DP_FLOW_TCP_CLOSED : dp_flow_life_of(l4_proto)) {
		DP_FLOW_LIVES(LIFE)
	default:
		return 0;
	}
#undef LIFE
}

/* As a worker's: the packet cannot belong to the flow any more. */
static bool is_stale(const struct work *w, const struct ebpf_flow *f)
{
	const struct dp_pkt *p = &w->found.pkt;
	const bool is_closed = has_closed(f);

	return dp_flow_has_ended(
		       f->last_ns, life_ns(p->tuple.l4_proto, is_closed), w->frame.time_ns) ||
		dp_is_new_handshake(
			p, is_closed, (f->flags & EBPF_FLOW_SYN_START) != 0, f->syn_seq);
}

/* As a worker's: what the packet says of its connection. way: EBPF_UP, EBPF_DOWN. */
static void follow(struct ebpf_flow *f, const struct dp_pkt *p, __u32 way)
{
	__u32 says = 0;

	if (dp_is_talk(p))
		says |= DP_OFFLOAD_TALKED;
	if ((p->tcp_flags & DP_TCP_FIN) != 0)
		says |= way == EBPF_UP ? DP_OFFLOAD_FIN_UP : DP_OFFLOAD_FIN_DOWN;
	if ((p->tcp_flags & DP_TCP_RST) != 0)
		says |= DP_OFFLOAD_RST;
	if ((says & ~tcp_of(f)) != 0)
		__sync_fetch_and_or(&f->flags, says << EBPF_FLOW_TCP_SHIFT);
}

/* CPUs' clocks are not read in the order in which they write here. */
static void touch(struct ebpf_flow *f, __u64 time_ns)
{
	if (time_ns > f->last_ns)
		f->last_ns = time_ns;
}
