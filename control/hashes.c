// SPDX-License-Identifier: BSD-3-Clause
#include "control/hashes.h"

#include "control/cap_history.h"
#include "control/dict.h"
#include "control/engine_state.h"
#include "control/gates.h"
#include "control/utc.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	VERSION = 1, // of the profile's fields: others are added within it, never changed
	NEAR_CYCLES = 3, // newest cycles looked at for near_cap_cycles
};

/* One filling. */
struct maker {
	struct ctl_engine *engine;
	const struct ctl_config *config;
	struct ctl_profile *profile;
	const struct ctl_person *person;
	uint64_t now_ns;
	struct ctl_hashes *h;
	json_t *session_apps; // owned
	bool is_session_asked, is_session_open;
	bool is_competitor_known;
	struct ctl_feature competitor; // the highest score
};

void ctl_hashes_fini(struct ctl_hashes *hashes)
{
	ctl_texts_fini(&hashes->usage);
	ctl_texts_fini(&hashes->profile);
}

/* What is kept speaks otherwise from t_ns on. */
static void changes_at(struct maker *m, uint64_t t_ns)
{
	if (t_ns > m->now_ns && t_ns < m->h->change_ns)
		m->h->change_ns = t_ns;
}

static void put(struct maker *m, const char *field, const char *value)
{
	ctl_texts_add(&m->h->profile, "%s", field);
	ctl_texts_add(&m->h->profile, "%s", value);
}

static void put_count(struct maker *m, const char *field, uint64_t value)
{
	ctl_texts_add(&m->h->profile, "%s", field);
	ctl_texts_add(&m->h->profile, "%" PRIu64, value);
}

static void put_time(struct maker *m, const char *field, uint64_t t_ns)
{
	char text[CTL_UTC_MAX];

	ctl_utc_format(t_ns, text);
	put(m, field, text);
}

/* A list as JSON, since its words are the operator's and may contain anything. */
static void put_list(struct maker *m, const char *field, const json_t *list)
{
	char *text = json_dumps(list, JSON_COMPACT);

	if (text != NULL) // else no memory: the field is missing
		put(m, field, text);
	free(text);
}

/* The case of nothing in particular: what holds it back would hold back any of its class. */
static struct ctl_gate_case generic_case(const struct maker *m, const struct ctl_rule *rule)
{
	static const struct ctl_candidate any = {
		.event = CTL_EVENT_CAP_PATTERN, // rests on no app and is no service event
		.confidence = 100,
	};

	return (struct ctl_gate_case){
		.config = m->config,
		.rule = rule,
		.candidate = &any,
		.class = (enum ctl_class)rule->class,
		.person = m->person,
		.now_ns = m->now_ns,
		.tz = m->profile->zone->tz,
	};
}

static bool is_profiled(struct maker *m)
{
	static char purpose[] = CTL_PURPOSE_PROFILING;
	const struct ctl_rule rule = {.class = CTL_CLASS_UPSELL, .purpose = purpose};
	const struct ctl_gate_case c = generic_case(m, &rule);

	changes_at(m, ctl_gates_change(&c, ctl_gates_has_consent));
	return ctl_gates_has_consent(&c);
}

/* An app of another catalogue, or of none, has no category that could be looked at. */
static bool is_named(const struct ctl_config *config, uint32_t app)
{
	const char *category = cls_app_category(config->catalogue, app);

	return app >= DP_APP_FIRST && strcmp(cls_app_name(config->catalogue, app), "?") != 0 &&
		strcmp(category, "own") != 0 && strcmp(category, "competitor") != 0 &&
		!ctl_category_is_sensitive(category);
}

char *ctl_hashes_unnamed(const struct ctl_engine *engine)
{
	const struct ctl_config *config = engine->config;
	GString *names = g_string_new("|");

	for (uint32_t app = DP_APP_FIRST; app < ctl_dict_end(ctl_dict_apps()); app++) {
		const char *name = cls_app_name(config->catalogue, app);

		if (strcmp(name, "?") != 0 && !is_named(config, app))
			g_string_append_printf(names, "%s|", name);
	}
	return g_string_free(names, FALSE);
}

