// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

#include <netinet/in.h>

static enum dp_flow_life life_of(const struct dp_flow *f)
{
	const unsigned int both = DP_FLOW_FIN_SRC | DP_FLOW_FIN_DST;

	switch (f->tuple.l4_proto) {
	case IPPROTO_TCP:
		if ((f->flags & DP_FLOW_RST) != 0 || (f->flags & both) == both)
			return DP_FLOW_TCP_CLOSED;
		return DP_FLOW_TCP;
	case IPPROTO_UDP:
		return DP_FLOW_UDP;
	default:
		return DP_FLOW_OTHER;
	}
}

static bool is_syn(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == DP_TCP_SYN;
}

static bool is_syn_ack(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == (DP_TCP_SYN | DP_TCP_ACK);
}

void dp_worker_batch_run(struct dp_worker *w)
{
	struct batch *b = &w->batch;
	uint64_t ip_bytes = 0, n_frames = 0, n_packets = 0;

	if (b->n == 0)
		return;
	if (b->n_items > 0)
		w->stage.ops->burst(w->stage.self, b->items, b->n_items);
	for (uint16_t i = 0; i < b->n; i++) {
		struct dp_flow *f = b->flows[i];
		const struct dp_pkt *p = dp_worker_pkt(b->mbufs[i]);
		bool is_src;

		if (b->item[i] >= 0) {
			f->flags &= (uint16_t)~DP_FLOW_IN_BATCH;
			dp_worker_flow_verdict(
				w, f, &b->items[b->item[i]].verdict, w->tick, p->time_ns);
		}
		f->bytes[b->is_reverse[i]] += p->ip_bytes;
		f->packets[b->is_reverse[i]] += p->n_packets;
		f->counted_ns = p->time_ns;
		// By the flow, as a verdict moves it: an endpoint that talks to itself is the sender
		// of both directions.
		is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;
		dp_usage_add(&w->usage, f->usage, w->tick, p->time_ns,
			is_src == (b->is_reverse[i] != 0), p->n_packets, p->ip_bytes);
		ip_bytes += p->ip_bytes;
		n_frames += p->n_frames;
		n_packets += p->n_packets;
	}
	dp_count(&w->counters.outcomes[DP_OUTCOME_ACCOUNTED], n_frames);
	dp_count(&w->counters.packets, n_packets);
	dp_count(&w->counters.ip_bytes, ip_bytes);
	dp_count(&w->counters.classified_packets, b->n_items);
	rte_pktmbuf_free_bulk(b->mbufs, b->n);
	b->n = 0;
	b->n_items = 0;
}

static bool has_ports(uint8_t l4_proto)
{
	return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
}

/* The table is full. An expiry that the tick being closed owes is no eviction: it would have been
 * over already, had its slice come. Else the flow idle longest goes. */
static void make_room(struct dp_worker *w)
{
	struct dp_flow *owed;

	dp_worker_batch_run(w);
	owed = w->is_closing ? dp_flow_expired(&w->flows, dp_worker_closing_end_ns(w)) : NULL;
	if (owed != NULL) {
		dp_worker_flow_end(w, owed, w->closing_tick);
		return;
	}
	dp_worker_flow_end(w, dp_flow_oldest(&w->flows), w->tick);
	dp_count(&w->counters.flows_evicted, 1);
}

static struct dp_flow *flow_new(struct dp_worker *w, const struct dp_pkt *p, uint32_t hash)
{
	const struct dp_usage_key key = {
		.endpoint = p->endpoint, .is_ambiguous = (p->flags & DP_PKT_AMBIGUOUS) != 0};
	const uint32_t usage = dp_usage_get(&w->usage, &key);
	struct dp_five_tuple tuple = p->tuple;
	bool endpoint_is_src = (p->flags & DP_PKT_UP) != 0;

	if (usage == DP_USAGE_NONE)
		return NULL;
	if (is_syn_ack(p)) {
		tuple = (struct dp_five_tuple){.src = p->tuple.dst,
			.dst = p->tuple.src,
			.sport = p->tuple.dport,
			.dport = p->tuple.sport,
			.l4_proto = p->tuple.l4_proto};
		endpoint_is_src = !endpoint_is_src;
	}

	struct dp_flow *f = dp_flow_add(&w->flows, &tuple, hash, DP_FLOW_OTHER, p->time_ns);

