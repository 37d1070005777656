// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/said.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct dp_said said(const char *host, uint16_t ndpi_app)
{
	struct dp_said s = {.risk_bits = 5, .ndpi_master = 91, .ndpi_app = ndpi_app};

	(void)snprintf(s.host, sizeof(s.host), "%s", host);
	return s;
}

static uint32_t get(struct dp_said_table *t, const char *host, uint16_t ndpi_app)
{
	const struct dp_said s = said(host, ndpi_app);

	return dp_said_get(t, &s);
}

static void what_is_the_same_is_stored_once_and_counted(void **)
{
	struct dp_said_table t;

	assert_int_equal(dp_said_init(&t, 2), 0);

	const uint32_t a = get(&t, "a.example", 7);
	const uint32_t b = get(&t, "b.example", 7);

	assert_true(a != DP_SAID_NONE && b != DP_SAID_NONE && a != b);
	assert_int_equal(get(&t, "a.example", 7), a);
	assert_string_equal(dp_said_of(&t, a)->host, "a.example");
	dp_said_put(&t, a);
	assert_string_equal(dp_said_of(&t, a)->host, "a.example"); // one reference is left
	dp_said_put(&t, a);

	const uint32_t c = get(&t, "c.example", 7); // in its place

	assert_int_equal(c, a);
	assert_string_equal(dp_said_of(&t, c)->host, "c.example");
	assert_string_equal(dp_said_of(&t, b)->host, "b.example");
	dp_said_fini(&t);
}

enum { N_ROWS = 10 };

static void what_differs_in_one_field_is_stored_apart(void **)
{
	const struct dp_said first = said("a.example", 7);
	struct dp_said rows[N_ROWS];
	uint32_t ids[N_ROWS];
	struct dp_said_table t;

	for (int i = 0; i < N_ROWS; i++)
		rows[i] = first;
	rows[1].risk_bits ^= 1ULL << 63;
	rows[2].ndpi_master = 0;
	rows[3].ndpi_app++;
	rows[4].host[0] = '\0';
	rows[5].host[strlen("a.exampl")] = '\0';
	rows[6].has_ech = true;
	rows[7].basis = 1;
	rows[8].alias[0] = 'a';
	memcpy(rows[9].alias, "ab", 3);
	assert_int_equal(dp_said_init(&t, N_ROWS), 0);
	for (int i = 0; i < N_ROWS; i++) {
		ids[i] = dp_said_get(&t, &rows[i]);
		assert_true(ids[i] != DP_SAID_NONE);
		for (int j = 0; j < i; j++)
			assert_true(ids[i] != ids[j]);
	}
	for (int i = 0; i < N_ROWS; i++) {
		const struct dp_said *s = dp_said_of(&t, ids[i]);

		assert_int_equal(s->risk_bits, rows[i].risk_bits);
		assert_int_equal(s->ndpi_master, rows[i].ndpi_master);
		assert_int_equal(s->ndpi_app, rows[i].ndpi_app);
		assert_int_equal(s->has_ech, rows[i].has_ech);
		assert_int_equal(s->basis, rows[i].basis);
		assert_string_equal(s->host, rows[i].host);
		assert_string_equal(s->alias, rows[i].alias);
		assert_int_equal(dp_said_get(&t, &rows[i]), ids[i]);
	}
	dp_said_fini(&t);
}

static void a_full_table_leaves_a_flow_without_and_counts_it(void **)
{
	struct dp_said_table t;

	assert_int_equal(dp_said_init(&t, 1), 0);

	const uint32_t a = get(&t, "a.example", 7);

	assert_int_equal(get(&t, "b.example", 7), DP_SAID_NONE);
	assert_int_equal(get(&t, "a.example", 8), DP_SAID_NONE);
	assert_int_equal(get(&t, "a.example", 7), a); // what is known needs no room
	assert_int_equal(t.n_refused, 2);
	dp_said_fini(&t);
}

static void nothing_said_is_no_reference(void **)
{
	struct dp_said_table t;
	const struct dp_said nothing = {.host = "\0behind", .alias = "\0behind"};

	assert_int_equal(dp_said_init(&t, 1), 0);
	assert_int_equal(dp_said_get(&t, &nothing), DP_SAID_NONE);
	assert_int_equal(t.n_refused, 0);
	assert_string_equal(dp_said_of(&t, DP_SAID_NONE)->host, "");
	assert_int_equal(dp_said_of(&t, DP_SAID_NONE)->risk_bits, 0);
	dp_said_put(&t, DP_SAID_NONE);
	assert_true(get(&t, "a.example", 7) != DP_SAID_NONE);
	dp_said_fini(&t);
}

/* A note copies the whole field: nothing of another flow's name may go with it. */
static void the_longest_name_fits_and_a_shorter_one_leaves_nothing_of_it(void **)
{
	struct dp_said_table t;
	struct dp_said s = {0};

	assert_int_equal(dp_said_init(&t, 1), 0);
	memset(s.host, 'x', sizeof(s.host) - 1);
	memset(s.alias, 'y', sizeof(s.alias) - 1);

	const uint32_t id = dp_said_get(&t, &s);

	assert_string_equal(dp_said_of(&t, id)->host, s.host);
	assert_string_equal(dp_said_of(&t, id)->alias, s.alias);
	dp_said_put(&t, id);
	memcpy(s.alias, "b", sizeof("b"));
	memcpy(s.host, "a.example", sizeof("a.example")); // the caller's own rest does not matter
	assert_int_equal(dp_said_get(&t, &s), id);
	assert_string_equal(dp_said_of(&t, id)->host, "a.example");
	for (size_t i = strlen("a.example"); i < DP_HOST_MAX; i++)
		assert_int_equal(dp_said_of(&t, id)->host[i], '\0');
	for (size_t i = strlen("b"); i < DP_ALIAS_MAX; i++)
		assert_int_equal(dp_said_of(&t, id)->alias[i], '\0');
	s.host[DP_HOST_MAX - 2] = 'y';
	assert_int_equal(dp_said_get(&t, &s), id);
	dp_said_fini(&t);
}

static void many_come_and_go(void **)
{
	enum { N = 1000 };
	struct dp_said_table t;
	uint32_t ids[N];
	char name[32];

	assert_int_equal(dp_said_init(&t, N), 0);
	dp_said_make_resident(&t);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			(void)snprintf(name, sizeof(name), "%d.%d.example", round, i / 2);
			ids[i] = get(&t, name, (uint16_t)(i % 2));
			assert_true(ids[i] != DP_SAID_NONE);
		}
		for (int i = N; i-- > 0;) {
			(void)snprintf(name, sizeof(name), "%d.%d.example", round, i / 2);
			assert_string_equal(dp_said_of(&t, ids[i])->host, name);
			assert_int_equal(dp_said_of(&t, ids[i])->ndpi_app, i % 2);
			dp_said_put(&t, ids[i]);
		}
	}
	assert_int_equal(t.n_refused, 0);
	dp_said_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_the_same_is_stored_once_and_counted),
		cmocka_unit_test(what_differs_in_one_field_is_stored_apart),
		cmocka_unit_test(a_full_table_leaves_a_flow_without_and_counts_it),
		cmocka_unit_test(nothing_said_is_no_reference),
		cmocka_unit_test(the_longest_name_fits_and_a_shorter_one_leaves_nothing_of_it),
		cmocka_unit_test(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
