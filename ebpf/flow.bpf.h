// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* From a packet to its flow, from there to the counters of a slot or up to user space: parts of
 * ingress.bpf.c, which has what they share. */

#include "dataplane/budget.h"

/* Networks of endpoints (struct dp_endpoint_nets), IPv4 as ::ffff:a.b.c.d. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, DP_NETS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ebpf_net_key);
	__type(value, __u8);
} ebpf_nets SEC(".maps");

/* The sizes of these are set before they are loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct ebpf_flow_key);
	__type(value, struct ebpf_flow);
} ebpf_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpf_slot);
} ebpf_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ebpf_samples SEC(".maps");

/* --- whose flow ------------------------------------------------------------------------------ */

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

/* As dp_endpoint_of(): of a flow that begins with the packet in *w. Returns enum dp_pkt_flag. */
static __u32 endpoint_flags(struct work *w)
{
	const struct dp_five_tuple *t = &w->found.pkt.tuple;
	const bool src_in = is_inside(w, &t->src), dst_in = is_inside(w, &t->dst);

	if (src_in != dst_in)
		return src_in ? DP_PKT_UP : 0;
	return DP_PKT_AMBIGUOUS | (is_lower(&t->dst, &t->src) ? 0 : DP_PKT_UP);
}

/* Words of an address that stands in the work area, where all are aligned. */
static const __u64 *words_of(const struct dp_addr *a)
{
	return (const __u64 *)__builtin_assume_aligned(a, sizeof(__u64));
}

static void copy_addr(struct dp_addr *to, const __u64 *words)
{
	__u64 *to_words = (__u64 *)__builtin_assume_aligned(to, sizeof(__u64));

	to_words[0] = words[0];
	to_words[1] = words[1];
}

/* Whether the source is the second of the key: in any order that is the same for both directions. */
static bool is_second(const struct dp_five_tuple *t)
{
	const __u64 *src = words_of(&t->src), *dst = words_of(&t->dst);

	if (src[0] != dst[0])
		return src[0] > dst[0];
	if (src[1] != dst[1])
		return src[1] > dst[1];
	return t->sport > t->dport;
}

/* 0 or 1, to index by: a number the verifier knows nothing of. One that it knows on each way, and that is
 * not the same on all of them, must not be added to a pointer without CAP_PERFMON. */
static __u32 as_index(struct work *w, bool is_one)
{
	*(volatile __u32 *)&w->index = is_one;
	return dp_below(*(volatile __u32 *)&w->index, 2);
}

/* The key into the work area. Returns where in it the packet's source stands. */
static __u32 set_key(struct work *w)
{
	const struct dp_five_tuple *t = &w->found.pkt.tuple;
	const __u32 src = as_index(w, is_second(t)), dst = src ^ 1;

	copy_addr(&w->key.addr[src], words_of(&t->src));
	copy_addr(&w->key.addr[dst], words_of(&t->dst));
	w->key.port[src] = t->sport;
	w->key.port[dst] = t->dport;
	w->key.l4_proto = t->l4_proto;
	return src;
}

/* A flow begins. NULL: there is no memory for it, which a map that is filled at start always has. */
static struct ebpf_flow *flow_begin(struct work *w, struct ebpf_ledger *l, __u32 src)
{
	const __u32 flags = endpoint_flags(w);
	const bool is_endpoint_second = ((flags & DP_PKT_UP) != 0) == (src == 1);

	w->flow = (struct ebpf_flow){.flags = (is_endpoint_second ? EBPF_FLOW_ENDPOINT : 0) |
			((flags & DP_PKT_AMBIGUOUS) != 0 ? EBPF_FLOW_AMBIGUOUS : 0)};
	// Another CPU may have been faster: then it is its flow.
	if (bpf_map_update_elem(&ebpf_flows, &w->key, &w->flow, BPF_NOEXIST) == 0)
		l->flows++;
	return bpf_map_lookup_elem(&ebpf_flows, &w->key);
}

/* --- up to user space ------------------------------------------------------------------------ */

