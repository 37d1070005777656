// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_wheel.h"

#include <errno.h>
#include <stdlib.h>

enum {
	N_HEADS = DP_FLOW_LIFE_COUNT * DP_FLOW_SECONDS,
	N_WORDS = DP_FLOW_SECONDS / 64,
	OLDEST_STEPS = 16, // flows put where they belong by now, at most, for one that is given up
	OLDEST_SAMPLES = 16, // looked at when that was not enough
};

#define LIFE(id, seconds) [DP_FLOW_##id] = (seconds)*DP_NS_PER_S,
const uint64_t dp_flow_life_ns[DP_FLOW_LIFE_COUNT] = {DP_FLOW_LIVES(LIFE)};
#undef LIFE

static uint64_t life_s(unsigned int life)
{
	return dp_flow_life_ns[life] / DP_NS_PER_S;
}

/* The first second in which the flow is over. */
static uint64_t end_s(const struct dp_flow *f)
{
	return f->last_ns / DP_NS_PER_S + 1 + life_s(f->life);
}

uint64_t dp_flow_expiry_ns(const struct dp_flow *f)
{
	return dp_flow_end_ns(f->last_ns, dp_flow_life_ns[f->life]);
}

static uint32_t put_at(const struct dp_flow *f)
{
	return (uint32_t)(f->last_ns >> 20);
}

static uint32_t head_id(const struct dp_flow_table *t, unsigned int life, uint64_t second)
{
	return t->n_flows + 1 + life * DP_FLOW_SECONDS + (uint32_t)(second % DP_FLOW_SECONDS);
}

static struct dp_flow_link *link_of(const struct dp_flow_table *t, uint32_t id)
{
	return id > t->n_flows ? &t->wheels.heads[id - t->n_flows - 1] : &t->rest[id].wheel;
}

int dp_flow_wheels_init(struct dp_flow_table *t)
{
	t->wheels.heads = calloc(N_HEADS, sizeof(*t->wheels.heads));
	if (t->wheels.heads == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < N_HEADS; i++) {
		const uint32_t id = t->n_flows + 1 + i;

		t->wheels.heads[i] = (struct dp_flow_link){.prev = id, .next = id};
	}
	return 0;
}

void dp_flow_wheels_fini(struct dp_flow_table *t)
{
	free(t->wheels.heads);
}

void dp_flow_wheels_start(struct dp_flow_table *t, uint64_t now_ns)
{
	t->wheels.second = now_ns / DP_NS_PER_S;
}

void dp_flow_wheels_link(struct dp_flow_table *t, uint32_t flow)
{
	struct dp_flow_wheels *w = &t->wheels;
	const unsigned int life = t->flows[flow].life;
	const uint64_t end = end_s(&t->flows[flow]), last = w->second + DP_FLOW_SECONDS - 1;
	const uint64_t second = end < w->second ? w->second : end > last ? last : end;
	const uint32_t head = head_id(t, life, second);
	struct dp_flow_link *h = link_of(t, head);

	t->flows[flow].put_at = put_at(&t->flows[flow]);
	// At the tail: of those that end in one second the first put there goes first.
	t->rest[flow].wheel = (struct dp_flow_link){.prev = h->prev, .next = head};
	link_of(t, h->prev)->next = flow;
	h->prev = flow;
	w->is_used[life][second % DP_FLOW_SECONDS / 64] |= 1ULL << (second % 64);
}

void dp_flow_wheels_unlink(struct dp_flow_table *t, uint32_t flow)
{
	const struct dp_flow_link l = t->rest[flow].wheel;

	link_of(t, l.prev)->next = l.next;
	link_of(t, l.next)->prev = l.prev;
	if (l.prev == l.next && l.prev > t->n_flows) { // its head, which is alone now
		const uint32_t i = l.prev - t->n_flows - 1;

		t->wheels.is_used[i / DP_FLOW_SECONDS][i % DP_FLOW_SECONDS / 64] &= ~(
			1ULL << (i % 64));
	}
}

static void relink(struct dp_flow_table *t, uint32_t flow)
{
	dp_flow_wheels_unlink(t, flow);
	dp_flow_wheels_link(t, flow);
}

void dp_flow_put_back(struct dp_flow_table *t, uint32_t flow)
{
	relink(t, flow);
}

void dp_flow_set_life(struct dp_flow_table *t, uint32_t flow, enum dp_flow_life life)
{
	if (t->flows[flow].life == life)
		return;
	dp_flow_wheels_unlink(t, flow);
	t->flows[flow].life = (uint8_t)life;
	dp_flow_wheels_link(t, flow);
}

/* Seconds from the one reached to the first that is used; DP_FLOW_SECONDS when none is. */
static unsigned int first_used(const struct dp_flow_wheels *w, unsigned int life)
{
	const unsigned int from = w->second % DP_FLOW_SECONDS;
	const uint64_t behind = UINT64_MAX << (from % 64);

	for (unsigned int i = 0; i <= N_WORDS; i++) {
		const unsigned int word = (from / 64 + i) % N_WORDS;
		uint64_t bits = w->is_used[life][word];

		if (i == 0)
			bits &= behind;
		else if (i == N_WORDS)
			bits &= ~behind;
		if (bits != 0)
			return (word * 64 + (unsigned int)__builtin_ctzll(bits) - from) %
				DP_FLOW_SECONDS;
	}
	return DP_FLOW_SECONDS;
}

