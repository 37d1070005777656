// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox.h"

#include "tests/lib/trigger_sample.h"
#include "tests/unit/outbox_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A mark with numbers for the first two test types only. */
static const struct ctl_outbox_type_mark mark_types[] = {
	{"wirecue.of.others.v1", 9},
	{NULL, 40},
	{NULL, 50},
};

static struct ctl_outbox_mark mark_of(struct ctl_outbox_type_mark types[3], uint64_t sequence)
{
	memcpy(types, mark_types, sizeof(mark_types));
	types[1].type = test_types[0];
	types[2].type = test_types[1];
	return (struct ctl_outbox_mark){.id_ms = 99999999999999ULL,
		.id_n = 7,
		.sequence = sequence,
		.types = types,
		.n_types = 3};
}

static void renumbering_moves_what_waits_behind_the_mark_and_holds_it_until_committed(void **state)
{
	struct ctl_outbox_type_mark types[3];
	const struct ctl_outbox_mark mark = mark_of(types, 1000);
	struct outbox_rig *rig = *state;

	box_tick(rig, 6);
	box_seal(rig, 3);
	box_give(rig); // under way when it happens
	ctl_outbox_renumber(rig->outbox, &mark);
	assert_false(ctl_outbox_is_fresh(rig->outbox));
	assert_true(ctl_outbox_has_news(rig->outbox));
	box_commit(rig);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 9);
	assert_int_equal(ctl_outbox_stats(rig->outbox).acked_sequence, 1000);
	box_seal(rig, 1);
	ctl_outbox_committed(rig->outbox, rig->serial); // an earlier batch
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	box_give(rig);
	box_commit(rig);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 10);
	for (unsigned restarted = 0; restarted < 2; restarted++) {
		for (unsigned i = 0; i < 10; i++) {
			const struct ctl_outbox_entry *entry = ctl_outbox_peek(rig->outbox, i);
			const uint64_t before[] = {40, 50, 0};

			box_expect(rig, i, 1001 + i, i);
			assert_int_equal(entry->typesequence, before[i % 3] + i / 3 + 1);
			assert_int_equal(entry->id_ms, 99999999999999ULL);
			assert_int_equal(entry->id_n, 8 + i);
		}
		box_kill(rig);
		box_open(rig);
	}
}

static void a_crash_before_a_renumbering_is_committed_brings_the_old_numbers_back(void **state)
{
	struct ctl_outbox_type_mark types[3];
	const struct ctl_outbox_mark mark = mark_of(types, 1000);
	struct outbox_rig *rig = *state;

	box_tick(rig, 6);
	ctl_outbox_renumber(rig->outbox, &mark);
	box_seal(rig, 1);
	box_kill(rig);
	box_open(rig);
	assert_true(ctl_outbox_is_fresh(rig->outbox));
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 6);
	box_expect(rig, 0, 1, 0);
	assert_int_equal(ctl_outbox_peek(rig->outbox, 0)->typesequence, 1);
}

static void a_batch_under_way_with_the_old_numbers_makes_nothing_ready(void **state)
{
	const struct ctl_outbox_mark mark = {.id_ms = 5, .sequence = 70};
	struct outbox_rig *rig = *state;

	box_seal(rig, 3);
	box_give(rig);
	ctl_outbox_renumber(rig->outbox, &mark);
	box_commit(rig);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	box_tick(rig, 0);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 3);
	box_expect(rig, 0, 71, 0);
}

static void what_was_delivered_before_a_renumbering_is_not_sent_again(void **state)
{
	const struct ctl_outbox_mark mark = {.id_ms = 5, .sequence = 70};
	struct outbox_rig *rig = *state;
	struct dp_err err;
	GArray *keys;

	box_kill(rig);
	rig->config.n_retained = 100;
	box_open(rig);
	box_tick(rig, 6);
	ctl_outbox_ack(rig->outbox, 4);
	ctl_outbox_renumber(rig->outbox, &mark);
	assert_int_equal(ctl_outbox_oldest_kept(rig->outbox), 71);
	assert_int_equal(ctl_outbox_rewind(rig->outbox, 69, &err), -ENOENT);
	assert_string_equal(
		err.text, "trigger 70 is not kept any more, and none that was delivered is");
	box_tick(rig, 0);
	keys = box_keys(rig);
	assert_int_equal(keys->len, 2);
	g_array_free(keys, TRUE);
}

/* Else the numbers could grow until they cannot be read any more. */
static void types_of_earlier_streams_are_forgotten(void **state)
{
	enum { N_TYPES = 400 };
	struct ctl_outbox_type_mark types[N_TYPES];
	const struct ctl_outbox_mark mark = {.types = types, .n_types = N_TYPES};
	struct outbox_rig *rig = *state;
	char name[32];

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < N_TYPES; i++) {
			(void)snprintf(name, sizeof(name), "type.%u.%u", round, i);
			types[i] = (struct ctl_outbox_type_mark){g_intern_string(name), i};
		}
		ctl_outbox_renumber(rig->outbox, &mark);
		box_tick(rig, 1);
	}
	box_kill(rig);
	box_open(rig);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 4);
}

