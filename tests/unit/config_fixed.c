// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void mistake(void *, const char *text)
{
	print_error("%s\n", text);
}

static void put(const char *folder, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_int_equal(g_chmod(path, 0600), 0);
}

static struct ctl_config *load(const char *folder, const char *keys)
{
	static const struct ctl_detector *const none[] = {NULL};
	g_autofree char *path = g_build_filename(folder, "wirecue.yaml", NULL);
	g_autofree char *text = g_strconcat(
		"apps: apps.yaml\nprivacy: {subject: plain}\n", keys, NULL);
	struct ctl_config *config = NULL;

	put(folder, "wirecue.yaml", text);
	assert_int_equal(ctl_config_load_with(path, NULL, none, mistake, NULL, &config), 0);
	return config;
}

/* Each key of the reference either takes effect by a reload or asks for a restart. */
static const struct {
	const char *before, *after, *key; // NULL: takes effect
} rows[] = {
	{"", "node: other\n", "node"},
	{"", "tick: 2s\n", "tick"},
	{"", "zone: Asia/Tokyo\n", NULL},
	{"", "kill_switch: true\n", NULL},
	{"", "workers: {cpus: [1]}\n", "workers.cpus"},
	{"workers: {cpus: [1]}\n", "workers: {cpus: [2]}\n", "workers.cpus"},
	{"", "workers: {flows: 2M}\n", "workers.flows"},
	{"", "workers: {endpoints: 2M}\n", NULL},
	{"", "workers: {duplicates: drop}\n", "workers.duplicates"},
	{"", "workers: {duplicates: watch}\n", NULL}, // as before
	{"", "workers: {duplicate_window: 1ms}\n", "workers.duplicate_window"},
	{"", "workers: {eal_extra: [--syslog]}\n", "workers.eal_extra"},
	{"", "flows: {recent: 5}\n", "flows.recent"},
	{"", "endpoints: {ipv6_prefix: 56}\n", "endpoints"},
	{"", "endpoints: {networks: [10.0.0.0/8]}\n", "endpoints"},
	{"", "redis: {url: \"unix:///a\"}\n", "redis.url"},
	{"", "redis: {user: x}\n", "redis.user"},
	{"", "redis: {prefix: \"x:\"}\n", "redis.prefix"},
	{"", "redis: {queue: 5}\n", "redis.queue"},
	{"", "redis: {stream_max_length: 5}\n", "redis.stream_max_length"},
	{"", "redis: {connect_timeout: 1s}\n", "redis.connect_timeout"},
	{"", "redis: {reply_timeout: 1s}\n", "redis.reply_timeout"},
	{"", "redis: {retry_min: 1s}\n", "redis.retry_min"},
	{"", "redis: {retry_max: 1s}\n", "redis.retry_max"},
	{"", "redis: {password_file: redis.pw}\n", "redis.password_file"},
	{"", "control: {socket: /run/x}\n", "control.socket"},
	{"", "samples: {one_in: 0, file_size: 1MB, total: 2MB, age: 1h}\n", NULL},
	{"", "samples: {path: /x}\n", "samples.path"},
	{"", "samples: {packets: 9}\n", "samples.packets"},
	{"", "samples: {snap: 100B}\n", "samples.snap"},
	{"", "ports: [{name: a, device: net_tap0}]\n", "ports"},
	{"ports: [{name: a, device: net_tap0}]\n", "ports: [{name: b, device: net_tap0}]\n",
		"ports.name"},
	{"ports: [{name: a, device: net_tap0}]\n",
		"ports: [{name: a, device: net_tap0, cpus: [1]}]\n", "ports.cpus"},
	{"ports: [{name: a, device: net_tap0}]\n",
		"ports: [{name: a, device: net_tap0, mtu: 9000}]\n", "ports.mtu"},
	{"ports: [{name: a, device: eth1}]\n", "ports: [{name: a, device: eth1, role: host}]\n",
		"ports.role"},
	{"ports: [{name: a, device: eth1}]\n", "ports: [{name: a, device: eth1, driver: xdp}]\n",
		"ports.driver"},
	{"ports: [{name: a, device: eth1}]\n",
		"ports: [{name: a, device: eth1, xdp_mode: generic}]\n", "ports.xdp_mode"},
	{"", "xdp: {flows: 5k}\n", "xdp.flows"},
	{"", "xdp: {entries: 5k}\n", "xdp.entries"},
	{"", "xdp: {ring: 1MiB}\n", "xdp.ring"},
	{"ports: [{name: a, device: net_tap0, ignore: {vlans: [1]}}]\n",
		"ports: [{name: a, device: net_tap0, ignore: {vlans: [1, 2]}}]\n",
		"ports.ignore.vlans"},
	{"ports: [{name: a, device: net_tap0}]\n",
		"ports: [{name: a, device: net_tap0, ignore: {networks: [192.0.2.0/24]}}]\n",
		"ports.ignore.networks"},
};

static void what_a_start_fixes_is_told_from_what_a_reload_takes(void **)
{
	static const char *const files[] = {"apps.yaml", "redis.pw", "wirecue.yaml"};
	g_autofree char *folder = g_dir_make_tmp("wirecue-fixed-XXXXXX", NULL);

	assert_non_null(folder);
	put(folder, "apps.yaml", "apps: [{name: a, category: web, hosts: [a.example]}]\n");
	put(folder, "redis.pw", "secret");
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_config *before = load(folder, rows[i].before);
		struct ctl_config *after = load(folder, rows[i].after);
		char key[CTL_FIXED_KEY_MAX] = "";

		print_message("%s", rows[i].after);
		assert_int_equal(ctl_config_needs_restart(before, after, key), rows[i].key != NULL);
		assert_string_equal(key, rows[i].key == NULL ? "" : rows[i].key);
		assert_false(ctl_config_needs_restart(after, after, key));
		ctl_config_free(before);
		ctl_config_free(after);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(folder, files[i], NULL);

		assert_int_equal(g_unlink(path), 0);
	}
	assert_int_equal(g_rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_start_fixes_is_told_from_what_a_reload_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
