// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox.h"

#include "control/store_thread.h"
#include "tests/unit/outbox_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void nothing_is_ready_before_its_batch_is_committed(void **state)
{
	struct outbox_rig *rig = *state;

	assert_true(ctl_outbox_has_mark(rig->outbox));
	box_seal(rig, 3);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	box_give(rig);
	box_seal(rig, 2);
	box_give(rig);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_uncommitted, 5);
	assert_int_equal(rig->n_calls, 0);

	ctl_outbox_committed(rig->outbox, 1);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 3);
	assert_int_equal(rig->n_calls, 1);
	ctl_outbox_committed(rig->outbox, 1);
	assert_int_equal(rig->n_calls, 1);
	box_commit(rig);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 5);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_uncommitted, 0);
	for (unsigned i = 0; i < 5; i++)
		box_expect(rig, i, i + 1, i);
}

/* What an entry is known by, and by which a resend is a duplicate. */
struct known {
	uint64_t id_ms, id_n, sequence, typesequence;
	char *event, *subject; // owned
};

static void free_known(gpointer data)
{
	struct known *known = data;

	g_free(known->event);
	g_free(known->subject);
}

/* A life of six ticks, each acknowledging some, that ends behind step `n_steps`: 0 sealed, 1 given,
 * 2 committed, 3 acknowledged, of each tick. Returns how much of what was committed was acknowledged
 * in a batch that was committed, too. */
static uint64_t live(struct outbox_rig *rig, unsigned n_steps, GArray *committed)
{
	uint64_t acked = 0, sealed_acked = 0, durable_acked = 0;

	for (unsigned step = 0; step < n_steps; step++) {
		switch (step % 4) {
		case 0:
			box_seal(rig, step / 4 * 3 % 7);
			sealed_acked = acked;
			break;
		case 1:
			box_give(rig); // closing the store commits what it has
			durable_acked = sealed_acked;
			break;
		case 2:
			box_commit(rig);
			for (size_t i = committed->len - acked; i < ctl_outbox_n_ready(rig->outbox);
				i++) {
				const struct ctl_outbox_entry *entry = ctl_outbox_peek(
					rig->outbox, i);
				const struct known known = {entry->id_ms, entry->id_n,
					entry->sequence, entry->typesequence,
					g_strdup(entry->event), g_strdup(entry->subject)};

				g_array_append_val(committed, known);
			}
			break;
		default:
			acked += ctl_outbox_n_ready(rig->outbox) / 2;
			ctl_outbox_ack(rig->outbox, ctl_outbox_n_ready(rig->outbox) / 2);
			break;
		}
	}
	return durable_acked;
}

static void after_a_kill_at_any_point_what_was_committed_and_not_acknowledged_is_back(void **state)
{
	for (unsigned n_steps = 0; n_steps <= 24; n_steps++) {
		GArray *committed = g_array_new(FALSE, FALSE, sizeof(struct known));
		struct outbox_rig *rig = *state;
		uint64_t acked;
		size_t n_given;

		g_array_set_clear_func(committed, free_known);
		acked = live(rig, n_steps, committed);
		n_given = n_steps % 4 == 1 ? committed->len
					   : ctl_outbox_stats(rig->outbox).last_sequence;
		box_kill(rig);
		box_open(rig);
		assert_int_equal(ctl_outbox_n_ready(rig->outbox), n_given - acked);
		for (size_t i = acked; i < committed->len; i++) {
			const struct ctl_outbox_entry *entry = ctl_outbox_peek(
				rig->outbox, i - acked);
			const struct known *known = &g_array_index(committed, struct known, i);

			assert_int_equal(entry->id_ms, known->id_ms);
			assert_int_equal(entry->id_n, known->id_n);
			assert_int_equal(entry->sequence, known->sequence);
			assert_int_equal(entry->typesequence, known->typesequence);
			assert_string_equal(entry->event, known->event);
			assert_string_equal(entry->subject, known->subject);
		}
		// What comes now follows what the store has.
		box_tick(rig, 1);
		assert_int_equal(
			ctl_outbox_peek(rig->outbox, n_given - acked)->sequence, n_given + 1);
		g_array_free(committed, TRUE);
		(void)box_teardown(state);
		(void)box_setup(state);
	}
}

