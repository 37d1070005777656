// SPDX-License-Identifier: BSD-3-Clause
#include "control/cycle.h"
#include "control/detector.h"
#include "control/event.h"
#include "control/image_fields.h"
#include "control/session.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Somebody uses an app of a category: it begins, it ends, it was long and heavy enough to have
 * been watched. docs/detection.md, "app_session". */

struct params {
	char *category;
	char **apps, **mute;
	uint64_t gap_ns, start_after_ns, min_duration_ns;
	uint64_t min_rate_bps;
	uint64_t min_bytes;
	char **emit;
};

static const char *const events[] = {"session_started", "session_ended", "watched", NULL};

// How long acting on the event makes sense; start values.
#define STARTED_VALID_NS (3600 * CTL_SECOND_NS)
#define ENDED_VALID_NS (2 * 3600 * CTL_SECOND_NS)
#define WATCHED_VALID_NS (2 * 3600 * CTL_SECOND_NS)

#define ESTIMATE_LOSS 0.01 // above it a count is an estimate

static const struct ctl_option options[] = {
	{"category", CTL_OPTION_STRING, offsetof(struct params, category), "streaming",
		.help = "Category of apps that the rule is about."},
	{"apps", CTL_OPTION_STRINGS, offsetof(struct params, apps),
		.help = "Only these apps of the category; absent means all."},
	{"mute", CTL_OPTION_STRINGS, offsetof(struct params, mute),
		.help = "Apps of the category that nothing is said about."},
	{"gap", CTL_OPTION_DURATION, offsetof(struct params, gap_ns), "120s", "10s", "1h",
		.help = "Silence that ends a session; shorter silence is part of it."},
	{"start_after", CTL_OPTION_DURATION, offsetof(struct params, start_after_ns), "60s", "0s",
		"1h",
		.help = "Duration from which on, with a tenth of min_bytes, a session is "
			"announced."},
	{"min_duration", CTL_OPTION_DURATION, offsetof(struct params, min_duration_ns), "10min",
		"1s", "24h", .help = "Shortest session that counts as watched."},
	{"min_rate", CTL_OPTION_RATE, offsetof(struct params, min_rate_bps), "200kbit", "0bit",
		"1Gbit",
		.help = "Lowest mean rate, over the whole session, that counts as watched."},
	{"min_bytes", CTL_OPTION_SIZE, offsetof(struct params, min_bytes), "15MB", "0B", "1TB",
		.help = "Least volume, both directions, that counts as watched."},
	{"emit", CTL_OPTION_STRINGS, offsetof(struct params, emit),
		"[session_started, session_ended, watched]",
		.help = "Events the rule publishes: session_started, session_ended, watched."},
	{NULL},
};

/* A session that is under way. */
struct viewing {
	uint32_t app;
	bool is_announced; // session_started was decided, so session_ended is due
	uint64_t timer_ns; // of the armed timer that counts
	struct ctl_session session;
	struct ctl_sums since;
};
static_assert(sizeof(struct viewing) == 184, "docs/detection.md states it");

struct state {
	struct viewing *viewings; // owned
	size_t n_viewings;
};

static void state_fini(void *p)
{
	g_free(((struct state *)p)->viewings);
}

/* Without timer_ns: on_reload() arms the timer anew. */
static void save(const void *p, struct ctl_pack *pack)
{
	const struct state *state = p;

	ctl_pack_u64(pack, state->n_viewings);
	for (size_t i = 0; i < state->n_viewings; i++) {
		const struct viewing *v = &state->viewings[i];
		const struct ctl_session *s = &v->session;

		ctl_pack_u64(pack, v->app);
		ctl_pack_u64(pack, v->is_announced);
		ctl_pack_span(pack, s->started_ns, s->last_ns);
		ctl_pack_u64(pack, s->n_bytes);
		ctl_pack_u64(pack, s->active_ms);
		ctl_pack_u64(pack, s->tick);
		ctl_pack_u64(pack, s->tick_active_ms);
		ctl_pack_u64(pack, s->n_flows);
		ctl_pack_evidence(pack, &s->evidence);
		ctl_pack_sums(pack, &v->since);
	}
}

static struct viewing viewing_load(struct ctl_unpack *unpack)
{
	struct viewing v = {
		.app = (uint32_t)ctl_unpack_max(unpack, UINT32_MAX - 1),
		.is_announced = ctl_unpack_bool(unpack),
	};
	struct ctl_session *s = &v.session;

