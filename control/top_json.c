// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_json.h"

#include "control/table.h"
#include "control/top_alarms.h"
#include "control/top_order.h"
#include "control/utc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* To three places; null when it is not known. */
static json_t *figure(double v)
{
	return isfinite(v) ? json_real(fabs(v) < 1e15 ? round(v * 1000) / 1000 : v) : json_null();
}

/* To the microsecond: what rates are to be multiplied with. */
static json_t *seconds(double s)
{
	return isfinite(s) ? json_real(round(s * 1e6) / 1e6) : json_null();
}

static json_t *integer(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

static json_t *time_of(uint64_t t_ns)
{
	char utc[CTL_UTC_MAX];

	if (t_ns == 0)
		return json_null();
	ctl_utc_format(t_ns, utc);
	return json_string(utc);
}

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

/* Add to an object without asking each time: without memory a field is missing, nothing worse. */
static void set(json_t *object, const char *key, json_t *given)
{
	(void)json_object_set_new(object, key, given);
}

/* Which process it is, or was. */
static void set_who(json_t *o, const struct ctl_top_view *view)
{
	if (view->now == NULL)
		return;
	set(o, "node", json_string(view->now->node.name));
	set(o, "version", json_string(view->now->node.version));
	set(o, "pid", integer(view->now->node.pid));
}

static json_t *node_json(const struct ctl_top_view *view)
{
	static const char *const states[] = {[CTL_TOP_NOTHING] = "nothing",
		[CTL_TOP_FIRST] = "first",
		[CTL_TOP_RATES] = "rates"};
	json_t *o = json_object();

	set(o, "state", json_string(states[view->state]));
	set(o, "cause", json_null());
	set_who(o, view);
	if (view->now != NULL) {
		set(o, "uptime_s", seconds((double)view->now->node.uptime_us / 1e6));
		set(o, "watermark", time_of(view->now->node.watermark_ns));
		set(o, "rows_left_out", integer(view->now->n_left_out));
	}
	set(o, "seconds", seconds(view->seconds));
	set(o, "restarts", integer(view->n_restarts));
	set(o, "stalled_s", figure(view->stalled_s));
	return o;
}

static json_t *throughput_json(const struct ctl_top_view *view)
{
	json_t *o = json_object();

	set(o, "wire_bps", figure(view->wire_bps));
	set(o, "frames_ps", figure(view->frames_ps));
	set(o, "up_bps", figure(view->up_bps));
	set(o, "down_bps", figure(view->down_bps));
	set(o, "up_pps", figure(view->up_pps));
	set(o, "down_pps", figure(view->down_pps));
	return o;
}

static json_t *loss_json(const struct ctl_top_view *view)
{
	json_t *o = json_object();

	set(o, "frames_ps", figure(view->lost_ps));
	set(o, "share", figure(view->lost_share));
	set(o, "total", integer(view->lost_total));
	set(o, "since", time_of(view->lost_since_ns));
	set(o, "last", time_of(view->lost_last_ns));
	set(o, "ledger_off", json_integer(view->ledger_off));
	return o;
}

static json_t *unclassified_json(const struct ctl_top_view *view)
{
	json_t *o = json_object();

	set(o, "unknown", figure(view->unknown_share));
	set(o, "undecided", figure(view->undecided_share));
	set(o, "unknown_since_start", figure(view->unknown_share_total));
	return o;
}

static json_t *redis_json(const struct ctl_top_redis *r)
{
	json_t *o = json_object();

	set(o, "state", json_string(r->state));
	set(o, "since", text_or_null(r->since));
	set(o, "waiting", integer(r->waiting));
	set(o, "in_flight", integer(r->in_flight));
	set(o, "published", integer(r->published));
	set(o, "refused", integer(r->refused));
	set(o, "cause", text_or_null(r->last_error));
	return o;
}

static json_t *store_json(const struct ctl_top_store *s)
{
	json_t *o = json_object();

	set(o, "state", json_string(s->state));
	set(o, "since", text_or_null(s->since));
	set(o, "waiting", integer(s->waiting));
	set(o, "used_bytes", integer(s->used_bytes));
	set(o, "size_max", integer(s->size_max));
	set(o, "commit_ms", figure(s->commit_ms));
	set(o, "cause", text_or_null(s->cause));
	return o;
}

static json_t *catalogue_json(const struct ctl_top_view *view)
{
	const struct ctl_top_catalogue *c = &view->now->catalogue;
	json_t *o = json_object();

	set(o, "version", c->version > 0 ? integer(c->version) : json_null());
	set(o, "since", text_or_null(c->time));
	set(o, "staged", c->staged > 0 ? integer(c->staged) : json_null());
	set(o, "workers_swapping", integer(view->n_swapping));
	set(o, "to_resolve", integer(view->to_resolve));
	return o;
}

static json_t *alarms_json(const struct ctl_top_view *view)
{
	GArray *alarms = ctl_top_alarms(view);
	json_t *rows = json_array();

	for (guint i = 0; i < alarms->len; i++) {
		const struct ctl_top_alarm *a = ctl_top_row(ctl_top_alarm, alarms, i);

		(void)json_array_append_new(rows,
			json_pack("{ss ss}", "severity", ctl_top_severity_names[a->severity],
				"text", a->text));
	}
	g_array_free(alarms, TRUE);
	return rows;
}

static json_t *ports_json(const struct ctl_top_view *view)
{
	json_t *rows = json_array();

	for (guint i = 0; i < view->ports->len; i++) {
		const struct ctl_top_port_row *r = ctl_top_row(ctl_top_port_row, view->ports, i);
		json_t *o = json_object();

		set(o, "port", json_string(r->now.name));
		set(o, "state", json_string(r->now.state));
		set(o, "frames_ps", figure(r->frames_ps));
		set(o, "wire_bps", figure(r->wire_bps));
		set(o, "up_pps", figure(r->up_pps));
		set(o, "down_pps", figure(r->down_pps));
		set(o, "lost_ps", figure(r->lost_ps));
		set(o, "lost", integer(r->now.lost));
		set(o, "load", figure(r->load));
		set(o, "taken_ps", figure(r->taken_ps));
		set(o, "cause", text_or_null(r->now.cause));
		(void)json_array_append_new(rows, o);
	}
	return rows;
}

static json_t *workers_json(const struct ctl_top_view *view)
{
	json_t *rows = json_array();

	for (guint i = 0; i < view->workers->len; i++) {
		const struct ctl_top_worker_row *r = ctl_top_row(
			ctl_top_worker_row, view->workers, i);
		json_t *o = json_object();

		set(o, "worker", integer(r->now.number));
		set(o, "load", figure(r->load));
		set(o, "taken_ps", figure(r->taken_ps));
		set(o, "of_mean", figure(r->now.of_mean));
		set(o, "packets_ps", figure(r->packets_ps));
		set(o, "bps", figure(r->bps));
		set(o, "flows_ps", figure(r->flows_ps));
		set(o, "evicted_ps", figure(r->evicted_ps));
		set(o, "postponed_ps", figure(r->postponed_ps));
		set(o, "postponed", integer(r->now.postponed));
		set(o, "catalogues", integer(r->now.catalogues));
		set(o, "to_resolve", integer(r->now.to_resolve));
		(void)json_array_append_new(rows, o);
	}
	return rows;
}

static json_t *losses_json(const struct ctl_top_view *view)
{
	json_t *rows = json_array();

	for (guint i = 0; i < view->losses->len; i++) {
		const struct ctl_top_loss *l = ctl_top_row(ctl_top_loss, view->losses, i);
		json_t *o = json_object();

		set(o, "part", json_string(l->part));
		set(o, "what", json_string(l->what));
		set(o, "frames_ps", figure(l->ps));
		set(o, "total", integer(l->total));
		set(o, "since", time_of(l->since_ns));
		set(o, "last", time_of(l->last_ns));
		(void)json_array_append_new(rows, o);
	}
	return rows;
}

static json_t *apps_json(const struct ctl_top_view *view, size_t n_max)
{
	GPtrArray *order = ctl_top_order_apps(view, CTL_TOP_BY_RATE);
	json_t *rows = json_array();

	for (guint i = 0; i < order->len && i < n_max; i++) {
		const struct ctl_top_app_row *r = order->pdata[i];
		json_t *o = json_object();

		set(o, "app", json_string(r->now.name));
		set(o, "category", text_or_null(r->now.category));
		set(o, "bps", figure(r->bps));
		set(o, "up_bps", figure(r->up_bps));
		set(o, "down_bps", figure(r->down_bps));
		set(o, "share", figure(r->share));
		set(o, "packets_ps", figure(r->packets_ps));
		set(o, "flows_ps", figure(r->flows_ps));
		set(o, "bytes", json_integer(r->now.bytes));
		set(o, "flows", integer(r->now.flows));
		(void)json_array_append_new(rows, o);
	}
	g_ptr_array_free(order, TRUE);
	return rows;
}

static json_t *triggers_json(const struct ctl_top_view *view)
{
	json_t *rows = json_array();

	for (guint i = 0; i < view->triggers->len; i++) {
		const struct ctl_top_decision_row *r = ctl_top_row(
			ctl_top_decision_row, view->triggers, i);
		json_t *o = json_object();

		set(o, "state", json_string(r->now.state));
		set(o, "name", json_string(r->now.name));
		set(o, "reason", json_string(r->now.reason));
		set(o, "lately", integer(r->lately));
		set(o, "lately_s", figure(view->lately_s));
		set(o, "count", integer(r->now.count));
		(void)json_array_append_new(rows, o);
	}
	return rows;
}

static json_t *gaps_json(const struct ctl_top_view *view)
{
	const GArray *gaps = view->now->gaps;
	json_t *rows = json_array();

	for (guint i = 0; i < gaps->len; i++) {
		const struct ctl_top_gap *g = ctl_top_row(ctl_top_gap, gaps, i);

		(void)json_array_append_new(rows,
			json_pack("{ss ss so ss}", "from", g->from, "to", g->to, "seconds",
				figure(g->seconds), "cause", g->cause));
	}
	return rows;
}

static json_t *quality_json(const struct ctl_top_view *view)
{
	json_t *rows = json_array();

	for (guint i = 0; i < view->now->quality->len; i++) {
		const struct ctl_top_quality *q = ctl_top_row(
			ctl_top_quality, view->now->quality, i);

		(void)json_array_append_new(rows,
			json_pack("{ss so so so so}", "side", q->side, "segments",
				integer(q->segments), "retransmitted", integer(q->retransmitted),
				"handshake_rtt_us", figure(q->handshake_rtt_us), "data_rtt_us",
				figure(q->data_rtt_us)));
	}
	return rows;
}

json_t *ctl_top_json_away(const struct ctl_top_view *view, const char *why, uint64_t now_ns)
{
	json_t *o = json_object(), *node = json_object();

	set(node, "state", json_string("away"));
	set(node, "cause", json_string(why));
	set_who(node, view);
	set(node, "restarts", integer(view->n_restarts));
	set(o, "time", time_of(now_ns));
	set(o, "node", node);
	return o;
}

json_t *ctl_top_json(const struct ctl_top_view *view, size_t n_apps)
{
	json_t *o = json_object();

	set(o, "time", time_of(view->now != NULL ? view->now->node.now_ns : 0));
	set(o, "node", node_json(view));
	if (view->now == NULL)
		return o;
	set(o, "alarms", alarms_json(view));
	set(o, "throughput", throughput_json(view));
	set(o, "loss", loss_json(view));
	set(o, "losses", losses_json(view));
	set(o, "ports", ports_json(view));
	set(o, "workers", workers_json(view));
	set(o, "unclassified", unclassified_json(view));
	set(o, "apps", apps_json(view, n_apps));
	set(o, "triggers", triggers_json(view));
	set(o, "redis", redis_json(&view->now->redis));
	set(o, "store", store_json(&view->now->store));
	set(o, "catalogue", catalogue_json(view));
	set(o, "quality", quality_json(view));
	set(o, "gaps", gaps_json(view));
	return o;
}

static void print_record(const char *time, const char *kind, const json_t *record, FILE *out)
{
	const char *key;
	json_t *value;

	(void)fprintf(out, "%s %s", time, kind);
	json_object_foreach((json_t *)(uintptr_t)record, key, value)
	{
		char *text = ctl_table_cell(value);

		(void)fprintf(out, " %s=%s", key, text != NULL ? text : "?");
		free(text);
	}
	(void)fputc('\n', out);
}

void ctl_top_print(const json_t *object, FILE *out)
{
	const char *time = json_string_value(json_object_get(object, "time")), *key;
	json_t *value, *row;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (json_is_object(value))
			print_record(time != NULL ? time : "-", key, value, out);
		json_array_foreach(value, i, row)
		{
			print_record(time != NULL ? time : "-", key, row, out);
		}
	}
}
