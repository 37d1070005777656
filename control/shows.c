// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows.h"

#include "control/engine.h"
#include "control/event.h"
#include "control/keeper.h"
#include "control/ledger.h"
#include "control/rot.h"
#include "control/sampler.h"
#include "control/shows_changes.h"
#include "control/shows_diff.h"
#include "control/shows_flow.h"
#include "control/shows_flows.h"
#include "control/shows_ledger.h"
#include "control/shows_rot.h"
#include "control/shows_signalling.h"
#include "control/shows_unknown.h"
#include "control/utc.h"

#include <stdlib.h>

enum { PORTS_MAX = 16 };

static json_t *integer(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* The two counters are not of one moment. */
static json_int_t down_packets(const struct dp_port_stats *port)
{
	return (json_int_t)(port->packets - MIN(port->packets, port->up_packets));
}

static const char *port_state(const struct dp_port_stats *port)
{
	return port->down[0] != '\0' ? "down" : port->is_link_down ? "link_down" : "up";
}

static const char *port_cause(const struct dp_port_stats *port)
{
	return port->is_link_down ? "its driver says that the link is down" : port->down;
}

/* What a thread did with its time. */
static void add_time(json_t *row, const struct dp_time_stats *t)
{
	(void)json_object_set_new(row, "busy_ms", integer(t->busy_ns / 1000000));
	(void)json_object_set_new(row, "longest_us", integer(t->longest_ns / 1000));
	(void)json_object_set_new(row, "over_65us", integer(t->n_long));
	(void)json_object_set_new(row, "disturbed", integer(t->n_disturbed));
}

static json_t *port_row(
	const char *name, const struct dp_port_stats *port, const struct ctl_taken *taken)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i}", "port", name,
		"device", port->name, "state", port_state(port), "frames", (json_int_t)port->frames,
		"bytes", (json_int_t)port->wire_bytes, "up_packets", (json_int_t)port->up_packets,
		"down_packets", down_packets(port), "lost", (json_int_t)port->lost, "queues",
		port->n_queues);

	(void)json_object_set_new(row, "kept", integer(port->offload.frames));
	add_time(row, &port->time);
	(void)json_object_set_new(
		row, "path", json_string(port->down[0] != '\0' ? "" : taken->path));
	(void)json_object_set_new(row, "why", json_string(taken->why));
	(void)json_object_set_new(row, "cause", json_string(port_cause(port)));
	return row;
}

/* What became of decided flows when the catalogue was swapped. */
static void add_swaps(json_t *row, const struct dp_worker_stats *w)
{
	(void)json_object_set_new(row, "catalogues", integer(w->catalogues));
	(void)json_object_set_new(row, "to_resolve", integer(w->to_resolve));
	(void)json_object_set_new(row, "resolved_again", integer(w->resolved_again));
	(void)json_object_set_new(row, "resolve_refused", integer(w->resolve_refused));
}

static json_t *ports(const struct ctl_shows *s)
{
	const struct ctl_config *config = ctl_pipeline_config_of(s->pipeline);
	struct dp_port_stats ports[PORTS_MAX];
	const size_t n = dp_path_ports(ctl_pipeline_path(s->pipeline), ports, PORTS_MAX);
	json_t *rows = json_array();

	for (size_t i = 0; i < n && i < config->n_ports; i++) {
		struct ctl_taken taken;

		ctl_pipeline_taken(s->pipeline, i, &taken);
		(void)json_array_append_new(
			rows, port_row(config->ports[i].name, &ports[i], &taken));
	}
	return rows;
}

/* To two places: it is a measure, no count. */
static json_t *ratio(double v)
{
	return json_real((double)(uint64_t)(v * 100 + 0.5) / 100);
}

