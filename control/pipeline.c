// SPDX-License-Identifier: BSD-3-Clause
#include "control/pipeline.h"

#include "classifier/ndpi.h"
#include "control/apps_yaml.h"
#include "control/bindings_file.h"
#include "control/collect.h"
#include "control/engine.h"
#include "control/flowlog.h"
#include "control/keeper.h"
#include "control/log.h"
#include "control/offload.h"
#include "control/qualities.h"
#include "control/quality.h"
#include "control/recent.h"
#include "control/rot.h"
#include "control/sampler.h"
#include "control/sig_sessions.h"
#include "control/takeover.h"
#include "control/totals.h"
#include "control/utc.h"
#include "control/watch_sources.h"
#include "ebpf/offload.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { FINISH_TICKS = 2, PORTS_MAX = 16 };
static const uint64_t FINISH_NS = 5ULL * 1000000000;
static const uint64_t KEEP_NS = 20ULL * 1000000000; // of a disk that is slow at the end
static const uint64_t CLOCK_AHEAD_NS = 10ULL * 1000000000; // that nobody need hear of

struct ctl_pipeline {
	struct ctl_config *config; // in force
	struct ctl_config *first; // the one it was opened with: others borrow what cannot change
	struct ctl_config *retired; // until no worker reads its catalogue
	struct dp_path_grace grace;
	uint16_t n_workers;
	struct dp_stage
		stages[CTL_WORKERS_MAX]; // belong to the path; kept to switch their catalogue
	struct dp_ignore captures_ignore; // the path borrows it
	struct ctl_plan plan;
	struct dp_offload *offload; // NULL: nothing stands in front of the path
	struct dp_path *path;
	struct ctl_collect *collect;
	struct ctl_engine *engine;
	struct ctl_outbox *outbox;
	struct ctl_keeper *keeper; // NULL: a restart forgets
	struct ctl_flowlog *flowlog;
	struct ctl_rot *rot;
	struct ctl_sessions *sessions; // NULL: no signalling is read
	struct ctl_totals *totals;
	struct ctl_quality_node quality;
	struct ctl_qualities *qualities; // NULL when live
	struct ctl_gaps *gaps; // the keeper's, or ours without one
	struct ctl_source_watch *sources; // NULL in replay
	struct ctl_sampler *sampler; // NULL without samples
	struct ctl_recent *recent; // NULL: flows that ended are not kept
	struct ctl_survey *survey; // NULL in replay
	struct ctl_survey_source notes; // of it
	uint64_t notes_dropped; // when the last tick ended
	uint64_t seen_ns; // end of the last tick
	bool is_live;
	bool is_whole; // nothing passed uncounted since the last stop
	bool is_eal_started;
};

/* Share of the tick that no flow has seen, 0..1. */
static double capture_loss(struct ctl_pipeline *p, uint64_t end_ns)
{
	const uint64_t from_ns = p->seen_ns != 0 ? p->seen_ns : end_ns - p->config->tick_ns;
	struct dp_port_stats ports[PORTS_MAX];
	struct dp_path_stats path;

	if (!p->is_live)
		return 0;
	p->seen_ns = end_ns;
	dp_path_stats(p->path, &path);
	p->notes_dropped = path.notes_dropped;
	(void)dp_path_ports(p->path, ports, PORTS_MAX);
	return ctl_source_watch_tick(p->sources, from_ns, end_ns, &path, ports);
}

static void on_tick(void *ctx, uint64_t end_ns, const struct dp_record *records, size_t n)
{
	struct ctl_pipeline *p = ctx;

	ctl_totals_add(p->totals, records, n);
	ctl_quality_node_tick(&p->quality, end_ns, records, n);
	if (p->qualities != NULL)
		ctl_qualities_add(p->qualities, records, n);
	if (p->flowlog != NULL)
		ctl_flowlog_tick(p->flowlog, end_ns / p->config->tick_ns - 1);
	ctl_rot_tick(p->rot, end_ns);
	// A replay that goes on after a kill reads its captures again: this was worked then.
	if (p->keeper != NULL && end_ns <= ctl_keeper_watermark(p->keeper))
		return;
	ctl_takeover_tick(p->offload, end_ns);
	ctl_engine_tick(p->engine, end_ns, records, n, capture_loss(p, end_ns));
	if (p->keeper != NULL)
		ctl_keeper_tick(p->keeper, end_ns);
	else
		ctl_outbox_seal(p->outbox, NULL);
}