static GDateTime *local_time(const struct maker *m, uint64_t t_ns)
{
	GTimeZone *tz = m->profile->n_buckets > 0 ? m->profile->buckets[0].told->tz
						  : m->profile->zone->tz;
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc((gint64)(t_ns / CTL_SECOND_NS));

	return g_date_time_to_timezone(utc, tz);
}

/* Cycles are called by the local date on which they began. */
static void cycle_name(const struct maker *m, uint64_t start_ns, char ret_name[12])
{
	g_autoptr(GDateTime) local = local_time(m, start_ns);

	(void)g_snprintf(ret_name, 12, "%04d-%02d-%02d", g_date_time_get_year(local),
		g_date_time_get_month(local), g_date_time_get_day_of_month(local));
}

static unsigned month_of(const struct maker *m, uint64_t t_ns)
{
	g_autoptr(GDateTime) local = local_time(m, t_ns);

	return (unsigned)(g_date_time_get_year(local) * 100 + g_date_time_get_month(local));
}

static void put_usage(struct maker *m, const char *cycle, const char *app, const uint64_t bytes[2])
{
	static const char *const directions[2] = {"up", "down"};

	for (int dir = 0; dir < 2; dir++) {
		ctl_texts_add(
			&m->h->usage, "%s:%s:%s:%s", cycle, m->config->node, app, directions[dir]);
		ctl_texts_add(&m->h->usage, "%" PRIu64, bytes[dir]);
	}
}

/* What one cycle comes to. */
struct tally {
	const char *cycle;
	uint64_t total[2], unknown[2];
};

static void tally(struct maker *m, struct tally *t, uint32_t app, const uint64_t bytes[2])
{
	for (int dir = 0; dir < 2; dir++) {
		t->total[dir] += bytes[dir];
		if (app < DP_APP_FIRST)
			t->unknown[dir] += bytes[dir];
	}
	if (m->h->is_profiled && is_named(m->config, app) && (bytes[0] > 0 || bytes[1] > 0))
		put_usage(m, t->cycle, cls_app_name(m->config->catalogue, app), bytes);
}

static void tally_end(struct maker *m, const struct tally *t)
{
	if (m->h->is_profiled && (t->unknown[0] > 0 || t->unknown[1] > 0))
		put_usage(m, t->cycle, "unknown", t->unknown);
	put_usage(m, t->cycle, "total", t->total);
}

static void make_usage(struct maker *m)
{
	const struct ctl_profile *profile = m->profile;
	const struct ctl_closed *closed = ctl_engine_closed(m->engine, profile->id);
	struct tally t = {.cycle = m->h->cycle};

	m->h->closed_ns = closed != NULL ? closed->cycle.start_ns : 0;
	for (; closed != NULL; closed = closed->next) {
		char cycle[12];
		struct tally over = {.cycle = cycle};

		cycle_name(m, closed->cycle.start_ns, cycle);
		for (size_t i = 0; i < closed->n_uses; i++)
			tally(m, &over, closed->uses[i].app, closed->uses[i].bytes);
		tally_end(m, &over);
	}
	if (profile->period.end_ns == 0)
		return; // nothing was counted yet
	cycle_name(m, profile->period.start_ns, m->h->cycle);
	for (uint32_t i = 0; i < profile->n_slots; i++) {
		const struct ctl_app_use *use = &profile->apps[i];

		if (use->app != UINT32_MAX && ctl_profile_period_bytes(profile, use) > 0)
			tally(m, &t, use->app, use->period_bytes);
	}
	tally_end(m, &t);
}

static void put_bucket_count(
	struct maker *m, const struct ctl_bucket_use *b, const char *what, uint64_t value)
{
	ctl_texts_add(&m->h->profile, "bucket:%s:%s", b->told->id, what);
	ctl_texts_add(&m->h->profile, "%" PRIu64, value);
}

