// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What decided flows count on: part of frame.bpf.h. */

/* Set before the program is loaded. */
const volatile __u64 ebpf_tick_ns = 1000000000;
const volatile __u32 ebpf_n_workers = 1, ebpf_entries_shift = 0; // n_entries is a power of two

/* The sizes of these are set before they are loaded; all ports share them. Not per CPU but of all CPUs in a
 * row, since only these can be mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpf_slot);
} ebpf_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpf_told);
} ebpf_told SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpf_list);
} ebpf_lists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpf_listed);
} ebpf_listed SEC(".maps");

/* Another tenth of a second, or another tick: where it is counted. Its result is the verifier's, who wants
 * one. */
GLOBAL int ebpf_turn(void)
{
	struct work *w = this_work();
	__u64 tick, begin, active, from, to;
	__u32 cpu;

	if (w == NULL)
		return 0;
	tick = w->frame.time_ns / ebpf_tick_ns;
	begin = tick * ebpf_tick_ns;
	active = w->frame.time_ns / EBPF_ACTIVE_NS;
	from = active * EBPF_ACTIVE_NS;
	to = from + EBPF_ACTIVE_NS;
	if (from < begin)
		from = begin;
	if (to > begin + ebpf_tick_ns)
		to = begin + ebpf_tick_ns;
	active -= begin / EBPF_ACTIVE_NS; // which of the tick's
	cpu = bpf_get_smp_processor_id();
	w->now.from_ns = from;
	w->now.n_ns = to - from;
	w->now.word = active >= 64;
	w->now.bit = active < 128 ? 1ULL << (active % 64) : 0;
	w->now.lists = (cpu * 2 + tick % 2) * ebpf_n_workers;
	w->now.slots = w->now.lists << ebpf_entries_shift;
	return 0;
}

/* The slot's first packet since user space has read it. All that is counted stands there; what is older than
 * this packet of what does not only grow goes. */
static __attribute__((noinline)) int list_slot(struct work *w, struct ebpf_slot *s)
{
	const __u32 shift = ebpf_entries_shift;
	struct ebpf_listed *listed;
	struct ebpf_list *list;

	w->index = w->now.lists + (w->slot >> shift);
	list = bpf_map_lookup_elem(&ebpf_lists, &w->index);
	if (list == NULL)
		return 0;
	w->index = (w->index << shift) + ((__u32)list->n & ((1U << shift) - 1));
	listed = bpf_map_lookup_elem(&ebpf_listed, &w->index);
	if (listed == NULL)
		return 0;
	s->active[0] = w->now.word == 0 ? w->now.bit : 0;
	s->active[1] = w->now.word == 0 ? 0 : w->now.bit;
	s->is_listed = 1;
	listed->entry = w->slot & ((1U << shift) - 1);
	listed->first_ns = w->frame.time_ns;
	(void)__sync_lock_test_and_set(&list->n, list->n + 1);
	return 0;
}

static void add_rtt(uint64_t *word, __u32 us)
{
	*word += us * EBPF_RTT_US + 1;
}

/* What the packet told, w->event; w->index: the slot's number. */
static __attribute__((noinline)) int tell_slot(struct work *w, struct ebpf_slot *s)
{
	struct ebpf_told *t = bpf_map_lookup_elem(&ebpf_told, &w->index);
	const __u32 what = w->event.what;
	const __u32 way = as_index(w, !w->event.is_up),
		    side = as_index(w, !w->event.is_rtt_of_endpoint);

	if (t == NULL)
		return 0;
	s->n_told++;
	if ((what & DP_TCP_RETRANSMITTED) != 0)
		t->retransmitted[way]++;
	if ((what & DP_TCP_OUT_OF_ORDER) != 0)
		t->out_of_order[way]++;
	if ((what & DP_TCP_ZERO_WINDOW) != 0)
		t->zero_windows[way]++;
	if ((what & DP_TCP_RESET) != 0)
		t->resets[way]++;
	if ((what & DP_TCP_HANDSHAKE_FAILED) != 0)
		t->handshakes_failed++;
	if ((what & DP_TCP_RTT_HANDSHAKE) != 0)
		add_rtt(&t->handshake_rtt[side], w->event.rtt_us);
	if ((what & DP_TCP_RTT_DATA) != 0)
		add_rtt(&t->data_rtt[side], w->event.rtt_us);
	return 0;
}

/* Count on the slot w->slot, and what the packet told. way: see as_index(); packets: see EBPF_SEGMENT. False: there is
 * no such slot. */
static INLINE bool count_on_slot(struct work *w, __u32 way, __u64 packets, __u64 bytes)
{
	struct ebpf_slot *s;

	if (w->frame.time_ns - w->now.from_ns >= w->now.n_ns)
		(void)ebpf_turn();
	w->index = w->now.slots + w->slot;
	s = bpf_map_lookup_elem(&ebpf_slots, &w->index);
	if (s == NULL)
		return false;
	s->bytes[way] += bytes;
	s->last_ns = w->frame.time_ns;
	s->active[dp_below(w->now.word, 2)] |= w->now.bit;
	if (w->event.what != 0)
		(void)tell_slot(w, s);
	// Orders memory, see struct ebpf_slot: where nobody takes its value the compiler chooses one that does not.
	asm volatile("" : : "r"(__sync_fetch_and_add(&s->packets[way], packets)));
	if (*(volatile __u32 *)&s->is_listed == 0)
		(void)list_slot(w, s);
	return true;
}
