// SPDX-License-Identifier: BSD-3-Clause
#include "control/cap_history.h"
#include "control/cap_said.h"
#include "control/cycle.h"
#include "control/detector.h"
#include "control/event.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* A cap of the plan is nearly used up: a notice per step, a nudge, and whether it is a habit.
 * docs/detection.md, "near_cap". */

struct params {
	GArray *steps; // of double, percent
	double nudge_at;
	uint64_t habitual_cycles, habitual_of;
	double one_off_factor; // percent
	char **emit;
};

static const char *const events[] = {"threshold", "nudge", "cap_pattern", NULL};

enum {
	EARLIER_MIN = 2, // cycles without which nothing is said about a habit
	CONFIDENCE_COUNTED = 95, // bytes are counted, not guessed; other paths are not seen
	ONE_DAY_PERCENT = 50, // share of a cause, start values
	ONE_APP_PERCENT = 60,
	HABIT_DAYS = 13, // into the next cycle: a habit is of use until its day 14
};
#define TOO_LATE_NS (3 * CTL_DAY_NS)
#define ESTIMATE_LOSS 0.01

static const struct ctl_option options[] = {
	{"steps", CTL_OPTION_PERCENTS, offsetof(struct params, steps), "[80%, 90%, 100%]", "1%",
		"100%", .help = "Shares of the cap that are announced, each once a cycle."},
	{"nudge_at", CTL_OPTION_PERCENT, offsetof(struct params, nudge_at), "80%", "1%", "100%",
		.help = "Share of the cap from which on more headroom is worth a word."},
	{"habitual_cycles", CTL_OPTION_COUNT, offsetof(struct params, habitual_cycles), "2", "2",
		"13", .help = "Cycles at 80 % or more that make a habit."},
	{"habitual_of", CTL_OPTION_COUNT, offsetof(struct params, habitual_of), "3", "2", "13",
		.help = "Newest cycles that are looked at for a habit, the running one included."},
	{"one_off_factor", CTL_OPTION_PERCENT, offsetof(struct params, one_off_factor), "150%",
		"100%", "10000%",
		.help = "Multiple of the earlier cycles' median that makes an "
			"exception."},
	{"emit", CTL_OPTION_STRINGS, offsetof(struct params, emit),
		"[threshold, nudge, cap_pattern]",
		.help = "Events the rule publishes: threshold, nudge, cap_pattern."},
	{NULL},
};

static bool emits(const struct params *p, const char *event)
{
	return p->emit != NULL && g_strv_contains((const char *const *)p->emit, event);
}

static const char *check(const struct ctl_rule *rule, const struct cls_catalogue *)
{
	const struct params *p = rule->params;

	for (char **e = p->emit; e != NULL && *e != NULL; e++)
		if (!g_strv_contains(events, *e))
			return "expected emit to list threshold, nudge or cap_pattern";
	if (rule->class == CTL_CLASS_SERVICE && (emits(p, "nudge") || emits(p, "cap_pattern")))
		return "expected class upsell or retention, or emit: [threshold]: the others are no "
		       "service events";
	if (p->habitual_cycles > p->habitual_of)
		return "expected habitual_cycles to be at most habitual_of";
	return NULL;
}

static uint64_t bytes_at(uint64_t cap_bytes, double percent)
{
	return (uint64_t)ceil((double)cap_bytes * percent / 100);
}

/* Lowest step above the one announced last; INFINITY when there is none. */
static double next_step(const struct params *p, const struct ctl_cap_said *said)
{
	double next = INFINITY;

	for (guint i = 0; p->steps != NULL && i < p->steps->len; i++) {
		const double step = g_array_index(p->steps, double, i);

		if (step > said->step && step < next)
			next = step;
	}
	return next;
}

/* The next level at which anything is due, so that a record below it costs one comparison. */
static uint64_t next_bytes(
	const struct params *p, const struct ctl_cap_said *said, uint64_t cap_bytes)
{
	const double step = next_step(p, said);
	uint64_t next = UINT64_MAX;

	if (isfinite(step))
		next = bytes_at(cap_bytes, step);
	if (!said->is_nudged)
		next = MIN(next, bytes_at(cap_bytes, p->nudge_at));
	if (!said->is_judged)
		next = MIN(next, bytes_at(cap_bytes, CTL_NEAR_CAP_PERCENT));
	return next;
}

