// SPDX-License-Identifier: BSD-3-Clause
#include "control/plan.h"

#include <glib.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Leave this process one CPU; returns its number. */
static int only_cpu(void)
{
	cpu_set_t set;
	int cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	return cpu;
}

/* Each choice counts by itself; what is left falls on the CPUs that are left. */
static void a_chosen_cpu_is_used_whether_others_are_chosen_or_not(void **)
{
	static const struct {
		const char *port, *workers[3];
		const char *expected; // X: the only CPU there is
	} rows[] = {
		{NULL, {NULL}, "0@X,1@X,2@X,3@X "}, {"901", {NULL}, "0@X,1@901,2@X,3@X "},
		{NULL, {"902", "903"}, "0@X,1@X,2@902,3@903 "},
		{"901", {"902", "903"}, "0@X,1@901,2@902,3@903 "},
		{"901", {"902"}, "0@X,1@901,2@X,3@X "}, // not as many as there are workers
	};
	g_autofree char *x = g_strdup_printf("%d", only_cpu());

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		char *port_cpus[] = {(char *)rows[i].port, NULL};
		struct ctl_port port = {.device = (char *)"net_tap0",
			.cpus = rows[i].port == NULL ? NULL : port_cpus};
		struct ctl_config config = {.ports = &port,
			.n_ports = 1,
			.worker_cpus = (char **)rows[i].workers,
			.n_workers = 2,
			.n_flows = 1000,
			.tick_ns = 1000000000};
		g_auto(GStrv) parts = g_strsplit(rows[i].expected, "X", 0);
		g_autofree char *lcores = g_strjoinv(x, parts);
		g_autofree char *expected = g_strconcat("--lcores=", lcores, NULL);
		char *line, *threads;

		ctl_plan_describe(&config, &line, &threads);
		if (strstr(line, expected) == NULL)
			fail_msg("%s, expected %s", line, expected);
		free(line);
		g_free(threads);
	}
}

static char *threads_of(struct ctl_config config)
{
	char *line, *threads;

	config.n_flows = 1000;
	config.tick_ns = 1000000000;
	ctl_plan_describe(&config, &line, &threads);
	free(line);
	return threads;
}

static void a_dry_run_says_which_thread_receives_and_which_works(void **)
{
	char *nine[] = {(char *)"909", NULL}, *both[] = {(char *)"907", (char *)"908", NULL};
	struct ctl_port ports[] = {{.name = (char *)"up", .device = (char *)"net_tap0"},
		{.name = (char *)"down", .device = (char *)"net_tap1"}};
	struct ctl_config one = {.ports = ports, .n_ports = 2, .n_workers = 1};
	struct ctl_config two = {.ports = ports, .n_ports = 2, .n_workers = 2, .worker_cpus = both};
	g_autofree char *x = g_strdup_printf("CPU %d: ", only_cpu());
	g_autofree char *pair = threads_of(one);
	g_autofree char *pair_expected = g_strdup_printf(
		"%scontrol\n%sworker 0, receives from up, down\n", x, x);

	assert_string_equal(pair, pair_expected);
	ports[0].cpus = nine;

	g_autofree char *own = threads_of(one);
	g_autofree char *own_expected = g_strdup_printf(
		"%scontrol\nCPU 909: receives from up\n%sworker 0, receives from down\n", x, x);

	assert_string_equal(own, own_expected);
	ports[0].cpus = NULL;
	ports[0].spread = DP_SPREAD_DEVICE;

	g_autofree char *split = threads_of(two);
	g_autofree char *split_expected = g_strdup_printf(
		"%scontrol\n%sreceives from down (nothing, if its device spreads)\n"
		"CPU 907: worker 0, receives from its queue of up\n"
		"CPU 908: worker 1, receives from its queue of up\n",
		x, x);

	assert_string_equal(split, split_expected);
}

static char *eal_of(struct ctl_port *ports, size_t n_ports)
{
	struct ctl_config config = {.ports = ports,
		.n_ports = n_ports,
		.n_workers = 1,
		.n_flows = 1000,
		.tick_ns = 1000000000};
	char *line, *threads;

	ctl_plan_describe(&config, &line, &threads);
	g_free(threads);
	return line;
}

static void a_port_of_xdp_is_no_device_of_dpdk(void **)
{
	struct ctl_port ports[] = {{.name = (char *)"a", .device = (char *)"eth1"},
		{.name = (char *)"b", .device = (char *)"net_tap,iface=x"},
		{.name = (char *)"c", .device = (char *)"ffff:ff:1f.7", .driver = CTL_DRIVER_XDP}};
	char *both = eal_of(ports, 3), *none = eal_of(ports, 1);

	// Its number is that of the port: names stay when another port changes its driver.
	assert_non_null(strstr(both, " --vdev net_tap1,iface=x --no-pci"));
	assert_null(strstr(both, "eth1"));
	assert_null(strstr(both, "1f.7"));
	assert_null(strstr(none, "--vdev"));
	assert_non_null(strstr(none, " --no-pci"));
	free(both);
	free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chosen_cpu_is_used_whether_others_are_chosen_or_not),
		cmocka_unit_test(a_dry_run_says_which_thread_receives_and_which_works),
		cmocka_unit_test(a_port_of_xdp_is_no_device_of_dpdk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
