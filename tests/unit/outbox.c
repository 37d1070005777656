// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox.h"

#include "tests/lib/trigger_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS 1000000000ULL

static uint64_t wall_ns;

static uint64_t read_wall(void)
{
	return wall_ns;
}

static const struct ctl_outbox_config config = {
	.queue_max = 1000, .is_published = true, .wall_ns = read_wall};
static const struct ctl_outbox_mark beginning;

static int setup(void **state)
{
	wall_ns = 1700000000ULL * SECOND_NS;
	*state = ctl_outbox_new(&config);
	return 0;
}

static int teardown(void **state)
{
	ctl_outbox_free(*state);
	return 0;
}

static void push_n(struct ctl_outbox *outbox, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ctl_outbox_push(outbox, test_trigger(first + i));
	ctl_outbox_seal(outbox, NULL);
}

static json_t *event_of(const struct ctl_outbox *outbox, size_t i)
{
	const struct ctl_outbox_entry *entry = ctl_outbox_peek(outbox, i);
	json_t *event = json_loadb(entry->event, entry->event_len, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(event);
	return event;
}

static void expect_text(
	const struct ctl_outbox *outbox, size_t i, const char *key, const char *text)
{
	json_t *event = event_of(outbox, i);

	assert_string_equal(json_string_value(json_object_get(event, key)), text);
	json_decref(event);
}

static void a_tick_is_sorted_by_time_subject_and_rule_and_equals_keep_their_order(void **state)
{
	static const struct {
		uint64_t time_ns;
		const char *subject, *rule;
		unsigned number; // in order of pushing
	} pushed[] = {
		{2 * SECOND_NS, "a", "r", 0},
		{1 * SECOND_NS, "b", "r", 1},
		{1 * SECOND_NS, "a", "s", 2},
		{1 * SECOND_NS, "a", "r", 3},
		{1 * SECOND_NS, "a", "r", 4},
	};
	static const unsigned sorted[] = {3, 4, 2, 1, 0};
	struct ctl_outbox *outbox = *state;
	char id[40];

	ctl_outbox_resume(outbox, &beginning);
	for (size_t i = 0; i < G_N_ELEMENTS(pushed); i++)
		ctl_outbox_push(outbox,
			test_trigger_of(pushed[i].number, pushed[i].time_ns, pushed[i].subject,
				pushed[i].rule));
	assert_int_equal(ctl_outbox_n_ready(outbox), 0); // the tick is open
	ctl_outbox_seal(outbox, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(sorted); i++) {
		(void)snprintf(id, sizeof(id), "%032x", sorted[i]);
		expect_text(outbox, i, "id", id);
	}
	// A later tick comes behind, whatever its times say.
	ctl_outbox_push(outbox, test_trigger_of(9, 0, "a", "a"));
	ctl_outbox_seal(outbox, NULL);
	(void)snprintf(id, sizeof(id), "%032x", 9);
	expect_text(outbox, 5, "id", id);
}

static void numbers_have_no_gap_over_all_and_per_type(void **state)
{
	struct ctl_outbox *outbox = *state;

	ctl_outbox_resume(outbox, &beginning);
	push_n(outbox, 0, 10);
	push_n(outbox, 10, 11);
	for (unsigned i = 0; i < 21; i++) {
		const struct ctl_outbox_entry *entry = ctl_outbox_peek(outbox, i);
		char text[24];

		assert_int_equal(entry->sequence, i + 1);
		assert_int_equal(entry->typesequence, i / TEST_N_TYPES + 1);
		(void)snprintf(text, sizeof(text), "%020u", i + 1);
		expect_text(outbox, i, "sequence", text);
		(void)snprintf(text, sizeof(text), "%020u", i / TEST_N_TYPES + 1);
		expect_text(outbox, i, "typesequence", text);
	}
}

static void entries_wait_unnumbered_until_the_stream_is_known(void **state)
{
	const struct ctl_outbox_type_mark types[] = {{test_types[0], 7}};
	const struct ctl_outbox_mark mark = {
		.id_ms = 5, .id_n = 3, .sequence = 40, .types = types, .n_types = 1};
	struct ctl_outbox *outbox = *state;

	push_n(outbox, 0, 4);
	assert_int_equal(ctl_outbox_n_ready(outbox), 0);
	assert_int_equal(ctl_outbox_stats(outbox).n_waiting, 4);
	ctl_outbox_resume(outbox, &mark);
	assert_int_equal(ctl_outbox_n_ready(outbox), 4);
	assert_int_equal(ctl_outbox_peek(outbox, 0)->sequence, 41);
	assert_int_equal(ctl_outbox_peek(outbox, 0)->typesequence, 8);
	assert_int_equal(ctl_outbox_peek(outbox, 1)->typesequence, 1);
	assert_int_equal(ctl_outbox_peek(outbox, 3)->typesequence, 9);
	assert_int_equal(ctl_outbox_stats(outbox).acked_sequence, 40);
}

static void entry_ids_grow_when_the_clock_stands_or_runs_backwards(void **state)
{
	struct ctl_outbox *outbox = *state;
	const uint64_t now_ms = wall_ns / 1000000;
	static const struct {
		int64_t clock_ms;
		uint64_t id_ms, id_n; // id_ms relative to the beginning
	} cases[] = {{0, 0, 0}, {0, 0, 1}, {-5000, 0, 2}, {1, 1, 0}, {0, 1, 1}, {7, 7, 0}};

	ctl_outbox_resume(outbox, &beginning);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		wall_ns = (uint64_t)((int64_t)now_ms + cases[i].clock_ms) * 1000000;
		push_n(outbox, i, 1);
		assert_int_equal(ctl_outbox_peek(outbox, i)->id_ms, now_ms + cases[i].id_ms);
		assert_int_equal(ctl_outbox_peek(outbox, i)->id_n, cases[i].id_n);
	}
}

