// SPDX-License-Identifier: BSD-3-Clause
#include "control/cycle.h"
#include "tests/unit/engine_rig.h"

#include <stdlib.h>

static const char HASTY_HEAD[] = "node: edge1\n"
				 "tick: 1s\n"
				 "zone: Europe/Berlin\n"
				 "apps: apps.yaml\n"
				 "binding: {sources: [static: facts.yaml]}\n"
				 "told: {files: [facts.yaml]}\n"
				 "privacy: {subject: msisdn, key_file: pseudonym.key}\n"
				 "store: {keep_untold: 1d}\n";
static const char OTHER_RULES[] =
	"  - {id: n, detect: near_cap, class: service, steps: [10%, 50%], emit: [threshold]}\n"
	"  - {id: s, detect: app_session, class: upsell, purpose: marketing, apps: [series]}\n";

static char *triggers_text(const struct fixture *f)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < f->triggers->len; i++) {
		const struct ctl_trigger *trigger = f->triggers->pdata[i];
		char *line = json_dumps(trigger->event, JSON_COMPACT | JSON_SORT_KEYS);

		g_string_append_printf(text, "%s\n", line);
		free(line);
	}
	return g_string_free(text, FALSE);
}

static void assert_knows_the_same(
	const struct engine_rig *rig, const struct fixture *a, const struct fixture *b)
{
	g_autofree char *text_a = engine_text(rig, a->engine);
	g_autofree char *text_b = engine_text(rig, b->engine);

	assert_string_equal(text_a, text_b);
}

static void assert_said_the_same(const struct fixture *a, const struct fixture *b)
{
	g_autofree char *text_a = triggers_text(a);
	g_autofree char *text_b = triggers_text(b);

	assert_string_equal(text_a, text_b);
}

static size_t n_forgotten(const struct ctl_engine *engine)
{
	size_t n = 0;

	for (uint64_t id = 1; id <= engine->n_profiles; id++)
		n += ctl_engine_profile(engine, id) == NULL;
	return n;
}

/* One engine lives, the other is killed behind each tick; a reload of the one is a restart under
 * the new configuration for the other. */
static void an_engine_restored_after_every_tick_says_and_knows_the_same(void **)
{
	static const char *const rules[] = {RIG_RULES, OTHER_RULES};
	g_autofree char *all = rig_facts(0, "1GB");
	g_autofree char *fewer = rig_facts(7, "2GB");
	const char *const facts[] = {all, fewer};
	struct traffic t = {.seed = 3, .now_ns = at("2026-01-20T00:00:00Z")};
	struct fixture steady, killed;
	struct fixture *const both[] = {&steady, &killed};
	struct engine_rig rig;

	fixture_head = HASTY_HEAD;
	engine_rig_open(&rig);
	fixture_open(&steady, RIG_RULES, all);
	fixture_open(&killed, RIG_RULES, all);
	for (int i = 0; i < 500; i++) {
		const uint64_t end_ns = traffic_play(&t, both, 2);

		(void)engine_rig_save(
			&rig, killed.engine, end_ns, traffic_draw(&t, 2) * RIG_UNLIMITED, false);
		if (i % 100 == 99) {
			const char *r = rules[traffic_draw(&t, 2)],
				   *told = facts[traffic_draw(&t, 2)];

			fixture_reload(&steady, r, told);
			fixture_configure(&killed, r, told);
		}
		assert_int_equal(engine_rig_restart(&rig, &killed), end_ns);
		assert_knows_the_same(&rig, &steady, &killed);
	}
	assert_said_the_same(&steady, &killed);
	assert_true(steady.triggers->len > 100);
	assert_true(engine_rig_count(&rig, CTL_TABLE_PROFILES) > 0);
	assert_true(n_forgotten(steady.engine) > 0);
	fixture_close(&steady);
	fixture_close(&killed);
	engine_rig_close(&rig);
	fixture_head = NULL;
}

