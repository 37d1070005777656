// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tcp.h"
#include "dataplane/worker_state.h"

#include <netinet/in.h>
#include <rte_prefetch.h>

static bool has_ports(uint8_t l4_proto)
{
	return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
}

/* A flow the packet cannot belong to any more: it is over, or a new handshake reuses its ports. */
static bool is_stale(const struct dp_worker *w, uint32_t i, const struct dp_pkt *p)
{
	const struct dp_flow *f = &w->flows.flows[i];

	if (dp_flow_is_over(f, p->time_ns))
		return true;
	return dp_is_syn(p) &&
		(f->life == DP_FLOW_TCP_CLOSED ||
			((f->flags & DP_FLOW_SYN_START) != 0 &&
				w->flows.rest[i].syn_seq != p->tcp_seq));
}

static uint32_t flow_of(
	struct dp_worker *w, const struct dp_pkt *p, const struct dp_flow_seek *seek)
{
	const uint32_t i = dp_flow_find(&w->flows, seek);

	if (i != DP_FLOW_NONE && !is_stale(w, i, p))
		return i;
	if (i != DP_FLOW_NONE)
		dp_worker_flow_end_stale(w, i);
	return dp_worker_flow_begin(w, p, seek);
}

/* How far a TCP connection has come. */
static void follow(struct dp_worker *w, uint32_t i, const struct dp_pkt *p, bool is_reverse)
{
	const unsigned int both = DP_FLOW_FIN_SRC | DP_FLOW_FIN_DST;
	struct dp_flow *f = dp_worker_flow(w, i);

	if ((p->tcp_flags & (DP_TCP_SYN | DP_TCP_RST | DP_TCP_ACK)) == DP_TCP_ACK)
		f->flags |= DP_FLOW_TALKED;
	if ((p->tcp_flags & (DP_TCP_FIN | DP_TCP_RST)) == 0)
		return;
	if ((p->tcp_flags & DP_TCP_FIN) != 0)
		f->flags |= is_reverse ? DP_FLOW_FIN_DST : DP_FLOW_FIN_SRC;
	if ((p->tcp_flags & DP_TCP_RST) != 0)
		f->flags |= DP_FLOW_RST;
	if (f->life != DP_FLOW_TCP_CLOSED &&
		((f->flags & DP_FLOW_RST) != 0 || (f->flags & both) == both))
		dp_flow_set_life(&w->flows, i, DP_FLOW_TCP_CLOSED);
}

/* A packet of TCP that says more than that the stream goes on. Returns how many segments with data it is,
 * 0 or 1; what else it says of the connection goes to its endpoint. */
__attribute__((noinline)) static uint32_t track(
	struct dp_worker *w, uint32_t i, const struct dp_pkt *p, bool is_reverse)
{
	struct dp_flow *f = dp_worker_flow(w, i);
	struct dp_tcp_event event;
	uint32_t n_segments = 0;

	// Without flags the header was cut, and a fragment is no segment.
	if (p->tcp_flags != 0 && (p->flags & DP_PKT_FRAGMENT) == 0 &&
		dp_tcp_track(f, dp_worker_rest(w, i), p, is_reverse, &n_segments, &event))
		dp_usage_tcp(&w->usage, f->usage, w->tick, p->time_ns, &event);
	follow(w, i, p, is_reverse);
	return n_segments;
}

/* What TCP says, and of most packets that is only that the stream goes on, or nothing: no jump asks for their
 * protocol. Returns as track(). */
static inline uint32_t track_any(
	struct dp_worker *w, uint32_t i, const struct dp_pkt *p, bool is_reverse)
{
	struct dp_flow *f = dp_worker_flow(w, i);
	const unsigned int is_tcp = f->l4_proto == IPPROTO_TCP;
	const unsigned int is_segment = (p->tcp_flags != 0) & ((p->flags & DP_PKT_FRAGMENT) == 0);
	const uint32_t n_bytes = p->payload_bytes & -is_tcp;

	if (__builtin_expect(is_tcp & ~(is_segment & dp_tcp_is_expected(f, p, is_reverse)), 0))
		return track(w, i, p, is_reverse);
	dp_tcp_go_on(f, n_bytes, is_reverse);
	static_assert(DP_FLOW_TALKED == DP_TCP_ACK << 5);
	f->flags |= (uint16_t)((p->tcp_flags & DP_TCP_ACK) << 5);
	return n_bytes != 0;
}

static bool wants_classifier(const struct dp_flow *f, const struct dp_pkt *p)
{
	if ((f->flags & (DP_FLOW_FINAL | DP_FLOW_FRAGMENTS)) != 0)
		return false;
	if ((p->flags & DP_PKT_FRAGMENT) != 0 || p->l3_len == 0)
		return false; // half a datagram misleads the library, and some have left no bytes
	return p->payload_bytes > 0 || !has_ports(p->tuple.l4_proto);
}

