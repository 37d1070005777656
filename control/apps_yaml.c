// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_yaml.h"

#include "classifier/ndpi.h"
#include "control/apps_build.h"
#include "control/checks.h"
#include "control/yaml_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Who was the first to claim a name, a host, a protocol, a network. */
struct claim {
	const struct ctl_yaml_node *node;
	const char *app;
};

struct port {
	struct cls_port_def def;
	struct claim claim;
};

struct reader {
	const struct ctl_yaml *doc;
	GPtrArray *apps; // struct ctl_app *
	GHashTable *names; // char * -> NULL, owned by struct ctl_apps
	GHashTable *claims; // "host NAME", "ndpi NAME" ... -> struct claim *
	GArray *ports; // struct port, of all apps
	GHashTable *tags; // set, borrowed from the document
};

static int port_parse(const char *text, struct cls_port_def *ret)
{
	unsigned long first, last;
	const char *p = text + 4;
	char *end;

	if (!g_str_has_prefix(text, "tcp:") && !g_str_has_prefix(text, "udp:"))
		return -EINVAL;
	if (!g_ascii_isdigit(*p) || strlen(p) > sizeof("65535-65535") - 1)
		return -EINVAL;
	first = last = strtoul(p, &end, 10);
	if (*end == '-') {
		p = end + 1;
		if (!g_ascii_isdigit(*p))
			return -EINVAL;
		last = strtoul(p, &end, 10);
	}
	if (*end != '\0' || first == 0 || first > last || last > UINT16_MAX)
		return -EINVAL;
	*ret = (struct cls_port_def){.l4_proto = text[0] == 't' ? 6 : 17, // IANA protocol numbers
		.first = (uint16_t)first,
		.last = (uint16_t)last};
	return 0;
}

static const char *check_port(const char *text)
{
	struct cls_port_def def;

	if (port_parse(text, &def) == 0)
		return NULL;
	return "expected tcp:PORT, udp:PORT or a range such as udp:3478-3481";
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
	{.name = "ndpi",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_app, ndpi),
		.help = "Protocols of nDPI that mean this app."},
	{.name = "hosts",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_app, hosts),
		.check = ctl_check_host,
		.help = "Names (with all names below them) from TLS, QUIC, HTTP and DNS."},
	{.name = "nets",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_app, nets),
		.check = ctl_check_prefix,
		.help = "Networks of its servers; weak evidence."},
	{.name = "ports",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_app, ports),
		.check = check_port,
		.help = "Server ports as `tcp:PORT`, `udp:PORT` or `udp:FIRST-LAST`; weak evidence."},
	{.name = NULL},
};

static void app_free(void *data)
{
	struct ctl_app *app = data;

	ctl_options_fini(ctl_app_options, app);
	g_array_unref(app->host_defs);
	g_array_unref(app->net_defs);
	g_array_unref(app->port_defs);
	g_free(app);
}

/* "expected each host once; app 'x' has it at FILE:1:2" unless this is the first claim. */
static bool claim(struct reader *r, const struct ctl_yaml_node *node, const char *kind,
	const char *key, const char *app)
{
	char *id = g_strdup_printf("%s %s", kind, key);
	const struct claim *first = g_hash_table_lookup(r->claims, id);
	struct claim *own;
	char found[CTL_QUOTE_MAX];

	if (first != NULL) {
		ctl_yaml_mistake(r->doc, node,
			"%s, expected each %s once; app '%s' has it at %s:%u:%u",
			ctl_yaml_found(r->doc, node, found), kind, first->app, r->doc->path,
			first->node->line, first->node->column);
		g_free(id);
		return false;
	}
	own = g_new(struct claim, 1);
	*own = (struct claim){node, app};
	g_hash_table_insert(r->claims, id, own);
	return true;
}

/* Calls fn for each scalar of a list (or the one scalar) that the table found right. */
static void each_valid(struct reader *r, struct ctl_app *app, const struct ctl_yaml_node *list,
	const char *(*check)(const char *),
	void (*fn)(struct reader *, struct ctl_app *, const struct ctl_yaml_node *, const char *),
	const char *tag)
{
	const struct ctl_yaml_node *node;

	if (list == NULL || list->kind == CTL_YAML_MAP)
		return;
	for (node = list->kind == CTL_YAML_LIST ? list->first : list; node != NULL;
		node = list->kind == CTL_YAML_LIST ? node->next : NULL)
		if (node->kind == CTL_YAML_SCALAR && *node->text != '\0' &&
			(check == NULL || check(node->text) == NULL))
			fn(r, app, node, tag);
}

