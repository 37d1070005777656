// SPDX-License-Identifier: BSD-3-Clause
#include "control/bindings_file.h"
#include "control/commands.h"
#include "control/flowlog.h"
#include "control/keeper.h"
#include "control/ledger.h"
#include "control/log.h"
#include "control/pipeline.h"
#include "control/progress.h"
#include "control/publisher.h"
#include "control/report.h"
#include "control/sample_addrs.h"
#include "control/sig_sessions.h"
#include "control/trigger_file.h"

#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN true
#elif defined(__has_feature)
#define HAS_ASAN __has_feature(address_sanitizer)
#else
#define HAS_ASAN false
#endif

enum {
	BACKLOG_MAX = 65536, // triggers waiting for Redis before reading pauses; start value
	// While there is nothing to do: longer each time, as waking up costs some 10 us of CPU time and workers
	// are seldom heard of within a tick. A publisher has answers to read. Start values.
	IDLE_US = 500,
	IDLE_MAX_US = 8000,
	FLOWS_KEPT = 65536, // where nobody wants their lines: 100 MB at most; start value
};
static const uint64_t SLICE_NS = 100000000; // of delivering at the end, between looks at the store
static const uint64_t FLUSH_NS = 30ULL * 1000000000; // without progress at the end

struct options {
	const char *config;
	struct ctl_config_overrides overrides;
	const char *flows, *triggers, *bindings;
	bool is_json, no_redis, with_timing, is_exact, has_store;
	const char *const *captures;
	size_t n_captures;
};

struct replay {
	struct options opt;
	struct ctl_pipeline *pipeline;
	struct ctl_trigger_file *trigger_file;
	FILE *flows, *bindings;
	struct ctl_bindings_file *bindings_file;
	struct event_base *base;
	struct ctl_publisher *publisher;
	struct timespec begin;
};

static const char help_text[] =
	"usage: wirecue replay [-c FILE] [OPTION...] CAPTURE...\n"
	"\n"
	"The live pipeline over capture files (pcap, pcapng; several are merged by time), on the\n"
	"captures' own time, as fast as it goes. Prints a report.\n"
	"\n"
	"  -c, --config FILE     wirecue.yaml; without it: default networks, the shipped\n"
	"                        catalogue, no rules\n"
	"      --apps FILE       the catalogue, instead of the one that the configuration names\n"
	"      --source NAME     the capture path: dpdk (the default), or xdp, by the program in\n"
	"                        the kernel; the output is the same\n"
	"      --workers N       worker threads, 1 to 64; the output does not depend on it\n"
	"      --json            the report as one JSON object\n"
	"      --flows FILE      write one JSON object a flow\n"
	"      --triggers FILE   write one CloudEvent a line\n"
	"      --bindings FILE   write who held which address when, one JSON object a line\n"
	"      --redis URL       publish there instead of where the configuration says\n"
	"      --no-redis        publish nothing\n"
	"      --store DIR       keep what becomes known there; a replay that was killed goes on\n"
	"                        behind what it had kept, one of later captures on top of it\n"
	"      --timing          add timing figures to the report\n"
	"      --exact-frames    each frame in a heap block of its own size, for memory checkers\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit codes: 0 success; 1 a capture cannot be read or breaks off, triggers could not be\n"
	"delivered, or a frame is missing from the ledger; 2 usage or configuration error.\n";

enum {
	OPT_APPS = 256,
	OPT_SOURCE,
	OPT_WORKERS,
	OPT_JSON,
	OPT_FLOWS,
	OPT_TRIGGERS,
	OPT_BINDINGS,
	OPT_REDIS,
	OPT_NO_REDIS,
	OPT_STORE,
	OPT_TIMING,
	OPT_EXACT
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"apps", required_argument, NULL, OPT_APPS},
	{"source", required_argument, NULL, OPT_SOURCE},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"json", no_argument, NULL, OPT_JSON},
	{"flows", required_argument, NULL, OPT_FLOWS},
	{"triggers", required_argument, NULL, OPT_TRIGGERS},
	{"bindings", required_argument, NULL, OPT_BINDINGS},
	{"redis", required_argument, NULL, OPT_REDIS},
	{"no-redis", no_argument, NULL, OPT_NO_REDIS},
	{"store", required_argument, NULL, OPT_STORE},
	{"timing", no_argument, NULL, OPT_TIMING},
	{"exact-frames", no_argument, NULL, OPT_EXACT},
	{"help", no_argument, NULL, 'h'},
	{NULL},
};

static int set_workers(struct options *o, const char *text)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < 1 || n > 64)
		return ctl_complain(
			CTL_EXIT_USAGE, "--workers '%s', expected a number from 1 to 64", text);
	o->overrides.n_workers = n;
	return -1;
}