static void entry_ids_continue_behind_a_stream_ahead_of_the_clock(void **state)
{
	const struct ctl_outbox_mark ahead = {.id_ms = 99999999999999ULL, .id_n = 7};
	struct ctl_outbox *outbox = *state;

	ctl_outbox_resume(outbox, &ahead);
	push_n(outbox, 0, 2);
	assert_int_equal(ctl_outbox_peek(outbox, 0)->id_ms, ahead.id_ms);
	assert_int_equal(ctl_outbox_peek(outbox, 0)->id_n, 8);
	assert_int_equal(ctl_outbox_peek(outbox, 1)->id_n, 9);
}

static void recordedtime_is_the_wall_clock_live_and_the_time_in_replay(void **state)
{
	const struct ctl_outbox_config replay = {
		.queue_max = 10, .is_published = true, .is_replay = true, .wall_ns = read_wall};
	struct ctl_outbox *outbox = *state;

	ctl_outbox_resume(outbox, &beginning);
	push_n(outbox, 0, 1);
	expect_text(outbox, 0, "recordedtime", "2023-11-14T22:13:20.000Z");

	outbox = ctl_outbox_new(&replay);
	ctl_outbox_resume(outbox, &beginning);
	push_n(outbox, 0, 1);
	expect_text(outbox, 0, "recordedtime", "2026-03-01T18:00:00.000Z");
	expect_text(outbox, 0, "time", "2026-03-01T18:00:00.000Z");
	ctl_outbox_free(outbox);
}

static void a_full_queue_refuses_the_newest_and_the_stream_keeps_no_gap(void **)
{
	const struct ctl_outbox_config small = {
		.queue_max = 8, .is_published = true, .wall_ns = read_wall};
	struct ctl_outbox *outbox = ctl_outbox_new(&small);
	struct ctl_outbox_stats stats;

	ctl_outbox_resume(outbox, &beginning);
	push_n(outbox, 0, 11);
	stats = ctl_outbox_stats(outbox);
	assert_int_equal(stats.n_waiting, 8);
	assert_int_equal(stats.n_refused, 3);
	assert_true(stats.is_full);

	ctl_outbox_ack(outbox, 1);
	assert_true(ctl_outbox_stats(outbox).is_full); // no flapping at the bound
	ctl_outbox_ack(outbox, 1);
	assert_false(ctl_outbox_stats(outbox).is_full);
	push_n(outbox, 20, 1);
	assert_int_equal(ctl_outbox_peek(outbox, 6)->sequence, 9);
	assert_int_equal(ctl_outbox_stats(outbox).n_refused, 3);
	ctl_outbox_free(outbox);
}

static void the_queue_keeps_order_while_it_wraps_and_grows(void **state)
{
	struct ctl_outbox *outbox = *state;
	uint64_t oldest = 1;

	ctl_outbox_resume(outbox, &beginning);
	for (unsigned round = 0; round < 60; round++) {
		push_n(outbox, round * 20, 20);
		ctl_outbox_ack(outbox, round % 7);
		oldest += round % 7;
		for (size_t i = 0; i < ctl_outbox_n_ready(outbox); i++)
			assert_int_equal(ctl_outbox_peek(outbox, i)->sequence, oldest + i);
	}
	assert_int_equal(ctl_outbox_stats(outbox).n_entered,
		ctl_outbox_stats(outbox).n_acked + ctl_outbox_stats(outbox).n_waiting);
	assert_true(ctl_outbox_stats(outbox).n_max > 512);
}

static void count_calls(void *ctx)
{
	++*(unsigned *)ctx;
}

