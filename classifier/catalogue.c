// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/catalogue.h"

#include "classifier/host_table.h"
#include "classifier/ndpi.h"

#include <errno.h>
#include <stdlib.h>

enum {
	NDPI_PROTO_MAX = 1024, // more than any known release has; larger ids match nothing
};

struct app {
	uint32_t id;
	char *name;
	char *category;
};

struct net_rule {
	struct dp_prefix prefix;
	uint32_t app;
};

struct port_rule {
	struct cls_port_def def;
	uint32_t app;
};

struct cls_catalogue {
	struct app *apps; // sorted by id
	size_t n_apps;
	char **tags;
	size_t n_tags;
	struct cls_host_table hosts;
	struct net_rule *nets; // longest prefix first
	size_t n_nets;
	struct port_rule *ports;
	size_t n_ports;
	uint32_t by_ndpi[NDPI_PROTO_MAX]; // DP_APP_UNKNOWN where no app claims the protocol
};

static int add_host(struct cls_catalogue *c, const struct cls_app_def *app,
	const struct cls_host_def *def, struct dp_err *reterr)
{
	struct cls_match first;

	switch (cls_host_table_add(&c->hosts, def->host, strlen(def->host),
		(struct cls_match){app->id, def->tag}, &first)) {
	case 0:
		return 0;
	case -EEXIST:
		return dp_fail(reterr, EEXIST, "host '%s' of app '%s' belongs to app '%s' already",
			def->host, app->name, cls_app_name(c, first.app));
	default:
		return dp_fail(reterr, EINVAL,
			"host '%.80s' of app '%s': expected 1 to %d bytes in at most %d labels",
			def->host, app->name, CLS_HOST_MAX, CLS_HOST_LABELS_MAX);
	}
}

static int add_ndpi(struct cls_catalogue *c, const struct cls_app_def *app, struct dp_err *reterr)
{
	for (size_t i = 0; app->ndpi != NULL && app->ndpi[i] != NULL; i++) {
		const int proto = cls_ndpi_proto_by_name(app->ndpi[i]);

		if (proto < 0 || proto >= NDPI_PROTO_MAX)
			return dp_fail(reterr, ENOENT, "app '%s': nDPI %s knows no protocol '%s'",
				app->name, cls_ndpi_version(), app->ndpi[i]);
		if (c->by_ndpi[proto] != DP_APP_UNKNOWN)
			return dp_fail(reterr, EEXIST,
				"protocol '%s' of app '%s' belongs to app '%s' already",
				app->ndpi[i], app->name, cls_app_name(c, c->by_ndpi[proto]));
		c->by_ndpi[proto] = app->id;
	}
	return 0;
}

static int longest_first(const void *a, const void *b)
{
	const struct net_rule *x = a;
	const struct net_rule *y = b;

	if (x->prefix.len != y->prefix.len)
		return x->prefix.len > y->prefix.len ? -1 : 1;
	return dp_addr_cmp(&x->prefix.addr, &y->prefix.addr);
}

static int add_app(struct cls_catalogue *c, const struct cls_app_def *def, struct dp_err *reterr)
{
	for (size_t i = 0; i < def->n_hosts; i++) {
		const int r = add_host(c, def, &def->hosts[i], reterr);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < def->n_nets; i++)
		c->nets[c->n_nets++] = (struct net_rule){def->nets[i], def->id};
	for (size_t i = 0; i < def->n_ports; i++)
		c->ports[c->n_ports++] = (struct port_rule){def->ports[i], def->id};
	return add_ndpi(c, def, reterr);
}

