// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What user space says and asks of flows: part of ingress.bpf.c. Programs and not updates of the map, since user
 * space would replace a flow with all that has been counted on it meanwhile. They return 0; -ENOENT: there is no
 * such flow; -EAGAIN: another CPU changes it. */

/* Look for the flow that is meant, and hold it. NULL: *ret says why. */
static struct ebpf_flow *hold(const struct ebpf_verdict *v, int *ret)
{
	struct ebpf_flow_key key = v->key;
	struct ebpf_flow *f = bpf_map_lookup_elem(&ebpf_flows, &key);

	*ret = -ENOENT;
	if (f == NULL)
		return NULL;
	if (!flow_hold(f)) {
		*ret = -EAGAIN;
		return NULL;
	}
	if (v->flow == 0 || v->flow == id_of(f))
		return f;
	flow_leave(f);
	return NULL;
}

static void answer(struct ebpf_verdict *v, const struct dp_offload_counts *c)
{
	v->counts.bytes[0] = c->bytes[0];
	v->counts.bytes[1] = c->bytes[1];
	v->counts.packets[0] = c->packets[0];
	v->counts.packets[1] = c->packets[1];
	v->counts.segments[0] = c->segments[0];
	v->counts.segments[1] = c->segments[1];
	v->counts.last_ns = c->last_ns;
	v->counts.tcp = c->tcp;
}

/* It has been told of what waited. */
static void count_taken(const struct dp_offload_counts *c)
{
	struct ebpf_ledger *l = this_ledger();

	if (l != NULL)
		__sync_fetch_and_add(&l->taken_bytes, c->bytes[0] + c->bytes[1]);
}

/* Set before it is loaded: slots of so many CPUs stand before the row of which this here writes. */
const volatile __u32 ebpf_n_cpus = 1;

/* What waited goes to the slot v->slot: as count_on_slot(), but in a row that is no CPU's. There only the slot's worker
 * counts, by what it asks here. No packet came: it was not active. False: there is no such row. */
static bool move_to_slot(const struct ebpf_verdict *v, const struct dp_offload_counts *c)
{
	const __u32 shift = ebpf_entries_shift, parity = c->last_ns / ebpf_tick_ns % 2;
	const __u32 lists = (ebpf_n_cpus * 2 + (__u32)parity) * ebpf_n_workers;
	__u32 index = (lists << shift) + v->slot;
	struct ebpf_slot *s = bpf_map_lookup_elem(&ebpf_slots, &index);
	struct ebpf_listed *listed;
	struct ebpf_list *list;

	if (s == NULL)
		return false;
	s->bytes[0] += c->bytes[0];
	s->bytes[1] += c->bytes[1];
	s->packets[0] += c->packets[0] + c->segments[0] * EBPF_SEGMENT;
	s->packets[1] += c->packets[1] + c->segments[1] * EBPF_SEGMENT;
	if (s->is_listed != 0) {
		if (c->last_ns > s->last_ns)
			s->last_ns = c->last_ns;
		return true;
	}
	s->last_ns = c->last_ns;
	s->active[0] = 0;
	s->active[1] = 0;
	index = lists + (v->slot >> shift);
	list = bpf_map_lookup_elem(&ebpf_lists, &index);
	if (list == NULL)
		return true;
	index = (index << shift) + ((__u32)list->n & ((1U << shift) - 1));
	listed = bpf_map_lookup_elem(&ebpf_listed, &index);
	if (listed == NULL)
		return true;
	s->is_listed = 1;
	listed->entry = v->slot & ((1U << shift) - 1);
	listed->first_ns = c->last_ns;
	(void)__sync_lock_test_and_set(&list->n, list->n + 1);
	return true;
}

