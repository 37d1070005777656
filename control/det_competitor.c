// SPDX-License-Identifier: BSD-3-Clause
#include "control/cycle.h"
#include "control/detector.h"
#include "control/event.h"
#include "control/image_fields.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Somebody reads rivals' sites: on several days, or the page on how to take the number along.
 * Tag and score are published, never host or app. docs/detection.md, "competitor". */

struct params {
	char *category;
	char **tags;
	uint64_t visit_flows;
	uint64_t visit_duration_ns, visit_gap_ns;
	uint64_t min_days;
	uint64_t window_ns;
};

/* Strongest first. A host without a tag is the brand. Scores are start values. The order is part
 * of the saved state's format. */
static const struct {
	const char *name;
	unsigned score;
} tags[] = {{"port_in", 60}, {"plans", 40}, {"store_locator", 30}, {"brand", 20}};
enum { TAG_PORT_IN, TAG_BRAND = 3, TAG_COUNT = sizeof(tags) / sizeof(tags[0]) };

enum {
	SCORE_PER_DAY = 10, // each day after the first
	SCORE_DAYS_MAX = 20,
	SCORE_PER_VISIT = 5, // each visit after the first
	SCORE_VISITS_MAX = 20,
	VISITS_OPEN_MAX = 16, // sites under way at once; the stalest gives way
};

#define VALID_NS (7 * CTL_DAY_NS) // how long acting on it makes sense; start value

static const struct ctl_option options[] = {
	{"category", CTL_OPTION_STRING, offsetof(struct params, category), "competitor",
		.help = "Category of the rivals' sites."},
	{"tags", CTL_OPTION_STRINGS, offsetof(struct params, tags),
		"[brand, plans, port_in, store_locator]",
		.help = "Tags of hosts that count; a host without a tag is the brand."},
	{"visit_flows", CTL_OPTION_COUNT, offsetof(struct params, visit_flows), "3", "1", "1000",
		.help = "Flows that make a visit, however short."},
	{"visit_duration", CTL_OPTION_DURATION, offsetof(struct params, visit_duration_ns), "30s",
		"1s", "1h",
		.help = "Time from first to last packet that makes a visit, however "
			"few flows."},
	{"visit_gap", CTL_OPTION_DURATION, offsetof(struct params, visit_gap_ns), "30min", "1min",
		"24h", .help = "Silence after which the next flow is another visit."},
	{"min_days", CTL_OPTION_COUNT, offsetof(struct params, min_days), "2", "1", "35",
		.help = "Different local days with a visit; one port_in visit is enough alone."},
	{"window", CTL_OPTION_DURATION, offsetof(struct params, window_ns), "14d", "1d", "35d",
		.help = "How far back visits count."},
	{NULL},
};

/* A visit that may go on. */
struct visit {
	uint32_t app;
	uint32_t n_flows;
	uint64_t first_ns, last_ns;
	uint8_t tags; // bit per tag
	uint8_t reported_tags; // what was known when it was reported; 0 = not yet
	bool is_direct; // seen by more than a look-up
	bool is_counted; // it is a visit, and stands in a day
	struct ctl_evidence pending; // not in a day yet
	struct ctl_sums since;
};

/* The visits of one local day. */
struct day {
	int32_t number;
	uint32_t n_visits;
	uint64_t first_ns, last_ns; // begin of the first and of the last visit
	uint8_t tags;
	struct ctl_evidence evidence;
	struct ctl_sums since;
};
static_assert(
	sizeof(struct visit) == 152 && sizeof(struct day) == 152, "docs/detection.md states it");

struct state {
	struct visit *visits; // owned
	size_t n_visits;
	struct day *days; // owned, oldest first; as many as the window has
	size_t n_days;
};

static void state_fini(void *p)
{
	struct state *state = p;

	g_free(state->visits);
	g_free(state->days);
}

enum { VISIT_IS_DIRECT = 1, VISIT_IS_COUNTED = 2, VISIT_FLAGS_MAX = 3 };
enum { TAGS_MAX = (1 << TAG_COUNT) - 1, DAYS_OFF = 2 }; // a local day may lie before the epoch

static void visit_save(const struct visit *v, struct ctl_pack *pack)
{
	ctl_pack_u64(pack, v->app);
	ctl_pack_u64(pack,
		(v->is_direct ? VISIT_IS_DIRECT : 0U) | (v->is_counted ? VISIT_IS_COUNTED : 0U));
	ctl_pack_u64(pack, v->tags);
	ctl_pack_u64(pack, v->reported_tags);
	ctl_pack_u64(pack, v->n_flows);
	ctl_pack_span(pack, v->first_ns, v->last_ns);
	ctl_pack_evidence(pack, &v->pending);
	ctl_pack_sums(pack, &v->since);
}

