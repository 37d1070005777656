// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause

/* The program on what a host sends by an interface. A frame stands there as the kernel gives it to the driver: a tag
 * may be beside it, for the hardware to put in, and it may be made of many packets, which the hardware, or the kernel
 * behind us, takes apart (GSO). */

#include "ebpf/frame.bpf.h"

enum {
	TAG_AT = 12, // IEEE 802.1Q: behind the addresses
	TAG_LEN = 4,
	NEXT = -1, // TC_ACT_UNSPEC, TCX_NEXT: as if nobody had looked
};

static bool load_bytes(void *ctx, __u32 off, void *to, __u32 n, __u32 room)
{
	n = index_of_last(n);
	return n < room && bpf_skb_load_bytes(ctx, off, to, n + 1) == 0;
}

static bool frame_load(void *ctx, const struct work *w, void *to, __u32 n, __u32 room)
{
	__u8 *bytes = to;

	if (w->sent.tag_be[0] == 0)
		return load_bytes(ctx, 0, to, n, room);
	if (bpf_skb_load_bytes(ctx, 0, to, TAG_AT) < 0)
		return false;
	__builtin_memcpy(bytes + TAG_AT, &w->sent.tag_be[1], TAG_LEN);
	return load_bytes(ctx, TAG_AT, bytes + TAG_AT + TAG_LEN, n - TAG_AT - TAG_LEN,
		room - TAG_AT - TAG_LEN);
}

static bool frame_begin(void *ctx, struct work *w)
{
	const struct __sk_buff *skb = ctx;

	w->cap_len = skb->len;
	w->sent.tag_be[0] = skb->vlan_present;
	if (w->sent.tag_be[0] != 0) {
		w->sent.tag_be[1] = skb->vlan_proto | __builtin_bswap16((__u16)skb->vlan_tci) << 16;
		w->cap_len += TAG_LEN;
	}
	w->sent.n_packets = 1;
	w->sent.more_bytes = 0;
	w->frame.time_ns = bpf_ktime_get_ns() + ebpf_offset_ns;
	w->frame.wire_len = w->cap_len;
	w->frame.link = DP_LINK_ETHERNET;
	return true;
}

static bool frame_is_counted(void *, struct work *, struct ebpf_ledger *)
{
	return false;
}

/* How many packets a frame is made of that has some payload. */
static __u32 segments(const struct __sk_buff *skb, __u32 payload_bytes)
{
	const __u32 n = skb->gso_segs, size = skb->gso_size;

	if (size == 0)
		return 1;
	if (n != 0)
		return n;
	return (payload_bytes + size - 1) / size; // of a guest, whose word nobody has checked yet
}

/* Each of the packets has the headers. */
static void frame_split(void *ctx, struct work *w)
{
	struct dp_pkt *p = &w->found.pkt;
	__u32 n;

	if (p->payload_bytes == 0)
		return;
	n = segments(ctx, p->payload_bytes);
	if (n <= 1)
		return;
	w->sent.n_packets = n;
	w->sent.more_bytes = (n - 1) * (w->frame.wire_len - p->payload_bytes);
	dp_packet_split(p, n);
}

static __u32 frame_packets(const struct work *w)
{
	return w->sent.n_packets;
}

static __u32 frame_wire_bytes(const struct work *w)
{
	return w->frame.wire_len + w->sent.more_bytes;
}

SEC("tc")
int ebpf_egress(struct __sk_buff *ctx)
{
	see(ctx);
	return NEXT;
}

char ebpf_license[] SEC("license") = "Dual BSD/GPL";
