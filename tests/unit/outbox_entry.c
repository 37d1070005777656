// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(t) \
	{ \
		t, sizeof(t) - 1 \
	}

static const struct ctl_outbox_stored sample = {
	.number = 300,
	.typenumber = 7,
	.wall_ns = 1700000000123456789ULL,
	.id_ms = 1700000000123ULL,
	.id_n = UINT64_MAX,
	.type = TEXT("wirecue.app.watched.v1"),
	.subject = TEXT("0123456789abcdef"),
	.event = TEXT("{\"id\":\"x\",\"time\":\"2026-03-01T18:00:00.000Z\"}"),
};

static void expect_text(const struct ctl_outbox_text *got, const struct ctl_outbox_text *want)
{
	assert_int_equal(got->len, want->len);
	assert_memory_equal(got->at, want->at, want->len);
}

/* From a block of its own, so that AddressSanitizer sees a read past its end. */
static int unpack(const uint8_t *data, size_t len, struct ctl_outbox_stored *ret)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int r;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, data, len);
	r = ctl_outbox_entry_unpack(copy, len, ret);
	free(copy);
	return r;
}

static void an_entry_comes_back_as_it_was(void **)
{
	struct ctl_pack pack = {0};
	struct ctl_outbox_stored got;

	ctl_outbox_entry_pack(&pack, &sample);
	assert_int_equal(ctl_outbox_entry_unpack(pack.data, pack.len, &got), 0);
	assert_int_equal(got.number, sample.number);
	assert_int_equal(got.typenumber, sample.typenumber);
	assert_int_equal(got.wall_ns, sample.wall_ns);
	assert_int_equal(got.id_ms, sample.id_ms);
	assert_true(got.id_n == sample.id_n);
	expect_text(&got.type, &sample.type);
	expect_text(&got.subject, &sample.subject);
	expect_text(&got.event, &sample.event);
	ctl_pack_fini(&pack);
}

static void no_truncation_of_an_entry_is_one(void **)
{
	struct ctl_pack pack = {0};
	struct ctl_outbox_stored got;

	ctl_outbox_entry_pack(&pack, &sample);
	for (size_t len = 0; len < pack.len; len++)
		assert_int_equal(unpack(pack.data, len, &got), -EBADMSG);
	ctl_pack_fini(&pack);
}

static void a_part_of_a_later_version_is_skipped_and_one_that_comes_twice_is_refused(void **)
{
	struct ctl_pack pack = {0};
	struct ctl_outbox_stored got;

	ctl_outbox_entry_pack(&pack, &sample);
	ctl_pack_u64(&pack, 99);
	ctl_pack_bytes(&pack, "later", 5);
	assert_int_equal(unpack(pack.data, pack.len, &got), 0);
	ctl_pack_u64(&pack, 3);
	ctl_pack_bytes(&pack, "another", 7);
	assert_int_equal(unpack(pack.data, pack.len, &got), -EBADMSG);
	ctl_pack_fini(&pack);
}

static void an_entry_that_cannot_be_is_refused(void **)
{
	static const char long_text[CTL_OUTBOX_SUBJECT_MAX + 1] = "";
	struct ctl_outbox_stored cases[] = {
		sample, sample, sample, sample, sample, sample, sample, sample, sample};
	struct ctl_outbox_stored got;
	char *too_long = malloc(sizeof(long_text));

	assert_non_null(too_long);
	memset(too_long, 'x', sizeof(long_text));
	cases[0].number = CTL_OUTBOX_NUMBER_MAX + 1;
	cases[1].typenumber = cases[1].number + 1;
	cases[2].typenumber = 0;
	cases[3].type = (struct ctl_outbox_text){too_long, CTL_OUTBOX_TYPE_MAX + 1};
	cases[4].type.len = 0;
	cases[5].subject = (struct ctl_outbox_text){too_long, CTL_OUTBOX_SUBJECT_MAX + 1};
	cases[6].subject = (struct ctl_outbox_text){"a\0b", 3};
	cases[7].event = (struct ctl_outbox_text){"[]", 2};
	cases[8].event.len--; // no closing brace
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_pack pack = {0};

		ctl_outbox_entry_pack(&pack, &cases[i]);
		assert_int_equal(unpack(pack.data, pack.len, &got), -EBADMSG);
		ctl_pack_fini(&pack);
	}
	free(too_long);
}

