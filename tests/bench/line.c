// SPDX-License-Identifier: BSD-3-Clause

/* The whole worker on a line: a real port, the real path and classifier, everything on as the built-in
 * configuration has it. Whoever started it asks by lines on the standard input:
 *
 *   stats   counters so far, a JSON object in a line
 *   gaps    how long the thread was away from its port since the last `gaps`, likewise
 *   quit    stop
 *
 * This thread is control as it costs least: it takes the records and lets them go. */

#include "tests/bench/gaps.h"

#include "classifier/ndpi.h"
#include "control/commands.h"
#include "control/config.h"
#include "dataplane/eal.h"
#include "dataplane/path.h"

#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPUS_MAX = 65, DEVICES_MAX = 16, RECORDS = 256, ROUND_MS = 1 };

static struct {
	const char *cpus[CPUS_MAX + 1]; // [0] is this thread's
	unsigned int n_cpus;
	unsigned long n_workers, n_flows, n_frames_kept, frame_room;
	const char *devices[DEVICES_MAX + 1];
	size_t n_devices;
	bool has_gaps, is_spread;
} opt = {.n_workers = 1, .n_flows = 2 << 20};

static struct {
	struct dp_path *path;
	uint64_t n_records, n_usage;
	struct dp_record records[RECORDS];
} line;

_Noreturn static void give_up(const struct dp_err *err)
{
	(void)fprintf(stderr, "line: %s\n", err->text);
	exit(1);
}

static void add_cpus(char *list)
{
	for (char *cpu = strtok(list, ","); cpu != NULL && opt.n_cpus < CPUS_MAX;
		cpu = strtok(NULL, ","))
		opt.cpus[opt.n_cpus++] = cpu;
}

static const char usage_text[] =
	"usage: line [--cpus MAIN,POLLING[,...]] [--workers N] [--flows N] [--kept N] [--room N] [--gaps] [--spread]\n"
	"            DEVICE...\n";

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"cpus", required_argument, NULL, 'c'},
		{"workers", required_argument, NULL, 'w'},
		{"flows", required_argument, NULL, 'f'},
		{"kept", required_argument, NULL, 'k'},
		{"room", required_argument, NULL, 'r'},
		{"gaps", no_argument, NULL, 'g'},
		{"spread", no_argument, NULL, 's'}, // each worker has a queue of its own
		{NULL},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			add_cpus(optarg);
		else if (c == 'w')
			opt.n_workers = strtoul(optarg, NULL, 10);
		else if (c == 'f')
			opt.n_flows = strtoul(optarg, NULL, 10);
		else if (c == 'k')
			opt.n_frames_kept = strtoul(optarg, NULL, 10);
		else if (c == 'r')
			opt.frame_room = strtoul(optarg, NULL, 10);
		else if (c == 'g')
			opt.has_gaps = true;
		else if (c == 's')
			opt.is_spread = true;
		else
			exit((fputs(usage_text, stderr), 2));
	}
	for (; optind < argc && opt.n_devices < DEVICES_MAX; optind++)
		opt.devices[opt.n_devices++] = argv[optind];
	if (opt.n_devices == 0 || opt.n_workers < 1 || opt.n_workers > 64)
		exit((fputs(usage_text, stderr), 2));
}

/* One CPU for each thread, the last named one for those without. */
static void deal_cpus(unsigned int n_threads)
{
	for (; opt.n_cpus > 0 && opt.n_cpus < n_threads && opt.n_cpus < CPUS_MAX; opt.n_cpus++)
		opt.cpus[opt.n_cpus] = opt.cpus[opt.n_cpus - 1];
	opt.cpus[n_threads] = NULL;
}

