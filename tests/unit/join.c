// SPDX-License-Identifier: BSD-3-Clause
/* Joined streams against a model that knows of each byte whether it is there. */
#include "classifier/join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/wire.h"

#include <stdlib.h>
#include <string.h>

enum { N_SEEDS = 100, N_PUTS = 200, N_JOINS = 5 };

static struct wire_random source = {1};

static uint32_t chance(uint32_t n)
{
	return wire_below(&source, n);
}

struct model {
	uint8_t bytes[CLS_JOIN_BYTES];
	bool is_there[CLS_JOIN_BYTES];
};

static size_t model_ready(const struct model *m)
{
	size_t n = 0;

	while (n < CLS_JOIN_BYTES && m->is_there[n])
		n++;
	return n;
}

static size_t model_pieces(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < CLS_JOIN_BYTES; i++)
		n += m->is_there[i] && (i == 0 || !m->is_there[i - 1]);
	return n;
}

/* What stays when the first of two bytes does; false, and nothing, when that made too many pieces. */
static bool model_put(struct model *m, uint64_t offset, const uint8_t *bytes, size_t len)
{
	static struct model before;

	before = *m;
	for (size_t i = 0; i < len && offset + i < CLS_JOIN_BYTES; i++) {
		if (!m->is_there[offset + i])
			m->bytes[offset + i] = bytes[i];
		m->is_there[offset + i] = true;
	}
	if (model_pieces(m) <= CLS_JOIN_PIECES)
		return true;
	*m = before;
	return false;
}

static void check_ready(const struct cls_join *join, const void *expected, size_t n_expected)
{
	size_t len;
	const uint8_t *bytes = cls_join_ready(join, &len);

	assert_int_equal(len, n_expected);
	assert_memory_equal(bytes, expected, n_expected);
}

static void check(const struct cls_join *join, const struct model *m)
{
	const size_t len = model_ready(m);

	check_ready(join, m->bytes, len);
	assert_int_equal(cls_join_is_full(join), len == CLS_JOIN_BYTES);
}

/* A block of exactly len bytes, so that a read past it is seen. */
static uint8_t *random_bytes(size_t len)
{
	uint8_t *bytes = malloc(len > 0 ? len : 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)chance(256);
	return bytes;
}

static void pieces_by_chance_are_what_the_model_says(void **)
{
	struct cls_join_pool *pool = cls_join_pool_new(1);
	static struct model m;
	size_t n_refused = 0, n_full = 0;

	for (uint32_t seed = 1; seed <= N_SEEDS; seed++) {
		struct cls_join *join = cls_join_take(pool);
		const uint32_t room = seed % 3 == 0 ? 300 : CLS_JOIN_BYTES + 100;
		const uint32_t longest = seed % 3 == 2 ? 4000 : 60;

		assert_non_null(join);
		wire_random_init(&source, seed);
		m = (struct model){0};
		for (uint32_t i = 0; i < N_PUTS; i++) {
			const uint64_t offset = chance(16) == 0 ? 0 : chance(room);
			const size_t len = chance(longest);
			uint8_t *bytes = random_bytes(len);
			const bool is_taken = cls_join_put(join, offset, bytes, len);

			assert_int_equal(is_taken, model_put(&m, offset, bytes, len));
			n_refused += !is_taken;
			free(bytes);
			check(join, &m);
		}
		n_full += cls_join_is_full(join);
		cls_join_give(pool, join);
	}
	assert_true(n_refused > 1000 && n_full > 10); // both happened
	cls_join_pool_free(pool);
}

/* A stream cut at random, each part once or twice, some across two others, in random order. */
static void a_stream_is_the_same_in_any_order(void **)
{
	struct cls_join_pool *pool = cls_join_pool_new(1);
	uint8_t *stream = random_bytes(CLS_JOIN_BYTES);

	for (uint32_t seed = 1; seed <= N_SEEDS; seed++) {
		struct {
			size_t at, len;
		} parts[2 * CLS_JOIN_PIECES];
		struct cls_join *join = cls_join_take(pool);

		wire_random_init(&source, seed);

		const size_t total = 1 + chance(CLS_JOIN_BYTES);
		size_t n = 0;

		for (size_t at = 0; at < total; n++) {
			const size_t most = total - at, step = 700 + chance(1500);

			parts[n].at = at > 20 && chance(3) == 0 ? at - 20 : at;
			at += step < most ? step : most;
			parts[n].len = at - parts[n].at;
		}
		for (size_t i = n; i-- > 0 && n < 2 * CLS_JOIN_PIECES;) {
			if (chance(4) == 0)
				parts[n++] = parts[i];
		}
		for (size_t i = n; i > 0; i--) {
			const size_t pick = chance((uint32_t)i);

			assert_true(cls_join_put(
				join, parts[pick].at, stream + parts[pick].at, parts[pick].len));
			parts[pick] = parts[i - 1];
		}
		check_ready(join, stream, total);
		cls_join_give(pool, join);
	}
	free(stream);
	cls_join_pool_free(pool);
}