static struct visit visit_load(struct ctl_unpack *unpack)
{
	struct visit v = {.app = (uint32_t)ctl_unpack_max(unpack, UINT32_MAX - 1)};
	const uint64_t flags = ctl_unpack_max(unpack, VISIT_FLAGS_MAX);

	v.is_direct = (flags & VISIT_IS_DIRECT) != 0;
	v.is_counted = (flags & VISIT_IS_COUNTED) != 0;
	v.tags = (uint8_t)ctl_unpack_max(unpack, TAGS_MAX);
	v.reported_tags = (uint8_t)ctl_unpack_max(unpack, TAGS_MAX);
	v.n_flows = (uint32_t)ctl_unpack_max(unpack, UINT32_MAX);
	ctl_unpack_span(unpack, &v.first_ns, &v.last_ns);
	v.pending = ctl_unpack_evidence(unpack);
	v.since = ctl_unpack_sums(unpack);
	return v;
}

static void day_save(const struct day *d, struct ctl_pack *pack)
{
	ctl_pack_u64(pack, (uint64_t)(d->number + DAYS_OFF));
	ctl_pack_u64(pack, d->n_visits);
	ctl_pack_u64(pack, d->tags);
	ctl_pack_span(pack, d->first_ns, d->last_ns);
	ctl_pack_evidence(pack, &d->evidence);
	ctl_pack_sums(pack, &d->since);
}

static struct day day_load(struct ctl_unpack *unpack)
{
	struct day d = {
		.number = (int32_t)ctl_unpack_max(unpack, INT32_MAX) - DAYS_OFF,
		.n_visits = (uint32_t)ctl_unpack_max(unpack, UINT32_MAX),
		.tags = (uint8_t)ctl_unpack_max(unpack, TAGS_MAX),
	};

	ctl_unpack_span(unpack, &d.first_ns, &d.last_ns);
	d.evidence = ctl_unpack_evidence(unpack);
	d.since = ctl_unpack_sums(unpack);
	return d;
}

static void save(const void *p, struct ctl_pack *pack)
{
	const struct state *state = p;

	ctl_pack_u64(pack, state->n_visits);
	for (size_t i = 0; i < state->n_visits; i++)
		visit_save(&state->visits[i], pack);
	ctl_pack_u64(pack, state->n_days);
	for (size_t i = 0; i < state->n_days; i++)
		day_save(&state->days[i], pack);
}

static bool load(void *p, struct ctl_unpack *unpack)
{
	enum { VISIT_BYTES_MIN = 9, DAY_BYTES_MIN = 7 };
	struct state *state = p;
	bool are_in_order = true;

	state->n_visits = ctl_unpack_count(unpack, VISIT_BYTES_MIN);
	state->visits = g_new0(struct visit, state->n_visits);
	for (size_t i = 0; i < state->n_visits; i++)
		state->visits[i] = visit_load(unpack);
	state->n_days = ctl_unpack_count(unpack, DAY_BYTES_MIN);
	state->days = g_new0(struct day, state->n_days);
	for (size_t i = 0; i < state->n_days; i++) {
		state->days[i] = day_load(unpack);
		are_in_order = are_in_order &&
			(i == 0 || state->days[i - 1].number < state->days[i].number);
	}
	return !unpack->is_bad && are_in_order && state->n_visits <= VISITS_OPEN_MAX;
}

static int tag_index(const char *name)
{
	if (*name == '\0')
		return TAG_BRAND;
	for (int i = 0; i < TAG_COUNT; i++)
		if (strcmp(tags[i].name, name) == 0)
			return i;
	return -1;
}

static const char *check(const struct ctl_rule *rule, const struct cls_catalogue *catalogue)
{
	const struct params *p = rule->params;

	if (rule->class == CTL_CLASS_SERVICE)
		return "expected class retention or upsell: interest in a rival is no service event";
	if (!cls_has_category(catalogue, p->category))
		return "expected a category that an app of the catalogue has";
	if (p->tags == NULL)
		return "expected tags to list at least one of brand, plans, port_in, store_locator";
	for (char **t = p->tags; *t != NULL; t++)
		if (**t == '\0' || tag_index(*t) < 0)
			return "expected tags to list brand, plans, port_in or store_locator";
	return NULL;
}

static bool wants_app(
	const struct ctl_rule *rule, const struct cls_catalogue *catalogue, uint32_t app)
{
	const struct params *p = rule->params;

	return strcmp(cls_app_category(catalogue, app), p->category) == 0;
}

