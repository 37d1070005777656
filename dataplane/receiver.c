// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/receiver.h"

#include "dataplane/idle.h"
#include "dataplane/offload.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <time.h>

static const uint64_t END_ADVANCE_NS = 600ULL * 1000000000; // so that sessions and flows end
enum { FRAMES_AHEAD = 4 }; // whose first line is fetched; start value

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t dp_event_offset_ns(uint64_t not_before_ns)
{
	struct timespec ts;
	const uint64_t monotonic = monotonic_ns();
	uint64_t wall;

	(void)clock_gettime(CLOCK_REALTIME, &ts); // cannot fail for this clock
	wall = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	return (wall < not_before_ns ? not_before_ns : wall) - monotonic;
}

uint64_t dp_event_now_ns(uint64_t offset_ns)
{
	return offset_ns + monotonic_ns();
}

static bool is_aborted(const struct dp_receiver_end *end)
{
	return atomic_load_explicit(&end->is_abort, memory_order_relaxed);
}

/* Somebody else has to go on first: control, or a worker, which may be one of this thread. */
static void wait(struct dp_receiver *r, struct dp_idle *idle)
{
	if (r->wait.fn != NULL)
		r->wait.fn(r->wait.ctx, idle);
	else
		dp_idle_wait(idle, r->cfg.sleep_ns);
}

/* --- to the workers -------------------------------------------------------------------------- */

static uint64_t frames_of(struct rte_mbuf *const *mbufs, uint16_t n)
{
	uint64_t n_frames = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

		n_frames += p->n_frames;
	}
	return n_frames;
}

/* A full queue: whether to try again. Live only when this thread's worker has made room. */
static bool waits_for_room(
	struct dp_receiver *r, uint16_t i, const struct dp_receiver_end *end, struct dp_idle *idle)
{
	if (is_aborted(end) || (!r->cfg.waits && r->wait.fn == NULL))
		return false;
	wait(r, idle);
	return r->cfg.waits || rte_ring_free_count(r->queues[i]) > 0;
}

/* Hand the collected packets to worker i. Live, what does not fit is lost and counted. */
static void flush(struct dp_receiver *r, uint16_t i, const struct dp_receiver_end *end)
{
	struct dp_receiver_out *out = &r->out[i];
	struct dp_idle idle = {0};
	uint64_t n_lost = 0;
	uint16_t sent = 0;

	if (out->n == 0)
		return;
	while (sent < out->n) {
		sent += (uint16_t)rte_ring_sp_enqueue_burst(
			r->queues[i], (void *const *)out->mbufs + sent, out->n - sent, NULL);
		if (sent == out->n || !waits_for_room(r, i, end, &idle))
			break;
	}
	if (sent < out->n) {
		n_lost = frames_of(out->mbufs + sent, out->n - sent);
		dp_count(&r->counters.outcomes[DP_OUTCOME_QUEUE_FULL], n_lost);
		rte_pktmbuf_free_bulk(out->mbufs + sent, out->n - sent);
	}
	r->round.n_frames -= n_lost;
	out->n = 0;
}

static void flush_all(struct dp_receiver *r, const struct dp_receiver_end *end)
{
	for (uint16_t i = 0; i < r->n_workers; i++)
		flush(r, i, end);
}

static void count_round(struct dp_receiver *r)
{
	dp_count(&r->counters.handed_on, r->round.n_frames);
	dp_count(&r->counters.ip_bytes, r->round.ip_bytes);
	dp_count(&r->counters.packets, r->round.n_packets);
	dp_count(&r->counters.up_packets, r->round.n_up_packets);
	memset(&r->round, 0, sizeof(r->round));
}

/* Tell every worker that ticks <= tick are complete. A mark is never lost: without it a tick would
 * not close, so a full queue holds the receiver for the moment it takes the worker to make room. */
static void mark(struct dp_receiver *r, uint64_t tick, const struct dp_receiver_end *end)
{
	struct dp_idle idle = {0};

	for (uint16_t i = 0; i < r->n_workers; i++) {
		flush(r, i, end);
		while (rte_ring_sp_enqueue(r->queues[i], dp_mark_make(tick)) != 0) {
			if (is_aborted(end))
				return;
			wait(r, &idle);
		}
	}
	count_round(r);
	r->n_marks++;
	r->last_mark = tick;
	dp_idle_over(&idle);
	while (r->cfg.waits && !is_aborted(end) &&
		atomic_load_explicit(r->drained, memory_order_acquire) + r->cfg.ticks_ahead <
			r->n_marks)
		wait(r, &idle);
}

static void drop(
	struct dp_receiver *r, struct rte_mbuf *m, enum dp_outcome outcome, uint32_t n_frames)
{
	dp_count(&r->counters.outcomes[outcome], n_frames);
	rte_pktmbuf_free(m);
}

