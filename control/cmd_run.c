// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/config_version.h"
#include "control/daemon.h"
#include "control/keeper.h"
#include "control/log.h"
#include "control/offload.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help_text[] =
	"usage: wirecue run -c FILE [OPTION...]\n"
	"\n"
	"The daemon, in the foreground. SIGHUP reads the configuration again (rules, catalogue, told\n"
	"facts; a mistake changes nothing), SIGTERM and SIGINT stop it in order.\n"
	"\n"
	"  -c, --config FILE     wirecue.yaml\n"
	"      --redis URL       instead of redis.url\n"
	"      --socket PATH     instead of control.socket\n"
	"      --store DIR       instead of store.path\n"
	"      --dry             check everything, print what would be started, and end\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit codes: 0 stopped in order; 1 no port could be opened, the store did not take the last\n"
	"ticks, or another run-time failure; 2 usage or configuration error.\n";

enum { OPT_REDIS = 256, OPT_SOCKET, OPT_STORE, OPT_DRY };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"redis", required_argument, NULL, OPT_REDIS},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"store", required_argument, NULL, OPT_STORE},
	{"dry", no_argument, NULL, OPT_DRY},
	{"help", no_argument, NULL, 'h'},
	{NULL},
};

struct options {
	struct ctl_daemon_config daemon;
	bool is_dry;
};

/* Returns -1 to go on, else an exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->daemon.path = optarg;
			break;
		case OPT_REDIS:
			o->daemon.overrides.redis_url = optarg;
			break;
		case OPT_SOCKET:
			o->daemon.overrides.socket = optarg;
			break;
		case OPT_STORE:
			o->daemon.overrides.store = optarg;
			break;
		case OPT_DRY:
			o->is_dry = true;
			break;
		case 'h':
			(void)fputs(help_text, stdout);
			return CTL_EXIT_OK;
		default:
			return ctl_complain_option(c, argv);
		}
	}
	if (optind < argc)
		return ctl_complain(CTL_EXIT_USAGE, "run: '%s' is too much, expected options only",
			argv[optind]);
	if (o->daemon.path == NULL)
		return ctl_complain(CTL_EXIT_USAGE, "run: no configuration, expected -c FILE");
	return -1;
}

static void print_list(const char *what, char *const *list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		(void)printf("%s%s", i == 0 ? what : " ", list[i]);
}

static void print_way(const struct ctl_port *port, const struct ctl_way *way)
{
	static const char *const modes[] = {
		[CTL_XDP_AUTO] = "native where the driver can, else generic",
		[CTL_XDP_NATIVE] = "native",
		[CTL_XDP_GENERIC] = "generic",
	};

	(void)printf("port      %s: %s, %s (%s)", port->name, port->device,
		way->is_xdp ? "XDP" : "DPDK", way->why);
	if (!way->is_xdp)
		return;
	if (way->refused[0] != '\0')
		(void)printf(", stays down: %s", way->refused);
	else
		(void)printf(" on %s, %s, frames %s", way->interface, modes[port->xdp_mode],
			port->role == CTL_ROLE_HOST ? "go on to the host" : "end here");
}

static void print_port(const struct ctl_config *config, const struct ctl_port *port)
{
	struct ctl_way way;

	ctl_way_of(config, port, "/sys", &way);
	print_way(port, &way);
	if (port->mtu > 0 && !way.is_xdp)
		(void)printf(", mtu %llu", (unsigned long long)port->mtu);
	print_list(", ignores VLANs ", port->ignored_vlans);
	print_list(", ignores networks ", port->ignored_networks);
	(void)putchar('\n');
}

static void print_offload(const struct ctl_config *config)
{
	struct ctl_offload_sizes sizes;
	struct ctl_way way;
	bool is_wanted = false;

	for (size_t i = 0; i < config->n_ports; i++) {
		ctl_way_of(config, &config->ports[i], "/sys", &way);
		is_wanted |= way.is_xdp && way.refused[0] == '\0';
	}
	if (!is_wanted)
		return;
	ctl_offload_sizes(config, ctl_plan_workers(config, true), &sizes);
	(void)printf("xdp       %u flows, %u entries a worker, ring of %u bytes", sizes.n_flows,
		sizes.n_entries, sizes.ring_bytes);
	if (config->xdp.persist)
		(void)printf(", goes on in %s", config->xdp.pins);
	(void)putchar('\n');
}

static void print_threads(const char *threads)
{
	for (const char *end; (end = strchr(threads, '\n')) != NULL; threads = end + 1)
		(void)printf("thread    %.*s\n", (int)(end - threads), threads);
}

static void print_dry(const struct ctl_config *config)
{
	static const char *const duplicates[] = {
		[DP_DUPLICATES_OFF] = "are not looked for",
		[DP_DUPLICATES_WATCH] = "are counted for one endpoint in 64",
		[DP_DUPLICATES_DROP] = "are dropped",
	};
	char *eal, *threads;

	ctl_plan_describe(config, &eal, &threads);
	(void)printf("node      %s\n", config->node);
	for (size_t i = 0; i < config->n_ports; i++)
		print_port(config, &config->ports[i]);
	print_offload(config);
	(void)printf("copies    %s", duplicates[config->duplicates]);
	if (config->duplicates != DP_DUPLICATES_OFF)
		(void)printf(", within %g ms", (double)config->duplicate_window_ns / 1e6);
	(void)putchar('\n');
	(void)printf("catalogue %s: %zu apps\n", config->apps_path,
		cls_catalogue_count(config->catalogue));
	(void)printf("rules     %zu\n", config->n_rules);
	(void)printf("redis     %s\n", config->redis.url);
	(void)printf("store     %s\n", config->store.enabled ? config->store.path : "none");
	(void)printf("socket    %s\n", config->control_socket);
	print_threads(threads);
	(void)printf("eal       %s\n", eal != NULL ? eal : "?");
	g_free(threads);
	free(eal);
}

/* `--dry` is about what is configured; a start takes what is in force. */
static int load(struct options *o, struct ctl_config **ret_config)
{
	if (o->is_dry)
		return ctl_config_load(
			o->daemon.path, &o->daemon.overrides, ctl_print_mistake, NULL, ret_config);
	return ctl_config_load_start(o->daemon.path, &o->daemon.overrides, ctl_print_mistake, NULL,
		&o->daemon.apps, ret_config);
}

static int run(struct options *o)
{
	struct ctl_config *config;
	struct dp_err err = {0};

	if (load(o, &config) < 0)
		return CTL_EXIT_USAGE;
	if (config->n_ports == 0) {
		ctl_config_free(config);
		return ctl_complain(CTL_EXIT_USAGE,
			"%s: no ports, expected at least one under 'ports:'", o->daemon.path);
	}
	if (o->is_dry) {
		print_dry(config);
		ctl_config_free(config);
		return CTL_EXIT_OK;
	}
	o->daemon.config = config;
	if (ctl_daemon_run(&o->daemon, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	return CTL_EXIT_OK;
}

int ctl_cmd_run(int argc, char **argv)
{
	struct options o = {0};
	int status = parse(argc, argv, &o);

	if (status >= 0)
		return status;
	o.daemon.overrides.number_names = ctl_keeper_number_names;
	ctl_daemon_hold_reloads(true);
	status = run(&o);
	ctl_versions_choice_fini(&o.daemon.apps);
	return status;
}
