// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/detector.h"
#include "control/dict.h"
#include "control/facts.h"

#include "tests/unit/mistake_list.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Detectors of the tests' own: one with a parameter of each kind that is owned, one without. */
struct params {
	uint64_t min_duration_ns;
	char **apps;
	GArray *steps;
};

static const struct ctl_option params_table[] = {
	{.name = "min_duration",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct params, min_duration_ns),
		.def = "10min",
		.min = "1s",
		.help = "How long."},
	{.name = "apps",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct params, apps),
		.help = "Which."},
	{.name = "steps",
		.type = CTL_OPTION_PERCENTS,
		.off = offsetof(struct params, steps),
		.def = "[80%, 90%]",
		.help = "Where."},
	{.name = NULL},
};

static const char *check_apps(const struct ctl_rule *rule, const struct cls_catalogue *catalogue)
{
	const struct params *p = rule->params;

	for (char **app = p->apps; app != NULL && *app != NULL; app++)
		if (cls_app_by_name(catalogue, *app) == DP_APP_UNKNOWN)
			return "expected apps of the catalogue";
	return NULL;
}

static const struct ctl_detector watching = {.name = "watching",
	.help = "Watches.",
	.params = params_table,
	.params_size = sizeof(struct params),
	.check = check_apps};
static const struct ctl_option no_params[] = {{.name = NULL}};
static const struct ctl_detector plain = {.name = "plain", .help = "Plain.", .params = no_params};
static const struct ctl_detector *const detectors[] = {&watching, &plain, NULL};

/* A folder of its own for each test; paths in messages are relative to it. */
struct dir {
	char *path;
};

static int setup(void **state)
{
	struct dir *dir = g_new0(struct dir, 1);

	dir->path = g_dir_make_tmp("wirecue-config-XXXXXX", NULL);
	*state = dir;
	(void)unsetenv("WIRECUE_REDIS_URL");
	(void)unsetenv("WIRECUE_NODE");
	(void)unsetenv("WIRECUE_CONTROL_SOCKET");
	(void)unsetenv("WIRECUE_STORE");
	(void)unsetenv("WIRECUE_DATADIR");
	return dir->path == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	struct dir *dir = *state;
	GDir *entries = g_dir_open(dir->path, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(entries)) != NULL) {
		g_autofree char *path = g_build_filename(dir->path, name, NULL);

		(void)g_unlink(path);
	}
	g_dir_close(entries);
	(void)g_rmdir(dir->path);
	g_free(dir->path);
	g_free(dir);
	return 0;
}

