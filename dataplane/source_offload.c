// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/receiver.h"
#include "dataplane/source.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <stdlib.h>

/* Live, ticks end so much later than they do: until then what was received in them has been counted, whichever
 * CPU was in the middle of it. Start value. */
static const uint64_t GRACE_NS = 5000000;

enum {
	RUNS = 1024
}; // frames of a replay between two looks at what else there is to do: start value

static_assert(sizeof(struct dp_offload_head) <= RTE_PKTMBUF_HEADROOM);

struct source_offload {
	struct dp_source base;
	struct dp_offload_source cfg;
	struct rte_mbuf *small, *wide; // for the next frame
	struct rte_mbuf *got; // what became of one of them
	uint64_t last_ns; // of what was handed on: time does not run backwards
	uint64_t tick_end_ns; // live: the first instant behind the tick in which frames are taken
	bool is_open; // the offload's port
	// Of a replay: frames of the captures that are to run.
	struct {
		struct rte_mbuf *mbufs[DP_BURST];
		uint16_t n, next;
		enum dp_poll poll; // behind them
		uint64_t tick_end_ns; // the first instant behind the tick that runs
	} run;
};

/* --- a frame that was handed up --------------------------------------------------------------- */

/* Room for whatever comes next. False: later. */
static bool has_room(struct source_offload *s)
{
	if (s->small == NULL)
		s->small = rte_pktmbuf_alloc(s->cfg.pool);
	if (s->wide == NULL)
		s->wide = rte_pktmbuf_alloc(s->cfg.wide);
	return s->small != NULL && s->wide != NULL;
}

static struct rte_mbuf *take_room(struct source_offload *s, uint32_t len)
{
	struct rte_mbuf **m = len <= rte_pktmbuf_tailroom(s->small) ? &s->small : &s->wide;
	struct rte_mbuf *taken = *m;

	*m = NULL;
	return taken;
}

/* Live: what comes from here on has that time, or a later one. */
static void go_on_to(struct source_offload *s, uint64_t time_ns)
{
	if (time_ns > s->last_ns)
		s->last_ns = time_ns;
	if (s->cfg.captures != NULL || s->last_ns < s->tick_end_ns)
		return;
	s->tick_end_ns = s->last_ns / s->cfg.tick_ns * s->cfg.tick_ns;
	s->cfg.offload->ops->mark(s->cfg.offload->self, s->cfg.port, s->tick_end_ns);
	s->tick_end_ns += s->cfg.tick_ns;
}

static void put_frame(void *ctx, const struct dp_offload_frame *frame)
{
	struct source_offload *s = ctx;
	struct rte_mbuf *m = take_room(s, frame->cap_len);
	const uint16_t len = (uint16_t)RTE_MIN(frame->cap_len, rte_pktmbuf_tailroom(m));
	struct dp_pkt *p = rte_mbuf_to_priv(m);

	memcpy(rte_pktmbuf_append(m, len), frame->data, len);
	if (frame->handed != DP_HANDED_PLAIN)
		memcpy(m->buf_addr, &frame->head, sizeof(frame->head));
	go_on_to(s, frame->time_ns);
	p->time_ns = s->last_ns;
	p->wire_bytes = frame->wire_len;
	p->handed = frame->handed;
	s->base.link = frame->link;
	s->got = m;
}

/* The next one that waits, or NULL: there is none, or no room for it. */
static struct rte_mbuf *take_next(struct source_offload *s)
{
	s->got = NULL;
	if (!has_room(s))
		return NULL;
	(void)s->cfg.offload->ops->take(s->cfg.offload->self, s->cfg.port, put_frame, s);
	return s->got;
}

/* --- live -------------------------------------------------------------------------------------- */

static enum dp_poll live_poll(
	struct dp_source *base, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	struct source_offload *s = (struct source_offload *)base;
	const uint64_t now_ns = dp_event_now_ns(s->cfg.offset_ns);
	uint16_t n = 0;

	while (n < max) {
		mbufs[n] = take_next(s);
		if (mbufs[n] == NULL)
			break;
		n++;
	}
	*ret_n = n;
	if (n == max || !has_room(s))
		return DP_POLL_AGAIN;
	base->time_ns = now_ns - GRACE_NS; // all that was handed up until then has been taken
	go_on_to(s, base->time_ns); // by a CPU that was held up for longer, it came now
	return DP_POLL_MORE;
}

/* --- replay ------------------------------------------------------------------------------------ */

/* More frames to run. False: there are none now, or no more at all. */
static bool read_on(struct source_offload *s)
{
	struct dp_source *captures = s->cfg.captures;

	if (s->run.next < s->run.n)
		return true;
	if (s->run.poll != DP_POLL_MORE)
		return false;
	s->run.next = 0;
	s->run.poll = captures->ops->poll(captures, s->run.mbufs, DP_BURST, &s->run.n);
	if (s->run.poll == DP_POLL_BROKEN)
		s->base.err = captures->err;
	return s->run.n > 0;
}

/* Where the next frame begins a tick, its time, for the receiver to close the one before; else 0. */
static uint64_t tick_begins(struct source_offload *s)
{
	const struct dp_pkt *p = rte_mbuf_to_priv(s->run.mbufs[s->run.next]);

	if (p->time_ns < s->run.tick_end_ns)
		return 0;
	s->run.tick_end_ns = (p->time_ns / s->cfg.tick_ns + 1) * s->cfg.tick_ns;
	return p->time_ns;
}

