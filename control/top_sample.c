// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_sample.h"

#include "control/top_text.h"

#include <math.h>
#include <string.h>

const char *const ctl_top_whats[CTL_TOP_WHAT_COUNT] = {
	[CTL_TOP_NODE] = "node",
	[CTL_TOP_PORTS] = "ports",
	[CTL_TOP_WORKERS] = "workers",
	[CTL_TOP_LEDGER] = "ledger",
	[CTL_TOP_BEFORE_APPS] = "node",
	[CTL_TOP_APPS] = "apps",
	[CTL_TOP_AFTER_APPS] = "node",
	[CTL_TOP_TRIGGERS] = "triggers",
	[CTL_TOP_REDIS] = "redis",
	[CTL_TOP_STORE] = "store",
	[CTL_TOP_GAPS] = "gaps",
	[CTL_TOP_QUALITY] = "quality",
	[CTL_TOP_HISTORY] = "history",
	[CTL_TOP_STAGED] = "staged",
};

struct ctl_top_sample *ctl_top_sample_new(void)
{
	struct ctl_top_sample *s = g_new0(struct ctl_top_sample, 1);

	s->ports = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_port));
	s->workers = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_worker));
	s->ledger = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_frames));
	s->apps = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_app));
	s->triggers = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_decision));
	s->gaps = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_gap));
	s->quality = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_quality));
	return s;
}

void ctl_top_sample_free(struct ctl_top_sample *s)
{
	if (s == NULL)
		return;
	g_array_free(s->ports, TRUE);
	g_array_free(s->workers, TRUE);
	g_array_free(s->ledger, TRUE);
	g_array_free(s->apps, TRUE);
	g_array_free(s->triggers, TRUE);
	g_array_free(s->gaps, TRUE);
	g_array_free(s->quality, TRUE);
	g_free(s);
}

static int64_t whole(const json_t *record, const char *key)
{
	return json_integer_value(json_object_get(record, key)); // 0 of anything else
}

static uint64_t count(const json_t *record, const char *key)
{
	const int64_t n = whole(record, key);

	return n > 0 ? (uint64_t)n : 0;
}

static double number(const json_t *record, const char *key, double otherwise)
{
	const json_t *value = json_object_get(record, key);
	const double v = json_number_value(value);

	return json_is_number(value) && isfinite(v) && v >= 0 ? v : otherwise;
}

#define text(record, key, field) \
	ctl_top_copy((field), sizeof(field), json_string_value(json_object_get((record), (key))))

uint64_t ctl_top_time(const char *utc)
{
	g_autoptr(GDateTime) t = utc != NULL ? g_date_time_new_from_iso8601(utc, NULL) : NULL;
	const int64_t s = t != NULL ? g_date_time_to_unix(t) : 0;

	if (s <= 0 || s > INT64_MAX / 1000000000 - 1)
		return 0;
	return (uint64_t)s * 1000000000 + (uint64_t)g_date_time_get_microsecond(t) * 1000;
}

static uint64_t time_of(const json_t *record, const char *key)
{
	return ctl_top_time(json_string_value(json_object_get(record, key)));
}

/* A further row, all zero; NULL and counted when there are enough. */
static void *add_row(struct ctl_top_sample *s, GArray *rows)
{
	if (rows->len >= CTL_TOP_ROWS_MAX) {
		s->n_left_out++;
		return NULL;
	}
	g_array_set_size(rows, rows->len + 1);
	return rows->data + (size_t)(rows->len - 1) * g_array_get_element_size(rows);
}

static void add_node(struct ctl_top_sample *s, const json_t *r)
{
	struct ctl_top_node *n = &s->node;

	text(r, "node", n->name);
	text(r, "version", n->version);
	text(r, "started", n->started);
	n->pid = count(r, "pid");
	n->uptime_us = count(r, "uptime_us");
	n->now_ns = time_of(r, "now");
	n->watermark_ns = time_of(r, "watermark");
	n->tick_ms = count(r, "tick_ms");
}

static void add_port(struct ctl_top_sample *s, const json_t *r)
{
	struct ctl_top_port *p = add_row(s, s->ports);

	if (p == NULL)
		return;
	text(r, "port", p->name);
	text(r, "state", p->state);
	text(r, "cause", p->cause);
	p->frames = count(r, "frames");
	p->bytes = count(r, "bytes");
	p->up_packets = count(r, "up_packets");
	p->down_packets = count(r, "down_packets");
	p->lost = count(r, "lost");
	p->busy_ms = count(r, "busy_ms");
	p->disturbed = count(r, "disturbed");
	p->queues = count(r, "queues");
}

static void add_worker(struct ctl_top_sample *s, const json_t *r)
{
	struct ctl_top_worker *w = add_row(s, s->workers);

	if (w == NULL)
		return;
	w->number = count(r, "worker");
	w->packets = count(r, "packets");
	w->ip_bytes = count(r, "ip_bytes");
	w->flows = count(r, "flows");
	w->flows_evicted = count(r, "flows_evicted");
	w->postponed = count(r, "postponed");
	w->busy_ms = count(r, "busy_ms");
	w->disturbed = count(r, "disturbed");
	w->longest_us = count(r, "longest_us");
	w->catalogues = count(r, "catalogues");
	w->to_resolve = count(r, "to_resolve");
	w->of_mean = number(r, "of_mean", 0);
}

