// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror_due.h"

#include "control/mirror_marker.h"
#include "tests/unit/engine_fixture.h"

#define MS UINT64_C(1000000)

enum { N_PERSONS = 300, TURN_MS = 20 };

struct world {
	struct fixture f;
	struct ctl_due due;
	uint64_t now_ns; // of a clock of our own
};

/* N_PERSONS subscribers and, between them, as many strangers, all of whom have changed. */
static void world_open(struct world *w, uint64_t interval_ms)
{
	GString *facts = g_string_new("subscribers:\n");

	for (int i = 0; i < N_PERSONS; i++)
		g_string_append_printf(facts,
			"  - {msisdn: \"+9990001%04d\", addresses: [10.21.%d.%d]}\n", i, i / 200,
			1 + i % 200);
	*w = (struct world){.now_ns = 1000 * 1000 * MS};
	fixture_open(&w->f, NULL, facts->str);
	g_string_free(facts, TRUE);
	for (int i = 0; i < N_PERSONS; i++) {
		char person[32], stranger[32];

		(void)g_snprintf(person, sizeof(person), "10.21.%d.%d", i / 200, 1 + i % 200);
		(void)g_snprintf(stranger, sizeof(stranger), "10.22.%d.%d", i / 200, 1 + i % 200);
		fixture_play(&w->f,
			(const struct use[]){
				{"2026-11-10T10:00:00Z", "film", .endpoint = person, .bytes = 1},
				{"2026-11-10T10:00:00Z", "film", .endpoint = stranger, .bytes = 1},
			},
			2);
	}
	ctl_due_init(&w->due, w->f.engine, interval_ms * MS);
	ctl_due_turn(&w->due, w->now_ns);
}

static void world_close(struct world *w)
{
	ctl_due_fini(&w->due);
	fixture_close(&w->f);
}

static void turn(struct world *w)
{
	w->now_ns += TURN_MS * MS;
	ctl_due_turn(&w->due, w->now_ns);
}

static void turn_until(struct world *w, uint32_t decisecond)
{
	while (w->due.now < decisecond)
		turn(w);
}

/* Take all that are due within ms; returns how many, the ids in order of their turn. */
static size_t take(struct world *w, uint64_t ms, uint64_t ids[], size_t n_max)
{
	size_t n = 0;

	for (uint64_t t = 0; t < ms; t += TURN_MS) {
		turn(w);
		for (uint64_t id; (id = ctl_due_next(&w->due)) != CTL_DUE_NOBODY; n++) {
			assert_true(n < n_max);
			ids[n] = id;
		}
	}
	return n;
}

static void few_go_in_order_a_hundred_a_second(void **)
{
	struct world w;
	uint64_t ids[N_PERSONS];
	size_t n;

	world_open(&w, 60000);
	n = take(&w, 1000, ids, N_PERSONS);
	assert_in_range(n, 98, 101);
	n += take(&w, 3000, ids + n, N_PERSONS - n);
	assert_int_equal(n, N_PERSONS);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ids[i], 2 * i + 1); // every other one is a stranger
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 0);
	world_close(&w);
}

static void many_are_spread_over_the_interval(void **)
{
	struct world w;
	uint64_t ids[N_PERSONS];

	assert_true(ctl_due_rate(1, 600) == CTL_DUE_RATE_MIN);
	assert_true(ctl_due_rate(60000, 600) == 1000);
	assert_true(ctl_due_rate(1000000000, 600) == CTL_DUE_RATE_MAX);

	world_open(&w, 1000); // 300 a second
	assert_in_range(take(&w, 500, ids, N_PERSONS), 145, 155);
	w.now_ns += 3600 * 1000 * MS;
	ctl_due_turn(&w.due, w.now_ns);
	assert_true(w.due.budget <= 30); // a tenth of a second's worth, not an hour's
	world_close(&w);
}

static void nobody_is_written_twice_an_interval(void **)
{
	struct world w;
	uint64_t ids[N_PERSONS];

	world_open(&w, 10000);
	assert_int_equal(take(&w, 4000, ids, N_PERSONS), N_PERSONS);
	for (int s = 4; s < 10; s++) {
		ctl_engine_set_unpublished(w.f.engine, 1);
		assert_int_equal(take(&w, 1000, ids, N_PERSONS), 0);
	}
	assert_int_equal(take(&w, 1000, ids, N_PERSONS), 1);
	assert_int_equal(ids[0], 1);
	world_close(&w);
}

static void who_was_not_written_after_all_is_due_at_once(void **)
{
	struct world w;
	uint64_t ids[N_PERSONS];

	world_open(&w, 10000);
	assert_int_equal(take(&w, 4000, ids, N_PERSONS), N_PERSONS);
	ctl_due_failed(&w.due, 7);
	assert_int_equal(take(&w, 1000, ids, N_PERSONS), 1);
	assert_int_equal(ids[0], 7);
	world_close(&w);
}

