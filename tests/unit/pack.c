// SPDX-License-Identifier: BSD-3-Clause
/* Numbers and texts as bytes: what is written is read, and nothing is read past its end. */
#include "control/pack.h"

#include <glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX};

static void numbers_come_back(void **)
{
	struct ctl_pack pack = {0};
	struct ctl_unpack in;

	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		ctl_pack_u64(&pack, numbers[i]);
		ctl_pack_i64(&pack, (int64_t)numbers[i]);
		ctl_pack_i64(&pack, -(int64_t)(numbers[i] / 2));
		ctl_pack_f64(&pack, (double)numbers[i] / 3);
	}
	ctl_pack_i64(&pack, INT64_MIN);
	in = ctl_unpack_of(pack.data, pack.len);
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		assert_int_equal(ctl_unpack_u64(&in), numbers[i]);
		assert_int_equal(ctl_unpack_i64(&in), (int64_t)numbers[i]);
		assert_int_equal(ctl_unpack_i64(&in), -(int64_t)(numbers[i] / 2));
		assert_true(ctl_unpack_f64(&in) == (double)numbers[i] / 3);
	}
	assert_true(ctl_unpack_i64(&in) == INT64_MIN);
	assert_false(in.is_bad);
	assert_false(ctl_unpack_has_more(&in));
	ctl_pack_fini(&pack);
}

/* With bytes behind it and as the last one; and with a byte of padding, which is refused. */
static void numbers_of_every_length_come_back(void **)
{
	for (unsigned bit = 0; bit <= 64; bit++) {
		for (int less = 0; less < 2; less++) {
			const uint64_t value = (bit == 64 ? 0 : UINT64_C(1) << bit) -
				(uint64_t)less;
			struct ctl_pack pack = {0};
			uint8_t bytes[32];

			memset(bytes, 0xff, sizeof(bytes));
			ctl_pack_u64(&pack, value);
			memcpy(bytes, pack.data, pack.len);
			for (size_t n_behind = 0; n_behind < 12; n_behind++) {
				struct ctl_unpack in = ctl_unpack_of(bytes, pack.len + n_behind);

				assert_int_equal(ctl_unpack_u64(&in), value);
				assert_false(in.is_bad);
				assert_ptr_equal(in.at, bytes + pack.len);
			}
			bytes[pack.len - 1] |= 0x80;
			bytes[pack.len] = 0;
			for (size_t n_behind = 1; n_behind < 12; n_behind++) {
				struct ctl_unpack in = ctl_unpack_of(bytes, pack.len + n_behind);

				assert_int_equal(ctl_unpack_u64(&in), 0);
				assert_true(in.is_bad);
			}
			ctl_pack_fini(&pack);
		}
	}
}

static void parts_nest_at_every_length(void **)
{
	static const size_t lens[] = {0, 1, 127, 128, 16383, 16384, 2097151, 2097152, 3000000};
	g_autofree char *filler = g_malloc0(3000000);

	for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
		struct ctl_pack pack = {0};
		struct ctl_unpack in, outer, inner;
		g_autofree char *text = NULL;
		size_t opened, nested, len;

		opened = ctl_pack_open(&pack, 7);
		nested = ctl_pack_open(&pack, 300);
		ctl_pack_bytes(&pack, filler, lens[i]);
		ctl_pack_close(&pack, nested);
		ctl_pack_text(&pack, "behind");
		ctl_pack_close(&pack, opened);
		ctl_pack_u64(&pack, 9);

		in = ctl_unpack_of(pack.data, pack.len);
		assert_int_equal(ctl_unpack_part(&in, &outer), 7);
		assert_int_equal(ctl_unpack_part(&outer, &inner), 300);
		(void)ctl_unpack_bytes(&inner, &len);
		assert_int_equal(len, lens[i]);
		assert_false(ctl_unpack_has_more(&inner));
		text = ctl_unpack_text(&outer, 16);
		assert_string_equal(text, "behind");
		assert_int_equal(ctl_unpack_u64(&in), 9);
		assert_false(in.is_bad || outer.is_bad || inner.is_bad);
		ctl_pack_fini(&pack);
	}
}

static void every_truncation_is_bad(void **)
{
	struct ctl_pack pack = {0};

	ctl_pack_u64(&pack, UINT64_MAX);
	ctl_pack_f64(&pack, 0.5);
	ctl_pack_text(&pack, "text");
	for (size_t cut = 0; cut < pack.len; cut++) {
		g_autofree uint8_t *copy = g_memdup2(pack.data, cut); // its own block, for ASan
		struct ctl_unpack in = ctl_unpack_of(copy, cut);
		char *text;

		(void)ctl_unpack_u64(&in);
		(void)ctl_unpack_f64(&in);
		text = ctl_unpack_text(&in, 64);
		assert_true(in.is_bad);
		assert_null(text);
		assert_int_equal(ctl_unpack_u64(&in), 0);
	}
	ctl_pack_fini(&pack);
}

static void odd_bytes_are_bad(void **)
{
	static const struct {
		const char *bytes;
		size_t len;
	} odd[] = {
		{"\x80\x00", 2}, // padded
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, // 65 bits
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
	};
	struct ctl_pack pack = {0};
	struct ctl_unpack in;

	for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
		in = ctl_unpack_of(odd[i].bytes, odd[i].len);
		assert_int_equal(ctl_unpack_u64(&in), 0);
		assert_true(in.is_bad);
	}
	ctl_pack_f64(&pack, INFINITY);
	in = ctl_unpack_of(pack.data, pack.len);
	assert_true(ctl_unpack_f64(&in) == 0);
	assert_true(in.is_bad);
	ctl_pack_clear(&pack);
	ctl_pack_bytes(&pack, "a\0b", 3);
	in = ctl_unpack_of(pack.data, pack.len);
	assert_null(ctl_unpack_text(&in, 8));
	ctl_pack_clear(&pack);
	ctl_pack_text(&pack, "too long");
	in = ctl_unpack_of(pack.data, pack.len);
	assert_null(ctl_unpack_text(&in, 7));
	in = ctl_unpack_of("\x02", 1);
	assert_false(ctl_unpack_bool(&in));
	assert_true(in.is_bad);
	ctl_pack_fini(&pack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_back),
		cmocka_unit_test(numbers_of_every_length_come_back),
		cmocka_unit_test(parts_nest_at_every_length),
		cmocka_unit_test(every_truncation_is_bad),
		cmocka_unit_test(odd_bytes_are_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
