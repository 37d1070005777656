// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_yaml.h"
#include "control/config_read.h"
#include "control/facts.h"
#include "control/facts_yaml.h"
#include "control/yaml_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static_assert(sizeof(CTL_TEST_KEY) - 1 <= sizeof(((struct ctl_privacy *)0)->key));

void ctl_config_free(struct ctl_config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->n_ports; i++)
		ctl_port_clear(&config->ports[i]);
	for (size_t i = 0; i < config->n_rules; i++)
		ctl_rule_clear(&config->rules[i]);
	g_free(config->ports);
	g_free(config->rules);
	cls_catalogue_free(config->catalogue);
	g_clear_pointer(&config->hosts_files, g_ptr_array_unref);
	ctl_facts_free(config->facts);
	if (config->redis.password != NULL)
		explicit_bzero(config->redis.password, strlen(config->redis.password));
	g_free(config->redis.password);
	explicit_bzero(config->privacy.key, sizeof(config->privacy.key));
	ctl_options_fini(ctl_config_options, config);
	ctl_options_fini(ctl_workers_options, config);
	ctl_options_fini(ctl_flows_options, config);
	ctl_options_fini(ctl_control_options, config);
	ctl_options_fini(ctl_redis_options, &config->redis);
	ctl_options_fini(ctl_store_options, &config->store);
	ctl_options_fini(ctl_samples_options, &config->samples);
	ctl_options_fini(ctl_xdp_options, &config->xdp);
	g_free(config->apps_path);
	g_free(config->path);
	g_free(config);
}

static void raw_fini(struct ctl_config_raw *raw)
{
	ctl_options_fini(ctl_config_raw_options, raw);
	ctl_options_fini(ctl_endpoints_options, raw);
	ctl_options_fini(ctl_told_files_options, raw);
	ctl_options_fini(ctl_redis_raw_options, raw);
	ctl_options_fini(ctl_privacy_raw_options, raw);
}

char *ctl_config_shipped_apps(void)
{
	const char *dir = getenv("WIRECUE_DATADIR");

	if (dir != NULL && *dir != '\0')
		return g_build_filename(dir, "apps.yaml", NULL);
	if (access(WIRECUE_DATADIR "/apps.yaml", R_OK) == 0)
		return g_strdup(WIRECUE_DATADIR "/apps.yaml");
	return g_strdup(WIRECUE_SRCDIR "/control/catalogue/apps.yaml");
}

/* One value from outside the file; source is what the message begins with. */
static void override(struct ctl_config_reader *r, const struct ctl_option *option, void *base,
	const char *source, const char *text)
{
	char expected[CTL_EXPECTED_MAX], found[CTL_QUOTE_MAX];

	if (text != NULL && ctl_option_set(option, text, base, expected) < 0)
		ctl_mistake(r->mistakes, 0, 0, 0, "%s: %s, %s", source, ctl_quote(text, found),
			expected);
}

static void override_options(struct ctl_config_reader *r, const struct ctl_option *options,
	void *base, const char *flag, const char *flag_text)
{
	for (const struct ctl_option *o = options; o->name != NULL; o++) {
		const char *env = o->env == NULL ? NULL : getenv(o->env);

		if (o->env == NULL)
			continue;
		if (env != NULL && *env != '\0') // empty is how a service file says "not set"
			override(r, o, base, o->env, env);
		override(r, o, base, flag, flag_text);
	}
}

static void settle_key_file(struct ctl_store_options *store)
{
	if (store->key_file == NULL)
		store->key_file = g_build_filename(store->path, "identity.key", NULL);
}

/* Each of the tables has one value that may be overridden. */
static void read_overrides(
	struct ctl_config_reader *r, const struct ctl_config_overrides *overrides)
{
	static const struct ctl_config_overrides none = {0};
	const struct ctl_config_overrides *o = overrides != NULL ? overrides : &none;

	override_options(r, ctl_config_options, r->config, "--node", o->node);
	override_options(r, ctl_redis_options, &r->config->redis, "--redis", o->redis_url);
	override_options(r, ctl_control_options, r->config, "--socket", o->socket);
	override_options(r, ctl_store_options, &r->config->store, "--store", o->store);
	settle_key_file(&r->config->store);
	r->config->n_workers = o->n_workers;
}

static void read_control(struct ctl_config_reader *r, const struct ctl_yaml_node *control)
{
	struct ctl_config *config = r->config;
	char *socket;

	ctl_options_init(ctl_control_options, config);
	if (control == NULL)
		return;
	ctl_yaml_options(
		r->doc, control, &(struct ctl_yaml_part){ctl_control_options, config}, 1, NULL);
	socket = ctl_yaml_resolve(r->doc, config->control_socket);
	g_free(config->control_socket);
	config->control_socket = socket;
	if (strlen(socket) > 107 && ctl_yaml_get(control, "socket") != NULL) // sockaddr_un
		ctl_yaml_mistake(r->doc, ctl_yaml_get(control, "socket"),
			"the whole path has %zu bytes, expected at most 107", strlen(socket));
}

