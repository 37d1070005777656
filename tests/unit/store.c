// SPDX-License-Identifier: BSD-3-Clause
/* The store: what is given is there, after a restart too, and nothing else is. */
#include "tests/lib/store_rig.h"

#include "control/dict.h"
#include "control/store_db.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const size_t lens[] = {
	0, 1, 7, 500, 2000, 2030, 4071, 4072, 4073, 8144, 8145, 100000, 3000000};

static void what_is_given_is_there_after_a_restart(void **)
{
	struct rig rig;

	rig_init(&rig);
	rig_open(&rig);
	assert_true(ctl_store_is_new(rig.store));
	for (enum ctl_table table = CTL_TABLE_JOURNAL; table < CTL_TABLE_COUNT; table++) {
		struct ctl_batch *batch = rig_batch(&rig);

		for (size_t i = 0; i < G_N_ELEMENTS(lens); i++)
			rig_put_made(&rig, batch, table, i * i << table, table, lens[i]);
		rig_put_made(&rig, batch, table, UINT64_MAX, table, 10);
		rig_give(&rig, batch);
	}
	rig_flush(&rig);
	rig_compare(&rig);
	rig_close(&rig);
	rig_open(&rig);
	assert_false(ctl_store_is_new(rig.store));
	assert_int_equal(ctl_store_committed(rig.store), 0);
	rig_compare(&rig);
	rig_fini(&rig);
}

/* Everything over everything: values grow and shrink over the borders of parts. */
static void the_last_value_counts(void **)
{
	struct rig rig;

	rig_init(&rig);
	rig_open(&rig);
	for (size_t round = 0; round < G_N_ELEMENTS(lens); round++) {
		struct ctl_batch *batch = rig_batch(&rig);

		for (size_t i = 0; i < G_N_ELEMENTS(lens); i++)
			rig_put_made(&rig, batch, CTL_TABLE_PROFILES, i, round,
				lens[(i + round * 5) % G_N_ELEMENTS(lens)]);
		rig_delete(&rig, batch, CTL_TABLE_PROFILES, round);
		rig_delete(&rig, batch, CTL_TABLE_PROFILES, 1000); // is not there
		rig_give(&rig, batch);
		rig_flush(&rig);
		rig_compare(&rig);
	}
	rig_fini(&rig);
}

static void a_cut_takes_all_up_to_its_key_and_what_is_put_behind_it_stays(void **)
{
	struct rig rig;
	struct ctl_batch *batch;

	rig_init(&rig);
	rig_open(&rig);
	batch = rig_batch(&rig);
	for (uint64_t key = 1; key <= 100; key++)
		rig_put_made(&rig, batch, CTL_TABLE_JOURNAL, key, 0, 2000000);
	rig_give(&rig, batch);
	batch = rig_batch(&rig);
	rig_cut(&rig, batch, CTL_TABLE_JOURNAL, 90); // takes more than one commit
	rig_give(&rig, batch);
	rig_flush(&rig);
	rig_compare(&rig);
	batch = rig_batch(&rig);
	rig_put_made(&rig, batch, CTL_TABLE_JOURNAL, 50, 1, 10);
	rig_cut(&rig, batch, CTL_TABLE_JOURNAL, 20); // says nothing new
	rig_give(&rig, batch);
	rig_flush(&rig);
	rig_compare(&rig);
	rig_close(&rig);
	rig_open(&rig);
	rig_compare(&rig);
	batch = rig_batch(&rig);
	rig_cut(&rig, batch, CTL_TABLE_JOURNAL, UINT64_MAX);
	rig_give(&rig, batch);
	rig_flush(&rig);
	rig_compare(&rig);
	rig_fini(&rig);
}

static int count(void *ctx, uint64_t, const void *, size_t)
{
	(*(size_t *)ctx)++;
	return 0;
}

static int stop_at_5(void *ctx, uint64_t key, const void *, size_t)
{
	(*(size_t *)ctx)++;
	return key >= 5 ? 1 : 0;
}

static int fail_at_6(void *, uint64_t key, const void *, size_t)
{
	return key == 6 ? -ECANCELED : 0;
}

