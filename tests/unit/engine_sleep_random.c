// SPDX-License-Identifier: BSD-3-Clause

/* Whoever sleeps is what he would be awake: an engine that lets profiles sleep behind each restart
 * and one that reads all of them at once live through the same, in any order; what they say, what
 * they keep in their stores and at last what they know is the same. */

#include "control/cycle.h"
#include "control/profile_sleep.h"
#include "tests/unit/engine_rig.h"

#include <stdlib.h>

static const char HASTY_HEAD[] = "node: edge1\n"
				 "tick: 1s\n"
				 "zone: Europe/Berlin\n"
				 "apps: apps.yaml\n"
				 "binding: {sources: [static: facts.yaml]}\n"
				 "told: {files: [facts.yaml]}\n"
				 "privacy: {subject: msisdn, key_file: pseudonym.key}\n"
				 "store: {keep_untold: 2d}\n";
static const char OTHER_RULES[] =
	"  - {id: n, detect: near_cap, class: service, steps: [10%, 50%], emit: [threshold]}\n"
	"  - {id: s, detect: app_session, class: upsell, purpose: marketing, apps: [series]}\n";
// The same as RIG_RULES and one more: nobody has to wake for it.
static const char MORE_RULES[] = RIG_RULES
	"  - {id: n2, detect: near_cap, class: service, steps: [1%, 2%], emit: [threshold]}\n";

enum { ASLEEP, AWAKE, N_LIVES };

struct lives {
	struct fixture f[N_LIVES];
	struct engine_rig rig[N_LIVES];
	struct fixture copy; // to look at what a store has
	const char *rules, *facts;
	struct traffic t;
	uint64_t end_ns; // of the last tick
	size_t n_slept, n_slept_twice; // seen behind a restart; behind the next one, too
};

static char *unpublished(const struct ctl_engine *engine)
{
	GString *ids = g_string_new(NULL);

	for (uint64_t id = ctl_engine_unpublished(engine, 0); id != UINT64_MAX;
		id = ctl_engine_unpublished(engine, id + 1))
		g_string_append_printf(ids, "%" G_GUINT64_FORMAT " ", id);
	return g_string_free(ids, FALSE);
}

static char *retired(struct ctl_engine *engine)
{
	GString *names = g_string_new(NULL);
	char *name;

	for (name = ctl_engine_take_retired(engine); name != NULL;
		name = ctl_engine_take_retired(engine)) {
		g_string_append_printf(names, "%s ", name);
		g_free(name);
	}
	return g_string_free(names, FALSE);
}

static char *triggers(const struct fixture *f)
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

static void assert_same(char *given, char *expected)
{
	assert_string_equal(given, expected);
	g_free(given);
	g_free(expected);
}

static size_t n_asleep(const struct ctl_engine *engine)
{
	size_t n = 0;

	for (uint64_t id = 1; id <= ctl_engine_n_ids(engine); id++) {
		const struct ctl_profile *p = ctl_engine_peek(engine, id);

		n += p != NULL && ctl_profile_is_asleep(p);
	}
	return n;
}

/* What can be seen without waking anybody. */
static void compare_surface(struct lives *l)
{
	struct ctl_engine *const a = l->f[ASLEEP].engine, *const b = l->f[AWAKE].engine;

	assert_same(unpublished(a), unpublished(b));
	assert_same(retired(a), retired(b));
	assert_int_equal(l->f[ASLEEP].triggers->len, l->f[AWAKE].triggers->len);
	assert_int_equal(a->untold->len, b->untold->len);
	assert_int_equal(n_asleep(b), 0);
	for (uint64_t id = 1; id <= ctl_engine_n_ids(b); id++) {
		const struct ctl_profile *p = ctl_engine_peek(a, id), *q = ctl_engine_peek(b, id);

		assert_int_equal(p == NULL, q == NULL);
		if (p == NULL)
			continue;
		assert_int_equal(g_strcmp0(p->subject, q->subject), 0);
		assert_int_equal(p->marks, q->marks);
		assert_int_equal(ctl_engine_has_person(a, id), ctl_engine_has_person(b, id));
	}
}

/* What a restart would make of the store of each, everybody awake. */
static void compare_stores(struct lives *l)
{
	char *texts[N_LIVES];

	for (int i = 0; i < N_LIVES; i++) {
		l->copy.key = l->f[i].key;
		fixture_configure(&l->copy, l->rules, l->facts);
		(void)engine_rig_restart_awake(&l->rig[i], &l->copy);
		texts[i] = engine_text(&l->rig[i], l->copy.engine);
	}
	assert_same(texts[ASLEEP], texts[AWAKE]);
}

static void play(struct lives *l)
{
	struct fixture *const both[] = {&l->f[ASLEEP], &l->f[AWAKE]};

	l->end_ns = traffic_play(&l->t, both, N_LIVES);
}

static void save(struct lives *l)
{
	const bool everything = traffic_draw(&l->t, 6) == 0;
	const uint64_t budget_ns = traffic_draw(&l->t, 2) * RIG_UNLIMITED;

	for (int i = 0; i < N_LIVES; i++)
		(void)engine_rig_save(&l->rig[i], l->f[i].engine, l->end_ns, budget_ns, everything);
}

