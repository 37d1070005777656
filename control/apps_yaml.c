// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_yaml.h"

#include "classifier/ndpi.h"
#include "control/apps_build.h"
#include "control/apps_files.h"
#include "control/apps_ports.h"
#include "control/checks.h"
#include "control/yaml_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const struct ctl_yaml *doc;
	struct ctl_apps_raw *raw; // being filled
	struct ctl_claims *names, *files, *protocols, *nets;
	GPtrArray *claimed_names, *claimed_files; // const char *, borrowed from the document
	GArray *claimed_protocols; // int
	GArray *ports; // struct ctl_app_port, of all apps
	size_t n_file_bytes; // of all hosts files so far
	struct ctl_source source; // the app that is being read, in the catalogue
	uint16_t tag; // of the hosts that are being read
};

static struct ctl_spot spot_of(const struct ctl_yaml_node *node)
{
	return (struct ctl_spot){node->line, node->column};
}

static bool is_same_text(const void *things, size_t i, const void *thing)
{
	return strcmp(((const GPtrArray *)things)->pdata[i], thing) == 0;
}

static bool is_same_protocol(const void *things, size_t i, const void *thing)
{
	return g_array_index((const GArray *)things, int, i) == *(const int *)thing;
}

static bool is_same_net(const void *things, size_t i, const void *thing)
{
	const struct dp_prefix *a = &g_array_index((const GArray *)things, struct dp_prefix, i);
	const struct dp_prefix *b = thing;

	return a->len == b->len && dp_addr_cmp(&a->addr, &b->addr) == 0;
}

static const char *check_app_name(const char *text)
{
	if (strcmp(text, "unknown") == 0 || strcmp(text, "undecided") == 0)
		return "expected another name (this one means that no app was found)";
	if (strcmp(text, "total") == 0)
		return "expected another name (this one means all apps together)";
	return ctl_check_name(text);
}

const struct ctl_option ctl_app_options[] = {
	{.name = "name",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_app, name),
		.required = true,
		.check = check_app_name,
		.help = "Stable name in usage, rules and triggers; unique."},
	{.name = "category",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_app, category),
		.required = true,
		.check = ctl_check_name,
		.help = "What kind of app it is; rules select by it."},
	{.name = "hosts_file",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_app, hosts_file),
		.check = ctl_check_hosts_file,
		.help = "Text file with more hosts, one a line, a tag behind a space; relative to the "
			"catalogue's folder and below it."},
	{.name = NULL},
};

enum list { LIST_NDPI, LIST_HOSTS, LIST_NETS, LIST_PORTS };

/* Read text by text: nothing is kept by the table. */
const struct ctl_option ctl_app_lists[] = {
	[LIST_NDPI] = {.name = "ndpi",
		.type = CTL_OPTION_STRINGS,
		.help = "Protocols of nDPI that mean this app."},
	[LIST_HOSTS] = {.name = "hosts",
		.type = CTL_OPTION_STRINGS,
		.check = ctl_check_host,
		.help = "Names (with all names below them) from TLS, QUIC, HTTP and DNS."},
	[LIST_NETS] = {.name = "nets",
		.type = CTL_OPTION_STRINGS,
		.check = ctl_check_prefix,
		.help = "Networks of its servers; weak evidence."},
	[LIST_PORTS] = {.name = "ports",
		.type = CTL_OPTION_STRINGS,
		.check = ctl_check_app_port,
		.help = "Server ports as `tcp:PORT`, `udp:PORT` or `udp:FIRST-LAST`; weak evidence."},
	{.name = NULL},
};

static void add_host(void *ctx, const struct ctl_yaml_node *node)
{
	struct reader *r = ctx;

	ctl_hosts_add(r->raw->hosts, &r->source, spot_of(node), node->text, r->tag);
}

static void add_net(void *ctx, const struct ctl_yaml_node *node)
{
	struct reader *r = ctx;
	struct dp_prefix prefix;
	uint32_t hash;

	if (dp_prefix_parse(node->text, &prefix) < 0)
		return; // was checked
	hash = ctl_claims_hash(&prefix.addr, sizeof(prefix.addr)) + prefix.len;
	if (ctl_claim(r->nets, &r->source, spot_of(node), hash, &prefix, node->text))
		g_array_append_val(r->raw->nets, prefix);
}