/* A bucket as it is now, though its last packet may have come cycles ago. */
static void make_bucket(struct maker *m, struct ctl_bucket_use *b)
{
	const struct ctl_cycle_row *row = ctl_bucket_running(b);
	struct ctl_cap_history history;

	changes_at(m, b->cycle.end_ns);
	put_bucket_count(m, b, "used_bytes", row->bytes);
	if (b->told->cap_bytes == 0)
		return; // unlimited
	ctl_cap_history_make(b, m->person, &history);
	put_bucket_count(m, b, "cap_bytes", b->told->cap_bytes);
	ctl_texts_add(&m->h->profile, "bucket:%s:pct", b->told->id);
	ctl_texts_add(&m->h->profile, "%.1f",
		floor(ctl_cap_percent(&history.cycles[history.n_cycles - 1]) * 10) / 10);
	put_bucket_count(m, b, "near_cap_cycles", ctl_cap_count_near(&history, NEAR_CYCLES));
}

static void make_plan(struct maker *m)
{
	const struct ctl_profile *profile = m->profile;
	struct ctl_cycle cycle = {0};

	if (m->person->plan != NULL)
		put(m, "plan", m->person->plan);
	for (size_t i = 0; i < profile->n_buckets; i++) {
		struct ctl_bucket_use b = profile->buckets[i]; // its arrays are its own

		(void)ctl_bucket_roll(&b, m->now_ns, m->engine->born_ns);
		if (i == 0)
			cycle = b.cycle;
		make_bucket(m, &b);
	}
	if (profile->n_buckets == 0)
		cycle = ctl_cycle_has(&profile->period, m->now_ns)
			? profile->period
			: ctl_cycle_at(profile->zone->tz, 1, m->now_ns);
	m->h->month = month_of(m, cycle.start_ns);
	put_time(m, "cycle_start", cycle.start_ns);
	put_time(m, "cycle_end", cycle.end_ns);
	changes_at(m, cycle.end_ns);
}

static void on_feature(void *ctx, const struct ctl_feature *f)
{
	struct maker *m = ctx;
	const struct cls_catalogue *catalogue = m->config->catalogue;

	changes_at(m, f->until_ns);
	if (f->kind == CTL_FEATURE_COMPETITOR) {
		if (!m->is_competitor_known || f->score > m->competitor.score)
			m->competitor = *f;
		m->is_competitor_known = true;
	} else if (is_named(m->config, f->app)) {
		m->is_session_open = true;
		(void)json_array_append_new(
			m->session_apps, json_string(cls_app_name(catalogue, f->app)));
	}
}

/* Is what the rule has seen of this person to be spoken of? Switched off (G1), without consent for
 * its purpose (G2) or on an excluded line (G3) it is not. */
static bool may_speak(struct maker *m, const struct ctl_rule *rule)
{
	const struct ctl_gate_case c = generic_case(m, rule);
	const char *code = ctl_gates_decide(&c);

	changes_at(m, ctl_gates_change(&c, ctl_gates_has_consent));
	return code == NULL ||
		!(strcmp(code, "G1") == 0 || strcmp(code, "G2") == 0 || strcmp(code, "G3") == 0);
}

static void make_behaviour(struct maker *m)
{
	m->session_apps = json_array();
	for (uint32_t i = 0; i < m->config->n_rules; i++) {
		const struct ctl_look look = ctl_engine_look(m->engine, m->profile, i);
		const struct ctl_detector *detector = look.rule->detector;

		if (detector->features == NULL || !may_speak(m, look.rule))
			continue;
		m->is_session_asked |= detector == &ctl_det_app_session;
		if (ctl_profile_state_find(m->profile, detector, look.rule_id) != NULL)
			detector->features(&look, m->now_ns, on_feature, m);
	}
	if (m->is_session_asked)
		put(m, "session_open", m->is_session_open ? "1" : "0");
	if (m->is_session_open && m->h->is_profiled)
		put_list(m, "session_apps", m->session_apps);
	if (m->is_competitor_known) {
		put_count(m, "competitor_score", m->competitor.score);
		put_time(m, "competitor_as_of", m->competitor.as_of_ns);
	}
	json_decref(m->session_apps);
}