static json_t *workers(const struct ctl_shows *s)
{
	json_t *rows = json_array(), *row;

	for (uint16_t i = 0; i < ctl_pipeline_workers(s->pipeline); i++) {
		struct dp_worker_stats w;

		dp_path_worker_stats(ctl_pipeline_path(s->pipeline), i, &w);
		row = json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			"worker", i, "packets", (json_int_t)w.packets, "ip_bytes",
			(json_int_t)w.ip_bytes, "flows", (json_int_t)w.flows, "flows_evicted",
			(json_int_t)w.flows_evicted, "classified_packets",
			(json_int_t)w.classified_packets, "hellos", (json_int_t)w.hellos,
			"hellos_ech", (json_int_t)w.hellos_ech, "hints_forgotten",
			(json_int_t)w.hints_forgotten, "verdicts_cut", (json_int_t)w.verdicts_cut,
			"names_refused", (json_int_t)w.names_refused, "quality_refused",
			(json_int_t)w.quality_refused, "postponed", (json_int_t)w.postponed);
		add_swaps(row, &w);
		(void)json_object_set_new(row, "of_mean", ratio(s->balance.of_mean[i]));
		add_time(row, &w.time);
		(void)json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *apps(const struct ctl_shows *s)
{
	return ctl_pipeline_apps_json(s->pipeline);
}

static json_t *quality(const struct ctl_shows *s)
{
	return ctl_pipeline_quality_json(s->pipeline);
}

static void decision_row(
	json_t *rows, const char *what, const char *name, const char *reason, json_t *n)
{
	(void)json_array_append_new(rows,
		json_pack("{s:s, s:s, s:s, s:O}", "state", what, "name", name, "reason", reason,
			"count", n));
}

static json_t *triggers(const struct ctl_shows *s)
{
	const struct ctl_engine *engine = ctl_pipeline_engine(s->pipeline);
	json_t *triggers = ctl_engine_triggers_json(engine);
	json_t *suppressed = ctl_engine_suppressed_json(engine);
	json_t *rows = json_array(), *n, *reasons;
	const char *name, *reason;

	json_object_foreach(triggers, name, n)
	{
		decision_row(rows, "decided", name, "", n);
	}
	json_object_foreach(suppressed, name, reasons)
	{
		json_object_foreach(reasons, reason, n)
		{
			decision_row(rows, "withheld", name, reason, n);
		}
	}
	json_decref(triggers);
	json_decref(suppressed);
	return rows;
}

static json_t *store(const struct ctl_shows *s)
{
	struct ctl_keeper *keeper = ctl_pipeline_keeper(s->pipeline);
	json_t *rows = json_array();

	json_t *row = keeper != NULL ? ctl_store_json(ctl_keeper_store(keeper))
				     : json_pack("{s:s, s:s}", "state", "off", "consequence",
					       "a restart forgets (store.enabled: false)");
	struct dp_err why;

	if (keeper != NULL) // without memory it is missing
		(void)json_object_set_new(row, "unreadable",
			json_integer((json_int_t)ctl_engine_n_unreadable(
				ctl_pipeline_engine(s->pipeline), &why)));
	(void)json_array_append_new(rows, row);
	return rows;
}

static json_t *samples(const struct ctl_shows *s)
{
	json_t *rows = json_array();

	(void)json_array_append_new(rows, ctl_sampler_json(ctl_pipeline_sampler(s->pipeline)));
	return rows;
}

static json_t *gaps(const struct ctl_shows *s)
{
	return ctl_gaps_json(ctl_pipeline_gaps(s->pipeline));
}

static json_t *redis(const struct ctl_shows *s)
{
	json_t *rows = json_array(), *row = ctl_publisher_json(s->publisher);

	if (s->mirror != NULL)
		ctl_mirror_json(s->mirror, row);
	(void)json_array_append_new(rows, row);
	return rows;
}

/* Answer with rows, given, from where the page before left off. */
static void answer(const json_t *args, struct ctl_reply *reply, json_t *rows)
{
	const char *after = ctl_args_text(args, "after");
	char cursor[24];

	for (size_t i = after != NULL ? strtoul(after, NULL, 10) : 0; i < json_array_size(rows);
		i++) {
		if (ctl_reply_add(reply, json_incref(json_array_get(rows, i))))
			continue;
		(void)snprintf(cursor, sizeof(cursor), "%zu", i);
		ctl_reply_next(reply, cursor);
		break;
	}
	json_decref(rows);
}

static void show_ports(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, ports(ctx));
}

static void show_workers(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, workers(ctx));
}

