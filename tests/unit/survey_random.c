// SPDX-License-Identifier: BSD-3-Clause

/* Surveys over the records of workers that are played at random. */

#include "tests/unit/survey_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>

enum { SLOTS = 12, ROUNDS = 200000 };

struct player {
	uint64_t flow[SLOTS]; // 0: none
	uint64_t first_ns[SLOTS];
	uint64_t heard; // the last request it has heard of
	bool is_telling;
	int next; // slot
	GArray *ring; // struct dp_record
};

struct game {
	struct rig *rig;
	GRand *rand;
	struct player players[N_WORKERS];
	uint64_t n_flows;
	unsigned int expected
		[FLOWS_MAX]; // visits of the survey under way: those that lived, or are kept
	uint64_t n_surveys;
};

static void post(struct player *p, struct dp_record r)
{
	g_array_append_val(p->ring, r);
}

static void play_flow(struct game *g, uint16_t w)
{
	struct player *p = &g->players[w];
	const int slot = g_rand_int_range(g->rand, 0, SLOTS);

	if (p->flow[slot] == 0) {
		p->flow[slot] = ++g->n_flows;
		p->first_ns[slot] = g->rig->now_ns;
	} else {
		post(p,
			note(w, DP_NOTE_END, p->flow[slot], p->first_ns[slot],
				p->is_telling && slot < p->next));
		p->flow[slot] = 0;
	}
}

/* As dataplane/worker_notes.c. */
static void play_telling(struct game *g, uint16_t w)
{
	struct player *p = &g->players[w];

	if (!p->is_telling && p->heard != g->rig->request) {
		p->heard = g->rig->request;
		p->is_telling = true;
		p->next = 0;
	} else if (p->is_telling && p->next < SLOTS) {
		if (p->flow[p->next] != 0)
			post(p,
				note(w, DP_NOTE_LIVING, p->flow[p->next], p->first_ns[p->next],
					false));
		p->next++;
	} else if (p->is_telling) {
		post(p,
			(struct dp_record){.kind = DP_RECORD_TOLD,
				.worker = (uint8_t)w,
				.told = {.request = p->heard}});
		p->is_telling = false;
	}
}

static void play_take(struct game *g, uint16_t w)
{
	GArray *ring = g->players[w].ring;
	const guint wanted = (guint)g_rand_int_range(g->rand, 0, 4), n = MIN(ring->len, wanted);

	for (guint i = 0; i < n; i++)
		take(g->rig, &g_array_index(ring, struct dp_record, i));
	g_array_remove_range(ring, 0, n);
}

static void expect_all(struct game *g)
{
	struct rig *rig = g->rig;

	memset(g->expected, 0, sizeof(g->expected));
	for (uint64_t i = ctl_recent_first(rig->recent); i < ctl_recent_next(rig->recent); i++)
		g->expected[ctl_recent_at(rig->recent, i)->note.risk_bits] = 1;
	for (uint16_t w = 0; w < N_WORKERS; w++) {
		const struct player *p = &g->players[w];

		for (int slot = 0; slot < SLOTS; slot++)
			g->expected[p->flow[slot]] = 1;
		for (guint i = 0; i < p->ring->len; i++) {
			const struct dp_record *r = &g_array_index(p->ring, struct dp_record, i);

			if (r->kind == DP_RECORD_NOTE)
				g->expected[r->note.risk_bits] = 1;
		}
	}
	g->expected[0] = 0; // no flow
}

static void check_all(struct game *g)
{
	uint64_t n_missed = 0;

	for (uint64_t flow = 0; flow <= g->n_flows; flow++) {
		if (g->rig->visits[flow] > g->expected[flow])
			fail_msg("flow %u came %u times, expected %u", (unsigned)flow,
				g->rig->visits[flow], g->expected[flow]);
		n_missed += g->expected[flow] - g->rig->visits[flow];
	}
	assert_int_equal(n_missed, g->rig->reach.n_overwritten);
	g->n_surveys++;
}

static void play_control(struct game *g)
{
	struct rig *rig = g->rig;
	const unsigned int n_done = rig->n_done;

	if (!ctl_survey_is_busy(rig->survey)) {
		begin(rig);
		rig->now_ns++; // what begins from here on is younger
		expect_all(g);
		return;
	}
	(void)ctl_survey_work(rig->survey);
	if (rig->n_done > n_done)
		check_all(g);
}

static void at_random_no_flow_is_missed_and_none_comes_twice(void **)
{
	struct game *g = g_new0(struct game, 1);

	g->rig = rig_make(N_RECENT);
	g->rand = g_rand_new_with_seed(1);
	for (uint16_t w = 0; w < N_WORKERS; w++)
		g->players[w].ring = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	for (int i = 0; i < ROUNDS && g->n_flows < FLOWS_MAX - 1; i++) {
		const uint16_t w = (uint16_t)g_rand_int_range(g->rand, 0, N_WORKERS);

		switch (g_rand_int_range(g->rand, 0, 10)) {
		case 0:
			play_control(g);
			break;
		case 1 ... 4:
			play_telling(g, w);
			break;
		case 5 ... 7:
			play_flow(g, w);
			break;
		default:
			play_take(g, w);
			break;
		}
	}
	print_message("%u surveys, %u flows\n", (unsigned)g->n_surveys, (unsigned)g->n_flows);
	assert_true(g->n_surveys > 500);
	for (uint16_t w = 0; w < N_WORKERS; w++)
		g_array_free(g->players[w].ring, TRUE);
	rig_free(g->rig);
	g_rand_free(g->rand);
	g_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_random_no_flow_is_missed_and_none_comes_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