	ctl_unpack_span(unpack, &s->started_ns, &s->last_ns);
	s->n_bytes = ctl_unpack_u64(unpack);
	s->active_ms = ctl_unpack_u64(unpack);
	s->tick = ctl_unpack_u64(unpack);
	s->tick_active_ms = (uint32_t)ctl_unpack_max(unpack, UINT32_MAX);
	s->n_flows = (uint32_t)ctl_unpack_max(unpack, UINT32_MAX);
	s->evidence = ctl_unpack_evidence(unpack);
	v.since = ctl_unpack_sums(unpack);
	return v;
}

static bool load(void *p, struct ctl_unpack *unpack)
{
	enum { VIEWING_BYTES_MIN = 11 };
	struct state *state = p;

	state->n_viewings = ctl_unpack_count(unpack, VIEWING_BYTES_MIN);
	state->viewings = g_new0(struct viewing, state->n_viewings);
	for (size_t i = 0; i < state->n_viewings; i++)
		state->viewings[i] = viewing_load(unpack);
	return !unpack->is_bad;
}

/* Nobody is at it. */
static bool rests(struct ctl_unpack *saved)
{
	return ctl_unpack_u64(saved) == 0;
}

static bool has_word(char *const *list, const char *word)
{
	return list != NULL && g_strv_contains((const char *const *)list, word);
}

static bool all_of_category(
	char *const *apps, const char *category, const struct cls_catalogue *catalogue)
{
	for (; apps != NULL && *apps != NULL; apps++) {
		const uint32_t app = cls_app_by_name(catalogue, *apps);

		if (app == DP_APP_UNKNOWN ||
			strcmp(cls_app_category(catalogue, app), category) != 0)
			return false;
	}
	return true;
}

/* Use of own services is no news, and which rival somebody reads is never said. */
static bool is_unspoken(const char *category)
{
	return strcmp(category, "own") == 0 || strcmp(category, "competitor") == 0;
}

static const char *check(const struct ctl_rule *rule, const struct cls_catalogue *catalogue)
{
	const struct params *p = rule->params;

	for (char **e = p->emit; e != NULL && *e != NULL; e++)
		if (!g_strv_contains(events, *e))
			return "expected emit to list session_started, session_ended or watched";
	if (rule->class == CTL_CLASS_SERVICE && has_word(p->emit, "watched"))
		return "expected class upsell or retention, or emit without watched: that is no "
		       "service event";
	if (is_unspoken(p->category))
		return "expected a category other than own and competitor: their apps are never named";
	if (!cls_has_category(catalogue, p->category))
		return "expected a category that an app of the catalogue has";
	if (!all_of_category(p->apps, p->category, catalogue))
		return "expected apps to list apps of the rule's category";
	if (!all_of_category(p->mute, p->category, catalogue))
		return "expected mute to list apps of the rule's category";
	return NULL;
}

static bool wants_app(
	const struct ctl_rule *rule, const struct cls_catalogue *catalogue, uint32_t app)
{
	const struct params *p = rule->params;
	const char *name = cls_app_name(catalogue, app);
	const char *category = cls_app_category(catalogue, app);

	return strcmp(category, p->category) == 0 && !is_unspoken(category) &&
		(p->apps == NULL || has_word(p->apps, name)) && !has_word(p->mute, name);
}

struct fill_arg {
	const struct ctl_look *look;
	const struct viewing *viewing;
	enum ctl_event event;
	bool is_estimate;
};

static void fill_length(json_t *data, const struct fill_arg *a)
{
	const struct ctl_session *s = &a->viewing->session;
	GTimeZone *tz = a->look->profile->zone->tz;

	json_object_set_new(data, "ended_at", ctl_time_json(s->last_ns));
	json_object_set_new(data, "duration_s",
		json_integer((json_int_t)(ctl_session_duration_ns(s) / CTL_SECOND_NS)));
	json_object_set_new(
		data, "active_s", json_integer((json_int_t)(ctl_session_active_ms(s) / 1000)));
	json_object_set_new(data, "bytes", json_integer((json_int_t)s->n_bytes));
	json_object_set_new(
		data, "mean_kbps", json_integer((json_int_t)(ctl_session_bps(s) / 1000)));
	json_object_set_new(data, "bitrate_class", json_string(ctl_session_bitrate_class(s)));
	json_object_set_new(data, "hour", json_integer(ctl_local_hour(tz, s->last_ns)));
	json_object_set_new(data, "flows", json_integer(MAX(s->n_flows, 1)));
}

