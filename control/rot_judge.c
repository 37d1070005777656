// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_state.h"

#include <stdlib.h>

enum {
	RECENT = 3, // hours by which an app is suspected, and a suspect is at least watched
	HOURS_MIN = 18, // of 24 that are good, until they are judged
	NET_PART = 100, // of an app's bytes, that a network of its has at least
	SUSPECT_PART = 100, // of the floor, that is expected in RECENT hours at least
	BACK = 2, // times `share`: then the names are back
	NEW = 4, // times what a name had before: then it is new
	SEEN_PART = 10, // of what is expected in 24 hours, that is missing since it is watched
};

/* Part of what the whole node may be expected to have, 0..1. */
static double level(const struct ctl_rot *rot, const struct rot_span *s)
{
	const struct rot_held all = ctl_rot_hold(rot, &rot->all, rot->first + 1, s);
	const uint64_t expected = ctl_rot_least(&all);

	return expected == 0 ? 1 : MIN(1, (double)all.now / (double)expected);
}

/* --- suspects --------------------------------------------------------------------------------- */

/* An app in an hour: 24 hours back and a few. */
struct view {
	struct rot_app *app;
	uint64_t now, expected; // of 24 hours
	uint64_t recent_now, recent_expected;
};

struct judge {
	struct ctl_rot *rot;
	struct rot_span day, recent;
	double day_level, recent_level;
	uint64_t end_ns;
};

static uint64_t part(uint64_t bytes, double of)
{
	return (uint64_t)((double)bytes * of);
}

static bool look(const struct judge *j, struct rot_app *app, struct view *ret_view)
{
	const struct rot_held day = ctl_rot_hold(j->rot, &app->named, app->since, &j->day);
	const struct rot_held recent = ctl_rot_hold(j->rot, &app->named, app->since, &j->recent);

	*ret_view = (struct view){.app = app,
		.now = day.now,
		.expected = part(ctl_rot_least(&day), j->day_level),
		.recent_now = recent.now,
		.recent_expected = part(ctl_rot_least(&recent), j->recent_level)};
	return day.n_days >= CTL_ROT_DAYS_MIN;
}

static bool is_low(const struct ctl_rot *rot, const struct view *v)
{
	return v->now < part(v->expected, rot->options.share / 100);
}

static bool is_fading(const struct ctl_rot *rot, const struct view *v)
{
	if (v->expected < rot->options.floor_bytes || v->expected == 0)
		return false;
	return is_low(rot, v) ||
		(v->recent_expected >= rot->options.floor_bytes / SUSPECT_PART &&
			v->recent_now < v->recent_expected / 2);
}

static void suspect_begin(struct ctl_rot *rot, struct rot_app *app)
{
	for (int i = 0; i < ROT_SUSPECTS_MAX; i++) {
		struct rot_suspect *s = &rot->suspects[i];

		if (s->app != NULL)
			continue;
		*s = (struct rot_suspect){.app = app,
			.unknown = ctl_unknown_new(rot->domains, ROT_SUSPECT_KEPT),
			.since = rot->hour};
		app->suspect = s;
		for (int n = 0; n < app->n_nets; n++) {
			const struct rot_used *u = &app->nets[n];

			if ((u->bytes - u->missed) * NET_PART < app->bytes)
				continue;
			u->net->n_users++;
			u->net->suspects |= (uint16_t)(1U << i);
			s->nets[s->n_nets++] = u->net;
		}
		return;
	}
}

void ctl_rot_suspect_end(struct ctl_rot *rot, struct rot_suspect *s)
{
	const unsigned int i = (unsigned int)(s - rot->suspects);

	for (int n = 0; n < s->n_nets; n++) {
		s->nets[n]->suspects &= (uint16_t) ~(1U << i);
		ctl_rot_net_put(rot, s->nets[n]);
	}
	ctl_unknown_free(s->unknown);
	s->app->suspect = NULL;
	*s = (struct rot_suspect){0};
}

