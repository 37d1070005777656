// SPDX-License-Identifier: BSD-3-Clause

/* Connections that are lost, overtaken and repeated at random, by somebody who knows the truth; then
 * packets that mean nothing at all. */

#include "tests/unit/tcp_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t rng_state;

static uint32_t rnd(uint32_t n) // below n
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(((rng_state >> 32) * n) >> 32);
}

enum { WINDOW_MAX = 12, GAP_NS = 50000 };

/* What the network did to a segment of a window. */
enum fate {
	FATE_PASSED,
	FATE_LOST_BEFORE, // it never came here
	FATE_LOST_BEHIND, // it passed here and did not arrive
	FATE_OVERTAKEN, // it came behind a later one of its window
	FATE_COUNT,
};

/* One direction sends windows, the other acknowledges; then they change. */
struct world {
	struct conn c;
	uint32_t next[2]; // sequence numbers as the hosts know them
	uint64_t rtt_ns[2]; // from here to the host of that direction and back, as it acknowledges
	uint32_t n_retransmitted, n_overtaken, n_rtt;
	uint32_t truth_retransmitted, truth_overtaken;
};

/* Bring a packet here; what is measured must be true to the microsecond. */
static void arrive(struct world *w, unsigned int dir, uint32_t seq, uint32_t n_bytes, uint32_t ack)
{
	const unsigned int what = data(&w->c, dir, seq, ack, n_bytes);

	w->n_retransmitted += (what & DP_TCP_RETRANSMITTED) != 0;
	w->n_overtaken += (what & DP_TCP_OUT_OF_ORDER) != 0;
	if (what != 0)
		assert_int_equal(w->c.event.is_up, dir == UP);
	if ((what & DP_TCP_RTT_DATA) != 0) {
		w->n_rtt++;
		assert_int_equal(w->c.event.rtt_us, w->rtt_ns[dir] / 1000);
		assert_int_equal(w->c.event.is_rtt_of_endpoint, dir == UP);
	}
	assert_int_equal(what & (DP_TCP_RTT_HANDSHAKE | DP_TCP_ZERO_WINDOW | DP_TCP_RESET), 0);
}

struct segment {
	uint32_t seq, n_bytes;
	uint64_t at_ns; // when it passed here the first time; 0: never
	enum fate fate;
};

static void pass_one(struct world *w, unsigned int dir, struct segment *s)
{
	w->c.now_ns += 1000 * (1 + rnd(GAP_NS / 1000));
	s->at_ns = w->c.now_ns;
	arrive(w, dir, s->seq, s->n_bytes, w->next[!dir]);
}

/* Segments in the order in which they come here. Returns the end of the highest. */
static uint32_t pass(struct world *w, unsigned int dir, struct segment *s, unsigned int n)
{
	struct segment *late = NULL;
	uint32_t top = s->seq;

	for (unsigned int i = 0; i < n; i++) {
		if (s[i].fate == FATE_LOST_BEFORE)
			continue;
		if (s[i].fate == FATE_OVERTAKEN && late == NULL) {
			late = &s[i];
			continue;
		}
		if (s[i].fate != FATE_LOST_BEHIND)
			s[i].fate = FATE_PASSED;
		pass_one(w, dir, &s[i]);
		top = s[i].seq + s[i].n_bytes;
		if (late != NULL) {
			w->truth_overtaken++;
			pass_one(w, dir, late);
			late = NULL;
		}
	}
	if (late != NULL) { // nobody was there to overtake it
		pass_one(w, dir, late);
		top = late->seq + late->n_bytes;
	}
	return top;
}