/* One look at one bucket: what all three events are made from. */
struct view {
	const struct ctl_look *look;
	struct ctl_bucket_use *bucket;
	const struct params *params;
	uint64_t now_ns;
	uint64_t used_bytes, cap_bytes;
	double step; // threshold
	const char *pattern; // cap_pattern
	const struct ctl_cap_history *history;
	uint64_t needed_bytes;
};

static uint64_t pace(const struct view *v)
{
	const uint64_t elapsed_ns = MAX(v->now_ns - v->bucket->cycle.start_ns, CTL_DAY_NS);

	return (uint64_t)((unsigned __int128)v->used_bytes * CTL_DAY_NS / elapsed_ns);
}

/* 0 when the cap is reached already or will not be in this cycle. */
static uint64_t exhaustion(const struct view *v)
{
	const uint64_t per_day = pace(v);
	unsigned __int128 at_ns;

	if (v->used_bytes >= v->cap_bytes || per_day == 0)
		return 0;
	at_ns = v->now_ns +
		(unsigned __int128)(v->cap_bytes - v->used_bytes) * CTL_DAY_NS / per_day;
	return at_ns < v->bucket->cycle.end_ns ? (uint64_t)at_ns : 0;
}

static bool is_estimate(const struct view *v)
{
	return ctl_bucket_running(v->bucket)->is_partial ||
		ctl_look_loss(v->look, &v->bucket->since) > ESTIMATE_LOSS;
}

/* Plans with more than the present cap that hold what is needed, smallest first. */
static json_t *would_fit(const struct view *v)
{
	const GArray *plans = ctl_look_config(v->look)->facts->plans;
	const char *present = v->look->profile->person->plan;
	json_t *ids = json_array();

	for (guint i = 0; i < plans->len; i++) {
		const struct ctl_plan *plan = &g_array_index(plans, struct ctl_plan, i);
		const bool fits = plan->cap_bytes == 0 ||
			(plan->cap_bytes >= v->needed_bytes && plan->cap_bytes > v->cap_bytes);

		if (fits && g_strcmp0(plan->id, present) != 0)
			json_array_append_new(ids, json_string(plan->id));
	}
	return ids;
}

static void fill_use(json_t *data, const struct view *v)
{
	const struct ctl_cap_cycle now = {.bytes = v->used_bytes, .cap_bytes = v->cap_bytes};

	json_object_set_new(data, "used_bytes", json_integer((json_int_t)v->used_bytes));
	json_object_set_new(data, "cap_bytes", json_integer((json_int_t)v->cap_bytes));
	json_object_set_new(data, "pct", ctl_percent_json(ctl_cap_percent(&now)));
}

static void fill_cycle(json_t *data, const struct view *v)
{
	json_object_set_new(data, "cycle_start", ctl_time_json(v->bucket->cycle.start_ns));
	json_object_set_new(data, "cycle_end", ctl_time_json(v->bucket->cycle.end_ns));
}

static void fill_days_left(json_t *data, const struct view *v)
{
	json_object_set_new(data, "days_left",
		json_integer((json_int_t)((v->bucket->cycle.end_ns - v->now_ns) / CTL_DAY_NS)));
}

static void fill_threshold(json_t *data, const void *arg)
{
	const struct view *v = arg;

	json_object_set_new(data, "bucket", json_string(v->bucket->told->id));
	json_object_set_new(data, "step_pct",
		v->step == floor(v->step) ? json_integer((json_int_t)v->step) : json_real(v->step));
	fill_use(data, v);
	json_object_set_new(data, "pace_bytes_per_day", json_integer((json_int_t)pace(v)));
	json_object_set_new(data, "projected_exhaustion", ctl_time_json(exhaustion(v)));
	fill_days_left(data, v);
	fill_cycle(data, v);
	json_object_set_new(data, "estimate", json_boolean(is_estimate(v)));
}