static int by_id(const void *a, const void *b)
{
	const struct app *x = a;
	const struct app *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Reserve everything, so that filling cannot run out of memory but for strings. */
static int reserve(struct cls_catalogue *c, const struct cls_app_def *apps, size_t n_apps,
	const char *const *tag_names, size_t n_tags)
{
	size_t n_hosts = 0, host_bytes = 0, n_nets = 0, n_ports = 0;

	for (size_t i = 0; i < n_apps; i++) {
		n_hosts += apps[i].n_hosts;
		for (size_t k = 0; k < apps[i].n_hosts; k++)
			host_bytes += strlen(apps[i].hosts[k].host);
		n_nets += apps[i].n_nets;
		n_ports += apps[i].n_ports;
	}
	c->apps = calloc(n_apps + 1, sizeof(*c->apps));
	c->tags = calloc(n_tags + 1, sizeof(*c->tags));
	c->nets = calloc(n_nets + 1, sizeof(*c->nets));
	c->ports = calloc(n_ports + 1, sizeof(*c->ports));
	if (c->apps == NULL || c->tags == NULL || c->nets == NULL || c->ports == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_apps; i++) {
		struct app *app = &c->apps[c->n_apps++];

		app->id = apps[i].id;
		app->name = strdup(apps[i].name);
		app->category = strdup(apps[i].category);
		if (app->name == NULL || app->category == NULL)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n_tags; i++) {
		c->tags[c->n_tags] = strdup(tag_names[i]);
		if (c->tags[c->n_tags++] == NULL)
			return -ENOMEM;
	}
	qsort(c->apps, c->n_apps, sizeof(*c->apps), by_id);
	return cls_host_table_init(&c->hosts, n_hosts, host_bytes);
}

int cls_catalogue_new(const struct cls_app_def *apps, size_t n_apps, const char *const *tag_names,
	size_t n_tags, struct cls_catalogue **ret_catalogue, struct dp_err *reterr)
{
	struct cls_catalogue *c = calloc(1, sizeof(*c));
	int r = c == NULL ? -ENOMEM : reserve(c, apps, n_apps, tag_names, n_tags);

	if (r < 0) {
		r = dp_fail(reterr, -r, "cannot build a catalogue of %zu apps: %m", n_apps);
		goto fail;
	}
	for (size_t i = 0; i < NDPI_PROTO_MAX; i++)
		c->by_ndpi[i] = DP_APP_UNKNOWN;
	for (size_t i = 0; i + 1 < c->n_apps; i++) {
		if (c->apps[i].id == c->apps[i + 1].id) {
			r = dp_fail(reterr, EEXIST, "apps '%s' and '%s' have one id",
				c->apps[i].name, c->apps[i + 1].name);
			goto fail;
		}
	}
	for (size_t i = 0; i < n_apps; i++) {
		r = add_app(c, &apps[i], reterr);
		if (r < 0)
			goto fail;
	}
	qsort(c->nets, c->n_nets, sizeof(*c->nets), longest_first);
	*ret_catalogue = c;
	return 0;
fail:
	cls_catalogue_free(c);
	return r;
}

void cls_catalogue_free(struct cls_catalogue *c)
{
	if (c == NULL)
		return;
	cls_host_table_fini(&c->hosts);
	for (size_t i = 0; i < c->n_apps; i++) {
		free(c->apps[i].name);
		free(c->apps[i].category);
	}
	for (size_t i = 0; i < c->n_tags; i++)
		free(c->tags[i]);
	free(c->apps);
	free(c->tags);
	free(c->nets);
	free(c->ports);
	free(c);
}

static const struct app *app_of(const struct cls_catalogue *c, uint32_t id)
{
	const struct app key = {.id = id};

	return bsearch(&key, c->apps, c->n_apps, sizeof(*c->apps), by_id);
}

const char *cls_app_name(const struct cls_catalogue *c, uint32_t id)
{
	if (id == DP_APP_UNDECIDED)
		return "undecided";
	if (id == DP_APP_UNKNOWN)
		return "unknown";

	const struct app *app = app_of(c, id);

	return app != NULL ? app->name : "?";
}

const char *cls_app_category(const struct cls_catalogue *c, uint32_t id)
{
	const struct app *app = app_of(c, id);

	return app != NULL ? app->category : "";
}

const char *cls_tag_name(const struct cls_catalogue *c, uint16_t tag)
{
	return tag < c->n_tags ? c->tags[tag] : "";
}

uint32_t cls_app_by_name(const struct cls_catalogue *c, const char *name)
{
	for (size_t i = 0; i < c->n_apps; i++) {
		if (strcmp(c->apps[i].name, name) == 0)
			return c->apps[i].id;
	}
	return DP_APP_UNKNOWN;
}

bool cls_has_category(const struct cls_catalogue *c, const char *category)
{
	for (size_t i = 0; i < c->n_apps; i++) {
		if (strcmp(c->apps[i].category, category) == 0)
			return true;
	}
	return false;
}

size_t cls_catalogue_count(const struct cls_catalogue *c)
{
	return c->n_apps;
}

struct cls_match cls_match_host(const struct cls_catalogue *c, const char *host, size_t len)
{
	return cls_host_table_find(&c->hosts, host, len);
}

size_t cls_catalogue_rules(const struct cls_catalogue *c, const char *host, size_t len,
	struct cls_host_rule *rules, size_t max)
{
	return cls_host_table_rules(&c->hosts, host, len, rules, max);
}

struct cls_match cls_match_net(const struct cls_catalogue *c, const struct dp_addr *server)
{
	for (size_t i = 0; i < c->n_nets; i++) {
		if (dp_prefix_contains(&c->nets[i].prefix, server))
			return (struct cls_match){c->nets[i].app, DP_TAG_NONE};
	}
	return (struct cls_match){DP_APP_UNKNOWN, DP_TAG_NONE};
}

struct cls_match cls_match_port(const struct cls_catalogue *c, uint8_t l4_proto, uint16_t port)
{
	for (size_t i = 0; i < c->n_ports; i++) {
		const struct cls_port_def *def = &c->ports[i].def;

		if (def->l4_proto == l4_proto && port >= def->first && port <= def->last)
			return (struct cls_match){c->ports[i].app, DP_TAG_NONE};
	}
	return (struct cls_match){DP_APP_UNKNOWN, DP_TAG_NONE};
}

struct cls_match cls_match_ndpi(const struct cls_catalogue *c, uint16_t ndpi_proto)
{
	const uint32_t app = ndpi_proto < NDPI_PROTO_MAX ? c->by_ndpi[ndpi_proto] : DP_APP_UNKNOWN;

	return (struct cls_match){app, DP_TAG_NONE};
}
