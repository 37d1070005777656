// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause

/* The program on an interface: each frame it receives is walked (dataplane/walk.h, the very same code) and
 * counted. Nothing of a frame is changed, and nothing is sent. */

#include "ebpf/abi.h"

#include "dataplane/packet_fields.h"

#include <errno.h>
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* A function of its own to the verifier, which then looks at it once and not once a call. It is given no
 * pointer to the work area and looks it up: without CAP_PERFMON offsets may vary in values of maps only. */
#define GLOBAL __attribute__((noinline))

/* Set before the program is loaded. */
const volatile __u32 ebpf_action = XDP_PASS; // what becomes of a frame: XDP_DROP on a TAP port
const volatile bool ebpf_is_replay = false; // struct ebpf_replayed stands in front of each frame

static const volatile __u32 zero = 0; // a key that is not on the stack, see struct work

/* Where a CPU works on a frame. A map and not the stack: that has 512 bytes; and without CAP_PERFMON the
 * kernel puts a barrier against Spectre v4 behind each write to it, which costs more than all the rest.
 * XDP programs run one at a time on a CPU, so one area each is enough. */
struct work {
	struct ebpf_found found; // first: user space reads no further
	struct ebpf_flow_key key; // of the packet
	struct ebpf_flow flow; // that begins
	struct ebpf_net_key net;
	struct {
		__u32 flags, n_packets;
	} sample;
	__u32 slot; // a key
	__u32 index; // of the verifier's
	__u32 cap_len;
	struct ebpf_replayed frame; // of live ones too; link is Ethernet
	struct dp_walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} ebpf_works SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpf_ledger);
} ebpf_ledgers SEC(".maps");

/* This CPU's, or NULL, which only the verifier believes in. */
static struct work *this_work(void)
{
	return bpf_map_lookup_elem(&ebpf_works, (const void *)&zero);
}

static struct ebpf_ledger *this_ledger(void)
{
	return bpf_map_lookup_elem(&ebpf_ledgers, (const void *)&zero);
}

/* --- the walk -------------------------------------------------------------------------------- */

GLOBAL int ebpf_walk_take(__u32 step)
{
	struct work *w = this_work();

	return w == NULL ? DP_STEP_END : dp_step_take(&w->walk, step);
}

/* As dp_walk(), of the first cap_len bytes in the work area. Returns enum dp_outcome. */
GLOBAL int ebpf_walk(__u32 cap_len)
{
	struct work *w = this_work();
	int step;

	if (w == NULL)
		return DP_OUTCOME_TRUNCATED;
	w->walk.wanted_more = false;
	step = dp_step_begin(&w->walk, cap_len, w->frame.wire_len, w->frame.link);
	DP_UNROLLED
	for (int i = 0; i < DP_WALK_STEPS_MAX; i++) {
		asm volatile("" : "+r"(step)); // the count to 32 stays a condition of its own
		if (step == DP_STEP_END)
			break;
		step = ebpf_walk_take(step);
	}
	return dp_step_end(&w->walk, step);
}

/* The frame's first n bytes into the work area. False: there are none. */
static bool copy(struct xdp_md *ctx, struct work *w, __u32 n)
{
	asm volatile("" : "+r"(n)); // or the compiler tests another register than it passes
	if (n == 0 || n > DP_WALK_BYTES)
		return false;
	return bpf_xdp_load_bytes(ctx, 0, w->walk.frame, n) == 0;
}

/* Whether the fields in front of what the walk looked at stand in the first n bytes. */
static bool has_l4(const struct dp_walk *w, __u32 n)
{
	return w->n_ip == 0 || (w->ip.l4_off <= n && n - w->ip.l4_off >= DP_TCP_LEN);
}

/* Walk what was copied: n bytes of cap_len. False: the others are needed, too. */
static bool walk_first(struct work *w, __u32 n, __u32 cap_len)
{
	struct dp_walk *walk = &w->walk;

	w->found.outcome = (__u8)ebpf_walk(n);
	if (n == cap_len)
		return true;
	if (walk->wanted_more || !has_l4(walk, n))
		return false;
	// Captured is what the frame has, not what was copied.
	walk->ip.cap_bytes = walk->ip.bytes;
	if (cap_len - walk->ip.off < walk->ip.bytes)
		walk->ip.cap_bytes = cap_len - walk->ip.off;
	return true;
}