static void fill_nudge(json_t *data, const void *arg)
{
	const struct view *v = arg;

	json_object_set_new(data, "bucket", json_string(v->bucket->told->id));
	fill_use(data, v);
	fill_days_left(data, v);
	fill_cycle(data, v);
	json_object_set_new(data, "would_fit", would_fit(v));
	json_object_set_new(data, "estimate", json_boolean(is_estimate(v)));
}

/* First and last local day of the cycle that rows are kept of. */
static void days_of(const struct view *v, int32_t *ret_first, int32_t *ret_last)
{
	const struct ctl_profile *profile = v->look->profile;
	const int32_t start = ctl_zone_day(profile->zone, v->bucket->cycle.start_ns)->number;

	*ret_first = MAX(start, profile->last_day - CTL_DAYS_MAX + 1);
	*ret_last = profile->last_day;
}

/* One local day, or one app, that most of the cycle's bytes went to; NULL when neither. Roaming
 * is not seen by this detector. */
static const char *cause_hint(const struct view *v)
{
	const struct ctl_profile *profile = v->look->profile;
	uint64_t n_bytes = 0, most = 0;
	int32_t first, last;

	days_of(v, &first, &last);
	for (int32_t day = first; day <= last; day++) {
		n_bytes += ctl_profile_day(profile, day);
		most = MAX(most, ctl_profile_day(profile, day));
	}
	if (n_bytes > 0 && most >= n_bytes * ONE_DAY_PERCENT / 100)
		return "one_day";
	if (v->bucket != &profile->buckets[0]) // shares of apps are kept for the first bucket
		return NULL;
	for (uint32_t i = 0; i < profile->n_slots; i++) {
		const struct ctl_app_use *use = &profile->apps[i];

		if (use->app >= DP_APP_FIRST && use->app != UINT32_MAX &&
			ctl_profile_period_bytes(profile, use) >=
				v->used_bytes * ONE_APP_PERCENT / 100)
			return "one_app";
	}
	return NULL;
}

static json_t *cycles_json(const struct ctl_cap_history *history)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < history->n_cycles; i++) {
		const struct ctl_cap_cycle *c = &history->cycles[i];

		json_array_append_new(array,
			json_pack("{s:o, s:I, s:I, s:o, s:o, s:b}", "start",
				ctl_time_json(c->start_ns), "used_bytes", (json_int_t)c->bytes,
				"cap_bytes", (json_int_t)c->cap_bytes, "pct",
				ctl_percent_json(ctl_cap_percent(c)), "day_reached",
				c->day_reached > 0 ? json_integer(c->day_reached) : json_null(),
				"running", c->is_running));
	}
	return array;
}

static void fill_pattern(json_t *data, const void *arg)
{
	const struct view *v = arg;
	const char *cause = cause_hint(v);
	const bool is_one_off = strcmp(v->pattern, "one_off") == 0;

	json_object_set_new(data, "bucket", json_string(v->bucket->told->id));
	json_object_set_new(data, "pattern", json_string(v->pattern));
	json_object_set_new(data, "cycles", cycles_json(v->history));
	json_object_set_new(data, "slope_pct_per_cycle", json_real(ctl_cap_slope(v->history)));
	json_object_set_new(data, "cause_hint", cause == NULL ? json_null() : json_string(cause));
	json_object_set_new(data, "needed_bytes", json_integer((json_int_t)v->needed_bytes));
	// An exception invites a top-up, never another plan.
	json_object_set_new(data, "would_fit", is_one_off ? json_array() : would_fit(v));
	fill_cycle(data, v);
}

static uint32_t active_days(const struct view *v)
{
	const struct ctl_profile *profile = v->look->profile;
	uint32_t n_days = 0;
	int32_t first, last;

	days_of(v, &first, &last);
	for (int32_t day = first; day <= last; day++)
		n_days += ctl_profile_day(profile, day) > 0;
	return n_days;
}