/* --- findings --------------------------------------------------------------------------------- */

/* By how much flows without an app have grown on one network. One that was not watched long enough says
 * nothing. */
static int64_t rise_of(const struct judge *j, const struct rot_net *net)
{
	struct rot_held h;

	if (net->unknown == NULL)
		return 0;
	h = ctl_rot_hold(j->rot, net->unknown, net->since, &j->day);
	return h.n_days < CTL_ROT_DAYS_MIN ? 0 : (int64_t)h.now - (int64_t)ctl_rot_most(&h);
}

struct risen {
	const struct rot_net *net;
	int64_t bytes;
};

static int most_risen_first(const void *a, const void *b)
{
	const struct risen *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return dp_addr_cmp(&x->net->addr, &y->net->addr);
}

/* Of all of them together; ret: each, those with most first. */
static uint64_t rise(
	const struct judge *j, const struct rot_suspect *s, struct risen ret[ROT_NETS_MAX])
{
	int64_t sum = 0;

	for (int i = 0; i < s->n_nets; i++) {
		ret[i] = (struct risen){s->nets[i], rise_of(j, s->nets[i])};
		sum += ret[i].bytes;
	}
	qsort(ret, s->n_nets, sizeof(*ret), most_risen_first);
	return (uint64_t)MAX(sum, 0);
}

/* Those of some of the last days, when the names were still there. */
static uint32_t endpoints_of(const struct rot_app *app)
{
	uint32_t most_ever = (uint32_t)ctl_distinct_count(&app->endpoints);

	for (int i = 0; i < CTL_ROT_DAYS; i++)
		most_ever = MAX(most_ever, app->n_endpoints[i]);
	return most_ever;
}

static uint64_t endpoints_there(const struct rot_suspect *s)
{
	struct ctl_unknown_sum others, all;

	g_ptr_array_unref(ctl_unknown_report(s->unknown, 0, &others, &all));
	return all.subscribers;
}

/* The hour in which it began: behind it the bytes are nearer to nothing than to what is expected, in
 * front of it the other way round. */
static uint64_t begin_of(const struct judge *j, const struct rot_app *app)
{
	int64_t sum = 0, best = 0;
	uint64_t begin = j->day.end - 1;

	for (int i = 0; i < j->day.n_hours; i++) {
		const uint64_t hour = j->day.end - 1 - (uint64_t)i;
		uint64_t before = 0, n = 0;

		for (uint64_t d = 1; d <= CTL_ROT_DAYS; d++) {
			const uint64_t h = hour - d * CTL_ROT_DAY;

			if (h < app->since || ctl_rot_hour_of(j->rot, h) != ROT_HOUR_GOOD)
				continue;
			before += ctl_rot_series_at(&app->named, h);
			n++;
		}
		if (n == 0 || !j->day.is_good[i])
			continue;
		sum += (int64_t)(before / n / 2) - (int64_t)ctl_rot_series_at(&app->named, hour);
		if (sum > best) {
			best = sum;
			begin = hour;
		}
	}
	return begin;
}

static char *network_text(const struct rot_net *net)
{
	char text[DP_ADDR_STRLEN];

	return g_strdup_printf(
		"%s/%d", dp_addr_format(&net->addr, text), dp_addr_is_v4(&net->addr) ? 24 : 48);
}

/* Where it shows: networks that together have nine tenths of what has risen; and what. Returns how many bytes
 * that has. */