/* The receiver acknowledges what it has in one piece, each arrival at once. */
static void answer(struct world *w, unsigned int dir, const struct segment *s, unsigned int n)
{
	uint64_t whole_ns = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (s[i].fate == FATE_LOST_BEFORE || s[i].fate == FATE_LOST_BEHIND)
			break; // all behind it is acknowledged when it has been sent again
		if (s[i].at_ns > whole_ns)
			whole_ns = s[i].at_ns;
		if (i + 1 < n && s[i + 1].at_ns != 0 && s[i + 1].at_ns < whole_ns)
			continue; // it was waiting: one acknowledgement for both
		w->c.now_ns = whole_ns + w->rtt_ns[!dir];
		arrive(w, !dir, w->next[!dir], 0, s[i].seq + s[i].n_bytes);
	}
}

/* One after the other, each acknowledged with what that completes. Behind top a segment has never been
 * seen here, and nothing that came after it either: for who sits here it is new. */
static void repair(
	struct world *w, unsigned int dir, const struct segment *s, unsigned int n, uint32_t top)
{
	for (unsigned int i = 0; i < n; i++) {
		if (s[i].fate != FATE_LOST_BEFORE && s[i].fate != FATE_LOST_BEHIND)
			continue;
		w->c.now_ns += w->rtt_ns[!dir] + w->rtt_ns[dir] + rnd(300) * 1000000ULL;
		w->truth_retransmitted += (int32_t)(s[i].seq - top) < 0;
		arrive(w, dir, s[i].seq, s[i].n_bytes, w->next[!dir]);
		w->c.now_ns += w->rtt_ns[!dir];
		arrive(w, !dir, w->next[!dir], 0,
			i + 1 < n ? s[i + 1].seq : s[i].seq + s[i].n_bytes);
	}
	arrive(w, !dir, w->next[!dir], 0, w->next[dir]);
}

static void window(struct world *w, unsigned int dir)
{
	const unsigned int n = 1 + rnd(WINDOW_MAX);
	struct segment s[WINDOW_MAX];
	const bool is_rough = rnd(2) == 0;

	for (unsigned int i = 0; i < n; i++) {
		s[i] = (struct segment){.seq = w->next[dir], .n_bytes = 2 + rnd(3000)};
		s[i].fate = is_rough && rnd(4) == 0 ? rnd(FATE_COUNT) : FATE_PASSED;
		w->next[dir] += s[i].n_bytes;
	}
	w->c.now_ns += 5000000 + rnd(400) * 1000000ULL;

	const uint32_t top = pass(w, dir, s, n);

	answer(w, dir, s, n);
	repair(w, dir, s, n, top);
}

static void what_is_counted_is_what_happened(void **)
{
	uint32_t n_retransmitted = 0, n_overtaken = 0, n_rtt = 0;

	for (uint32_t seed = 0; seed < 2000; seed++) {
		struct world w = {.rtt_ns = {0}};

		rng_state = seed;
		w.next[UP] = rnd(2) ? rnd(UINT32_MAX) : 0u - rnd(100000);
		w.next[DOWN] = rnd(2) ? rnd(UINT32_MAX) : INT32_MAX - rnd(100000);
		w.rtt_ns[UP] = 4000000 + rnd(200) * 1000000ULL;
		w.rtt_ns[DOWN] = 4000000 + rnd(100) * 1000000ULL;
		conn_middle(&w.c, w.next[UP], w.next[DOWN]);
		for (int i = 0; i < 60; i++) {
			window(&w, rnd(2));
			assert_int_equal(w.n_retransmitted, w.truth_retransmitted);
			assert_int_equal(w.n_overtaken, w.truth_overtaken);
			assert_int_equal(w.c.flow.next_seq[UP], w.next[UP]);
			assert_int_equal(w.c.flow.next_seq[DOWN], w.next[DOWN]);
		}
		n_retransmitted += w.n_retransmitted;
		n_overtaken += w.n_overtaken;
		n_rtt += w.n_rtt;
	}
	print_message("%u retransmitted, %u overtaken, %u round trips\n", n_retransmitted,
		n_overtaken, n_rtt);
	assert_true(n_retransmitted > 10000 && n_overtaken > 10000 && n_rtt > 10000);
}