static void report(const struct view *v, enum ctl_event event, const char *detail,
	uint64_t expiry_ns, bool is_too_late, void (*fill)(json_t *data, const void *arg))
{
	const bool is_apps = v->bucket->told->scope == CTL_SCOPE_APPS;
	g_autofree char *slot = g_strdup_printf("%s|%s", v->bucket->told->id, detail);
	g_autofree char *window = g_strdup_printf(
		"%s|%" G_GUINT64_FORMAT, slot, v->bucket->cycle.start_ns);

	ctl_look_report(v->look,
		&(struct ctl_candidate){
			.event = event,
			.window = window,
			.slot = slot,
			.time_ns = v->now_ns,
			.expiry_ns = expiry_ns,
			.evidence = &v->bucket->evidence,
			.confidence = is_apps ? ctl_evidence_confidence(&v->bucket->evidence)
					      : CONFIDENCE_COUNTED,
			.n_bytes = v->used_bytes,
			.n_days = active_days(v),
			.since = &v->bucket->since,
			.is_too_late = is_too_late,
			.fill = fill,
			.arg = v,
		});
}

static bool ends_soon(const struct view *v)
{
	return v->bucket->cycle.end_ns - v->now_ns < TOO_LATE_NS;
}

/* The plan began inside this cycle: the offer was taken, and the cycle says nothing about habit. */
static bool is_new_plan(const struct view *v)
{
	return v->look->profile->person->plan_since_ns >= v->bucket->cycle.start_ns;
}

static void threshold(struct view *v, struct ctl_cap_said *said)
{
	const uint64_t end_ns = v->bucket->cycle.end_ns;
	double step = next_step(v->params, said);

	for (; isfinite(step) && v->used_bytes >= bytes_at(v->cap_bytes, step);
		step = next_step(v->params, said)) {
		g_autofree char *detail = g_strdup_printf("%g", step);

		said->step = v->step = step;
		if (emits(v->params, "threshold"))
			report(v, CTL_EVENT_THRESHOLD, detail, end_ns, ends_soon(v),
				fill_threshold);
	}
}

static void nudge(struct view *v, struct ctl_cap_said *said)
{
	if (said->is_nudged || v->used_bytes < bytes_at(v->cap_bytes, v->params->nudge_at))
		return;
	said->is_nudged = true;
	v->needed_bytes = ctl_cap_projected(&v->bucket->cycle, v->used_bytes, v->now_ns);
	if (emits(v->params, "nudge"))
		report(v, CTL_EVENT_NUDGE, "", v->bucket->cycle.end_ns,
			ends_soon(v) || is_new_plan(v), fill_nudge);
}

static const char *pattern_of(const struct params *p, const struct ctl_cap_history *h)
{
	const uint64_t used_bytes = h->cycles[h->n_cycles - 1].bytes;

	if (ctl_cap_count_near(h, (uint32_t)p->habitual_of) >= p->habitual_cycles)
		return "habitual";
	if ((double)used_bytes >= (double)ctl_cap_median(h) * p->one_off_factor / 100)
		return "one_off";
	return "emerging";
}

static void judge(struct view *v, struct ctl_cap_said *said)
{
	const struct ctl_bucket *told = v->bucket->told;
	const struct ctl_cycle *cycle = &v->bucket->cycle;
	struct ctl_cap_history history;
	bool is_one_off;

	if (said->is_judged || v->used_bytes < bytes_at(v->cap_bytes, CTL_NEAR_CAP_PERCENT))
		return;
	said->is_judged = true;
	if (!emits(v->params, "cap_pattern"))
		return;
	ctl_cap_history_make(v->bucket, v->look->profile->person, &history);
	if (history.n_cycles < EARLIER_MIN + 1) {
		ctl_look_withhold(v->look, "history_short");
		return;
	}
	v->history = &history;
	v->pattern = pattern_of(v->params, &history);
	v->needed_bytes = ctl_cap_needed(&history, told, cycle, v->now_ns);
	is_one_off = strcmp(v->pattern, "one_off") == 0;
	report(v, CTL_EVENT_CAP_PATTERN, "",
		strcmp(v->pattern, "habitual") == 0
			? ctl_day_after(told->tz, cycle->end_ns, HABIT_DAYS)
			: cycle->end_ns,
		is_new_plan(v) || (is_one_off && ends_soon(v)), fill_pattern);
}