static void numbers_can_be_moved_again_and_what_stands_in_the_store_only_is_moved_too(void **state)
{
	struct ctl_outbox_type_mark types[3];
	struct ctl_outbox_mark mark = mark_of(types, 1000);
	struct outbox_rig *rig = *state;
	uint64_t ms = 0, n = 0;

	box_kill(rig);
	rig->config.memory_max = 4;
	box_open(rig);
	box_tick(rig, 30);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_in_store, 26);
	ctl_outbox_renumber(rig->outbox, &mark);
	box_tick(rig, 0);
	ctl_outbox_ack(rig->outbox, 2);
	box_tick(rig, 3);
	mark.sequence = 500; // a stream may be behind, as well
	mark.id_ms++;
	ctl_outbox_renumber(rig->outbox, &mark);
	box_tick(rig, 3);
	box_kill(rig);
	box_open(rig);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 34);
	for (unsigned i = 0; i < 34; i++) {
		const struct ctl_outbox_entry *entry = ctl_outbox_peek(rig->outbox, 0);
		const uint64_t before[] = {40, 50, 0}, acked[] = {1, 1, 0};
		const unsigned trigger = i + 2, type = trigger % 3;

		box_expect(rig, 0, 501 + i, trigger);
		assert_int_equal(entry->typesequence, before[type] + trigger / 3 + 1 - acked[type]);
		assert_true(entry->id_ms > ms || (entry->id_ms == ms && entry->id_n > n));
		ms = entry->id_ms;
		n = entry->id_n;
		ctl_outbox_ack(rig->outbox, 1);
	}
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
}

static void a_rewind_sends_again_what_is_kept_with_the_ids_it_had(void **state)
{
	struct outbox_rig *rig = *state;
	struct ctl_outbox_entry third;

	box_kill(rig);
	rig->config.n_retained = 8;
	box_open(rig);
	box_tick(rig, 12);
	third = *ctl_outbox_peek(rig->outbox, 2);
	ctl_outbox_ack(rig->outbox, 10);
	box_seal(rig, 2);
	box_give(rig); // not committed when it happens
	rig->n_calls = 0;
	assert_int_equal(ctl_outbox_rewind(rig->outbox, 2, NULL), 0);
	assert_int_equal(rig->n_calls, 1);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 10);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 12);
	assert_int_equal(ctl_outbox_stats(rig->outbox).acked_sequence, 2);
	assert_int_equal(ctl_outbox_peek(rig->outbox, 0)->id_ms, third.id_ms);
	assert_int_equal(ctl_outbox_peek(rig->outbox, 0)->id_n, third.id_n);
	box_commit(rig);
	for (unsigned i = 0; i < 12; i++)
		box_expect(rig, i, i + 3, i + 2);
	assert_int_equal(ctl_outbox_peek(rig->outbox, 11)->typesequence, 5);
	box_tick(rig, 0);
	box_kill(rig);
	box_open(rig);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 12);
	box_expect(rig, 0, 3, 2);
}

static void a_rewind_counts_types_back_so_that_a_renumbering_after_it_has_no_gap(void **state)
{
	const struct ctl_outbox_mark nothing = {0};
	struct outbox_rig *rig = *state;

	box_kill(rig);
	rig->config.n_retained = 100;
	box_open(rig);
	box_tick(rig, 12);
	ctl_outbox_ack(rig->outbox, 12);
	box_tick(rig, 3);
	assert_int_equal(ctl_outbox_rewind(rig->outbox, 4, NULL), 0);
	ctl_outbox_renumber(rig->outbox, &nothing); // a stream that was flushed
	box_tick(rig, 0);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 11);
	for (unsigned i = 0; i < 11; i++) {
		box_expect(rig, i, i + 1, i + 4);
		assert_int_equal(ctl_outbox_peek(rig->outbox, i)->typesequence, i / 3 + 1);
	}
}

static void a_rewind_to_what_is_not_kept_says_what_is(void **state)
{
	struct outbox_rig *rig = *state;
	struct dp_err err;

	box_kill(rig);
	rig->config.n_retained = 3;
	box_open(rig);
	box_tick(rig, 10);
	ctl_outbox_ack(rig->outbox, 8);
	box_tick(rig, 0);
	assert_int_equal(ctl_outbox_rewind(rig->outbox, 8, NULL), 0);
	assert_int_equal(ctl_outbox_rewind(rig->outbox, 4, &err), -ENOENT);
	assert_string_equal(err.text, "trigger 5 is not kept any more, expected one from 6 to 8");
	assert_int_equal(ctl_outbox_rewind(rig->outbox, 9, &err), -EINVAL);
	assert_string_equal(err.text, "trigger 9 was not delivered yet, expected one up to 8");
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 2);
	assert_int_equal(ctl_outbox_rewind(rig->outbox, 5, NULL), 0);
	box_expect(rig, 0, 6, 5);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(
			renumbering_moves_what_waits_behind_the_mark_and_holds_it_until_committed),
		STORE_TEST(a_batch_under_way_with_the_old_numbers_makes_nothing_ready),
		STORE_TEST(what_was_delivered_before_a_renumbering_is_not_sent_again),
		STORE_TEST(types_of_earlier_streams_are_forgotten),
		STORE_TEST(a_crash_before_a_renumbering_is_committed_brings_the_old_numbers_back),
		STORE_TEST(
			numbers_can_be_moved_again_and_what_stands_in_the_store_only_is_moved_too),
		STORE_TEST(a_rewind_sends_again_what_is_kept_with_the_ids_it_had),
		STORE_TEST(a_rewind_counts_types_back_so_that_a_renumbering_after_it_has_no_gap),
		STORE_TEST(a_rewind_to_what_is_not_kept_says_what_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