/* What a report is made from: all days of the window. */
struct interest {
	uint32_t n_visits, n_days;
	uint64_t first_ns, last_ns;
	uint8_t tags;
	struct ctl_evidence evidence;
};

static struct interest sum_up(const struct state *state)
{
	struct interest sum = {.first_ns = UINT64_MAX};

	for (size_t i = 0; i < state->n_days; i++) {
		const struct day *d = &state->days[i];

		sum.n_visits += d->n_visits;
		sum.n_days++;
		sum.first_ns = MIN(sum.first_ns, d->first_ns);
		sum.last_ns = MAX(sum.last_ns, d->last_ns);
		sum.tags |= d->tags;
		ctl_evidence_add(&sum.evidence, &d->evidence);
	}
	return sum;
}

static int strongest(uint8_t mask)
{
	int i = 0;

	while (i < TAG_COUNT - 1 && (mask >> i & 1) == 0)
		i++;
	return i;
}

static unsigned score(const struct interest *sum)
{
	const unsigned days = MIN((sum->n_days - 1) * SCORE_PER_DAY, (unsigned)SCORE_DAYS_MAX);
	const unsigned visits = MIN(
		(sum->n_visits - 1) * SCORE_PER_VISIT, (unsigned)SCORE_VISITS_MAX);

	return MIN(tags[strongest(sum->tags)].score + days + visits, 100U);
}

static void fill(json_t *data, const void *arg)
{
	const struct interest *sum = arg;
	json_t *names = json_array();

	for (int i = 0; i < TAG_COUNT; i++)
		if ((sum->tags >> i & 1) != 0)
			json_array_append_new(names, json_string(tags[i].name));
	json_object_set_new(data, "tag", json_string(tags[strongest(sum->tags)].name));
	json_object_set_new(data, "tags", names);
	json_object_set_new(data, "score", json_integer(score(sum)));
	json_object_set_new(data, "visits", json_integer(sum->n_visits));
	json_object_set_new(data, "distinct_days", json_integer(sum->n_days));
	json_object_set_new(data, "first_seen", ctl_time_json(sum->first_ns));
	json_object_set_new(data, "last_seen", ctl_time_json(sum->last_ns));
}

static void forget_old_days(struct state *state, uint64_t now_ns, uint64_t window_ns)
{
	size_t n_kept = 0;

	for (size_t i = 0; i < state->n_days; i++)
		if (state->days[i].last_ns + window_ns >= now_ns)
			state->days[n_kept++] = state->days[i];
	state->n_days = n_kept;
}

/* Row of a day, made in its place when it is new. */
static struct day *day_of(struct state *state, int32_t number, const struct visit *v)
{
	size_t i = state->n_days;

	while (i > 0 && state->days[i - 1].number > number)
		i--;
	if (i > 0 && state->days[i - 1].number == number)
		return &state->days[i - 1];
	state->days = g_renew(struct day, state->days, state->n_days + 1);
	memmove(&state->days[i + 1], &state->days[i], (state->n_days - i) * sizeof(state->days[0]));
	state->n_days++;
	state->days[i] = (struct day){
		.number = number,
		.first_ns = v->first_ns,
		.since = v->since,
	};
	return &state->days[i];
}

/* A visit belongs to the local day it began on. */
static void count(const struct ctl_look *look, struct state *state, struct visit *v)
{
	const int32_t number = ctl_zone_day(look->profile->zone, v->first_ns)->number;
	struct day *day = day_of(state, number, v);

	day->n_visits += v->is_counted ? 0 : 1;
	day->first_ns = MIN(day->first_ns, v->first_ns);
	day->last_ns = MAX(day->last_ns, v->first_ns);
	day->tags |= v->tags;
	ctl_evidence_add(&day->evidence, &v->pending);
	memset(&v->pending, 0, sizeof(v->pending));
	v->is_counted = true;
}

static void report(const struct ctl_look *look, const struct state *state, struct visit *v,
	const struct interest *sum)
{
	char window[32];

	v->reported_tags = sum->tags;
	(void)g_snprintf(window, sizeof(window), "%" G_GUINT64_FORMAT "|%u", v->first_ns,
		sum->tags & 1U << TAG_PORT_IN);
	ctl_look_report(look,
		&(struct ctl_candidate){
			.event = CTL_EVENT_COMPETITOR,
			.window = window,
			.slot = "",
			.time_ns = v->last_ns,
			.expiry_ns = v->last_ns + VALID_NS,
			.category = ((const struct params *)look->rule->params)->category,
			.evidence = &sum->evidence,
			.confidence = ctl_evidence_confidence(&sum->evidence),
			.n_bytes = ctl_evidence_bytes(&sum->evidence),
			.n_sessions = sum->n_visits,
			.n_days = sum->n_days,
			.since = &state->days[0].since,
			.fill = fill,
			.arg = sum,
		});
}

