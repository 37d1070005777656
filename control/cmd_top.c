// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/question.h"
#include "control/socket.h"
#include "control/top_draw.h"
#include "control/top_feed.h"
#include "control/top_json.h"
#include "control/top_loop.h"
#include "control/top_model.h"
#include "control/utc.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { APPS_IN_BATCH = 20 }; // rows of apps: start value

static const char usage[] =
	"usage: wirecue top [--interval SECONDS] [--socket PATH]\n"
	"       wirecue top --batch [-n N] [--json] [--interval SECONDS] [--socket PATH]\n"
	"\n"
	"What the running daemon does right now: throughput, loss, ports, workers, apps,\n"
	"triggers, delivery. Press h for its keys.\n"
	"      --interval SECONDS  between two looks, 0.2 to 3600; 2 by default\n"
	"      --batch             no screen: a record a line, each interval\n"
	"  -n, --count N           with --batch: end after N intervals\n"
	"      --json              with --batch: one JSON object an interval\n"
	"      --apps N            with --batch: at most N apps, 20 by default\n"
	"      --socket PATH       where it answers, instead of $WIRECUE_CONTROL_SOCKET or\n"
	"                          " CTL_SOCKET_PATH "\n"
	"  -h, --help              this text\n";

struct command {
	const char *path;
	double interval_s;
	bool is_batch, is_json;
	uint64_t n_max; // intervals; 0: no end
	uint64_t n_apps;
	const char *only_batch; // the option that wants --batch; NULL: none was given
};

static bool read_number(const char *word, uint64_t max, uint64_t *ret_n)
{
	return g_ascii_string_to_unsigned(word, 10, 1, max, ret_n, NULL);
}

static bool read_seconds(const char *word, double *ret_s)
{
	char *end;
	const double s = g_ascii_strtod(word, &end);

	if (end == word || *end != '\0' ||
		!(s >= CTL_TOP_INTERVAL_MIN_S && s <= CTL_TOP_INTERVAL_MAX_S))
		return false;
	*ret_s = s;
	return true;
}

/* Returns -1 to go on, else the exit code. */
static int take_option(int c, char **argv, struct command *cmd)
{
	switch (c) {
	case 'i':
		if (!read_seconds(optarg, &cmd->interval_s))
			return ctl_complain(CTL_EXIT_USAGE,
				"top: interval '%s', expected seconds from 0.2 to 3600", optarg);
		break;
	case 'b':
		cmd->is_batch = true;
		break;
	case 'n':
		cmd->only_batch = "-n";
		if (!read_number(optarg, UINT32_MAX, &cmd->n_max))
			return ctl_complain(CTL_EXIT_USAGE,
				"top: '%s' intervals, expected a number from 1 on", optarg);
		break;
	case 'a':
		cmd->only_batch = "--apps";
		if (!read_number(optarg, CTL_TOP_ROWS_MAX, &cmd->n_apps))
			return ctl_complain(CTL_EXIT_USAGE,
				"top: '%s' apps, expected a number from 1 to %d", optarg,
				CTL_TOP_ROWS_MAX);
		break;
	case 'j':
		cmd->only_batch = "--json";
		cmd->is_json = true;
		break;
	case 's':
		cmd->path = optarg;
		break;
	case 'h':
		(void)fputs(usage, stdout);
		return CTL_EXIT_OK;
	default:
		return ctl_complain_option(c, argv);
	}
	return -1;
}