static void put(const struct dir *dir, const char *name, const char *text, mode_t mode)
{
	g_autofree char *path = g_build_filename(dir->path, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_int_equal(chmod(path, mode), 0);
}

static const char apps_text[] = "apps:\n"
				"  - {name: netflix, category: streaming, hosts: [netflix.com]}\n";

/* The mistakes ("" when there are none) with the folder cut off, and the configuration. */
static GString *load(const struct dir *dir, const char *text,
	const struct ctl_config_overrides *overrides, struct ctl_config **ret_config)
{
	g_autofree char *path = g_build_filename(dir->path, "wirecue.yaml", NULL);
	g_autofree char *prefix = g_strconcat(dir->path, "/", NULL);
	GString *lines = g_string_new(NULL);
	int r;

	put(dir, "wirecue.yaml", text, 0644);
	put(dir, "apps.yaml", apps_text, 0644);
	put(dir, "key", "0123456789abcdef0123456789abcdef\n", 0600);
	*ret_config = NULL;
	r = ctl_config_load_with(path, overrides, detectors, mistake_append, lines, ret_config);
	assert_int_equal(r, lines->len > 0 ? -EINVAL : 0);
	assert_int_equal(*ret_config == NULL, lines->len > 0);
	g_string_replace(lines, prefix, "", 0);
	return lines;
}

static struct ctl_config *load_right(
	const struct dir *dir, const char *text, const struct ctl_config_overrides *overrides)
{
	struct ctl_config *config;
	GString *lines = load(dir, text, overrides, &config);

	assert_lines(lines->str, "");
	g_string_free(lines, TRUE);
	return config;
}

static void assert_wrong(const struct dir *dir, const char *text, const char *expected)
{
	struct ctl_config *config;
	GString *lines = load(dir, text, NULL, &config);

	assert_lines(lines->str, expected);
	g_string_free(lines, TRUE);
}

static const char full[] =
	"node: edge1\n"
	"tick: 500ms\n"
	"ports:\n"
	"  - {name: up,   device: \"0000:3b:00.0\", role: tap, cpus: [2]}\n"
	"  - {name: down, device: \"net_af_packet,iface=eth1\", driver: dpdk}\n"
	"workers: {cpus: [4, 5], flows: 4M, endpoints: 1M, eal_extra: [-d, x.so]}\n"
	"endpoints: {networks: [10.0.0.0/8, \"2001:db8::/32\"], ipv6_prefix: 56}\n"
	"apps: apps.yaml\n"
	"binding: {sources: [static: people.yaml]}\n"
	"told: {files: [people.yaml, plans.yaml]}\n"
	"zone: Europe/Berlin\n"
	"kill_switch: true\n"
	"rules:\n"
	"  - id: vod-after-film\n"
	"    detect: watching\n"
	"    class: upsell\n"
	"    purpose: marketing\n"
	"    version: 2\n"
	"    enabled: false\n"
	"    dry_run: true\n"
	"    priority: 60\n"
	"    min_confidence: 75.5%\n"
	"    cooldown: 7d\n"
	"    control_group: 10%\n"
	"    when: {segment: [family, young], hours: 18-24}\n"
	"    min_duration: 20min\n"
	"    apps: netflix\n"
	"    steps: [50%]\n"
	"  - {id: second, detect: plain, class: service}\n"
	"redis: {url: \"redis://127.0.0.1:6380\", user: wirecue, password_file: redis.pw,\n"
	"        prefix: \"w:\", queue: 10k, stream_max_length: 5M, connect_timeout: 1s,\n"
	"        reply_timeout: 3s, retry_min: 1s, retry_max: 2s}\n"
	"store: {path: state, size: 4GB, keep_untold: 10d}\n"
	"control: {socket: control.sock}\n"
	"privacy: {subject: imsi, key_file: key}\n";

static void everything_that_is_written_arrives(void **state)
{
	const struct dir *dir = *state;
	g_autofree char *socket = g_build_filename(dir->path, "control.sock", NULL);
	struct ctl_config *c;
	const struct ctl_rule *rule;
	const struct params *params;

	put(dir, "people.yaml",
		"static: true\n"
		"subscribers: [{account: a, addresses: [\"2001:db8:0:100::/56\"]}]\n",
		0644);
	put(dir, "plans.yaml", "static: true\nplans: [{id: m, cap: 1GB}]\n", 0644);
	put(dir, "redis.pw", "secret\n", 0640);
	c = load_right(dir, full, NULL);
	assert_string_equal(c->node, "edge1");
	assert_int_equal(c->tick_ns, 500000000);
	assert_int_equal(c->n_ports, 2);
	assert_string_equal(c->ports[0].device, "0000:3b:00.0");
	assert_int_equal(c->ports[0].driver, CTL_DRIVER_AUTO);
	assert_string_equal(c->ports[0].cpus[0], "2");
	assert_string_equal(c->ports[1].name, "down");
	assert_int_equal(c->ports[1].driver, CTL_DRIVER_DPDK);
	assert_null(c->ports[1].cpus);
	assert_string_equal(c->worker_cpus[1], "5");
	assert_int_equal(c->n_flows, 4000000);
	assert_int_equal(c->n_endpoints, 1000000);
	assert_string_equal(c->eal_extra[1], "x.so");
	assert_int_equal(c->nets.n_nets, 2);
	assert_int_equal(c->nets.net[1].len, 32);
	assert_int_equal(c->nets.ipv6_prefix_len, 56);
	assert_int_equal(cls_catalogue_count(c->catalogue), 1);
	assert_int_equal(c->facts->persons->len, 1); // a file named twice is read once
	assert_int_equal(c->facts->plans->len, 1);
	assert_string_equal(c->default_zone, "Europe/Berlin");
	assert_true(c->kill_switch);
	assert_string_equal(c->redis.url, "redis://127.0.0.1:6380");
	assert_string_equal(c->redis.user, "wirecue");
	assert_string_equal(c->redis.password, "secret");
	assert_string_equal(c->redis.prefix, "w:");
	assert_int_equal(c->redis.queue_max, 10000);
	assert_int_equal(c->redis.stream_max_len, 5000000);
	assert_int_equal(c->redis.connect_timeout_ns, 1000000000);
	assert_int_equal(c->redis.reply_timeout_ns, 3000000000);
	assert_int_equal(c->redis.retry_min_ns, 1000000000);
	assert_int_equal(c->redis.retry_max_ns, 2000000000);
	assert_true(c->store.enabled);
	assert_true(g_str_has_suffix(c->store.path, "/state"));
	assert_true(g_str_has_suffix(c->store.key_file, "/state/identity.key"));
	assert_int_equal(c->store.size_max, 4000000000);
	assert_string_equal(c->control_socket, socket);
	assert_int_equal(c->privacy.subject, CTL_SUBJECT_IMSI);
	assert_int_equal(c->privacy.key_len, 32);
	assert_memory_equal(c->privacy.key, "0123456789abcdef0123456789abcdef", 32);

	assert_int_equal(c->n_rules, 2);
	rule = &c->rules[0];
	params = rule->params;
	assert_string_equal(rule->id, "vod-after-film");
	assert_ptr_equal(rule->detector, &watching);
	assert_int_equal(rule->class, CTL_CLASS_UPSELL);
	assert_string_equal(rule->purpose, "marketing");
	assert_int_equal(rule->version, 2);
	assert_false(rule->enabled);
	assert_true(rule->dry_run);
	assert_int_equal(rule->priority, 60);
	assert_true(rule->min_confidence == 75.5);
	assert_int_equal(rule->cooldown_ns, 604800000000000);
	assert_true(rule->control_group == 10);
	assert_string_equal(rule->when.segments[1], "young");
	assert_int_equal(rule->when.hours.begin, 18);
	assert_int_equal(rule->when.hours.end, 24);
	assert_int_equal(params->min_duration_ns, 1200000000000);
	assert_string_equal(params->apps[0], "netflix");
	assert_int_equal(params->steps->len, 1);
	rule = &c->rules[1];
	assert_int_equal(rule->class, CTL_CLASS_SERVICE);
	assert_null(rule->purpose);
	assert_true(rule->enabled);
	assert_int_equal(rule->version, 1);
	assert_int_equal(rule->when.hours.begin, rule->when.hours.end); // always
	ctl_config_free(c);
}

static void a_short_file_has_the_defaults(void **state)
{
	struct ctl_config *c = load_right(
		*state, "apps: apps.yaml\nprivacy: {subject: plain}\n", NULL);
	struct dp_endpoint_nets nets;

	dp_endpoint_nets_default(&nets);
	assert_int_equal(c->nets.n_nets, nets.n_nets);
	assert_memory_equal(c->nets.net, nets.net, nets.n_nets * sizeof(nets.net[0]));
	assert_int_equal(c->nets.ipv6_prefix_len, nets.ipv6_prefix_len);
	assert_string_equal(c->node, "local");
	assert_int_equal(c->tick_ns, 1000000000);
	assert_string_equal(c->redis.url, "redis://127.0.0.1:6379");
	assert_string_equal(c->redis.prefix, "wirecue:");
	assert_string_equal(c->control_socket, "/run/wirecue/control.sock");
	assert_int_equal(c->facts->persons->len, 0);
	assert_int_equal(c->privacy.key_len, 0);
	assert_null(c->worker_cpus);
	ctl_config_free(c);
}

static void without_a_file_the_shipped_catalogue_and_the_test_key_are_used(void **state)
{
	const struct dir *dir = *state;
	g_autofree char *own = g_build_filename(dir->path, "apps.yaml", NULL);
	GString *lines = g_string_new(NULL);
	struct ctl_config *c;

	assert_int_equal(ctl_config_load_with(NULL, NULL, detectors, mistake_append, lines, &c), 0);
	assert_true(g_str_has_suffix(c->apps_path, "/apps.yaml"));
	assert_true(cls_catalogue_count(c->catalogue) >= 100);
	assert_null(c->path);
	assert_int_equal(c->n_rules, 0);
	assert_int_equal(c->privacy.subject, CTL_SUBJECT_MSISDN);
	assert_int_equal(c->privacy.key_len, strlen(CTL_TEST_KEY));
	assert_memory_equal(c->privacy.key, CTL_TEST_KEY, c->privacy.key_len);
	ctl_config_free(c);

	put(dir, "apps.yaml", apps_text, 0644);
	(void)setenv("WIRECUE_DATADIR", dir->path, 1);
	assert_int_equal(ctl_config_load_with(NULL, NULL, detectors, mistake_append, lines, &c), 0);
	assert_string_equal(c->apps_path, own);
	assert_int_equal(cls_catalogue_count(c->catalogue), 1);
	ctl_config_free(c);
	assert_string_equal(lines->str, "");
	g_string_free(lines, TRUE);
}

static void flags_stand_over_environment_over_file(void **state)
{
	static const char text[] = "node: from-file\napps: apps.yaml\n"
				   "redis: {url: \"redis://file:1\"}\n"
				   "control: {socket: /file.sock}\nprivacy: {subject: plain}\n";
	const struct ctl_config_overrides flags = {.node = "from-flag", .n_workers = 3};
	struct ctl_config *c;

	(void)setenv("WIRECUE_NODE", "from-env", 1);
	(void)setenv("WIRECUE_REDIS_URL", "unix:///env.sock", 1);
	c = load_right(*state, text, &flags);
	assert_string_equal(c->node, "from-flag");
	assert_string_equal(c->redis.url, "unix:///env.sock");
	assert_string_equal(c->control_socket, "/file.sock");
	assert_int_equal(c->n_workers, 3);
	ctl_config_free(c);
}

static void a_wrong_override_names_the_variable_or_the_flag(void **state)
{
	const struct ctl_config_overrides flags = {.redis_url = "redis://u:secret@h:1"};
	struct ctl_config *c;
	GString *lines;

	(void)setenv("WIRECUE_NODE", "Edge 1", 1);
	lines = load(*state, "apps: apps.yaml\nprivacy: {subject: plain}\ntik: 1s\n", &flags, &c);
	assert_lines(lines->str,
		"WIRECUE_NODE: 'Edge 1', expected a name of a-z, 0-9 and '-', at most 63 "
		"characters\n"
		"--redis: 'redis://***@h:1', expected a URL without user and password (redis.user "
		"and redis.password_file hold them)\n"
		"wirecue.yaml:3:1: 'tik', expected a known key such as 'tick'");
	g_string_free(lines, TRUE);
}

static void every_mistake_of_every_file_is_reported_in_one_run(void **state)
{
	const struct dir *dir = *state;

	put(dir, "bad-apps.yaml",
		"apps:\n"
		"  - {name: x, category: web, hosts: [a.example]}\n"
		"  - {name: y, category: web, hosts: [a.example]}\n",
		0644);
	put(dir, "told.yaml", "static: true\nsubscribers: [{msisdn: \"0170\"}]\n", 0644);
	put(dir, "loose", "0123456789abcdef", 0644);
	assert_wrong(dir,
		"node: Edge_1\n"
		"tick: 10\n"
		"tock: 1s\n"
		"nodes: x\n"
		"ports:\n"
		"  - {name: up, device: eth0/1, role: span}\n"
		"  - {name: up, device: \"net_tap,x=1\", driver: xpd, cpus: [2, a, 2]}\n"
		"  - {device: \"net_tap,x=1\"}\n"
		"workers: {flows: 10}\n"
		"endpoints: {networks: [10.0.0.0/8, 10.1.0.0/16, 10.0.0.1/8, ::/0], ipv6_prefix: "
		"129}\n"
		"apps: bad-apps.yaml\n"
		"binding: {sources: [radios, static: told.yaml, dynamic: x]}\n"
		"told: {files: [told.yaml, nowhere.yaml]}\n"
		"rules:\n"
		"  - {id: a, detect: watching, class: upsel, min_duration: 1ms, min_dration: 1s}\n"
		"  - {id: a, detect: wathing, class: upsell, anything: 1, cooldown: 7}\n"
		"  - {id: b, class: retention, when: {segment: x, hours: 9-9, days: 1}}\n"
		"redis: {url: \"http://x\", retry_min: 1min, password: x}\n"
		"privacy: {key_file: loose}\n",
		"wirecue.yaml:1:7: 'Edge_1', expected a name of a-z, 0-9 and '-', at most 63 "
		"characters\n"
		"wirecue.yaml:2:7: '10', expected a duration with a unit such as 10min (ms, s, "
		"min, h, d)\n"
		"wirecue.yaml:3:1: 'tock', expected a known key such as 'tick'\n"
		"wirecue.yaml:4:1: 'nodes', expected a known key such as 'node'\n"
		"wirecue.yaml:6:24: 'eth0/1', expected a kernel interface such as eth1, a PCI address "
		"such as 0000:3b:00.0 or a virtual device such as \"net_af_packet,iface=eth1\"\n"
		"wirecue.yaml:6:38: 'span', expected one of tap, host\n"
		"wirecue.yaml:7:12: 'up', expected each port name once; it is also at "
		"wirecue.yaml:6:12\n"
		"wirecue.yaml:7:47: 'xpd', expected one of auto, dpdk, xdp\n"
		"wirecue.yaml:7:62: 'a', expected the number of a CPU such as 2\n"
		"wirecue.yaml:7:65: '2', expected each CPU of a port once; it is also at "
		"wirecue.yaml:7:59\n"
		"wirecue.yaml:8:5: 'name' missing, expected a text that is not empty\n"
		"wirecue.yaml:8:14: 'net_tap,x=1', expected each device once; it is also at "
		"wirecue.yaml:7:24\n"
		"wirecue.yaml:9:18: '10', expected 1k to 256M\n"
		"wirecue.yaml:10:36: '10.1.0.0/16', expected prefixes that do not overlap; "
		"'10.0.0.0/8' is at wirecue.yaml:10:24\n"
		"wirecue.yaml:10:49: '10.0.0.1/8', expected a prefix without bits behind its "
		"length\n"
		"wirecue.yaml:10:61: '::/0', expected less than all addresses: the other side is "
		"none of the subscribers'\n"
		"wirecue.yaml:10:81: '129', expected 48 to 128\n"
		"wirecue.yaml:12:21: 'radios', expected radius, gtpv1c, gtpv2c, pfcp, or 'static: "
		"FILE'\n"
		"wirecue.yaml:12:48: 'dynamic', expected radius, gtpv1c, gtpv2c, pfcp, or 'static: "
		"FILE'\n"
		"wirecue.yaml:15:38: 'upsel', expected one of upsell, retention, service\n"
		"wirecue.yaml:15:59: '1ms', expected at least 1s\n"
		"wirecue.yaml:15:64: 'min_dration', expected a known key such as 'min_duration'\n"
		"wirecue.yaml:16:5: 'purpose' missing, expected the consent that upsell and "
		"retention need, such as marketing\n"
		"wirecue.yaml:16:10: 'a', expected each rule id once; it is also at "
		"wirecue.yaml:15:10\n"
		"wirecue.yaml:16:21: 'wathing', expected one of watching, plain\n"
		"wirecue.yaml:16:68: '7', expected a duration with a unit such as 10min (ms, s, "
		"min, h, d)\n"
		"wirecue.yaml:17:5: 'detect' missing, expected one of watching, plain\n"
		"wirecue.yaml:17:5: 'purpose' missing, expected the consent that upsell and "
		"retention need, such as marketing\n"
		"wirecue.yaml:17:57: '9-9', expected local hours such as 18-24 (0 to 24, end "
		"exclusive)\n"
		"wirecue.yaml:17:62: 'days', expected a known key (segment, hours)\n"
		"wirecue.yaml:18:14: 'http://x', expected redis://HOST:PORT[/DB] or unix:///PATH "
		"such as redis://127.0.0.1:6379\n"
		"wirecue.yaml:18:37: '1min', expected retry_min not above retry_max\n"
		"wirecue.yaml:18:43: 'password', expected a known key (url, user, ca_file, "
		"cert_file, tls_key_file, tls_server_name, prefix, queue, "
		"stream_max_length, stream_trim_unread, connect_timeout, reply_timeout, "
		"retry_min, retry_max, confirm, replicas, retain, hashes, usage_interval, password_file)\n"
		"wirecue.yaml:19:21: 'loose' has mode 0644, which everyone may use, expected a "
		"private file: chmod 0640 loose\n"
		"bad-apps.yaml:3:38: 'a.example', expected each host once; app 'x' has it at "
		"bad-apps.yaml:2:38\n"
		"told.yaml:2:24: msisdn, expected '+' and 4 to 15 digits (E.164), in quotes\n"
		"nowhere.yaml: cannot be read (No such file or directory), expected a readable YAML "
		"file");
}

static void a_rule_that_its_detector_refuses_is_a_mistake_of_the_rule(void **state)
{
	assert_wrong(*state,
		"apps: apps.yaml\n"
		"privacy: {subject: plain}\n"
		"rules:\n"
		"  - {id: a, detect: watching, class: service, apps: [netflix]}\n"
		"  - {id: b, detect: watching, class: service, apps: [hulu]}\n",
		"wirecue.yaml:5:5: 'b', expected apps of the catalogue");
}

static void a_syntax_error_is_one_line_with_its_position(void **state)
{
	struct ctl_config *c;
	GString *lines = load(*state, "node: [a\ntick: 1s\n", NULL, &c);

	// What stands between is the library's.
	assert_true(g_str_has_prefix(lines->str, "wirecue.yaml:3:1: "));
	assert_true(g_str_has_suffix(lines->str, ", expected valid YAML"));
	assert_null(strchr(lines->str, '\n'));
	g_string_free(lines, TRUE);
	assert_wrong(*state, "", "wirecue.yaml:1:1: nothing, expected at least the key 'privacy'");
	assert_wrong(
		*state, "- a\n", "wirecue.yaml:1:1: a list, expected a mapping of keys to values");
}

static void a_file_that_cannot_be_read_is_said(void **)
{
	GString *lines = g_string_new(NULL);
	struct ctl_config *c = NULL;

	assert_int_equal(ctl_config_load_with("/nowhere/wirecue.yaml", NULL, detectors,
				 mistake_append, lines, &c),
		-ENOENT);
	assert_null(c);
	assert_lines(lines->str,
		"/nowhere/wirecue.yaml: cannot be read (No such file or directory), expected a "
		"readable YAML file");
	g_string_free(lines, TRUE);
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
	static const struct {
		mode_t mode;
		bool is_right;
	} rows[] = {{0400, true}, {0600, true}, {0640, true}, {0440, true}, {0604, false},
		{0644, false}, {0660, false}, {0602, false}, {0601, false}, {0620, false}};
	const struct dir *dir = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_config *c;
		GString *lines;

		put(dir, "own", "0123456789abcdef", rows[i].mode);
		lines = load(dir, "apps: apps.yaml\nprivacy: {key_file: own}\n", NULL, &c);
		if ((c != NULL) != rows[i].is_right)
			fail_msg("mode %04o: %s", (unsigned)rows[i].mode, lines->str);
		g_string_free(lines, TRUE);
		ctl_config_free(c);
	}
}