static void readers_may_begin_anywhere_and_stop(void **)
{
	struct rig rig;
	struct ctl_batch *batch;
	struct dp_err err;
	size_t n = 0;

	rig_init(&rig);
	rig_open(&rig);
	batch = rig_batch(&rig);
	for (uint64_t key = 0; key < 10; key++)
		rig_put_made(&rig, batch, CTL_TABLE_OUTBOX, key * 2, 0, 5000);
	rig_give(&rig, batch);
	rig_flush(&rig);

	assert_int_equal(ctl_store_read(rig.store, CTL_TABLE_OUTBOX, 9, count, &n, &err), 0);
	assert_int_equal(n, 5);
	n = 0;
	assert_int_equal(ctl_store_read(rig.store, CTL_TABLE_OUTBOX, 0, stop_at_5, &n, &err), 0);
	assert_int_equal(n, 4);
	n = 0;
	assert_int_equal(ctl_store_get(rig.store, CTL_TABLE_OUTBOX, 4, count, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ctl_store_get(rig.store, CTL_TABLE_OUTBOX, 5, count, &n, &err), -ENOENT);
	assert_int_equal(
		ctl_store_read(rig.store, CTL_TABLE_OUTBOX, 0, fail_at_6, NULL, &err), -ECANCELED);
	assert_int_equal(ctl_store_read(rig.store, CTL_TABLE_GAPS, 0, count, &n, &err), 0);
	assert_int_equal(n, 1);
	rig_fini(&rig);
}

static void a_commit_makes_the_descriptor_readable(void **)
{
	struct rig rig;
	struct pollfd fd;

	rig_init(&rig);
	rig_open(&rig);
	fd = (struct pollfd){.fd = ctl_store_fd(rig.store), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	rig_give(&rig, rig_batch(&rig));
	assert_int_equal(poll(&fd, 1, (int)(RIG_WAIT_NS / 1000000)), 1);
	assert_int_equal(ctl_store_committed(rig.store), 1);
	ctl_store_heard(rig.store);
	assert_int_equal(poll(&fd, 1, 0), 0);
	ctl_store_heard(rig.store); // twice does no harm
	rig_fini(&rig);
}

static int mark(void *ctx, uint64_t key, const void *, size_t)
{
	uint8_t *marks = ctx;

	marks[key / 3]++;
	return 0;
}

static int fail_at_300(void *, uint64_t key, const void *, size_t)
{
	return key == 300 ? -ECANCELED : 0;
}

static void several_threads_read_each_value_once(void **)
{
	enum { N = 3000, THREADS_MAX = 7 };
	struct rig rig;
	struct ctl_batch *batch;
	struct dp_err err;
	void *ctxs[THREADS_MAX];

	rig_init(&rig);
	rig_open(&rig);
	for (unsigned i = 0; i < THREADS_MAX; i++) // an empty table
		ctxs[i] = NULL;
	assert_int_equal(
		ctl_store_read_parallel(rig.store, CTL_TABLE_PROFILES, 3, mark, ctxs, &err), 0);
	batch = rig_batch(&rig);
	for (uint64_t i = 0; i < N; i++)
		rig_put_made(&rig, batch, CTL_TABLE_PROFILES, i * 3, 0, i % 10 == 0 ? 5000 : 30);
	rig_give(&rig, batch);
	rig_flush(&rig);
	for (unsigned n = 1; n <= THREADS_MAX; n++) {
		uint8_t marks[THREADS_MAX][N] = {0};

		for (unsigned i = 0; i < n; i++)
			ctxs[i] = marks[i];
		assert_int_equal(
			ctl_store_read_parallel(rig.store, CTL_TABLE_PROFILES, n, mark, ctxs, &err),
			0);
		for (size_t key = 0; key < N; key++) {
			unsigned sum = 0;

			for (unsigned i = 0; i < n; i++)
				sum += marks[i][key];
			assert_int_equal(sum, 1);
		}
	}
	assert_int_equal(
		ctl_store_read_parallel(rig.store, CTL_TABLE_PROFILES, 4, fail_at_300, ctxs, &err),
		-ECANCELED);
	rig_fini(&rig);
}

static void it_is_one_writers(void **)
{
	struct rig rig;

	rig_init(&rig);
	rig_open(&rig);
	rig_refuses(&rig, -EBUSY, "another process");
	rig_close(&rig);
	rig_open(&rig);
	rig_fini(&rig);
}

static void another_node_or_tick_is_refused_with_both(void **)
{
	struct rig rig;

	rig_init(&rig);
	rig_open(&rig);
	rig_close(&rig);
	rig.config.node = "edge2";
	rig_refuses(&rig, -EINVAL, "of node 'edge1', not of 'edge2'");
	rig.config.node = "edge1";
	rig.config.tick_ns = 500000000;
	rig_refuses(&rig, -EINVAL, "a tick of 1000 ms, not of 500 ms");
	rig.config.tick_ns = RIG_TICK_NS;
	rig_open(&rig);
	assert_false(ctl_store_is_new(rig.store));
	rig_fini(&rig);
}

/* A later wirecue has written to it. */
static void a_newer_format_is_refused_and_left_alone(void **)
{
	struct ctl_pack pack = {0};
	struct ctl_db_txn txn;
	struct ctl_db db;
	struct rig rig;
	g_autofree char *file = NULL;

	rig_init(&rig);
	file = g_build_filename(rig.path, CTL_STORE_FILE, NULL);
	rig_open(&rig);
	rig_close(&rig);
	ctl_pack_text(&pack, "wirecue store");
	ctl_pack_u64(&pack, 7);
	assert_int_equal(ctl_db_open(file, 1 << 20, &db), 0);
	assert_int_equal(ctl_db_begin(&db, &txn), 0);
	assert_int_equal(ctl_db_put(&txn, CTL_TABLE_META, CTL_META_FORMAT, pack.data, pack.len), 0);
	assert_int_equal(ctl_db_commit(&txn), 0);
	ctl_db_close(&db);
	ctl_pack_fini(&pack);
	rig_refuses(&rig, -ENOTSUP, "has format 7, this wirecue knows 1");
	assert_int_equal(access(file, F_OK), 0);
	rig_fini(&rig);
}

static void a_place_that_is_none_is_refused_with_a_sentence(void **)
{
	struct rig rig;
	g_autofree char *below = NULL;
	FILE *f;

	rig_init(&rig);
	below = g_build_filename(rig.path, "below", NULL);
	rig.config.path = below;
	rig_refuses(&rig, -ENOENT, "the one above it is missing");
	f = fopen(rig.path, "we");
	assert_non_null(f);
	(void)fclose(f);
	rig.config.path = rig.path;
	rig_refuses(&rig, -ENOTDIR, "is no folder");
	assert_int_equal(unlink(rig.path), 0);
	rig_fini(&rig);
}

static void names_have_their_numbers_before_it_is_open(void **)
{
	struct ctl_dict *apps = ctl_dict_new(5, 100), *tags = ctl_dict_new(1, 100);
	struct ctl_batch *batch;
	struct rig rig;

	rig_init(&rig);
	ctl_store_dictionaries(rig.path, apps, tags); // there is none
	assert_int_equal(ctl_dict_end(apps), 5);
	rig_open(&rig);
	batch = rig_batch(&rig);
	rig_put(&rig, batch, CTL_TABLE_APPS, 5, "video", 5);
	rig_put(&rig, batch, CTL_TABLE_APPS, 6, "music", 5);
	rig_put(&rig, batch, CTL_TABLE_APPS, 8, "lost", 4); // 7 is missing
	rig_put(&rig, batch, CTL_TABLE_TAGS, 1, "plans", 5);
	rig_give(&rig, batch);
	rig_flush(&rig);
	ctl_store_dictionaries(rig.path, apps, tags);
	assert_int_equal(ctl_dict_end(apps), 7);
	assert_string_equal(ctl_dict_name(apps, 6), "music");
	assert_string_equal(ctl_dict_name(tags, 1), "plans");
	ctl_dict_free(apps);
	ctl_dict_free(tags);
	rig_fini(&rig);
}

static void it_says_how_it_is(void **)
{
	struct rig rig;
	struct ctl_batch *batch;
	struct ctl_store_stats stats;
	json_t *json;

	rig_init(&rig);
	rig_open(&rig);
	batch = rig_batch(&rig);
	rig_put_made(&rig, batch, CTL_TABLE_JOURNAL, 1, 0, 100000);
	rig_give(&rig, batch);
	rig_flush(&rig);
	ctl_store_stats(rig.store, &stats);
	assert_int_equal(stats.n_committed, 1);
	assert_int_equal(stats.n_failed, 0);
	assert_int_equal(stats.n_waiting, 0);
	assert_int_equal(stats.waiting_bytes, 0);
	assert_int_equal(stats.watermark_ns, RIG_TICK_NS);
	assert_int_equal(stats.failing_since_ns, 0);
	assert_true(stats.used_bytes > 100000);
	assert_true(stats.file_bytes >= stats.used_bytes);
	assert_true(stats.commit_ns_max >= stats.commit_ns_last);
	json = ctl_store_json(rig.store);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "ok");
	assert_true(json_is_null(json_object_get(json, "since")));
	assert_string_equal(
		json_string_value(json_object_get(json, "watermark")), "1970-01-01T00:00:01.000Z");
	json_decref(json);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_is_there_after_a_restart),
		cmocka_unit_test(the_last_value_counts),
		cmocka_unit_test(a_cut_takes_all_up_to_its_key_and_what_is_put_behind_it_stays),
		cmocka_unit_test(readers_may_begin_anywhere_and_stop),
		cmocka_unit_test(a_commit_makes_the_descriptor_readable),
		cmocka_unit_test(several_threads_read_each_value_once),
		cmocka_unit_test(it_is_one_writers),
		cmocka_unit_test(another_node_or_tick_is_refused_with_both),
		cmocka_unit_test(a_newer_format_is_refused_and_left_alone),
		cmocka_unit_test(a_place_that_is_none_is_refused_with_a_sentence),
		cmocka_unit_test(names_have_their_numbers_before_it_is_open),
		cmocka_unit_test(it_says_how_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