static void show_ledger(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const char *part = ctl_args_text(args, "arg");
	json_t *rows = ctl_ledger_json(s->pipeline, part);

	if (part != NULL && json_array_size(rows) == 0 && !ctl_ledger_is_part(part)) {
		json_decref(rows);
		ctl_reply_fail(reply, true,
			"ledger: nothing of that name, expected total, port, worker, encapsulation, "
			"fragments, copies, tcp, xdp, or a part as it stands there");
		return;
	}
	answer(args, reply, rows);
}

static void show_signalling(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;

	answer(args, reply, ctl_signalling_rows(s->pipeline));
}

static void show_apps(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, apps(ctx));
}

static void show_quality(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, quality(ctx));
}

static void show_triggers(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, triggers(ctx));
}

static void show_redis(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, redis(ctx));
}

static void show_store(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, store(ctx));
}

static void show_gaps(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, gaps(ctx));
}

static void show_rot(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const char *app = ctl_args_text(args, "arg");
	json_t *rows = ctl_rot_rows(s->pipeline, app);

	if (app != NULL && json_array_size(rows) == 0) {
		json_decref(rows);
		ctl_reply_fail(reply, false, "rot: nothing is found of an app of that name");
		return;
	}
	answer(args, reply, rows);
}

static void show_samples(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	answer(args, reply, samples(ctx));
}

static void show_stream(void *ctx, const json_t *, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;

	(void)ctl_reply_add(reply, ctl_publisher_stream_json(s->publisher));
}

/* The operator's choice. */
static void do_stream(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const char *word = ctl_args_text(args, "arg");
	const bool is_resend = g_strcmp0(word, "resend") == 0;
	char sentence[256];

	if (!is_resend && g_strcmp0(word, "continue") != 0) {
		ctl_reply_fail(reply, true, "stream: expected resend or continue");
		return;
	}
	if (ctl_publisher_choose(s->publisher, is_resend ? CTL_CHOICE_RESEND : CTL_CHOICE_CONTINUE,
		    ctl_reply_asker(reply)->uid, sentence, sizeof(sentence)) < 0)
		ctl_reply_fail(reply, false, "%s: %s", word, sentence);
	else
		(void)ctl_reply_add(
			reply, json_pack("{ss ss}", "choice", word, "effect", sentence));
}

/* The identifier comes over the socket and is not repeated in the answer, but as a pseudonym. */
static void show_subscriber(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const char *id = ctl_args_text(args, "arg");
	const struct ctl_engine *engine = ctl_pipeline_engine(s->pipeline);
	bool is_told = false;
	json_t *record;

	if (id == NULL) {
		ctl_reply_fail(reply, true,
			"subscriber: no ID, expected a subject or msisdn:, imsi:, account:");
		return;
	}
	record = ctl_engine_subscriber_json(engine, id);
	if (record == NULL)
		record = ctl_engine_identifier_json(engine, id, &is_told);
	if (record == NULL)
		ctl_reply_fail(reply, false,
			is_told ? "nothing is known of that subscriber yet: told, but not seen"
				: "nothing is known of that subscriber: neither told nor seen");
	else
		(void)ctl_reply_add(reply, record);
}