static void add_host(
	struct reader *r, struct ctl_app *app, const struct ctl_yaml_node *node, const char *tag)
{
	const struct ctl_app_host host = {node->text, tag};

	if (claim(r, node, "host", node->text, app->name))
		g_array_append_val(app->host_defs, host);
}

static void add_net(
	struct reader *r, struct ctl_app *app, const struct ctl_yaml_node *node, const char *)
{
	char key[DP_ADDR_STRLEN + sizeof("/128")], addr[DP_ADDR_STRLEN];
	struct dp_prefix prefix;

	if (dp_prefix_parse(node->text, &prefix) < 0)
		return; // reported by the table
	(void)g_snprintf(key, sizeof(key), "%s/%u", dp_addr_format(&prefix.addr, addr), prefix.len);
	if (claim(r, node, "network", key, app->name))
		g_array_append_val(app->net_defs, prefix);
}

static void add_port(
	struct reader *r, struct ctl_app *app, const struct ctl_yaml_node *node, const char *)
{
	struct port port = {.claim = {node, app->name}};

	if (port_parse(node->text, &port.def) < 0)
		return; // reported by the table
	g_array_append_val(app->port_defs, port.def);
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

static void add_ndpi(
	struct reader *r, struct ctl_app *app, const struct ctl_yaml_node *node, const char *)
{
	const int proto = cls_ndpi_proto_by_name(node->text);
	const char *nearest = NULL;
	char found[CTL_QUOTE_MAX], key[16];