static int set_source(struct options *o, const char *text)
{
	o->overrides.is_xdp = strcmp(text, "xdp") == 0;
	if (o->overrides.is_xdp || strcmp(text, "dpdk") == 0)
		return -1;
	return ctl_complain(CTL_EXIT_USAGE, "--source '%s', expected dpdk or xdp", text);
}

/* Returns -1 to go on, else an exit status. */
static int set_option(struct options *o, int c, char *const argv[])
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return -1;
	case OPT_APPS:
		o->overrides.apps = optarg;
		return -1;
	case OPT_SOURCE:
		return set_source(o, optarg);
	case OPT_WORKERS:
		return set_workers(o, optarg);
	case OPT_JSON:
		o->is_json = true;
		return -1;
	case OPT_FLOWS:
		o->flows = optarg;
		return -1;
	case OPT_TRIGGERS:
		o->triggers = optarg;
		return -1;
	case OPT_BINDINGS:
		o->bindings = optarg;
		return -1;
	case OPT_REDIS:
		o->overrides.redis_url = optarg;
		return -1;
	case OPT_NO_REDIS:
		o->no_redis = true;
		return -1;
	case OPT_STORE:
		o->overrides.store = optarg;
		o->overrides.number_names = ctl_keeper_number_names;
		o->has_store = true;
		return -1;
	case OPT_TIMING:
		o->with_timing = true;
		return -1;
	case OPT_EXACT:
		o->is_exact = true;
		return -1;
	case 'h':
		(void)fputs(help_text, stdout);
		return CTL_EXIT_OK;
	default:
		return ctl_complain_option(c, argv);
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){.is_exact = HAS_ASAN};
	while ((c = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		const int r = set_option(o, c, argv);

		if (r >= 0)
			return r;
	}
	o->captures = (const char *const *)argv + optind;
	o->n_captures = (size_t)(argc - optind);
	if (o->n_captures == 0)
		return ctl_complain(CTL_EXIT_USAGE,
			"replay: no capture given, expected at least one pcap or pcapng file");
	return -1;
}

/* path NULL: not wanted. */
static int open_output(const char *path, FILE **ret_out, struct dp_err *err)
{
	if (path == NULL)
		return 0;
	*ret_out = fopen(path, "we");
	if (*ret_out != NULL)
		return 0;
	return dp_fail(err, errno,
		"cannot write '%s': %m, expected a path where a file can be made", path);
}

static int open_outputs(struct replay *r, struct dp_err *err)
{
	int ret = open_output(r->opt.flows, &r->flows, err);

	if (ret == 0)
		ret = open_output(r->opt.bindings, &r->bindings, err);
	if (ret < 0)
		return ret;
	if (r->opt.triggers != NULL)
		return ctl_trigger_file_open(
			r->opt.triggers, r->opt.has_store, &r->trigger_file, err);
	return 0;
}

static uint64_t elapsed_ms(const struct timespec *begin)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
	return (uint64_t)(now.tv_sec - begin->tv_sec) * 1000 + (uint64_t)(now.tv_nsec / 1000000) -
		(uint64_t)(begin->tv_nsec / 1000000);
}

static bool wait_ready(struct replay *r, uint64_t timeout_ns)
{
	struct timespec begin;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin); // cannot fail for this clock
	while (ctl_publisher_state(r->publisher) != CTL_REDIS_READY) {
		if (elapsed_ms(&begin) * 1000000 > timeout_ns)
			return false;
		(void)event_base_loop(r->base, EVLOOP_NONBLOCK);
		ctl_pipeline_tend(r->pipeline);
		(void)usleep(IDLE_US);
	}
	return true;
}

/* Redis must be there before hours of capture are read for nothing. */
static int open_publisher(struct replay *r, struct dp_err *err)
{
	const struct ctl_config *config = ctl_pipeline_config_of(r->pipeline);
	const struct ctl_publisher_config pc = {.redis = &config->redis,
		.node = config->node,
		.outbox = ctl_pipeline_outbox(r->pipeline)};
	char sentence[512];
	bool is_ready;
	int ret;

	r->base = event_base_new();
	if (r->base == NULL)
		return dp_fail(err, ENOMEM, "cannot set up the event loop: %m");
	ret = ctl_publisher_new(r->base, &pc, &r->publisher, err);
	if (ret < 0)
		return ret;
	ctl_log_set_level(CTL_LOG_ERR); // why not, is said below and once
	is_ready = wait_ready(r, config->redis.connect_timeout_ns);
	ctl_log_set_level(CTL_LOG_INFO);
	if (is_ready)
		return 0;
	ctl_publisher_sentence(r->publisher, sentence, sizeof(sentence));
	return dp_fail(err, EHOSTUNREACH, "%s (--no-redis replays without publishing)", sentence);
}