	if (f == NULL) {
		make_room(w);
		f = dp_flow_add(&w->flows, &tuple, hash, DP_FLOW_OTHER, p->time_ns);
	}
	f->usage = usage;
	f->flags = (uint16_t)((endpoint_is_src ? DP_FLOW_ENDPOINT_IS_SRC : 0) |
		(key.is_ambiguous ? DP_FLOW_AMBIGUOUS : 0) | (is_syn(p) ? DP_FLOW_SYN_START : 0));
	if ((p->flags & DP_PKT_FRAGMENT) != 0 && (p->flags & DP_PKT_HAS_PORTS) == 0 &&
		has_ports(p->tuple.l4_proto))
		f->flags |= DP_FLOW_FRAGMENTS;
	f->syn_seq = p->tcp_seq;
	dp_count(&w->counters.flows, 1);
	return f;
}

/* A flow the packet cannot belong to any more: it is over, or a new handshake reuses its ports. */
static bool is_stale(const struct dp_flow *f, const struct dp_pkt *p)
{
	if (dp_flow_expiry_ns(f) <= p->time_ns)
		return true;
	return is_syn(p) &&
		(f->life == DP_FLOW_TCP_CLOSED ||
			((f->flags & DP_FLOW_SYN_START) != 0 && f->syn_seq != p->tcp_seq));
}

static struct dp_flow *flow_of(struct dp_worker *w, const struct dp_pkt *p, bool *ret_is_reverse)
{
	const uint32_t hash = dp_flow_hash(&p->tuple);
	struct dp_flow *f = dp_flow_find(&w->flows, &p->tuple, hash, ret_is_reverse);

	if (f != NULL && is_stale(f, p)) {
		// An expiry that the tick being closed owes is still that tick's.
		const bool is_owed = w->is_closing &&
			dp_flow_expiry_ns(f) <= dp_worker_closing_end_ns(w);

		dp_worker_batch_run(w);
		dp_worker_flow_end(w, f, is_owed ? w->closing_tick : w->tick);
		f = NULL;
	}
	if (f != NULL)
		return f;
	*ret_is_reverse = is_syn_ack(p);
	return flow_new(w, p, hash);
}

static void track(struct dp_worker *w, struct dp_flow *f, const struct dp_pkt *p, bool is_reverse)
{
	if ((p->tcp_flags & DP_TCP_FIN) != 0)
		f->flags |= is_reverse ? DP_FLOW_FIN_DST : DP_FLOW_FIN_SRC;
	if ((p->tcp_flags & DP_TCP_RST) != 0)
		f->flags |= DP_FLOW_RST;
	if ((p->tcp_flags & (DP_TCP_SYN | DP_TCP_RST | DP_TCP_ACK)) == DP_TCP_ACK)
		f->flags |= DP_FLOW_TALKED;
	f->n_seen += p->n_packets;
	dp_flow_touch(&w->flows, f, life_of(f), p->time_ns);
}

static bool wants_classifier(const struct dp_flow *f, const struct dp_pkt *p)
{
	if ((f->flags & (DP_FLOW_FINAL | DP_FLOW_FRAGMENTS)) != 0)
		return false;
	if ((p->flags & DP_PKT_FRAGMENT) != 0 || p->l3_len == 0)
		return false; // half a datagram misleads the library, and some have left no bytes
	return p->payload_bytes > 0 || !has_ports(p->tuple.l4_proto);
}

void dp_worker_batch_add(struct dp_worker *w, struct rte_mbuf *m)
{
	struct batch *b = &w->batch;
	const struct dp_pkt *p = dp_worker_pkt(m);
	bool is_reverse;
	struct dp_flow *f = flow_of(w, p, &is_reverse);

	if (f == NULL) {
		dp_count(&w->counters.outcomes[DP_OUTCOME_NO_ROOM], p->n_frames);
		rte_pktmbuf_free(m);
		return;
	}
	if ((f->flags & DP_FLOW_IN_BATCH) != 0)
		dp_worker_batch_run(w); // its verdict decides whether this packet is wanted
	track(w, f, p, is_reverse);

	const uint16_t i = b->n++;

	b->mbufs[i] = m;
	b->flows[i] = f;
	b->is_reverse[i] = is_reverse;
	b->item[i] = -1;
	if (!wants_classifier(f, p))
		return;
	b->item[i] = (int16_t)b->n_items;
	b->items[b->n_items++] = (struct dp_stage_item){
		.state = &f->stage_state,
		.tuple = &f->tuple,
		.l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off),
		.l3_len = p->l3_len,
		.n_packets = f->n_seen,
		.time_ns = p->time_ns,
		.server_is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) == 0,
	};
	f->flags |= DP_FLOW_IN_BATCH;
}
