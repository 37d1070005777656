// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown.h"

#include "control/addr_hash.h"
#include "control/unknown_state.h"

#include <string.h>

enum {
	V4_NETWORK_BITS = 24,
	V6_NETWORK_BITS = 48, // what a site is given (RFC 6177)
	LEVELS = 3, // labels in front of a domain whose names are summed up
};

/* --- counts ----------------------------------------------------------------------------------- */

void ctl_counts_merge(struct ctl_counts *counts, const struct ctl_counts *other)
{
	counts->bytes += other->bytes;
	counts->flows += other->flows;
	counts->weak_bytes += other->weak_bytes;
	ctl_distinct_merge(&counts->subscribers, &other->subscribers);
}

static void count(struct ctl_counts *counts, const struct ctl_unknown_fact *fact)
{
	counts->bytes += fact->bytes;
	counts->flows += fact->flows;
	counts->weak_bytes += fact->app != NULL ? fact->bytes : 0;
	ctl_distinct_add(&counts->subscribers, &fact->endpoint);
}

void ctl_vote_add(struct ctl_vote *vote, const char *interned, uint64_t weight)
{
	if (vote->text == interned) {
		vote->lead += weight;
	} else if (vote->lead >= weight) {
		vote->lead -= weight;
	} else {
		vote->lead = weight - vote->lead;
		vote->text = interned;
	}
}

static const char *intern(struct ctl_unknown *u, const char *text)
{
	return g_string_chunk_insert_const(u->texts, text);
}

/* --- parts of a group ------------------------------------------------------------------------- */

static void part_clear(struct ctl_part *part)
{
	ctl_distinct_clear(&part->counts.subscribers);
	g_free(part->name);
}

static int most_first(uint64_t a, uint64_t b, const char *a_name, const char *b_name)
{
	return a != b ? (a < b ? 1 : -1) : strcmp(a_name, b_name);
}

static int compare_parts(const void *a, const void *b)
{
	const struct ctl_part *x = a, *y = b;

	return most_first(
		x->counts.bytes + x->missed, y->counts.bytes + y->missed, x->name, y->name);
}

static void let_parts_go(struct ctl_group *g)
{
	qsort(g->parts, g->n_parts, sizeof(*g->parts), compare_parts);
	g->parts_missed = g->parts[PARTS_KEPT].counts.bytes + g->parts[PARTS_KEPT].missed;
	for (int i = PARTS_KEPT; i < g->n_parts; i++)
		part_clear(&g->parts[i]);
	g->n_parts = PARTS_KEPT;
}

/* Until the next call. */
static struct ctl_part *part_of(struct ctl_group *g, const char *name)
{
	for (int i = 0; i < g->n_parts; i++) {
		if (strcmp(g->parts[i].name, name) == 0)
			return &g->parts[i];
	}
	if (g->n_parts == PARTS_MAX)
		let_parts_go(g);
	if (g->parts == NULL)
		g->parts = g_new(struct ctl_part, PARTS_MAX);
	g->parts[g->n_parts] = (struct ctl_part){.name = g_strdup(name), .missed = g->parts_missed};
	return &g->parts[g->n_parts++];
}

static void note_endpoint(struct ctl_part *part, const struct dp_addr *endpoint)
{
	for (int i = 0; i < part->n_endpoints; i++) {
		if (dp_addr_cmp(&part->endpoints[i], endpoint) == 0)
			return;
	}
	if (part->n_endpoints == ONE_PERSON)
		part->is_common = true;
	else
		part->endpoints[part->n_endpoints++] = *endpoint;
}

static void count_name(const struct ctl_unknown *u, struct ctl_group *g, const char *name,
	const struct ctl_unknown_fact *fact, bool is_seen)
{
	struct ctl_part *part = part_of(g, name);

	part->is_common |= u->shows_names;
	if (!part->is_common)
		note_endpoint(part, &fact->endpoint);
	part->is_seen |= is_seen;
	part->counts.bytes += fact->bytes;
}

