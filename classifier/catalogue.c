// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/catalogue.h"

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

struct host_slot {
	char *host; // owned; NULL marks a free slot
	size_t len;
	struct cls_match match;
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
	struct host_slot *hosts; // open addressing, at most half full
	size_t host_mask;
	struct net_rule *nets; // longest prefix first
	size_t n_nets;
	struct port_rule *ports;
	size_t n_ports;
	uint32_t by_ndpi[NDPI_PROTO_MAX]; // DP_APP_UNKNOWN where no app claims the protocol
};

static uint8_t lower(char c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* FNV-1a from the last byte to the first, so that one pass over a name meets the hash of each of
 * its suffixes. */
static uint64_t hash_prepend(uint64_t h, uint8_t c)
{
	return (h ^ c) * 0x100000001b3ULL;
}

static const uint64_t HASH_SEED = 0xcbf29ce484222325ULL;

static uint64_t hash_of(const char *host, size_t len)
{
	uint64_t h = HASH_SEED;

	while (len > 0)
		h = hash_prepend(h, lower(host[--len]));
	return h;
}

static bool same_host(const struct host_slot *slot, const char *host, size_t len)
{
	if (slot->len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)slot->host[i] != lower(host[i]))
			return false;
	}
	return true;
}

/* The slot that holds host, or the free one where it belongs. */
static struct host_slot *host_slot(
	const struct cls_catalogue *c, uint64_t hash, const char *host, size_t len)
{
	size_t i = (hash ^ hash >> 32) & c->host_mask;

	while (c->hosts[i].host != NULL && !same_host(&c->hosts[i], host, len))
		i = (i + 1) & c->host_mask;
	return &c->hosts[i];
}

static int add_host(struct cls_catalogue *c, const struct cls_app_def *app,
	const struct cls_host_def *def, struct dp_err *reterr)
{
	const size_t len = strlen(def->host);
	struct host_slot *slot = host_slot(c, hash_of(def->host, len), def->host, len);

	if (slot->host != NULL)
		return dp_fail(reterr, EEXIST, "host '%s' of app '%s' belongs to app '%s' already",
			def->host, app->name, cls_app_name(c, slot->match.app));
	slot->host = strdup(def->host);
	if (slot->host == NULL)
		return dp_fail(reterr, ENOMEM, "cannot store the hosts: %m");
	for (char *p = slot->host; *p != '\0'; p++)
		*p = (char)lower(*p);
	slot->len = len;
	slot->match = (struct cls_match){app->id, def->tag};
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
	size_t n_hosts = 0, n_nets = 0, n_ports = 0, n_slots = 16;

	for (size_t i = 0; i < n_apps; i++) {
		n_hosts += apps[i].n_hosts;
		n_nets += apps[i].n_nets;
		n_ports += apps[i].n_ports;
	}
	while (n_slots < 2 * n_hosts)
		n_slots *= 2;
	c->host_mask = n_slots - 1;
	c->hosts = calloc(n_slots, sizeof(*c->hosts));
	c->apps = calloc(n_apps + 1, sizeof(*c->apps));
	c->tags = calloc(n_tags + 1, sizeof(*c->tags));
	c->nets = calloc(n_nets + 1, sizeof(*c->nets));
	c->ports = calloc(n_ports + 1, sizeof(*c->ports));
	if (c->hosts == NULL || c->apps == NULL || c->tags == NULL || c->nets == NULL ||
		c->ports == NULL)
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
	return 0;
}

int cls_catalogue_new(const struct cls_app_def *apps, size_t n_apps, const char *const *tag_names,
	size_t n_tags, struct cls_catalogue **ret_catalogue, struct dp_err *reterr)
{
	struct cls_catalogue *c = calloc(1, sizeof(*c));
	int r = -ENOMEM;

	if (c == NULL || reserve(c, apps, n_apps, tag_names, n_tags) < 0) {
		r = dp_fail(reterr, ENOMEM, "cannot build a catalogue of %zu apps: %m", n_apps);
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
	for (size_t i = 0; c->hosts != NULL && i <= c->host_mask; i++)
		free(c->hosts[i].host);
	for (size_t i = 0; i < c->n_apps; i++) {
		free(c->apps[i].name);
		free(c->apps[i].category);
	}
	for (size_t i = 0; i < c->n_tags; i++)
		free(c->tags[i]);
	free(c->hosts);
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

/* The hosts that are suffixes of a name on a label boundary, the longest last. Returns how many. */
static size_t find_hosts(const struct cls_catalogue *c, const char *host, size_t len,
	const struct host_slot *ret_slots[CLS_HOST_LABELS_MAX])
{
	uint64_t hash = HASH_SEED;
	unsigned int n_labels = 0;
	size_t n = 0;

	if (len > 0 && host[len - 1] == '.')
		len--;
	for (size_t i = len; i > 0 && n_labels < CLS_HOST_LABELS_MAX; i--) {
		hash = hash_prepend(hash, lower(host[i - 1]));
		if (i > 1 && host[i - 2] != '.')
			continue;
		n_labels++;

		const struct host_slot *slot = host_slot(c, hash, host + i - 1, len - (i - 1));

		if (slot->host != NULL)
			ret_slots[n++] = slot;
	}
	return n;
}

struct cls_match cls_match_host(const struct cls_catalogue *c, const char *host, size_t len)
{
	const struct host_slot *slots[CLS_HOST_LABELS_MAX];
	const size_t n = find_hosts(c, host, len, slots);

	return n > 0 ? slots[n - 1]->match : (struct cls_match){DP_APP_UNKNOWN, DP_TAG_NONE};
}

size_t cls_catalogue_rules(const struct cls_catalogue *c, const char *host, size_t len,
	struct cls_host_rule *rules, size_t max)
{
	const struct host_slot *slots[CLS_HOST_LABELS_MAX];
	const size_t n_found = find_hosts(c, host, len, slots);
	size_t n = 0;

	for (; n < n_found && n < max; n++) {
		const struct host_slot *slot = slots[n_found - 1 - n];

		rules[n] = (struct cls_host_rule){slot->host, slot->match.app, slot->match.tag};
	}
	return n;
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