/* The engine that saves is never restored here: its marks of change, rounds and cuts go on over
 * many ticks, and what the store has is the whole of it behind each. */
static void images_and_journal_are_the_engine_at_any_moment(void **)
{
	g_autofree char *all = rig_facts(0, "1GB");
	g_autofree char *fewer = rig_facts(7, "2GB");
	struct traffic t = {.seed = 5, .now_ns = at("2026-01-20T00:00:00Z")};
	struct fixture live, copy;
	struct fixture *const one[] = {&live};
	struct engine_rig rig;

	fixture_head = HASTY_HEAD;
	engine_rig_open(&rig);
	fixture_open(&live, RIG_RULES, all);
	fixture_open(&copy, RIG_RULES, all);
	for (int i = 0; i < 500; i++) {
		const bool everything = i % 90 == 89;
		uint64_t end_ns;

		if (i % 120 == 119) {
			const char *told = i % 240 == 119 ? fewer : all;

			fixture_reload(&live, i % 360 == 119 ? OTHER_RULES : RIG_RULES, told);
			fixture_configure(&copy, i % 360 == 119 ? OTHER_RULES : RIG_RULES, told);
		}
		end_ns = traffic_play(&t, one, 1);
		(void)engine_rig_save(
			&rig, live.engine, end_ns, traffic_draw(&t, 2) * RIG_UNLIMITED, everything);
		if (everything)
			assert_int_equal(engine_rig_count(&rig, CTL_TABLE_JOURNAL), 0);
		assert_int_equal(engine_rig_restart(&rig, &copy), end_ns);
		assert_knows_the_same(&rig, &live, &copy);
	}
	assert_true(n_forgotten(live.engine) > 0);
	fixture_close(&live);
	fixture_close(&copy);
	engine_rig_close(&rig);
	fixture_head = NULL;
}

static void a_round_is_spread_and_cuts_the_journal_when_it_is_over(void **)
{
	static const struct {
		uint64_t budget_ns;
		size_t n_a_tick, n_ticks;
	} rows[] = {
		{RIG_UNLIMITED, RIG_PERSONS / 30 + 1, RIG_PERSONS / 2},
		{0, 1, RIG_PERSONS}, // one image, however short the time
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *facts = rig_facts(0, "1GB");
		uint64_t now_ns = at("2026-01-20T00:00:00Z");
		struct engine_rig rig;
		struct fixture f;

		engine_rig_open(&rig);
		fixture_open(&f, RIG_RULES, facts);
		assert_int_equal(rig_touch(&rig, &f, now_ns, RIG_PERSONS, RIG_UNLIMITED), 0);
		now_ns += 59 * CTL_SECOND_NS;
		assert_int_equal(rig_touch(&rig, &f, now_ns, 0, RIG_UNLIMITED), 0);
		assert_int_equal(engine_rig_count(&rig, CTL_TABLE_JOURNAL), 1);
		for (size_t tick = 1; tick <= rows[i].n_ticks; tick++) {
			now_ns += CTL_SECOND_NS;
			assert_int_equal(rig_touch(&rig, &f, now_ns, 2, rows[i].budget_ns),
				rows[i].n_a_tick);
			assert_int_equal(engine_rig_count(&rig, CTL_TABLE_PROFILES),
				tick * rows[i].n_a_tick);
		}
		// Of what the round had to write nothing is in the journal; what came since is.
		assert_int_equal(engine_rig_count(&rig, CTL_TABLE_JOURNAL), rows[i].n_ticks - 1);
		fixture_close(&f);
		engine_rig_close(&rig);
	}
}

static long bytes_of(const struct fixture *f, const char *identifier)
{
	bool is_told;
	json_t *show = ctl_engine_identifier_json(f->engine, identifier, &is_told);
	long n_bytes = show == NULL ? -1 : 0;
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(show, "usage"), i, line)
		n_bytes += json_integer_value(json_object_get(line, "down_bytes"));
	json_decref(show);
	return n_bytes;
}

