// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/datagram.h"

#include "dataplane/datagram_state.h"

/* Fragments that may wait in one datagram. Repetitions that are not dropped wait like any other, so
 * without a bound their sums would have none either. Start value. */
enum { WAITING_MAX = 4 * DP_DATAGRAM_FRAGMENTS_MAX };

/* --- sums ------------------------------------------------------------------------------------ */

/* A capture file may claim any length of a frame. */
static uint32_t sum_of(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void set_held(struct dp_datagrams *d, uint64_t n_frames)
{
	atomic_store_explicit(&d->counters.held, n_frames, memory_order_relaxed);
}

static void let_wait(struct dp_datagrams *d, struct dp_datagram_entry *e, const struct dp_pkt *frag)
{
	struct dp_datagram_sum *s = &e->waiting;

	s->n_frames = sum_of(s->n_frames, frag->n_frames);
	s->n_packets = sum_of(s->n_packets, frag->n_packets);
	s->ip_bytes = sum_of(s->ip_bytes, frag->ip_bytes);
	s->wire_bytes = sum_of(s->wire_bytes, frag->wire_bytes);
	set_held(d, dp_counter_get(&d->counters.held) + frag->n_frames);
}

/* All that waits in e goes into *pkt. */
static void settle(struct dp_datagrams *d, struct dp_datagram_entry *e, struct dp_pkt *pkt)
{
	const struct dp_datagram_sum *s = &e->waiting;

	pkt->tuple = e->carrier.tuple;
	pkt->flags |= e->carrier.flags;
	pkt->n_frames = s->n_frames;
	pkt->n_packets = s->n_packets;
	pkt->ip_bytes = s->ip_bytes;
	pkt->wire_bytes = s->wire_bytes;
	set_held(d, dp_counter_get(&d->counters.held) - s->n_frames);
	e->waiting = (struct dp_datagram_sum){0};
}

/* --- a fragment ------------------------------------------------------------------------------ */

static struct dp_datagram_key key_of(const struct dp_walk *w)
{
	const bool is_ipv6 = w->frame[w->ip.off] >> 4 == 6;

	return (struct dp_datagram_key){
		.src = w->ip.src,
		.dst = w->ip.dst,
		.id = w->ip.frag_id,
		.proto = is_ipv6 ? 0 : w->ip.proto,
		.is_ipv6 = is_ipv6,
	};
}

/* Extension headers behind the Fragment header hide the ports until the datagram is whole. In IPv4 the
 * same numbers are protocols without ports. */
static bool hides_l4(const struct dp_walk *w)
{
	return dp_is_ipv6_ext(w->ip.proto);
}

/* The entry of the fragment's datagram. What comes behind a datagram that became whole is a
 * repetition, or its number is in use again: gateways send more than 65536 in a datagram's timeout
 * (RFC 4963). A repetition of a tunnel that is not to be dropped is opened as its first copy was. */
static struct dp_datagram_entry *entry_of(struct dp_datagrams *d, const struct dp_walk *w,
	const struct dp_pkt *frag, const struct dp_piece *piece)
{
	const struct dp_datagram_key key = key_of(w);
	struct dp_datagram_entry *e = dp_datagram_find(d, &key);

	if (e == NULL) {
		e = dp_datagram_begin(d, &key, frag->time_ns);
		e->carrier = *frag;
		return e;
	}
	if (!e->is_whole)
		return e;

	const bool is_repeated = dp_ranges_has(&e->ranges, piece);

	if (is_repeated && (e->kind == DP_DATAGRAM_PLAIN || d->cfg.drops_repeated))
		return e;
	if (is_repeated)
		dp_count(&d->counters.repeated, 1);
	else
		e->carrier = *frag;
	dp_datagram_begin_again(d, e, frag->time_ns);
	return e;
}

/* Remember where the fragment lies and what it holds. */
static void keep(struct dp_datagrams *d, struct dp_datagram_entry *e, const struct dp_walk *w,
	const struct dp_piece *piece, enum dp_range range)
{
	if (range == DP_RANGE_CONTRADICTED)
		dp_datagram_give_up(d, e, &d->counters.overlapped);
	if (range == DP_RANGE_FULL)
		dp_datagram_give_up(d, e, &d->counters.crowded);
	if (e->is_given_up || range != DP_RANGE_NEW)
		return;
	if (e->buffer == 0)
		dp_datagram_take_buffer(d, e);
	if (!dp_datagram_keep(&d->buffers[e->buffer], w, piece))
		dp_datagram_give_up(d, e, &d->counters.crowded);
}

/* What is known of the datagram with this fragment. */
static void learn(struct dp_datagram_entry *e, const struct dp_walk *w, const struct dp_pkt *frag)
{
	const bool is_first = w->ip.frag_off == 0;

	if (is_first && e->kind == DP_DATAGRAM_UNKNOWN) {
		e->carrier = *frag;
		e->kind = dp_walk_is_tunnel(w) || hides_l4(w) ? DP_DATAGRAM_TUNNEL
							      : DP_DATAGRAM_PLAIN;
	} else if (is_first && e->kind == DP_DATAGRAM_PLAIN) {
		e->carrier = *frag; // another first one: the flow of what follows is its own
	}
	if (e->kind == DP_DATAGRAM_TUNNEL && e->is_given_up)
		e->kind = DP_DATAGRAM_PLAIN;
}

/* Every byte has come. False when they make no datagram after all. */
static bool finish(struct dp_datagrams *d, struct dp_datagram_entry *e, const struct dp_pkt *frag,
	struct dp_datagram_whole *ret_whole)
{
	if (!dp_datagram_seal(&d->buffers[e->buffer], e->ranges.total, ret_whole)) {
		dp_datagram_give_up(d, e, &d->counters.overlapped);
		return false;
	}
	dp_datagram_lend_buffer(d, e);
	e->is_whole = true;
	dp_count(&d->counters.rebuilt, 1);
	ret_whole->is_tunnel = e->kind == DP_DATAGRAM_TUNNEL;
	ret_whole->credit = *frag;
	settle(d, e, &ret_whole->credit);
	return true;
}

/* The fragment waits with the others, or all of them go to the flow that carries them. */
static enum dp_datagram hold_or_credit(struct dp_datagrams *d, struct dp_datagram_entry *e,
	const struct dp_walk *w, const struct dp_pkt *frag, struct dp_pkt *ret_pkt)
{
	if (e->kind != DP_DATAGRAM_PLAIN) {
		if (e->waiting.n_packets < WAITING_MAX)
			return DP_DATAGRAM_HELD;
		dp_datagram_give_up(d, e, &d->counters.crowded);
		learn(e, w, frag);
	}
	*ret_pkt = *frag;
	settle(d, e, ret_pkt);
	return DP_DATAGRAM_CREDIT;
}

static enum dp_datagram add(struct dp_datagrams *d, const struct dp_walk *w,
	const struct dp_pkt *frag, struct dp_pkt *ret_pkt, struct dp_datagram_whole *ret_whole)
{
	const struct dp_piece piece = dp_datagram_piece(w);
	struct dp_datagram_entry *e = entry_of(d, w, frag, &piece);
	const enum dp_range range = dp_ranges_add(&e->ranges, &piece);

	if (range == DP_RANGE_REPEATED) {
		dp_count(&d->counters.repeated, 1);
		if (d->cfg.drops_repeated)
			return DP_DATAGRAM_REPEATED;
	}
	keep(d, e, w, &piece, range);
	learn(e, w, frag);
	let_wait(d, e, frag);
	if (!e->is_whole && !e->is_given_up && dp_ranges_are_whole(&e->ranges)) {
		if (finish(d, e, frag, ret_whole))
			return DP_DATAGRAM_WHOLE;
		learn(e, w, frag);
	}
	return hold_or_credit(d, e, w, frag, ret_pkt);
}

enum dp_datagram dp_datagrams_add(struct dp_datagrams *d, const struct dp_walk *w,
	const struct dp_pkt *frag, struct dp_pkt *ret_pkt, struct dp_datagram_whole *ret_whole)
{
	const uint32_t lent = d->lent; // the fragment may lie in it
	enum dp_datagram r;

	dp_count(&d->counters.fragments, 1);
	r = add(d, w, frag, ret_pkt, ret_whole);
	dp_datagram_put_lent(d, lent);
	return r;
}

/* --- those that are over --------------------------------------------------------------------- */

static bool is_over(
	const struct dp_datagrams *d, const struct dp_datagram_entry *e, uint64_t now_ns)
{
	return now_ns == UINT64_MAX ||
		(now_ns > e->begin_ns && now_ns - e->begin_ns >= d->cfg.timeout_ns);
}

/* e goes. Whether it leaves something to credit. */
static bool end(struct dp_datagrams *d, struct dp_datagram_entry *e, dp_counter *reason,
	struct dp_pkt *ret_pkt)
{
	const bool has_waiting = e->waiting.n_frames > 0;

	if (!e->is_whole)
		dp_datagram_give_up(d, e, reason);
	if (has_waiting) {
		*ret_pkt = (struct dp_pkt){.endpoint = e->carrier.endpoint,
			.time_ns = d->now_ns,
			.encaps = e->carrier.encaps};
		settle(d, e, ret_pkt);
	}
	dp_datagram_remove(d, e);
	return has_waiting;
}

bool dp_datagrams_next(struct dp_datagrams *d, uint64_t now_ns, struct dp_pkt *ret_pkt)
{
	struct dp_datagram_entry *e;

	dp_datagram_put_lent(d, d->lent);
	if (now_ns != UINT64_MAX && now_ns > d->now_ns)
		d->now_ns = now_ns;
	while ((e = dp_datagram_oldest(d)) != NULL) {
		const bool is_late = is_over(d, e, now_ns);

		if (!is_late && d->n_used <= d->cfg.n_datagrams)
			return false;
		if (end(d, e, is_late ? &d->counters.expired : &d->counters.evicted, ret_pkt))
			return true;
	}
	return false;
}

const struct dp_datagram_counters *dp_datagrams_counters(const struct dp_datagrams *d)
{
	return &d->counters;
}
