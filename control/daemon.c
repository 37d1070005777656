// SPDX-License-Identifier: BSD-3-Clause
#include "control/daemon.h"

#include "control/changes.h"
#include "control/keeper.h"
#include "control/log.h"
#include "control/mirror.h"
#include "control/notify.h"
#include "control/pipeline.h"
#include "control/publisher.h"
#include "control/shows.h"
#include "control/shows_flow.h"
#include "control/socket.h"
#include "control/watch_path.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/time.h>

enum {
	POLL_US = 2000, // how long records wait at most; well below the second we promise
	PORTS_MAX = 16,
	SIGNALS = 3,
};
static const uint64_t STOP_FLUSH_NS = 5ULL * 1000000000; // systemd's patience is 90 s

struct daemon {
	const struct ctl_daemon_config *cfg;
	struct event_base *base;
	struct ctl_pipeline *pipeline;
	struct ctl_publisher *publisher;
	struct ctl_mirror *mirror; // NULL without redis.hashes
	struct ctl_changes *changes;
	struct ctl_live_diff *diff;
	struct ctl_socket *socket;
	struct ctl_shows shows;
	struct event *signals[SIGNALS];
	struct ctl_path_watch *watch;
	struct event *poll_timer, *log_timer, *watch_timer;
	struct event *kept; // something was committed; NULL without a store
	bool is_stopping;
};

static void on_poll(evutil_socket_t, short, void *ctx)
{
	struct daemon *d = ctx;

	(void)ctl_pipeline_poll(d->pipeline);
}

static void on_kept(evutil_socket_t, short, void *ctx)
{
	struct daemon *d = ctx;

	ctl_keeper_heard(ctl_pipeline_keeper(d->pipeline));
}

static void on_log(evutil_socket_t, short, void *)
{
	ctl_log_flush();
}

static void on_watch(evutil_socket_t, short, void *ctx)
{
	struct daemon *d = ctx;
	struct dp_path_stats before, after;

	dp_path_stats(ctl_pipeline_path(d->pipeline), &before);
	dp_path_stats(ctl_pipeline_path(d->pipeline), &after);
	ctl_path_watch_look(d->watch, &before, &after);
	ctl_shows_tend(&d->shows);
	ctl_balance_look_at(&d->shows.balance, ctl_pipeline_path(d->pipeline),
		ctl_pipeline_workers(d->pipeline));
}

static void on_stop(evutil_socket_t signal, short, void *ctx)
{
	struct daemon *d = ctx;

	ctl_log(CTL_LOG_NOTICE, "stopping", CTL_COUNT("signal", (uint64_t)signal));
	(void)event_base_loopbreak(d->base);
}

static void on_reload(evutil_socket_t, short, void *ctx)
{
	struct daemon *d = ctx;

	// The workers are gone: nobody would tell when the old configuration is out of use.
	if (d->is_stopping)
		ctl_log(CTL_LOG_NOTICE, "reload_refused",
			CTL_TEXT("cause", "the daemon is stopping"));
	else
		ctl_changes_reload(d->changes);
}

static void on_leaving(void *ctx)
{
	struct daemon *d = ctx;

	ctl_live_diff_cancel(d->diff);
}

/* Another configuration or catalogue is in force. */
static void on_swapped(void *ctx)
{
	struct daemon *d = ctx;

	if (d->mirror != NULL)
		ctl_mirror_reload(d->mirror);
}

static void heartbeat(void *ctx, json_t *object)
{
	const struct daemon *d = ctx;

	ctl_shows_heartbeat(&d->shows, object);
}

static int add_signal(struct daemon *d, size_t i, int number, event_callback_fn fn)
{
	d->signals[i] = evsignal_new(d->base, number, fn, d);
	return d->signals[i] != NULL && event_add(d->signals[i], NULL) == 0 ? 0 : -1;
}

static struct event *add_timer(struct daemon *d, const struct timeval *every, event_callback_fn fn)
{
	struct event *timer = event_new(d->base, -1, EV_PERSIST, fn, d);

	if (timer == NULL || event_add(timer, every) != 0)
		return NULL;
	return timer;
}

void ctl_daemon_hold_reloads(bool is_held)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(is_held ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL); // valid arguments
}

static int open_loop(struct daemon *d, struct dp_err *reterr)
{
	static const struct timeval poll_every = {.tv_usec = POLL_US};
	static const struct timeval log_every = {.tv_sec = CTL_LOG_WINDOW_NS / 1000000000};

	d->poll_timer = add_timer(d, &poll_every, on_poll);
	d->log_timer = add_timer(d, &log_every, on_log);
	if (d->poll_timer == NULL || d->log_timer == NULL ||
		add_signal(d, 0, SIGTERM, on_stop) < 0 || add_signal(d, 1, SIGINT, on_stop) < 0 ||
		add_signal(d, 2, SIGHUP, on_reload) < 0)
		return dp_fail(reterr, ENOMEM, "cannot set up the event loop: %m");
	ctl_daemon_hold_reloads(false);
	return 0;
}