static uint64_t fill(const struct judge *j, struct rot_finding *f, const struct view *v)
{
	struct risen risen[ROT_NETS_MAX];
	const uint64_t sum = rise(j, v->app->suspect, risen);
	const uint64_t named = ctl_rot_finding_fill(j->rot, f, v->app->suspect);
	uint64_t told = 0;

	f->now_bytes = v->now;
	f->unknown_bytes = MAX(sum, named);
	g_ptr_array_set_size(f->networks, 0);
	for (int i = 0; i < v->app->suspect->n_nets && i < ROT_FINDING_NETS; i++) {
		if (risen[i].bytes <= 0 || told * 10 >= sum * 9)
			break;
		told += (uint64_t)risen[i].bytes;
		g_ptr_array_add(f->networks, network_text(risen[i].net));
	}
	g_ptr_array_add(f->networks, NULL);
	// Servers without names may have been there before: no more counts than has grown on the networks.
	return f->has_names ? named : MIN(named, sum);
}

/* Of what is missing since the suspect is watched. */
static uint64_t missed_by(const struct judge *j, const struct rot_suspect *s)
{
	const uint64_t n = MIN(j->rot->hour - s->since, CTL_ROT_DAY);
	const struct rot_span span = ctl_rot_span_of(j->rot, (int)n);
	const struct rot_held h = ctl_rot_hold(j->rot, &s->app->named, s->app->since, &span);
	const uint64_t expected = part(ctl_rot_least(&h), level(j->rot, &span));

	return expected - MIN(expected, h.now);
}

/* What took over, on the day d before, 0: on this one. */
static uint64_t shown_on(
	const struct judge *j, const struct rot_suspect *s, const struct rot_finding *f, uint64_t d)
{
	uint64_t sum = 0, day;

	for (guint i = 0; f->has_names && i < f->rows->len; i++) {
		const struct ctl_unknown_row *row = f->rows->pdata[i];
		const struct rot_name *name = g_hash_table_lookup(j->rot->names, row->domain);

		if (name != NULL && ctl_rot_sum_of_day(j->rot, &name->bytes, 0, &j->day, d, &day))
			sum += day;
	}
	for (int i = 0; !f->has_names && i < s->n_nets; i++) {
		if (s->nets[i]->unknown != NULL &&
			ctl_rot_sum_of_day(j->rot, s->nets[i]->unknown, 0, &j->day, d, &day))
			sum += day;
	}
	return sum;
}

/* Did it come as the names went? Of each of the last days, what has come since is to be a good part of what has
 * gone since; so neither a service that was new some days earlier took over, nor is it missed when names change
 * little by little. */
static bool has_come_meanwhile(
	const struct judge *j, const struct view *v, const struct rot_finding *f)
{
	const uint64_t now = shown_on(j, v->app->suspect, f, 0);
	int n = 0, n_good = 0;

	for (uint64_t d = 1; d <= CTL_ROT_WEEK; d++) {
		uint64_t had, shown;

		if (!ctl_rot_sum_of_day(j->rot, &v->app->named, v->app->since, &j->day, d, &had) ||
			had < v->now + v->expected / 2)
			continue;
		shown = shown_on(j, v->app->suspect, f, d);
		n++;
		n_good += now >= shown &&
			now - shown >= part(had - v->now, j->rot->options.taken / 100);
	}
	return n > 0 && n_good * 4 >= n * 3;
}

/* Is there enough of anything that was not there before? A service that is much used on one day of the week
 * grows, too. */
static bool is_taken_over(const struct judge *j, const struct view *v, struct rot_finding *f)
{
	const uint64_t missed = missed_by(j, v->app->suspect);

	return missed >= v->expected / SEEN_PART &&
		fill(j, f, v) >= part(missed, j->rot->options.taken / 100) &&
		has_come_meanwhile(j, v, f);
}

bool ctl_rot_name_is_new(const struct ctl_rot *rot, const char *domain, uint64_t since)
{
	const struct rot_name *name = g_hash_table_lookup(rot->names, domain);
	const uint64_t n = MAX(rot->hour - since, 1);
	const struct rot_span s = ctl_rot_span_of(rot, (int)MIN(n, CTL_ROT_DAY));
	struct rot_held h;
	uint64_t before = 0;

	if (name == NULL)
		return true; // there was no room for it, nor is it known to be old
	h = ctl_rot_hold(rot, &name->bytes, rot->first + 1, &s);
	(void)ctl_rot_sum_of_day(rot, &name->bytes, 0, &s, (n - 1) / CTL_ROT_DAY + 1, &before);
	return h.now / NEW >= ctl_rot_most(&h) && h.now / 4 * 3 >= before;
}