static void read_top(struct ctl_config_reader *r, const struct ctl_yaml_node *root)
{
	static const char *const sections[] = {"ports", "workers", "flows", "endpoints", "binding",
		"told", "rules", "redis", "store", "samples", "rot", "xdp", "control", "privacy",
		NULL};
	const struct ctl_yaml_part parts[] = {
		{ctl_config_options, r->config}, {ctl_config_raw_options, &r->raw}};

	ctl_yaml_options(r->doc, root, parts, G_N_ELEMENTS(parts), sections);
	ctl_config_read_ports(r, ctl_yaml_get(root, "ports"));
	ctl_yaml_options(r->doc, ctl_yaml_get(root, "workers"),
		&(struct ctl_yaml_part){ctl_workers_options, r->config}, 1, NULL);
	ctl_yaml_options(r->doc, ctl_yaml_get(root, "flows"),
		&(struct ctl_yaml_part){ctl_flows_options, r->config}, 1, NULL);
	ctl_config_check_duplicates(r, ctl_yaml_get(root, "workers"));
	ctl_config_read_endpoints(r, ctl_yaml_get(root, "endpoints"));
	ctl_config_read_binding(r, ctl_yaml_get(root, "binding"));
	ctl_config_read_told(r, ctl_yaml_get(root, "told"));
	ctl_config_read_rules(r, ctl_yaml_get(root, "rules"));
	ctl_config_read_redis(r, ctl_yaml_get(root, "redis"));
	ctl_config_read_store(r, ctl_yaml_get(root, "store"));
	ctl_config_read_rot(r, ctl_yaml_get(root, "rot"));
	ctl_config_read_samples(r, ctl_yaml_get(root, "samples"));
	ctl_config_read_xdp(r, ctl_yaml_get(root, "xdp"));
	read_control(r, ctl_yaml_get(root, "control"));
	if (root->kind == CTL_YAML_MAP)
		ctl_config_read_privacy(r, ctl_yaml_get(root, "privacy"));
}

/* Without a file: every default, and the key that is no secret. */
static void read_nothing(struct ctl_config_reader *r)
{
	struct ctl_privacy *privacy = &r->config->privacy;

	ctl_config_read_endpoints(r, NULL);
	ctl_config_read_binding(r, NULL);
	ctl_config_read_redis(r, NULL);
	ctl_config_read_store(r, NULL);
	ctl_config_read_rot(r, NULL);
	ctl_config_read_samples(r, NULL);
	ctl_config_read_xdp(r, NULL);
	read_control(r, NULL);
	ctl_options_init(ctl_privacy_options, privacy);
	memcpy(privacy->key, CTL_TEST_KEY, strlen(CTL_TEST_KEY));
	privacy->key_len = strlen(CTL_TEST_KEY);
}

/* Which catalogue is read; owned by the caller. */
static char *apps_path(
	const struct ctl_config_reader *r, const struct ctl_config_overrides *overrides)
{
	if (overrides != NULL && overrides->apps != NULL)
		return g_strdup(overrides->apps);
	return r->raw.apps != NULL ? ctl_yaml_resolve(r->doc, r->raw.apps)
				   : ctl_config_shipped_apps();
}

void ctl_config_swap_apps(struct ctl_config *config, struct ctl_apps *apps)
{
	const struct ctl_apps before = {.catalogue = config->catalogue,
		.names = apps->names,
		.files = config->hosts_files,
		.n_hosts = config->n_hosts,
		.n_nets = config->n_networks};

	config->catalogue = apps->catalogue;
	config->hosts_files = apps->files;
	config->n_hosts = apps->n_hosts;
	config->n_networks = apps->n_nets;
	*apps = before;
}

static void load_apps(struct ctl_config_reader *r, const struct ctl_config_overrides *overrides,
	struct ctl_apps *ret_apps)
{
	struct ctl_config *config = r->config;
	g_autofree char *chosen = NULL;

	config->apps_path = apps_path(r, overrides);
	if (overrides != NULL && overrides->choose_apps != NULL)
		chosen = overrides->choose_apps(overrides->choose_ctx, config);
	if (ctl_apps_load(chosen != NULL ? chosen : config->apps_path, ctl_dict_apps(),
		    ctl_dict_tags(), r->mistakes, ret_apps) < 0)
		return; // reported
	ctl_config_swap_apps(config, ret_apps);
}

static void load_told(struct ctl_config_reader *r, const struct ctl_apps *apps)
{
	const struct ctl_told_env env = {
		.default_zone = r->config->default_zone,
		.ipv6_prefix_len = r->config->nets.ipv6_prefix_len,
		// A catalogue without names could not be read: that is reported once, there.
		.app_names = g_hash_table_size(apps->names) > 0 ? apps->names : NULL,
	};

	g_ptr_array_add(r->told_paths, NULL);
	if (ctl_told_load((const char *const *)r->told_paths->pdata, &env, r->mistakes,
		    &r->config->facts) < 0)
		r->config->facts = NULL; // reported
}

