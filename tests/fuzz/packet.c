// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/packet.h"
#include "tests/lib/plain_agrees.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 3 };

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_ip(const struct dp_ip *ip, uint32_t cap_len, uint32_t wire_len)
{
	check(ip->off <= cap_len && ip->cap_bytes <= cap_len - ip->off);
	check(ip->cap_bytes >= 20 && ip->cap_bytes <= ip->bytes);
	check(ip->bytes <= wire_len - ip->off);
	check(ip->is_fragment || (ip->frag_off == 0 && !ip->has_more));
	check(!ip->has_l4 || ip->frag_off == 0);
	check(ip->frag_next_off == 0 || ip->frag_next_off < ip->l4_off - ip->off);
}

static void check_walk(
	const struct dp_walk *w, enum dp_outcome r, uint32_t cap_len, uint32_t wire_len)
{
	struct dp_encap_counters counters = {0};

	check((r == DP_OUTCOME_ACCOUNTED) == (w->n_ip > 0));
	check(r <= DP_OUTCOME_TOO_DEEP);
	check(w->n_ip <= DP_WALK_IP_MAX && w->vlans.n <= DP_WALK_VLANS_MAX);
	check(w->n_steps <= DP_WALK_STEPS_MAX + 1);
	check(w->end <= cap_len && w->wire_end <= wire_len && w->end <= w->wire_end);
	check((w->encaps | w->pending) >> DP_ENCAP_COUNT == 0);
	check(w->refused == DP_REFUSED_NONE ||
		(w->refused < DP_ENCAP_COUNT && w->reason < DP_REFUSAL_COUNT));
	dp_walk_count(w, &counters);
	if (w->n_ip > 0)
		check_ip(&w->ip, cap_len, wire_len);
	else
		check(w->encaps == 0);
}

static struct dp_endpoint_nets nets;

static void check_packet(const struct dp_walk *w, uint32_t wire_len)
{
	struct dp_pkt p = {.time_ns = 1, .hash = 2};

	dp_packet_of(w, &nets, wire_len, &p);
	check(p.time_ns == 1 && p.hash == 2);
	check(p.l3_off == w->ip.off && p.l3_len == w->ip.cap_bytes);
	check(p.ip_bytes == w->ip.bytes && p.wire_bytes == wire_len);
	check(p.payload_bytes <= p.ip_bytes && p.encaps == w->encaps);
	check((p.flags & DP_PKT_HAS_PORTS) != 0 || (p.tuple.sport == 0 && p.tuple.dport == 0));

	const struct dp_endpoint back = dp_endpoint_of(&nets, &p.tuple.dst, &p.tuple.src);

	check(dp_addr_cmp(&back.addr, &p.endpoint) == 0);
	check(back.is_ambiguous == ((p.flags & DP_PKT_AMBIGUOUS) != 0));
}

/* What the receiver does with a datagram whose fragments have come: here the bytes of the fragment
 * itself, its header without a trace of fragments. */
static void check_rebuilt(const struct dp_walk *first)
{
	const struct dp_ip *ip = &first->ip;
	uint8_t *packet = malloc(ip->cap_bytes);
	struct dp_walk w = *first;

	check(packet != NULL);
	memcpy(packet, first->frame + ip->off, ip->cap_bytes);
	if (packet[0] >> 4 == 4)
		packet[6] = packet[7] = 0;
	else if (ip->l4_off - ip->off <= ip->cap_bytes)
		memset(packet + (ip->l4_off - ip->off) - 6, 0, 2);
	(void)dp_walk_is_tunnel(&w);
	check(w.n_ip == first->n_ip && w.off == first->off);

	const enum dp_outcome r = dp_walk_rebuilt(first, packet, ip->cap_bytes, ip->bytes, &w);

	check_walk(&w, r, ip->cap_bytes, ip->bytes);
	if (r == DP_OUTCOME_ACCOUNTED) {
		check(w.n_ip >= first->n_ip && (w.encaps & first->encaps) == first->encaps);
		check_packet(&w, ip->bytes);
	}
	free(packet);
}

/* Byte 0 chooses the link type, 1 and 2 say how many bytes of the frame were not captured; behind
 * them stands the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD_BYTES || size > 65535 + HEAD_BYTES)
		return -1;

	const enum dp_link link = data[0] % DP_LINK_COUNT;
	const uint32_t cap_len = (uint32_t)size - HEAD_BYTES;
	const uint32_t wire_len = cap_len + ((uint32_t)data[1] << 8 | data[2]);
	struct dp_walk w;
	const enum dp_outcome r = dp_walk(data + HEAD_BYTES, cap_len, wire_len, link, &w);
	bool is_plain;

	if (nets.n_nets == 0)
		dp_endpoint_nets_default(&nets);
	check(plain_agrees(data + HEAD_BYTES, cap_len, wire_len, &nets, &is_plain));
	check_walk(&w, r, cap_len, wire_len);
	if (r != DP_OUTCOME_ACCOUNTED)
		return 0;
	check_packet(&w, wire_len);
	if (w.ip.is_fragment && w.ip.has_l4)
		check_rebuilt(&w);
	return 0;
}