static void on_signalling(void *ctx, const struct dp_signalling *message)
{
	struct ctl_pipeline *p = ctx;

	ctl_sessions_take(p->sessions, message);
}

static void on_note(void *ctx, const struct dp_record *note)
{
	struct ctl_pipeline *p = ctx;

	ctl_flowlog_add(p->flowlog, note);
	ctl_rot_note(p->rot, note);
}

static void on_live_note(void *ctx, const struct dp_record *note)
{
	struct ctl_pipeline *p = ctx;

	ctl_survey_note(p->survey, note);
	ctl_rot_note(p->rot, note);
	if (p->recent != NULL && note->note.why == DP_NOTE_END)
		ctl_recent_add(p->recent, note, p->notes_dropped);
}

static void on_told(void *ctx, uint16_t worker, uint64_t request)
{
	struct ctl_pipeline *p = ctx;

	ctl_survey_told(p->survey, worker, request);
}

static uint64_t tell(void *ctx)
{
	struct ctl_pipeline *p = ctx;

	return dp_path_tell(p->path);
}

static uint64_t now_ns(void *ctx)
{
	const struct ctl_pipeline *p = ctx;

	return dp_path_now_ns(p->path);
}

static uint64_t notes_dropped(void *ctx)
{
	const struct ctl_pipeline *p = ctx;
	struct dp_path_stats stats;

	dp_path_stats(p->path, &stats);
	return stats.notes_dropped;
}

/* Flows of a running daemon. */
static int open_survey(struct ctl_pipeline *p, struct dp_err *reterr)
{
	const uint64_t n_recent = p->config->n_recent;
	const int r = n_recent > 0 ? ctl_recent_new(n_recent, &p->recent, reterr) : 0;

	if (r < 0)
		return r;
	p->notes = (struct ctl_survey_source){.tell = tell,
		.now_ns = now_ns,
		.n_dropped = notes_dropped,
		.tick_ns = p->config->tick_ns};
	p->survey = ctl_survey_new(&p->notes, p, p->n_workers, p->recent);
	return 0;
}

static void open_sessions(struct ctl_pipeline *p, struct ctl_bindings_file *file)
{
	const struct ctl_binding_options *o = &p->config->binding;
	struct ctl_sessions_config sc = {
		.n_max = o->n_sessions,
		.guard_ns = o->guard_ns,
		.protos = o->protos,
		.ipv6_prefix_len = p->config->nets.ipv6_prefix_len,
		.ended = file != NULL ? ctl_bindings_file_add : NULL,
		.ctx = file,
	};

	memcpy(sc.ranks, o->ranks, sizeof(sc.ranks));
	if (o->protos != 0)
		p->sessions = ctl_sessions_new(&sc);
}

static int open_stages(struct ctl_pipeline *p, struct dp_err *reterr)
{
	for (uint16_t i = 0; i < p->n_workers; i++) {
		const int r = cls_stage_new(p->config->catalogue, &p->stages[i], reterr);

		if (r == 0)
			continue;
		while (i-- > 0)
			p->stages[i].ops->free(p->stages[i].self);
		return r;
	}
	return 0;
}

static int open_path(
	struct ctl_pipeline *p, const struct ctl_pipeline_config *c, struct dp_err *reterr)
{
	struct dp_stage given[CTL_WORKERS_MAX];
	struct dp_path_config *path = &p->plan.path;
	int r;

	ctl_plan_make(&p->plan, p->config, c->captures, c->n_captures, p->n_workers);
	path->is_exact = c->is_exact;
	path->captures_ignore = &p->captures_ignore;
	path->not_before_ns = p->keeper != NULL ? ctl_keeper_watermark(p->keeper) : 0;
	r = p->is_live ? 0 : ctl_config_ignored(p->config, &p->captures_ignore, reterr);
	if (r == 0) {
		r = dp_eal_start(&p->plan.eal, reterr);
		p->is_eal_started = true;
	}
	if (r == 0 && (p->is_live || c->is_xdp))
		r = ctl_offload_open(&p->plan, p->config, &p->offload, reterr);
	if (r == 0)
		r = open_stages(p, reterr);
	if (r == 0) {
		memcpy(given, p->stages, sizeof(given));
		path->stages = given;
		r = dp_path_open(path, &p->path, reterr);
		path->stages = NULL;
	}
	return r;
}

