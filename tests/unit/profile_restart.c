// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_state.h"
#include "control/profile_image.h"
#include "tests/unit/engine_fixture.h"

#include <glib/gstdio.h>
#include <stdlib.h>

/* What is kept of profiles is all that matters of them: an engine whose profiles are written, freed
 * and read after each tick decides as one that is left alone. And changes are all the changes: a
 * profile made of nothing but them is the profile. */

#define SECOND_NS UINT64_C(1000000000)

static const char RULES[] =
	"  - {id: films, detect: app_session, class: upsell, purpose: marketing, gap: 5min,\n"
	"     min_duration: 3min, cooldown: 1d}\n"
	"  - {id: rivals, detect: competitor, class: retention, purpose: retention,\n"
	"     cooldown: 2d}\n"
	"  - {id: cap, detect: near_cap, class: upsell, purpose: marketing}\n"
	"  - {id: cap-notice, detect: near_cap, class: service, emit: [threshold]}\n";

/* Another number, another cap, a bucket more. */
static const char OTHER_FACTS[] =
	"plans:\n"
	"  - {id: s, cap: 1GB}\n"
	"  - {id: m, cap: 5GB}\n"
	"subscribers:\n"
	"  - msisdn: \"+99900000001\"\n"
	"    imsi: \"001010000000001\"\n"
	"    addresses: [10.20.0.11]\n"
	"    zone: Europe/Berlin\n"
	"    plan:\n"
	"      id: m\n"
	"      buckets:\n"
	"        - {id: films, cap: 2GB, anchor_day: 9, zone: Europe/Berlin, scope: {apps: [film]}}\n"
	"        - {id: data, cap: 5GB, anchor_day: 1, zone: Europe/Berlin}\n"
	"    line: {kind: consumer}\n"
	"    consent: [{purpose: marketing, status: granted, version: 3},\n"
	"              {purpose: retention, status: granted, version: 4}]\n";

struct run {
	struct fixture f;
	bool is_restarted; // after each tick
	struct ctl_seal *seal;
	GHashTable *shadows; // id -> struct ctl_profile, made of changes only
	uint32_t random;
	uint64_t now_ns;
	size_t n_bytes, n_changes; // of changes
};

static uint32_t draw(struct run *run, uint32_t n)
{
	run->random = run->random * 1664525U + 1013904223U;
	return (run->random >> 8) % n;
}

static struct ctl_seal *make_seal(void)
{
	g_autofree char *folder = g_dir_make_tmp("wirecue-seal-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "seal.key", NULL);
	struct ctl_seal *seal = NULL;

	assert_int_equal(ctl_seal_open_key(path, true, &seal, NULL), 0);
	assert_int_equal(g_unlink(path), 0);
	assert_int_equal(g_rmdir(folder), 0);
	return seal;
}

static void shadow_free(gpointer profile)
{
	ctl_profile_free(profile);
}

static void run_open(struct run *run, bool is_restarted)
{
	*run = (struct run){.is_restarted = is_restarted, .random = 1, .seal = make_seal()};
	run->shadows = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, shadow_free);
	run->now_ns = at("2026-01-05T08:00:00Z");
	fixture_open(&run->f, RULES, NULL);
}

static void run_close(struct run *run)
{
	fixture_close(&run->f);
	g_hash_table_unref(run->shadows);
	ctl_seal_free(run->seal);
}

static GPtrArray *profiles_of(const struct ctl_engine *engine)
{
	GPtrArray *profiles = g_ptr_array_new();
	GHashTableIter iter;
	gpointer profile;

	for (size_t i = 0; i < engine->n_persons; i++)
		if (engine->by_person[i] != NULL)
			g_ptr_array_add(profiles, engine->by_person[i]);
	g_hash_table_iter_init(&iter, engine->by_endpoint);
	while (g_hash_table_iter_next(&iter, NULL, &profile))
		g_ptr_array_add(profiles, profile);
	return profiles;
}

