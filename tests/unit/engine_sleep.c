// SPDX-License-Identifier: BSD-3-Clause

/* Who sleeps behind a restart, what wakes him, and what does not. */

#include "control/cycle.h"
#include "control/profile_image.h"
#include "control/profile_sleep.h"
#include "tests/unit/engine_rig.h"

#include <errno.h>

enum { N_SEEN = 5 }; // of the subscribers, ids 1..; and the stranger behind them
#define STRANGER "10.20.1.200"

struct world {
	struct engine_rig rig;
	struct fixture f;
	uint64_t now_ns; // end of the last tick
};

static const char *const ASLEEP_ALL = "1 2 3 4 5 6 ";

/* Ids, as text. */
static char *asleep(const struct world *w)
{
	GString *ids = g_string_new(NULL);

	for (uint64_t id = 1; id <= ctl_engine_n_ids(w->f.engine); id++) {
		const struct ctl_profile *p = ctl_engine_peek(w->f.engine, id);

		if (p != NULL && ctl_profile_is_asleep(p))
			g_string_append_printf(ids, "%" G_GUINT64_FORMAT " ", id);
	}
	return g_string_free(ids, FALSE);
}

static void assert_asleep(const struct world *w, const char *expected)
{
	g_autofree char *ids = asleep(w);

	assert_string_equal(ids, expected);
}

static void use(struct world *w, const char *endpoint, const char *app, uint64_t n_bytes)
{
	const struct use given = {
		"2026-01-20T00:00:00Z", app, .endpoint = endpoint, .bytes = n_bytes};
	struct dp_record record = fixture_record(&w->f, &given);

	record.usage.first_ns = record.usage.last_ns = w->now_ns;
	w->now_ns += CTL_SECOND_NS;
	ctl_engine_tick(w->f.engine, w->now_ns, &record, 1, 0);
}

static void save(struct world *w, bool everything)
{
	(void)engine_rig_save(&w->rig, w->f.engine, w->now_ns, RIG_UNLIMITED, everything);
}

static void restart(struct world *w, const char *rules, const char *facts)
{
	fixture_configure(&w->f, rules, facts);
	(void)engine_rig_restart(&w->rig, &w->f);
}

/* Some have watched something, which is over, and nothing is left in the journal. Then a restart. */
static void world_open(struct world *w, const char *facts)
{
	*w = (struct world){.now_ns = at("2026-01-20T00:00:00Z")};
	engine_rig_open(&w->rig);
	fixture_open(&w->f, RIG_RULES, facts);
	w->now_ns += CTL_SECOND_NS;
	(void)rig_touch(&w->rig, &w->f, w->now_ns, N_SEEN, RIG_UNLIMITED);
	use(w, STRANGER, "film", 1000);
	w->now_ns += 3600 * CTL_SECOND_NS;
	ctl_engine_advance(w->f.engine, w->now_ns);
	for (uint64_t id = 1; id <= N_SEEN; id++)
		ctl_engine_set_published(w->f.engine, id);
	save(w, true);
	restart(w, RIG_RULES, facts);
	assert_asleep(w, ASLEEP_ALL);
}

static void world_close(struct world *w)
{
	fixture_close(&w->f);
	engine_rig_close(&w->rig);
}

static long sum_bytes(json_t *given)
{
	long n_bytes = 0;
	json_t *line;
	size_t i;

	json_array_foreach(given, i, line)
		n_bytes += json_integer_value(json_object_get(line, "down_bytes"));
	return n_bytes;
}

/* -1: nothing is known. */
static long bytes_of(const struct world *w, const char *identifier)
{
	bool is_told;
	json_t *show = ctl_engine_identifier_json(w->f.engine, identifier, &is_told);
	const long n_bytes = show == NULL ? -1 : sum_bytes(json_object_get(show, "usage"));

	json_decref(show);
	return n_bytes;
}

static long bytes_of_all(const struct world *w)
{
	json_t *usage = ctl_engine_usage_json(w->f.engine);
	const long n_bytes = sum_bytes(usage);

	json_decref(usage);
	return n_bytes;
}

/* What the store says of the profile by now. */
static void assert_kept(struct world *w, const char *facts, const char *identifier, long n_bytes)
{
	save(w, false);
	restart(w, RIG_RULES, facts);
	assert_int_equal(bytes_of(w, identifier), n_bytes);
}