/* Engine and outbox, and what they remember. */
static int open_control(
	struct ctl_pipeline *p, const struct ctl_pipeline_config *c, struct dp_err *reterr)
{
	struct ctl_outbox_config oc = {
		.queue_max = p->config->redis.queue_max,
		.n_retained = p->config->redis.n_retained,
		.is_replay = !p->is_live,
		.is_published = c->is_published,
		.file = c->trigger_file,
	};
	int r = c->has_store ? ctl_keeper_open(p->config, &p->keeper, reterr) : 0;

	if (r < 0)
		return r;
	if (p->keeper != NULL)
		oc.store = ctl_keeper_store(p->keeper);
	p->gaps = p->keeper != NULL ? ctl_keeper_gaps(p->keeper) : ctl_gaps_new();
	p->sources = p->is_live ? ctl_source_watch_new(p->config, p->gaps) : NULL;
	p->outbox = ctl_outbox_new(&oc);
	r = ctl_engine_new(p->config, ctl_outbox_push, p->outbox, &p->engine, reterr);
	if (r < 0)
		return r;
	if (p->sessions != NULL)
		ctl_engine_set_bindings(p->engine, ctl_sessions_bindings(p->sessions));
	if (!p->is_live)
		p->qualities = ctl_qualities_new(p->config, ctl_engine_whose(p->engine));
	if (p->keeper != NULL)
		r = ctl_keeper_restore(p->keeper, p->engine, p->outbox, reterr);
	return r;
}

/* In replay its findings are in the report. */
static int open_rot(struct ctl_pipeline *p, struct dp_err *reterr)
{
	struct ctl_domains *domains;
	const int r = ctl_domains_open(&domains, reterr);

	if (r < 0)
		return r;
	p->rot = ctl_rot_new(&p->config->rot, p->config->tick_ns, domains, p->gaps,
		p->is_live ? ctl_rot_log : NULL, NULL);
	ctl_rot_catalogue(p->rot, p->config->catalogue);
	return p->keeper != NULL ? ctl_keeper_restore_rot(p->keeper, p->rot, reterr) : 0;
}

int ctl_pipeline_open(const struct ctl_pipeline_config *c, struct ctl_pipeline **ret_pipeline,
	struct dp_err *reterr)
{
	static const struct ctl_collect_ops live = {.tick = on_tick,
		.signalling = on_signalling,
		.note = on_live_note,
		.told = on_told};
	static const struct ctl_collect_ops replay = {
		.tick = on_tick, .signalling = on_signalling, .note = on_note};
	struct ctl_pipeline *p = g_new0(struct ctl_pipeline, 1);
	int r;

	p->config = c->config;
	p->first = c->config;
	p->is_live = c->captures == NULL;
	p->n_workers = ctl_plan_workers(p->config, p->is_live);
	p->totals = ctl_totals_new();
	p->flowlog = p->is_live ? NULL : ctl_flowlog_new();
	open_sessions(p, c->bindings_file);
	r = open_control(p, c, reterr);
	if (r == 0)
		r = open_rot(p, reterr);
	if (r == 0)
		r = open_path(p, c, reterr);
	if (r == 0 && p->is_live)
		r = open_survey(p, reterr);
	if (r < 0) {
		ctl_pipeline_close(p);
		return r;
	}
	p->collect = ctl_collect_new(
		p->path, p->n_workers, p->config->tick_ns, p->is_live ? &live : &replay, p);
	r = ctl_takeover(p->offload, p->collect, dp_path_now_ns(p->path), p->config->tick_ns,
		&p->is_whole, reterr);
	if (r < 0) {
		ctl_pipeline_close(p);
		return r;
	}
	*ret_pipeline = p;
	return 0;
}