static void read_into(struct run *run, struct ctl_profile *profile, const struct ctl_pack *pack)
{
	uint8_t *copy = g_memdup2(pack->data, pack->len); // exact: a read past the end is seen
	uint64_t as_of_ns;
	struct dp_err err;

	if (ctl_profile_unpack(profile, run->seal, copy, pack->len, &as_of_ns, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(profile->marks, 0);
	g_free(copy);
}

static void take_changes(struct run *run, struct ctl_profile *profile)
{
	struct ctl_profile *shadow = g_hash_table_lookup(run->shadows, &profile->id);
	struct ctl_pack changes = {0};

	if (shadow == NULL) {
		shadow = ctl_profile_new(profile->id);
		(void)g_hash_table_insert(run->shadows, &shadow->id, shadow);
	}
	ctl_profile_pack_changes(profile, run->seal, &changes);
	assert_int_equal(profile->marks, 0);
	run->n_bytes += changes.len;
	run->n_changes++;
	read_into(run, shadow, &changes);
	read_into(run, shadow, &changes); // twice does no harm
	ctl_pack_fini(&changes);
}

/* The image, but for the nonce and what it seals. */
static void image_of(struct run *run, const struct ctl_profile *profile, struct ctl_pack *ret_image)
{
	struct ctl_pack whole = {0};
	struct ctl_unpack in, part;

	ctl_profile_pack_image(profile, 1, run->seal, &whole);
	in = ctl_unpack_of(whole.data, whole.len);
	while (ctl_unpack_has_more(&in)) {
		const uint64_t kind = ctl_unpack_part(&in, &part);

		if (kind == CTL_PART_WHO)
			continue;
		ctl_pack_u64(ret_image, kind);
		ctl_pack_bytes(ret_image, part.at, (size_t)(part.end - part.at));
	}
	assert_false(in.is_bad);
	ctl_pack_fini(&whole);
}

static void assert_same(
	struct run *run, const struct ctl_profile *given, const struct ctl_profile *expected)
{
	struct ctl_pack a = {0}, b = {0};

	image_of(run, given, &a);
	image_of(run, expected, &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	assert_int_equal(given->who, expected->who);
	if (given->who == CTL_WHO_PERSON) {
		assert_int_equal(
			g_strcmp0(given->identity->account, expected->identity->account), 0);
		assert_int_equal(g_strcmp0(given->identity->imsi, expected->identity->imsi), 0);
		assert_int_equal(g_strcmp0(given->identity->msisdn, expected->identity->msisdn), 0);
	} else {
		assert_int_equal(dp_addr_cmp(&given->endpoint, &expected->endpoint), 0);
	}
	ctl_pack_fini(&a);
	ctl_pack_fini(&b);
}

static void assert_string_equal_or_null(const char *given, const char *expected)
{
	assert_int_equal(g_strcmp0(given, expected), 0);
}

/* Its content is written, freed and read; it stays where it is, since others point to it. */
static void restart_profile(struct run *run, struct ctl_profile *profile)
{
	struct ctl_profile *fresh = ctl_profile_new(profile->id);
	struct ctl_profile old = *profile;
	struct ctl_pack image = {0};

	ctl_profile_pack_image(profile, run->f.engine->now_ns, run->seal, &image);
	read_into(run, fresh, &image);
	assert_same(run, fresh, profile);
	*profile = *fresh;
	profile->person = old.person;
	assert_string_equal_or_null(profile->subject, old.subject);
	profile->zone = old.zone;
	*fresh = old;
	ctl_profile_free(fresh);
	ctl_pack_fini(&image);
}

static void look_at_changes(struct run *run)
{
	struct ctl_engine *engine = run->f.engine;
	g_autoptr(GPtrArray) profiles = profiles_of(engine);

	for (guint i = 0; i < profiles->len; i++) {
		struct ctl_profile *p = profiles->pdata[i];

		assert_int_equal(ctl_idset_has(&engine->changed, p->id), p->marks != 0);
		if (p->marks != 0)
			take_changes(run, p);
		ctl_idset_remove(&engine->changed, p->id);
		assert_same(run, g_hash_table_lookup(run->shadows, &p->id), p);
	}
	assert_int_equal(engine->changed.n_ids, 0);
}

static void after_tick(struct run *run)
{
	struct ctl_engine *engine = run->f.engine;
	g_autoptr(GPtrArray) profiles = profiles_of(engine);

	look_at_changes(run);
	if (!run->is_restarted)
		return;
	for (guint i = 0; i < profiles->len; i++)
		restart_profile(run, profiles->pdata[i]);
	ctl_engine_reload(engine, engine->config); // tells, and arms the timers
	assert_int_equal(engine->changed.n_ids, 0); // nothing new in that
}

/* Any record: mostly film, so that sessions come to something. */
static struct dp_record record_of(struct run *run)
{
	static const struct use kinds[] = {
		{"2026-01-05T08:00:00Z", "film"},
		{"2026-01-05T08:00:00Z", "film"},
		{"2026-01-05T08:00:00Z", "series"},
		{"2026-01-05T08:00:00Z", "film", .evidence = DP_EVIDENCE_ADDRESS},
		{"2026-01-05T08:00:00Z", "chat"},
		{"2026-01-05T08:00:00Z", "rival", "plans"},
		{"2026-01-05T08:00:00Z", "rival", "port_in", .evidence = DP_EVIDENCE_DNS},
		{"2026-01-05T08:00:00Z", "other-rival"},
		{"2026-01-05T08:00:00Z", "undecided"},
		{"2026-01-05T08:00:00Z", "series", .is_move = true},
		{"2026-01-05T08:00:00Z", "tunnel"},
		{"2026-01-05T08:00:00Z", "film", .endpoint = "10.20.0.99"},
	};
	struct dp_record r = fixture_record(&run->f, &kinds[draw(run, G_N_ELEMENTS(kinds))]);

	r.usage.first_ns = run->now_ns - draw(run, 2) * 3 * SECOND_NS;
	if (draw(run, 30) == 0) // of a flow that a verdict came late for
		r.usage.first_ns -= draw(run, 3) * 86400 * SECOND_NS;
	r.usage.last_ns = run->now_ns + draw(run, 900000) * 1000;
	r.tick = run->now_ns / SECOND_NS - (draw(run, 4) == 0); // or postponed
	r.usage.active_ms = draw(run, 11) * 100;
	r.usage.n_new_flows = draw(run, 3);
	r.usage.bytes[0] = draw(run, 100000);
	r.usage.bytes[1] = draw(run, 9000000);
	return r;
}

/* Some hours of use, with pauses of seconds, minutes, and now and then of days. */
static void live(struct run *run, int n_ticks)
{
	static const uint64_t pauses_s[] = {1, 3, 5, 20, 40, 60, 299, 301};

	for (int i = 0; i < n_ticks; i++) {
		struct dp_record records[2] = {record_of(run), record_of(run)};
		const size_t n_records = 1 + draw(run, 2);

		if (i % 50 == 49)
			run->now_ns += (3 + draw(run, 9)) * 86400 * SECOND_NS;
		else if (i % 20 == 19)
			run->now_ns += draw(run, 3) * 1900 * SECOND_NS;
		ctl_engine_tick(run->f.engine, (run->now_ns / SECOND_NS + 1) * SECOND_NS, records,
			n_records, draw(run, 10) == 0 ? 0.25 : 0);
		run->now_ns += pauses_s[draw(run, G_N_ELEMENTS(pauses_s))] * SECOND_NS;
		after_tick(run);
	}
}

/* What others read is written now and then. */
static void publish(struct run *run)
{
	g_autoptr(GPtrArray) profiles = profiles_of(run->f.engine);

	for (guint i = 0; i < profiles->len; i++) {
		struct ctl_profile *p = profiles->pdata[i];

		if (ctl_profile_published(p))
			ctl_idset_add(&run->f.engine->changed, p->id);
		assert_false(p->is_unpublished);
	}
	after_tick(run);
}

static void play(struct run *run)
{
	live(run, 250);
	publish(run);
	live(run, 150);
	fixture_reload(&run->f, RULES, OTHER_FACTS);
	after_tick(run);
	live(run, 150);
	fixture_reload(&run->f, RULES, NULL);
	after_tick(run);
	publish(run);
	live(run, 250);
	ctl_engine_advance(run->f.engine, run->now_ns + 3600 * SECOND_NS);
	after_tick(run);
}

static char *events_of(const struct run *run)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < run->f.triggers->len; i++) {
		const struct ctl_trigger *t = run->f.triggers->pdata[i];
		char *event = json_dumps(t->event, JSON_COMPACT | JSON_SORT_KEYS);

		g_string_append(text, event);
		g_string_append_c(text, '\n');
		free(event);
	}
	return g_string_free(text, FALSE);
}

static void assert_equal_json(json_t *given, json_t *expected)
{
	assert_int_equal(json_equal(given, expected), 1);
	json_decref(given);
	json_decref(expected);
}

static void profiles_that_are_kept_decide_as_if_nothing_had_been(void **)
{
	static const char *const types[] = {"session_started", "session_ended", "watched",
		"competitor", "threshold", "nudge", "cap_pattern"};
	struct run left_alone, restarted;
	g_autofree char *expected = NULL, *given = NULL;

	run_open(&left_alone, false);
	run_open(&restarted, true);
	play(&left_alone);
	play(&restarted);
	expected = events_of(&left_alone);
	given = events_of(&restarted);
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) // else it would prove little
		if (strstr(expected, types[i]) == NULL)
			fail_msg("no %s among the triggers", types[i]);
	assert_string_equal(given, expected);
	assert_equal_json(ctl_engine_usage_json(restarted.f.engine),
		ctl_engine_usage_json(left_alone.f.engine));
	assert_equal_json(ctl_engine_suppressed_json(restarted.f.engine),
		ctl_engine_suppressed_json(left_alone.f.engine));
	assert_equal_json(ctl_engine_triggers_json(restarted.f.engine),
		ctl_engine_triggers_json(left_alone.f.engine));
	print_message("%u triggers; %zu changes of %zu bytes in the mean\n",
		restarted.f.triggers->len, restarted.n_changes,
		restarted.n_bytes / restarted.n_changes);
	run_close(&left_alone);
	run_close(&restarted);
}