const struct ctl_show ctl_show_table[] = {
	{"node", "", "the process: since when, and its clocks", ctl_show_node},
	{"ports", "", "capture ports: state, frames, loss", show_ports},
	{"workers", "", "workers: packets, flows, time", show_workers},
	{"ledger", "[PART]", "what became of each frame, tunnel, fragment and copy", show_ledger,
		.none = "nothing of that part was counted since the start"},
	{"signalling", "", "what messages said of who holds which address", show_signalling,
		.none = "no signalling is read: binding.sources names none"},
	{"apps", "", "bytes, packets and flows per app since the start", show_apps,
		.none = "no app has been seen since the start"},
	{"flows", "", "single flows that live or ended lately, most bytes first", ctl_show_flows,
		.options = ctl_show_flows_options},
	{"unknown", "", "what has no app in them, by what a rule could be made of",
		ctl_show_unknown, .options = ctl_show_unknown_options},
	{"quality", "", "TCP: retransmissions, round trips, since the start and lately",
		show_quality},
	{"triggers", "", "triggers decided per type, withheld per rule and reason", show_triggers,
		.none = "no trigger was decided or withheld since the start"},
	{"redis", "", "delivery: state, backlog, what was published", show_redis},
	{"store", "", "what outlives the process: state, backlog, size", show_store},
	{"gaps", "", "when wirecue, or a port of it, saw nothing or not all", show_gaps,
		.none = "no gap is known of"},
	{"rot", "[APP]", "apps whose names have been changed; of APP, a draft of the new ones",
		show_rot},
	{"samples", "", "captures of flows that stay unknown: state, files, flows", show_samples},
	{"stream", "", "how the stream in Redis and the outbox stand", show_stream},
	{"stream", "resend|continue", "choose, when they do not fit", do_stream, .acts = true},
	{"history", "", "versions of the catalogue: when, who, why, which is in force",
		ctl_show_history,
		.none = "no version is known of: the configured catalogue is in force"},
	{"staged", "", "the catalogue that waits for a commit", ctl_show_staged},
	{"diff", "[NUMBER]",
		"what it would change: goes through all flows; the changes of that NUMBER",
		ctl_show_diff},
	{"flow", "FLOW", "one flow: what it counts for, and why", ctl_show_flow},
	{"stage", "FILE", "read a catalogue and look at it", ctl_do_stage, .acts = true},
	{"commit", "", "what is staged is in force", ctl_do_commit, .acts = true},
	{"rollback", "[VERSION]", "a version is in force again", ctl_do_rollback, .acts = true},
	{"change", "ID", "what became of these three", ctl_do_change, .acts = true},
	{"mistakes", "ID", "what is wrong with that catalogue", ctl_do_mistakes, .acts = true},
	{"subscriber", "ID", "what is known of one subscriber", show_subscriber},
	{NULL},
};

/* How far what is known lies ahead of what is durable. */
static void heartbeat_store(const struct ctl_shows *s, json_t *object)
{
	struct ctl_keeper *keeper = ctl_pipeline_keeper(s->pipeline);
	struct ctl_store_stats stats;
	uint64_t watermark_ns;

	if (keeper == NULL)
		return;
	ctl_store_stats(ctl_keeper_store(keeper), &stats);
	watermark_ns = MAX(ctl_pipeline_watermark(s->pipeline), stats.watermark_ns);
	(void)json_object_set_new(object, "store",
		json_pack("{s:s, s:o}", "state", stats.failing_since_ns == 0 ? "ok" : "failing",
			"committed_lag_ms",
			integer(stats.watermark_ns == 0
					? 0
					: (watermark_ns - stats.watermark_ns) / 1000000)));
}

static void heartbeat_shares(const struct ctl_shows *s, json_t *object)
{
	const struct ctl_coverage c = ctl_engine_coverage(ctl_pipeline_engine(s->pipeline));

	(void)json_object_set_new(object, "coverage",
		json_pack("{s:o, s:o, s:o}", "capture_loss", ctl_share_json(c.capture_loss),
			"unclassified", ctl_share_json(c.unclassified), "unbound",
			ctl_share_json(c.unbound)));
	if (s->mirror != NULL)
		(void)json_object_set_new(
			object, "hashes_waiting", integer(ctl_mirror_n_waiting(s->mirror)));
}

void ctl_shows_tend(struct ctl_shows *s)
{
	ctl_shown_flows_tend(s->flows);
	ctl_shown_unknown_tend(s->unknown);
}

void ctl_shows_heartbeat(const struct ctl_shows *s, json_t *object)
{
	struct dp_path_stats st;
	char watermark[CTL_UTC_MAX];

	const uint64_t watermark_ns = ctl_pipeline_watermark(s->pipeline);

	ctl_utc_format(watermark_ns, watermark);
	dp_path_stats(ctl_pipeline_path(s->pipeline), &st);
	(void)json_object_set_new(
		object, "watermark", watermark_ns > 0 ? json_string(watermark) : json_null());
	(void)json_object_set_new(object, "frames", integer(st.frames));
	(void)json_object_set_new(object, "lost", integer(ctl_ledger_lost(&st)));
	(void)json_object_set_new(object, "imbalance", ratio(s->balance.busiest));
	(void)json_object_set_new(
		object, "rot", integer(ctl_rot_n_current(ctl_pipeline_rot(s->pipeline))));
	heartbeat_shares(s, object);
	heartbeat_store(s, object);
}