static void count_opened(struct dp_receiver *r, uint32_t encaps, uint32_t n_packets)
{
	if (n_packets == 0)
		return;
	for (; encaps != 0; encaps &= encaps - 1)
		dp_count(&r->counters.encaps.opened[__builtin_ctz(encaps)], n_packets);
}

static void split(const struct rte_mbuf *m, struct dp_pkt *p)
{
	const struct dp_offload_head *head = m->buf_addr;

	dp_packet_split(p, head->n_packets);
}

/* m's packet to the worker of its endpoint. */
static inline void put(struct dp_receiver *r, struct rte_mbuf *m, struct dp_pkt *p,
	const struct dp_receiver_end *end)
{
	p->hash = dp_endpoint_hash(&p->endpoint);
	if ((p->handed & DP_HANDED_MERGED) != 0)
		split(m, p);

	const uint16_t i = (uint16_t)((uint64_t)p->hash * r->n_workers >> 32);
	struct dp_receiver_out *out = &r->out[i];

	r->round.n_frames += p->n_frames;
	r->round.ip_bytes += p->ip_bytes;
	r->round.n_packets += p->n_packets;
	r->round.n_up_packets += (p->flags & DP_PKT_UP) != 0 ? p->n_packets : 0;
	out->mbufs[out->n++] = m;
	if (out->n == DP_BURST)
		flush(r, i, end);
}

static bool is_ignored(const struct dp_receiver *r, const struct dp_pkt *p)
{
	return r->cfg.ignore != NULL &&
		dp_ignore_has_addr(r->cfg.ignore, &p->tuple.src, &p->tuple.dst);
}

/* w: of the last frame that m's packet speaks for; NULL: that is over. */
static void hand_on(struct dp_receiver *r, struct rte_mbuf *m, const struct dp_walk *w,
	const struct dp_receiver_end *end)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);

	if (is_ignored(r, p)) {
		drop(r, m, DP_OUTCOME_IGNORED, p->n_frames);
		return;
	}
	if (w != NULL)
		dp_walk_count(w, &r->counters.encaps);
	count_opened(r, p->encaps, p->n_packets - (w != NULL));
	put(r, m, p, end);
}

/* --- room for bytes -------------------------------------------------------------------------- */

/* In a replay as soon as a worker has given one back. NULL: there is none, or we are to stop. */
static struct rte_mbuf *get_mbuf(
	struct dp_receiver *r, struct rte_mempool *pool, const struct dp_receiver_end *end)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct dp_idle idle = {0};

	while (m == NULL && r->cfg.waits && !is_aborted(end)) {
		flush_all(r, end);
		wait(r, &idle);
		m = rte_pktmbuf_alloc(pool);
	}
	return m;
}

/* A frame of several mbufs in one: as much of it as fits. Without room for it, its first mbuf. */
static struct rte_mbuf *join(
	struct dp_receiver *r, struct rte_mbuf *m, const struct dp_receiver_end *end)
{
	struct rte_mbuf *wide = get_mbuf(r, r->cfg.wide, end);

	if (wide == NULL) {
		dp_count(&r->counters.crowded, 1);
		rte_pktmbuf_free(m->next);
		m->next = NULL;
		m->nb_segs = 1;
		m->pkt_len = m->data_len;
		return m;
	}
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
		const uint16_t n = RTE_MIN(s->data_len, rte_pktmbuf_tailroom(wide));

		memcpy(rte_pktmbuf_append(wide, n), rte_pktmbuf_mtod(s, const void *), n);
	}
	memcpy(rte_mbuf_to_priv(wide), rte_mbuf_to_priv(m), sizeof(struct dp_pkt));
	rte_pktmbuf_free(m);
	return wide;
}

/* An mbuf with the packet that m's frame made whole, in m's place: m, when it fits. Without room for
 * its bytes it is accounted, and the classifier does not see it. */
static struct rte_mbuf *carry(struct dp_receiver *r, struct rte_mbuf *m,
	const struct dp_datagram_whole *whole, const struct dp_receiver_end *end)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);
	const uint8_t *l3 = whole->packet + p->l3_off;
	struct rte_mbuf *to = m;

	if (RTE_MBUF_DIRECT(m) && p->l3_len + RTE_PKTMBUF_HEADROOM <= m->buf_len)
		rte_pktmbuf_reset(m);
	else
		to = get_mbuf(r, r->cfg.wide, end);
	p->l3_off = 0;
	if (to == NULL) {
		dp_count(&r->counters.crowded, 1);
		p->flags |= DP_PKT_FRAGMENT;
		p->l3_len = 0;
		return m;
	}
	memcpy(rte_pktmbuf_append(to, (uint16_t)p->l3_len), l3, p->l3_len);
	if (to != m) {
		memcpy(rte_mbuf_to_priv(to), p, sizeof(*p));
		rte_pktmbuf_free(m);
	}
	return to;
}

