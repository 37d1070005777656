// SPDX-License-Identifier: BSD-3-Clause

/* Who sleeps behind a restart, and what wakes him. */

#include "control/cycle.h"
#include "control/profile_image.h"
#include "control/profile_sleep.h"
#include "tests/unit/sleep_world.h"

#include <errno.h>

static void a_record_wakes_whom_it_is_of(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	world_use(&w, "10.20.1.2", "film", 500);
	assert_asleep(&w, "1 3 4 5 6 ");
	world_use(&w, STRANGER, "chat", 70);
	assert_asleep(&w, "1 3 4 5 ");
	world_use(&w, "10.20.1.201", "chat", 9); // nobody's before
	assert_asleep(&w, "1 3 4 5 ");
	assert_int_equal(bytes_of(&w, "+99900000102"), 1500);
	assert_int_equal(bytes_of_all(&w), 6000 + 500 + 70 + 9);
	world_close(&w);
}

static void a_question_wakes_whom_it_is_about(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;
	g_autofree char *subject = NULL;
	json_t *show;

	world_open(&w, facts);
	assert_int_equal(bytes_of(&w, "imsi:001010000000103"), 1000);
	assert_asleep(&w, "1 2 4 5 6 ");
	subject = g_strdup(ctl_engine_peek(w.f.engine, 1)->subject);
	show = ctl_engine_subscriber_json(w.f.engine, subject);
	assert_int_equal(sum_bytes(json_object_get(show, "usage")), 1000);
	assert_int_equal(json_array_size(json_object_get(show, "buckets")), 1);
	json_decref(show);
	assert_asleep(&w, "2 4 5 6 ");
	assert_int_equal(ctl_engine_profile(w.f.engine, 4)->n_apps, 1); // as whoever mirrors it
	assert_asleep(&w, "2 5 6 ");
	assert_int_equal(bytes_of_all(&w), 6000);
	assert_asleep(&w, "");
	assert_int_equal(w.f.engine->changed.n_ids, 0); // to wake is no change
	world_close(&w);
}

static void a_session_under_way_does_not_sleep_and_ends_in_time(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	world_use(&w, "10.20.1.2", "film", 500);
	world_use(&w, "10.20.1.4", "chat", 500);
	world_save(&w, true);
	world_restart(&w, RIG_RULES, facts);
	assert_asleep(&w, "1 3 4 5 6 ");
	g_free(fixture_events(&w.f, true));
	ctl_engine_advance(w.f.engine, w.now_ns + 700 * CTL_SECOND_NS);
	assert_events(&w.f, "session_ended");
	world_close(&w);
}

static void who_was_changed_behind_the_image_does_not_sleep(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	world_use(&w, "10.20.1.2", "chat", 500);
	world_save(&w, false);
	world_restart(&w, RIG_RULES, facts);
	assert_asleep(&w, "1 3 4 5 6 ");
	assert_int_equal(bytes_of(&w, "+99900000102"), 1500);
	world_close(&w);
}

static void nothing_of_who_sleeps_on_is_written(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	for (int i = 0; i < 3; i++) {
		w.now_ns += 100 * CTL_SECOND_NS;
		ctl_engine_tick(w.f.engine, w.now_ns, NULL, 0, 0);
		assert_int_equal(
			engine_rig_save(&w.rig, w.f.engine, w.now_ns, RIG_UNLIMITED, i == 1), 0);
		assert_int_equal(engine_rig_count(&w.rig, CTL_TABLE_JOURNAL), 0);
		world_restart(&w, RIG_RULES, facts); // again and again
		assert_asleep(&w, ASLEEP_ALL);
	}
	assert_int_equal(bytes_of_all(&w), 6000);
	world_close(&w);
}

/* Redis has lost what it was given: everybody is to be written again, which must not wake all in
 * one turn. Who is written, to Redis or into an image, is. */
static void marks_of_what_is_published_wake_nobody_but_images_do(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 0);
	for (uint64_t id = 1; id <= 3; id++)
		ctl_engine_set_unpublished(w.f.engine, id);
	ctl_engine_set_published(w.f.engine, 3);
	assert_true(ctl_engine_has_person(w.f.engine, 1));
	assert_false(ctl_engine_has_person(w.f.engine, 6));
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 2);
	world_save(&w, false);
	assert_asleep(&w, ASLEEP_ALL);
	world_restart(&w, RIG_RULES, facts);
	assert_asleep(&w, "4 5 6 "); // changed behind the image
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 2);
	ctl_engine_set_unpublished(w.f.engine, 4);
	world_save(&w, true);
	assert_asleep(&w, "5 6 ");
	world_restart(&w, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 3);
	assert_int_equal(bytes_of_all(&w), 6000);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 3);
	world_close(&w);
}

