// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/offload_flows.h"

#include "dataplane/tcp.h"
#include "tests/unit/offload_parts.h"

#include <netinet/in.h>
#include <stdlib.h>

static bool is_same(const struct dp_five_tuple *a, const struct dp_five_tuple *b, bool turned)
{
	const struct dp_addr *src = turned ? &b->dst : &b->src, *dst = turned ? &b->src : &b->dst;

	return a->l4_proto == b->l4_proto && a->sport == (turned ? b->dport : b->sport) &&
		a->dport == (turned ? b->sport : b->dport) && dp_addr_cmp(&a->src, src) == 0 &&
		dp_addr_cmp(&a->dst, dst) == 0;
}

static struct offload_flow **bucket_of(struct offload_flows *t, const struct dp_five_tuple *tuple)
{
	const uint32_t ports = (uint32_t)(tuple->sport ^ tuple->dport) * 0x9e3779b9;
	const uint32_t h = dp_endpoint_hash(&tuple->src) ^ dp_endpoint_hash(&tuple->dst) ^ ports;

	return &t->buckets[(h ^ tuple->l4_proto) % OFFLOAD_FLOW_BUCKETS];
}

static bool is_syn(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == DP_TCP_SYN;
}

struct offload_flow *offload_flow_find(struct offload_flows *t, const struct dp_five_tuple *tuple)
{
	struct offload_flow *f = *bucket_of(t, tuple);

	while (f != NULL && !is_same(&f->tuple, tuple, false) && !is_same(&f->tuple, tuple, true))
		f = f->next;
	return f;
}

void offload_flow_begin_anew(
	struct offload_flows *t, struct offload_flow *f, const struct dp_pkt *p)
{
	*f = (struct offload_flow){.next = f->next,
		.tuple = p->tuple,
		.is_endpoint_src = (p->flags & DP_PKT_UP) != 0,
		.is_syn_start = is_syn(p),
		.syn_seq = p->tcp_seq,
		.number = ++t->n_numbers,
		.last_ns = p->time_ns,
		.connection = {.flags = (p->flags & DP_PKT_UP) != 0 ? DP_FLOW_ENDPOINT_IS_SRC : 0,
			.last_ns = p->time_ns}};
	if (is_syn(p))
		f->connection.flags |= DP_FLOW_SYN_START;
}

struct offload_flow *offload_flow_begin(struct offload_flows *t, const struct dp_pkt *p)
{
	struct offload_flow **bucket = bucket_of(t, &p->tuple);
	struct offload_flow *f = offload_need(malloc(sizeof(*f)));

	if (t->n == t->room) {
		t->room = 2 * t->room + 64;
		t->all = offload_need(realloc(t->all, t->room * sizeof(struct offload_flow *)));
	}
	t->all[t->n++] = f;
	f->next = *bucket;
	*bucket = f;
	offload_flow_begin_anew(t, f, p);
	return f;
}

void offload_flow_forget(struct offload_flows *t, struct offload_flow *f)
{
	struct offload_flow **link = bucket_of(t, &f->tuple);
	size_t i = 0;

	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
	while (t->all[i] != f)
		i++;
	t->all[i] = t->all[--t->n];
	free(f);
}

void offload_flows_fini(struct offload_flows *t)
{
	while (t->n > 0)
		offload_flow_forget(t, t->all[0]);
	free(t->all);
}

static bool has_closed(const struct offload_flow *f)
{
	const uint32_t both = DP_OFFLOAD_FIN_UP | DP_OFFLOAD_FIN_DOWN;

	return (f->tcp & DP_OFFLOAD_RST) != 0 || (f->tcp & both) == both;
}

static enum dp_flow_life life_of(const struct offload_flow *f)
{
	switch (f->tuple.l4_proto) {
	case IPPROTO_TCP:
		return has_closed(f) ? DP_FLOW_TCP_CLOSED : DP_FLOW_TCP;
	case IPPROTO_UDP:
		return DP_FLOW_UDP;
	default:
		return DP_FLOW_OTHER;
	}
}

bool offload_flow_is_over(const struct offload_flow *f, const struct dp_pkt *p)
{
	const uint64_t s = 1000000000;

	if ((f->last_ns / s + 1) * s + dp_flow_life_ns[life_of(f)] <= p->time_ns)
		return true;
	return is_syn(p) && (has_closed(f) || (f->is_syn_start && f->syn_seq != p->tcp_seq));
}

unsigned int offload_flow_way(const struct offload_flow *f, const struct dp_pkt *p)
{
	return is_same(&f->tuple, &p->tuple, false) != f->is_endpoint_src;
}

void offload_flow_follow(struct offload_flow *f, const struct dp_pkt *p)
{
	if (p->time_ns > f->last_ns)
		f->last_ns = p->time_ns;
	if ((p->tcp_flags & (DP_TCP_SYN | DP_TCP_RST | DP_TCP_ACK)) == DP_TCP_ACK)
		f->tcp |= DP_OFFLOAD_TALKED;
	if ((p->tcp_flags & DP_TCP_FIN) != 0)
		f->tcp |= offload_flow_way(f, p) == 0 ? DP_OFFLOAD_FIN_UP : DP_OFFLOAD_FIN_DOWN;
	if ((p->tcp_flags & DP_TCP_RST) != 0)
		f->tcp |= DP_OFFLOAD_RST;
}

struct dp_tcp_event offload_flow_tell(struct offload_flow *f, const struct dp_pkt *p)
{
	const bool is_reverse = !is_same(&f->tuple, &p->tuple, false);
	struct dp_tcp_event event = {0};

	if (p->tuple.l4_proto != IPPROTO_TCP || p->tcp_flags == 0)
		return event;
	dp_tcp_track(&f->connection, &f->connection_rest, p, is_reverse, &event);
	if (dp_is_talk(p))
		f->connection.flags |= DP_FLOW_TALKED;
	dp_flow_count(&f->connection, is_reverse, 1, p->ip_bytes);
	f->connection.last_ns = p->time_ns;
	return event;
}

void offload_flow_drop_round_trip(struct offload_flow *f, uint64_t since_ns)
{
	const unsigned int bits = DP_FLOW_SCRATCH_BITS;
	struct dp_flow *c = &f->connection;
	const unsigned int dir = (c->flags & DP_FLOW_SCRATCH_DIR) != 0;
	const unsigned int has = c->flags & DP_FLOW_SCRATCH;
	const uint32_t begun_us = f->connection_rest.scratch.rtt.us;
	const bool is_handshake = has == DP_SCRATCH_RTT && dp_flow_packets(c, dir) == 1 &&
		(int32_t)(begun_us - (uint32_t)(since_ns / 1000)) > 0;

	if (since_ns != 0 && !dp_tcp_has_turned(since_ns, c->last_ns) && has != DP_SCRATCH_HOLE &&
		!is_handshake)
		c->flags &= (uint16_t)~bits;
}

bool offload_has_payload(const struct dp_pkt *p)
{
	const uint8_t proto = p->tuple.l4_proto;

	return p->payload_bytes > 0 ||
		(proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_SCTP);
}

bool offload_is_signalling(const struct dp_five_tuple *t)
{
	static const uint16_t ports[] = {1645, 1646, 1812, 1813, 2123, 8805};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]) && t->l4_proto == IPPROTO_UDP;
		i++) {
		if (t->sport == ports[i] || t->dport == ports[i])
			return true;
	}
	return false;
}