static void numbers_and_writer_outlive_an_empty_outbox(void **state)
{
	struct outbox_rig *rig = *state;
	g_autofree char *writer = g_strdup(ctl_outbox_writer(rig->outbox));
	struct ctl_outbox_entry last;

	assert_true(ctl_outbox_is_fresh(rig->outbox));
	box_tick(rig, 7);
	last = *ctl_outbox_peek(rig->outbox, 6);
	ctl_outbox_ack(rig->outbox, 7);
	assert_true(ctl_outbox_has_news(rig->outbox));
	box_tick(rig, 0); // acknowledgements alone
	assert_false(ctl_outbox_has_news(rig->outbox));
	for (unsigned i = 0; i < 2; i++) {
		box_kill(rig);
		box_open(rig);
		assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 0);
		assert_int_equal(ctl_outbox_stats(rig->outbox).acked_sequence, 7);
		assert_string_equal(ctl_outbox_writer(rig->outbox), writer);
		assert_false(ctl_outbox_is_fresh(rig->outbox));
		assert_false(ctl_outbox_has_news(rig->outbox));
	}
	box_tick(rig, 3);
	box_expect(rig, 0, 8, 7);
	assert_int_equal(ctl_outbox_peek(rig->outbox, 0)->typesequence, 3);
	assert_true(ctl_outbox_peek(rig->outbox, 0)->id_ms > last.id_ms);
}

static void an_idle_tick_writes_nothing_and_a_new_writer_is_written_with_the_first(void **state)
{
	struct outbox_rig *rig = *state;
	g_autofree char *writer = g_strdup(ctl_outbox_writer(rig->outbox));

	box_seal(rig, 0);
	assert_int_equal(ctl_batch_n_ops(rig->lost), 1);
	box_give(rig);
	box_seal(rig, 0);
	assert_int_equal(ctl_batch_n_ops(rig->lost), 0);
	box_kill(rig);
	box_open(rig);
	assert_string_equal(ctl_outbox_writer(rig->outbox), writer);
	assert_true(ctl_outbox_is_fresh(rig->outbox));
}

static void delivered_entries_are_kept_as_many_as_asked_and_no_more(void **state)
{
	struct outbox_rig *rig = *state;
	GArray *keys;

	box_kill(rig);
	rig->config.n_retained = 5;
	box_open(rig);
	box_tick(rig, 4);
	ctl_outbox_ack(rig->outbox, 4);
	assert_int_equal(ctl_outbox_oldest_kept(rig->outbox), 1);
	box_tick(rig, 6);
	ctl_outbox_ack(rig->outbox, 5);
	box_tick(rig, 0);
	assert_int_equal(ctl_outbox_oldest_kept(rig->outbox), 5);
	keys = box_keys(rig);
	assert_int_equal(keys->len, 6); // five delivered, one waits
	assert_int_equal(g_array_index(keys, uint64_t, 0), 5);
	g_array_free(keys, TRUE);

	box_kill(rig);
	rig->config.n_retained = 0; // configured anew
	box_open(rig);
	assert_int_equal(ctl_outbox_oldest_kept(rig->outbox), 5);
	box_tick(rig, 0);
	keys = box_keys(rig);
	assert_int_equal(keys->len, 1);
	g_array_free(keys, TRUE);
	ctl_outbox_ack(rig->outbox, 1);
	box_tick(rig, 0);
	keys = box_keys(rig);
	assert_int_equal(keys->len, 0);
	g_array_free(keys, TRUE);
	assert_int_equal(ctl_outbox_oldest_kept(rig->outbox), 11);
}