static void restart(struct lives *l)
{
	const size_t n_before = n_asleep(l->f[ASLEEP].engine);
	size_t n;

	for (int i = 0; i < N_LIVES; i++)
		fixture_configure(&l->f[i], l->rules, l->facts);
	assert_int_equal(engine_rig_restart(&l->rig[ASLEEP], &l->f[ASLEEP]),
		engine_rig_restart_awake(&l->rig[AWAKE], &l->f[AWAKE]));
	for (int i = 0; i < N_LIVES; i++)
		ctl_engine_keep_unpublished(l->f[i].engine);
	n = n_asleep(l->f[ASLEEP].engine);
	l->n_slept += n;
	l->n_slept_twice += MIN(n, n_before);
}

/* Between a save and a restart nothing may change: what is not saved is lost. */
static void restart_saved(struct lives *l)
{
	save(l);
	restart(l);
}

static void reload(struct lives *l)
{
	for (int i = 0; i < N_LIVES; i++)
		fixture_reload(&l->f[i], l->rules, l->facts);
}

static void rename_all(struct lives *l)
{
	static const char *const keys[] = {
		NULL, "another key of sixteen bytes and more", "a third key of sixteen bytes"};
	const char *key = keys[traffic_draw(&l->t, G_N_ELEMENTS(keys))];

	for (int i = 0; i < N_LIVES; i++)
		l->f[i].key = key;
	if (traffic_draw(&l->t, 2) == 0)
		reload(l);
	else
		restart_saved(l);
}

static void mirror(struct lives *l)
{
	const uint64_t id = 1 + traffic_draw(&l->t, (uint32_t)ctl_engine_n_ids(l->f[0].engine) + 1);
	const uint32_t what = traffic_draw(&l->t, 3);

	for (int i = 0; i < N_LIVES; i++) {
		struct ctl_engine *engine = l->f[i].engine;

		if (what == 0)
			ctl_engine_set_unpublished(engine, id);
		else if (what == 1)
			ctl_engine_set_published(engine, id);
		else
			(void)ctl_engine_profile(engine, id); // as to write its hashes
	}
}

static void ask(struct lives *l)
{
	g_autofree char *who = g_strdup_printf(
		"+999000001%02u", 1 + traffic_draw(&l->t, RIG_PERSONS));
	char *texts[N_LIVES];

	for (int i = 0; i < N_LIVES; i++) {
		bool is_told;
		json_t *show = ctl_engine_identifier_json(l->f[i].engine, who, &is_told);
		char *text = json_dumps(show, JSON_COMPACT | JSON_SORT_KEYS);

		texts[i] = g_strdup(text);
		free(text);
		json_decref(show);
	}
	assert_int_equal(g_strcmp0(texts[ASLEEP], texts[AWAKE]), 0);
	g_free(texts[ASLEEP]);
	g_free(texts[AWAKE]);
}

static void wait_long(struct lives *l)
{
	l->t.now_ns += (traffic_draw(&l->t, 4) == 0 ? 3 * 24 : 2) * 3600 * CTL_SECOND_NS;
	l->end_ns = l->t.now_ns;
	for (int i = 0; i < N_LIVES; i++)
		ctl_engine_advance(l->f[i].engine, l->end_ns);
}

static void act(struct lives *l)
{
	static void (*const acts[])(struct lives *) = {play, play, play, play, save, save, mirror,
		mirror, ask, wait_long, restart_saved, restart_saved, reload, rename_all};

	acts[traffic_draw(&l->t, G_N_ELEMENTS(acts))](l);
}

static void live(uint32_t seed)
{
	static const char *const rules[] = {RIG_RULES, RIG_RULES, OTHER_RULES, MORE_RULES};
	g_autofree char *all = rig_facts(0, "1GB");
	g_autofree char *fewer = rig_facts(7, "1GB");
	g_autofree char *larger = rig_facts(3, "2GB");
	const char *const facts[] = {all, all, fewer, larger};
	struct lives l = {.rules = RIG_RULES,
		.facts = all,
		.t = {.seed = seed, .now_ns = at("2026-01-20T00:00:00Z")}};

	for (int i = 0; i < N_LIVES; i++) {
		engine_rig_open(&l.rig[i]);
		fixture_open(&l.f[i], l.rules, l.facts);
		ctl_engine_keep_unpublished(l.f[i].engine);
	}
	fixture_open(&l.copy, l.rules, l.facts);
	play(&l);
	save(&l);
	for (int n = 0; n < 300; n++) {
		if (traffic_draw(&l.t, 20) == 0) { // for the next reload or restart
			l.rules = rules[traffic_draw(&l.t, G_N_ELEMENTS(rules))];
			l.facts = facts[traffic_draw(&l.t, G_N_ELEMENTS(facts))];
		}
		act(&l);
		compare_surface(&l);
		if (traffic_draw(&l.t, 4) == 0)
			compare_stores(&l);
	}
	assert_true(l.n_slept > 0 && l.n_slept_twice > 0); // else it would prove little
	assert_true(l.f[ASLEEP].triggers->len > 10);
	assert_same(triggers(&l.f[ASLEEP]), triggers(&l.f[AWAKE]));
	assert_same(engine_text(&l.rig[ASLEEP], l.f[ASLEEP].engine),
		engine_text(&l.rig[AWAKE], l.f[AWAKE].engine));
	for (int i = 0; i < N_LIVES; i++) {
		fixture_close(&l.f[i]);
		engine_rig_close(&l.rig[i]);
	}
	fixture_close(&l.copy);
}

static void who_sleeps_is_what_he_would_be_awake(void **)
{
	fixture_head = HASTY_HEAD;
	for (uint32_t seed = 1; seed <= 4; seed++)
		live(seed);
	fixture_head = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_sleeps_is_what_he_would_be_awake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