static void add_frames(struct ctl_top_sample *s, const json_t *r)
{
	const char *unit = json_string_value(json_object_get(r, "unit"));
	struct ctl_top_frames *row;

	if (g_strcmp0(unit, "frames") != 0)
		return;
	row = add_row(s, s->ledger);
	if (row == NULL)
		return;
	text(r, "part", row->part);
	text(r, "what", row->what);
	row->count = whole(r, "count");
}

static void add_before(struct ctl_top_sample *s, const json_t *r)
{
	s->counted_ns[0] = time_of(r, "watermark");
}

static void add_after(struct ctl_top_sample *s, const json_t *r)
{
	s->counted_ns[1] = time_of(r, "watermark");
}

static void add_app(struct ctl_top_sample *s, const json_t *r)
{
	struct ctl_top_app *a = add_row(s, s->apps);

	if (a == NULL)
		return;
	text(r, "app", a->name);
	text(r, "category", a->category);
	a->bytes = whole(r, "bytes");
	a->packets = whole(r, "packets");
	a->flows = count(r, "flows");
	a->up_bytes = whole(r, "up_bytes");
	a->down_bytes = whole(r, "down_bytes");
}

static void add_decision(struct ctl_top_sample *s, const json_t *r)
{
	struct ctl_top_decision *d = add_row(s, s->triggers);

	if (d == NULL)
		return;
	text(r, "state", d->state);
	text(r, "name", d->name);
	text(r, "reason", d->reason);
	d->count = count(r, "count");
}

static void add_redis(struct ctl_top_sample *s, const json_t *r)
{
	text(r, "state", s->redis.state);
	text(r, "since", s->redis.since);
	text(r, "last_error", s->redis.last_error);
	s->redis.waiting = count(r, "waiting");
	s->redis.in_flight = count(r, "in_flight");
	s->redis.published = count(r, "published");
	s->redis.refused = count(r, "refused");
	s->redis.lost_by_redis = count(r, "lost_by_redis");
	s->redis.is_full = json_is_true(json_object_get(r, "is_full"));
}

static void add_store(struct ctl_top_sample *s, const json_t *r)
{
	text(r, "state", s->store.state);
	text(r, "since", s->store.since);
	text(r, "cause", s->store.cause);
	s->store.used_bytes = count(r, "used_bytes");
	s->store.size_max = count(r, "size_max");
	s->store.waiting = count(r, "waiting");
	s->store.failed = count(r, "failed");
	s->store.unreadable = count(r, "unreadable");
	s->store.commit_ms = number(r, "commit_ms", 0);
}

static void add_gap(struct ctl_top_sample *s, const json_t *r)
{
	struct ctl_top_gap *g = add_row(s, s->gaps);

	if (g == NULL)
		return;
	text(r, "from", g->from);
	text(r, "to", g->to);
	text(r, "cause", g->cause);
	g->seconds = number(r, "seconds", 0);
}

static void add_quality(struct ctl_top_sample *s, const json_t *r)
{
	struct ctl_top_quality *q;

	if (g_strcmp0(json_string_value(json_object_get(r, "span")), "minute") != 0)
		return;
	q = add_row(s, s->quality);
	if (q == NULL)
		return;
	text(r, "side", q->side);
	q->segments = count(r, "segments");
	q->retransmitted = count(r, "retransmitted");
	q->resets = count(r, "resets");
	q->handshakes_failed = count(r, "handshakes_failed");
	q->data_rtt_us = number(r, "data_rtt_us", NAN);
	q->handshake_rtt_us = number(r, "handshake_rtt_us", NAN);
}

static void add_version(struct ctl_top_sample *s, const json_t *r)
{
	if (!json_is_true(json_object_get(r, "in_force")))
		return;
	s->catalogue.version = count(r, "version");
	text(r, "time", s->catalogue.time);
	text(r, "who", s->catalogue.who);
	text(r, "why", s->catalogue.why);
}

static void add_staged(struct ctl_top_sample *s, const json_t *r)
{
	s->catalogue.staged = count(r, "version");
}

void ctl_top_sample_add(struct ctl_top_sample *sample, enum ctl_top_what what, const json_t *record)
{
	static void (*const add[CTL_TOP_WHAT_COUNT])(struct ctl_top_sample *, const json_t *) = {
		[CTL_TOP_NODE] = add_node,
		[CTL_TOP_PORTS] = add_port,
		[CTL_TOP_WORKERS] = add_worker,
		[CTL_TOP_LEDGER] = add_frames,
		[CTL_TOP_BEFORE_APPS] = add_before,
		[CTL_TOP_APPS] = add_app,
		[CTL_TOP_AFTER_APPS] = add_after,
		[CTL_TOP_TRIGGERS] = add_decision,
		[CTL_TOP_REDIS] = add_redis,
		[CTL_TOP_STORE] = add_store,
		[CTL_TOP_GAPS] = add_gap,
		[CTL_TOP_QUALITY] = add_quality,
		[CTL_TOP_HISTORY] = add_version,
		[CTL_TOP_STAGED] = add_staged,
	};

	add[what](sample, record);
}

bool ctl_top_sample_retry(struct ctl_top_sample *sample)
{
	if (sample->counted_ns[0] == sample->counted_ns[1])
		return false;
	sample->counted_ns[0] = sample->counted_ns[1];
	g_array_set_size(sample->apps, 0);
	return true;
}
