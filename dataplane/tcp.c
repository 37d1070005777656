// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tcp.h"

#include "dataplane/walk_step.h"

enum {
	/* Numbers further apart than this are not of one stream's present: sixteen times a window of
	 * 1 MB, more than twice what Linux buffers by default (tcp_rmem, 6 MB). Start value. */
	REACH = 1 << 24,
	/* Data that fills a hole this soon was overtaken by what made the hole: to be sent again it takes
	 * the receiver's word, a round trip later. 3 ms, as Wireshark has it where it knows none; on
	 * short ways the handshake's, which is less. Units of 2^14 ns. */
	OVERTAKEN_SHIFT = 14,
	OVERTAKEN_MAX = 3000000 >> OVERTAKEN_SHIFT,
	/* Start value. Who waits longer for an acknowledgement has sent again (RFC 6298 2: after 1 s,
	 * where nothing slower was measured). So it went another way, or was lost by the mirror. */
	RTT_MAX_US = 10000000,
};

#ifdef __bpf__
/* A function of its own: in one large one numbers go to the stack, where without CAP_PERFMON none of 32 bits may take the
 * place of one of 64. */
#define PART __attribute__((noinline))
#else
#define PART
#endif

/* A packet and what it finds. */
struct step {
	struct dp_flow *f;
	struct dp_flow_rest *rest;
	const struct dp_pkt *p;
	unsigned int dir, other; // 0: from src
	struct dp_tcp_event *event;
};

/* Its direction and the other one, to index by: see dp_below(). */
static unsigned int mine(const struct step *s)
{
	return dp_below(s->dir, 2);
}

static unsigned int theirs(const struct step *s)
{
	return dp_below(s->other, 2);
}

static uint32_t us_of(const struct dp_pkt *p)
{
	return (uint32_t)(p->time_ns / 1000);
}

static uint16_t tick_of(const struct dp_pkt *p)
{
	return (uint16_t)(p->time_ns >> OVERTAKEN_SHIFT);
}

static unsigned int overtaken_ticks(const struct dp_flow *f)
{
	return f->overtaken != 0 ? f->overtaken : OVERTAKEN_MAX;
}

static bool is_far(uint32_t a, uint32_t b)
{
	return a - b + REACH > 2 * (uint32_t)REACH;
}