static void a_rule_that_is_gone_is_gone_from_what_is_kept(void **)
{
	struct run run;
	struct ctl_profile *profile;

	run_open(&run, true);
	live(&run, 100);
	profile = run.f.engine->by_person[0];
	assert_int_equal(profile->n_states, 4);
	fixture_reload(&run.f,
		"  - {id: cap, detect: near_cap, class: upsell, purpose: marketing}\n", NULL);
	after_tick(&run); // the shadow has forgotten them too
	assert_int_equal(profile->n_states, 1);
	run_close(&run);
}

static void a_record_below_the_next_step_marks_no_state(void **)
{
	const struct use few = {"2026-01-05T08:00:00Z", "chat", .bytes = 1000};
	const struct use more = {"2026-01-05T08:00:01Z", "chat", .bytes = 1000};
	struct run run;
	struct ctl_profile *profile;

	run_open(&run, false);
	fixture_tick(&run.f, &few, 1);
	after_tick(&run);
	fixture_tick(&run.f, &more, 1);
	profile = run.f.engine->by_person[0];
	assert_int_equal(
		profile->marks, CTL_MARK_SUMS | CTL_MARK_APPS | CTL_MARK_DAYS | CTL_MARK_BUCKET);
	assert_int_equal(profile->buckets[0].change, CTL_BUCKET_RUNNING);
	assert_int_equal(profile->n_changed_apps, 1);
	after_tick(&run);
	run_close(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_that_are_kept_decide_as_if_nothing_had_been),
		cmocka_unit_test(a_rule_that_is_gone_is_gone_from_what_is_kept),
		cmocka_unit_test(a_record_below_the_next_step_marks_no_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