static void add_port(void *ctx, const struct ctl_yaml_node *node)
{
	struct reader *r = ctx;
	struct ctl_app_port port = {.app = r->source.app, .node = node};

	if (ctl_app_port_parse(node->text, &port.def) < 0)
		return; // was checked
	g_array_append_val(r->raw->ports, port.def);
	g_array_append_val(r->ports, port);
}

static const char *nearest_protocol(const char *name)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const char *proto;

	for (size_t i = 0; (proto = cls_ndpi_name(i)) != NULL; i++)
		g_ptr_array_add(names, (void *)proto);
	g_ptr_array_add(names, NULL);
	return ctl_nearest(name, (const char *const *)names->pdata);
}

static void add_ndpi(void *ctx, const struct ctl_yaml_node *node)
{
	struct reader *r = ctx;
	const int proto = cls_ndpi_proto_by_name(node->text);
	const char *nearest = NULL;
	char found[CTL_QUOTE_MAX];

	if (proto >= 0) {
		const uint32_t hash = ctl_claims_hash(&proto, sizeof(proto));

		if (ctl_claim(r->protocols, &r->source, spot_of(node), hash, &proto, node->text)) {
			g_array_append_val(r->claimed_protocols, proto);
			g_ptr_array_add(r->raw->ndpi, (void *)node->text);
		}
		return;
	}
	// The search looks at every name; what is not shown anyway needs none.
	if (ctl_mistakes_count(r->doc->mistakes) < CTL_MISTAKES_REPORTED_MAX)
		nearest = nearest_protocol(node->text);
	if (nearest != NULL)
		ctl_yaml_mistake(r->doc, node, "%s, expected a protocol of nDPI %s such as '%s'",
			ctl_yaml_found(r->doc, node, found), cls_ndpi_version(), nearest);
	else
		ctl_yaml_mistake(r->doc, node, "%s, expected a protocol of nDPI %s",
			ctl_yaml_found(r->doc, node, found), cls_ndpi_version());
}

static void read_tags(struct reader *r, const struct ctl_yaml_node *tags)
{
	if (!ctl_yaml_is(r->doc, tags, CTL_YAML_MAP,
		    "expected a mapping of tags to hosts such as {plans: [plans.rival.example]}"))
		return;
	for (CTL_YAML_EACH(key, tags)) {
		// A table of one line checks the hosts below a tag.
		const struct ctl_option option = {
			.name = key->text, .type = CTL_OPTION_STRINGS, .check = ctl_check_host};
		const char *expected;
		char found[CTL_QUOTE_MAX];

		if (key->kind != CTL_YAML_SCALAR)
			continue; // reported by the parser
		expected = ctl_check_tag(key->text);
		if (expected != NULL)
			ctl_yaml_mistake(r->doc, key, "%s, %s", ctl_yaml_found(r->doc, key, found),
				expected);
		else
			r->tag = ctl_hosts_tag(r->raw->hosts, &r->source, spot_of(key), key->text);
		ctl_yaml_texts(r->doc, key->value, &option, add_host, r);
		r->tag = 0;
	}
}

/* The mistakes of the file are its own; what is wrong with it as a whole stands where it is named. */
static void read_hosts_file(struct reader *r, const char *name, const struct ctl_yaml_node *node)
{
	g_autofree char *path = ctl_yaml_resolve(r->doc, name);
	const size_t n_mistakes = ctl_mistakes_count(r->doc->mistakes);
	const guint n_hosts = r->raw->hosts->defs->len;
	struct ctl_source source = {.app = r->source.app};
	char *text, found[CTL_QUOTE_MAX];
	struct dp_err err;
	ssize_t len;

	len = ctl_apps_file_read(
		r->doc->path, name, CTL_HOSTS_BYTES_MAX - r->n_file_bytes, &text, &err);
	if (len < 0) {
		ctl_yaml_mistake(r->doc, node, "%s", err.text);
		return;
	}
	g_ptr_array_add(r->raw->texts, text);
	r->n_file_bytes += (size_t)len;
	source.file = ctl_mistakes_add_file(r->doc->mistakes, path);
	source.path = g_steal_pointer(&path);
	g_ptr_array_add(r->raw->texts, (char *)source.path);
	ctl_hosts_read(r->raw->hosts, &source, text, (size_t)len);
	if (r->raw->hosts->defs->len == n_hosts &&
		ctl_mistakes_count(r->doc->mistakes) == n_mistakes)
		ctl_yaml_mistake(r->doc, node,
			"%s has no host, expected one a line, or no 'hosts_file'",
			ctl_quote(name, found));
}

