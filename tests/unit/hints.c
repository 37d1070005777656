// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "classifier/hint_names.h"
#include "dataplane/hash.h"

#include <stdio.h>
#include <stdlib.h>

static const uint64_t S = 1000000000;

static struct dp_addr endpoint_addr(uint32_t i)
{
	const uint8_t be[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

	return dp_addr_from_v4(be);
}

static struct dp_addr server_addr(uint32_t i)
{
	struct dp_addr a = {.b = {0x20, 0x01, 0x0d, 0xb8}};

	a.b[14] = (uint8_t)(i >> 8);
	a.b[15] = (uint8_t)i;
	return a;
}

static void put(struct cls_hints *h, uint32_t endpoint, uint32_t server, const char *host,
	uint32_t ttl_s, uint64_t now_s)
{
	const struct dp_addr e = endpoint_addr(endpoint), s = server_addr(server);

	cls_hints_put(h, &e, &s, host, ttl_s, now_s * S);
}

static const char *get(
	const struct cls_hints *h, uint32_t endpoint, uint32_t server, uint64_t now_s)
{
	const struct dp_addr e = endpoint_addr(endpoint), s = server_addr(server);

	return cls_hints_get(h, &e, &s, now_s * S);
}

static void expect(const struct cls_hints *h, uint32_t endpoint, uint32_t server, uint64_t now_s,
	const char *host)
{
	const char *said = get(h, endpoint, server, now_s);

	if (host == NULL)
		assert_null(said);
	else
		assert_string_equal(said, host);
}

static struct cls_hints *table(uint32_t n)
{
	struct cls_hints *h = cls_hints_new(n);

