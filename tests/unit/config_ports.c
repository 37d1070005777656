// SPDX-License-Identifier: BSD-3-Clause
/* What a port is told: what it ignores, how long its packets are; and what of copies. */
#include "control/config_read.h"
#include "dataplane/err.h"

#include "tests/unit/mistake_list.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const struct ctl_detector *const detectors[] = {NULL};

static void print_mistake(void *, const char *text)
{
	print_error("%s\n", text);
}

/* The ports of a right configuration. */
static struct ctl_config *load(const char *ports)
{
	g_autofree char *folder = g_dir_make_tmp("wirecue-ports-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "wirecue.yaml", NULL);
	g_autofree char *text = g_strconcat("privacy: {subject: plain}\n", ports, NULL);
	struct ctl_config *config = NULL;

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_int_equal(
		ctl_config_load_with(path, NULL, detectors, print_mistake, NULL, &config), 0);
	assert_int_equal(g_unlink(path), 0);
	assert_int_equal(g_rmdir(folder), 0);
	return config;
}

static bool ignores_vlan(const struct dp_ignore *ignore, unsigned id)
{
	return (ignore->vlans[id / 64] >> id % 64 & 1) != 0;
}

static unsigned n_vlans(const struct dp_ignore *ignore)
{
	unsigned n = 0;

	for (unsigned id = 0; id < DP_VLAN_IDS; id++)
		n += ignores_vlan(ignore, id);
	return n;
}

static void vlans_and_networks_that_are_ignored_arrive(void **)
{
	struct ctl_config *c = load(
		"ports:\n"
		"  - {name: a, device: net_tap0, mtu: 9000,\n"
		"     ignore: {vlans: [100, 200-299, 0, 4095], networks: [192.0.2.0/24, "
		"\"2001:db8::/32\"]}}\n"
		"  - {name: b, device: net_tap1, ignore: {vlans: 63-64}}\n"
		"  - {name: c, device: net_tap2, ignore: {}}\n"
		"  - {name: d, device: net_tap3}\n");
	const struct dp_ignore *a = &c->ports[0].ignore, *b = &c->ports[1].ignore;
	static const struct dp_ignore none = {0};

	assert_int_equal(c->ports[0].mtu, 9000);
	assert_int_equal(n_vlans(a), 103);
	for (unsigned id = 200; id <= 299; id++)
		assert_true(ignores_vlan(a, id));
	assert_true(ignores_vlan(a, 0) && ignores_vlan(a, 100) && ignores_vlan(a, 4095));
	assert_true(a->has_vlans);
	assert_int_equal(a->n_nets, 2);
	assert_int_equal(a->nets[0].len, 96 + 24);
	assert_int_equal(a->nets[1].len, 32);
	assert_int_equal(n_vlans(b), 2);
	assert_true(ignores_vlan(b, 63) && ignores_vlan(b, 64));
	assert_int_equal(b->n_nets, 0);
	assert_memory_equal(&c->ports[2].ignore, &none, sizeof(none));
	assert_memory_equal(&c->ports[3].ignore, &none, sizeof(none));
	assert_int_equal(c->ports[3].mtu, 0);
	ctl_config_free(c);
}

static void a_replay_ignores_what_any_port_does(void **)
{
	struct ctl_config *c = load(
		"ports:\n"
		"  - {name: a, device: net_tap0, ignore: {vlans: [7], networks: [192.0.2.0/24]}}\n"
		"  - {name: b, device: net_tap1, ignore: {networks: [192.0.2.0/24, "
		"198.51.100.0/24]}}\n"
		"  - {name: c, device: net_tap2, ignore: {vlans: [9]}}\n");
	struct dp_ignore all;
	struct dp_err err = {0};

	assert_int_equal(ctl_config_ignored(c, &all, &err), 0);
	assert_int_equal(n_vlans(&all), 2);
	assert_true(ignores_vlan(&all, 7) && ignores_vlan(&all, 9) && all.has_vlans);
	assert_int_equal(all.n_nets, 2);
	for (unsigned i = 0; i < DP_IGNORE_NETS_MAX; i++) {
		struct dp_ignore *third = &c->ports[2].ignore;

		third->nets[third->n_nets] = c->ports[0].ignore.nets[0];
		third->nets[third->n_nets++].addr.b[15] = (uint8_t)i;
	}
	assert_int_equal(ctl_config_ignored(c, &all, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 64 networks"));
	ctl_config_free(c);
}

static void nothing_is_ignored_and_copies_are_watched_by_default(void **)
{
	struct ctl_config *c = load("ports: [{name: a, device: net_tap0}]\n");
	struct dp_ignore all;

	assert_int_equal(c->duplicates, DP_DUPLICATES_WATCH);
	assert_int_equal(c->duplicate_window_ns, 2000000);
	assert_int_equal(c->n_recent, 131072); // without a section flows
	assert_int_equal(ctl_config_ignored(c, &all, NULL), 0);
	assert_false(all.has_vlans);
	assert_int_equal(all.n_nets, 0);
	ctl_config_free(c);
	c = load("workers: {duplicates: drop, duplicate_window: 0.5ms}\n");
	assert_int_equal(c->duplicates, DP_DUPLICATES_DROP);
	assert_int_equal(c->duplicate_window_ns, 500000);
	ctl_config_free(c);
	c = load("workers: {duplicates: off}\n");
	assert_int_equal(c->duplicates, DP_DUPLICATES_OFF);
	ctl_config_free(c);
}

static void assert_wrong(const char *keys, const char *expected)
{
	g_autofree char *text = g_strconcat("privacy: {subject: plain}\n", keys, NULL);
	GString *lines = g_string_new(NULL);

	(void)ctl_config_check_text(text, strlen(text), detectors, mistake_append, lines);
	assert_lines(lines->str, expected);
	g_string_free(lines, TRUE);
}

static void mistakes_are_told_at_their_place(void **)
{
#define VLAN "expected a VLAN id from 0 to 4095 or a range such as 200-299\n"
	assert_wrong("ports:\n"
		     "- {name: a, device: net_tap0, mtu: 100, ignore: {vlans: [1, 4096, 9-1, 1-, "
		     "-1, 1-2-3, x,\n"
		     "    00001, 1, \"\"], network: [192.0.2.0/24]}}\n"
		     "- {name: b, device: net_tap1, mtu: 16001, ignore: {networks: [192.0.2.1/24, "
		     "0.0.0.0/0, \"::/0\",\n"
		     "    192.0.2.0/24, 192.0.2.0/24]}}\n"
		     "- {name: c, device: net_tap2, ignore: [1, 2]}\n"
		     "workers: {duplicates: maybe, duplicate_window: 1s}\n",
		"wirecue.yaml:3:36: '100', expected 576 to 16000\n"
		"wirecue.yaml:3:61: '4096', " VLAN "wirecue.yaml:3:67: '9-1', " VLAN
		"wirecue.yaml:3:72: '1-', " VLAN "wirecue.yaml:3:76: '-1', " VLAN
		"wirecue.yaml:3:80: '1-2-3', " VLAN "wirecue.yaml:3:87: 'x', " VLAN
		"wirecue.yaml:4:5: '00001', " VLAN
		"wirecue.yaml:4:12: '1', expected each VLAN id once; it is also at "
		"wirecue.yaml:3:58\n"
		"wirecue.yaml:4:15: nothing, expected a list of texts such as [a, b]\n"
		"wirecue.yaml:4:20: 'network', expected a known key such as 'networks'\n"
		"wirecue.yaml:5:36: '16001', expected 576 to 16000\n"
		"wirecue.yaml:5:63: '192.0.2.1/24', expected a prefix without bits behind its "
		"length\n"
		"wirecue.yaml:5:77: '0.0.0.0/0', expected less than all addresses: nothing would be "
		"left of the port\n"
		"wirecue.yaml:5:88: '::/0', expected less than all addresses: nothing would be left "
		"of the port\n"
		"wirecue.yaml:6:19: '192.0.2.0/24', expected each prefix once; it is also at "
		"wirecue.yaml:6:5\n"
		"wirecue.yaml:7:39: a list, expected a mapping of keys to values\n"
		"wirecue.yaml:8:23: 'maybe', expected one of off, watch, drop\n"
		"wirecue.yaml:8:48: '1s', expected 0.1ms to 100ms");
#undef VLAN
}

static void a_device_that_spreads_leaves_nobody_to_receive(void **)
{
	struct ctl_config *c = load("ports:\n"
				    "  - {name: a, device: net_tap0, spread: device}\n"
				    "  - {name: b, device: net_tap1, spread: receiver, cpus: [1]}\n"
				    "  - {name: c, device: net_tap2, cpus: [2]}\n");

	assert_int_equal(c->ports[0].spread, DP_SPREAD_DEVICE);
	assert_int_equal(c->ports[1].spread, DP_SPREAD_RECEIVER);
	assert_int_equal(c->ports[2].spread, DP_SPREAD_AUTO);
	ctl_config_free(c);
	assert_wrong("ports:\n"
		     "- {name: a, device: net_tap0, spread: device, cpus: [1]}\n"
		     "- {name: b, device: net_tap1, spread: nic}\n"
		     "- text\n",
		"wirecue.yaml:3:53: a list, expected no cpus with spread: device, whose queues the "
		"workers read\n"
		"wirecue.yaml:4:39: 'nic', expected one of auto, device, receiver\n"
		"wirecue.yaml:5:3: 'text', expected a mapping of keys to values");
}

static void more_networks_than_fit_are_refused(void **)
{
	GString *keys = g_string_new("ports: [{name: a, device: net_tap0, ignore: {networks: [");

	for (int i = 0; i < DP_IGNORE_NETS_MAX; i++)
		g_string_append_printf(keys, "%s198.51.100.%d", i == 0 ? "" : ",", i);
	g_string_append(keys, "]}}]\n");
	assert_wrong(keys->str, "");
	g_string_truncate(keys, keys->len - strlen("]}}]\n"));
	g_string_append(keys, ",203.0.113.0/24]}}]\n");
	assert_wrong(keys->str, "wirecue.yaml:2:56: 65 prefixes, expected at most 64");
	g_string_free(keys, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vlans_and_networks_that_are_ignored_arrive),
		cmocka_unit_test(a_replay_ignores_what_any_port_does),
		cmocka_unit_test(nothing_is_ignored_and_copies_are_watched_by_default),
		cmocka_unit_test(mistakes_are_told_at_their_place),
		cmocka_unit_test(a_device_that_spreads_leaves_nobody_to_receive),
		cmocka_unit_test(more_networks_than_fit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
