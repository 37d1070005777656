// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause

/* The program on what an interface receives, which runs the frames of a replay, too; and those that user space asks
 * of flows. */

#include "ebpf/frame.bpf.h"

#include "ebpf/plain.bpf.h"
#include "ebpf/verdict.bpf.h"

/* Set before the program is loaded. */
const volatile __u32 ebpf_action = XDP_PASS; // what becomes of a frame: XDP_DROP on a TAP port

static bool frame_load(void *ctx, const struct work *, void *to, __u32 n, __u32 room)
{
	n = index_of_last(n);
	return n < room && bpf_xdp_load_bytes(ctx, 0, to, n + 1) == 0;
}

/* False: it is no frame of a replay. */
static bool frame_begin(void *ctx, struct work *w)
{
	struct xdp_md *xdp = ctx;
	const struct ebpf_replayed *meta = (const void *)(long)xdp->data_meta;

	w->cap_len = (__u32)bpf_xdp_get_buff_len(xdp);
	if (!ebpf_is_replay) {
		w->frame.wire_len = w->cap_len;
		w->frame.link = DP_LINK_ETHERNET;
		return true;
	}
	if ((const void *)(meta + 1) > (const void *)(long)xdp->data)
		return false;
	w->frame = *meta;
	return w->frame.wire_len >= w->cap_len;
}

/* What is only counted has the time of the last timer interrupt, a few milliseconds ago: to read the clock costs a sixth
 * of all that such a packet costs. What goes up has its own. */
static bool frame_is_counted(void *ctx, struct work *w, struct ebpf_ledger *l)
{
	if (ebpf_is_replay)
		return take_plain(ctx, w, l);
	w->frame.time_ns = bpf_ktime_get_coarse_ns() + ebpf_offset_ns;
	if (take_plain(ctx, w, l))
		return true;
	w->frame.time_ns = bpf_ktime_get_ns() + ebpf_offset_ns;
	return false;
}

/* XDP does not tell when a frame was put together from several. */
static void frame_split(void *, struct work *)
{
}

static __u32 frame_packets(const struct work *)
{
	return 1;
}

static __u32 frame_wire_bytes(const struct work *w)
{
	return w->frame.wire_len;
}

SEC("xdp.frags")
int ebpf_ingress(struct xdp_md *ctx)
{
	see(ctx);
	return (int)ebpf_action;
}

char ebpf_license[] SEC("license") = "Dual BSD/GPL";
