// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/catalogue.h"

#include "classifier/host_table.h"
#include "classifier/ndpi.h"
#include "classifier/net_table.h"

#include <errno.h>
#include <stdlib.h>

enum {
	NDPI_PROTO_MAX = 1024, // more than any known release has; larger ids match nothing
};

struct app {
	uint32_t id;
	const char *name; // in texts, as all strings
	const char *category;
	uint64_t mark; // sum of those of its names
};

struct port_rule {
	struct cls_port_def def;
	uint32_t app;
};

struct cls_catalogue {
	struct app *apps; // sorted by id
	const struct app **by_name, **by_category; // the same, sorted
	size_t n_apps;
	const char **tags;
	size_t n_tags;
	char *texts; // owned, one behind the other
	struct cls_host_table hosts;
	struct cls_net_table nets;
	struct port_rule *ports; // sorted, none in another
	size_t n_ports;
	uint32_t by_ndpi[NDPI_PROTO_MAX]; // DP_APP_UNKNOWN where no app claims the protocol
};

/* --- order ------------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
	const struct app *x = a;
	const struct app *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_name(const void *a, const void *b)
{
	const struct app *const *x = a;
	const struct app *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int by_category(const void *a, const void *b)
{
	const struct app *const *x = a;
	const struct app *const *y = b;

	return strcmp((*x)->category, (*y)->category);
}

static int by_first_port(const void *a, const void *b)
{
	const struct cls_port_def *x = &((const struct port_rule *)a)->def;
	const struct cls_port_def *y = &((const struct port_rule *)b)->def;

	if (x->l4_proto != y->l4_proto)
		return x->l4_proto < y->l4_proto ? -1 : 1;
	return x->first - y->first;
}

/* What lies in a range is the same as it. */
static int by_port(const void *key, const void *rule)
{
	const struct cls_port_def *port = key;
	const struct cls_port_def *def = &((const struct port_rule *)rule)->def;

	if (port->l4_proto != def->l4_proto)
		return port->l4_proto < def->l4_proto ? -1 : 1;
	return port->first < def->first ? -1 : port->first > def->last;
}

/* --- building --------------------------------------------------------------------------------- */

/* What there is of each kind in all apps. */
struct sums {
	size_t n_hosts, host_bytes, n_nets, n_ports, text_bytes;
};

static struct sums sums_of(
	const struct cls_app_def *apps, size_t n_apps, const char *const *tag_names, size_t n_tags)
{
	struct sums s = {0};

	for (size_t i = 0; i < n_apps; i++) {
		s.n_hosts += apps[i].n_hosts;
		s.n_nets += apps[i].n_nets;
		s.n_ports += apps[i].n_ports;
		s.text_bytes += strlen(apps[i].name) + strlen(apps[i].category) + 2;
		for (size_t k = 0; k < apps[i].n_hosts; k++)
			s.host_bytes += strlen(apps[i].hosts[k].host);
	}
	for (size_t i = 0; i < n_tags; i++)
		s.text_bytes += strlen(tag_names[i]) + 1;
	return s;
}

static const char *put_text(char **end, const char *text)
{
	const size_t size = strlen(text) + 1;
	const char *copy = memcpy(*end, text, size);

	*end += size;
	return copy;
}

/* FNV-1a, 64 bits: without a key, for it is kept across processes. */
static uint64_t mark_name(const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3;
	return h;
}

/* A sum, as their order means nothing. */
static uint64_t mark_of(const struct cls_app_def *app)
{
	uint64_t mark = 0;

	for (size_t i = 0; i < app->n_hosts; i++)
		mark += mark_name(app->hosts[i].host);
	for (size_t i = 0; app->ndpi != NULL && app->ndpi[i] != NULL; i++)
		mark += mark_name(app->ndpi[i]);
	return mark;
}

