// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Most packets: Ethernet, IPv4 without options or IPv6 without extensions, TCP or UDP that is no tunnel, of a flow that
 * is decided. They are read where they stand, without a copy and a walk. Whatever is not so in any respect is left to
 * those: this says nothing that they would not say. Part of ingress.bpf.c. */

enum { ETHERNET_LEN = 14, PLAIN_FIELDS = 16 }; // of L4: what of TCP's is looked at

struct plain {
	const __u8 *l3, *l4;
	const __u8 *end; // of what can be read so
	__u64 wire; // bytes from l3 on
	__u64 l3_len; // of its header
};

static __u32 load32(const __u8 *p)
{
	__u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static void put_v4(struct dp_addr *addr, const __u8 *be)
{
	__u32 *words = (__u32 *)__builtin_assume_aligned(addr, sizeof(__u64));

	words[0] = 0;
	words[1] = 0;
	words[2] = __builtin_bswap32(0xffff);
	words[3] = load32(be);
}

static void put_v6(struct dp_addr *addr, const __u8 *be)
{
	__u32 *words = (__u32 *)__builtin_assume_aligned(addr, sizeof(__u64));

	words[0] = load32(be);
	words[1] = load32(be + 4);
	words[2] = load32(be + 8);
	words[3] = load32(be + 12);
}

/* The packet's IP part into w->found.pkt, at->l4. False: not plain. */
static INLINE bool plain_ipv4(struct work *w, struct plain *at)
{
	struct dp_pkt *p = &w->found.pkt;
	const __u8 *l3 = at->l3;

	if (l3 + DP_IPV4_LEN + PLAIN_FIELDS > at->end)
		return false;
	p->ip_bytes = dp_be16(l3 + 2);
	if (l3[0] != 0x45 || dp_ipv4_is_fragment(l3) || p->ip_bytes < DP_IPV4_LEN + DP_TCP_LEN ||
		p->ip_bytes > at->wire)
		return false;
	put_v4(&p->tuple.src, l3 + 12);
	put_v4(&p->tuple.dst, l3 + 16);
	p->tuple.l4_proto = l3[9];
	at->l4 = l3 + DP_IPV4_LEN;
	at->l3_len = DP_IPV4_LEN;
	return true;
}

static INLINE bool plain_ipv6(struct work *w, struct plain *at)
{
	struct dp_pkt *p = &w->found.pkt;
	const __u8 *l3 = at->l3;

	if (l3 + DP_IPV6_LEN + PLAIN_FIELDS > at->end)
		return false;
	p->ip_bytes = DP_IPV6_LEN + (__u32)dp_be16(l3 + 4);
	if (l3[0] >> 4 != 6 || p->ip_bytes < DP_IPV6_LEN + DP_TCP_LEN || p->ip_bytes > at->wire)
		return false;
	put_v6(&p->tuple.src, l3 + 8);
	put_v6(&p->tuple.dst, l3 + 24);
	p->tuple.l4_proto = l3[DP_IPV6_NEXT_OFF];
	at->l4 = l3 + DP_IPV6_LEN;
	at->l3_len = DP_IPV6_LEN;
	return true;
}

/* Where the frame's addresses end there are ports, and nothing but payload behind them. */
static INLINE bool plain_l4(struct work *w, const struct plain *at)
{
	struct dp_pkt *p = &w->found.pkt;
	const __u8 *l4 = at->l4;

	p->tuple.sport = dp_be16(l4);
	p->tuple.dport = dp_be16(l4 + 2);
	p->tcp_flags = 0;
	if (p->tuple.l4_proto == IPPROTO_UDP)
		return !dp_may_be_tunnel(p->tuple.sport, p->tuple.dport);
	if (p->tuple.l4_proto != IPPROTO_TCP)
		return false;
	dp_tcp_fields(l4, p->ip_bytes - (__u32)at->l3_len, p);
	return true;
}

/* Describe the packet in w->found.pkt as far as a decided flow's packets are looked at. */
static INLINE bool plain_packet(struct xdp_md *xdp, struct work *w)
{
	const __u8 *frame = (const __u8 *)(long)xdp->data;
	struct plain at = {.l3 = frame + ETHERNET_LEN, .end = (const __u8 *)(long)xdp->data_end};
	__u16 type;

	if (at.l3 > at.end || w->frame.link != DP_LINK_ETHERNET)
		return false;
	// All of it was captured, or the end of what is may lie within the headers.
	at.wire = w->cap_len - ETHERNET_LEN;
	w->found.pkt.time_ns = w->frame.time_ns;
	type = dp_be16(frame + 12);
	if (type == DP_ETHERTYPE_IPV4)
		return plain_ipv4(w, &at) && plain_l4(w, &at);
	return type == DP_ETHERTYPE_IPV6 && plain_ipv6(w, &at) && plain_l4(w, &at);
}

/* Count the frame if it is plain and its flow decided. */
static INLINE bool take_plain(void *ctx, struct work *w, struct ebpf_ledger *l)
{
	struct ebpf_flow *f;

	if (ebpf_ignores_vlans || ebpf_ignores_nets || !plain_packet(ctx, w))
		return false;
	w->src = set_key(w);
	f = bpf_map_lookup_elem(&ebpf_flows, &w->key);
	if (f == NULL || !is_plain(w, f))
		return false;
	w->way = way_of(w, f);
	w->slot = *(volatile __u32 *)&f->slot;
	if (w->slot == EBPF_SLOT_UNDECIDED || !goes_on(w, f))
		return false;
	touch(f, w->frame.time_ns);
	w->packets = packets_of(w, has_data(&w->found.pkt));
	if (!count_decided(w, f, dp_below(w->way, 2)))
		return false;
	w->found.walked = 0;
	l->received++;
	l->frames[DP_OUTCOME_ACCOUNTED]++;
	l->wire_bytes += w->frame.wire_len;
	l->packets++;
	l->up_packets += w->way == EBPF_UP;
	l->ip_bytes += w->found.pkt.ip_bytes;
	return true;
}