static void account(struct dp_worker *w, struct rte_mbuf *m, const struct dp_flow_seek *seek)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	const uint32_t i = flow_of(w, p, seek);

	if (i == DP_FLOW_NONE) {
		dp_count(&w->counters.outcomes[DP_OUTCOME_NO_ROOM], p->n_frames);
		return;
	}

	struct dp_flow *f = dp_worker_flow(w, i);
	const bool is_reverse = seek->is_swapped != ((f->flags & DP_FLOW_SRC_IS_HIGH) != 0);
	// By the flow, as a verdict moves it: an endpoint that talks to itself is the sender of both
	// directions.
	const bool is_down = ((f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0) == is_reverse;
	const uint32_t n_segments = track_any(w, i, p, is_reverse);

	if (wants_classifier(f, p))
		dp_worker_flow_look(w, i, m, is_reverse);
	dp_flow_count(f, is_reverse, p->n_packets, p->ip_bytes);
	f->last_ns = p->time_ns;
	dp_usage_add(&w->usage, f->usage, w->tick, p->time_ns, is_down, p->n_packets, p->ip_bytes,
		n_segments);
	w->round.ip_bytes += p->ip_bytes;
	w->round.n_frames += p->n_frames;
	w->round.n_packets += p->n_packets;
}

/* Whether the packet, of an endpoint whose packets are looked at, is a copy that is to go. It has come as
 * far as its tick, so that one more or less moves nothing else. */
__attribute__((noinline)) static bool is_copy(struct dp_worker *w, struct rte_mbuf *m)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	const bool is_watch = w->cfg.duplicates == DP_DUPLICATES_WATCH;

	if (p->l3_len == 0)
		return false;
	w->round.n_looked++;
	if (!dp_duplicates_seen(
		    w->duplicates, p, rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off)))
		return false;
	// Fragments that waited for this one: whether they came by another port nobody knows.
	if ((p->flags & DP_PKT_FRAGMENT) != 0 && p->n_packets > 1)
		return false;
	w->round.n_copies++;
	if (is_watch)
		return false;
	w->round.n_copied_frames += p->n_frames;
	return true;
}

/* Receivers stamp on their own and rings delay differently, so that a packet may be older than one of
 * another input before it; all behind here counts on one order of time. */
static void set_time(struct dp_worker *w, struct dp_pkt *p)
{
	if (p->time_ns < w->now_ns)
		p->time_ns = w->now_ns;
	w->now_ns = p->time_ns;
	if (p->time_ns < w->tick_end_ns)
		return;
	// The first of its tick: marks came before it.
	w->tick = p->time_ns / w->cfg.tick_ns;
	w->tick_end_ns = (w->tick + 1) * w->cfg.tick_ns;
	dp_usage_open_tick(&w->usage, w->tick);
}

/* Fetch what a run will touch. Nothing is changed: what is found is looked at again when the packet's
 * turn has come. */
static void prepare(struct dp_worker *w, struct rte_mbuf *const *mbufs, unsigned int n,
	struct dp_flow_seek *seeks)
{
	for (unsigned int i = 0; i < n; i++) {
		dp_flow_seek(&dp_worker_pkt(mbufs[i])->tuple, &seeks[i]);
		dp_flow_fetch(&w->flows, &seeks[i]);
	}
	dp_flow_prepare(&w->flows, seeks, n);
	for (unsigned int i = 0; i < n; i++) {
		if (seeks[i].flow != DP_FLOW_NONE)
			dp_usage_prefetch(&w->usage, dp_worker_flow(w, seeks[i].flow)->usage);
	}
}

/* Give them back: most often each is one mbuf, nobody else's, of one pool, with its own bytes, and they go
 * there all at once. Of those nothing behind the first line is looked at (`next` is NULL with one segment). */
static void free_run(struct rte_mbuf **mbufs, unsigned int n)
{
	struct rte_mempool *pool = mbufs[0]->pool;
	bool is_plain = true;

	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = mbufs[i];

		is_plain &= (m->pool == pool) & (m->nb_segs == 1) & (rte_mbuf_refcnt_read(m) == 1) &
			RTE_MBUF_DIRECT(m);
	}
	if (is_plain)
		rte_mempool_put_bulk(pool, (void *const *)mbufs, n);
	else
		rte_pktmbuf_free_bulk(mbufs, n);
}

void dp_worker_take(struct dp_worker *w, struct rte_mbuf **mbufs, unsigned int n)
{
	const uint32_t mask = w->copies_mask, sample = w->copies_sample;
	struct dp_flow_seek seeks[DP_BURST];

	prepare(w, mbufs, n, seeks);
	for (unsigned int i = 0; i < n; i++) {
		struct dp_pkt *p = dp_worker_pkt(mbufs[i]);

		set_time(w, p);
		if ((p->hash & mask) != sample || !is_copy(w, mbufs[i]))
			account(w, mbufs[i], &seeks[i]);
	}
	free_run(mbufs, n);
}
