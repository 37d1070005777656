// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/flow_rig.h"

/* The table beside a naive one: an array, searched from end to end. */

enum {
	N_FLOWS = 14, // fewer than what dp_flow_oldest() can put in order: it is exact here
	N_TUPLES = 40,
	N_STEPS = 40000,
};

struct model_flow {
	struct dp_five_tuple tuple; // as it began
	uint32_t idx; // DP_FLOW_NONE: free
	uint64_t first_ns, last_ns;
	enum dp_flow_life life;
	uint64_t bytes[2];
};

struct model {
	struct dp_flow_table t;
	struct model_flow flows[N_FLOWS];
	uint32_t n_used;
	uint64_t now_ns;
	bool is_asked; // for what is over, since time passed or a life became shorter
	uint64_t seed;
	uint64_t digest; // of which flows left, in which order
	struct dp_five_tuple tuples[N_TUPLES];
	struct {
		uint32_t n_found, n_expired, n_oldest, n_turned;
	} met;
};

static uint32_t draw(struct model *m, uint32_t n)
{
	m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((m->seed >> 32) * n >> 32);
}

static struct model_flow *model_find(struct model *m, const struct dp_five_tuple *k)
{
	const struct dp_five_tuple back = turned(k);

	for (struct model_flow *f = m->flows; f < m->flows + N_FLOWS; f++) {
		if (f->idx != DP_FLOW_NONE &&
			(is_same_tuple(&f->tuple, k) || is_same_tuple(&f->tuple, &back)))
			return f;
	}
	return NULL;
}

static struct model_flow *model_at(struct model *m, uint32_t idx)
{
	for (struct model_flow *f = m->flows; f < m->flows + N_FLOWS; f++) {
		if (f->idx == idx)
			return f;
	}
	return NULL;
}

static uint64_t model_end_ns(const struct model_flow *f)
{
	return (f->last_ns / S + 1 + life_s(f->life)) * S;
}

/* What is known of the flow outside of the table is what the table says. */
static void check(const struct model *m, const struct model_flow *f)
{
	const struct dp_flow *d = &m->t.flows[f->idx];
	struct dp_five_tuple tuple;

	dp_flow_tuple(&m->t, f->idx, &tuple);
	assert_true(is_same_tuple(&tuple, &f->tuple));
	assert_int_equal(d->last_ns, f->last_ns);
	assert_int_equal(m->t.rest[f->idx].first_ns, f->first_ns);
	assert_int_equal(d->life, f->life);
	assert_int_equal(dp_flow_bytes(d, 0), f->bytes[0]);
	assert_int_equal(dp_flow_bytes(d, 1), f->bytes[1]);
	assert_int_equal(dp_flow_expiry_ns(d), model_end_ns(f));
}

static void take_out(struct model *m, struct model_flow *f)
{
	check(m, f);
	m->digest = m->digest * 31 + f->idx;
	dp_flow_remove(&m->t, f->idx);
	f->idx = DP_FLOW_NONE;
	m->n_used--;
}

static void give_up_oldest(struct model *m)
{
	const uint32_t idx = dp_flow_oldest(&m->t);
	struct model_flow *oldest = model_at(m, idx);

	assert_true(idx != DP_FLOW_NONE);
	assert_non_null(oldest);
	for (const struct model_flow *f = m->flows; f < m->flows + N_FLOWS; f++)
		assert_true(!m->is_asked || f->idx == DP_FLOW_NONE ||
			f->last_ns / S >= oldest->last_ns / S);
	m->met.n_oldest += m->is_asked;
	take_out(m, oldest);
}

static void begin(struct model *m, const struct dp_five_tuple *k, const struct dp_flow_seek *s)
{
	const enum dp_flow_life life = draw(m, DP_FLOW_LIFE_COUNT);
	const bool is_turned = draw(m, 2) != 0;

	if (m->n_used == N_FLOWS) {
		assert_int_equal(
			dp_flow_add(&m->t, s, s->is_swapped, life, m->now_ns), DP_FLOW_NONE);
		give_up_oldest(m);
	}

	const uint32_t idx = dp_flow_add(&m->t, s, s->is_swapped != is_turned, life, m->now_ns);
	struct model_flow *f;

	assert_true(idx != DP_FLOW_NONE);
	assert_null(model_at(m, idx));
	f = model_at(m, DP_FLOW_NONE);
	*f = (struct model_flow){.tuple = is_turned ? turned(k) : *k,
		.idx = idx,
		.first_ns = m->now_ns,
		.last_ns = m->now_ns,
		.life = life};
	m->n_used++;
	m->met.n_turned += is_turned;
}

static void touch(struct model *m, struct model_flow *f)
{
	const unsigned int dir = draw(m, 2);
	const uint32_t bytes = draw(m, UINT32_MAX);

	f->last_ns = m->now_ns;
	f->bytes[dir] += bytes;
	m->t.flows[f->idx].last_ns = m->now_ns;
	dp_flow_count(&m->t.flows[f->idx], dir, 1, bytes);
}