static void read_all(struct ctl_config_reader *r, const struct ctl_config_overrides *overrides)
{
	const struct ctl_yaml_node *root = r->doc == NULL ? NULL : r->doc->root;
	struct ctl_apps apps;

	ctl_options_init(ctl_config_options, r->config);
	ctl_options_init(ctl_workers_options, r->config);
	ctl_options_init(ctl_flows_options, r->config);
	if (root != NULL)
		read_top(r, root);
	else
		read_nothing(r);
	read_overrides(r, overrides);
	if (overrides != NULL && overrides->number_names != NULL)
		overrides->number_names(r->config->store.path);
	load_apps(r, overrides, &apps);
	ctl_config_check_rules(r, ctl_yaml_get(root, "rules"));
	load_told(r, &apps);
	ctl_apps_fini(&apps);
}

static int read_config(
	struct ctl_config_reader *r, const char *path, const struct ctl_config_overrides *overrides)
{
	struct ctl_yaml *doc = NULL;
	int rc;

	r->config->path = g_strdup(path);
	r->is_xdp = overrides != NULL && overrides->is_xdp;
	if (path != NULL) {
		rc = ctl_yaml_load(path, false, r->mistakes, &doc);
		if (rc < 0)
			return rc;
		if (doc->root == NULL)
			ctl_mistake(r->mistakes, doc->file, 1, 1,
				"nothing, expected at least the key 'privacy'");
		r->doc = doc;
	}
	if (path == NULL || doc->root != NULL)
		read_all(r, overrides);
	ctl_yaml_free(doc);
	return ctl_mistakes_count(r->mistakes) > 0 ? -EINVAL : 0;
}

static void reader_init(struct ctl_config_reader *r, const struct ctl_detector *const *detectors)
{
	*r = (struct ctl_config_reader){.config = g_new0(struct ctl_config, 1),
		.mistakes = ctl_mistakes_new(),
		.detectors = detectors,
		.told_paths = g_ptr_array_new_with_free_func(g_free)};
}

/* Without the configuration. */
static void reader_fini(struct ctl_config_reader *r)
{
	raw_fini(&r->raw);
	g_ptr_array_unref(r->told_paths);
	ctl_mistakes_free(r->mistakes);
}

int ctl_config_load_with(const char *path, const struct ctl_config_overrides *overrides,
	const struct ctl_detector *const *detectors, ctl_mistake_fn *fn, void *ctx,
	struct ctl_config **ret_config)
{
	struct ctl_config_reader r;
	int rc;

	reader_init(&r, detectors);
	rc = read_config(&r, path, overrides);
	if (rc < 0) {
		ctl_mistakes_report(r.mistakes, fn, ctx);
		ctl_config_free(r.config);
	} else {
		*ret_config = r.config;
	}
	reader_fini(&r);
	return rc;
}

size_t ctl_config_check_text(const char *text, size_t len,
	const struct ctl_detector *const *detectors, ctl_mistake_fn *fn, void *ctx)
{
	struct ctl_config_reader r;
	struct ctl_yaml *doc = NULL;
	size_t n_mistakes;

	reader_init(&r, detectors);
	if (ctl_yaml_parse("wirecue.yaml", text, len, false, r.mistakes, &doc) == 0) {
		r.doc = doc;
		ctl_options_init(ctl_config_options, r.config);
		ctl_options_init(ctl_workers_options, r.config);
		ctl_options_init(ctl_flows_options, r.config);
		if (doc->root != NULL)
			read_top(&r, doc->root);
	}
	ctl_mistakes_report(r.mistakes, fn, ctx);
	n_mistakes = ctl_mistakes_count(r.mistakes);
	ctl_yaml_free(doc);
	ctl_config_free(r.config);
	reader_fini(&r);
	return n_mistakes;
}

/* Nothing but the section and what stands over it. */
static void read_store(struct ctl_config_reader *r, const char *folder)
{
	struct ctl_store_options *store = &r->config->store;

	ctl_config_read_store(r, r->doc == NULL ? NULL : ctl_yaml_get(r->doc->root, "store"));
	override_options(r, ctl_store_options, store, "--store", folder);
	settle_key_file(store);
}

int ctl_config_load_store(const char *path, const char *folder, ctl_mistake_fn *fn, void *ctx,
	struct ctl_store_options *ret_store)
{
	static const struct ctl_detector *const none[] = {NULL}; // rules are not read
	struct ctl_config_reader r;
	struct ctl_yaml *doc = NULL;
	int rc = 0;

	reader_init(&r, none);
	if (path != NULL)
		rc = ctl_yaml_load(path, false, r.mistakes, &doc);
	if (rc == 0) {
		r.doc = doc;
		read_store(&r, folder);
		rc = ctl_mistakes_count(r.mistakes) > 0 ? -EINVAL : 0;
	}
	ctl_yaml_free(doc);
	if (rc < 0) {
		ctl_mistakes_report(r.mistakes, fn, ctx);
	} else {
		*ret_store = r.config->store;
		r.config->store = (struct ctl_store_options){0};
	}
	ctl_config_free(r.config);
	reader_fini(&r);
	return rc;
}

void ctl_store_options_fini(struct ctl_store_options *store)
{
	ctl_options_fini(ctl_store_options, store);
}