/* A file that lacks somebody by mistake must not cost the history; one that is right must. */
static void who_is_told_no_more_is_kept_for_a_while_and_then_forgotten(void **)
{
	g_autofree char *all = rig_facts(0, "1GB");
	g_autofree char *fewer = rig_facts(1, "1GB");
	uint64_t now_ns = at("2026-01-20T00:00:00Z");
	struct engine_rig rig;
	struct fixture f;
	json_t *usage;

	engine_rig_open(&rig);
	fixture_open(&f, RIG_RULES, all);
	(void)rig_touch(&rig, &f, now_ns, 2, RIG_UNLIMITED);
	fixture_reload(&f, RIG_RULES, fewer);
	assert_int_equal(bytes_of(&f, "imsi:001010000000101"), -1);
	assert_int_equal(bytes_of(&f, "imsi:001010000000102"), 1000);
	usage = ctl_engine_usage_json(f.engine);
	assert_int_equal(json_array_size(usage), 1);
	json_decref(usage);
	// Before the next tick: what the reload changed must not take the last tick's place.
	(void)engine_rig_save(&rig, f.engine, now_ns, RIG_UNLIMITED, false);
	fixture_configure(&f, RIG_RULES, fewer);
	(void)engine_rig_restart(&rig, &f);
	assert_int_equal(bytes_of(&f, "imsi:001010000000102"), 1000);
	assert_int_equal(f.engine->untold->len, 1);
	(void)rig_touch(&rig, &f, now_ns + CTL_DAY_NS, 0, RIG_UNLIMITED);
	fixture_configure(&f, RIG_RULES, fewer);
	(void)engine_rig_restart(&rig, &f);
	(void)rig_touch(&rig, &f, now_ns + 30 * CTL_DAY_NS, 0, RIG_UNLIMITED);
	fixture_configure(&f, RIG_RULES, all); // told again behind a restart
	(void)engine_rig_restart(&rig, &f);
	assert_int_equal(bytes_of(&f, "imsi:001010000000101"), 1000);
	(void)rig_touch(&rig, &f, now_ns + 31 * CTL_DAY_NS, 0, RIG_UNLIMITED);
	fixture_reload(&f, RIG_RULES, fewer);
	now_ns += 31 * CTL_DAY_NS + f.config->store.keep_untold_ns;
	(void)rig_touch(&rig, &f, now_ns - 1, 0, RIG_UNLIMITED);
	assert_int_equal(engine_rig_count(&rig, CTL_TABLE_PROFILES), 2);
	(void)rig_touch(&rig, &f, now_ns, 0, RIG_UNLIMITED);
	assert_int_equal(engine_rig_count(&rig, CTL_TABLE_PROFILES), 1);
	fixture_configure(&f, RIG_RULES, all);
	(void)engine_rig_restart(&rig, &f);
	assert_int_equal(bytes_of(&f, "imsi:001010000000101"), -1);
	assert_int_equal(bytes_of(&f, "imsi:001010000000102"), 1000);
	assert_null(ctl_engine_profile(f.engine, 1));
	fixture_close(&f);
	engine_rig_close(&rig);
}

/* Two who are told no more had the same number, one after the other. */
static void of_two_holders_of_a_number_the_last_one_is_found_again(void **)
{
#define HOLDER "subscribers:\n  - {msisdn: \"+99900000101\", addresses: [10.20.1.1]%s}\n"
	static const char *const holders[] = {", account: A-1", ", account: A-2", ""};
	uint64_t now_ns = at("2026-01-20T00:00:00Z");
	struct engine_rig rig;
	struct fixture f;

	engine_rig_open(&rig);
	fixture_open(&f, RIG_RULES, NULL);
	for (int i = 0; i < 2; i++) {
		g_autofree char *facts = g_strdup_printf(HOLDER, holders[i]);

		fixture_reload(&f, RIG_RULES, facts);
		for (int n = 0; n <= i; n++)
			(void)rig_touch(&rig, &f, ++now_ns, 1, RIG_UNLIMITED);
		fixture_reload(&f, RIG_RULES, NULL);
	}
	(void)rig_touch(&rig, &f, ++now_ns, 0, RIG_UNLIMITED);
	for (int is_restart = 0; is_restart < 2; is_restart++) {
		g_autofree char *facts = g_strdup_printf(HOLDER, holders[2]);

		if (is_restart) {
			fixture_configure(&f, RIG_RULES, facts);
			(void)engine_rig_restart(&rig, &f);
		} else {
			fixture_reload(&f, RIG_RULES, facts);
		}
		assert_int_equal(bytes_of(&f, "+99900000101"), 2000);
		assert_int_equal(f.engine->untold->len, 1);
	}
	fixture_close(&f);
	engine_rig_close(&rig);
#undef HOLDER
}