/* Packets of a burst, prepared together and then handled one by one, while flows come and go. */
static void burst(struct model *m)
{
	struct dp_flow_seek seeks[32];
	struct dp_five_tuple packets[32];
	const unsigned int n = draw(m, 33);

	for (unsigned int i = 0; i < n; i++) {
		packets[i] = m->tuples[draw(m, N_TUPLES)];
		if (draw(m, 2) != 0)
			packets[i] = turned(&packets[i]);
		dp_flow_seek(&packets[i], &seeks[i]);
	}
	if (draw(m, 8) != 0)
		dp_flow_prepare(&m->t, seeks, n);
	for (unsigned int i = 0; i < n; i++) {
		struct model_flow *f = model_find(m, &packets[i]);
		const uint32_t idx = dp_flow_find(&m->t, &seeks[i]);

		assert_int_equal(idx, f == NULL ? DP_FLOW_NONE : f->idx);
		if (f == NULL) {
			if (draw(m, 3) == 0)
				begin(m, &packets[i], &seeks[i]);
			continue;
		}
		m->met.n_found++;
		assert_int_equal(
			dp_flow_is_over(&m->t.flows[idx], m->now_ns), model_end_ns(f) <= m->now_ns);
		if (draw(m, 16) == 0)
			take_out(m, f);
		else
			touch(m, f);
	}
}

static void change_life(struct model *m)
{
	struct model_flow *f = &m->flows[draw(m, N_FLOWS)];

	if (f->idx == DP_FLOW_NONE)
		return;
	f->life = draw(m, DP_FLOW_LIFE_COUNT);
	dp_flow_set_life(&m->t, f->idx, f->life);
	if (model_end_ns(f) <= m->now_ns)
		m->is_asked = false;
}

/* All that is over and nothing else, in slices. */
static void expire(struct model *m)
{
	m->is_asked = true;
	for (unsigned int n_slices = 0;; n_slices++) {
		const unsigned int slice = 1 + draw(m, 8);
		unsigned int max = slice;
		uint32_t idx;

		while ((idx = dp_flow_expired(&m->t, m->now_ns, &max)) != DP_FLOW_NONE) {
			struct model_flow *f = model_at(m, idx);

			assert_non_null(f);
			assert_true(model_end_ns(f) <= m->now_ns);
			m->met.n_expired++;
			take_out(m, f);
		}
		assert_true(max <= slice);
		if (max > 0)
			break;
		assert_in_range(n_slices, 0, 3 * N_FLOWS);
	}
	for (const struct model_flow *f = m->flows; f < m->flows + N_FLOWS; f++)
		assert_true(f->idx == DP_FLOW_NONE || model_end_ns(f) > m->now_ns);
}

/* Mostly within a second, sometimes over ends of life, rarely over turns of the wheel. */
static void pass_time(struct model *m)
{
	static const uint32_t most_s[] = {1, 2, 12, 70, 200, 310, 600, 5000, 1000000};
	const uint32_t max_s = most_s[draw(m, draw(m, 16) == 0 ? 9 : 4)];

	m->is_asked = false;
	m->now_ns += draw(m, max_s) * S + draw(m, (uint32_t)S);
	if (draw(m, 4) == 0)
		m->now_ns = (m->now_ns / S + 1) * S; // on the dot: where ends are
}

static void step(struct model *m)
{
	switch (draw(m, 8)) {
	case 0:
		pass_time(m);
		if (draw(m, 4) != 0)
			expire(m);
		break;
	case 1:
		change_life(m);
		break;
	case 2:
		if (m->n_used > 0 && draw(m, 8) == 0)
			give_up_oldest(m);
		break;
	case 3:
		expire(m);
		break;
	default:
		burst(m);
	}
	assert_int_equal(m->t.n_used, m->n_used);
}

static uint64_t run(uint64_t seed)
{
	struct model m = {.seed = seed};

	assert_int_equal(dp_flow_table_init(&m.t, N_FLOWS), 0);
	for (uint32_t i = 0; i < N_TUPLES; i++) {
		const uint32_t client = draw(&m, 12);

		m.tuples[i] = i % 2 == 0 ? tuple_v4(client, (uint16_t)draw(&m, 3))
					 : tuple_v6(client, (uint16_t)draw(&m, 3));
		if (i % 8 < 2)
			m.tuples[i].dst = m.tuples[i].src; // talks to itself
	}
	m.now_ns = seed % 3 == 0 ? 0 : draw(&m, UINT32_MAX) * S;
	for (uint32_t i = 0; i < N_STEPS; i++)
		step(&m);
	assert_true(m.met.n_found > N_STEPS && m.met.n_expired > 1000 && m.met.n_turned > 1000);
	assert_true(m.met.n_oldest > 1000);
	while (m.n_used > 0)
		give_up_oldest(&m);
	assert_int_equal(dp_flow_oldest(&m.t), DP_FLOW_NONE);
	dp_flow_table_fini(&m.t);
	return m.digest;
}

static void the_table_is_like_a_naive_one_whatever_the_hash_key(void **)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		const uint64_t digest = run(seed);

		dp_hash_key_init();
		assert_int_equal(run(seed), digest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_like_a_naive_one_whatever_the_hash_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
