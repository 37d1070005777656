// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tcp.h"
#include "dataplane/worker_state.h"

#include <netinet/in.h>
#include <rte_prefetch.h>

static bool has_ports(uint8_t l4_proto)
{
	return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
}

/* A new handshake reuses the flow's ports. */
static bool is_reused(const struct dp_worker *w, uint32_t i, const struct dp_pkt *p)
{
	const struct dp_flow *f = &w->flows.flows[i];

	return dp_is_new_handshake(p, f->life == DP_FLOW_TCP_CLOSED,
		(f->flags & DP_FLOW_SYN_START) != 0, w->flows.rest[i].syn_seq);
}

/* A flow the packet cannot belong to any more: it is over, or its ports are reused. */
static inline __attribute__((always_inline)) bool is_stale(
	const struct dp_worker *w, uint32_t i, const struct dp_pkt *p)
{
	return dp_flow_is_over(&w->flows.flows[i], p->time_ns) || is_reused(w, i, p);
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

	if (dp_is_talk(p))
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
	struct dp_tcp_event event = {0};

	// Without flags the header was cut, and a fragment is no segment.
	if (p->tcp_flags != 0 && (p->flags & DP_PKT_FRAGMENT) == 0)
		dp_tcp_track(f, dp_worker_rest(w, i), p, is_reverse, &event);
	if (event.what != 0)
		dp_usage_tcp(&w->usage, f->usage, w->tick, p->time_ns, &event);
	follow(w, i, p, is_reverse);
	return event.n_segments;
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

static inline __attribute__((always_inline)) bool wants_classifier(
	const struct dp_flow *f, const struct dp_pkt *p)
{
	if ((f->flags & (DP_FLOW_FINAL | DP_FLOW_FRAGMENTS)) != 0)
		return false;
	if ((p->flags & DP_PKT_FRAGMENT) != 0 || p->l3_len == 0)
		return false; // half a datagram misleads the library, and some have left no bytes
	return p->payload_bytes > 0 || !has_ports(p->tuple.l4_proto);
}

/* The packet, m's, is of flow i: the classifier sees it if it wants to, then it is counted. n_segments: as track()
 * says. Inlined twice, as the compiler would not: 50 instructions a packet. */
static inline __attribute__((always_inline)) void count(
	struct dp_worker *w, uint32_t i, struct rte_mbuf *m, bool is_reverse, uint32_t n_segments)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	struct dp_flow *f = dp_worker_flow(w, i);
	// By the flow, as a verdict moves it: an endpoint that talks to itself is the sender of both
	// directions.
	const bool is_down = ((f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0) == is_reverse;

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

static void account(struct dp_worker *w, struct rte_mbuf *m, const struct dp_flow_seek *seek)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	const uint32_t i = flow_of(w, p, seek);

	if (i == DP_FLOW_NONE) {
		dp_count(&w->counters.outcomes[DP_OUTCOME_NO_ROOM], p->n_frames);
		return;
	}

	const bool is_reverse = seek->is_swapped !=
		((dp_worker_flow(w, i)->flags & DP_FLOW_SRC_IS_HIGH) != 0);

	count(w, i, m, is_reverse, track_any(w, i, p, is_reverse));
}

/* A flow of which the offload has said nothing. */
static uint32_t begin(struct dp_worker *w, const struct dp_pkt *p, const struct dp_flow_seek *seek)
{
	const uint32_t i = dp_worker_flow_begin(w, p, seek);

	w->told[i] = (struct dp_worker_told){0};
	return i;
}

/* Whether the packet, which came up as one of `number` (0: plain), is of another flow than i, the last of its tuple.
 * Here not all packets of i may have come by, but there they have: as long as it is the same flow there it is not
 * over. */
static bool is_of_another(struct dp_worker *w, uint32_t i, const struct dp_pkt *p, uint32_t number)
{
	struct dp_offload_counts counts;

	if (number != 0 && number == w->told[i].flow)
		return is_reused(w, i, p);
	if (number == 0 && is_stale(w, i, p))
		dp_worker_offload_look(w, i, &counts);
	return is_stale(w, i, p);
}

/* The packet's flow is another one than i, which is over. */
static uint32_t begin_anew(struct dp_worker *w, uint32_t i, const struct dp_pkt *p, uint32_t number,
	const struct dp_flow_seek *seek)
{
	if (number == 0 || number == w->told[i].flow)
		dp_worker_flow_end_stale(w, i);
	else
		dp_worker_flow_end_handed(w, i);
	return begin(w, p, seek);
}

/* The flow of a packet, with an offload. */
static uint32_t flow_of_handed(
	struct dp_worker *w, struct rte_mbuf *m, const struct dp_flow_seek *seek)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	const struct dp_offload_head *head = m->buf_addr;
	const uint32_t number = p->handed != DP_HANDED_PLAIN ? head->flow : 0;
	uint32_t i = dp_flow_find(&w->flows, seek);

	bool has_ended = (p->handed & DP_HANDED_ENDED) != 0;

	if (i == DP_FLOW_NONE) {
		i = begin(w, p, seek);
	} else {
		if (has_ended && w->told[i].flow != 0) {
			dp_worker_offload_add(w, i, &head->ended, w->tick);
			has_ended = false;
		}
		if (is_of_another(w, i, p, number))
			i = begin_anew(w, i, p, number, seek);
	}
	if (i == DP_FLOW_NONE)
		return i;
	// That one has gone here: what nobody was told of it is this one's, as its endpoint is.
	if (has_ended)
		dp_worker_offload_inherit(w, i, &head->ended);
	if (number != 0 && number != w->told[i].flow)
		w->told[i] = (struct dp_worker_told){.flow = number};
	return i;
}