/* Fill and submit a record with room for `room` bytes of the frame; of them n. */
static bool submit(struct xdp_md *ctx, const struct work *w, struct ebpf_sample *s, __u32 room)
{
	__u32 n = w->cap_len;

	if (s == NULL)
		return false;
	asm volatile("" : "+r"(n));
	if (n == 0 || n > room || bpf_xdp_load_bytes(ctx, 0, s + 1, n) < 0) {
		bpf_ringbuf_discard(s, 0);
		return false;
	}
	s->key = w->key;
	s->flags = w->sample.flags;
	s->n_packets = w->sample.n_packets;
	s->time_ns = w->frame.time_ns;
	s->wire_len = w->frame.wire_len;
	s->cap_len = n;
	s->link = w->frame.link;
	s->pad = 0;
	bpf_ringbuf_submit(s, 0);
	return true;
}

/* The sizes of records must be constants to the verifier. */
static bool sample_of(struct xdp_md *ctx, const struct work *w)
{
	const __u32 need = w->cap_len + sizeof(struct ebpf_sample);

	if (need <= EBPF_SAMPLE_SMALL)
		return submit(ctx, w, bpf_ringbuf_reserve(&ebpf_samples, EBPF_SAMPLE_SMALL, 0),
			EBPF_SAMPLE_SMALL - sizeof(struct ebpf_sample));
	if (need <= EBPF_SAMPLE_MEDIUM)
		return submit(ctx, w, bpf_ringbuf_reserve(&ebpf_samples, EBPF_SAMPLE_MEDIUM, 0),
			EBPF_SAMPLE_MEDIUM - sizeof(struct ebpf_sample));
	if (need <= EBPF_SAMPLE_LARGE)
		return submit(ctx, w, bpf_ringbuf_reserve(&ebpf_samples, EBPF_SAMPLE_LARGE, 0),
			EBPF_SAMPLE_MAX);
	return false;
}

/* Hand the frame in *w up, with w->key and w->sample. Returns whether there was room. */
GLOBAL int ebpf_sample_frame(struct xdp_md *ctx)
{
	struct work *w = this_work();
	struct ebpf_ledger *l = this_ledger();
	__u32 is_lost;

	if (w == NULL || l == NULL)
		return 0;
	is_lost = as_index(w, !sample_of(ctx, w));
	l->samples[is_lost]++;
	return is_lost == 0;
}

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

/* As the worker's wants_classifier(). One packet more than the budget: with it the classifier is asked for
 * its last word. */
static bool wants_sample(const struct work *w, const struct ebpf_flow *f, __u32 n_packets)
{
	const struct dp_pkt *p = &w->found.pkt;

	if ((f->flags & EBPF_FLOW_FINAL) != 0)
		return false;
	if (p->payload_bytes == 0 && dp_has_ports(p->tuple.l4_proto))
		return false;
	return (f->flags & EBPF_FLOW_WATCHED) != 0 ||
		n_packets <= budget_of(p->tuple.l4_proto) + 1 + f->n_lost;
}

/* --- counting -------------------------------------------------------------------------------- */

static struct ebpf_slot *slot_of(struct work *w, __u32 slot)
{
	w->slot = slot;
	return bpf_map_lookup_elem(&ebpf_slots, &w->slot);
}

/* What stands on the flow to the slot. Two who do this at once share it between them. */
static __u64 move(struct ebpf_flow *f, struct ebpf_slot *slot)
{
	__u64 bytes[2], packets[2];

	bytes[0] = __sync_lock_test_and_set(&f->bytes[0], 0);
	bytes[1] = __sync_lock_test_and_set(&f->bytes[1], 0);
	packets[0] = __sync_lock_test_and_set(&f->packets[0], 0);
	packets[1] = __sync_lock_test_and_set(&f->packets[1], 0);
	// In one instruction: what interrupts the verdict on this CPU adds, too.
	__sync_fetch_and_add(&slot->bytes[0], bytes[0]);
	__sync_fetch_and_add(&slot->bytes[1], bytes[1]);
	__sync_fetch_and_add(&slot->packets[0], packets[0]);
	__sync_fetch_and_add(&slot->packets[1], packets[1]);
	return bytes[0] + bytes[1];
}

