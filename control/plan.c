// SPDX-License-Identifier: BSD-3-Clause
#include "control/plan.h"

#include <glib.h>
#include <sched.h>
#include <string.h>

static size_t count(char *const *list)
{
	return list != NULL ? g_strv_length((char **)list) : 0;
}

/* A port whose device spreads takes no CPU of its own. */
static size_t n_receiving(const struct ctl_config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_ports; i++)
		n += config->ports[i].spread != DP_SPREAD_DEVICE;
	return n;
}

uint16_t ctl_plan_workers(const struct ctl_config *config, bool is_live)
{
	cpu_set_t set;
	size_t n = config->n_workers > 0 ? config->n_workers : count(config->worker_cpus);

	if (n == 0 && sched_getaffinity(0, sizeof(set), &set) == 0) {
		const size_t taken = is_live ? n_receiving(config) + 1 : 2;
		const size_t cpus = (size_t)CPU_COUNT(&set);

		n = cpus > taken ? cpus - taken : 1;
	}
	return (uint16_t)(n < 1 ? 1 : n > CTL_WORKERS_MAX ? CTL_WORKERS_MAX : n);
}

static struct ctl_way *ways_of(const struct ctl_config *config)
{
	struct ctl_way *ways = g_new0(struct ctl_way, config->n_ports);

	for (size_t i = 0; i < config->n_ports; i++)
		ctl_way_of(config, &config->ports[i], "/sys", &ways[i]);
	return ways;
}

/* "net_tap,iface=x" is not unique among several: the EAL wants "net_tap0". */
static char *device_of(const struct ctl_port *port, const struct ctl_way *way, size_t index)
{
	const size_t len = strcspn(port->device, ",");

	if (way->is_xdp)
		return g_strdup(way->interface[0] != '\0' ? way->interface : port->device);
	if (strncmp(port->device, "net_", 4) != 0 || g_ascii_isdigit(port->device[len - 1]))
		return g_strdup(port->device);
	return g_strdup_printf("%.*s%zu%s", (int)len, port->device, index, port->device + len);
}

static char **devices_of(const struct ctl_config *config, const struct ctl_way *ways)
{
	char **devices = g_new0(char *, config->n_ports + 1);

	for (size_t i = 0; i < config->n_ports; i++)
		devices[i] = device_of(&config->ports[i], &ways[i], i);
	return devices;
}

static const char **eal_devices_of(const struct ctl_plan *plan, size_t n_ports)
{
	const char **devices = g_new0(const char *, n_ports + 1);
	size_t n = 0;

	for (size_t i = 0; i < n_ports; i++)
		if (!plan->ways[i].is_xdp)
			devices[n++] = plan->devices[i];
	return devices;
}

/* Main's CPU, then those of ports' threads, then the workers'; "" where the user chose none. */
static char **cpus_of(const struct ctl_config *config, const struct dp_path_config *path)
{
	const bool fits = count(config->worker_cpus) == path->n_workers;
	GPtrArray *cpus = g_ptr_array_new();

	g_ptr_array_add(cpus, g_strdup(""));
	for (size_t i = 0; i < config->n_ports; i++)
		if (dp_path_port_has_thread(path, i))
			g_ptr_array_add(cpus,
				g_strdup(
					path->ports[i].has_thread ? config->ports[i].cpus[0] : ""));
	for (uint16_t i = 0; i < path->n_workers; i++)
		g_ptr_array_add(cpus, g_strdup(fits ? config->worker_cpus[i] : ""));
	g_ptr_array_add(cpus, NULL);
	return (char **)g_ptr_array_free(cpus, FALSE);
}

static const char *const *strings(char **list)
{
	return (const char *const *)list;
}

// Of each worker: seconds of what a busy core says. Start value.
enum { SIGNALLING_BYTES = 4 << 20 };

static struct dp_path_port *ports_of(const struct ctl_config *config, const struct ctl_plan *plan)
{
	struct dp_path_port *ports = g_new0(struct dp_path_port, config->n_ports);

	for (size_t i = 0; i < config->n_ports; i++) {
		const bool is_xdp = plan->ways[i].is_xdp;

		ports[i] = (struct dp_path_port){.device = plan->devices[i],
			.mtu = is_xdp ? 0 : (uint16_t)config->ports[i].mtu,
			.ignore = &config->ports[i].ignore,
			.spread = is_xdp ? DP_SPREAD_RECEIVER
					 : (enum dp_spread)config->ports[i].spread,
			.has_thread = count(config->ports[i].cpus) > 0,
			.is_offloaded = is_xdp,
			.refused = plan->ways[i].refused[0] != '\0' ? plan->ways[i].refused : NULL};
	}
	return ports;
}