static void a_key_is_long_enough_and_a_password_not_empty(void **state)
{
	static const char text[] = "apps: apps.yaml\n"
				   "redis: {password_file: pw}\n"
				   "privacy: {key_file: own}\n";
	const struct dir *dir = *state;
	g_autofree char *long_key = g_strnfill(64, 'x');
	g_autofree char *too_long = g_strnfill(65, 'x');
	g_autofree char *line = g_strconcat(long_key, "\r\n", NULL);
	struct ctl_config *c;

	put(dir, "own", "0123456789abcde\n", 0600);
	put(dir, "pw", "\n", 0600);
	assert_wrong(dir, text,
		"wirecue.yaml:2:24: 'pw', expected a file with one line that is not empty\n"
		"wirecue.yaml:3:21: 'own' holds 15 bytes, expected a key of 16 to 64 bytes "
		"(openssl rand -hex 32)");
	put(dir, "own", too_long, 0600);
	put(dir, "pw", "p", 0600);
	assert_wrong(dir, text, "wirecue.yaml:3:21: 'own', expected at most 64 bytes");
	put(dir, "own", line, 0600); // the newline does not count
	c = load_right(dir, text, NULL);
	assert_int_equal(c->privacy.key_len, 64);
	assert_string_equal(c->redis.password, "p");
	ctl_config_free(c);
	assert_wrong(dir, "apps: apps.yaml\nprivacy: {key_file: /dev/zero}\n",
		"wirecue.yaml:2:21: '/dev/zero', expected a regular file");
}