/* Names of apps and tags, and the orders in which they are looked for. */
static int add_texts(struct cls_catalogue *c, const struct cls_app_def *apps, size_t n_apps,
	const char *const *tag_names, size_t n_tags, size_t text_bytes)
{
	char *end;

	c->apps = calloc(n_apps + 1, sizeof(*c->apps));
	c->by_name = calloc(n_apps + 1, sizeof(const struct app *));
	c->by_category = calloc(n_apps + 1, sizeof(const struct app *));
	c->tags = calloc(n_tags + 1, sizeof(const char *));
	c->texts = end = malloc(text_bytes + 1);
	if (c->apps == NULL || c->by_name == NULL || c->by_category == NULL || c->tags == NULL ||
		c->texts == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_apps; i++)
		c->apps[i] = (struct app){apps[i].id, put_text(&end, apps[i].name),
			put_text(&end, apps[i].category), mark_of(&apps[i])};
	for (size_t i = 0; i < n_tags; i++)
		c->tags[i] = put_text(&end, tag_names[i]);
	c->n_apps = n_apps;
	c->n_tags = n_tags;
	qsort(c->apps, n_apps, sizeof(*c->apps), by_id);
	for (size_t i = 0; i < n_apps; i++)
		c->by_name[i] = c->by_category[i] = &c->apps[i];
	qsort(c->by_name, n_apps, sizeof(const struct app *), by_name);
	qsort(c->by_category, n_apps, sizeof(const struct app *), by_category);
	return 0;
}

static int check_apps(const struct cls_catalogue *c, struct dp_err *reterr)
{
	for (size_t i = 1; i < c->n_apps; i++) {
		if (c->apps[i - 1].id == c->apps[i].id)
			return dp_fail(reterr, EEXIST, "apps '%s' and '%s' have one id",
				c->apps[i - 1].name, c->apps[i].name);
		if (by_name(&c->by_name[i - 1], &c->by_name[i]) == 0)
			return dp_fail(
				reterr, EEXIST, "two apps are called '%s'", c->by_name[i]->name);
	}
	return 0;
}

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

static int add_hosts(struct cls_catalogue *c, const struct cls_app_def *apps, size_t n_apps,
	const struct sums *sums, struct dp_err *reterr)
{
	int r = cls_host_table_init(&c->hosts, sums->n_hosts, sums->host_bytes);

	if (r < 0)
		return dp_fail(reterr, -r, "cannot store %zu hosts: %m", sums->n_hosts);
	for (size_t i = 0; i < n_apps; i++)
		for (size_t k = 0; k < apps[i].n_hosts && r == 0; k++)
			r = add_host(c, &apps[i], &apps[i].hosts[k], reterr);
	return r;
}

static int add_nets(struct cls_catalogue *c, const struct cls_app_def *apps, size_t n_apps,
	const struct sums *sums, struct dp_err *reterr)
{
	struct cls_net *nets = calloc(sums->n_nets + 1, sizeof(*nets));
	size_t n = 0, first;
	char addr[DP_ADDR_STRLEN];
	int r = -ENOMEM;

	if (nets != NULL) {
		for (size_t i = 0; i < n_apps; i++)
			for (size_t k = 0; k < apps[i].n_nets; k++)
				nets[n++] = (struct cls_net){apps[i].nets[k], apps[i].id};
		r = cls_net_table_init(&c->nets, nets, n, &first);
	}
	if (r == -EEXIST) {
		const struct dp_prefix *p = &nets[first].prefix;
		const int bits_before = dp_addr_is_v4(&p->addr) && p->len >= 96 ? 96 : 0;

		(void)dp_fail(reterr, EEXIST, "network %s/%d belongs to app '%s' and to app '%s'",
			dp_addr_format(&p->addr, addr), p->len - bits_before,
			cls_app_name(c, nets[first].app), cls_app_name(c, nets[first + 1].app));
	} else if (r < 0) {
		(void)dp_fail(reterr, -r, "cannot store %zu networks: %m", sums->n_nets);
	}
	free(nets);
	return r;
}