static void a_record_wakes_whom_it_is_of(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	use(&w, "10.20.1.2", "film", 500);
	assert_asleep(&w, "1 3 4 5 6 ");
	use(&w, STRANGER, "chat", 70);
	assert_asleep(&w, "1 3 4 5 ");
	use(&w, "10.20.1.201", "chat", 9); // nobody's before
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
	use(&w, "10.20.1.2", "film", 500);
	use(&w, "10.20.1.4", "chat", 500);
	save(&w, true);
	restart(&w, RIG_RULES, facts);
	assert_asleep(&w, "1 3 4 5 6 ");
	(void)fixture_events(&w.f, true);
	ctl_engine_advance(w.f.engine, w.now_ns + 700 * CTL_SECOND_NS);
	assert_events(&w.f, "session_ended");
	world_close(&w);
}

static void who_was_changed_behind_the_image_does_not_sleep(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	use(&w, "10.20.1.2", "chat", 500);
	save(&w, false);
	restart(&w, RIG_RULES, facts);
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
		restart(&w, RIG_RULES, facts); // again and again
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
	save(&w, false);
	assert_asleep(&w, ASLEEP_ALL);
	restart(&w, RIG_RULES, facts);
	assert_asleep(&w, "4 5 6 "); // changed behind the image
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 2);
	ctl_engine_set_unpublished(w.f.engine, 4);
	save(&w, true);
	assert_asleep(&w, "5 6 ");
	restart(&w, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 3);
	assert_int_equal(bytes_of_all(&w), 6000);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 3);
	world_close(&w);
}

static void told_facts_that_change_nothing_wake_nobody(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	fixture_reload(&w.f, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(w.f.engine->changed.n_ids, 0);
	use(&w, "10.20.1.2", "film", 500); // what is told is of the new facts, not of freed ones
	assert_int_equal(bytes_of_all(&w), 6500);
	world_close(&w);
}

static uint64_t cap_of(const struct world *w, uint64_t id)
{
	const struct ctl_bucket_use *bucket = ctl_engine_profile(w->f.engine, id)->buckets;

	return bucket->rows[bucket->n_rows - 1].cap_bytes;
}

/* Who is told another cap for a while has it in the cycle's row, though it is told the old one
 * again before anybody asks. */
static void told_buckets_that_are_others_wake(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	g_autofree char *larger = rig_facts(0, "2GB");
	g_autofree char *other = NULL;
	struct world w;
	char *id;

	other = g_strdup(facts);
	id = strstr(other, "{id: data");
	memcpy(id, "{id: more", strlen("{id: more"));
	world_open(&w, facts);
	fixture_reload(&w.f, RIG_RULES, larger);
	assert_asleep(&w, "6 "); // who is nobody is told nothing
	assert_int_equal(cap_of(&w, 1), UINT64_C(2000000000));
	assert_int_equal(w.f.engine->changed.n_ids, N_SEEN);
	save(&w, true);
	restart(&w, RIG_RULES, larger);
	assert_asleep(&w, ASLEEP_ALL);
	restart(&w, RIG_RULES, facts);
	assert_asleep(&w, "6 ");
	assert_int_equal(cap_of(&w, 1), UINT64_C(1000000000));
	save(&w, true);
	restart(&w, RIG_RULES, facts);
	fixture_reload(&w.f, RIG_RULES, other); // the first subscriber's only
	assert_asleep(&w, "2 3 4 5 6 ");
	fixture_reload(&w.f, RIG_RULES, facts);
	assert_int_equal(ctl_engine_profile(w.f.engine, 1)->buckets[0].n_rows, 0);
	assert_int_equal(ctl_engine_profile(w.f.engine, 2)->buckets[0].n_rows, 1);
	world_close(&w);
}

/* A new SIM: it is noted without a look at the rest. */
static void who_has_another_identifier_sleeps_on_under_it(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	g_autofree char *other = g_strdup(facts);
	struct world w;

	memcpy(strstr(other, "001010000000102"), "001010000000999", 15);
	world_open(&w, facts);
	fixture_reload(&w.f, RIG_RULES, other);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(w.f.engine->changed.n_ids, 1);
	assert_kept(&w, other, "imsi:001010000000999", 1000);
	save(&w, true);
	restart(&w, RIG_RULES, other);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(bytes_of(&w, "imsi:001010000000102"), -1);
	assert_int_equal(bytes_of(&w, "imsi:001010000000999"), 1000);
	world_close(&w);
}

/* Another number is another subject. */
static void who_has_another_number_is_named_anew_asleep(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	g_autofree char *other = g_strdup(facts);
	g_autofree char *before = NULL;
	struct world w;

	memcpy(strstr(other, "+99900000102"), "+99900000999", 12);
	world_open(&w, facts);
	before = g_strdup(ctl_engine_peek(w.f.engine, 2)->subject);
	fixture_reload(&w.f, RIG_RULES, other);
	assert_asleep(&w, ASLEEP_ALL);
	assert_string_not_equal(ctl_engine_peek(w.f.engine, 2)->subject, before);
	assert_null(ctl_engine_subscriber_json(w.f.engine, before));
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 1);
	assert_kept(&w, other, "+99900000999", 1000);
	world_close(&w);
}