/* What a frame brings besides its bytes. False: it is no frame of a replay. */
static bool take_frame(struct xdp_md *ctx, struct work *w, __u32 cap_len)
{
	const struct ebpf_replayed *meta = (const void *)(long)ctx->data_meta;

	if (!ebpf_is_replay) {
		w->frame.time_ns = bpf_ktime_get_ns();
		w->frame.wire_len = cap_len;
		w->frame.link = DP_LINK_ETHERNET;
		return true;
	}
	if ((const void *)(meta + 1) > (const void *)(long)ctx->data)
		return false;
	w->frame = *meta;
	return w->frame.wire_len >= cap_len;
}

/* Walk the frame and describe its packet in the work area's `found`. Returns enum dp_outcome. */
static int parse(struct xdp_md *ctx, struct work *w)
{
	const __u32 cap_len = (__u32)bpf_xdp_get_buff_len(ctx);
	__u32 n = cap_len < EBPF_PREFIX ? cap_len : EBPF_PREFIX;

	w->cap_len = cap_len;
	w->found.outcome = DP_OUTCOME_TRUNCATED;
	w->found.refused = DP_REFUSED_NONE;
	if (!take_frame(ctx, w, cap_len) || !copy(ctx, w, n))
		return DP_OUTCOME_TRUNCATED;
	w->found.walked = 1;
	if (!walk_first(w, n, cap_len)) {
		n = cap_len < DP_WALK_BYTES ? cap_len : DP_WALK_BYTES;
		if (!copy(ctx, w, n))
			return DP_OUTCOME_TRUNCATED;
		w->found.walked = 2;
		w->found.outcome = (__u8)ebpf_walk(n);
	}
	w->found.refused = w->walk.refused;
	w->found.reason = w->walk.reason;
	w->found.n_ip = w->walk.n_ip;
	w->found.vlans = w->walk.vlans;
	w->found.pkt.time_ns = w->frame.time_ns;
	if (w->found.outcome == DP_OUTCOME_ACCOUNTED)
		dp_packet_fields(&w->walk, w->frame.wire_len, &w->found.pkt);
	return w->found.outcome;
}

/* --- the ledger ------------------------------------------------------------------------------ */

/* What the walk opened and what it did not: most frames nothing. */
GLOBAL int ebpf_count_encaps(void)
{
	const struct work *w = this_work();
	struct ebpf_ledger *l = this_ledger();

	if (w == NULL || l == NULL)
		return 0;
	DP_UNROLLED
	for (int i = 0; i < DP_ENCAP_COUNT; i++) {
		if (w->found.outcome == DP_OUTCOME_ACCOUNTED && (w->found.pkt.encaps >> i & 1) != 0)
			l->opened[i]++;
		if (w->found.refused == i)
			l->refused[i][dp_below(w->found.reason, EBPF_REFUSALS)]++;
	}
	return 0;
}

static void count(struct ebpf_ledger *l, const struct work *w)
{
	const struct ebpf_found *found = &w->found;

	l->wire_bytes += w->frame.wire_len;
	l->frames[dp_below(found->outcome, EBPF_OUTCOMES)]++;
	l->walked_again += found->walked > 1;
	if (found->refused != DP_REFUSED_NONE ||
		(found->outcome == DP_OUTCOME_ACCOUNTED && found->pkt.encaps != 0))
		(void)ebpf_count_encaps();
}

#include "ebpf/flow.bpf.h"

SEC("xdp.frags")
int ebpf_ingress(struct xdp_md *ctx)
{
	struct ebpf_ledger *l = this_ledger();
	struct work *w = this_work();

	if (w != NULL && l != NULL) {
		if (parse(ctx, w) == DP_OUTCOME_ACCOUNTED)
			take_packet(ctx, w, l);
		count(l, w);
	}
	return (int)ebpf_action;
}

char ebpf_license[] SEC("license") = "Dual BSD/GPL";