/* Ids that are unpublished, as text. */
static char *unpublished(const struct fixture *f)
{
	GString *ids = g_string_new(NULL);

	for (uint64_t id = ctl_engine_unpublished(f->engine, 0); id != UINT64_MAX;
		id = ctl_engine_unpublished(f->engine, id + 1))
		g_string_append_printf(ids, "%" G_GUINT64_FORMAT " ", id);
	return g_string_free(ids, FALSE);
}

static void assert_unpublished(const struct fixture *f, const char *expected)
{
	g_autofree char *ids = unpublished(f);

	assert_string_equal(ids, expected);
}

static void what_was_published_is_known_after_a_restart(void **)
{
	g_autofree char *facts = rig_facts(0, "1GB");
	uint64_t now_ns = at("2026-01-20T00:00:00Z");
	struct engine_rig rig;
	struct fixture f;

	engine_rig_open(&rig);
	fixture_open(&f, RIG_RULES, facts);
	(void)rig_touch(&rig, &f, now_ns, 4, RIG_UNLIMITED);
	assert_unpublished(&f, "1 2 3 4 ");
	ctl_engine_set_published(f.engine, 1);
	ctl_engine_set_published(f.engine, 3);
	ctl_engine_set_published(f.engine, 99); // nobody's
	(void)rig_touch(&rig, &f, now_ns + CTL_SECOND_NS, 0, RIG_UNLIMITED);
	(void)engine_rig_restart(&rig, &f);
	assert_unpublished(&f, "2 4 ");
	(void)rig_touch(&rig, &f, now_ns + 2 * CTL_SECOND_NS, 1, RIG_UNLIMITED);
	assert_unpublished(&f, "1 2 4 ");
	ctl_engine_set_unpublished(f.engine, 3);
	assert_unpublished(&f, "1 2 3 4 ");
	for (uint64_t id = 1; id <= 4; id++)
		ctl_engine_set_published(f.engine, id);
	(void)rig_touch(&rig, &f, now_ns + 3 * CTL_SECOND_NS, 0, RIG_UNLIMITED);
	f.key = "another key of sixteen bytes and more"; // nothing stands under the new names
	fixture_configure(&f, RIG_RULES, facts);
	(void)engine_rig_restart(&rig, &f);
	assert_unpublished(&f, "1 2 3 4 ");
	fixture_close(&f);
	engine_rig_close(&rig);
}