void ctl_pipeline_close(struct ctl_pipeline *p)
{
	if (p == NULL)
		return;
	ctl_sampler_free(p->sampler); // takes what the path has
	dp_path_close(p->path);
	ebpf_offload_close(p->offload);
	ctl_plan_fini(&p->plan);
	ctl_collect_free(p->collect);
	ctl_engine_free(p->engine);
	ctl_outbox_free(p->outbox);
	ctl_source_watch_free(p->sources);
	ctl_survey_free(p->survey);
	ctl_recent_free(p->recent);
	ctl_rot_free(p->rot);
	if (p->keeper == NULL)
		ctl_gaps_free(p->gaps);
	ctl_keeper_close(p->keeper);
	ctl_flowlog_free(p->flowlog);
	ctl_sessions_free(p->sessions);
	ctl_totals_free(p->totals);
	ctl_qualities_free(p->qualities);
	if (p->retired != p->first)
		ctl_config_free(p->retired);
	if (p->config != p->first)
		ctl_config_free(p->config);
	ctl_config_free(p->first);
	if (p->is_eal_started)
		dp_eal_stop();
	g_free(p);
}

/* What passed while we were away, and a clock that was set back meanwhile. */
static void say_resumed(const struct ctl_pipeline *p)
{
	const uint64_t watermark_ns = ctl_keeper_watermark(p->keeper);
	const uint64_t wall_ns = ctl_utc_now_ns();

	if (watermark_ns > wall_ns + CLOCK_AHEAD_NS)
		ctl_log(CTL_LOG_ERR, "clock_behind",
			CTL_COUNT("seconds", (watermark_ns - wall_ns) / 1000000000),
			CTL_TEXT("cause", "the clock stands before what the store holds"),
			CTL_TEXT(
				"consequence", "event time goes on from there, ahead of the clock"),
			CTL_TEXT("remedy",
				"set the clock right and start again; when it was wrong before, restore "
				"a backup of the time before"));
	if (!p->is_whole)
		ctl_keeper_gap(p->keeper, dp_path_now_ns(p->path));
}

int ctl_pipeline_start(struct ctl_pipeline *p, struct dp_err *reterr)
{
	int r = 0;

	if (p->is_live && p->keeper != NULL)
		say_resumed(p);
	if (p->is_live)
		r = ctl_sampler_new(
			p->path, p->n_workers, &p->config->samples, &p->sampler, reterr);
	return r < 0 ? r : dp_path_start(p->path, reterr);
}

static void free_retired(struct ctl_pipeline *p)
{
	if (p->retired == NULL || !dp_path_grace_is_over(p->path, &p->grace))
		return;
	if (p->retired != p->first)
		ctl_config_free(p->retired);
	p->retired = NULL;
}

bool ctl_pipeline_poll(struct ctl_pipeline *p)
{
	bool is_busy;

	free_retired(p); // a large one is not kept because the disk is slow
	if (p->keeper != NULL) {
		ctl_pipeline_tend(p);
		if (!ctl_keeper_has_room(p->keeper))
			return false; // workers postpone
	}
	is_busy = ctl_collect_poll(p->collect);
	return (p->survey != NULL && ctl_survey_work(p->survey)) || is_busy;
}

void ctl_pipeline_tend(struct ctl_pipeline *p)
{
	if (p->keeper != NULL)
		ctl_keeper_tend(p->keeper);
	ctl_takeover_tend(p->offload, p->keeper);
}

bool ctl_pipeline_keep(struct ctl_pipeline *p)
{
	return p->keeper == NULL || ctl_keeper_flush(p->keeper, KEEP_NS);
}

bool ctl_pipeline_is_done(const struct ctl_pipeline *p)
{
	return dp_path_is_drained(p->path);
}

bool ctl_pipeline_finish(struct ctl_pipeline *p)
{
	const uint64_t begin_ns = dp_path_now_ns(p->path);
	const uint64_t tick = begin_ns / p->config->tick_ns + FINISH_TICKS;

	ctl_source_watch_end(p->sources, begin_ns);
	if (p->keeper != NULL)
		ctl_keeper_stopping(p->keeper, begin_ns);
	dp_path_finish(p->path, tick);
	while (ctl_collect_watermark(p->collect) <= tick * p->config->tick_ns) {
		if (dp_path_now_ns(p->path) - begin_ns > FINISH_NS)
			return false;
		if (!ctl_pipeline_poll(p))
			(void)sched_yield();
	}
	return true;
}