static void pseudonyms_need_a_key(void **state)
{
	assert_wrong(*state, "apps: apps.yaml\n",
		"wirecue.yaml:1:1: 'privacy' missing, expected a mapping with key_file");
	assert_wrong(*state, "apps: apps.yaml\nprivacy: {subject: account}\n",
		"wirecue.yaml:2:10: 'key_file' missing, expected a file with the key of the "
		"pseudonyms (or subject: plain in a laboratory)");
}

static void a_reload_keeps_the_ids_of_apps(void **state)
{
	static const char text[] = "apps: other.yaml\nprivacy: {subject: plain}\n";
	const struct dir *dir = *state;
	struct ctl_config *c;
	uint32_t id;

	put(dir, "other.yaml",
		"apps:\n  - {name: a-1, category: web, hosts: [a.example]}\n"
		"  - {name: a-2, category: web, hosts: [b.example]}\n",
		0644);
	c = load_right(dir, text, NULL);
	id = cls_app_by_name(c->catalogue, "a-2");
	ctl_config_free(c);
	put(dir, "other.yaml", "apps:\n  - {name: a-2, category: web, hosts: [b.example]}\n", 0644);
	c = load_right(dir, text, NULL);
	assert_int_equal(cls_app_by_name(c->catalogue, "a-2"), id);
	assert_string_equal(ctl_dict_name(ctl_dict_apps(), id), "a-2");
	ctl_config_free(c);
}