/* What waited on a flow: told, or moved. */
static void settle(const struct ebpf_verdict *v, struct dp_offload_counts *c)
{
	count_taken(c);
	if (v->keeps != 0 && v->slot != EBPF_SLOT_UNDECIDED &&
		(c->packets[0] | c->packets[1] | c->bytes[0] | c->bytes[1]) != 0 &&
		move_to_slot(v, c))
		c->tcp |= DP_OFFLOAD_MOVED;
}

/* What is under way, or due, of what dp_tcp_since() leaves out. */
static void drop_round_trip(const struct ebpf_verdict *v, struct ebpf_flow *f)
{
	const __u32 state = state_flags(f->flags), has = state & DP_FLOW_SCRATCH;
	const __u64 n_before = (state & DP_FLOW_SCRATCH_DIR) != 0 ? packets_before(f, EBPF_DOWN)
								  : packets_before(f, EBPF_UP);
	const bool is_young = (__s32)(f->scratch[1] - (__u32)(v->since_ns / 1000)) > 0;

	if (v->since_ns == 0 || dp_tcp_has_turned(v->since_ns, f->last_ns) ||
		has == DP_SCRATCH_HOLE ||
		(has == DP_SCRATCH_RTT && n_before == 1 && is_young)) // of a handshake
		return;
	__sync_fetch_and_and(&f->flags, ~((__u32)DP_FLOW_SCRATCH_BITS << EBPF_FLOW_STATE_SHIFT));
}

/* As dp_offload_ops.decide. */
SEC("syscall")
int ebpf_decide(struct ebpf_verdict *v)
{
	struct dp_offload_counts c = {0};
	struct ebpf_flow *f;
	bool is_first;
	int r;

	f = hold(v, &r);
	if (f == NULL)
		return r;
	is_first = f->slot == EBPF_SLOT_UNDECIDED;
	if (is_first && v->flow == 0) {
		flow_leave(f);
		return -ENOENT;
	}
	if (v->is_watched != 0)
		__sync_fetch_and_or(&f->flags, EBPF_FLOW_WATCHED);
	else
		__sync_fetch_and_and(&f->flags, ~EBPF_FLOW_WATCHED);
	if (is_first)
		drop_round_trip(v, f);
	(void)__sync_lock_test_and_set(&f->slot, v->slot); // before its words are closed
	c.last_ns = f->last_ns;
	c.tcp = tcp_of(f);
	if (is_first) {
		take_waiting(f, &c, EBPF_CLOSED);
		settle(v, &c);
	}
	flow_leave(f);
	answer(v, &c);
	return 0;
}

/* As dp_offload_ops.look. */
SEC("syscall")
int ebpf_look(struct ebpf_verdict *v)
{
	struct ebpf_flow_key key = v->key;
	struct ebpf_flow *f = bpf_map_lookup_elem(&ebpf_flows, &key);
	struct dp_offload_counts c;

	if (f == NULL || (v->flow != 0 && v->flow != id_of(f)))
		return -ENOENT;
	look_kept(f, &c);
	if (f->slot == EBPF_SLOT_UNDECIDED) {
		c.bytes[0] = f->waiting_bytes[0];
		c.bytes[1] = f->waiting_bytes[1];
		c.packets[0] = f->waiting_packets[0];
		c.packets[1] = f->waiting_packets[1];
		split_packets(&c);
		c.tcp = tcp_of(f);
	}
	answer(v, &c);
	return 0;
}

/* As dp_offload_ops.end. */
SEC("syscall")
int ebpf_end(struct ebpf_verdict *v)
{
	struct ebpf_flow_key key = v->key;
	struct dp_offload_counts c;
	struct ebpf_flow *f;
	int r;

	f = hold(v, &r); // and never leave it: who found it before it goes begins nothing there
	if (f == NULL)
		return r;
	take_waiting(f, &c, EBPF_CLOSED);
	if (f->slot == EBPF_SLOT_UNDECIDED)
		settle(v, &c);
	else
		look_kept(f, &c);
	(void)bpf_map_delete_elem(&ebpf_flows, &key);
	answer(v, &c);
	return 0;
}