static void what_was_written_since_is_written_again_or_everything(void **)
{
	struct world w;
	uint64_t ids[N_PERSONS], again[N_PERSONS];
	uint32_t since;
	size_t n, n_first;

	world_open(&w, 60000);
	n_first = take(&w, 1000, ids, N_PERSONS);
	since = w.due.now + 1; // who is written in this decisecond may have come before or after
	turn_until(&w, since);
	n = take(&w, 4000, ids, N_PERSONS);
	assert_int_equal(n_first + n, N_PERSONS);
	ctl_due_mark(&w.due, ids[0])->month = 202611;
	ctl_due_again(&w.due, since);
	assert_int_equal(take(&w, 4000, again, N_PERSONS), n);
	assert_memory_equal(again, ids, n * sizeof(ids[0]));
	assert_int_equal(ctl_due_mark(&w.due, ids[0])->month, 202611);

	ctl_due_again(&w.due, 0);
	assert_int_equal(take(&w, 4000, ids, N_PERSONS), N_PERSONS);
	assert_int_equal(ctl_due_mark(&w.due, ids[N_PERSONS - 1])->month, 0);
	world_close(&w);
}

static void what_changes_by_time_alone_is_due_within_an_interval(void **)
{
	struct world w;
	uint64_t ids[N_PERSONS];

	world_open(&w, 1000);
	assert_int_equal(take(&w, 1100, ids, N_PERSONS), N_PERSONS); // an interval and a turn
	ctl_due_mark(&w.due, 5)->change_s = (uint32_t)(at("2026-11-10T12:00:00Z") / (1000 * MS));
	assert_int_equal(take(&w, 2000, ids, N_PERSONS), 0);
	fixture_advance(&w.f, "2026-11-10T12:00:00Z");
	assert_int_equal(take(&w, 1500, ids, N_PERSONS), 1);
	assert_int_equal(ids[0], 5);
	assert_int_equal(take(&w, 2000, ids, N_PERSONS), 0);
	world_close(&w);
}

static uint32_t found(struct ctl_marker *marker, const char *value, bool *ret_is_lost)
{
	return ctl_marker_found(marker, value, value == NULL ? 0 : strlen(value), ret_is_lost);
}

static void a_marker_tells_what_redis_has_lost(void **)
{
	struct ctl_marker marker, other;
	char at_10[CTL_MARKER_MAX], at_20[CTL_MARKER_MAX], at_30[CTL_MARKER_MAX];
	char foreign[CTL_MARKER_MAX];
	bool is_lost;

	ctl_marker_init(&marker);
	ctl_marker_init(&other);
	ctl_marker_set(&other, 10, foreign);
	ctl_marker_set(&marker, 10, at_10);
	assert_int_equal(found(&marker, foreign, &is_lost), 0);
	assert_false(is_lost); // there was nothing yet that could be
	ctl_marker_set(&marker, 20, at_20);
	assert_int_equal(found(&marker, at_10, &is_lost), 10);
	assert_false(is_lost);
	ctl_marker_set(&marker, 30, at_30); // the answer never came
	ctl_marker_set(&marker, 40, foreign);
	assert_int_equal(found(&marker, at_30, &is_lost), 30);
	assert_false(is_lost);
	ctl_marker_set(&marker, 50, foreign);
	assert_int_equal(found(&marker, at_20, &is_lost), 20); // an older backup
	assert_true(is_lost);
	ctl_marker_set(&marker, 60, foreign);
	assert_int_equal(found(&marker, NULL, &is_lost), 0);
	assert_true(is_lost);
}

static void a_marker_cut_anywhere_is_not_ours(void **)
{
	static const char *const tails[] = {
		"0", "-1", " 1", "1 ", "4294967296", "99999999999", "1x", "", "0x1"};
	struct ctl_marker marker;
	char value[CTL_MARKER_MAX], spoilt[64];
	bool is_lost;

	ctl_marker_init(&marker);
	ctl_marker_set(&marker, 7, value);
	for (size_t len = 0; len < strlen(value); len++) {
		char *cut = g_memdup2(value, MAX(len, 1)); // a heap block of its own: ASan sees

		assert_int_equal(ctl_marker_found(&marker, cut, len, &is_lost), 0);
		g_free(cut);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(tails); i++) {
		(void)g_snprintf(spoilt, sizeof(spoilt), "%s:%s", marker.token, tails[i]);
		assert_int_equal(found(&marker, spoilt, &is_lost), 0);
	}
	assert_int_equal(found(&marker, value, &is_lost), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_go_in_order_a_hundred_a_second),
		cmocka_unit_test(many_are_spread_over_the_interval),
		cmocka_unit_test(nobody_is_written_twice_an_interval),
		cmocka_unit_test(who_was_not_written_after_all_is_due_at_once),
		cmocka_unit_test(what_was_written_since_is_written_again_or_everything),
		cmocka_unit_test(what_changes_by_time_alone_is_due_within_an_interval),
		cmocka_unit_test(a_marker_tells_what_redis_has_lost),
		cmocka_unit_test(a_marker_cut_anywhere_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