static void claim_hosts_file(struct reader *r, const struct ctl_yaml_node *node)
{
	const uint32_t hash = ctl_claims_hash(node->text, strlen(node->text));
	char found[CTL_QUOTE_MAX];

	if (r->claimed_files->len == CTL_HOSTS_FILES_MAX) {
		ctl_yaml_mistake(r->doc, node, "%s, expected at most %d hosts files in a catalogue",
			ctl_yaml_found(r->doc, node, found), CTL_HOSTS_FILES_MAX);
		return;
	}
	if (!ctl_claim(r->files, &r->source, spot_of(node), hash, node->text, node->text))
		return;
	g_ptr_array_add(r->claimed_files, (void *)node->text);
	read_hosts_file(r, node->text, node);
}

static void check_recognisable(const struct ctl_yaml *doc, const struct ctl_yaml_node *map)
{
	static const char *const keys[] = {
		"ndpi", "hosts", "hosts_file", "tags", "nets", "ports", NULL};

	for (size_t i = 0; keys[i] != NULL; i++)
		if (ctl_yaml_get(map, keys[i]) != NULL)
			return;
	ctl_yaml_mistake(doc, map,
		"nothing to recognise the app by, expected ndpi, hosts, hosts_file, tags, nets or "
		"ports");
}

static void claim_name(
	struct reader *r, const struct ctl_app *app, const struct ctl_yaml_node *node)
{
	const uint32_t hash = ctl_claims_hash(app->name, strlen(app->name));

	if (ctl_claim(r->names, &r->source, spot_of(node), hash, app->name, app->name))
		g_ptr_array_add(r->claimed_names, (void *)node->text);
}

static void read_lists(struct reader *r, struct ctl_app *app, const struct ctl_yaml_node *map)
{
	static ctl_yaml_text_fn *const add[] = {[LIST_NDPI] = add_ndpi,
		[LIST_HOSTS] = add_host,
		[LIST_NETS] = add_net,
		[LIST_PORTS] = add_port};
	const struct ctl_apps_raw *raw = r->raw;

	app->ndpi_begin = raw->ndpi->len;
	app->host_begin = raw->hosts->defs->len;
	app->net_begin = raw->nets->len;
	app->port_begin = raw->ports->len;
	for (size_t i = 0; i < G_N_ELEMENTS(add); i++)
		ctl_yaml_texts(r->doc, ctl_yaml_get(map, ctl_app_lists[i].name), &ctl_app_lists[i],
			add[i], r);
	read_tags(r, ctl_yaml_get(map, "tags"));
	if (app->hosts_file != NULL)
		claim_hosts_file(r, ctl_yaml_get(map, "hosts_file"));
	g_ptr_array_add(raw->ndpi, NULL);
	app->n_hosts = raw->hosts->defs->len - app->host_begin;
	app->n_nets = raw->nets->len - app->net_begin;
	app->n_ports = raw->ports->len - app->port_begin;
}

static void read_app(struct reader *r, const struct ctl_yaml_node *map)
{
	static const char *const others[] = {"ndpi", "hosts", "nets", "ports", "tags", NULL};
	struct ctl_app app = {0};

	ctl_yaml_options(r->doc, map, &(struct ctl_yaml_part){ctl_app_options, &app}, 1, others);
	if (map->kind != CTL_YAML_MAP)
		return;
	r->source = (struct ctl_source){
		app.name != NULL ? app.name : "?", r->doc->path, r->doc->file};
	if (app.name != NULL)
		claim_name(r, &app, ctl_yaml_get(map, "name"));
	check_recognisable(r->doc, map);
	read_lists(r, &app, map);
	g_array_append_val(r->raw->apps, app);
}