/* Is next_bytes of this cycle and this cap? */
static bool is_reckoned(const struct ctl_cap_said *said, const struct ctl_bucket_use *bucket)
{
	return said->cycle_start_ns == bucket->cycle.start_ns &&
		said->cap_bytes == bucket->told->cap_bytes;
}

static void reckon(
	const struct params *p, struct ctl_cap_said *said, const struct ctl_bucket_use *bucket)
{
	if (said->cycle_start_ns != bucket->cycle.start_ns)
		*said = (struct ctl_cap_said){
			.bucket = said->bucket, .cycle_start_ns = bucket->cycle.start_ns};
	said->cap_bytes = bucket->told->cap_bytes;
	said->next_bytes = next_bytes(p, said, said->cap_bytes);
}

static void on_charge(const struct ctl_look *look, struct ctl_bucket_use *bucket, uint64_t t_ns)
{
	const struct params *p = look->rule->params;
	const struct ctl_cycle_row *row = ctl_bucket_running(bucket);
	struct ctl_cap_said *said = ctl_cap_said_find(ctl_look_peek(look), bucket->id);
	struct view v;

	// A plan that is not in force yet has no cap to come near to.
	if (bucket->told->cap_bytes == 0 || t_ns < look->profile->person->plan_since_ns)
		return;
	if (said != NULL && is_reckoned(said, bucket) && row->bytes < said->next_bytes)
		return; // as for nearly every record: nothing is altered
	said = ctl_cap_said_of(ctl_look_state(look), bucket->id);
	if (!is_reckoned(said, bucket))
		reckon(p, said, bucket);
	if (row->bytes < said->next_bytes)
		return;
	v = (struct view){
		.look = look,
		.bucket = bucket,
		.params = p,
		// Records of one tick overlap: who comes later may have ended before. And a record
		// may straddle the end of the cycle.
		.now_ns = MIN(MAX(t_ns, said->reached_ns), bucket->cycle.end_ns - 1),
		.used_bytes = row->bytes,
		.cap_bytes = bucket->told->cap_bytes,
	};
	said->reached_ns = v.now_ns;
	threshold(&v, said);
	nudge(&v, said);
	judge(&v, said);
	said->next_bytes = next_bytes(p, said, v.cap_bytes);
}

static void on_reload(const struct ctl_look *look)
{
	struct ctl_cap_said_list *state = ctl_look_unsaved(look);

	for (size_t i = 0; i < state->n_said; i++)
		state->said[i].cap_bytes = 0; // the steps may have changed: reckon anew
}

/* What is reckoned is not saved. */
static bool rests(struct ctl_unpack *)
{
	return true;
}

static void describe(const struct ctl_look *look, json_t *ret_array)
{
	const struct ctl_cap_said_list *state = ctl_look_peek(look);

	for (size_t i = 0; i < state->n_said; i++) {
		const struct ctl_cap_said *s = &state->said[i];

		json_array_append_new(ret_array,
			json_pack("{s:s, s:o, s:f, s:b, s:b}", "bucket", s->bucket, "cycle_start",
				ctl_time_json(s->cycle_start_ns), "step_pct", s->step, "nudged",
				s->is_nudged, "judged", s->is_judged));
	}
}

const struct ctl_detector ctl_det_near_cap = {
	.name = "near_cap",
	.help = "A cap of the plan is nearly used up: notice, nudge, and whether it is a habit.",
	.params = options,
	.params_size = sizeof(struct params),
	.check = check,
	.state_size = sizeof(struct ctl_cap_said_list),
	.state_fini = ctl_cap_said_fini,
	.save = ctl_cap_said_save,
	.load = ctl_cap_said_load,
	.on_charge = on_charge,
	.on_reload = on_reload,
	.rests = rests,
	.describe = describe,
};