/* Run the next frame. *ret_m: what came up of it, or NULL. Returns 0 or -errno with a sentence. */
static int run_next(struct source_offload *s, struct rte_mbuf **ret_m)
{
	struct rte_mbuf *m = s->run.mbufs[s->run.next++];
	const struct dp_pkt *p = rte_mbuf_to_priv(m);
	const struct dp_capture_record record = {.time_ns = p->time_ns,
		.data = rte_pktmbuf_mtod(m, const uint8_t *),
		.cap_len = RTE_MIN(m->data_len, p->wire_bytes),
		.wire_len = p->wire_bytes,
		.link = s->cfg.captures->link};
	const int r = s->cfg.offload->ops->run(s->cfg.offload->self, &record, &s->base.err);

	s->base.time_ns = record.time_ns; // kept or not: what waits is given up by it, too
	if (r == -EMSGSIZE) {
		s->base.link = record.link;
		*ret_m = m;
		return 0;
	}
	*ret_m = r == 0 ? take_next(s) : NULL;
	rte_pktmbuf_free(m);
	return r;
}

/* What the captures have up to the end of a tick, or to another link type: the receiver parses bursts. */
static int run_burst(struct source_offload *s, struct rte_mbuf **mbufs, uint16_t max, uint16_t *n)
{
	for (int i = 0; i < RUNS && *n < max && has_room(s) && read_on(s); i++) {
		const struct dp_pkt *p = rte_mbuf_to_priv(s->run.mbufs[s->run.next]);
		uint64_t begin_ns;
		int r;

		if (*n > 0 &&
			(p->time_ns >= s->run.tick_end_ns || s->cfg.captures->link != s->base.link))
			break;
		begin_ns = tick_begins(s);
		if (begin_ns != 0) {
			s->base.time_ns = begin_ns;
			break;
		}
		r = run_next(s, &mbufs[*n]);
		if (r < 0)
			return r;
		*n += mbufs[*n] != NULL;
	}
	return 0;
}

static void drop_frames(struct source_offload *s)
{
	for (; s->run.next < s->run.n; s->run.next++)
		rte_pktmbuf_free(s->run.mbufs[s->run.next]);
}

/* Nothing more of the captures. */
static void break_off(struct source_offload *s)
{
	drop_frames(s);
	s->run.poll = DP_POLL_BROKEN;
}

static enum dp_poll replay_poll(
	struct dp_source *base, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	struct source_offload *s = (struct source_offload *)base;

	*ret_n = 0;
	if (run_burst(s, mbufs, max, ret_n) < 0)
		break_off(s);
	if (s->run.next < s->run.n || s->run.poll == DP_POLL_MORE || *ret_n > 0)
		return s->small != NULL && s->wide != NULL ? DP_POLL_AGAIN : DP_POLL_MORE;
	return s->run.poll;
}

/* --- the source -------------------------------------------------------------------------------- */

static void offload_kept(const struct dp_source *base, struct dp_offload_stats *ret_stats)
{
	const struct source_offload *s = (const struct source_offload *)base;

	s->cfg.offload->ops->stats(s->cfg.offload->self, s->cfg.port, ret_stats);
}

static void offload_stats(const struct dp_source *base, struct dp_source_stats *ret_stats)
{
	const struct source_offload *s = (const struct source_offload *)base;
	struct dp_offload_stats kept;

	if (s->cfg.captures != NULL) {
		s->cfg.captures->ops->stats(s->cfg.captures, ret_stats);
		return;
	}
	offload_kept(base, &kept);
	*ret_stats = (struct dp_source_stats){
		.received = kept.received, .is_link_down = kept.is_link_down};
}

static void offload_close(struct dp_source *base)
{
	struct source_offload *s = (struct source_offload *)base;

	if (s->is_open)
		s->cfg.offload->ops->stop(s->cfg.offload->self, s->tick_end_ns);
	drop_frames(s);
	rte_pktmbuf_free(s->small); // NULL is fine
	rte_pktmbuf_free(s->wide);
	dp_source_close(s->cfg.captures);
	free(s);
}

int dp_source_offload_open(const struct dp_offload_source *config, struct dp_source **ret_source,
	struct dp_err *reterr)
{
	static const struct dp_source_ops live = {.poll = live_poll,
		.stats = offload_stats,
		.kept = offload_kept,
		.close = offload_close};
	static const struct dp_source_ops replay = {.poll = replay_poll,
		.stats = offload_stats,
		.kept = offload_kept,
		.close = offload_close};
	struct source_offload *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL) {
		dp_source_close(config->captures);
		return dp_fail(reterr, ENOMEM, "cannot set up the offload's frames: %m");
	}
	s->cfg = *config;
	s->base = (struct dp_source){.ops = config->captures != NULL ? &replay : &live,
		.self = s,
		.link = DP_LINK_ETHERNET,
		.has_time = true};
	r = config->offload->ops->open_port(
		config->offload->self, config->port, config->offset_ns, reterr);
	if (r < 0) {
		offload_close(&s->base);
		return r;
	}
	s->is_open = true;
	*ret_source = &s->base;
	return 0;
}
