// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_state.h"

#include <stdlib.h>

enum {
	RECENT = 3, // hours by which an app is suspected, and a suspect is at least watched
	NET_PART = 100, // of an app's bytes, that a network of its has at least
	SUSPECT_PART = 100, // of the floor, that is expected in RECENT hours at least
	MANY = 2, // apps that are low at once on a weekday that is not known yet, or
	MANY_PART = 20, // one in so many of those that are judged: then it is the weekday
	BACK = 2, // times `share`: then the names are back
	NEW = 4, // times what a name had before: then it is new
	SEEN_PART = 10, // of what is expected, that is missing since it is watched
};

/* What apps are judged by: a day, and half a one, which sees sooner what begins before the busy hours. */
enum { DAY, HALF, SPAN_COUNT };

struct judge {
	struct ctl_rot *rot;
	struct rot_span spans[SPAN_COUNT], recent;
	double levels[SPAN_COUNT], recent_level; // of the node: part of what may be expected, 0..1
	bool is_odd; // much is low, on a weekday that is not known yet
	uint64_t end_ns;
};

struct sums {
	uint64_t now, expected;
};

/* An app in an hour. */
struct view {
	struct rot_app *app;
	struct sums in[SPAN_COUNT], recent;
	bool has_week, is_old; // enough of it: a day of this weekday, three days
};

static uint64_t part(uint64_t bytes, double of)
{
	return (uint64_t)((double)bytes * of);
}

static double level(const struct ctl_rot *rot, const struct rot_span *s)
{
	const struct rot_held all = ctl_rot_hold(&rot->all, rot->first + 1, s);
	const uint64_t expected = ctl_rot_least(&all);

	return expected == 0 ? 1 : MIN(1, (double)all.now / (double)expected);
}

/* --- suspects --------------------------------------------------------------------------------- */

static struct sums sums_of(const struct rot_held *h, double of)
{
	return (struct sums){.now = h->now, .expected = part(ctl_rot_least(h), of)};
}

static struct view look(const struct judge *j, struct rot_app *app)
{
	const struct rot_held recent = ctl_rot_hold(&app->named, app->since, &j->recent);
	struct view v = {.app = app, .recent = sums_of(&recent, j->recent_level)};

	for (int i = 0; i < SPAN_COUNT; i++) {
		const struct rot_held h = ctl_rot_hold(&app->named, app->since, &j->spans[i]);

		v.in[i] = sums_of(&h, j->levels[i]);
		if (i == DAY) {
			v.has_week = h.has_week;
			v.is_old = h.n_days >= CTL_ROT_DAYS_MIN;
		}
	}
	return v;
}

/* Half a day says something when it mostly has the greater half of a day's bytes. */
static bool is_low(const struct judge *j, const struct view *v, int span)
{
	const struct sums *s = &v->in[span];

	return s->expected >= MAX(j->rot->options.floor_bytes, 1) &&
		s->expected >= v->in[DAY].expected / 2 &&
		s->now < part(s->expected, j->rot->options.share / 100);
}