static void another_key_gives_names_anew_and_wakes_nobody(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	g_autofree char *before = NULL, *after = NULL;
	struct world w;

	world_open(&w, facts);
	before = g_strdup(ctl_engine_peek(w.f.engine, 2)->subject);
	w.f.key = "another key of sixteen bytes and more";
	fixture_reload(&w.f, RIG_RULES, facts);
	after = g_strdup(ctl_engine_peek(w.f.engine, 2)->subject);
	assert_string_not_equal(before, after);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), N_SEEN);
	assert_null(ctl_engine_subscriber_json(w.f.engine, before));
	for (uint64_t id = 1; id <= N_SEEN; id++)
		ctl_engine_set_published(w.f.engine, id);
	save(&w, false); // the name goes with the journal: it is not new to who reads that
	restart(&w, RIG_RULES, facts);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 0);
	assert_string_equal(ctl_engine_peek(w.f.engine, 2)->subject, after);
	w.f.key = NULL; // and back, between two lives
	save(&w, true);
	restart(&w, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_string_equal(ctl_engine_peek(w.f.engine, 2)->subject, before);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), N_SEEN);
	assert_int_equal(bytes_of_all(&w), 6000);
	world_close(&w);
}

static size_t n_states(const struct world *w, uint64_t id)
{
	return ctl_engine_profile(w->f.engine, id)->n_states;
}

static const char FEWER_RULES[] =
	"  - {id: n, detect: near_cap, class: upsell, purpose: marketing, cooldown: 1h}\n";

/* Else its state would be there again when the rule is. */
static void a_rule_that_is_dropped_wakes_who_has_a_state_of_it(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	assert_int_equal(n_states(&w, 1), 2); // sessions that were, what was said of the cap
	fixture_reload(&w.f, FEWER_RULES, facts);
	assert_asleep(&w, ""); // the stranger had a session, too
	fixture_reload(&w.f, RIG_RULES, facts);
	assert_int_equal(n_states(&w, 2), 1);
	assert_int_equal(n_states(&w, 6), 0);
	save(&w, true);
	restart(&w, FEWER_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL); // nobody has a state of those
	restart(&w, RIG_RULES, facts);
	fixture_reload(&w.f, FEWER_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	world_close(&w);
}

static void who_is_told_no_more_is_kept_and_forgotten_asleep(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	g_autofree char *fewer = rig_facts(1, "1GB");
	struct world w;

	world_open(&w, facts);
	fixture_reload(&w.f, RIG_RULES, fewer);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(bytes_of(&w, "+99900000101"), -1);
	fixture_reload(&w.f, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(bytes_of(&w, "+99900000101"), 1000);
	save(&w, true);
	restart(&w, RIG_RULES, fewer);
	assert_asleep(&w, ASLEEP_ALL);
	save(&w, true); // writing its image wakes it: that it is told no more is in there
	restart(&w, RIG_RULES, fewer);
	assert_asleep(&w, ASLEEP_ALL);
	w.now_ns += w.f.config->store.keep_untold_ns + 1;
	ctl_engine_advance(w.f.engine, w.now_ns);
	assert_asleep(&w, "2 3 4 5 6 ");
	assert_kept(&w, facts, "+99900000101", -1);
	assert_int_equal(bytes_of(&w, "+99900000102"), 1000);
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
	restart(&w, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(ctl_engine_n_unreadable(w.f.engine, &why), 0);
	assert_string_equal(why.text, "");
	use(&w, "10.20.1.2", "chat", 500);
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
	restart(&w, RIG_RULES, facts);
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

		use(&w, endpoint, "chat", 1);
	}
	save(&w, true);
	restart(&w, RIG_RULES, facts);
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
		cmocka_unit_test(told_facts_that_change_nothing_wake_nobody),
		cmocka_unit_test(told_buckets_that_are_others_wake),
		cmocka_unit_test(who_has_another_identifier_sleeps_on_under_it),
		cmocka_unit_test(who_has_another_number_is_named_anew_asleep),
		cmocka_unit_test(another_key_gives_names_anew_and_wakes_nobody),
		cmocka_unit_test(a_rule_that_is_dropped_wakes_who_has_a_state_of_it),
		cmocka_unit_test(who_is_told_no_more_is_kept_and_forgotten_asleep),
		cmocka_unit_test(an_image_that_cannot_be_read_begins_anew_and_is_counted),
		cmocka_unit_test(an_image_that_cannot_be_read_is_found_by_a_reload),
		cmocka_unit_test(a_start_that_cannot_read_its_sample_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