/* --- from the frame -------------------------------------------------------------------------- */

/* Fragments that waited long enough. */
static void expire(struct dp_receiver *r, uint64_t now_ns, const struct dp_receiver_end *end)
{
	struct dp_pkt p = {0};

	while (dp_datagrams_next(r->datagrams, now_ns, &p)) {
		struct rte_mbuf *m = get_mbuf(r, r->cfg.frames, end);

		if (m == NULL) { // all of them wait in queues
			dp_count(&r->counters.outcomes[DP_OUTCOME_QUEUE_FULL], p.n_frames);
			continue;
		}
		memcpy(rte_mbuf_to_priv(m), &p, sizeof(p));
		hand_on(r, m, NULL, end);
	}
}

static void open_tick(struct dp_receiver *r, uint64_t tick)
{
	r->has_tick = true;
	r->tick = tick;
	r->tick_end_ns = (tick + 1) * r->cfg.tick_ns;
}

static void next_tick(struct dp_receiver *r, uint64_t time_ns, const struct dp_receiver_end *end)
{
	const uint64_t tick = time_ns / r->cfg.tick_ns;

	if (r->has_tick)
		mark(r, tick - 1, end);
	open_tick(r, tick);
	expire(r, time_ns, end);
}

/* Time may stand still or step back within the tick; an older one is not opened again. */
static void enter_tick(struct dp_receiver *r, uint64_t time_ns, const struct dp_receiver_end *end)
{
	r->now_ns = time_ns;
	if (time_ns >= r->tick_end_ns)
		next_tick(r, time_ns, end);
}

void dp_receiver_begin(struct dp_receiver *r, uint64_t now_ns)
{
	r->now_ns = now_ns;
	open_tick(r, now_ns / r->cfg.tick_ns);
}

static bool is_ignored_vlan(const struct dp_receiver *r, const struct dp_vlans *vlans)
{
	return r->cfg.ignore != NULL && dp_ignore_has_vlan(r->cfg.ignore, vlans);
}

static void take_fragment(struct dp_receiver *r, struct rte_mbuf *m, struct dp_walk *w,
	const struct dp_receiver_end *end)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);
	struct dp_datagram_whole whole;
	enum dp_datagram what;

	expire(r, p->time_ns, end);
	what = dp_datagrams_open(r->datagrams, w, p, &whole);
	// It may have tags inside of which no fragment told.
	if (what == DP_DATAGRAM_WHOLE && is_ignored_vlan(r, &w->vlans)) {
		drop(r, m, DP_OUTCOME_IGNORED, p->n_frames);
		return;
	}
	switch (what) {
	case DP_DATAGRAM_HELD:
		rte_pktmbuf_free(m);
		break;
	case DP_DATAGRAM_REPEATED:
		drop(r, m, DP_OUTCOME_DUPLICATE, p->n_frames);
		break;
	case DP_DATAGRAM_CREDIT:
		hand_on(r, m, w, end);
		break;
	case DP_DATAGRAM_WHOLE:
		hand_on(r, carry(r, m, &whole, end), w, end);
		break;
	}
}

/* A frame that is not plain, or is not known to be. */
__attribute__((noinline)) static void take_any(
	struct dp_receiver *r, struct rte_mbuf *m, const struct dp_receiver_end *end)
{
	if (m->nb_segs > 1)
		m = join(r, m, end);

	struct dp_pkt *p = rte_mbuf_to_priv(m);
	const uint32_t cap_len = m->data_len < p->wire_bytes ? m->data_len : p->wire_bytes;
	struct dp_walk w;
	const enum dp_outcome outcome = dp_walk(
		rte_pktmbuf_mtod(m, const uint8_t *), cap_len, p->wire_bytes, r->source->link, &w);

	if (is_ignored_vlan(r, &w.vlans)) {
		drop(r, m, DP_OUTCOME_IGNORED, 1);
		return;
	}
	if (outcome != DP_OUTCOME_ACCOUNTED) {
		dp_walk_count(&w, &r->counters.encaps);
		drop(r, m, outcome, 1);
		return;
	}
	dp_packet_of(&w, r->cfg.nets, p->wire_bytes, p);
	if (w.ip.is_fragment)
		take_fragment(r, m, &w, end);
	else
		hand_on(r, m, &w, end);
}