static int open_all(struct replay *r, struct ctl_config *config, struct dp_err *err)
{
	int ret = open_outputs(r, err);

	if (ret < 0) {
		ctl_config_free(config);
		return ret;
	}
	if (r->bindings != NULL)
		r->bindings_file = ctl_bindings_file_new(&config->privacy);
	ret = ctl_pipeline_open(
		&(struct ctl_pipeline_config){
			.config = config,
			.captures = r->opt.captures,
			.n_captures = r->opt.n_captures,
			.is_xdp = r->opt.overrides.is_xdp,
			.is_exact = r->opt.is_exact,
			.trigger_file = r->trigger_file,
			.is_published = !r->opt.no_redis,
			.bindings_file = r->bindings_file,
			.has_store = r->opt.has_store,
		},
		&r->pipeline, err);
	if (ret == 0 && r->opt.flows == NULL)
		ctl_flowlog_keep(ctl_pipeline_flowlog(r->pipeline), FLOWS_KEPT);
	if (ret == 0 && !r->opt.no_redis)
		ret = open_publisher(r, err);
	return ret < 0 ? ret : ctl_pipeline_start(r->pipeline, err);
}

/* The wait behind one of idle_us, 0 when there was something to do. */
static unsigned int longer(const struct replay *r, unsigned int idle_us)
{
	if (idle_us == 0 || r->base != NULL)
		return IDLE_US;
	return MIN(2 * idle_us, (unsigned int)IDLE_MAX_US);
}

static void pump(struct replay *r)
{
	const struct ctl_config *config = ctl_pipeline_config_of(r->pipeline);
	// A store has room for them all.
	const size_t backlog_max = r->opt.has_store ? config->redis.queue_max / 2 : BACKLOG_MAX;
	struct ctl_progress progress;
	struct dp_path_stats s;
	unsigned int idle_us = 0;

	ctl_progress_begin(&progress);
	while (!ctl_pipeline_is_done(r->pipeline)) {
		// A slow Redis holds the reader back, so that the outbox never has to refuse.
		const bool is_behind = r->publisher != NULL &&
			ctl_outbox_stats(ctl_pipeline_outbox(r->pipeline)).n_waiting > backlog_max;
		const bool is_busy = !is_behind && ctl_pipeline_poll(r->pipeline);

		if (r->base != NULL)
			(void)event_base_loop(r->base, EVLOOP_NONBLOCK);
		idle_us = is_busy ? 0 : longer(r, idle_us);
		if (idle_us > 0)
			(void)usleep(idle_us);
		if (progress.is_shown) {
			dp_path_stats(ctl_pipeline_path(r->pipeline), &s);
			ctl_progress_draw(&progress, s.position, s.size, s.frames);
		}
	}
	ctl_progress_end(&progress);
}

static int print_json(struct replay *r, const struct ctl_timing *timing)
{
	json_t *report = ctl_report_json(r->pipeline, timing);
	const bool is_written = json_dumpf(report, stdout, JSON_COMPACT) == 0 &&
		putchar('\n') != EOF && fflush(stdout) == 0;

	json_decref(report);
	return is_written ? 0 : -EIO;
}

static int print_report(struct replay *r)
{
	struct dp_path_stats s;
	int ret;

	dp_path_stats(ctl_pipeline_path(r->pipeline), &s);

	const struct ctl_timing figures = {
		.worker_cpu_ns = s.worker_busy_ns, .elapsed_ms = elapsed_ms(&r->begin)};
	const struct ctl_timing *timing = r->opt.with_timing ? &figures : NULL;

	ret = r->opt.is_json ? print_json(r, timing)
			     : ctl_report_print(r->pipeline, timing, stdout);
	if (ret < 0)
		return ctl_complain(
			CTL_EXIT_FAILURE, "cannot print the report: %s", strerror(-ret));
	return CTL_EXIT_OK;
}

static int write_flows(struct replay *r)
{
	const struct ctl_config *config = ctl_pipeline_config_of(r->pipeline);
	int ret;

	if (r->flows == NULL)
		return CTL_EXIT_OK;
	ret = ctl_flowlog_write(ctl_pipeline_flowlog(r->pipeline), config->catalogue,
		config->nets.ipv6_prefix_len, r->flows);
	if (ret < 0)
		return ctl_complain(
			CTL_EXIT_FAILURE, "cannot write '%s': %s", r->opt.flows, strerror(-ret));
	return CTL_EXIT_OK;
}

