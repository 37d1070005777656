// SPDX-License-Identifier: BSD-3-Clause
/* Values in parts, checksums, what a store says of itself: every part that is wrong is found. */
#include "control/store_record.h"
#include "control/crc32c.h"
#include "control/store_format.h"

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_checksum_is_that_of_the_rfc(void **)
{
	uint8_t bytes[32];

	// RFC 3720 B.4
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(ctl_crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(ctl_crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(ctl_crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(ctl_crc32c_portable(0, bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(ctl_crc32c(0, NULL, 0), 0);
}

static void both_ways_to_the_checksum_agree_in_any_pieces(void **)
{
	uint8_t bytes[100];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (size_t from = 0; from < 9; from++) {
		for (size_t len = 0; len <= sizeof(bytes) - from; len++) {
			const uint32_t whole = ctl_crc32c(0, bytes + from, len);

			assert_int_equal(whole, ctl_crc32c_portable(0, bytes + from, len));
			assert_int_equal(whole,
				ctl_crc32c(ctl_crc32c(0, bytes + from, len / 3),
					bytes + from + len / 3, len - len / 3));
		}
	}
}

/* --- parts ----------------------------------------------------------------------------------- */

struct part {
	uint8_t key[CTL_RECORD_KEY_MAX];
	size_t key_len;
	uint8_t bytes[64];
	size_t size;
};

/* Part `part` of n of the value of `key`: eight bytes of its number. */
static struct part part_of(uint64_t key, uint32_t part, uint32_t n)
{
	uint8_t data[8];
	const struct ctl_record record = {
		.key = key, .part = part, .n_follow = n - 1 - part, .data = data, .len = 8};
	struct part made = {.size = 8 + CTL_RECORD_TRAILER};

	memset(data, (int)(part + 1), sizeof(data));
	made.key_len = ctl_record_key(key, part, made.key);
	ctl_record_write(CTL_TABLE_JOURNAL, &record, made.bytes);
	return made;
}

static int take(void *ctx, uint64_t key, const void *value, size_t len)
{
	GString *text = ctx;

	g_string_append_printf(text, "%llu:", (unsigned long long)key);
	for (size_t i = 0; i < len; i += 8)
		g_string_append_printf(text, "%d", ((const uint8_t *)value)[i]);
	g_string_append_c(text, ' ');
	return 0;
}

/* What comes out of these parts; the sentence when they are refused. */
static char *join(const struct part *parts, size_t n)
{
	struct ctl_joiner joiner = {.table = CTL_TABLE_JOURNAL};
	GString *text = g_string_new(NULL);
	struct dp_err err;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = ctl_joiner_add(&joiner, parts[i].key, parts[i].key_len, parts[i].bytes,
			parts[i].size, take, text, &err);
	if (r == 0)
		r = ctl_joiner_end(&joiner, &err);
	ctl_joiner_fini(&joiner);
	if (r < 0) {
		assert_int_equal(r, -EBADMSG);
		g_string_assign(text, err.text);
	}
	return g_string_free(text, FALSE);
}

static void parts_become_their_value_and_none_may_be_missing(void **)
{
	const struct part one = part_of(1, 0, 1), a = part_of(2, 0, 3), b = part_of(2, 1, 3),
			  c = part_of(2, 2, 3), other = part_of(3, 1, 3), last = part_of(9, 0, 1);
	const struct {
		struct part parts[5];
		size_t n;
		const char *expected;
	} cases[] = {
		{{one, a, b, c, last}, 5, "1:1 2:123 9:1 "},
		{{a, b}, 2, "table 'journal': the end of a value is missing"},
		{{a, b, last}, 3, "table 'journal': the end of a value is missing"},
		{{a, c}, 2, "table 'journal': the middle of a value is missing"},
		{{a, other}, 2, "table 'journal': the middle of a value is missing"},
		{{one, b}, 2, "table 'journal': the begin of a value is missing"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = join(cases[i].parts, cases[i].n);

		assert_string_equal(got, cases[i].expected);
	}
}

static void no_bit_of_a_record_may_be_wrong(void **)
{
	const struct part good = part_of(7, 1, 3);
	struct ctl_record record;

	assert_int_equal(ctl_record_read(CTL_TABLE_JOURNAL, good.key, good.key_len, good.bytes,
				 good.size, &record),
		0);
	assert_int_equal(record.key, 7);
	assert_int_equal(record.part, 1);
	assert_int_equal(record.n_follow, 1);
	assert_int_equal(record.len, 8);
	assert_int_equal(ctl_record_read(CTL_TABLE_OUTBOX, good.key, good.key_len, good.bytes,
				 good.size, &record),
		-EBADMSG);
	for (size_t bit = 0; bit < (good.size + good.key_len) * 8; bit++) {
		struct part bad = good;
		uint8_t *byte = bit / 8 < bad.size ? &bad.bytes[bit / 8]
						   : &bad.key[bit / 8 - bad.size];

		*byte ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(ctl_record_read(CTL_TABLE_JOURNAL, bad.key, bad.key_len, bad.bytes,
					 bad.size, &record),
			-EBADMSG);
	}
	for (size_t len = 0; len < good.size; len++) {
		g_autofree uint8_t *cut = g_memdup2(good.bytes, len); // its own block

		assert_int_equal(ctl_record_read(CTL_TABLE_JOURNAL, good.key, good.key_len, cut,
					 len, &record),
			-EBADMSG);
	}
	for (size_t len = 0; len < good.key_len; len++)
		assert_int_equal(ctl_record_read(CTL_TABLE_JOURNAL, good.key, len, good.bytes,
					 good.size, &record),
			-EBADMSG);
}

static void values_have_as_many_parts_as_they_need(void **)
{
	assert_int_equal(ctl_record_n_parts(0), 1);
	assert_int_equal(ctl_record_n_parts(1), 1);
	assert_int_equal(ctl_record_n_parts(CTL_RECORD_DATA_MAX), 1);
	assert_int_equal(ctl_record_n_parts(CTL_RECORD_DATA_MAX + 1), 2);
	assert_int_equal(ctl_record_n_parts(CTL_BATCH_VALUE_MAX),
		CTL_BATCH_VALUE_MAX / CTL_RECORD_DATA_MAX + 1);
}

/* --- what it says of itself ------------------------------------------------------------------ */

static void a_description_comes_back_and_every_truncation_is_refused(void **)
{
	const struct ctl_store_format format = {
		.version = 1, .node = (char *)"edge1", .tick_ns = 1000000000, .created_ns = 42};
	struct ctl_store_format back;
	struct ctl_pack pack = {0};
	struct dp_err err;

	ctl_store_format_pack(&format, &pack);
	assert_int_equal(ctl_store_format_unpack(pack.data, pack.len, &back, &err), 0);
	assert_int_equal(back.version, 1);
	assert_string_equal(back.node, "edge1");
	assert_int_equal(back.tick_ns, 1000000000);
	assert_int_equal(back.created_ns, 42);
	assert_int_equal(ctl_store_format_suits(&back, "x", "edge1", 1000000000, &err), 0);
	assert_int_equal(ctl_store_format_suits(&back, "x", NULL, 5, &err), 0);
	ctl_store_format_fini(&back);
	for (size_t len = 0; len < pack.len; len++) {
		g_autofree uint8_t *cut = g_memdup2(pack.data, len);

		assert_int_equal(ctl_store_format_unpack(cut, len, &back, &err), -EBADMSG);
	}
	ctl_pack_fini(&pack);
}

static void a_newer_description_is_read_as_far_as_it_tells_its_version(void **)
{
	struct ctl_store_format back;
	struct ctl_pack pack = {0};
	struct dp_err err;

	ctl_pack_text(&pack, "wirecue store");
	ctl_pack_u64(&pack, 2);
	ctl_pack_f64(&pack, 0.5); // who knows
	assert_int_equal(ctl_store_format_unpack(pack.data, pack.len, &back, &err), 0);
	assert_int_equal(ctl_store_format_suits(&back, "/x", "edge1", 1, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "'/x' has format 2, this wirecue knows 1"));
	ctl_store_format_fini(&back);
	ctl_pack_fini(&pack);
}

static void the_state_comes_back_with_its_cuts(void **)
{
	struct ctl_store_state state = {.generation = 3, .serial = 900, .watermark_ns = 1ULL << 60},
			       back;
	struct ctl_pack pack = {0};
	uint64_t first;

	state.cuts[CTL_TABLE_JOURNAL] = (struct ctl_store_cut){true, 77};
	state.cuts[CTL_TABLE_GAPS] = (struct ctl_store_cut){true, UINT64_MAX};
	ctl_store_state_pack(&state, &pack);
	assert_int_equal(ctl_store_state_unpack(pack.data, pack.len, &back), 0);
	assert_memory_equal(&back, &state, sizeof(state));
	for (size_t len = 0; len < 2; len++)
		assert_int_equal(ctl_store_state_unpack(pack.data, len, &back), -EBADMSG);
	assert_true(ctl_store_state_first(&state, CTL_TABLE_JOURNAL, 5, &first));
	assert_int_equal(first, 78);
	assert_true(ctl_store_state_first(&state, CTL_TABLE_JOURNAL, 100, &first));
	assert_int_equal(first, 100);
	assert_true(ctl_store_state_first(&state, CTL_TABLE_PROFILES, 5, &first));
	assert_int_equal(first, 5);
	assert_false(ctl_store_state_first(&state, CTL_TABLE_GAPS, 5, &first));
	ctl_pack_clear(&pack);
	ctl_pack_u64(&pack, 1);
	ctl_pack_u64(&pack, 1);
	ctl_pack_u64(&pack, 1);
	ctl_pack_u64(&pack, CTL_TABLE_COUNT); // no table
	ctl_pack_u64(&pack, 1);
	assert_int_equal(ctl_store_state_unpack(pack.data, pack.len, &back), -EBADMSG);
	ctl_pack_fini(&pack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_that_of_the_rfc),
		cmocka_unit_test(both_ways_to_the_checksum_agree_in_any_pieces),
		cmocka_unit_test(parts_become_their_value_and_none_may_be_missing),
		cmocka_unit_test(no_bit_of_a_record_may_be_wrong),
		cmocka_unit_test(values_have_as_many_parts_as_they_need),
		cmocka_unit_test(a_description_comes_back_and_every_truncation_is_refused),
		cmocka_unit_test(a_newer_description_is_read_as_far_as_it_tells_its_version),
		cmocka_unit_test(the_state_comes_back_with_its_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