/* One reload has left out many: they are due in the same tick, which must not take long. */
static void many_are_forgotten_a_thousand_a_tick(void **)
{
	enum { N = 2500 };
	const uint64_t end_ns = at("2026-01-20T00:00:01Z");
	GString *facts = g_string_new("subscribers:\n");
	struct dp_record *records = g_new(struct dp_record, N);
	struct engine_rig rig;
	uint64_t later_ns;
	struct fixture f;

	for (int i = 0; i < N; i++)
		g_string_append_printf(facts, "  - {account: A-%d, addresses: [10.20.%d.%d]}\n", i,
			1 + i / 250, 1 + i % 250);
	engine_rig_open(&rig);
	fixture_open(&f, RIG_RULES, facts->str);
	for (int i = 0; i < N; i++) {
		records[i] = fixture_record(&f,
			&(struct use){.from = "2026-01-20T00:00:00.5Z",
				.app = "unknown",
				.endpoint = "10.20.1.1",
				.bytes = 1000});
		records[i].endpoint.b[14] = (uint8_t)(1 + i / 250);
		records[i].endpoint.b[15] = (uint8_t)(1 + i % 250);
	}
	ctl_engine_tick(f.engine, end_ns, records, N, 0);
	assert_int_equal(f.engine->n_profiles, N);
	fixture_reload(&f, RIG_RULES, NULL);
	assert_int_equal(f.engine->untold->len, N);
	later_ns = end_ns + f.config->store.keep_untold_ns + CTL_SECOND_NS;
	for (guint n = 1; n <= 3; n++) {
		ctl_engine_tick(f.engine, later_ns + n * CTL_SECOND_NS, NULL, 0, 0);
		assert_int_equal(f.engine->untold->len, n == 3 ? 0 : N - 1000 * n);
		(void)engine_rig_save(
			&rig, f.engine, later_ns + n * CTL_SECOND_NS, RIG_UNLIMITED, false);
	}
	(void)engine_rig_restart(&rig, &f);
	assert_int_equal(n_forgotten(f.engine), N);
	(void)g_string_free(facts, TRUE);
	g_free(records);
	fixture_close(&f);
	engine_rig_close(&rig);
}

/* A value of the journal has a bound, and everybody may change in one tick. */
static void a_tick_that_changes_many_takes_several_values(void **)
{
	enum { N = 60000 };
	const uint64_t end_ns = at("2026-01-20T00:00:01Z");
	struct dp_record *records = g_new(struct dp_record, N);
	struct engine_rig rig;
	struct fixture live, copy;

	engine_rig_open(&rig);
	fixture_open(&live, RIG_RULES, NULL);
	fixture_open(&copy, RIG_RULES, NULL);
	for (uint32_t i = 0; i < N; i++) {
		records[i] = fixture_record(&live,
			&(struct use){.from = "2026-01-20T00:00:00.5Z",
				.app = "unknown",
				.endpoint = "10.30.0.0",
				.bytes = 1000 + i});
		records[i].endpoint.b[14] = (uint8_t)(i >> 8);
		records[i].endpoint.b[15] = (uint8_t)i;
	}
	for (int tick = 0; tick < 2; tick++) {
		const uint64_t now_ns = end_ns + (uint64_t)tick * CTL_SECOND_NS;

		ctl_engine_tick(live.engine, now_ns, records, N, 0);
		(void)engine_rig_save(&rig, live.engine, now_ns, 0, false);
		assert_int_equal(engine_rig_restart(&rig, &copy), now_ns);
		assert_knows_the_same(&rig, &live, &copy);
	}
	assert_true(engine_rig_count(&rig, CTL_TABLE_JOURNAL) > 2);
	(void)engine_rig_save(&rig, live.engine, end_ns + CTL_SECOND_NS, RIG_UNLIMITED, true);
	assert_int_equal(engine_rig_count(&rig, CTL_TABLE_JOURNAL), 0);
	(void)engine_rig_restart(&rig, &copy);
	assert_knows_the_same(&rig, &live, &copy);
	g_free(records);
	fixture_close(&live);
	fixture_close(&copy);
	engine_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_engine_restored_after_every_tick_says_and_knows_the_same),
		cmocka_unit_test(images_and_journal_are_the_engine_at_any_moment),
		cmocka_unit_test(a_round_is_spread_and_cuts_the_journal_when_it_is_over),
		cmocka_unit_test(who_is_told_no_more_is_kept_for_a_while_and_then_forgotten),
		cmocka_unit_test(of_two_holders_of_a_number_the_last_one_is_found_again),
		cmocka_unit_test(what_was_published_is_known_after_a_restart),
		cmocka_unit_test(many_are_forgotten_a_thousand_a_tick),
		cmocka_unit_test(a_tick_that_changes_many_takes_several_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