static void count_undecided(struct work *w, struct ebpf_ledger *l, struct ebpf_flow *f, __u32 way)
{
	const struct dp_pkt *p = &w->found.pkt;
	struct ebpf_slot *slot;
	__u32 now;

	__sync_fetch_and_add(&f->bytes[way], p->ip_bytes);
	__sync_fetch_and_add(&f->packets[way], 1);
	l->undecided_bytes += p->ip_bytes;
	// Whoever decided it meanwhile has taken these bytes along, or sees to it that we see the slot.
	now = *(volatile __u32 *)&f->slot;
	if (now == EBPF_SLOT_UNDECIDED)
		return;
	slot = slot_of(w, now);
	if (slot != NULL)
		l->moved_bytes += move(f, slot);
}

static void count_decided(struct ebpf_slot *slot, const struct dp_pkt *p, __u32 way)
{
	slot->bytes[way] += p->ip_bytes;
	slot->packets[way]++;
}

/* Not of a flow: part of a datagram, which user space puts together. */
static void take_fragment(struct xdp_md *ctx, struct work *w, struct ebpf_ledger *l)
{
	w->key = (struct ebpf_flow_key){0};
	w->sample.flags = 0;
	w->sample.n_packets = 0;
	l->fragments++;
	l->fragment_bytes += w->found.pkt.ip_bytes;
	(void)ebpf_sample_frame(ctx);
}

static void take_sample(struct xdp_md *ctx, struct work *w, struct ebpf_flow *f)
{
	const __u32 n_packets = (__u32)(f->packets[0] + f->packets[1]);

	if (!wants_sample(w, f, n_packets + 1))
		return;
	w->sample.flags = f->flags;
	w->sample.n_packets = n_packets + 1;
	if (ebpf_sample_frame(ctx) == 0)
		__sync_fetch_and_add(&f->n_lost, 1);
}

/* The packet that was found in the frame to its flow. */
static void take_packet(struct xdp_md *ctx, struct work *w, struct ebpf_ledger *l)
{
	const struct dp_pkt *p = &w->found.pkt;
	struct ebpf_slot *slot = NULL;
	struct ebpf_flow *f;
	__u32 src, way;

	if ((p->flags & DP_PKT_FRAGMENT) != 0) {
		take_fragment(ctx, w, l);
		return;
	}
	src = set_key(w);
	f = bpf_map_lookup_elem(&ebpf_flows, &w->key);
	if (f == NULL)
		f = flow_begin(w, l, src);
	if (f == NULL) {
		w->found.outcome = DP_OUTCOME_NO_ROOM;
		return;
	}
	way = as_index(w, (f->flags & EBPF_FLOW_ENDPOINT) != src); // EBPF_UP, EBPF_DOWN
	if ((f->flags & EBPF_FLOW_FINAL) == 0)
		take_sample(ctx, w, f);
	if (f->slot != EBPF_SLOT_UNDECIDED)
		slot = slot_of(w, f->slot);
	if (slot != NULL)
		count_decided(slot, p, way);
	else
		count_undecided(w, l, f, way);
}

/* --- verdicts -------------------------------------------------------------------------------- */

/* Write a verdict without a moment in which a packet's bytes could get lost: user space cannot, since it
 * would replace the flow with all that has been counted on it meanwhile. Returns 0 or -ENOENT. */
SEC("syscall")
int ebpf_decide(struct ebpf_verdict *verdict)
{
	struct ebpf_flow_key key = verdict->key;
	__u32 index = verdict->slot;
	struct ebpf_ledger *l = this_ledger();
	struct ebpf_flow *f = bpf_map_lookup_elem(&ebpf_flows, &key);
	struct ebpf_slot *slot = bpf_map_lookup_elem(&ebpf_slots, &index);

	if (l == NULL || f == NULL || slot == NULL)
		return -ENOENT;
	__sync_fetch_and_or(&f->flags, verdict->flags & (EBPF_FLOW_FINAL | EBPF_FLOW_WATCHED));
	if (index == EBPF_SLOT_UNDECIDED)
		return 0;
	(void)__sync_lock_test_and_set(&f->slot, index);
	__sync_fetch_and_add(&l->moved_bytes, move(f, slot));
	return 0;
}