static void fill(json_t *data, const void *arg)
{
	const struct fill_arg *a = arg;
	const struct cls_catalogue *catalogue = ctl_look_config(a->look)->catalogue;
	const struct viewing *v = a->viewing;

	json_object_set_new(data, "app", json_string(cls_app_name(catalogue, v->app)));
	json_object_set_new(data, "category", json_string(cls_app_category(catalogue, v->app)));
	json_object_set_new(data, "started_at", ctl_time_json(v->session.started_ns));
	if (a->event == CTL_EVENT_SESSION_STARTED)
		json_object_set_new(data, "bytes", json_integer((json_int_t)v->session.n_bytes));
	else
		fill_length(data, a);
	if (a->event != CTL_EVENT_WATCHED)
		json_object_set_new(data, "estimate", json_boolean(a->is_estimate));
}

static void report(const struct ctl_look *look, const struct viewing *v, enum ctl_event event,
	uint64_t time_ns, uint64_t valid_ns)
{
	const struct cls_catalogue *catalogue = ctl_look_config(look)->catalogue;
	const struct ctl_session *s = &v->session;
	const int32_t first_day = ctl_zone_day(look->profile->zone, s->started_ns)->number;
	const int32_t last_day = ctl_zone_day(look->profile->zone, s->last_ns)->number;
	const struct fill_arg arg = {
		.look = look,
		.viewing = v,
		.event = event,
		.is_estimate = ctl_look_loss(look, &v->since) > ESTIMATE_LOSS,
	};
	char window[192];

	(void)g_snprintf(window, sizeof(window), "%s|%" G_GUINT64_FORMAT,
		cls_app_name(catalogue, v->app), s->started_ns);
	ctl_look_report(look,
		&(struct ctl_candidate){
			.event = event,
			.window = window,
			.slot = "",
			.time_ns = time_ns,
			.expiry_ns = time_ns + valid_ns,
			.category = cls_app_category(catalogue, v->app),
			.evidence = &s->evidence,
			.confidence = ctl_evidence_confidence(&s->evidence),
			.n_bytes = s->n_bytes,
			.n_sessions = 1,
			.n_days = (uint32_t)(last_day - first_day + 1),
			.since = &v->since,
			.fill = fill,
			.arg = &arg,
		});
}

static bool is_plausible(const struct params *p, const struct ctl_session *s)
{
	return ctl_session_duration_ns(s) >= p->start_after_ns && s->n_bytes >= p->min_bytes / 10;
}

static bool was_watched(const struct params *p, const struct ctl_session *s)
{
	return ctl_session_duration_ns(s) >= p->min_duration_ns && s->n_bytes >= p->min_bytes &&
		ctl_session_bps(s) >= p->min_rate_bps;
}

static void announce(const struct ctl_look *look, struct viewing *v)
{
	const struct params *p = look->rule->params;

	if (v->is_announced || !is_plausible(p, &v->session))
		return;
	v->is_announced = true;
	if (has_word(p->emit, "session_started"))
		report(look, v, CTL_EVENT_SESSION_STARTED, v->session.last_ns, STARTED_VALID_NS);
}

/* The session is over; v is gone afterwards. */
static void end(const struct ctl_look *look, struct state *state, struct viewing *v)
{
	const struct params *p = look->rule->params;
	const uint64_t end_ns = v->session.last_ns + p->gap_ns;

	if (v->is_announced && has_word(p->emit, "session_ended"))
		report(look, v, CTL_EVENT_SESSION_ENDED, end_ns, ENDED_VALID_NS);
	if (has_word(p->emit, "watched") && was_watched(p, &v->session))
		report(look, v, CTL_EVENT_WATCHED, end_ns, WATCHED_VALID_NS);
	*v = state->viewings[--state->n_viewings];
}

static struct viewing *find(const struct state *state, uint32_t app)
{
	for (size_t i = 0; state != NULL && i < state->n_viewings; i++)
		if (state->viewings[i].app == app)
			return &state->viewings[i];
	return NULL;
}