static void the_bound_counts_what_stands_in_the_store_and_the_oldest_is_told_exactly(void **state)
{
	struct outbox_rig *rig = *state;
	struct ctl_outbox_stats stats;
	uint64_t oldest_ns;

	box_kill(rig);
	rig->config.memory_max = 2;
	rig->config.queue_max = 8;
	box_open(rig);
	box_tick(rig, 5);
	oldest_ns = ctl_outbox_stats(rig->outbox).oldest_wall_ns;
	box_seal(rig, 5);
	stats = ctl_outbox_stats(rig->outbox);
	assert_int_equal(stats.n_waiting, 8);
	assert_int_equal(stats.n_in_store, 6);
	assert_int_equal(stats.n_refused, 2);
	assert_true(stats.is_full);
	assert_int_equal(stats.oldest_wall_ns, oldest_ns);
	box_give(rig);
	for (unsigned i = 0; i < 5; i++)
		ctl_outbox_ack(rig->outbox, 1);
	// Nothing of the rest is in memory, and it is not committed: still told.
	stats = ctl_outbox_stats(rig->outbox);
	assert_int_equal(stats.n_in_store, 3);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	assert_int_equal(stats.oldest_wall_ns, oldest_ns + 250000000);
	assert_false(stats.is_full);
	box_commit(rig);
	assert_int_equal(ctl_outbox_stats(rig->outbox).oldest_wall_ns, oldest_ns + 250000000);
	box_expect(rig, 0, 6, 5);
}

static void two_hundred_thousand_keep_their_order_through_little_memory(void **state)
{
	enum { N = 200000, TICK = 1000, MEMORY = 1000 };
	struct outbox_rig *rig = *state;
	uint64_t next = 1, id[2] = {0};

	box_kill(rig);
	rig->config.memory_max = MEMORY;
	rig->config.queue_max = N;
	box_open(rig);
	for (unsigned tick = 0; tick < N / TICK; tick++) {
		box_seal(rig, TICK);
		box_give(rig);
		if (tick % 8 == 7)
			box_commit(rig);
	}
	box_commit(rig);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, N);
	box_kill(rig);
	box_open(rig);
	while (ctl_outbox_n_ready(rig->outbox) > 0) {
		const size_t n = MIN(ctl_outbox_n_ready(rig->outbox), 97);
		const struct ctl_outbox_stats stats = ctl_outbox_stats(rig->outbox);

		assert_true(stats.n_waiting - stats.n_in_store <= MEMORY);
		for (size_t i = 0; i < n; i++, next++) {
			const struct ctl_outbox_entry *entry = ctl_outbox_peek(rig->outbox, i);

			assert_int_equal(entry->sequence, next);
			assert_true(entry->id_ms > id[0] ||
				(entry->id_ms == id[0] && entry->id_n > id[1]));
			id[0] = entry->id_ms;
			id[1] = entry->id_n;
			if (next % 1000 == 1)
				box_expect(rig, i, next, (unsigned)next - 1);
		}
		ctl_outbox_ack(rig->outbox, n);
	}
	assert_int_equal(next, N + 1);
	// And back to memory alone.
	box_tick(rig, 3);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_in_store, 0);
	box_expect(rig, 0, N + 1, N);
}

/* A reader that sends and gets no confirmation acknowledges nothing, and sends on nevertheless. */
static void memory_is_filled_though_nothing_is_acknowledged(void **state)
{
	struct outbox_rig *rig = *state;

	box_tick(rig, 5000);
	box_kill(rig);
	rig->config.memory_max = 4500;
	box_open(rig);
	assert_in_range(ctl_outbox_n_ready(rig->outbox), 1, 4500);
	for (int i = 0; i < 10; i++)
		ctl_outbox_committed(rig->outbox, 0);
	assert_in_range(ctl_outbox_n_ready(rig->outbox), 3500, 4500);
	box_expect(rig, 0, 1, 0);
	box_expect(rig, 3499, 3500, 3499);
	ctl_outbox_ack(rig->outbox, 3500);
	for (int i = 0; i < 10; i++)
		ctl_outbox_committed(rig->outbox, 0);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 1500);
	box_expect(rig, 1499, 5000, 4999);
}