static int parse_args(int argc, char **argv, struct command *cmd)
{
	static const struct option options[] = {
		{"interval", required_argument, NULL, 'i'},
		{"batch", no_argument, NULL, 'b'},
		{"count", required_argument, NULL, 'n'},
		{"apps", required_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, code = -1;

	while (code < 0 && (c = getopt_long(argc, argv, ":hn:", options, NULL)) >= 0)
		code = take_option(c, argv, cmd);
	if (code >= 0)
		return code;
	if (optind < argc)
		return ctl_complain(CTL_EXIT_USAGE, "top: '%s' is too much, expected options only",
			argv[optind]);
	if (!cmd->is_batch && cmd->only_batch != NULL)
		return ctl_complain(CTL_EXIT_USAGE, "top: '%s' without --batch", cmd->only_batch);
	return -1;
}

/* A round from its begin to its end; waits. */
static int ask(struct ctl_top_feed *feed, struct ctl_top_sample **ret_sample, struct dp_err *reterr)
{
	struct pollfd fd;
	int r = ctl_top_feed_begin(feed, reterr);

	while (r == 0) {
		fd = (struct pollfd){ctl_top_feed_fd(feed), ctl_top_feed_events(feed), 0};
		(void)poll(&fd, 1, 1000); // the step finds out what became of it
		r = ctl_top_feed_step(feed, (uint64_t)g_get_monotonic_time(), ret_sample, reterr);
	}
	return r < 0 ? r : 0;
}

static int print(const struct command *cmd, const struct ctl_top_view *view, const char *away)
{
	json_t *object = away != NULL ? ctl_top_json_away(view, away, ctl_utc_now_ns())
				      : ctl_top_json(view, cmd->n_apps);

	if (cmd->is_json) {
		(void)json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
		(void)fputc('\n', stdout);
	} else {
		ctl_top_print(object, stdout);
	}
	json_decref(object);
	return fflush(stdout) != 0 || ferror(stdout) ? -1 : 0;
}

/* One interval after the other. Who is away is said and asked again; a first answer there has to be. */
static int run_batch(
	const struct command *cmd, struct ctl_top_feed *feed, struct ctl_top_model *model)
{
	const int64_t every_us = (int64_t)(cmd->interval_s * 1e6);
	struct ctl_top_sample *sample = NULL;
	struct dp_err err = {0};
	int64_t next_us = g_get_monotonic_time();

	if (ask(feed, &sample, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	ctl_top_model_take(model, sample);
	for (uint64_t n = 0; cmd->n_max == 0 || n < cmd->n_max; n++) {
		int64_t left_us;
		int r;

		next_us += every_us;
		left_us = next_us - g_get_monotonic_time();
		g_usleep(left_us > 0 ? (gulong)left_us : 0);
		next_us = MAX(
			next_us, g_get_monotonic_time() - every_us); // no rounds to make up for
		r = ask(feed, &sample, &err);
		if (r == 0)
			ctl_top_model_take(model, sample);
		else
			ctl_top_model_miss(model);
		if (print(cmd, ctl_top_model_view(model), r < 0 ? err.text : NULL) != 0)
			return ctl_complain(CTL_EXIT_FAILURE, "cannot write: %s", strerror(errno));
	}
	return CTL_EXIT_OK;
}

static int run_screen(
	const struct command *cmd, struct ctl_top_feed *feed, struct ctl_top_model *model)
{
	struct dp_err err = {0};
	int r;

	if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)
		return ctl_complain(CTL_EXIT_USAGE,
			"top: standard input and output are no terminal; --batch prints lines");
	r = ctl_top_loop(feed, model, cmd->interval_s, &err);
	return r < 0 ? ctl_complain(CTL_EXIT_FAILURE, "%s", err.text) : CTL_EXIT_OK;
}

int ctl_cmd_top(int argc, char **argv)
{
	struct command cmd = {
		.path = ctl_question_path(), .interval_s = 2, .n_apps = APPS_IN_BATCH};
	struct ctl_top_model *model;
	struct ctl_top_feed *feed;
	int code = parse_args(argc, argv, &cmd);

	if (code >= 0)
		return code;
	model = ctl_top_model_new();
	feed = ctl_top_feed_new(cmd.path);
	if (cmd.is_batch) {
		(void)signal(SIGPIPE, SIG_DFL); // 'wirecue top --batch | head' ends like any other
		code = run_batch(&cmd, feed, model);
	} else {
		code = run_screen(&cmd, feed, model);
	}
	ctl_top_feed_free(feed);
	ctl_top_model_free(model);
	return code;
}