static void read_file(struct reader *r)
{
	static const char *const keys[] = {"apps", NULL};
	static const struct ctl_option none[] = {{.name = NULL}};
	const struct ctl_yaml_node *apps = ctl_yaml_get(r->doc->root, "apps");

	if (r->doc->root == NULL) {
		ctl_mistake(
			r->doc->mistakes, r->doc->file, 1, 1, "nothing, expected the key 'apps'");
		return;
	}
	ctl_yaml_options(r->doc, r->doc->root, &(struct ctl_yaml_part){none, NULL}, 1, keys);
	if (r->doc->root->kind == CTL_YAML_MAP && apps == NULL)
		ctl_yaml_missing(r->doc, r->doc->root, "apps", "expected a list of apps");
	if (apps == NULL || !ctl_yaml_is(r->doc, apps, CTL_YAML_LIST, "expected a list of apps"))
		return;
	for (CTL_YAML_EACH(app, apps))
		read_app(r, app);
	ctl_app_ports_check(r->doc, r->ports);
}

static struct reader reader_new(const struct ctl_yaml *doc)
{
	struct reader r = {.doc = doc, .raw = ctl_apps_raw_new(doc->mistakes)};

	r.claimed_names = g_ptr_array_new();
	r.claimed_files = g_ptr_array_new();
	r.claimed_protocols = g_array_new(FALSE, FALSE, sizeof(int));
	r.ports = g_array_new(FALSE, FALSE, sizeof(struct ctl_app_port));
	r.names = ctl_claims_new("app", is_same_text, r.claimed_names, doc->mistakes);
	r.files = ctl_claims_new("hosts file", is_same_text, r.claimed_files, doc->mistakes);
	r.protocols = ctl_claims_new(
		"protocol", is_same_protocol, r.claimed_protocols, doc->mistakes);
	r.nets = ctl_claims_new("network", is_same_net, r.raw->nets, doc->mistakes);
	return r;
}

/* Without what was read. */
static void reader_fini(struct reader *r)
{
	ctl_claims_free(r->names);
	ctl_claims_free(r->files);
	ctl_claims_free(r->protocols);
	ctl_claims_free(r->nets);
	g_ptr_array_unref(r->claimed_names);
	g_ptr_array_unref(r->claimed_files);
	g_array_unref(r->claimed_protocols);
	g_array_unref(r->ports);
}

static void apps_init(struct ctl_apps *apps)
{
	*apps = (struct ctl_apps){0};
	apps->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	apps->files = g_ptr_array_new_with_free_func(g_free);
}

static void summarise(const struct reader *r, struct ctl_apps *apps)
{
	for (guint i = 0; i < r->claimed_names->len; i++)
		g_hash_table_add(apps->names, g_strdup(r->claimed_names->pdata[i]));
	for (guint i = 0; i < r->claimed_files->len; i++)
		g_ptr_array_add(apps->files, g_strdup(r->claimed_files->pdata[i]));
	apps->n_hosts = r->raw->hosts->defs->len;
	apps->n_nets = r->raw->nets->len;
}

int ctl_apps_read(const struct ctl_yaml *doc, struct ctl_dict *app_ids, struct ctl_dict *tag_ids,
	struct ctl_apps *ret_apps)
{
	struct reader r = reader_new(doc);
	int rc = -EINVAL;

	apps_init(ret_apps);
	read_file(&r);
	summarise(&r, ret_apps);
	reader_fini(&r);
	if (!ctl_yaml_has_mistakes(doc))
		ctl_apps_check_room(doc, r.raw, app_ids, tag_ids);
	if (!ctl_yaml_has_mistakes(doc))
		rc = ctl_apps_build(doc, r.raw, app_ids, tag_ids, &ret_apps->catalogue);
	ctl_apps_raw_free(r.raw);
	return rc;
}

int ctl_apps_load(const char *path, struct ctl_dict *app_ids, struct ctl_dict *tag_ids,
	struct ctl_mistakes *mistakes, struct ctl_apps *ret_apps)
{
	struct ctl_yaml *doc = NULL;
	int r = ctl_yaml_load(path, false, mistakes, &doc);

	if (r < 0) {
		apps_init(ret_apps);
		return r;
	}
	r = ctl_apps_read(doc, app_ids, tag_ids, ret_apps);
	ctl_yaml_free(doc);
	return r;
}

void ctl_apps_fini(struct ctl_apps *apps)
{
	cls_catalogue_free(apps->catalogue);
	g_clear_pointer(&apps->names, g_hash_table_unref);
	g_clear_pointer(&apps->files, g_ptr_array_unref);
	apps->catalogue = NULL;
}