static bool is_fading(const struct judge *j, const struct view *v)
{
	const uint64_t floor = j->rot->options.floor_bytes;

	if (is_low(j, v, DAY) || is_low(j, v, HALF))
		return true;
	return v->in[DAY].expected >= floor && v->recent.expected >= floor / SUSPECT_PART &&
		v->recent.now < v->recent.expected / 2;
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
static int64_t rise_of(
	const struct judge *j, const struct rot_net *net, const struct rot_span *span)
{
	struct rot_held h;

	if (net->unknown == NULL)
		return 0;
	h = ctl_rot_hold(net->unknown, net->since, span);
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
static uint64_t rise(const struct judge *j, const struct rot_suspect *s,
	const struct rot_span *span, struct risen ret[ROT_NETS_MAX])
{
	int64_t sum = 0;

	for (int i = 0; i < s->n_nets; i++) {
		ret[i] = (struct risen){s->nets[i], rise_of(j, s->nets[i], span)};
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
	const struct rot_span *day = &j->spans[DAY];
	int64_t sum = 0, best = 0;
	uint64_t begin = day->end - 1;

	for (int i = 0; i < day->n_hours; i++) {
		const uint64_t hour = day->end - 1 - (uint64_t)i;
		uint64_t before = 0, n = 0;

		for (uint64_t d = 1; d <= CTL_ROT_DAYS; d++) {
			const uint64_t h = hour - d * CTL_ROT_DAY;

			if (h < app->since || ctl_rot_hour_of(j->rot, h) != ROT_HOUR_GOOD)
				continue;
			before += ctl_rot_series_at(&app->named, h);
			n++;
		}
		if (n == 0 || !day->is_good[0][i])
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

/* What is looked for an app that is low. */
struct looked {
	const struct judge *j;
	const struct view *v;
	int span;
};

static uint64_t name_on(const struct looked *l, const void *domain, uint64_t d)
{
	const struct rot_name *name = g_hash_table_lookup(l->j->rot->names, domain);
	uint64_t day;

	return name != NULL && ctl_rot_sum_of_day(&name->bytes, 0, &l->j->spans[l->span], d, &day)
		? day
		: 0;
}

/* All of a finding's rows, on the day d before, 0: on this one. */
static uint64_t rows_on(const struct looked *l, const void *finding, uint64_t d)
{
	const struct rot_finding *f = finding;
	const struct rot_suspect *s = l->v->app->suspect;
	uint64_t sum = 0, day;

	for (guint i = 0; f->has_names && i < f->rows->len; i++)
		sum += name_on(l, ((const struct ctl_unknown_row *)f->rows->pdata[i])->domain, d);
	for (int i = 0; !f->has_names && i < s->n_nets; i++) {
		if (s->nets[i]->unknown != NULL &&
			ctl_rot_sum_of_day(s->nets[i]->unknown, 0, &l->j->spans[l->span], d, &day))
			sum += day;
	}
	return sum;
}

/* Did it come as the names went? Of each of the last days that had more of them, what has come since is to be a
 * good part of `gone`, or of what has gone since (0); so neither a service that was new some days earlier took
 * over, nor is it missed when names change little by little. */
static bool has_come_meanwhile(const struct looked *l, uint64_t gone,
	uint64_t (*shown_on)(const struct looked *, const void *, uint64_t), const void *what)
{
	const struct view *v = l->v;
	const struct sums *in = &v->in[l->span];
	const uint64_t now = shown_on(l, what, 0);
	int n = 0, n_good = 0;

	for (uint64_t d = 1; d <= CTL_ROT_WEEK; d++) {
		uint64_t had, shown, wanted;

		if (!ctl_rot_sum_of_day(
			    &v->app->named, v->app->since, &l->j->spans[l->span], d, &had) ||
			had < in->now + in->expected / 2)
			continue;
		shown = shown_on(l, what, d);
		wanted = part(gone != 0 ? gone : had - in->now, l->j->rot->options.taken / 100);
		n++;
		n_good += now >= shown && now - shown >= wanted;
	}
	return n > 0 && n_good == n;
}

/* Was it not there before, and has it come as the names went? Of one for which there was no room nothing says
 * that it is old. */
static bool is_new(const void *ctx, const char *domain)
{
	const struct looked *l = ctx;
	const struct rot_name *name = g_hash_table_lookup(l->j->rot->names, domain);
	struct rot_held h;

	if (name == NULL)
		return true;
	h = ctl_rot_hold(&name->bytes, l->j->rot->first + 1, &l->j->spans[l->span]);
	return h.now / NEW >= ctl_rot_most(&h) && has_come_meanwhile(l, h.now, name_on, domain);
}

/* Where it shows: networks that together have nine tenths of what has risen; and what. Returns how many bytes
 * that has. */
static uint64_t fill(const struct looked *l, struct rot_finding *f)
{
	const struct rot_suspect *s = l->v->app->suspect;
	struct risen risen[ROT_NETS_MAX];
	const uint64_t sum = rise(l->j, s, &l->j->spans[l->span], risen);
	const uint64_t named = ctl_rot_finding_fill(f, s->unknown, is_new, l);
	uint64_t told = 0;

	f->now_bytes = l->v->in[DAY].now;
	f->unknown_bytes = MAX(sum, named);
	g_ptr_array_set_size(f->networks, 0);
	for (int i = 0; i < s->n_nets && i < ROT_FINDING_NETS; i++) {
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
	const struct rot_held h = ctl_rot_hold(&s->app->named, s->app->since, &span);
	const uint64_t expected = part(ctl_rot_least(&h), level(j->rot, &span));

	return expected - MIN(expected, h.now);
}

/* Is there enough of anything that was not there before? A service that is much used on one day of the week
 * grows, too. */
static bool is_taken_over(
	const struct judge *j, const struct view *v, struct rot_finding *f, int span)
{
	const struct looked l = {j, v, span};
	const uint64_t missed = missed_by(j, v->app->suspect);

	return is_low(j, v, span) && missed >= v->in[span].expected / SEEN_PART &&
		fill(&l, f) >= part(missed, j->rot->options.taken / 100) &&
		has_come_meanwhile(&l, 0, rows_on, f);
}

static void judge_suspect(const struct judge *j, const struct view *v)
{
	struct ctl_rot *rot = j->rot;
	struct rot_app *app = v->app;
	struct rot_finding *f;

	if (rot->hour - app->suspect->since < RECENT || (j->is_odd && !v->has_week) ||
		(!is_low(j, v, DAY) && !is_low(j, v, HALF)) ||
		endpoints_of(app) < rot->options.n_endpoints ||
		endpoints_there(app->suspect) < rot->options.n_endpoints)
		return;
	f = ctl_rot_finding_new(rot, app);
	f->since = begin_of(j, app);
	f->said_ns = j->end_ns;
	f->before_bytes = v->in[DAY].expected;
	if (is_taken_over(j, v, f, DAY) || is_taken_over(j, v, f, HALF)) {
		app->finding = f;
		ctl_rot_finding_add(rot, f);
	} else {
		ctl_rot_finding_free(f);
	}
}

/* By half a day, too: that of a finding may have begun in the middle of one. */
static bool is_back(const struct judge *j, const struct view *v)
{
	const double back = BACK * j->rot->options.share / 100;
	const struct rot_span *day = &j->spans[DAY];
	const uint64_t now = v->in[DAY].now / (uint64_t)day->n_good * (uint64_t)day->n_hours;

	return now >= part(v->app->finding->before_bytes, back) &&
		v->in[HALF].now >= part(v->in[HALF].expected, back);
}

/* What was expected when it was said stays what its names have to come back to. */
static void judge_finding(const struct judge *j, const struct view *v)
{
	struct ctl_rot *rot = j->rot;
	struct rot_finding *f = v->app->finding;

	f->now_bytes = v->in[DAY].now;
	if (is_back(j, v)) {
		ctl_rot_finding_over(rot, f, j->end_ns, CTL_ROT_RECOVERED);
	} else if (v->app->suspect != NULL) {
		(void)fill(&(struct looked){j, v, DAY}, f);
		if (rot->hour - f->since >= ROT_WATCHED)
			ctl_rot_suspect_end(rot, v->app->suspect);
	}
}

/* --- all of them ------------------------------------------------------------------------------ */

static gint most_expected_first(gconstpointer a, gconstpointer b)
{
	const struct view *x = a, *y = b;

	if (x->in[DAY].expected != y->in[DAY].expected)
		return x->in[DAY].expected < y->in[DAY].expected ? 1 : -1;
	return x->app->id < y->app->id ? -1 : x->app->id > y->app->id;
}

static void judge_app(const struct judge *j, const struct view *v)
{
	const bool is_fading_now = is_fading(j, v);

	if (v->app->finding != NULL) {
		judge_finding(j, v);
		return;
	}
	if (v->app->suspect == NULL && is_fading_now)
		suspect_begin(j->rot, v->app);
	else if (v->app->suspect != NULL && !is_fading_now)
		ctl_rot_suspect_end(j->rot, v->app->suspect);
	if (v->app->suspect != NULL)
		judge_suspect(j, v);
}

/* On the first Saturday all that belongs to work falls. Nothing tells that from rot while something else
 * happens to rise there, but that many fall. */
static bool is_odd(const struct judge *j, const GArray *views)
{
	guint n = 0, n_judged = 0;

	for (guint i = 0; i < views->len; i++) {
		const struct view *v = &g_array_index(views, struct view, i);

		n_judged += v->in[DAY].expected >= j->rot->options.floor_bytes;
		n += !v->has_week && v->app->finding == NULL &&
			(is_low(j, v, DAY) || is_low(j, v, HALF));
	}
	return n > MAX(MANY, n_judged / MANY_PART);
}

/* False when too little of the last hours is known. */
static bool judge_begin(struct judge *j, struct ctl_rot *rot, uint64_t end_ns)
{
	static const int n_hours[SPAN_COUNT] = {CTL_ROT_DAY, CTL_ROT_DAY / 2};

	*j = (struct judge){.rot = rot, .recent = ctl_rot_span_of(rot, RECENT), .end_ns = end_ns};
	for (int i = 0; i < SPAN_COUNT; i++) {
		j->spans[i] = ctl_rot_span_of(rot, n_hours[i]);
		if (j->spans[i].n_good * 4 < n_hours[i] * 3)
			return false;
		j->levels[i] = level(rot, &j->spans[i]);
	}
	j->recent_level = level(rot, &j->recent);
	return j->recent.n_good == RECENT;
}

void ctl_rot_judge(struct ctl_rot *rot, uint64_t end_ns)
{
	g_autoptr(GArray) views = g_array_new(FALSE, FALSE, sizeof(struct view));
	struct judge j;
	GHashTableIter iter;
	gpointer app;

	if (!judge_begin(&j, rot, end_ns))
		return;
	g_hash_table_iter_init(&iter, rot->apps);
	while (g_hash_table_iter_next(&iter, NULL, &app)) {
		// Fading by an eighth a day, it is more than any day has.
		if (((struct rot_app *)app)->bytes < rot->options.floor_bytes / 2 &&
			((struct rot_app *)app)->finding == NULL &&
			((struct rot_app *)app)->suspect == NULL)
			continue;

		const struct view v = look(&j, app);

		if (v.is_old || v.app->finding != NULL)
			g_array_append_val(views, v);
	}
	j.is_odd = is_odd(&j, views);
	g_array_sort(views, most_expected_first);
	for (guint i = 0; i < views->len; i++)
		judge_app(&j, &g_array_index(views, struct view, i));
}