/* Whether a is behind b, both on the same circle. */
static bool is_behind(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static bool upward(const struct dp_flow *f, unsigned int dir)
{
	return ((f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0) == (dir == 0);
}

static unsigned int scratch_of(const struct dp_flow *f)
{
	return f->flags & DP_FLOW_SCRATCH;
}

static unsigned int scratch_dir(const struct dp_flow *f)
{
	return (f->flags & DP_FLOW_SCRATCH_DIR) != 0;
}

static void set_scratch(struct dp_flow *f, unsigned int what, unsigned int dir)
{
	const unsigned int kept = f->flags & ~(unsigned int)(DP_FLOW_SCRATCH | DP_FLOW_SCRATCH_DIR);

	f->flags = (uint16_t)(kept | what | (dir != 0 ? DP_FLOW_SCRATCH_DIR : 0));
}

/* What was waited for is here, or is given up. */
static void clear_scratch(struct dp_flow *f)
{
	set_scratch(f, DP_SCRATCH_NONE, (f->flags & DP_FLOW_LOOK) != 0);
}

static void stop_looking(struct dp_flow *f)
{
	f->flags &= (uint16_t)~DP_FLOW_LOOK;
}

static bool is_awaited(const struct dp_flow *f, unsigned int dir)
{
	return scratch_of(f) == DP_SCRATCH_RTT && scratch_dir(f) == dir;
}

/* Only the SYN or SYN-ACK of dir has passed. */
static bool is_opening(const struct dp_flow *f, unsigned int dir)
{
	return dp_flow_packets(f, dp_below(dir, 2)) == 1;
}

static void await(struct step *s, uint32_t seq)
{
	set_scratch(s->f, DP_SCRATCH_RTT, s->dir);
	s->rest->scratch.rtt.seq = seq;
	s->rest->scratch.rtt.us = us_of(s->p);
}

/* Whether the packet acknowledges what is awaited from the other side, and nothing never sent. */
static bool is_answer(const struct step *s)
{
	return is_awaited(s->f, s->other) && !is_behind(s->rest->scratch.rtt.seq, s->p->tcp_ack) &&
		!is_behind(s->p->tcp_ack, s->f->next_seq[theirs(s)]);
}

/* Two round trips make that of the handshake: here to one side, here to the other. */
static void learn_overtaken(struct dp_flow *f, uint32_t rtt_us)
{
	const uint64_t ticks = f->overtaken + (rtt_us * 1000ULL >> OVERTAKEN_SHIFT) + 1;

	f->overtaken = (uint8_t)(ticks < OVERTAKEN_MAX ? ticks : OVERTAKEN_MAX);
}

static PART void sample(struct step *s, enum dp_tcp_what what)
{
	s->event->what |= (uint8_t)what;
	s->event->is_rtt_of_endpoint = s->event->is_up; // who acknowledges is who was far away
	s->event->rtt_us = us_of(s->p) - s->rest->scratch.rtt.us;
	if (what == DP_TCP_RTT_HANDSHAKE)
		learn_overtaken(s->f, s->event->rtt_us);
	clear_scratch(s->f);
}

/* Time has passed since the flow's last packet. */
static PART void age(const struct step *s)
{
	struct dp_flow *f = s->f;
	const unsigned int ticks = overtaken_ticks(f);
	// Time that runs backwards is a long time, too: nothing is measured across it.
	const bool is_pause = (s->p->time_ns - f->last_ns) >> OVERTAKEN_SHIFT >= ticks;
	const bool is_period = (s->p->time_ns ^ f->last_ns) >> 30 != 0;

	switch (scratch_of(f)) {
	case DP_SCRATCH_RTT:
		if (us_of(s->p) - s->rest->scratch.rtt.us > RTT_MAX_US)
			clear_scratch(f);
		break;
	case DP_SCRATCH_HOLE: // the pause tells where the tick has come round
		if (is_pause || (uint16_t)(tick_of(s->p) - s->rest->scratch.hole.at) >= ticks)
			clear_scratch(f);
		break;
	case DP_SCRATCH_STAGE:
		if (is_pause)
			stop_looking(f);
		break;
	default:
		if (is_period && f->next_seq[0] != 0 && f->next_seq[1] != 0)
			f->flags = (uint16_t)((f->flags & ~DP_FLOW_SCRATCH_DIR) | DP_FLOW_LOOK);
		break;
	}
}

/* RFC 9293 3.5; data in it RFC 7413. Repeated ones belong to no round trip (Karn). */
static PART void handshake(struct step *s)
{
	struct dp_flow *f = s->f;
	const uint32_t first = s->p->tcp_seq + 1;
	const bool is_answering = (s->p->tcp_flags & DP_TCP_ACK) != 0;

	if (f->next_seq[mine(s)] != 0) {
		if (is_awaited(f, s->dir) && s->rest->scratch.rtt.seq == first)
			clear_scratch(f);
		return;
	}
	if (is_answering && f->next_seq[theirs(s)] != 0 &&
		is_far(s->p->tcp_ack, f->next_seq[theirs(s)]))
		return; // to some other SYN
	f->next_seq[mine(s)] = first + s->p->payload_bytes;
	if (is_answering && is_answer(s) && is_opening(f, s->other))
		sample(s, DP_TCP_RTT_HANDSHAKE);
	if (scratch_of(f) == DP_SCRATCH_NONE && dp_flow_packets(f, mine(s)) == 0)
		await(s, first);
}

/* RFC 9293 3.5.3: as far as can be seen here, it is one that its receiver takes for true. */
static PART void reset(struct step *s)
{
	const struct dp_flow *f = s->f;
	const struct dp_pkt *p = s->p;
	const bool has_ack = (p->tcp_flags & DP_TCP_ACK) != 0;

	if (f->next_seq[mine(s)] != 0) {
		if (is_far(p->tcp_seq, f->next_seq[mine(s)]))
			return;
	} else if (has_ack && f->next_seq[theirs(s)] != 0 &&
		is_far(p->tcp_ack, f->next_seq[theirs(s)])) {
		return;
	}
	s->event->what |= DP_TCP_RESET;
	// Whose first word it is did not send the SYN.
	if ((f->flags & (DP_FLOW_SYN_START | DP_FLOW_TALKED)) == DP_FLOW_SYN_START && has_ack &&
		p->tcp_ack == f->next_seq[theirs(s)] && dp_flow_packets(f, mine(s)) == 0)
		s->event->what |= DP_TCP_HANDSHAKE_FAILED;
}

/* Bytes between next_seq and the packet have not passed. Of several holes the span from the first to the
 * last is kept, as old as the first: it only matters while it is young. */
static PART void missing(struct step *s)
{
	struct dp_flow *f = s->f;
	uint32_t from = f->next_seq[mine(s)], bytes;

	switch (scratch_of(f)) {
	case DP_SCRATCH_STAGE:
		f->flags |= DP_FLOW_LOOK;
		return;
	case DP_SCRATCH_HOLE:
		if (scratch_dir(f) != s->dir)
			return; // the other side's came first
		from = s->rest->scratch.hole.seq;
		break;
	default:
		stop_looking(f);
		set_scratch(f, DP_SCRATCH_HOLE, s->dir);
		s->rest->scratch.hole.seq = from;
		s->rest->scratch.hole.at = tick_of(s->p);
	}
	bytes = s->p->tcp_seq - from;
	s->rest->scratch.hole.bytes = bytes < UINT16_MAX ? (uint16_t)bytes : UINT16_MAX;
}

/* Whether data below next_seq was overtaken by what passed before it. A young hole is what age() left. */
static PART bool is_overtaken(struct step *s)
{
	struct dp_flow *f = s->f;
	const uint32_t n = s->p->payload_bytes;
	const uint32_t off = s->p->tcp_seq - s->rest->scratch.hole.seq;
	const uint32_t room = s->rest->scratch.hole.bytes;

	if (scratch_of(f) == DP_SCRATCH_STAGE) // nobody knows where, but the newest is not missing
		return (f->flags & DP_FLOW_LOOK) != 0 && s->p->tcp_seq + n != f->next_seq[mine(s)];
	if (scratch_of(f) != DP_SCRATCH_HOLE || scratch_dir(f) != s->dir || off > room ||
		n > room - off)
		return false;
	if (off == 0) {
		s->rest->scratch.hole.seq += n;
		s->rest->scratch.hole.bytes = (uint16_t)(room - n);
	} else if (off + n == room) {
		s->rest->scratch.hole.bytes = (uint16_t)off;
	}
	if (s->rest->scratch.hole.bytes == 0)
		clear_scratch(f);
	return true;
}

/* The packet begins below next_seq. */
static PART void below(struct step *s, uint32_t end)
{
	struct dp_flow *f = s->f;
	const uint32_t next = f->next_seq[mine(s)];
	const bool is_old = !is_behind(end, next);

	if (!is_old)
		f->next_seq[mine(s)] = end;
	if (s->p->payload_bytes == 0)
		return; // an acknowledgement that was overtaken, a FIN again, a keep-alive
	if (is_awaited(f, s->dir))
		clear_scratch(f); // Karn
	if (s->p->tcp_seq + 1 == next) {
		// RFC 9293 3.8.4 and 3.8.6.1: a keep-alive or a window probe with a byte, or, longer,
		// what follows a probe.
		if (is_old)
			s->event->n_segments = 0;
		return;
	}
	s->event->what |= is_overtaken(s) ? DP_TCP_OUT_OF_ORDER : DP_TCP_RETRANSMITTED;
}

static PART void acknowledge(struct step *s)
{
	struct dp_flow *f = s->f;

	if (is_awaited(f, s->dir) && is_opening(f, s->dir))
		clear_scratch(f); // it goes on, so its SYN was answered, but not past here
	if (is_answer(s))
		sample(s, is_opening(f, s->other) ? DP_TCP_RTT_HANDSHAKE : DP_TCP_RTT_DATA);
}

/* The first data segment when a round trip is due; two of them a period: a question mostly goes one way
 * and its answer the other. */
static PART void await_data(struct step *s)
{
	struct dp_flow *f = s->f;

	if (scratch_of(f) != DP_SCRATCH_NONE || (f->flags & DP_FLOW_LOOK) == 0 ||
		s->p->payload_bytes == 0)
		return;
	if (scratch_dir(f) != 0)
		stop_looking(f);
	await(s, f->next_seq[mine(s)]);
}

/* Neither number belongs to what is known: bytes were missed, or it is not of this connection. Nothing
 * is counted, and the next packet that does not fit either brings it back. */
static PART void start_anew(struct step *s, uint32_t end, bool is_far_ack)
{
	struct dp_flow *f = s->f;

	f->next_seq[mine(s)] = end;
	if (is_far_ack)
		f->next_seq[theirs(s)] = s->p->tcp_ack;
	stop_looking(f);
	if (scratch_of(f) != DP_SCRATCH_STAGE)
		clear_scratch(f);
}

/* Anything but SYN and RST. */
static PART void segment(struct step *s)
{
	struct dp_flow *f = s->f;
	const struct dp_pkt *p = s->p;
	const uint32_t next = f->next_seq[mine(s)];
	const uint32_t end = p->tcp_seq + p->payload_bytes + ((p->tcp_flags & DP_TCP_FIN) != 0);
	const bool is_far_ack = f->next_seq[theirs(s)] != 0 &&
		is_far(p->tcp_ack, f->next_seq[theirs(s)]);

	if (is_far_ack || (next != 0 && is_far(p->tcp_seq, next))) {
		start_anew(s, end, is_far_ack);
		return;
	}
	if (next != 0 && is_behind(next, p->tcp_seq)) {
		below(s, end);
	} else {
		if (next == 0 && scratch_of(f) == DP_SCRATCH_RTT)
			clear_scratch(f); // the answer to a SYN went another way
		if (next != 0 && p->tcp_seq != next)
			missing(s);
		f->next_seq[mine(s)] = end;
	}
	acknowledge(s);
	if (next != 0 && p->tcp_seq == next)
		await_data(s);
	if (p->tcp_window == 0 && (p->tcp_flags & DP_TCP_FIN) == 0)
		s->event->what |= DP_TCP_ZERO_WINDOW;
}

void dp_tcp_odd(struct dp_flow *f, struct dp_flow_rest *rest, const struct dp_pkt *p,
	bool is_reverse, struct dp_tcp_event *ret_event)
{
	struct step s = {
		.f = f,
		.rest = rest,
		.p = p,
		.dir = is_reverse,
		.other = !is_reverse,
		.event = ret_event,
	};

	*ret_event = (struct dp_tcp_event){
		.n_segments = p->payload_bytes != 0, .is_up = upward(f, is_reverse)};
	if (dp_tcp_is_waiting(f->flags, f->next_seq[mine(&s)], f->last_ns, rest->scratch.rtt.seq,
		    is_opening(f, s.dir), p, is_reverse)) {
		f->next_seq[mine(&s)] += p->payload_bytes;
		return;
	}
	age(&s);
	if ((p->tcp_flags & DP_TCP_RST) != 0) {
		ret_event->n_segments = 0; // RFC 9293 3.5.3: text about the reason at most
		reset(&s);
	} else if ((p->tcp_flags & DP_TCP_SYN) != 0) {
		handshake(&s);
	} else if ((p->tcp_flags & DP_TCP_ACK) != 0) {
		segment(&s);
	} // RFC 9293 3.10.7.4: without ACK nobody takes it
}

bool dp_tcp_end(const struct dp_flow *f, struct dp_tcp_event *ret_event)
{
	if ((f->flags & (DP_FLOW_SYN_START | DP_FLOW_TALKED)) != DP_FLOW_SYN_START ||
		dp_flow_packets(f, 1) != 0)
		return false;
	*ret_event = (struct dp_tcp_event){.what = DP_TCP_HANDSHAKE_FAILED, .is_up = upward(f, 0)};
	return true;
}
