// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/receiver.h"

#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <sched.h>
#include <time.h>

static const uint64_t END_ADVANCE_NS = 600ULL * 1000000000; // so that sessions and flows end
enum { TICKS_AHEAD = 2 };

static void idle(const struct dp_receiver *r)
{
	if (r->cfg.yields)
		(void)sched_yield();
	else
		rte_pause();
}

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

/* Packets that worker i's queue had no room for. Returns their frames. */
static uint32_t drop(struct dp_receiver *r, struct rte_mbuf **mbufs, uint16_t n)
{
	uint32_t n_frames = 0;

	for (uint16_t i = 0; i < n; i++)
		n_frames += ((const struct dp_pkt *)rte_mbuf_to_priv(mbufs[i]))->n_frames;
	dp_count(&r->counters.outcomes[DP_OUTCOME_QUEUE_FULL], n_frames);
	rte_pktmbuf_free_bulk(mbufs, n);
	return n_frames;
}

/* Hand the collected packets to worker i. Live, what does not fit is lost and counted. */
static void flush(struct dp_receiver *r, uint16_t i, const struct dp_receiver_end *end)
{
	uint16_t sent = 0;

	while (sent < r->out[i].n) {
		sent += (uint16_t)rte_ring_sp_enqueue_burst(r->queues[i],
			(void *const *)r->out[i].mbufs + sent, r->out[i].n - sent, NULL);
		if (sent == r->out[i].n || !r->cfg.waits || is_aborted(end))
			break;
		(void)sched_yield();
	}
	if (sent < r->out[i].n)
		r->out[i].n_frames -= drop(r, r->out[i].mbufs + sent, r->out[i].n - sent);
	dp_count(&r->counters.handed_on, r->out[i].n_frames);
	r->out[i].n = 0;
	r->out[i].n_frames = 0;
}

/* Tell every worker that ticks <= tick are complete. A mark is never lost: without it a tick would
 * not close, so a full queue holds the receiver for the moment it takes the worker to make room. */
static void mark(struct dp_receiver *r, uint64_t tick, const struct dp_receiver_end *end)
{
	for (uint16_t i = 0; i < r->n_workers; i++) {
		flush(r, i, end);
		while (rte_ring_sp_enqueue(r->queues[i], dp_mark_make(tick)) != 0) {
			if (is_aborted(end))
				return;
			idle(r);
		}
	}
	r->n_marks++;
	r->last_mark = tick;
	while (r->cfg.waits && !is_aborted(end) &&
		atomic_load_explicit(r->drained, memory_order_acquire) + TICKS_AHEAD < r->n_marks)
		idle(r);
}

static void enter_tick(struct dp_receiver *r, uint64_t time_ns, const struct dp_receiver_end *end)
{
	const uint64_t tick = time_ns / r->cfg.tick_ns;

	if (r->has_tick && tick <= r->tick)
		return;
	if (r->has_tick)
		mark(r, tick - 1, end);
	r->has_tick = true;
	r->tick = tick;
}

static void hand_on(struct dp_receiver *r, struct rte_mbuf *m, const struct dp_receiver_end *end)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);
	const uint32_t cap_len = m->data_len < p->wire_bytes ? m->data_len : p->wire_bytes;
	struct dp_walk w;
	const enum dp_outcome outcome = dp_walk(
		rte_pktmbuf_mtod(m, const uint8_t *), cap_len, p->wire_bytes, r->source->link, &w);

	dp_count(&r->counters.frames, 1);
	dp_count(&r->counters.wire_bytes, p->wire_bytes);
	if (outcome != DP_OUTCOME_ACCOUNTED) {
		dp_count(&r->counters.outcomes[outcome], 1);
		rte_pktmbuf_free(m);
		return;
	}
	dp_packet_of(&w, r->cfg.nets, p->wire_bytes, p);
	dp_count(&r->counters.ip_bytes, p->ip_bytes);
	dp_count(&r->counters.packets, p->n_packets);
	dp_count(&r->counters.up_packets, (p->flags & DP_PKT_UP) != 0 ? p->n_packets : 0);
	dp_walk_count(&w, &r->counters.encaps);
	p->hash = dp_endpoint_hash(&p->endpoint);

	const uint16_t i = (uint16_t)((uint64_t)p->hash * r->n_workers >> 32);

	r->out[i].mbufs[r->out[i].n++] = m;
	r->out[i].n_frames += p->n_frames;
	if (r->out[i].n == DP_BURST)
		flush(r, i, end);
}

/* Event time of a burst. Read before the word to end: where there is none yet, the tick that control
 * names later is later than this; where there is one, a thread that was late stays within it. */
static uint64_t stamp(const struct dp_receiver *r, const struct dp_receiver_end *end)
{
	const uint64_t now_ns = dp_event_now_ns(r->offset_ns);
	const uint64_t at_tick = atomic_load_explicit(&end->at_tick, memory_order_acquire);
	const uint64_t last_ns = (at_tick + 1) * r->cfg.tick_ns - 1;

	return at_tick != 0 && now_ns > last_ns ? last_ns : now_ns;
}

static void hand_on_burst(struct dp_receiver *r, struct rte_mbuf **mbufs, uint16_t n,
	const struct dp_receiver_end *end)
{
	const uint64_t stamp_ns = r->source->has_time ? 0 : stamp(r, end);

	if (!r->source->has_time)
		enter_tick(r, stamp_ns, end);
	for (uint16_t i = 0; i < n; i++) {
		struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

		if (!r->source->has_time)
			p->time_ns = stamp_ns;
		else
			enter_tick(r, p->time_ns, end);
		hand_on(r, mbufs[i], end);
	}
	for (uint16_t i = 0; i < r->n_workers; i++)
		flush(r, i, end);
}

void dp_receiver_run(struct dp_receiver *r, const struct dp_receiver_end *end)
{
	struct rte_mbuf *mbufs[DP_BURST];
	enum dp_poll poll = DP_POLL_MORE;
	uint64_t at_tick = 0;

	while (poll == DP_POLL_MORE && at_tick == 0 && !is_aborted(end)) {
		uint16_t n;

		poll = r->source->ops->poll(r->source, mbufs, DP_BURST, &n);
		hand_on_burst(r, mbufs, n, end);
		if (n == 0)
			idle(r);
		at_tick = atomic_load_explicit(&end->at_tick, memory_order_relaxed);
	}
	if (poll != DP_POLL_MORE)
		at_tick = r->tick + END_ADVANCE_NS / r->cfg.tick_ns;
	mark(r, at_tick, end);
	// Release: the sentence is written.
	atomic_store_explicit(&r->is_broken, poll == DP_POLL_BROKEN, memory_order_release);
	atomic_store_explicit(&r->is_done, true, memory_order_release);
}