/* The name itself, and the ends of it that have up to LEVELS labels more than the domain. */
static void add_name(const struct ctl_unknown *u, struct ctl_group *g, const struct ctl_domain *d,
	const struct ctl_unknown_fact *fact)
{
	const char *end = d->name + d->domain_off;

	for (int level = 0; end > d->name && level < LEVELS; level++) {
		for (end--; end > d->name && end[-1] != '.'; end--)
			;
		if (end > d->name)
			count_name(u, g, end, fact, false);
	}
	count_name(u, g, d->name, fact, true);
}

static void add_address(
	struct ctl_group *g, const char *address, const struct ctl_unknown_fact *fact)
{
	struct ctl_part *part = part_of(g, address);

	part->is_seen = true;
	if (g->n_parts > FEW_SERVERS && !g->has_many) {
		for (int i = 0; i < g->n_parts; i++)
			ctl_distinct_clear(&g->parts[i].counts.subscribers);
		g->has_many = true;
	}
	if (g->has_many)
		part->counts.bytes += fact->bytes;
	else
		count(&part->counts, fact);
}

/* --- groups ----------------------------------------------------------------------------------- */

static void group_free(void *data)
{
	struct ctl_group *g = data;

	for (int i = 0; i < g->n_parts; i++)
		part_clear(&g->parts[i]);
	g_free(g->parts);
	ctl_distinct_clear(&g->counts.subscribers);
	g_free(g->key);
	g_free(g->name);
	g_free(g);
}

static gint compare_groups(gconstpointer a, gconstpointer b)
{
	const struct ctl_group *x = *(struct ctl_group *const *)a;
	const struct ctl_group *y = *(struct ctl_group *const *)b;

	return most_first(x->counts.bytes + x->missed, y->counts.bytes + y->missed, x->key, y->key);
}

static struct ctl_group *group_of(struct ctl_groups *groups, const char *key)
{
	struct ctl_group *g = g_hash_table_lookup(groups->by_key, key);

	if (g != NULL)
		return g;
	g = g_new0(struct ctl_group, 1);
	g->key = g_strdup(key);
	g->missed = groups->missed;
	g_hash_table_insert(groups->by_key, g->key, g);
	return g;
}

static GPtrArray *all_of(const struct ctl_groups *groups)
{
	GPtrArray *all = g_ptr_array_sized_new(g_hash_table_size(groups->by_key));
	GHashTableIter iter;
	gpointer group;

	g_hash_table_iter_init(&iter, groups->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &group))
		g_ptr_array_add(all, group);
	return all;
}

/* Those beyond n_kept, least bytes last, go; let_go() is told of each. */
static void shrink(struct ctl_unknown *u, struct ctl_groups *groups,
	void (*let_go)(struct ctl_unknown *, const struct ctl_group *))
{
	GPtrArray *all;

	if (g_hash_table_size(groups->by_key) <= 2 * u->n_kept)
		return;
	all = all_of(groups);
	g_ptr_array_sort(all, compare_groups);
	for (guint i = (guint)u->n_kept; i < all->len; i++) {
		const struct ctl_group *g = all->pdata[i];

		groups->missed = MAX(groups->missed, g->counts.bytes + g->missed);
		let_go(u, g);
		g_hash_table_remove(groups->by_key, g->key);
	}
	g_ptr_array_unref(all);
}

static void let_go(struct ctl_unknown *u, const struct ctl_group *g)
{
	ctl_counts_merge(&u->others, &g->counts);
}

char *ctl_unknown_protocol_key(const char *l4, const char *proto)
{
	return g_strdup_printf("%s %s", l4, proto);
}

static struct ctl_group *protocol_of(struct ctl_unknown *u, const char *l4, const char *proto)
{
	g_autofree char *key = ctl_unknown_protocol_key(l4, proto);
	struct ctl_group *g = group_of(&u->protocols, key);

	if (g->name == NULL) {
		g->kind = CTL_UNKNOWN_PROTOCOL;
		g->name = g_strdup(proto);
		g->l4 = l4;
	}
	return g;
}

/* One of many small ones. */
static void server_to_protocol(struct ctl_unknown *u, const struct ctl_group *server)
{
	struct ctl_group *g = protocol_of(u, server->l4, server->proto.text);

	ctl_counts_merge(&g->counts, &server->counts);
	ctl_vote_add(&g->proto, server->proto.text, server->counts.bytes);
	if (server->app.text != NULL)
		ctl_vote_add(&g->app, server->app.text, server->counts.weak_bytes);
}