static int give_bytes(void *ctx, uint64_t, const void *value, size_t len)
{
	*(GBytes **)ctx = g_bytes_new(value, len);
	return 0;
}

/* Its checksum and who it is of are right, but not what is in it. */
static void spoil_image(struct world *w, uint64_t id)
{
	g_autoptr(GBytes) image = NULL;
	struct ctl_pack pack = {0};
	struct dp_err err;
	size_t part;

	assert_int_equal(
		ctl_store_get(w->rig.store, CTL_TABLE_PROFILES, id, give_bytes, &image, &err), 0);
	part = ctl_pack_open(&pack, CTL_PART_COOLDOWNS);
	ctl_pack_u64(&pack, 200); // and then none
	ctl_pack_close(&pack, part);

	g_autofree uint8_t *bad = g_malloc(g_bytes_get_size(image) + pack.len);

	memcpy(bad, g_bytes_get_data(image, NULL), g_bytes_get_size(image));
	memcpy(bad + g_bytes_get_size(image), pack.data, pack.len);
	engine_rig_put(&w->rig, CTL_TABLE_PROFILES, id, bad, g_bytes_get_size(image) + pack.len);
	ctl_pack_fini(&pack);
}

static void an_image_that_cannot_be_read_begins_anew_and_is_counted(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct dp_err why = {0};
	struct world w;

	world_open(&w, facts);
	spoil_image(&w, 2);
	world_restart(&w, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(ctl_engine_n_unreadable(w.f.engine, &why), 0);
	assert_string_equal(why.text, "");
	world_use(&w, "10.20.1.2", "chat", 500);
	assert_int_equal(ctl_engine_n_unreadable(w.f.engine, &why), 1);
	assert_string_equal(why.text,
		"profile 2: its cooldowns cannot be read, expected what this version writes");
	assert_int_equal(bytes_of(&w, "+99900000102"), 500);
	assert_kept(&w, facts, "+99900000102", 500); // nothing is read over what was there
	assert_int_equal(ctl_engine_n_unreadable(w.f.engine, &why), 0);
	assert_int_equal(bytes_of_all(&w), 5500);
	world_close(&w);
}

/* And woken by told facts, among others, by the thread that binds him. */
static void an_image_that_cannot_be_read_is_found_by_a_reload(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	g_autofree char *larger = rig_facts(0, "2GB");
	struct dp_err why;
	struct world w;

	world_open(&w, facts);
	spoil_image(&w, 2);
	spoil_image(&w, 3);
	world_restart(&w, RIG_RULES, facts);
	fixture_reload(&w.f, RIG_RULES, larger);
	assert_int_equal(ctl_engine_n_unreadable(w.f.engine, &why), 2);
	assert_int_equal(bytes_of(&w, "+99900000102"), 0);
	assert_kept(&w, larger, "+99900000104", 1000);
	assert_int_equal(bytes_of_all(&w), 4000);
	world_close(&w);
}

/* One in 64 is read at the start: what an older version cannot read is no matter of one profile. */
static void a_start_that_cannot_read_its_sample_is_refused(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct dp_err err = {0};
	uint64_t watermark_ns;
	struct world w;

	world_open(&w, facts);
	for (int i = 0; i < 60; i++) {
		g_autofree char *endpoint = g_strdup_printf("10.20.2.%d", i);

		world_use(&w, endpoint, "chat", 1);
	}
	world_save(&w, true);
	world_restart(&w, RIG_RULES, facts);
	assert_false(ctl_profile_is_asleep(ctl_engine_peek(w.f.engine, 64)));
	assert_true(ctl_profile_is_asleep(ctl_engine_peek(w.f.engine, 65)));
	spoil_image(&w, 64);
	fixture_restart(&w.f);
	assert_int_equal(
		ctl_engine_restore(w.f.engine, w.rig.store, w.rig.seal, 2, &watermark_ns, &err),
		-EBADMSG);
	assert_non_null(strstr(err.text, "profile 64: its cooldowns cannot be read"));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_wakes_whom_it_is_of),
		cmocka_unit_test(a_question_wakes_whom_it_is_about),
		cmocka_unit_test(a_session_under_way_does_not_sleep_and_ends_in_time),
		cmocka_unit_test(who_was_changed_behind_the_image_does_not_sleep),
		cmocka_unit_test(nothing_of_who_sleeps_on_is_written),
		cmocka_unit_test(marks_of_what_is_published_wake_nobody_but_images_do),
		cmocka_unit_test(an_image_that_cannot_be_read_begins_anew_and_is_counted),
		cmocka_unit_test(an_image_that_cannot_be_read_is_found_by_a_reload),
		cmocka_unit_test(a_start_that_cannot_read_its_sample_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