/* What is committed is published at once, not with the next poll. */
static int open_kept(struct daemon *d, struct dp_err *reterr)
{
	const struct ctl_keeper *keeper = ctl_pipeline_keeper(d->pipeline);

	if (keeper == NULL)
		return 0;
	d->kept = event_new(d->base, ctl_keeper_fd(keeper), EV_READ | EV_PERSIST, on_kept, d);
	if (d->kept == NULL || event_add(d->kept, NULL) != 0)
		return dp_fail(reterr, ENOMEM, "cannot set up the event loop: %m");
	return 0;
}

/* Its first look is when there is something to see. */
static int open_watch(struct daemon *d, struct dp_err *reterr)
{
	static const struct timeval every = {.tv_sec = CTL_PATH_LOOK_NS / 1000000000};
	const struct ctl_config *config = ctl_pipeline_config_of(d->pipeline);

	d->watch = ctl_path_watch_new((enum dp_duplicates_mode)config->duplicates,
		(unsigned int)config->n_ports * ctl_pipeline_workers(d->pipeline));
	d->watch_timer = add_timer(d, &every, on_watch);
	return d->watch_timer != NULL ? 0
				      : dp_fail(reterr, ENOMEM, "cannot set up the event loop: %m");
}

static int open_delivery(struct daemon *d, struct dp_err *reterr)
{
	const struct ctl_config *config = ctl_pipeline_config_of(d->pipeline);
	const struct ctl_publisher_config pc = {
		.redis = &config->redis,
		.node = config->node,
		.outbox = ctl_pipeline_outbox(d->pipeline),
		.heartbeat = heartbeat,
		.heartbeat_ctx = d,
	};
	const struct ctl_mirror_config mc = {
		.redis = &config->redis,
		.node = config->node,
		.engine = ctl_pipeline_engine(d->pipeline),
	};
	int r = ctl_publisher_new(d->base, &pc, &d->publisher, reterr);

	if (r == 0 && config->redis.hashes)
		r = ctl_mirror_new(d->base, &mc, &d->mirror, reterr);
	if (r < 0)
		return r;
	d->shows.pipeline = d->pipeline;
	d->shows.publisher = d->publisher;
	d->shows.mirror = d->mirror;
	d->shows.changes = d->changes;
	d->shows.diff = d->diff;
	d->shows.finder = ctl_flow_finder_new(d->pipeline);
	d->shows.flows = ctl_shown_flows_new(d->pipeline);
	d->shows.unknown = ctl_shown_unknown_new(d->pipeline);
	d->shows.start = ctl_node_start_now();
	return ctl_socket_open(
		d->base, config->control_socket, ctl_show_table, &d->shows, &d->socket, reterr);
}

static int open_changes(struct daemon *d, struct dp_err *reterr)
{
	const struct ctl_changes_config cc = {
		.base = d->base,
		.pipeline = d->pipeline,
		.path = d->cfg->path,
		.overrides = &d->cfg->overrides,
		.start = &d->cfg->apps,
		.leaving = on_leaving,
		.swapped = on_swapped,
		.ctx = d,
	};
	const int r = ctl_live_diff_new(ctl_pipeline_survey(d->pipeline), &d->diff, reterr);

	return r < 0 ? r : ctl_changes_new(&cc, &d->changes, reterr);
}

static void report_port_up(const struct daemon *d, size_t i, const char *device)
{
	struct ctl_taken taken;
	const char *warning;

	ctl_pipeline_taken(d->pipeline, i, &taken);
	ctl_log(CTL_LOG_INFO, "port_up", CTL_TEXT("device", device), CTL_TEXT("path", taken.path),
		CTL_TEXT("why", taken.why));
	for (size_t n = 0; (warning = ctl_pipeline_warning(d->pipeline, i, n)) != NULL; n++)
		ctl_log(CTL_LOG_WARNING, "port_doubtful", CTL_TEXT("device", device),
			CTL_TEXT("cause", warning));
}

static void report_ports(const struct daemon *d)
{
	struct dp_port_stats ports[PORTS_MAX];
	const size_t n = dp_path_ports(ctl_pipeline_path(d->pipeline), ports, PORTS_MAX);

	for (size_t i = 0; i < n; i++) {
		if (ports[i].down[0] != '\0') {
			ctl_log(CTL_LOG_ERR, "port_down", CTL_TEXT("device", ports[i].name),
				CTL_TEXT("cause", ports[i].down),
				CTL_TEXT("consequence", "the other ports work without it"));
			continue;
		}
		report_port_up(d, i, ports[i].name);
		if (g_str_has_prefix(ports[i].name, "net_af_packet"))
			ctl_log(CTL_LOG_WARNING, "port_blind", CTL_TEXT("device", ports[i].name),
				CTL_TEXT("cause",
					"net_af_packet reports no loss and cuts long frames"),
				CTL_TEXT("consequence",
					"coverage is too good here; prefer net_pcap"));
	}
}