	assert_non_null(h);
	return h;
}

static void a_hint_is_of_one_endpoint_and_one_server(void **)
{
	struct cls_hints *h = table(100);

	expect(h, 1, 1, 1000, NULL);
	put(h, 1, 1, "a.example", 600, 1000);
	put(h, 2, 1, "b.example", 600, 1000);
	put(h, 1, 2, "c.example", 600, 1000);
	expect(h, 1, 1, 1000, "a.example");
	expect(h, 2, 1, 1000, "b.example");
	expect(h, 1, 2, 1000, "c.example");
	expect(h, 2, 2, 1000, NULL);
	expect(h, 3, 1, 1000, NULL);
	cls_hints_free(h);
	cls_hints_free(NULL);
}

static void the_name_said_last_counts_and_its_time(void **)
{
	struct cls_hints *h = table(100);

	put(h, 1, 1, "a.example", 9000, 1000);
	put(h, 1, 1, "b.example", 600, 1100);
	expect(h, 1, 1, 1100, "b.example");
	expect(h, 1, 1, 1700, "b.example");
	expect(h, 1, 1, 1701, NULL);
	put(h, 1, 1, "b.example", 600, 1701);
	expect(h, 1, 1, 2301, "b.example");
	assert_int_equal(cls_hints_counts(h)->put, 3);
	assert_int_equal(cls_hints_counts(h)->held, 1);
	assert_int_equal(cls_hints_counts(h)->forgotten, 0);
	cls_hints_free(h);
}

static void a_hint_lives_its_ttl_within_bounds(void **)
{
	static const struct {
		uint32_t ttl_s, life_s;
	} rows[] = {{0, CLS_HINT_MIN_S}, {299, CLS_HINT_MIN_S}, {300, 300}, {301, 301},
		{86400, 86400}, {86401, CLS_HINT_MAX_S}, {UINT32_MAX, CLS_HINT_MAX_S}};
	static const uint64_t times[] = {0, 1000, 1800000000, UINT32_MAX - 3 * CLS_HINT_MAX_S};

	for (size_t t = 0; t < sizeof(times) / sizeof(*times); t++) {
		struct cls_hints *h = table(100);

		for (uint32_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			put(h, 1, i, "a.example", rows[i].ttl_s, times[t]);
			expect(h, 1, i, times[t] + rows[i].life_s, "a.example");
			expect(h, 1, i, times[t] + rows[i].life_s + 1, NULL);
		}
		cls_hints_free(h);
	}
}

/* A capture may say any time; nothing wraps. */
static void hints_behind_the_year_2106_do_not_end(void **)
{
	struct cls_hints *h = table(100);

	put(h, 1, 1, "a.example", 300, UINT64_MAX / S);
	expect(h, 1, 1, UINT64_MAX / S, "a.example");
	put(h, 1, 2, "b.example", 300, UINT64_MAX / S);
	expect(h, 1, 1, UINT64_MAX / S, "a.example");
	expect(h, 1, 2, UINT64_MAX / S, "b.example");
	cls_hints_free(h);
}

static void an_endpoint_with_too_many_loses_the_one_that_ends_first(void **)
{
	struct cls_hints *h = table(1000);

	put(h, 2, 0, "other.example", 300, 1000);
	for (uint32_t i = 0; i < CLS_HINTS_PER_ENDPOINT; i++)
		put(h, 1, i, "a.example", i == 7 ? 400 : 1000 + i % 5, 1000);
	put(h, 1, 7, "a.example", 2000, 1000); // said again: not the first any more
	expect(h, 1, 0, 1000, "a.example");
	put(h, 1, 300, "b.example", 300, 1000); // ends first itself, and yet it is the newest
	expect(h, 1, 300, 1000, "b.example");
	expect(h, 1, 0, 1000, NULL);
	expect(h, 1, 7, 1000, "a.example");
	put(h, 1, 301, "c.example", 5000, 1000);
	expect(h, 1, 300, 1000, NULL);
	expect(h, 1, 5, 1000, "a.example");
	put(h, 1, 302, "c.example", 5000, 1000);
	expect(h, 1, 5, 1000, NULL); // of those that end together the one said first
	expect(h, 1, 10, 1000, "a.example");
	expect(h, 2, 0, 1000, "other.example");
	assert_int_equal(cls_hints_counts(h)->held, CLS_HINTS_PER_ENDPOINT + 1);
	assert_int_equal(cls_hints_counts(h)->forgotten, 0);
	cls_hints_free(h);
}

static void a_full_table_loses_the_one_that_ends_first_and_counts_it(void **)
{
	struct cls_hints *h = table(3);

	put(h, 1, 1, "a.example", 500, 1000);
	put(h, 2, 1, "b.example", 400, 1000);
	put(h, 3, 1, "c.example", 600, 1000);
	put(h, 3, 1, "c.example", 700, 1000); // known: needs no room
	assert_int_equal(cls_hints_counts(h)->forgotten, 0);
	put(h, 4, 1, "d.example", 800, 1000);
	expect(h, 1, 1, 1000, "a.example");
	expect(h, 2, 1, 1000, NULL);
	expect(h, 3, 1, 1000, "c.example");
	expect(h, 4, 1, 1000, "d.example");
	assert_int_equal(cls_hints_counts(h)->forgotten, 1);
	put(h, 5, 1, "e.example", 800, 1501); // a.example is over: nothing is lost
	expect(h, 3, 1, 1501, "c.example");
	assert_int_equal(cls_hints_counts(h)->forgotten, 1);
	assert_int_equal(cls_hints_counts(h)->held, 3);
	cls_hints_free(h);
}

static void without_room_for_an_endpoint_that_of_the_first_end_goes(void **)
{
	enum { N = 64, N_ENDPOINTS = N / 4 + 16 };
	struct cls_hints *h = table(N);

	for (uint32_t i = 0; i < N_ENDPOINTS; i++)
		put(h, i, 1, "a.example", i == 9 ? 400 : 500, 1000);
	put(h, 9, 2, "b.example", 9000, 1000);
	put(h, 9, 3, "b.example", 9000, 1000);
	put(h, 100, 1, "c.example", 600, 1000);
	for (uint32_t i = 0; i < N_ENDPOINTS; i++)
		expect(h, i, 1, 1000, i == 9 ? NULL : "a.example");
	expect(h, 9, 2, 1000, NULL);
	expect(h, 100, 1, 1000, "c.example");
	assert_int_equal(cls_hints_counts(h)->forgotten, 3);
	cls_hints_free(h);
}

/* Of the longest kind, whose cells are all there are. */
static void without_room_for_a_name_those_that_end_first_go(void **)
{
	enum { N = 16, N_NAMES = (N / 2 + 64) / 5 };
	struct cls_hints *h = table(N);
	char host[DP_HOST_MAX] = {0};

	memset(host, 'x', DP_HOST_MAX - 1);
	for (uint32_t i = 0; i <= N_NAMES; i++) {
		host[DP_HOST_MAX - 2] = (char)('a' + i);
		put(h, 1, i, host, 1000 + i, 1000);
	}
	for (uint32_t i = 0; i <= N_NAMES; i++) {
		host[DP_HOST_MAX - 2] = (char)('a' + i);
		expect(h, 1, i, 1000, i == 0 ? NULL : host);
	}
	assert_int_equal(cls_hints_counts(h)->forgotten, 1);
	put(h, 1, 1, host, 1001, 1000); // a name that is there takes no room
	assert_int_equal(cls_hints_counts(h)->forgotten, 1);
	cls_hints_free(h);
}

/* What the server was called before is not what it is called now. */
static void without_room_for_a_name_the_one_before_it_goes(void **)
{
	enum { N = 1000, N_NAMES = (N / 2 + 64) / 5, N_SHARING = 20 };
	struct cls_hints *h = table(N);
	char host[DP_HOST_MAX] = {0};

	for (uint32_t i = 0; i < N_SHARING; i++) // their ends make room for no name
		put(h, 2, i, "one.example", 300, 1000);
	memset(host, 'x', DP_HOST_MAX - 1);
	for (uint32_t i = 0; i < N_NAMES; i++) {
		host[0] = (char)('a' + i % 26);
		host[1] = (char)('a' + i / 26);
		put(h, 1, i, host, 2000, 1000);
	}
	assert_int_equal(cls_hints_counts(h)->forgotten, 0);
	host[2] = 'y';
	put(h, 1, 5, host, 3000, 1000);
	expect(h, 1, 5, 1000, NULL);
	expect(h, 2, N_SHARING - 1, 1000, "one.example");
	assert_int_equal(cls_hints_counts(h)->forgotten, 8 + 1);
	put(h, 1, 6, host, 3000, 1000); // there is room now
	expect(h, 1, 6, 1000, host);
	cls_hints_free(h);
}

/* --- against a model -------------------------------------------------------------------------- */

enum { N_SERVERS = 600, N_ENDPOINTS = 12, N_HOSTS = 50 };

struct entry {
	bool is_used;
	uint32_t host;
	uint64_t end_s, said; // number of the put
};

static struct entry model[N_ENDPOINTS * N_SERVERS]; // of an endpoint one after another
static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223; // Numerical Recipes
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

/* The entry that ends first, of those the one said first; *ret_n: how many there are. */
static struct entry *first_end(struct entry *entries, size_t n, uint32_t *ret_n)
{
	struct entry *first = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		struct entry *e = &entries[i];