/* The second is empty: on to the next one that is not, but not behind now_s. */
static void turn(struct dp_flow_wheels *w, uint64_t now_s)
{
	unsigned int n = DP_FLOW_SECONDS;

	for (unsigned int life = 0; life < DP_FLOW_LIFE_COUNT; life++) {
		const unsigned int first = first_used(w, life);

		n = first < n ? first : n;
	}
	w->second = n < now_s - w->second ? w->second + n : now_s;
}

/* The flow at the head of a second, DP_FLOW_NONE when it is empty. The next one will be wanted soon. */
static uint32_t first_of(const struct dp_flow_table *t, unsigned int life, uint64_t second)
{
	const uint32_t flow = link_of(t, head_id(t, life, second))->next;

	if (flow > t->n_flows)
		return DP_FLOW_NONE;

	const uint32_t next = t->rest[flow].wheel.next;

	if (next <= t->n_flows) {
		__builtin_prefetch(&t->flows[next]);
		__builtin_prefetch(&t->rest[next].wheel);
	}
	return flow;
}

uint32_t dp_flow_expired(struct dp_flow_table *t, uint64_t now_ns, unsigned int *max)
{
	struct dp_flow_wheels *w = &t->wheels;
	const uint64_t now_s = now_ns / DP_NS_PER_S;

	if (now_s < w->second)
		return DP_FLOW_NONE;
	// After a jump of time all seconds are due. Counted from now on, a flow that is not over finds
	// its place at the second look, however many turns the jump was.
	if (now_s - w->second >= DP_FLOW_SECONDS)
		w->second = now_s - (DP_FLOW_SECONDS - 1);
	for (;;) {
		for (unsigned int life = 0; life < DP_FLOW_LIFE_COUNT; life++) {
			uint32_t flow;

			while ((flow = first_of(t, life, w->second)) != DP_FLOW_NONE) {
				if (*max == 0)
					return DP_FLOW_NONE;
				--*max;
				if (end_s(&t->flows[flow]) <= now_s)
					return flow;
				relink(t, flow);
			}
		}
		if (w->second == now_s)
			return DP_FLOW_NONE;
		turn(w, now_s);
	}
}

/* Of one life span, the flow idle longest if that is longer than *oldest's. */
static uint32_t oldest_of(
	struct dp_flow_table *t, unsigned int life, uint32_t oldest, unsigned int *n_steps)
{
	for (;;) {
		const unsigned int n = first_used(&t->wheels, life);
		const uint64_t second = t->wheels.second + n;

		if (n == DP_FLOW_SECONDS)
			return oldest;
		// All of this wheel had their last packet in this second or later.
		if (oldest != DP_FLOW_NONE &&
			t->flows[oldest].last_ns / DP_NS_PER_S + 1 + life_s(life) < second)
			return oldest;

		const uint32_t flow = first_of(t, life, second);
		const struct dp_flow *f = &t->flows[flow];

		if (oldest == DP_FLOW_NONE || f->last_ns < t->flows[oldest].last_ns)
			oldest = flow;
		// To the tail of its second goes also who saw packets there: a flood that fills the
		// table within a second is to give up itself.
		if (*n_steps == 0 ||
			((end_s(f) <= second || n == DP_FLOW_SECONDS - 1) &&
				f->put_at == put_at(f)))
			return oldest;
		--*n_steps;
		relink(t, flow);
	}
}

/* So many flows see packets that the wheels have not caught up with them: of some from all over the table
 * the one idle longest is most likely not one of those. */
static uint32_t oldest_sampled(struct dp_flow_table *t, uint32_t oldest)
{
	uint32_t samples[OLDEST_SAMPLES];

	for (unsigned int i = 0; i < OLDEST_SAMPLES; i++) {
		t->wheels.n_sampled += 0x9e3779b9; // golden ratio: even steps over the whole range
		samples[i] = 1 + (uint32_t)((uint64_t)t->wheels.n_sampled * t->n_touched >> 32);
		__builtin_prefetch(&t->flows[samples[i]]);
	}
	for (unsigned int i = 0; i < OLDEST_SAMPLES; i++) {
		const struct dp_flow *f = &t->flows[samples[i]];

		if (dp_flow_is_used(f) && f->last_ns < t->flows[oldest].last_ns)
			oldest = samples[i];
	}
	return oldest;
}

uint32_t dp_flow_oldest(struct dp_flow_table *t)
{
	uint32_t oldest = DP_FLOW_NONE;
	unsigned int n_steps = OLDEST_STEPS;

	for (unsigned int life = 0; life < DP_FLOW_LIFE_COUNT; life++)
		oldest = oldest_of(t, life, oldest, &n_steps);
	return n_steps == 0 ? oldest_sampled(t, oldest) : oldest;
}
