// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause

/* Frames of many flows, sent out of an interface as fast as the kernel can; and the least that receives them. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { PORTS = 16 }; // flows of a subscriber

/* Set before it is loaded. */
const volatile __u32 out = 0; // interface
const volatile __u32 n_flows =
	0; // a power of two: in an order that repeats itself; 0: new ones, always
const volatile __u32 n_each = 1; // packets of a new one

volatile __u32 next = 0;
volatile __u64 n_received = 0; // of one CPU: the one that sends

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

SEC("xdp")
int feed(struct xdp_md *ctx)
{
	struct headers *h = (void *)(long)ctx->data;
	const __u32 i = next;
	__u32 flow = i;

	if ((void *)(h + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (n_flows > 0) {
		next = (i * 1664525 + 1013904223) & (n_flows - 1);
	} else {
		next = i + 1;
		flow = i / n_each;
	}
	h->ip.saddr = bpf_htonl(0x0a000000 + flow / PORTS);
	h->udp.source = bpf_htons(50000 + flow % PORTS);
	return (int)bpf_redirect(out, 0);
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	n_received++;
	return XDP_DROP;
}

char feed_license[] SEC("license") = "Dual BSD/GPL";