static void who_says_two_things_is_held_to_the_first(void **)
{
	struct cls_join_pool *pool = cls_join_pool_new(1);
	struct cls_join *join = cls_join_take(pool);

	assert_true(cls_join_put(join, 3, (const uint8_t *)"first", 5));
	assert_true(cls_join_put(join, 10, (const uint8_t *)"second", 6));
	check_ready(join, "", 0);
	assert_true(cls_join_put(join, 0, (const uint8_t *)"ABCDEFGHIJKLMNOPQRSTU", 21));
	check_ready(join, "ABCfirstIJsecondQRSTU", 21);
	assert_true(cls_join_put(join, 0, (const uint8_t *)"again", 5));
	check_ready(join, "ABCfirstIJsecondQRSTU", 21);
	cls_join_pool_free(pool);
}

static void what_lies_beyond_the_end_is_left_out(void **)
{
	struct cls_join_pool *pool = cls_join_pool_new(1);
	struct cls_join *join = cls_join_take(pool);
	uint8_t *bytes = random_bytes(CLS_JOIN_BYTES + 10);

	assert_true(cls_join_put(join, UINT64_MAX, bytes, SIZE_MAX)); // not read
	assert_true(cls_join_put(join, CLS_JOIN_BYTES, bytes, 1));
	assert_true(cls_join_put(join, 0, NULL, 0));
	assert_true(cls_join_put(join, CLS_JOIN_BYTES - 1, bytes + CLS_JOIN_BYTES - 1, 2));
	assert_false(cls_join_is_full(join));
	check_ready(join, "", 0);
	assert_true(cls_join_put(join, 1, bytes + 1, CLS_JOIN_BYTES));
	assert_false(cls_join_is_full(join));
	assert_true(cls_join_put(join, 0, bytes, 1));
	assert_true(cls_join_is_full(join));
	check_ready(join, bytes, CLS_JOIN_BYTES);
	free(bytes);
	cls_join_pool_free(pool);
}

static void one_piece_too_many_is_refused_until_two_meet(void **)
{
	struct cls_join_pool *pool = cls_join_pool_new(1);
	struct cls_join *join = cls_join_take(pool);
	const uint8_t letter = 'x';

	for (uint64_t i = 0; i < CLS_JOIN_PIECES; i++)
		assert_true(cls_join_put(join, 2 * i + 1, &letter, 1));
	assert_false(cls_join_put(join, 2 * CLS_JOIN_PIECES + 1, &letter, 1));
	assert_true(cls_join_put(join, 2 * CLS_JOIN_PIECES, &letter, 1)); // longer, not more
	assert_true(cls_join_put(join, 0, &letter, 1));
	check_ready(join, "xx", 2);
	assert_false(cls_join_put(join, 1000, &letter, 1));
	assert_true(cls_join_put(join, 2, &letter, 1)); // two become one
	assert_true(cls_join_put(join, 1000, &letter, 1));
	cls_join_pool_free(pool);
}

/* One that is taken again is empty, and no two share a byte. */
static void joins_of_a_pool_are_apart(void **)
{
	struct cls_join_pool *pool = cls_join_pool_new(N_JOINS), *none = cls_join_pool_new(0);
	struct cls_join *joins[N_JOINS];
	static uint8_t fill[CLS_JOIN_BYTES];

	for (size_t i = 0; i < N_JOINS; i++) {
		joins[i] = cls_join_take(pool);
		assert_non_null(joins[i]);
		memset(fill, (int)i, sizeof(fill));
		assert_true(cls_join_put(joins[i], 0, fill, sizeof(fill)));
	}
	assert_int_equal(cls_join_pool_refused(pool), 0);
	assert_null(cls_join_take(pool));
	assert_int_equal(cls_join_pool_refused(pool), 1);
	assert_null(cls_join_take(none));
	for (size_t i = 0; i < N_JOINS; i++) {
		memset(fill, (int)i, sizeof(fill));
		check_ready(joins[i], fill, sizeof(fill));
	}
	cls_join_give(pool, NULL);
	cls_join_give(pool, joins[3]);
	joins[3] = cls_join_take(pool);
	assert_non_null(joins[3]);
	check_ready(joins[3], "", 0);
	assert_null(cls_join_take(pool));
	cls_join_pool_free(none);
	cls_join_pool_free(pool);
	cls_join_pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_by_chance_are_what_the_model_says),
		cmocka_unit_test(a_stream_is_the_same_in_any_order),
		cmocka_unit_test(who_says_two_things_is_held_to_the_first),
		cmocka_unit_test(what_lies_beyond_the_end_is_left_out),
		cmocka_unit_test(one_piece_too_many_is_refused_until_two_meet),
		cmocka_unit_test(joins_of_a_pool_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