/* Once per visit, and once more when the same visit turns to port_in. */
static void judge(const struct ctl_look *look, struct state *state, struct visit *v)
{
	const struct params *p = look->rule->params;
	const uint8_t port_in = 1U << TAG_PORT_IN;
	struct interest sum;

	count(look, state, v);
	forget_old_days(state, v->last_ns, p->window_ns);
	sum = sum_up(state);
	if (v->reported_tags != 0 && ((v->reported_tags | ~sum.tags) & port_in) != 0)
		return;
	if (sum.n_days >= p->min_days || (sum.tags & port_in) != 0)
		report(look, state, v, &sum);
}

static struct visit *visit_of(
	const struct ctl_look *look, struct state *state, const struct dp_record *record)
{
	const struct params *p = look->rule->params;
	const struct dp_usage *u = &record->usage;
	struct visit *stalest = NULL;

	for (size_t i = 0; i < state->n_visits; i++) {
		struct visit *v = &state->visits[i];

		if (v->app == record->app && u->first_ns <= v->last_ns + p->visit_gap_ns &&
			v->first_ns <= u->last_ns + p->visit_gap_ns)
			return v;
		if (stalest == NULL || v->last_ns < stalest->last_ns)
			stalest = v;
	}
	if (stalest == NULL ||
		(stalest->last_ns + p->visit_gap_ns >= u->first_ns &&
			state->n_visits < VISITS_OPEN_MAX)) {
		state->visits = g_renew(struct visit, state->visits, state->n_visits + 1);
		stalest = &state->visits[state->n_visits++];
	}
	*stalest = (struct visit){
		.app = record->app,
		.first_ns = u->first_ns,
		.since = ctl_look_opening(look),
	};
	return stalest;
}

static bool is_visit(const struct params *p, const struct visit *v)
{
	return v->is_direct &&
		(v->n_flows >= p->visit_flows || v->last_ns - v->first_ns >= p->visit_duration_ns);
}

static void on_usage(const struct ctl_look *look, const struct dp_record *record)
{
	const struct params *p = look->rule->params;
	const struct dp_usage *u = &record->usage;
	const enum dp_evidence evidence = (enum dp_evidence)record->evidence;
	const int tag = tag_index(cls_tag_name(ctl_look_config(look)->catalogue, record->tag));
	struct state *state;
	struct visit *v;

	if (!ctl_evidence_is_strong(evidence) || tag < 0 ||
		!g_strv_contains((const char *const *)p->tags, tags[tag].name))
		return;
	state = ctl_look_state(look);
	v = visit_of(look, state, record);
	v->first_ns = MIN(v->first_ns, u->first_ns);
	v->last_ns = MAX(v->last_ns, u->last_ns);
	v->n_flows += u->n_new_flows;
	v->is_direct |= ctl_evidence_is_direct(evidence);
	v->tags |= (uint8_t)(1U << tag);
	v->pending.bytes[evidence] += u->bytes[0] + u->bytes[1];
	if (is_visit(p, v))
		judge(look, state, v);
}

static void features(const struct ctl_look *look, uint64_t now_ns, ctl_feature_fn *fn, void *ctx)
{
	const struct params *p = look->rule->params;
	struct state recent = *(const struct state *)ctl_look_peek(look);
	struct interest sum;

	for (; recent.n_days > 0 && recent.days->last_ns + p->window_ns < now_ns; recent.n_days--)
		recent.days++;
	if (recent.n_days == 0)
		return;
	sum = sum_up(&recent);
	fn(ctx,
		&(struct ctl_feature){
			.kind = CTL_FEATURE_COMPETITOR,
			.score = score(&sum),
			.as_of_ns = sum.last_ns,
			.until_ns = recent.days->last_ns + p->window_ns + 1,
		});
}

static void describe(const struct ctl_look *look, json_t *ret_array)
{
	const struct state *state = ctl_look_peek(look);
	const struct interest sum = sum_up(state);
	json_t *object;

	if (sum.n_days == 0)
		return;
	object = json_object();
	fill(object, &sum);
	json_array_append_new(ret_array, object);
}

const struct ctl_detector ctl_det_competitor = {
	.name = "competitor",
	.help = "Visits to rivals' sites on several days, or one to a port-in page.",
	.params = options,
	.params_size = sizeof(struct params),
	.check = check,
	.state_size = sizeof(struct state),
	.state_fini = state_fini,
	.save = save,
	.load = load,
	.wants_app = wants_app,
	.on_usage = on_usage,
	.features = features,
	.describe = describe,
};