static void the_reader_is_woken_when_something_became_ready(void **state)
{
	struct ctl_outbox *outbox = *state;
	unsigned n_calls = 0;

	ctl_outbox_on_ready(outbox, count_calls, &n_calls);
	ctl_outbox_seal(outbox, NULL);
	push_n(outbox, 0, 1);
	assert_int_equal(n_calls, 0); // entered, not ready
	ctl_outbox_resume(outbox, &beginning);
	assert_int_equal(n_calls, 1);
	push_n(outbox, 1, 5);
	assert_int_equal(n_calls, 2);
	ctl_outbox_seal(outbox, NULL);
	assert_int_equal(n_calls, 2);
}

static void a_trigger_without_time_is_refused_and_counted(void **state)
{
	struct ctl_outbox *outbox = *state;
	struct ctl_trigger *trigger = test_trigger(0);

	assert_int_equal(json_object_del(trigger->event, "time"), 0);
	ctl_outbox_push(outbox, trigger);
	ctl_outbox_seal(outbox, NULL);
	assert_int_equal(ctl_outbox_stats(outbox).n_waiting, 0);
	assert_int_equal(ctl_outbox_stats(outbox).n_refused, 1);
}

/* Write n triggers in ticks of four and return the file's text. */
static char *write_file(const char *path, unsigned n)
{
	struct ctl_outbox_config only_file = {.queue_max = 1, .is_replay = true};
	struct ctl_outbox *outbox;
	char *text;

	assert_int_equal(ctl_trigger_file_open(path, false, &only_file.file, NULL), 0);
	outbox = ctl_outbox_new(&only_file);
	for (unsigned i = 0; i < n; i += 4)
		push_n(outbox, i, 4);
	assert_int_equal(ctl_outbox_stats(outbox).n_refused, 0); // nobody reads, nothing waits
	ctl_outbox_free(outbox);
	assert_int_equal(ctl_trigger_file_close(only_file.file, NULL), 0);
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static void a_file_has_one_valid_event_a_line_numbered_from_one_and_is_the_same_each_time(void **)
{
	g_autofree char *path = g_strdup_printf("/tmp/wirecue-triggers-%d", (int)getpid());
	g_autofree char *first = write_file(path, 12), *second = NULL;
	g_auto(GStrv) lines = g_strsplit(first, "\n", 0);
	int r;

	assert_int_equal(g_strv_length(lines), 13); // the last is empty
	for (unsigned i = 0; i < 12; i++) {
		g_autofree char *end = g_strdup_printf(
			",\"sequence\":\"%020u\",\"typesequence\":\"%020u\"}", i + 1, i / 3 + 1);

		assert_true(g_str_has_suffix(lines[i], end));
	}
	wall_ns += SECOND_NS;
	second = write_file(path, 12);
	assert_string_equal(first, second);
	(void)unlink(path);
	r = test_triggers_validate(first);
	if (r == 77)
		skip();
	assert_int_equal(r, 0);
}

static void a_file_that_cannot_take_its_lines_says_so(void **)
{
	struct ctl_outbox_config only_file = {.queue_max = 1};
	struct ctl_outbox *outbox;
	struct dp_err err;

	assert_true(ctl_trigger_file_open("/nowhere/x", false, &only_file.file, &err) < 0);
	assert_string_equal(err.text,
		"cannot write triggers to '/nowhere/x': No such file or directory, expected a path where a file can be made");

	assert_int_equal(ctl_trigger_file_open("/dev/full", false, &only_file.file, NULL), 0);
	outbox = ctl_outbox_new(&only_file);
	push_n(outbox, 0, 1);
	ctl_outbox_free(outbox);
	assert_true(ctl_trigger_file_close(only_file.file, &err) < 0);
	assert_string_equal(
		err.text, "cannot write triggers to '/dev/full': No space left on device");
}

#define OUTBOX_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OUTBOX_TEST(a_tick_is_sorted_by_time_subject_and_rule_and_equals_keep_their_order),
		OUTBOX_TEST(numbers_have_no_gap_over_all_and_per_type),
		OUTBOX_TEST(entries_wait_unnumbered_until_the_stream_is_known),
		OUTBOX_TEST(entry_ids_grow_when_the_clock_stands_or_runs_backwards),
		OUTBOX_TEST(entry_ids_continue_behind_a_stream_ahead_of_the_clock),
		OUTBOX_TEST(recordedtime_is_the_wall_clock_live_and_the_time_in_replay),
		OUTBOX_TEST(a_full_queue_refuses_the_newest_and_the_stream_keeps_no_gap),
		OUTBOX_TEST(the_queue_keeps_order_while_it_wraps_and_grows),
		OUTBOX_TEST(the_reader_is_woken_when_something_became_ready),
		OUTBOX_TEST(a_trigger_without_time_is_refused_and_counted),
		OUTBOX_TEST(
			a_file_has_one_valid_event_a_line_numbered_from_one_and_is_the_same_each_time),
		OUTBOX_TEST(a_file_that_cannot_take_its_lines_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