static int add_ports(struct cls_catalogue *c, const struct cls_app_def *apps, size_t n_apps,
	const struct sums *sums, struct dp_err *reterr)
{
	c->ports = calloc(sums->n_ports + 1, sizeof(*c->ports));
	if (c->ports == NULL)
		return dp_fail(reterr, ENOMEM, "cannot store %zu ports: %m", sums->n_ports);
	for (size_t i = 0; i < n_apps; i++)
		for (size_t k = 0; k < apps[i].n_ports; k++)
			c->ports[c->n_ports++] = (struct port_rule){apps[i].ports[k], apps[i].id};
	qsort(c->ports, c->n_ports, sizeof(*c->ports), by_first_port);
	for (size_t i = 1; i < c->n_ports; i++) {
		const struct port_rule *a = &c->ports[i - 1], *b = &c->ports[i];

		if (a->def.l4_proto == b->def.l4_proto && a->def.last >= b->def.first)
			return dp_fail(reterr, EEXIST,
				"port %u of app '%s' belongs to app '%s' already", b->def.first,
				cls_app_name(c, b->app), cls_app_name(c, a->app));
	}
	return 0;
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

static int build(struct cls_catalogue *c, const struct cls_app_def *apps, size_t n_apps,
	const char *const *tag_names, size_t n_tags, struct dp_err *reterr)
{
	const struct sums sums = sums_of(apps, n_apps, tag_names, n_tags);
	int r = add_texts(c, apps, n_apps, tag_names, n_tags, sums.text_bytes);

	if (r < 0)
		return dp_fail(reterr, -r, "cannot store %zu apps: %m", n_apps);
	r = check_apps(c, reterr);
	if (r == 0)
		r = add_hosts(c, apps, n_apps, &sums, reterr);
	if (r == 0)
		r = add_nets(c, apps, n_apps, &sums, reterr);
	if (r == 0)
		r = add_ports(c, apps, n_apps, &sums, reterr);
	for (size_t i = 0; i < NDPI_PROTO_MAX; i++)
		c->by_ndpi[i] = DP_APP_UNKNOWN;
	for (size_t i = 0; i < n_apps && r == 0; i++)
		r = add_ndpi(c, &apps[i], reterr);
	return r;
}

int cls_catalogue_new(const struct cls_app_def *apps, size_t n_apps, const char *const *tag_names,
	size_t n_tags, struct cls_catalogue **ret_catalogue, struct dp_err *reterr)
{
	struct cls_catalogue *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return dp_fail(reterr, ENOMEM, "cannot build a catalogue: %m");
	r = build(c, apps, n_apps, tag_names, n_tags, reterr);
	if (r == 0)
		*ret_catalogue = c;
	else
		cls_catalogue_free(c);
	return r;
}

void cls_catalogue_free(struct cls_catalogue *c)
{
	if (c == NULL)
		return;
	cls_host_table_fini(&c->hosts);
	cls_net_table_fini(&c->nets);
	free(c->ports);
	free(c->apps);
	free(c->by_name);
	free(c->by_category);
	free(c->tags);
	free(c->texts);
	free(c);
}

/* --- asking ----------------------------------------------------------------------------------- */

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

uint64_t cls_app_mark(const struct cls_catalogue *c, uint32_t id)
{
	const struct app *app = app_of(c, id);

	return app != NULL ? app->mark : 0;
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
	const struct app *key = &(struct app){.name = name};
	const struct app *const *found = bsearch(
		&key, c->by_name, c->n_apps, sizeof(const struct app *), by_name);

	return found != NULL ? (*found)->id : DP_APP_UNKNOWN;
}

bool cls_has_category(const struct cls_catalogue *c, const char *category)
{
	const struct app *key = &(struct app){.category = category};

	return bsearch(&key, c->by_category, c->n_apps, sizeof(const struct app *), by_category) !=
		NULL;
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
	return (struct cls_match){cls_net_table_find(&c->nets, server), DP_TAG_NONE};
}

struct cls_match cls_match_port(const struct cls_catalogue *c, uint8_t l4_proto, uint16_t port)
{
	const struct cls_port_def key = {.l4_proto = l4_proto, .first = port};
	const struct port_rule *rule = bsearch(
		&key, c->ports, c->n_ports, sizeof(*c->ports), by_port);

	return (struct cls_match){rule != NULL ? rule->app : DP_APP_UNKNOWN, DP_TAG_NONE};
}

struct cls_match cls_match_ndpi(const struct cls_catalogue *c, uint16_t ndpi_proto)
{
	const uint32_t app = ndpi_proto < NDPI_PROTO_MAX ? c->by_ndpi[ndpi_proto] : DP_APP_UNKNOWN;

	return (struct cls_match){app, DP_TAG_NONE};
}