static void make_told(struct maker *m)
{
	const struct ctl_person *person = m->person;
	json_t *segments = json_array(), *holds = json_array();
	unsigned kinds = 0;

	for (char **s = person->segments; s != NULL && *s != NULL; s++)
		(void)json_array_append_new(segments, json_string(*s));
	for (size_t i = 0; i < person->n_holds; i++) {
		const struct ctl_hold *hold = &person->holds[i];
		const uint64_t end_ns = ctl_hold_end(person, hold, m->profile->zone->tz);

		changes_at(m, hold->since_ns);
		changes_at(m, end_ns);
		if (m->now_ns >= hold->since_ns && m->now_ns < end_ns)
			kinds |= 1U << hold->kind;
	}
	for (int kind = 0; kind <= CTL_HOLD_DO_NOT_CONTACT; kind++)
		if ((kinds >> kind & 1) != 0)
			(void)json_array_append_new(holds, json_string(ctl_hold_kind_names[kind]));
	put_list(m, "segments", segments);
	put_list(m, "holds", holds);
	json_decref(segments);
	json_decref(holds);
}

/* One answer over all purposes that rules of a class have: yes when it is yes for one of them. */
struct answer {
	const char *code; // NULL: yes
	uint64_t until_ns;
	bool is_given;
};

static void ask(struct maker *m, enum ctl_class class, char *purpose, struct answer *a)
{
	const struct ctl_rule rule = {.class = class, .purpose = purpose, .enabled = true};
	const struct ctl_gate_case c = generic_case(m, &rule);
	const char *code = ctl_gates_decide(&c);
	const uint64_t until_ns = ctl_gates_change(&c, ctl_gates_are_open);

	changes_at(m, until_ns);
	if (!a->is_given || (a->code != NULL && code == NULL))
		*a = (struct answer){.code = code, .until_ns = until_ns, .is_given = true};
	else if (a->code != NULL)
		a->until_ns = MIN(a->until_ns, until_ns);
}

static void make_may(struct maker *m, enum ctl_class class, const char *field, char *usual_purpose)
{
	struct answer a = {0};
	char name[32];

	for (size_t i = 0; i < m->config->n_rules; i++)
		if (m->config->rules[i].class == (int)class && m->config->rules[i].purpose != NULL)
			ask(m, class, m->config->rules[i].purpose, &a);
	if (!a.is_given)
		ask(m, class, usual_purpose, &a);
	put(m, field, a.code == NULL ? "1" : "0");
	if (a.code != NULL) {
		(void)g_snprintf(name, sizeof(name), "%s_reason", field);
		put(m, name, a.code);
	}
	if (a.until_ns != UINT64_MAX) {
		(void)g_snprintf(name, sizeof(name), "%s_until", field);
		put_time(m, name, a.until_ns);
	}
}

void ctl_hashes_make(
	struct ctl_engine *engine, struct ctl_profile *profile, struct ctl_hashes *hashes)
{
	static char marketing[] = "marketing", retention[] = "retention";
	struct maker m = {
		.engine = engine,
		.config = engine->config,
		.profile = profile,
		.person = profile->person,
		.now_ns = engine->now_ns,
		.h = hashes,
	};

	ctl_texts_clear(&hashes->usage);
	ctl_texts_clear(&hashes->profile);
	hashes->cycle[0] = '\0';
	hashes->change_ns = UINT64_MAX;
	hashes->is_profiled = is_profiled(&m);
	make_usage(&m);
	put_count(&m, "v", VERSION);
	put(&m, "node", m.config->node);
	put_time(&m, "as_of", m.now_ns);
	make_plan(&m);
	make_behaviour(&m);
	make_told(&m);
	make_may(&m, CTL_CLASS_UPSELL, "may_upsell", marketing);
	make_may(&m, CTL_CLASS_RETENTION, "may_retain", retention);
}
