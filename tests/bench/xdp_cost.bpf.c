// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause

/* What the program in the kernel is measured beside, and what gives both of them packets of many flows. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
	PORTS = 16, // flows of a subscriber
	PAYLOAD = 346, // of each packet
	TARGETS = 3,
};

/* The order in which flows come: all numbers below n_flows, a power of two, then again. */
volatile __u32 next_flow = 0, factor = 1, step = 1;
const volatile __u32 n_flows = 1;
/* Whoever is measured gets the next packet of each flow, whatever others got. */
volatile __u32 target_number = 0;
volatile __u64 n_sent[TARGETS];

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

struct key {
	__u32 src, dst;
	__u16 sport, dport;
	__u32 proto;
};

struct counts {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct key);
	__type(value, struct counts);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* Make the frame one of the next flow, and hand it to whoever is measured. */
SEC("xdp.frags")
int feed(struct xdp_md *ctx)
{
	struct headers *h = (void *)(long)ctx->data;
	const __u32 i = next_flow, number = target_number;

	next_flow = (i * factor + step) & (n_flows - 1);
	if (number >= TARGETS)
		return XDP_ABORTED;
	if ((void *)(h + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	h->ip.saddr = bpf_htonl(0x0a000000 + i / PORTS);
	h->tcp.source = bpf_htons(50000 + i % PORTS);
	h->tcp.seq = bpf_htonl(1 + (__u32)(n_sent[number] / n_flows) * PAYLOAD);
	n_sent[number]++;
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}

/* What feeding costs. */
SEC("xdp.frags")
int nothing(struct xdp_md *ctx)
{
	return XDP_DROP;
}

/* The least that counts packets by their flow: headers where they are expected, one look-up. */
SEC("xdp.frags")
int bare(struct xdp_md *ctx)
{
	const struct headers *h = (void *)(long)ctx->data;
	struct counts *c;
	struct key key;

	if ((const void *)(h + 1) > (const void *)(long)ctx->data_end ||
		h->eth.h_proto != bpf_htons(ETH_P_IP) || h->ip.ihl != 5 || h->ip.protocol != 6)
		return XDP_DROP;
	key = (struct key){.src = h->ip.saddr,
		.dst = h->ip.daddr,
		.sport = h->tcp.source,
		.dport = h->tcp.dest,
		.proto = h->ip.protocol};
	c = bpf_map_lookup_elem(&flows, &key);
	if (c == NULL)
		return XDP_PASS; // not one of those that were put there
	c->packets++;
	c->bytes += bpf_ntohs(h->ip.tot_len);
	return XDP_DROP;
}

char bench_license[] SEC("license") = "Dual BSD/GPL";
