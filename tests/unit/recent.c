// SPDX-License-Identifier: BSD-3-Clause
#include "control/recent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct ctl_recent *make(size_t n_kept)
{
	struct ctl_recent *recent;

	assert_int_equal(ctl_recent_new(n_kept, &recent, NULL), 0);
	return recent;
}

static void add(struct ctl_recent *recent, uint64_t tick)
{
	struct dp_record note = {.kind = DP_RECORD_NOTE, .tick = tick, .app = 7};

	(void)snprintf(note.note.alias, sizeof(note.note.alias), "n%u", (unsigned)tick);
	ctl_recent_add(recent, &note, 10 * tick);
	memset(&note, 0xff, sizeof(note)); // it is copied
}

static void the_last_ones_are_kept_under_their_numbers(void **)
{
	enum { KEPT = 5, ADDED = 1000 };
	struct ctl_recent *recent = make(KEPT);

	assert_int_equal(ctl_recent_first(recent), 0);
	assert_int_equal(ctl_recent_next(recent), 0);
	for (uint64_t i = 0; i < ADDED; i++) {
		const uint64_t first = i + 1 > KEPT ? i + 1 - KEPT : 0;

		add(recent, i);
		assert_int_equal(ctl_recent_next(recent), i + 1);
		assert_int_equal(ctl_recent_first(recent), first);
		for (uint64_t n = first; n <= i; n++) {
			const struct dp_record *note = ctl_recent_at(recent, n);
			char alias[16];

			(void)snprintf(alias, sizeof(alias), "n%u", (unsigned)n);
			assert_int_equal(note->tick, n);
			assert_int_equal(note->app, 7);
			assert_string_equal(note->note.alias, alias);
			assert_int_equal(ctl_recent_dropped_at(recent, n), 10 * n);
		}
	}
	ctl_recent_free(recent);
}

static void room_for_one_keeps_one(void **)
{
	struct ctl_recent *recent = make(1);

	add(recent, 3);
	add(recent, 4);
	assert_int_equal(ctl_recent_first(recent), 1);
	assert_int_equal(ctl_recent_at(recent, 1)->tick, 4);
	ctl_recent_free(recent);
}

/* Pages of this process in memory. */
static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long size, pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
	(void)fclose(file); // was read only
	return pages;
}

static void memory_is_touched_only_as_it_fills(void **)
{
	enum { KEPT = 4000000, ADDED = 10000, SLACK = 4096 }; // 1.4 GB; 3.4 MB; 16 MB
	const size_t before = resident();
	struct ctl_recent *recent = make(KEPT);

	for (uint64_t i = 0; i < ADDED; i++)
		add(recent, i);
	assert_in_range(resident(), 0, before + SLACK);
	ctl_recent_free(recent);
}

static void more_than_there_can_be_is_refused_with_the_option_that_asks_for_it(void **)
{
	struct ctl_recent *recent = NULL;
	struct dp_err err;

	assert_int_equal(ctl_recent_new(SIZE_MAX / 2, &recent, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "flows.recent"));
	assert_int_equal(ctl_recent_new(SIZE_MAX / 400, &recent, &err), -ENOMEM);
	assert_null(recent);
	ctl_recent_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_ones_are_kept_under_their_numbers),
		cmocka_unit_test(room_for_one_keeps_one),
		cmocka_unit_test(memory_is_touched_only_as_it_fills),
		cmocka_unit_test(
			more_than_there_can_be_is_refused_with_the_option_that_asks_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