/* --- facts ------------------------------------------------------------------------------------ */

static struct ctl_group *add_to_host(
	struct ctl_unknown *u, const struct ctl_domain *d, const struct ctl_unknown_fact *fact)
{
	struct ctl_group *g = group_of(&u->hosts, d->name + d->domain_off);

	if (g->name == NULL) {
		g->kind = CTL_UNKNOWN_HOST;
		g->name = g_strdup(g->key);
		g->is_shared = d->kind == CTL_DOMAIN_SHARED;
	}
	add_name(u, g, d, fact);
	return g;
}

static char *network_of(const struct dp_addr *server, char *buf, size_t size)
{
	const bool is_v4 = dp_addr_is_v4(server);
	const unsigned int bits = is_v4 ? V4_NETWORK_BITS : V6_NETWORK_BITS;
	struct dp_addr network = *server;
	char text[DP_ADDR_STRLEN];

	for (unsigned int i = (is_v4 ? 96 + bits : bits) / 8; i < sizeof(network.b); i++)
		network.b[i] = 0;
	(void)g_snprintf(buf, size, "%s/%u", dp_addr_format(&network, text), bits);
	return buf;
}

static struct ctl_group *add_to_server(struct ctl_unknown *u, const struct ctl_unknown_fact *fact)
{
	char network[DP_ADDR_STRLEN + sizeof("/128")], address[DP_ADDR_STRLEN];
	g_autofree char *key = g_strdup_printf("%s:%u %s", fact->l4, fact->port,
		network_of(&fact->server, network, sizeof(network)));
	struct ctl_group *g = group_of(&u->servers, key);

	if (g->name == NULL) {
		g->kind = CTL_UNKNOWN_SERVER;
		g->name = g_strdup(network);
		g->l4 = intern(u, fact->l4);
		g->port = fact->port;
	}
	add_address(g, dp_addr_format(&fact->server, address), fact);
	return g;
}

void ctl_unknown_add(struct ctl_unknown *u, const struct ctl_unknown_fact *fact)
{
	const char *proto = intern(u, fact->proto);
	struct ctl_group *g;
	struct ctl_domain d;

	count(&u->all, fact);
	ctl_domain_read(u->domains, fact->host, &d);
	if (d.kind != CTL_DOMAIN_NONE)
		g = add_to_host(u, &d, fact);
	else if (fact->has_server)
		g = add_to_server(u, fact);
	else
		g = protocol_of(u, intern(u, fact->l4), proto);
	count(&g->counts, fact);
	ctl_vote_add(&g->proto, proto, fact->bytes);
	if (fact->app != NULL)
		ctl_vote_add(&g->app, intern(u, fact->app), fact->bytes);
	shrink(u, &u->hosts, let_go);
	shrink(u, &u->servers, server_to_protocol);
	shrink(u, &u->protocols, let_go);
}

struct ctl_unknown *ctl_unknown_new(const struct ctl_domains *domains, size_t n_kept)
{
	struct ctl_unknown *u = g_new0(struct ctl_unknown, 1);
	struct ctl_groups *const tables[] = {&u->hosts, &u->servers, &u->protocols};

	u->domains = domains;
	u->n_kept = n_kept;
	u->texts = g_string_chunk_new(1024);
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		tables[i]->by_key = g_hash_table_new_full(
			ctl_name_hash, g_str_equal, NULL, group_free);
	return u;
}

void ctl_unknown_show_names(struct ctl_unknown *u)
{
	u->shows_names = true;
}

void ctl_unknown_free(struct ctl_unknown *u)
{
	if (u == NULL)
		return;
	g_hash_table_destroy(u->hosts.by_key);
	g_hash_table_destroy(u->servers.by_key);
	g_hash_table_destroy(u->protocols.by_key);
	ctl_distinct_clear(&u->others.subscribers);
	ctl_distinct_clear(&u->all.subscribers);
	g_string_chunk_free(u->texts);
	g_free(u);
}