static void judge_suspect(const struct judge *j, const struct view *v)
{
	struct ctl_rot *rot = j->rot;
	struct rot_app *app = v->app;
	struct rot_finding *f;

	if (rot->hour - app->suspect->since < RECENT || v->expected < rot->options.floor_bytes ||
		!is_low(rot, v) || endpoints_of(app) < rot->options.n_endpoints ||
		endpoints_there(app->suspect) < rot->options.n_endpoints)
		return;
	f = ctl_rot_finding_new(rot, app);
	f->since = begin_of(j, app);
	f->said_ns = j->end_ns;
	f->before_bytes = v->expected;
	if (is_taken_over(j, v, f)) {
		app->finding = f;
		ctl_rot_finding_add(rot, f);
	} else {
		ctl_rot_finding_free(f);
	}
}

/* What was expected when it was said stays what its names have to come back to. */
static void judge_finding(const struct judge *j, const struct view *v)
{
	struct ctl_rot *rot = j->rot;
	struct rot_finding *f = v->app->finding;
	const uint64_t now = v->now / (uint64_t)j->day.n_good * CTL_ROT_DAY;

	f->now_bytes = v->now;
	if (now >= part(f->before_bytes, BACK * rot->options.share / 100)) {
		ctl_rot_finding_over(rot, f, j->end_ns, CTL_ROT_RECOVERED);
	} else if (v->app->suspect != NULL) {
		(void)fill(j, f, v);
		if (rot->hour - f->since >= ROT_WATCHED)
			ctl_rot_suspect_end(rot, v->app->suspect);
	}
}

/* --- all of them ------------------------------------------------------------------------------ */

static gint most_expected_first(gconstpointer a, gconstpointer b)
{
	const struct view *x = a, *y = b;

	if (x->expected != y->expected)
		return x->expected < y->expected ? 1 : -1;
	return x->app->id < y->app->id ? -1 : x->app->id > y->app->id;
}

static void judge_app(const struct judge *j, const struct view *v)
{
	struct ctl_rot *rot = j->rot;
	const bool is_fading_now = is_fading(rot, v);

	if (v->app->finding != NULL) {
		judge_finding(j, v);
		return;
	}
	if (v->app->suspect == NULL && is_fading_now)
		suspect_begin(rot, v->app);
	else if (v->app->suspect != NULL && !is_fading_now)
		ctl_rot_suspect_end(rot, v->app->suspect);
	if (v->app->suspect != NULL)
		judge_suspect(j, v);
}

void ctl_rot_judge(struct ctl_rot *rot, uint64_t end_ns)
{
	struct judge j = {.rot = rot,
		.day = ctl_rot_span_of(rot, CTL_ROT_DAY),
		.recent = ctl_rot_span_of(rot, RECENT),
		.end_ns = end_ns};
	g_autoptr(GArray) views = g_array_new(FALSE, FALSE, sizeof(struct view));
	GHashTableIter iter;
	gpointer app;

	if (j.day.n_good < HOURS_MIN || j.recent.n_good < RECENT)
		return;
	j.day_level = level(rot, &j.day);
	j.recent_level = level(rot, &j.recent);
	g_hash_table_iter_init(&iter, rot->apps);
	while (g_hash_table_iter_next(&iter, NULL, &app)) {
		struct view v;

		if (look(&j, app, &v) || ((struct rot_app *)app)->finding != NULL)
			g_array_append_val(views, v);
	}
	g_array_sort(views, most_expected_first);
	for (guint i = 0; i < views->len; i++)
		judge_app(&j, &g_array_index(views, struct view, i));
}