/* Most frames are plain ones of which nothing is to be ignored. */
static inline void take_frame(
	struct dp_receiver *r, struct rte_mbuf *m, const struct dp_receiver_end *end)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);
	const uint32_t cap_len = m->data_len < p->wire_bytes ? m->data_len : p->wire_bytes;
	struct dp_vlans vlans;

	if (r->source->link != DP_LINK_ETHERNET || m->nb_segs > 1 ||
		!dp_packet_plain(rte_pktmbuf_mtod(m, const uint8_t *), cap_len, p->wire_bytes,
			r->cfg.nets, p, &vlans)) {
		take_any(r, m, end);
	} else if (r->cfg.ignore != NULL && (is_ignored_vlan(r, &vlans) || is_ignored(r, p))) {
		drop(r, m, DP_OUTCOME_IGNORED, 1);
	} else {
		if (p->encaps != 0)
			count_opened(r, p->encaps, 1);
		put(r, m, p, end);
	}
}

/* The last instant that counts, for event time that was read before: where there is no word to end yet, the tick
 * that control names later is later than that; where there is one, a thread that was late stays within it. */
static uint64_t last_instant(const struct dp_receiver *r, const struct dp_receiver_end *end)
{
	const uint64_t at_tick = atomic_load_explicit(&end->at_tick, memory_order_acquire);

	return at_tick != 0 ? (at_tick + 1) * r->cfg.tick_ns - 1 : UINT64_MAX;
}

static void take_burst(struct dp_receiver *r, struct rte_mbuf **mbufs, uint16_t n,
	const struct dp_receiver_end *end)
{
	const bool has_time = r->source->has_time;
	const uint64_t now_ns = has_time ? 0 : dp_event_now_ns(r->offset_ns);
	const uint64_t last_ns = last_instant(r, end), stamp_ns = RTE_MIN(now_ns, last_ns);
	uint64_t wire_bytes = 0;

	dp_count(&r->counters.frames, n);
	if (!has_time)
		enter_tick(r, stamp_ns, end);
	for (uint16_t i = 0; i < n; i++) {
		struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

		if (i + FRAMES_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + FRAMES_AHEAD], const void *));
		p->time_ns = has_time ? RTE_MIN(p->time_ns, last_ns) : stamp_ns;
		if (has_time)
			enter_tick(r, p->time_ns, end);
		wire_bytes += p->wire_bytes;
		take_frame(r, mbufs[i], end);
	}
	dp_count(&r->counters.wire_bytes, wire_bytes);
	flush_all(r, end);
	count_round(r);
	if (r->source->time_ns > r->now_ns)
		enter_tick(r, RTE_MIN(r->source->time_ns, last_ns), end);
}

/* Nothing comes any more. */
static void finish(struct dp_receiver *r, enum dp_poll poll, uint64_t at_tick,
	const struct dp_receiver_end *end)
{
	expire(r, r->now_ns, end);
	expire(r, UINT64_MAX, end);
	if (poll == DP_POLL_END || poll == DP_POLL_BROKEN)
		at_tick = r->tick + END_ADVANCE_NS / r->cfg.tick_ns;
	mark(r, at_tick, end);
	// Release: the sentence is written.
	atomic_store_explicit(&r->is_broken, poll == DP_POLL_BROKEN, memory_order_release);
	atomic_store_explicit(&r->is_done, true, memory_order_release);
}

/* Live, what this thread's worker has no room for is better left to the device. */
static bool may_poll(const struct dp_receiver *r)
{
	return r->cfg.waits || r->wait.fn == NULL || rte_ring_free_count(r->queues[0]) > DP_BURST;
}

/* Live, what the source has when the word to end comes is taken yet. */
static bool goes_on(const struct dp_receiver *r, enum dp_poll poll, uint64_t at_tick)
{
	return (poll == DP_POLL_MORE && at_tick == 0) ||
		(poll == DP_POLL_AGAIN && (at_tick == 0 || !r->cfg.waits));
}

enum dp_step dp_receiver_step(struct dp_receiver *r, const struct dp_receiver_end *end)
{
	const uint64_t n_marks = r->n_marks;
	struct rte_mbuf *mbufs[DP_BURST];
	enum dp_poll poll = DP_POLL_MORE;
	uint64_t at_tick = 0;
	uint16_t n = 0;

	if (!is_aborted(end) && !may_poll(r))
		return DP_STEP_IDLE;
	if (!is_aborted(end)) {
		// Acquire, and before the source is asked: what came until then is found there.
		at_tick = atomic_load_explicit(&end->at_tick, memory_order_acquire);
		poll = r->source->ops->poll(r->source, mbufs, DP_BURST, &n);
		take_burst(r, mbufs, n, end);
	}
	if (goes_on(r, poll, at_tick) && !is_aborted(end))
		return n > 0 || poll == DP_POLL_AGAIN ? DP_STEP_BUSY : DP_STEP_IDLE;
	// Behind a mark the worker may hold this input until the others have marked: what the end
	// hands on had no room then, and who waits for it may keep them from it.
	if (r->n_marks != n_marks && !is_aborted(end))
		return DP_STEP_BUSY;
	finish(r, poll, at_tick, end);
	return DP_STEP_ENDED;
}
