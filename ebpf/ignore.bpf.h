// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What of the port's traffic is not ours (dataplane/ignore.h): part of frame.bpf.h. Where nothing is listed the
 * verifier sees that, and drops the code. */

#include "dataplane/ignore.h"

/* Set before the program is loaded. */
const volatile bool ebpf_ignores_vlans = false, ebpf_ignores_nets = false;
const volatile __u64 ebpf_ignored_vlans[DP_VLAN_IDS / 64] = {0}; // as struct dp_ignore's

/* As ebpf_nets. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, DP_IGNORE_NETS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ebpf_net_key);
	__type(value, __u8);
} ebpf_ignored_nets SEC(".maps");

static bool is_ignored_vlan(const struct dp_vlans *vlans)
{
	DP_UNROLLED
	for (__u32 i = 0; i < DP_WALK_VLANS_MAX; i++) {
		const __u32 id = vlans->id[i];

		if (i < vlans->n &&
			(ebpf_ignored_vlans[dp_below(id / 64, DP_VLAN_IDS / 64)] >> (id % 64) &
				1) != 0)
			return true;
	}
	return false;
}

static bool is_ignored_addr(struct work *w, const struct dp_addr *addr)
{
	w->net.prefix_len = 128;
	w->net.addr = *addr;
	return bpf_map_lookup_elem(&ebpf_ignored_nets, &w->net) != NULL;
}

/* Of what parse() found; outcome: the frame's. VLANs count for any frame; addresses for packets, but not for
 * fragments, of which user space knows whom they are credited to. */
static bool is_ignored(struct work *w, int outcome)
{
	if (ebpf_ignores_vlans && is_ignored_vlan(&w->walk.vlans))
		return true;
	return ebpf_ignores_nets && outcome == DP_OUTCOME_ACCOUNTED &&
		(w->found.pkt.flags & DP_PKT_FRAGMENT) == 0 &&
		(is_ignored_addr(w, &w->found.pkt.tuple.src) ||
			is_ignored_addr(w, &w->found.pkt.tuple.dst));
}