/* Near what is known, or anywhere. */
static uint32_t number(uint32_t near)
{
	static const uint32_t steps[] = {0, 1, 1460, 65535, 1 << 24, (1 << 24) + 1, 1u << 31};

	switch (rnd(4)) {
	case 0:
		return near;
	case 1:
		return near + steps[rnd(7)];
	case 2:
		return near - steps[rnd(7)];
	default:
		return rnd(UINT32_MAX);
	}
}

static void noise(struct conn *c)
{
	static const uint64_t waits[] = {0, 1, 1000, 3000000, 1000000000, 1ULL << 30, 1ULL << 62};
	static const uint32_t sizes[] = {0, 0, 1, 1460, 65535, UINT32_MAX};
	const unsigned int dir = rnd(2);
	const struct dp_flow before = c->flow;
	const unsigned int ours = DP_FLOW_SCRATCH | DP_FLOW_SCRATCH_DIR | DP_FLOW_LOOK;
	const bool is_stage = (before.flags & DP_FLOW_SCRATCH) == DP_SCRATCH_STAGE;
	const struct dp_flow_rest rest = c->rest;
	const struct dp_pkt p = {.time_ns = c->now_ns,
		.tcp_flags = rnd(4) ? DP_TCP_ACK : (uint8_t)rnd(256),
		.payload_bytes = sizes[rnd(6)],
		.tcp_seq = number(before.next_seq[dir]),
		.tcp_ack = number(before.next_seq[!dir]),
		.tcp_window = (uint16_t)(rnd(3) ? 1000 : 0)};
	struct dp_tcp_event e;

	memset(&e, 0xa5, sizeof(e)); // all of it is written
	dp_tcp_track(&c->flow, &c->rest, &p, dir, &e);
	assert_true(e.n_segments <= (p.payload_bytes != 0));
	if ((e.what & (DP_TCP_RETRANSMITTED | DP_TCP_OUT_OF_ORDER)) != 0)
		assert_int_equal(e.n_segments, 1);
	assert_int_not_equal(e.what & (DP_TCP_RETRANSMITTED | DP_TCP_OUT_OF_ORDER),
		DP_TCP_RETRANSMITTED | DP_TCP_OUT_OF_ORDER);
	assert_int_equal((e.what & DP_TCP_RESET) != 0 && (p.tcp_flags & DP_TCP_RST) == 0, 0);
	assert_int_equal((e.what & DP_TCP_ZERO_WINDOW) != 0 && p.tcp_window != 0, 0);
	assert_true(e.rtt_us <= 10000000);
	// Only its own is written, and of that nothing the classifier holds.
	assert_int_equal((c->flow.flags ^ before.flags) & ~ours, 0);
	assert_int_equal((c->flow.flags & DP_FLOW_SCRATCH) == DP_SCRATCH_STAGE, is_stage);
	if (is_stage)
		assert_memory_equal(&c->rest, &rest, sizeof(rest));
	c->flow.last_ns = p.time_ns;
	dp_flow_count(&c->flow, dir, 1, 40);
	c->now_ns += rnd(8) ? waits[rnd(4)] : waits[rnd(7)];
}

static void noise_counts_nothing_absurd(void **)
{
	for (uint32_t seed = 0; seed < 3000; seed++) {
		struct conn c;

		rng_state = seed * 77;
		conn_begin(&c);
		memset(&c.rest.scratch, 0xa5, sizeof(c.rest.scratch));
		c.flow.flags |= rnd(2) ? DP_FLOW_SYN_START : 0;
		for (int i = 0; i < 300; i++) {
			if (rnd(50) == 0)
				c.flow.flags = (uint16_t)((c.flow.flags & ~DP_FLOW_SCRATCH) |
					(rnd(2) ? DP_SCRATCH_STAGE : DP_SCRATCH_NONE));
			noise(&c);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_counted_is_what_happened),
		cmocka_unit_test(noise_counts_nothing_absurd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