		*ret_n += e->is_used;
		if (e->is_used &&
			(first == NULL || e->end_s < first->end_s ||
				(e->end_s == first->end_s && e->said < first->said)))
			first = e;
	}
	return first;
}

static const char *host_name(uint32_t i, char buf[DP_HOST_MAX])
{
	(void)snprintf(buf, DP_HOST_MAX, "%0*u.example", (int)(i % 7 * 18 + 1), i);
	return buf;
}

/* n_max: of all hints; ends differ then, so that there is one that ends first. */
static void model_put(uint32_t endpoint, uint32_t server, uint32_t host, uint64_t end_s,
	uint64_t now_s, uint64_t number, uint32_t n_max)
{
	struct entry *own = &model[endpoint * N_SERVERS], *e = own + server, *first;
	uint32_t n;

	for (size_t i = 0; n_max > 0 && i < N_ENDPOINTS * N_SERVERS; i++)
		model[i].is_used &= model[i].end_s >= now_s;
	if (!e->is_used) {
		first = first_end(own, N_SERVERS, &n);
		if (n == CLS_HINTS_PER_ENDPOINT)
			first->is_used = false;
		first = first_end(model, N_ENDPOINTS * N_SERVERS, &n);
		if (n_max > 0 && n == n_max)
			first->is_used = false;
	}
	*e = (struct entry){.is_used = true, .host = host, .end_s = end_s, .said = number};
}

static void compare(const struct cls_hints *h, uint64_t now_s)
{
	char buf[DP_HOST_MAX];

	for (uint32_t e = 0; e < N_ENDPOINTS; e++) {
		for (uint32_t s = 0; s < N_SERVERS; s++) {
			const struct entry *m = &model[e * N_SERVERS + s];
			const bool holds = m->is_used && m->end_s >= now_s;

			expect(h, e, s, now_s, holds ? host_name(m->host, buf) : NULL);
		}
	}
}

static void run_model(uint32_t n_puts, uint32_t n_max)
{
	struct cls_hints *h = table(n_max > 0 ? n_max : 8000);
	uint64_t now_s = 1000;
	char buf[DP_HOST_MAX];

	memset(model, 0, sizeof(model));
	for (uint32_t i = 0; i < n_puts; i++) {
		// Most traffic is of the first endpoints.
		const uint32_t endpoint = random_below(1 + random_below(N_ENDPOINTS));
		const uint32_t server = random_below(N_SERVERS), host = random_below(N_HOSTS);
		const uint32_t ttl_s = n_max > 0 ? 300 + i % 5000 : random_below(20) * 60;
		const uint32_t life_s = ttl_s < CLS_HINT_MIN_S ? CLS_HINT_MIN_S : ttl_s;

		// In a full table no two end together, so that it is clear which one goes.
		now_s += n_max > 0 ? i % 5000 == 4999 ? 5000 : 0 : random_below(4) == 0;
		put(h, endpoint, server, host_name(host, buf), ttl_s, now_s);
		model_put(endpoint, server, host, now_s + life_s, now_s, i, n_max);
		if (i % 997 == 0)
			compare(h, now_s);
	}
	compare(h, now_s);
	compare(h, now_s + 400);
	assert_int_equal(cls_hints_counts(h)->put, n_puts);
	assert_true(n_max > 0 ? cls_hints_counts(h)->forgotten > 0
			      : cls_hints_counts(h)->forgotten == 0);
	cls_hints_free(h);
}