/* After some failures the store reads all of its file before it goes on: nobody waits for that. */
static void while_the_store_opens_its_file_again_nothing_waits_for_it(void **state)
{
	struct outbox_rig *rig = *state;
	uint64_t ms, n;
	struct dp_err err;

	box_tick(rig, 3000);
	box_kill(rig);
	box_open(rig);
	assert_int_equal(pthread_rwlock_wrlock(&rig->store->db_lock), 0);
	ctl_outbox_ack(rig->outbox, 1024);
	ctl_outbox_committed(rig->outbox, 0);
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	assert_int_equal(ctl_outbox_id(rig->outbox, 2000, &ms, &n, &err), -EAGAIN);
	(void)pthread_rwlock_unlock(&rig->store->db_lock);
	ctl_outbox_committed(rig->outbox, 0);
	box_expect(rig, 0, 1025, 1024);
}

static void a_store_without_the_entries_its_numbers_speak_of_is_refused(void **state)
{
	static const struct {
		enum ctl_table table;
		uint64_t key;
		const char *value, *says;
	} cases[] = {
		{CTL_TABLE_OUTBOX, 3, NULL, "entry 3 of the outbox is missing or damaged"},
		{CTL_TABLE_OUTBOX, 3, "{}", "entry 3 of the outbox is missing or damaged"},
		{CTL_TABLE_OUTBOX, 6, NULL, "entry 6 of the outbox is missing or damaged"},
		{CTL_TABLE_META, CTL_META_OUTBOX, "{}", "the numbers given last cannot be read"},
		{CTL_TABLE_META, CTL_META_OUTBOX, NULL,
			"the store has triggers but not the numbers given last"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct outbox_rig *rig = *state;
		struct dp_err err = {0};

		box_tick(rig, 6);
		box_tamper(rig, cases[i].table, cases[i].key, cases[i].value);
		box_kill(rig);
		box_open_refused(rig, &err);
		assert_non_null(strstr(err.text, cases[i].says));
		(void)box_teardown(state);
		(void)box_setup(state);
	}
}

static void an_entry_that_cannot_be_read_holds_up_what_is_behind_it_and_nothing_before(void **state)
{
	struct outbox_rig *rig = *state;

	box_kill(rig);
	rig->config.memory_max = 4;
	box_open(rig);
	box_tick(rig, 10);
	box_tamper(rig, CTL_TABLE_OUTBOX, 7, "{}");
	for (unsigned i = 0; i < 6; i++) {
		box_expect(rig, 0, i + 1, i);
		ctl_outbox_ack(rig->outbox, 1);
	}
	assert_int_equal(ctl_outbox_n_ready(rig->outbox), 0);
	assert_int_equal(ctl_outbox_stats(rig->outbox).n_waiting, 4);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(nothing_is_ready_before_its_batch_is_committed),
		STORE_TEST(
			after_a_kill_at_any_point_what_was_committed_and_not_acknowledged_is_back),
		STORE_TEST(numbers_and_writer_outlive_an_empty_outbox),
		STORE_TEST(an_idle_tick_writes_nothing_and_a_new_writer_is_written_with_the_first),
		STORE_TEST(delivered_entries_are_kept_as_many_as_asked_and_no_more),
		STORE_TEST(
			the_bound_counts_what_stands_in_the_store_and_the_oldest_is_told_exactly),
		STORE_TEST(two_hundred_thousand_keep_their_order_through_little_memory),
		STORE_TEST(memory_is_filled_though_nothing_is_acknowledged),
		STORE_TEST(while_the_store_opens_its_file_again_nothing_waits_for_it),
		STORE_TEST(a_store_without_the_entries_its_numbers_speak_of_is_refused),
		STORE_TEST(
			an_entry_that_cannot_be_read_holds_up_what_is_behind_it_and_nothing_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