static int open_all(struct daemon *d, struct dp_err *reterr)
{
	int r;

	d->base = event_base_new();
	if (d->base == NULL) {
		ctl_config_free(d->cfg->config);
		return dp_fail(reterr, ENOMEM, "cannot set up the event loop: %m");
	}
	// Signals first: who asks to reload or stop while ports open is answered afterwards.
	r = open_loop(d, reterr);
	if (r < 0) {
		ctl_config_free(d->cfg->config);
		return r;
	}
	r = ctl_pipeline_open(&(struct ctl_pipeline_config){.config = d->cfg->config,
				      .is_published = true,
				      .has_store = d->cfg->config->store.enabled},
		&d->pipeline, reterr);
	if (r == 0)
		r = open_kept(d, reterr);
	if (r == 0)
		r = open_changes(d, reterr);
	if (r == 0)
		r = open_delivery(d, reterr);
	if (r == 0)
		r = open_watch(d, reterr);
	if (r == 0)
		r = ctl_pipeline_start(d->pipeline, reterr);
	return r;
}

static void free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

static void close_all(struct daemon *d)
{
	ctl_socket_close(d->socket);
	ctl_flow_finder_free(d->shows.finder);
	ctl_live_diff_free(d->diff); // it reads what is staged
	ctl_shown_flows_free(d->shows.flows);
	ctl_shown_unknown_free(d->shows.unknown);
	if (!ctl_changes_end(
		    d->changes)) { // its thread reads what the pipeline has: nothing is freed
		ctl_log_flush();
		return;
	}
	ctl_changes_free(d->changes);
	ctl_mirror_free(d->mirror);
	ctl_publisher_free(d->publisher);
	free_event(d->kept);
	ctl_pipeline_close(d->pipeline);
	for (size_t i = 0; i < SIGNALS; i++)
		free_event(d->signals[i]);
	free_event(d->poll_timer);
	free_event(d->log_timer);
	free_event(d->watch_timer);
	ctl_path_watch_free(d->watch);
	if (d->base != NULL)
		event_base_free(d->base);
	ctl_log_flush();
}

/* What was received is counted, what was decided is delivered, as far as Redis answers. Returns
 * whether what is known is on the disk. */
static bool stop(struct daemon *d)
{
	size_t left;
	bool is_kept;

	d->is_stopping = true;
	ctl_changes_stop(d->changes);
	(void)ctl_notify("STOPPING=1");
	if (!ctl_pipeline_finish(d->pipeline))
		ctl_log(CTL_LOG_ERR, "stop_incomplete",
			CTL_TEXT("consequence", "the last tick's usage is missing"));
	left = ctl_publisher_flush(d->publisher, STOP_FLUSH_NS);
	is_kept = ctl_pipeline_keep(d->pipeline);
	if (!is_kept)
		ctl_log(CTL_LOG_ERR, "stop_unkept", CTL_TEXT("cause", "the store does not take it"),
			CTL_TEXT("consequence", "the last ticks are lost"));
	if (left > 0 && !is_kept)
		ctl_log(CTL_LOG_ERR, "triggers_undelivered", CTL_COUNT("count", left),
			CTL_TEXT("consequence", "those that the store did not take are lost"));
	else if (left > 0 && ctl_pipeline_keeper(d->pipeline) != NULL)
		ctl_log(CTL_LOG_NOTICE, "triggers_waiting", CTL_COUNT("count", left),
			CTL_TEXT("consequence", "the next start has them"));
	else if (left > 0)
		ctl_log(CTL_LOG_ERR, "triggers_undelivered", CTL_COUNT("count", left));
	return is_kept;
}

int ctl_daemon_run(const struct ctl_daemon_config *config, struct dp_err *reterr)
{
	struct daemon d = {.cfg = config};
	int r = open_all(&d, reterr);
	const bool is_open = r == 0;

	if (is_open) {
		report_ports(&d);
		ctl_log(CTL_LOG_NOTICE, "ready", CTL_TEXT("version", WIRECUE_VERSION),
			CTL_COUNT("workers", ctl_pipeline_workers(d.pipeline)));
		(void)ctl_notify("READY=1\nSTATUS=running");
		(void)event_base_dispatch(d.base);
		if (!stop(&d))
			r = dp_fail(reterr, EIO,
				"stopped, but the store did not take the last ticks: see the log");
	}
	close_all(&d);
	if (is_open)
		ctl_log(CTL_LOG_NOTICE, "stopped");
	return r;
}