static int write_bindings(struct replay *r)
{
	struct ctl_sessions *sessions = ctl_pipeline_sessions(r->pipeline);
	int ret;

	if (r->bindings == NULL)
		return CTL_EXIT_OK;
	if (sessions != NULL)
		ctl_bindings_report(
			ctl_sessions_bindings(sessions), ctl_pipeline_watermark(r->pipeline));
	ret = ctl_bindings_file_write(r->bindings_file, r->bindings);
	if (ret < 0)
		return ctl_complain(
			CTL_EXIT_FAILURE, "cannot write '%s': %s", r->opt.bindings, strerror(-ret));
	return CTL_EXIT_OK;
}

/* As long as Redis takes some; returns how many are left. */
static size_t flush(struct replay *r)
{
	size_t least = SIZE_MAX, left;
	struct timespec moved;

	(void)clock_gettime(CLOCK_MONOTONIC, &moved); // cannot fail for this clock
	while ((left = ctl_publisher_flush(r->publisher, SLICE_NS)) > 0) {
		ctl_pipeline_tend(r->pipeline); // numbers that change are durable first
		if (left < least)
			(void)clock_gettime(CLOCK_MONOTONIC, &moved);
		else if (elapsed_ms(&moved) * 1000000 > FLUSH_NS)
			break;
		least = MIN(least, left);
	}
	return left;
}

static int deliver(struct replay *r)
{
	char sentence[512];
	size_t left;

	if (r->publisher == NULL)
		return CTL_EXIT_OK;
	left = flush(r);
	if (left == 0)
		return CTL_EXIT_OK;
	ctl_publisher_sentence(r->publisher, sentence, sizeof(sentence));
	return ctl_complain(CTL_EXIT_FAILURE, "%zu triggers were not delivered%s: %s", left,
		r->opt.has_store ? " (the store keeps them; replay again with it)" : "", sentence);
}

/* Before delivery, since only what is durable is published; and after it, what was delivered. */
static int keep(struct replay *r)
{
	if (ctl_pipeline_keep(r->pipeline))
		return CTL_EXIT_OK;
	return ctl_complain(CTL_EXIT_FAILURE,
		"the store '%s' does not take what is left (its disk may be full); nothing that it has "
		"is lost",
		ctl_pipeline_config_of(r->pipeline)->store.path);
}

/* Frames that are nowhere would be usage that nobody misses: so each replay looks. */
static int check_ledger(struct replay *r)
{
	struct dp_path_stats s;
	struct dp_err err;

	dp_path_stats(ctl_pipeline_path(r->pipeline), &s);
	if (ctl_ledger_check_end(&s, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	return CTL_EXIT_OK;
}

/* Everything at the end is tried, so that one failure does not hide the rest. */
static int finish(struct replay *r)
{
	const char *broken = dp_path_broken(ctl_pipeline_path(r->pipeline));
	struct dp_err err;
	int status;

	ctl_flowlog_seal(ctl_pipeline_flowlog(r->pipeline));
	status = keep(r);
	status |= deliver(r);
	status |= keep(r);
	status |= write_flows(r);
	status |= write_bindings(r);
	if (ctl_trigger_file_close(r->trigger_file, &err) < 0)
		status |= ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	r->trigger_file = NULL;
	status |= print_report(r);
	status |= check_ledger(r);
	if (broken != NULL)
		status |= ctl_complain(CTL_EXIT_FAILURE, "%s", broken);
	return status;
}

static void close_all(struct replay *r)
{
	ctl_publisher_free(r->publisher);
	ctl_pipeline_close(r->pipeline);
	if (r->base != NULL)
		event_base_free(r->base);
	(void)ctl_trigger_file_close(r->trigger_file, NULL); // only left over by a failed start
	ctl_bindings_file_free(r->bindings_file);
	if (r->flows != NULL)
		(void)fclose(r->flows); // was flushed
	if (r->bindings != NULL)
		(void)fclose(r->bindings); // likewise
}

int ctl_cmd_replay(int argc, char **argv)
{
	struct replay r = {0};
	struct ctl_config *config;
	struct dp_err err = {0};
	int status = parse(argc, argv, &r.opt);

	if (status >= 0)
		return status;
	(void)clock_gettime(CLOCK_MONOTONIC, &r.begin); // cannot fail for this clock
	if (ctl_config_load(r.opt.config, &r.opt.overrides, ctl_print_mistake, NULL, &config) < 0)
		return CTL_EXIT_USAGE;
	ctl_sample_addrs_know(&config->nets);
	if (config->n_rules == 0)
		r.opt.no_redis = true; // nothing will be decided
	if (open_all(&r, config, &err) < 0) {
		status = ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	} else {
		pump(&r);
		status = finish(&r);
	}
	close_all(&r);
	return status;
}