static void open_line(const struct ctl_config *config)
{
	struct dp_path_port ports[DEVICES_MAX] = {0};
	struct dp_stage stages[64];
	struct dp_path_config pc = {
		.n_workers = (uint16_t)opt.n_workers,
		.tick_ns = config->tick_ns,
		.nets = config->nets,
		.n_flows = opt.n_flows,
		.ports = ports,
		.n_ports = opt.n_devices,
		.duplicates = (enum dp_duplicates_mode)config->duplicates,
		.duplicate_window_ns = config->duplicate_window_ns,
		.stages = stages,
		.n_frames_kept = (uint32_t)opt.n_frames_kept,
		.frame_room = (uint16_t)opt.frame_room,
	};
	struct dp_err err;

	for (size_t i = 0; i < opt.n_devices; i++)
		ports[i] = (struct dp_path_port){.device = opt.devices[i],
			.spread = opt.is_spread ? DP_SPREAD_DEVICE : DP_SPREAD_RECEIVER};
	deal_cpus(1 + dp_path_lcores(&pc));

	const struct dp_eal_config eal = {.n_lcores = dp_path_lcores(&pc),
		.cpus = opt.n_cpus > 0 ? opt.cpus : NULL,
		.devices = opt.devices,
		.pool_bytes = dp_path_pool_bytes(&pc)};

	if (dp_eal_start(&eal, &err) < 0)
		give_up(&err);
	for (unsigned long i = 0; i < opt.n_workers; i++)
		if (cls_stage_new(config->catalogue, &stages[i], &err) < 0)
			give_up(&err);
	if (dp_path_open(&pc, &line.path, &err) < 0)
		give_up(&err);
	if (opt.has_gaps && !gaps_watch())
		give_up(&(struct dp_err){"cannot watch the ports"});
	if (dp_path_start(line.path, &err) < 0)
		give_up(&err);
}

static void take_records(void)
{
	for (uint16_t i = 0; i < opt.n_workers; i++) {
		uint32_t n;

		while ((n = dp_path_take(line.path, i, line.records, RECORDS)) > 0) {
			line.n_records += n;
			for (uint32_t k = 0; k < n; k++)
				line.n_usage += line.records[k].kind == DP_RECORD_USAGE;
		}
	}
}

static void print_stats(void)
{
	struct dp_path_stats s;
	uint64_t n_other = 0, n_most = 0;
	const char *most = "";

	dp_path_stats(line.path, &s);
	for (int i = 0; i < DP_OUTCOME_COUNT; i++) {
		if (i == DP_OUTCOME_ACCOUNTED)
			continue;
		n_other += s.outcomes[i];
		if (s.outcomes[i] > n_most) {
			n_most = s.outcomes[i];
			most = dp_outcome_names[i];
		}
	}
	(void)printf(
		"{\"frames\":%llu,\"accounted\":%llu,\"other\":%llu,\"most\":\"%s\",\"flows\":%llu,\"evicted\":%llu,"
		"\"classified\":%llu,\"postponed\":%llu,\"records\":%llu,\"usage\":%llu}\n",
		(unsigned long long)s.frames, (unsigned long long)s.outcomes[DP_OUTCOME_ACCOUNTED],
		(unsigned long long)n_other, most, (unsigned long long)s.flows,
		(unsigned long long)s.flows_evicted, (unsigned long long)s.classified_packets,
		(unsigned long long)s.postponed, (unsigned long long)line.n_records,
		(unsigned long long)line.n_usage);
}

/* Answers one question. False: quit. */
static bool answer(void)
{
	char question[16];

	if (fgets(question, sizeof(question), stdin) == NULL || strcmp(question, "quit\n") == 0)
		return false;
	if (strcmp(question, "gaps\n") == 0)
		gaps_print();
	else
		print_stats();
	(void)fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	struct ctl_config *config;
	bool goes_on = true;

	parse(argc, argv);
	(void)setvbuf(stdin, NULL, _IONBF, 0); // poll() and stdio see the same
	if (ctl_config_load(NULL, NULL, ctl_print_mistake, NULL, &config) < 0)
		return 2;
	open_line(config);
	while (goes_on) {
		take_records();
		if (poll(&in, 1, ROUND_MS) > 0)
			goes_on = answer();
	}
	dp_path_close(line.path);
	ctl_config_free(config);
	dp_eal_stop();
	return 0;
}