static void fill(struct ctl_outbox_numbers *numbers)
{
	ctl_outbox_numbers_init(numbers);
	numbers->given.all = (struct ctl_count){.last = 30, .acked = 20, .shift = 1000};
	*ctl_numbering_type(&numbers->given, "type.a") = (struct ctl_count){10, 5, 1};
	*ctl_numbering_type(&numbers->given, "type.b") = (struct ctl_count){20, 15, UINT64_MAX};
	*ctl_numbering_type(&numbers->given, "type.of.others") = (struct ctl_count){.shift = 7};
	numbers->lines.all.last = 31;
	ctl_numbering_type(&numbers->lines, "type.a")->last = 31;
	numbers->last_ms = 1700000000000ULL;
	numbers->last_n = 3;
	numbers->kept = 11;
	numbers->is_fresh = false;
	numbers->moved = (struct ctl_outbox_moved){.from = 21, .to = 30, .id_ms = 5, .id_n = 6};
	(void)g_strlcpy(numbers->writer, "0a1b2c3d", sizeof(numbers->writer));
}

static int unpack_numbers(const uint8_t *data, size_t len, struct ctl_outbox_numbers *ret)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int r;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, data, len);
	ctl_outbox_numbers_init(ret);
	r = ctl_outbox_numbers_unpack(copy, len, ret);
	free(copy);
	return r;
}

static void numbers_come_back_as_they_were(void **)
{
	struct ctl_outbox_numbers numbers, got;
	struct ctl_pack pack = {0}, again = {0};

	fill(&numbers);
	ctl_outbox_numbers_pack(&pack, &numbers);
	assert_int_equal(unpack_numbers(pack.data, pack.len, &got), 0);
	assert_int_equal(got.given.all.last, 30);
	assert_int_equal(got.given.all.acked, 20);
	assert_int_equal(got.given.all.shift, 1000);
	assert_int_equal(ctl_numbering_type(&got.given, "type.a")->acked, 5);
	assert_true(ctl_numbering_type(&got.given, "type.b")->shift == UINT64_MAX);
	assert_int_equal(ctl_numbering_type(&got.lines, "type.a")->last, 31);
	assert_int_equal(got.last_n, 3);
	assert_int_equal(got.kept, 11);
	assert_false(got.is_fresh);
	assert_int_equal(got.moved.to, 30);
	assert_int_equal(got.moved.id_n, 6);
	assert_string_equal(got.writer, "0a1b2c3d");
	ctl_outbox_numbers_pack(&again, &got);
	assert_int_equal(again.len, pack.len);
	assert_memory_equal(again.data, pack.data, pack.len);
	ctl_outbox_numbers_fini(&numbers);
	ctl_outbox_numbers_fini(&got);
	ctl_pack_fini(&pack);
	ctl_pack_fini(&again);
}

static void no_truncation_of_numbers_are_some(void **)
{
	struct ctl_outbox_numbers numbers, got;
	struct ctl_pack pack = {0};

	fill(&numbers);
	ctl_outbox_numbers_pack(&pack, &numbers);
	for (size_t len = 0; len < pack.len; len++) {
		assert_int_equal(unpack_numbers(pack.data, len, &got), -EBADMSG);
		ctl_outbox_numbers_fini(&got);
	}
	ctl_outbox_numbers_fini(&numbers);
	ctl_pack_fini(&pack);
}

static void spoil(struct ctl_outbox_numbers *numbers, unsigned how)
{
	switch (how) {
	case 0:
		numbers->given.all.acked = 31;
		break;
	case 1:
		ctl_numbering_type(&numbers->given, "type.a")->last++;
		break;
	case 2:
		ctl_numbering_type(&numbers->given, "type.a")->acked--;
		break;
	case 3:
		numbers->lines.all.last++;
		break;
	case 4:
		numbers->kept = 0;
		break;
	case 5:
		numbers->kept = 22;
		break;
	case 6:
		numbers->moved.to = 31;
		break;
	case 7:
		numbers->moved.from = 31;
		break;
	case 8:
		numbers->moved.id_n = UINT64_MAX - 8;
		break;
	default:
		numbers->writer[0] = '\0';
		break;
	}
}

static void numbers_that_contradict_each_other_are_refused(void **)
{
	for (unsigned how = 0; how < 10; how++) {
		struct ctl_outbox_numbers numbers, got;
		struct ctl_pack pack = {0};

		fill(&numbers);
		spoil(&numbers, how);
		ctl_outbox_numbers_pack(&pack, &numbers);
		assert_int_equal(unpack_numbers(pack.data, pack.len, &got), -EBADMSG);
		ctl_outbox_numbers_fini(&numbers);
		ctl_outbox_numbers_fini(&got);
		ctl_pack_fini(&pack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_comes_back_as_it_was),
		cmocka_unit_test(no_truncation_of_an_entry_is_one),
		cmocka_unit_test(
			a_part_of_a_later_version_is_skipped_and_one_that_comes_twice_is_refused),
		cmocka_unit_test(an_entry_that_cannot_be_is_refused),
		cmocka_unit_test(numbers_come_back_as_they_were),
		cmocka_unit_test(no_truncation_of_numbers_are_some),
		cmocka_unit_test(numbers_that_contradict_each_other_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
