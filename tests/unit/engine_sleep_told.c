// SPDX-License-Identifier: BSD-3-Clause

/* Told facts, names and rules that are others, and who sleeps: what wakes him for them, and what
 * does not. */

#include "control/cycle.h"
#include "tests/unit/sleep_world.h"

static void told_facts_that_change_nothing_wake_nobody(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	struct world w;

	world_open(&w, facts);
	fixture_reload(&w.f, RIG_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL);
	assert_int_equal(w.f.engine->changed.n_ids, 0);
	world_use(&w, "10.20.1.2", "film",
		500); // what is told is of the new facts, not of freed ones
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
	world_save(&w, true);
	world_restart(&w, RIG_RULES, larger);
	assert_asleep(&w, ASLEEP_ALL);
	world_restart(&w, RIG_RULES, facts);
	assert_asleep(&w, "6 ");
	assert_int_equal(cap_of(&w, 1), UINT64_C(1000000000));
	world_save(&w, true);
	world_restart(&w, RIG_RULES, facts);
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
	world_save(&w, true);
	world_restart(&w, RIG_RULES, other);
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
	world_save(&w, false); // the name goes with the journal: it is not new to who reads that
	world_restart(&w, RIG_RULES, facts);
	assert_int_equal(ctl_engine_n_unpublished(w.f.engine), 0);
	assert_string_equal(ctl_engine_peek(w.f.engine, 2)->subject, after);
	w.f.key = NULL; // and back, between two lives
	world_save(&w, true);
	world_restart(&w, RIG_RULES, facts);
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
	world_save(&w, true);
	world_restart(&w, FEWER_RULES, facts);
	assert_asleep(&w, ASLEEP_ALL); // nobody has a state of those
	world_restart(&w, RIG_RULES, facts);
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
	world_save(&w, true);
	world_restart(&w, RIG_RULES, fewer);
	assert_asleep(&w, ASLEEP_ALL);
	world_save(&w, true); // writing its image wakes it: that it is told no more is in there
	world_restart(&w, RIG_RULES, fewer);
	assert_asleep(&w, ASLEEP_ALL);
	w.now_ns += w.f.config->store.keep_untold_ns + 1;
	ctl_engine_advance(w.f.engine, w.now_ns);
	assert_asleep(&w, "2 3 4 5 6 ");
	assert_kept(&w, facts, "+99900000101", -1);
	assert_int_equal(bytes_of(&w, "+99900000102"), 1000);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_facts_that_change_nothing_wake_nobody),
		cmocka_unit_test(told_buckets_that_are_others_wake),
		cmocka_unit_test(who_has_another_identifier_sleeps_on_under_it),
		cmocka_unit_test(who_has_another_number_is_named_anew_asleep),
		cmocka_unit_test(another_key_gives_names_anew_and_wakes_nobody),
		cmocka_unit_test(a_rule_that_is_dropped_wakes_who_has_a_state_of_it),
		cmocka_unit_test(who_is_told_no_more_is_kept_and_forgotten_asleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