	if (proto >= 0) {
		(void)g_snprintf(key, sizeof(key), "%d", proto);
		(void)claim(r, node, "protocol", key, app->name);
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

static void read_tags(struct reader *r, struct ctl_app *app, const struct ctl_yaml_node *tags)
{
	if (!ctl_yaml_is(r->doc, tags, CTL_YAML_MAP,
		    "expected a mapping of tags to hosts such as {plans: [plans.rival.example]}"))
		return;
	for (CTL_YAML_EACH(key, tags)) {
		// A table of one line checks the hosts below a tag.
		const struct ctl_option option = {.name = key->text,
			.type = CTL_OPTION_STRINGS,
			.off = offsetof(struct ctl_app, hosts),
			.check = ctl_check_host};
		struct ctl_app scratch = {0};
		const char *expected;
		char found[CTL_QUOTE_MAX];

		if (key->kind != CTL_YAML_SCALAR)
			continue; // reported by the parser
		expected = ctl_check_tag(key->text);
		if (expected != NULL)
			ctl_yaml_mistake(r->doc, key, "%s, %s", ctl_yaml_found(r->doc, key, found),
				expected);
		ctl_yaml_option(r->doc, key->value, &option, &scratch);
		ctl_option_clear(&option, &scratch);
		each_valid(r, app, key->value, ctl_check_host, add_host, key->text);
		g_hash_table_add(r->tags, (void *)key->text);
	}
}

static void check_recognisable(const struct ctl_yaml *doc, const struct ctl_yaml_node *map)
{
	static const char *const keys[] = {"ndpi", "hosts", "tags", "nets", "ports", NULL};

	for (size_t i = 0; keys[i] != NULL; i++)
		if (ctl_yaml_get(map, keys[i]) != NULL)
			return;
	ctl_yaml_mistake(doc, map,
		"nothing to recognise the app by, expected ndpi, hosts, tags, nets or ports");
}

static void read_app(struct reader *r, const struct ctl_yaml_node *map)
{
	static const char *const others[] = {"tags", NULL};
	const struct ctl_yaml_node *name = ctl_yaml_get(map, "name");
	struct ctl_app *app = g_new0(struct ctl_app, 1);

	app->host_defs = g_array_new(FALSE, FALSE, sizeof(struct ctl_app_host));
	app->net_defs = g_array_new(FALSE, FALSE, sizeof(struct dp_prefix));
	app->port_defs = g_array_new(FALSE, FALSE, sizeof(struct cls_port_def));
	g_ptr_array_add(r->apps, app);
	ctl_yaml_options(r->doc, map, &(struct ctl_yaml_part){ctl_app_options, app}, 1, others);
	if (map->kind != CTL_YAML_MAP)
		return;
	if (app->name == NULL)
		app->name = g_strdup("?"); // for messages; reported by the table
	else if (claim(r, name, "app", app->name, app->name))
		g_hash_table_add(r->names, g_strdup(app->name));
	check_recognisable(r->doc, map);
	each_valid(r, app, ctl_yaml_get(map, "ndpi"), NULL, add_ndpi, NULL);
	each_valid(r, app, ctl_yaml_get(map, "hosts"), ctl_check_host, add_host, NULL);
	read_tags(r, app, ctl_yaml_get(map, "tags"));
	each_valid(r, app, ctl_yaml_get(map, "nets"), ctl_check_prefix, add_net, NULL);
	each_valid(r, app, ctl_yaml_get(map, "ports"), check_port, add_port, NULL);
}

static int port_cmp(const void *pa, const void *pb)
{
	const struct port *a = pa, *b = pb;

	if (a->def.l4_proto != b->def.l4_proto)
		return a->def.l4_proto < b->def.l4_proto ? -1 : 1;
	if (a->def.first != b->def.first)
		return a->def.first < b->def.first ? -1 : 1;
	if (a->claim.node->line != b->claim.node->line)
		return a->claim.node->line < b->claim.node->line ? -1 : 1;
	return a->claim.node->column < b->claim.node->column ? -1 : 1;
}

static bool is_before(const struct ctl_yaml_node *a, const struct ctl_yaml_node *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Ranges may overlap without being equal, so they are compared in order, not hashed. */
static void check_ports(struct reader *r)
{
	const struct port *widest = NULL; // reaches furthest so far

	g_array_sort(r->ports, port_cmp);
	for (guint i = 0; i < r->ports->len; i++) {
		const struct port *port = &g_array_index(r->ports, struct port, i);
		const struct claim *first, *second;
		char found[CTL_QUOTE_MAX];

		if (widest == NULL || widest->def.l4_proto != port->def.l4_proto ||
			widest->def.last < port->def.first) {
			widest = port;
			continue;
		}
		first = &widest->claim;
		second = &port->claim;
		if (is_before(second->node, first->node)) {
			first = &port->claim;
			second = &widest->claim;
		}
		ctl_yaml_mistake(r->doc, second->node,
			"%s, expected each port once; app '%s' has it at %s:%u:%u",
			ctl_yaml_found(r->doc, second->node, found), first->app, r->doc->path,
			first->node->line, first->node->column);
		if (port->def.last > widest->def.last)
			widest = port;
	}
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
	check_ports(r);
}

static void apps_init(struct ctl_apps *apps)
{
	apps->catalogue = NULL;
	apps->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

int ctl_apps_read(const struct ctl_yaml *doc, struct ctl_dict *app_ids, struct ctl_dict *tag_ids,
	struct ctl_apps *ret_apps)
{
	g_autoptr(GPtrArray) apps = g_ptr_array_new_with_free_func(app_free);
	g_autoptr(GHashTable)
		claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(struct port));
	g_autoptr(GHashTable) tags = g_hash_table_new(g_str_hash, g_str_equal);
	struct reader r = {doc, apps, NULL, claims, ports, tags};

	apps_init(ret_apps);
	r.names = ret_apps->names;
	read_file(&r);
	if (!ctl_dict_has_room(tag_ids, g_hash_table_size(tags)) ||
		!ctl_dict_has_room(app_ids, apps->len))
		ctl_mistake(doc->mistakes, doc->file, 0, 0,
			"too many different tags or apps, expected fewer (a restart forgets old names)");
	if (ctl_yaml_has_mistakes(doc))
		return -EINVAL;
	return ctl_apps_build(doc, apps, app_ids, tag_ids, &ret_apps->catalogue);
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
	apps->catalogue = NULL;
}