/* One at a time: a second reload waits out the first one's workers. Two rounds take microseconds, where
 * threads share CPUs and sleep some 200 us. */
static void wait_for_retired(struct ctl_pipeline *p)
{
	while (p->retired != NULL) {
		(void)sched_yield();
		free_retired(p);
	}
}

/* Workers and engine go on with p->config; what they had is in `retired`. */
static void switch_over(struct ctl_pipeline *p, struct ctl_config *retired)
{
	ctl_engine_reload(p->engine, p->config);
	ctl_rot_set_options(p->rot, &p->config->rot);
	ctl_rot_catalogue(p->rot, p->config->catalogue);
	for (uint16_t i = 0; i < p->n_workers; i++)
		cls_stage_set_catalogue(&p->stages[i], p->config->catalogue);
	p->retired = retired;
	dp_path_grace_begin(p->path, &p->grace);
}

void ctl_pipeline_reload(struct ctl_pipeline *p, struct ctl_config *config)
{
	struct ctl_config *retired = p->config;

	wait_for_retired(p);
	if (p->keeper != NULL)
		ctl_keeper_reload(p->keeper, config);
	ctl_sampler_reload(p->sampler, &config->samples);
	p->config = config;
	switch_over(p, retired);
}

void ctl_pipeline_set_apps(struct ctl_pipeline *p, struct ctl_apps *apps)
{
	struct ctl_config *retired = g_new0(struct ctl_config, 1); // nothing but the catalogue

	wait_for_retired(p);
	ctl_config_swap_apps(p->config, apps);
	retired->catalogue = g_steal_pointer(&apps->catalogue); // workers still read it
	switch_over(p, retired);
}

const struct ctl_config *ctl_pipeline_config_of(const struct ctl_pipeline *p)
{
	return p->config;
}

struct ctl_outbox *ctl_pipeline_outbox(struct ctl_pipeline *p)
{
	return p->outbox;
}

struct dp_path *ctl_pipeline_path(struct ctl_pipeline *p)
{
	return p->path;
}

struct ctl_keeper *ctl_pipeline_keeper(struct ctl_pipeline *p)
{
	return p->keeper;
}

const struct ctl_gaps *ctl_pipeline_gaps(const struct ctl_pipeline *p)
{
	return p->gaps;
}

const struct ctl_rot *ctl_pipeline_rot(const struct ctl_pipeline *p)
{
	return p->rot;
}

struct ctl_sampler *ctl_pipeline_sampler(struct ctl_pipeline *p)
{
	return p->sampler;
}

struct ctl_engine *ctl_pipeline_engine(struct ctl_pipeline *p)
{
	return p->engine;
}

struct ctl_survey *ctl_pipeline_survey(struct ctl_pipeline *p)
{
	return p->survey;
}

struct ctl_flowlog *ctl_pipeline_flowlog(struct ctl_pipeline *p)
{
	return p->flowlog;
}

struct ctl_sessions *ctl_pipeline_sessions(struct ctl_pipeline *p)
{
	return p->sessions;
}

uint16_t ctl_pipeline_workers(const struct ctl_pipeline *p)
{
	return p->n_workers;
}

uint64_t ctl_pipeline_watermark(const struct ctl_pipeline *p)
{
	return ctl_collect_watermark(p->collect);
}

json_t *ctl_pipeline_apps_json(const struct ctl_pipeline *p)
{
	return ctl_totals_json(p->totals, p->config->catalogue);
}

json_t *ctl_pipeline_quality_json(const struct ctl_pipeline *p)
{
	return ctl_quality_node_json(&p->quality);
}

const struct ctl_qualities *ctl_pipeline_qualities(const struct ctl_pipeline *p)
{
	return p->qualities;
}

void ctl_pipeline_taken(const struct ctl_pipeline *p, size_t i, struct ctl_taken *ret_taken)
{
	ctl_offload_taken(&p->plan, p->offload, i, ret_taken);
}

const char *ctl_pipeline_warning(const struct ctl_pipeline *p, size_t i, size_t n)
{
	return ctl_offload_warning(&p->plan, p->offload, i, n);
}