/* What TCP says in a packet of a flow whose packets do not all come up: how far the connection has come.
 * Returns as track(). */
static uint32_t track_some(struct dp_worker *w, uint32_t i, const struct dp_pkt *p, bool is_reverse)
{
	const bool is_segment = p->tcp_flags != 0 && (p->flags & DP_PKT_FRAGMENT) == 0;

	if (dp_worker_flow(w, i)->l4_proto != IPPROTO_TCP || !is_segment)
		return 0;
	follow(w, i, p, is_reverse);
	return p->payload_bytes > 0;
}

/* What was found out there. */
static void take_event(
	struct dp_worker *w, uint32_t i, const struct dp_pkt *p, struct dp_tcp_event event)
{
	const struct dp_flow *f = dp_worker_flow(w, i);
	const bool has_state = (f->flags & DP_FLOW_SCRATCH) == DP_SCRATCH_STAGE;

	if (has_state || w->told[i].since_ns != 0)
		event = dp_tcp_since(
			event, has_state ? p->time_ns : w->told[i].since_ns, p->time_ns);
	if (event.what != 0)
		dp_usage_tcp(&w->usage, f->usage, w->tick, p->time_ns, &event);
}

/* As track(), of a packet that came up. */
static uint32_t track_handed(struct dp_worker *w, uint32_t i, const struct rte_mbuf *m,
	const struct dp_pkt *p, bool is_reverse)
{
	const struct dp_offload_head *head = m->buf_addr;
	const unsigned int decided = DP_FLOW_FINAL | DP_FLOW_WATCHED;
	uint32_t n_segments;

	// Of one that is not known there all of them come up.
	if ((dp_worker_flow(w, i)->flags & decided) == 0 || w->told[i].flow == 0)
		return track_any(w, i, p, is_reverse);
	n_segments = track_some(w, i, p, is_reverse);
	if (p->handed == DP_HANDED_PLAIN)
		return n_segments;
	take_event(w, i, p, head->event);
	return head->event.n_segments * p->n_packets;
}

/* As account(), with an offload. Apart from it, so that without one nobody pays. */
__attribute__((noinline)) static void account_handed(
	struct dp_worker *w, struct rte_mbuf *m, const struct dp_flow_seek *seek)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	const uint32_t i = flow_of_handed(w, m, seek);

	if (i == DP_FLOW_NONE) {
		dp_count(&w->counters.outcomes[DP_OUTCOME_NO_ROOM], p->n_frames);
		return;
	}

	const bool is_reverse = seek->is_swapped !=
		((dp_worker_flow(w, i)->flags & DP_FLOW_SRC_IS_HIGH) != 0);

	count(w, i, m, is_reverse, track_handed(w, i, m, p, is_reverse));
	dp_worker_offload_mark(w, dp_worker_flow(w, i)->usage, p->time_ns);
	dp_worker_offload_decide(w, i);
	if ((p->handed & DP_HANDED_FOLLOWS) != 0 && w->told[i].entry == 0)
		dp_worker_offload_disown(w, i);
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
	dp_worker_enter_tick(w, p->time_ns); // the first of its tick: marks came before it
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
	const bool has_offload = w->cfg.offload != NULL;
	struct dp_flow_seek seeks[DP_BURST];

	prepare(w, mbufs, n, seeks);
	for (unsigned int i = 0; i < n; i++) {
		struct dp_pkt *p = dp_worker_pkt(mbufs[i]);

		set_time(w, p);
		if ((p->hash & mask) == sample && is_copy(w, mbufs[i]))
			continue;
		if (__builtin_expect(has_offload, 0))
			account_handed(w, mbufs[i], &seeks[i]);
		else
			account(w, mbufs[i], &seeks[i]);
	}
	free_run(mbufs, n);
}