static struct dp_sampler_config samples_of(const struct ctl_config *config)
{
	const struct ctl_samples_options *o = &config->samples;

	if (o->path == NULL)
		return (struct dp_sampler_config){0};
	return (struct dp_sampler_config){.one_in = (uint32_t)o->one_in,
		.n_packets = (uint16_t)o->n_packets,
		.snap_bytes = (uint16_t)o->snap_bytes};
}

void ctl_plan_make(struct ctl_plan *ret_plan, const struct ctl_config *config,
	const char *const *captures, size_t n_captures, uint16_t n_workers)
{
	const bool is_live = captures == NULL;
	struct ctl_plan *plan = ret_plan;

	*plan = (struct ctl_plan){0};
	plan->ways = is_live ? ways_of(config) : NULL;
	plan->devices = is_live ? devices_of(config, plan->ways) : NULL;
	plan->eal_devices = is_live ? eal_devices_of(plan, config->n_ports) : NULL;
	plan->ports = is_live ? ports_of(config, plan) : NULL;
	plan->path = (struct dp_path_config){
		.n_workers = n_workers,
		.tick_ns = config->tick_ns,
		.nets = config->nets,
		.n_flows = config->n_flows,
		.notes = is_live ? DP_NOTES_ENDS : DP_NOTES_ALL,
		.captures = captures,
		.n_captures = n_captures,
		.ports = plan->ports,
		.n_ports = is_live ? config->n_ports : 0,
		.duplicates = (enum dp_duplicates_mode)config->duplicates,
		.duplicate_window_ns = config->duplicate_window_ns,
		.signalling_bytes = config->binding.protos != 0 ? SIGNALLING_BYTES : 0,
		.samples = is_live ? samples_of(config) : (struct dp_sampler_config){0},
	};
	plan->cpus = is_live ? cpus_of(config, &plan->path) : NULL;
	plan->eal = (struct dp_eal_config){
		.n_lcores = dp_path_lcores(&plan->path),
		.cpus = strings(plan->cpus),
		.devices = plan->eal_devices,
		.extra = is_live ? strings(config->eal_extra) : NULL,
		.pool_bytes = dp_path_pool_bytes(&plan->path),
	};
}

void ctl_plan_fini(struct ctl_plan *plan)
{
	g_free(plan->ways);
	g_strfreev(plan->devices);
	g_free(plan->eal_devices);
	g_strfreev(plan->cpus);
	g_free(plan->ports);
	g_free(plan->refusal);
}

/* Ports that the worker's thread receives from, or its queue of theirs. */
static void say_received(
	GString *text, const struct ctl_plan *plan, const struct ctl_config *config)
{
	const char *before = ", receives from ";

	for (size_t i = 0; i < plan->path.n_ports; i++) {
		if (dp_path_port_has_thread(&plan->path, i))
			continue;
		g_string_append_printf(text, "%s%s%s", before,
			plan->path.n_workers > 1 ? "its queue of " : "", config->ports[i].name);
		before = ", ";
	}
}

static char *describe_threads(const struct ctl_plan *plan, const struct ctl_config *config)
{
	GString *text = g_string_new(NULL);
	char cpu[DP_EAL_CPU_MAX];
	unsigned int lcore = 0;

	dp_eal_cpu(&plan->eal, lcore++, cpu);
	g_string_append_printf(text, "CPU %s: control\n", cpu);
	for (size_t i = 0; i < plan->path.n_ports; i++) {
		if (!dp_path_port_has_thread(&plan->path, i))
			continue;
		dp_eal_cpu(&plan->eal, lcore++, cpu);
		g_string_append_printf(text, "CPU %s: receives from %s%s\n", cpu,
			config->ports[i].name,
			plan->ports[i].spread == DP_SPREAD_AUTO && !plan->ports[i].has_thread
				? " (nothing, if its device spreads)"
				: "");
	}
	for (uint16_t i = 0; i < plan->path.n_workers; i++) {
		dp_eal_cpu(&plan->eal, lcore++, cpu);
		g_string_append_printf(text, "CPU %s: worker %u", cpu, i);
		say_received(text, plan, config);
		g_string_append_c(text, '\n');
	}
	return g_string_free(text, FALSE);
}

void ctl_plan_describe(const struct ctl_config *config, char **ret_eal, char **ret_threads)
{
	struct ctl_plan plan;

	ctl_plan_make(&plan, config, NULL, 0, ctl_plan_workers(config, true));
	*ret_eal = dp_eal_describe(&plan.eal);
	*ret_threads = describe_threads(&plan, config);
	ctl_plan_fini(&plan);
}
