// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A frame, from its bytes to what becomes of it: walked (dataplane/walk.h, the very same code) and handed up to user
 * space whole, or counted (dataplane/offload.h). Nothing of a frame is changed, and nothing is sent. Part of
 * ingress.bpf.c and of egress.bpf.c. */

#include "ebpf/abi.h"

#include "dataplane/packet_fields.h"

#include <errno.h>
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* A function of its own to the verifier, which then looks at it once and not once a call. It is given no
 * pointer to the work area and looks it up: without CAP_PERFMON offsets may vary in values of maps only. */
#define GLOBAL __attribute__((noinline))

/* On the way of most packets: where the kernel guards returns of functions (SRSO, Retbleed) each of them costs as much as
 * a dozen instructions, six of them a third of such a packet. */
#define INLINE inline __attribute__((always_inline))

/* Set before the program is loaded: struct ebpf_replayed stands in front of each frame. */
const volatile bool ebpf_is_replay = false;
volatile __u64 ebpf_offset_ns = 0; // of event time from CLOCK_MONOTONIC; set before it is attached

static const volatile __u32 zero = 0; // a key that is not on the stack, see struct work

/* Where a CPU works on a frame. A map and not the stack: that has 512 bytes; and without CAP_PERFMON the
 * kernel puts a barrier against Spectre v4 behind each write to it, which costs more than all the rest.
 * Programs run one at a time on a CPU (where it sends as well: it takes no interrupt's work meanwhile), so one
 * area each is enough. */
struct work {
	struct ebpf_found found; // first: user space reads no further
	struct ebpf_flow_key key; // of the packet
	struct ebpf_flow flow; // that begins
	struct ebpf_net_key net;
	struct {
		__u32 flow, handed; // as struct ebpf_sample's
		__u32 is_new, is_to_go, has_gone; // it begins a flow, is for user space, went there
	} up;
	struct { // where what comes within n_ns from from_ns on is counted
		__u64 from_ns, n_ns;
		__u64 bit; // in struct ebpf_slot's active[word]
		__u32 word;
		__u32 slots, lists; // numbers of this CPU's first ones
	} now;
	__u32 src; // which of the key is the packet's source
	__u32 way; // of the packet, EBPF_UP or EBPF_DOWN
	__u32 slot; // of the packet's flow
	__u32 index; // a key, or to index by
	__u32 cap_len;
	__u64 packets; // what the frame counts for, see EBPF_SEGMENT
	struct dp_tcp_event event; // of a packet that is looked at closely, else nothing
	struct { // ebpf_follow()'s
		struct dp_flow flow;
		struct dp_flow_rest rest;
	} connection;
	struct { // of frames that are sent
		__u32 tag_be[2]; // the tag that does not stand in it, last; [0] is 0: there is none
		__u32 n_packets; // that it is made of
		__u32 more_bytes; // headers that each of them but the first has besides the frame's
	} sent;
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

/* Of n bytes, so that one comparison says that there are 1 to `room` of them: that n is not 0 is nothing that the
 * verifier of Linux 6.1 remembers. Behind the barrier the compiler passes on what it has compared. */
static __u32 index_of_last(__u32 n)
{
	n--;
	asm volatile("" : "+r"(n));
	return n;
}

/* What is different where a frame is received (ingress.bpf.c) and where one is sent (egress.bpf.c). ctx: as the
 * program has it. */

/* Its lengths and link into w, and its time where that is not for frame_is_counted(). False: it is not for us. */
static bool frame_begin(void *ctx, struct work *w);
/* It is one that a short way is enough for, and was counted. */
static bool frame_is_counted(void *ctx, struct work *w, struct ebpf_ledger *l);
/* Its first n bytes to a place with room for `room`, a constant. False: there are none. */
static bool frame_load(void *ctx, const struct work *w, void *to, __u32 n, __u32 room);
/* The packet was described: what it counts for. */
static void frame_split(void *ctx, struct work *w);
/* How many packets it counts for, and how many bytes of frames. */
static __u32 frame_packets(const struct work *w);
static __u32 frame_wire_bytes(const struct work *w);

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
static bool copy(void *ctx, struct work *w, __u32 n)
{
	return frame_load(ctx, w, w->walk.frame, n, DP_WALK_BYTES);
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

/* Walk the frame and describe its packet in the work area's `found`. Returns enum dp_outcome, as wide as what else stands on
 * the stack (see PART in dataplane/tcp.c). */
static __u64 parse(void *ctx, struct work *w, bool is_ours)
{
	const __u32 cap_len = w->cap_len;
	__u32 n = cap_len < EBPF_PREFIX ? cap_len : EBPF_PREFIX;

	w->found.outcome = DP_OUTCOME_TRUNCATED;
	w->found.refused = DP_REFUSED_NONE;
	w->walk.vlans.n = 0;
	if (!is_ours || !copy(ctx, w, n))
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
	if (w->found.outcome == DP_OUTCOME_ACCOUNTED) {
		dp_packet_fields(&w->walk, w->frame.wire_len, &w->found.pkt);
		frame_split(ctx, w);
	}
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

/* A frame that is kept. */
static void count(struct ebpf_ledger *l, struct work *w, int outcome)
{
	*(volatile __u32 *)&w->index = (__u32)
		outcome; // a number the verifier knows nothing of, see as_index()
	l->wire_bytes += frame_wire_bytes(w);
	l->frames[dp_below(*(volatile __u32 *)&w->index, EBPF_OUTCOMES)]++;
	if (outcome == DP_OUTCOME_ACCOUNTED) {
		l->packets += frame_packets(w);
		l->up_packets += w->way == EBPF_UP ? frame_packets(w) : 0;
		l->ip_bytes += w->found.pkt.ip_bytes;
	}
	if (outcome != DP_OUTCOME_IGNORED &&
		(w->found.refused != DP_REFUSED_NONE ||
			(w->found.outcome == DP_OUTCOME_ACCOUNTED && w->found.pkt.encaps != 0)))
		(void)ebpf_count_encaps();
}

#include "ebpf/flow.bpf.h"
#include "ebpf/ignore.bpf.h"
#include "ebpf/slot.bpf.h"
#include "ebpf/tcp.bpf.h"
#include "ebpf/up.bpf.h"

#include "ebpf/take.bpf.h"

/* Returns HANDED_UP, or the frame's enum dp_outcome. */
static int take(void *ctx, struct work *w, struct ebpf_ledger *l, bool is_ours)
{
	const __u64 outcome = parse(ctx, w, is_ours);

	l->walked_again += w->found.walked > 1;
	if (is_ignored(w, outcome))
		return DP_OUTCOME_IGNORED;
	return outcome == DP_OUTCOME_ACCOUNTED ? take_packet(ctx, w, l) : (int)outcome;
}

/* A frame that is received or sent. */
static void see(void *ctx)
{
	struct ebpf_ledger *l = this_ledger();
	struct work *w = this_work();
	bool is_ours;
	int outcome;

	if (w == NULL || l == NULL)
		return;
	is_ours = frame_begin(ctx, w);
	if (is_ours && frame_is_counted(ctx, w, l))
		return;
	outcome = take(ctx, w, l, is_ours);
	l->received++;
	if (outcome == HANDED_UP)
		l->handed++;
	else
		count(l, w, outcome);
}
