// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Frames on their way up to user space: part of frame.bpf.h. */

/* The size is set before it is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ebpf_samples SEC(".maps");

/* Fill and submit a record with room for `room` bytes of the frame. f: the packet's flow, to begin anew where
 * w->up.is_new says so; NULL: it has none. That is known where this is inlined: before Linux 6.17 the verifier, without
 * CAP_PERFMON, goes through a branch that a NULL excludes, as the processor might. */
static __attribute__((always_inline)) bool submit(
	void *ctx, struct work *w, struct ebpf_sample *s, __u32 room, struct ebpf_flow *f)
{
	const __u32 n = w->cap_len < room ? w->cap_len : room;

	if (s == NULL)
		return false;
	if (!frame_load(ctx, w, s + 1, n, room) ||
		(f != NULL && w->up.is_new != 0 && !flow_begin_anew(w, f, &s->ended))) {
		bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
		return false;
	}
	s->time_ns = w->frame.time_ns;
	s->wire_len = w->frame.wire_len;
	s->cap_len = n;
	s->flow = w->up.flow;
	s->link = (__u8)w->frame.link;
	s->handed = (__u8)w->up.handed;
	s->n_packets = (__u16)frame_packets(w);
	s->event = w->event;
	bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP); // user space polls
	return true;
}

/* Hand the frame up, as w->up says. Sizes of records must be constants to the verifier. False: there was no
 * room, or another CPU changes the flow. */
static __attribute__((always_inline)) bool hand_up(void *ctx, struct work *w, struct ebpf_flow *f)
{
	const __u32 need = w->cap_len + sizeof(struct ebpf_sample);

	if (need <= EBPF_SAMPLE_TINY)
		return submit(ctx, w, bpf_ringbuf_reserve(&ebpf_samples, EBPF_SAMPLE_TINY, 0),
			EBPF_SAMPLE_TINY - sizeof(struct ebpf_sample), f);
	if (need <= EBPF_SAMPLE_SMALL)
		return submit(ctx, w, bpf_ringbuf_reserve(&ebpf_samples, EBPF_SAMPLE_SMALL, 0),
			EBPF_SAMPLE_SMALL - sizeof(struct ebpf_sample), f);
	if (need <= EBPF_SAMPLE_MEDIUM)
		return submit(ctx, w, bpf_ringbuf_reserve(&ebpf_samples, EBPF_SAMPLE_MEDIUM, 0),
			EBPF_SAMPLE_MEDIUM - sizeof(struct ebpf_sample), f);
	return submit(ctx, w, bpf_ringbuf_reserve(&ebpf_samples, EBPF_SAMPLE_LARGE, 0),
		EBPF_SAMPLE_MAX, f);
}