static void at_most_64_networks_are_taken(void **state)
{
	g_autoptr(GString) text = g_string_new("endpoints: {networks: [");

	for (int i = 0; i < 65; i++)
		g_string_append_printf(text, "%s10.%d.0.0/16", i == 0 ? "" : ", ", i);
	g_string_append(text, "]}\napps: apps.yaml\nprivacy: {subject: plain}\n");
	assert_wrong(*state, text->str, "wirecue.yaml:1:23: 65 prefixes, expected 1 to 64");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything_that_is_written_arrives),
		TEST(a_short_file_has_the_defaults),
		TEST(without_a_file_the_shipped_catalogue_and_the_test_key_are_used),
		TEST(flags_stand_over_environment_over_file),
		TEST(a_wrong_override_names_the_variable_or_the_flag),
		TEST(every_mistake_of_every_file_is_reported_in_one_run),
		TEST(a_rule_that_its_detector_refuses_is_a_mistake_of_the_rule),
		TEST(a_syntax_error_is_one_line_with_its_position),
		TEST(a_file_that_cannot_be_read_is_said),
		TEST(a_secret_that_others_can_read_is_refused),
		TEST(a_key_is_long_enough_and_a_password_not_empty),
		TEST(pseudonyms_need_a_key),
		TEST(a_reload_keeps_the_ids_of_apps),
		TEST(at_most_64_networks_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