/* The timer is not moved by each packet: when it is due, the session is looked at. */
static void arm(const struct ctl_look *look, struct viewing *v, uint64_t last_ns)
{
	const struct params *p = look->rule->params;

	v->timer_ns = last_ns + p->gap_ns;
	ctl_look_arm(look, v->timer_ns, v->app);
}

static struct viewing *begin(
	const struct ctl_look *look, struct state *state, const struct dp_record *record)
{
	struct viewing *v;

	state->viewings = g_renew(struct viewing, state->viewings, state->n_viewings + 1);
	v = &state->viewings[state->n_viewings++];
	*v = (struct viewing){.app = record->app, .since = ctl_look_opening(look)};
	arm(look, v, record->usage.last_ns);
	return v;
}

/* Held from the operator already: as good as category own. */
static bool is_own_service(const struct ctl_look *look, uint32_t app)
{
	const struct ctl_person *person = look->profile->person;

	return person != NULL && person->own_services != NULL &&
		has_word(person->own_services, cls_app_name(ctl_look_config(look)->catalogue, app));
}

static void on_usage(const struct ctl_look *look, const struct dp_record *record)
{
	const struct params *p = look->rule->params;
	struct viewing *v;

	if (is_own_service(look, record->app))
		return;
	v = find(ctl_look_peek(look), record->app);
	if (v != NULL && !ctl_session_joins(&v->session, record, p->gap_ns)) {
		if (record->usage.first_ns < v->session.started_ns)
			return; // a late verdict about an earlier time: counted, but no session
		end(look, ctl_look_state(look), v);
		v = NULL;
	}
	if (v == NULL && !ctl_evidence_is_strong((enum dp_evidence)record->evidence))
		return;
	if (v == NULL)
		v = begin(look, ctl_look_state(look), record);
	else
		(void)ctl_look_state(look); // marked
	ctl_session_add(&v->session, record, ctl_look_config(look)->tick_ns, v->is_announced);
	announce(look, v);
}

static void on_timer(const struct ctl_look *look, uint64_t at_ns, uint32_t app)
{
	const struct params *p = look->rule->params;
	struct viewing *v = find(ctl_look_peek(look), app);

	if (v == NULL || v->timer_ns != at_ns)
		return;
	if (v->session.last_ns + p->gap_ns > at_ns)
		arm(look, v, v->session.last_ns);
	else
		end(look, ctl_look_state(look), v);
}

static void on_reload(const struct ctl_look *look)
{
	struct state *state = ctl_look_unsaved(look);
	size_t i = 0;

	while (i < state->n_viewings) {
		struct viewing *v = &state->viewings[i];

		if (wants_app(look->rule, ctl_look_config(look)->catalogue, v->app)) {
			arm(look, v, v->session.last_ns);
			i++;
		} else {
			*v = state->viewings[--state->n_viewings];
			(void)ctl_look_state(look); // marked
		}
	}
}

static void features(const struct ctl_look *look, uint64_t, ctl_feature_fn *fn, void *ctx)
{
	const struct state *state = ctl_look_peek(look);

	for (size_t i = 0; i < state->n_viewings; i++)
		if (state->viewings[i].is_announced)
			fn(ctx,
				&(struct ctl_feature){
					.kind = CTL_FEATURE_SESSION,
					.app = state->viewings[i].app,
					.as_of_ns = state->viewings[i].session.last_ns,
				});
}

static void describe(const struct ctl_look *look, json_t *ret_array)
{
	const struct state *state = ctl_look_peek(look);

	for (size_t i = 0; i < state->n_viewings; i++) {
		const struct viewing *v = &state->viewings[i];

		json_array_append_new(ret_array,
			json_pack("{s:s, s:o, s:o, s:I}", "app",
				cls_app_name(ctl_look_config(look)->catalogue, v->app),
				"started_at", ctl_time_json(v->session.started_ns), "last_at",
				ctl_time_json(v->session.last_ns), "bytes",
				(json_int_t)v->session.n_bytes));
	}
}

const struct ctl_detector ctl_det_app_session = {
	.name = "app_session",
	.help = "Sessions of the apps of a category: started, ended, watched.",
	.params = options,
	.params_size = sizeof(struct params),
	.check = check,
	.state_size = sizeof(struct state),
	.state_fini = state_fini,
	.save = save,
	.load = load,
	.wants_app = wants_app,
	.on_usage = on_usage,
	.on_timer = on_timer,
	.on_reload = on_reload,
	.rests = rests,
	.features = features,
	.describe = describe,
};