/* Nor does what is found depend on the key of the hashes. */
static void any_order_of_answers_gives_what_a_plain_list_gives(void **)
{
	const uint64_t keys[2] = {dp_hash_key[0], dp_hash_key[1]};

	for (uint32_t i = 0; i < 3; i++) {
		seed = 7 + i;
		dp_hash_key[0] += i;
		run_model(6000, 0);
		run_model(6000, 300 + 100 * i);
	}
	memcpy(dp_hash_key, keys, sizeof(keys));
}

/* --- names ----------------------------------------------------------------------------------- */

static void names_of_every_length_are_stored_once(void **)
{
	enum { N = DP_HOST_MAX - 1 };
	struct cls_hint_names t;
	uint32_t names[N + 1];
	char host[DP_HOST_MAX] = {0}, read[DP_HOST_MAX];

	assert_int_equal(cls_hint_names_init(&t, 1000), 0);
	for (int round = 0; round < 3; round++) {
		for (size_t len = 0; len <= N; len++) {
			memset(host, 'a' + round, len);
			host[len] = '\0';
			names[len] = cls_hint_name_get(&t, host);
			assert_true(names[len] != CLS_HINT_NAME_NONE);
			assert_int_equal(cls_hint_name_get(&t, host), names[len]);
		}
		for (size_t len = 0; len <= N; len++) {
			cls_hint_name_read(&t, names[len], read);
			assert_int_equal(strlen(read), len);
			assert_int_equal(strspn(read, (char[]){(char)('a' + round), '\0'}), len);
			cls_hint_name_put(&t, names[len]);
			assert_int_equal(cls_hint_name_get(&t, read), names[len]); // one is left
			cls_hint_name_put(&t, names[len]);
			cls_hint_name_put(&t, names[len]);
		}
		assert_int_equal(t.n_free, t.n_cells);
	}
	cls_hint_names_fini(&t);
}

static void names_without_room_are_none_and_take_none(void **)
{
	struct cls_hint_names t;
	uint32_t name;

	assert_int_equal(cls_hint_names_init(&t, 3), 0);
	name = cls_hint_name_get(&t, "a.host.of.two.cells.example");
	assert_true(name != CLS_HINT_NAME_NONE);
	assert_int_equal(cls_hint_name_get(&t, "b.host.of.two.cells.example"), CLS_HINT_NAME_NONE);
	assert_int_equal(t.n_free, 1);
	assert_true(cls_hint_name_get(&t, "one.example") != CLS_HINT_NAME_NONE);
	assert_int_equal(cls_hint_name_get(&t, "two.example"), CLS_HINT_NAME_NONE);
	cls_hint_name_put(&t, name);
	assert_true(cls_hint_name_get(&t, "b.host.of.two.cells.example") != CLS_HINT_NAME_NONE);
	cls_hint_names_fini(&t);
}

/* What docs promise of a million hints. */
static void a_million_hints_take_less_than_64_mb_without_names(void **)
{
	const size_t all = cls_hints_bytes(1000000), names = cls_hint_names_bytes(500064);

	print_message("1000000 hints: %.1f MB, and %.1f MB for names\n",
		(double)(all - names) / 1e6, (double)names / 1e6);
	assert_true(all - names < 64000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hint_is_of_one_endpoint_and_one_server),
		cmocka_unit_test(the_name_said_last_counts_and_its_time),
		cmocka_unit_test(a_hint_lives_its_ttl_within_bounds),
		cmocka_unit_test(hints_behind_the_year_2106_do_not_end),
		cmocka_unit_test(an_endpoint_with_too_many_loses_the_one_that_ends_first),
		cmocka_unit_test(a_full_table_loses_the_one_that_ends_first_and_counts_it),
		cmocka_unit_test(without_room_for_an_endpoint_that_of_the_first_end_goes),
		cmocka_unit_test(without_room_for_a_name_those_that_end_first_go),
		cmocka_unit_test(without_room_for_a_name_the_one_before_it_goes),
		cmocka_unit_test(any_order_of_answers_gives_what_a_plain_list_gives),
		cmocka_unit_test(names_of_every_length_are_stored_once),
		cmocka_unit_test(names_without_room_are_none_and_take_none),
		cmocka_unit_test(a_million_hints_take_less_than_64_mb_without_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
