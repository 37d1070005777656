// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_state.h"

#include <string.h>

enum {
	SMALL = 1000, // one part in so many of all bytes is little for a server,
	SCATTERED =
		16, // and so many little ones of a protocol are not worth their rows; start values
};

/* A row while it is made; the reader sees its first member. */
struct made_row {
	struct ctl_unknown_row row; // numbers: at last
	struct ctl_counts counts;
	bool is_gone; // into another
};

/* Names of a server's part in a service and of machines, not of a service: the domain says more. */
static bool is_mere_part(const char *label, size_t len)
{
	static const char *const parts[] = {"www", "web", "api", "app", "apps", "cdn", "edge",
		"static", "assets", "media", "img", "image", "images", "files", "data"};

	if (len == 1)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (g_ascii_isdigit(label[i]) || label[i] == '*' || label[i] == '_')
			return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		if (strlen(parts[i]) == len && memcmp(parts[i], label, len) == 0)
			return true;
	}
	return false;
}

/* Is name one label and `below`, nobody's alone, and has nine tenths of what the group has? */
static bool is_nearly_all(const struct ctl_group *g, const struct ctl_part *part, const char *below)
{
	const size_t len = strcspn(part->name, ".");

	return part->is_common && part->name[len] == '.' &&
		strcmp(part->name + len + 1, below) == 0 &&
		part->counts.bytes >= g->counts.bytes - g->counts.bytes / 10 &&
		!is_mere_part(part->name, len);
}

/* The domain or a name in it. Borrowed from the group. */
static const char *what_of_host(const struct ctl_group *g)
{
	const char *what = g->name;

	for (bool goes_on = true; goes_on;) {
		goes_on = false;
		for (int i = 0; i < g->n_parts && !goes_on; i++) {
			goes_on = is_nearly_all(g, &g->parts[i], what);
			if (goes_on)
				what = g->parts[i].name;
		}
	}
	return what;
}

static gint compare_examples(gconstpointer a, gconstpointer b)
{
	const struct ctl_part *x = *(struct ctl_part *const *)a;
	const struct ctl_part *y = *(struct ctl_part *const *)b;

	if (x->counts.bytes != y->counts.bytes)
		return x->counts.bytes < y->counts.bytes ? 1 : -1;
	return strcmp(x->name, y->name);
}

static bool is_common(const struct ctl_group *g, const char *name)
{
	for (int i = 0; i < g->n_parts; i++) {
		if (g->parts[i].is_common && strcmp(g->parts[i].name, name) == 0)
			return true;
	}
	return false;
}

/* A name as far as several subscribers have shown it. Owned by the caller. */
static char *shown(const struct ctl_group *g, const char *name)
{
	const char *domain = name + strlen(name) - strlen(g->name), *end = name;

	while (end < domain && !is_common(g, end))
		end += strcspn(end, ".") + 1;
	return end > name && *end != '*' ? g_strconcat("*.", end, NULL) : g_strdup(end);
}

static void add_examples(struct ctl_unknown_row *row, const struct ctl_group *g)
{
	g_autoptr(GPtrArray) seen = g_ptr_array_new();
	int n = 0;

	for (int i = 0; i < g->n_parts; i++) {
		if (g->parts[i].is_seen)
			g_ptr_array_add(seen, &g->parts[i]);
	}
	g_ptr_array_sort(seen, compare_examples);
	for (guint i = 0; i < seen->len && n < CTL_UNKNOWN_EXAMPLES; i++) {
		const char *name = ((const struct ctl_part *)seen->pdata[i])->name;
		char *text = g->kind == CTL_UNKNOWN_HOST ? shown(g, name) : g_strdup(name);

		if (strcmp(text, row->what) == 0 ||
			g_strv_contains((const char *const *)row->examples, text))
			g_free(text);
		else
			row->examples[n++] = text;
	}
}

/* --- rows ------------------------------------------------------------------------------------- */

static void row_free(void *data)
{
	struct made_row *r = data;

	ctl_distinct_clear(&r->counts.subscribers);
	g_free(r->row.what);
	g_free(r->row.domain);
	for (int i = 0; i < CTL_UNKNOWN_EXAMPLES; i++)
		g_free(r->row.examples[i]);
	g_free(r);
}

/* Of a group, or of the part that has those counts; in rows. */
static struct made_row *add_row(GPtrArray *rows, const struct ctl_group *g, const char *what,
	const struct ctl_counts *counts)
{
	struct made_row *r = g_new0(struct made_row, 1);

	r->row = (struct ctl_unknown_row){.kind = g->kind,
		.what = g_strdup(what),
		.l4 = g->l4,
		.port = g->port,
		.is_shared = g->is_shared,
		.proto = g->proto.text,
		.app = counts->weak_bytes > 0 ? g->app.text : NULL};
	ctl_counts_merge(&r->counts, counts);
	g_ptr_array_add(rows, r);
	return r;
}

static void add_hosts(GPtrArray *rows, const struct ctl_groups *hosts)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, hosts->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct ctl_group *g = value;
		struct made_row *r = add_row(rows, g, what_of_host(g), &g->counts);

		r->row.domain = g_strdup(g->name);
		add_examples(&r->row, g);
	}
}

static void add_servers(GPtrArray *rows, const struct ctl_groups *servers)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, servers->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct ctl_group *g = value;

		if (g->has_many)
			add_examples(&add_row(rows, g, g->name, &g->counts)->row, g);
		for (int i = 0; i < g->n_parts && !g->has_many; i++)
			(void)add_row(rows, g, g->parts[i].name, &g->parts[i].counts);
	}
}

static gint compare_rows(gconstpointer a, gconstpointer b)
{
	const struct made_row *x = *(struct made_row *const *)a;
	const struct made_row *y = *(struct made_row *const *)b;

	if (x->is_gone != y->is_gone)
		return x->is_gone ? 1 : -1;
	if (x->counts.bytes != y->counts.bytes)
		return x->counts.bytes < y->counts.bytes ? 1 : -1;
	if (x->counts.flows != y->counts.flows)
		return x->counts.flows < y->counts.flows ? 1 : -1;
	if (x->row.kind != y->row.kind)
		return x->row.kind - y->row.kind;

	const int r = strcmp(x->row.what, y->row.what);

	return r != 0 ? r : g_strcmp0(x->row.l4, y->row.l4) * 65536 + x->row.port - y->row.port;
}

/* --- servers that are many and small ------------------------------------------------------------ */

struct scattered {
	guint n; // small ones of this protocol
	struct made_row *into; // the protocol's own row; NULL: there is none yet
};

static bool is_small(const struct made_row *r, uint64_t all_bytes)
{
	return r->row.kind == CTL_UNKNOWN_SERVER && r->counts.bytes < all_bytes / SMALL;
}

/* Of r's protocol. Borrowed from the table. */
static struct scattered *scattered_of(GHashTable *table, const struct made_row *r)
{
	char *key = ctl_unknown_protocol_key(r->row.l4, r->row.proto);
	struct scattered *s = g_hash_table_lookup(table, key);

	if (s != NULL) {
		g_free(key);
		return s;
	}
	s = g_new0(struct scattered, 1);
	g_hash_table_insert(table, key, s);
	return s;
}

static void count_scattered(GHashTable *table, const GPtrArray *rows, uint64_t all_bytes)
{
	for (guint i = 0; i < rows->len; i++) {
		struct made_row *r = rows->pdata[i];

		if (is_small(r, all_bytes))
			scattered_of(table, r)->n++;
		else if (r->row.kind == CTL_UNKNOWN_PROTOCOL)
			scattered_of(table, r)->into = r;
	}
}

static struct made_row *add_protocol(GPtrArray *rows, const struct made_row *like)
{
	const struct ctl_group none = {.kind = CTL_UNKNOWN_PROTOCOL,
		.l4 = like->row.l4,
		.proto = {.text = like->row.proto}};

	return add_row(rows, &none, like->row.proto, &none.counts);
}

/* rows are sorted: so the same one gives its app, whatever the order of a table. */
static void join_scattered(GPtrArray *rows, uint64_t all_bytes)
{
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const guint n_rows = rows->len;

	count_scattered(table, rows, all_bytes);
	for (guint i = 0; i < n_rows; i++) {
		struct made_row *r = rows->pdata[i];
		struct scattered *s;

		if (!is_small(r, all_bytes))
			continue;
		s = scattered_of(table, r);
		if (s->n < SCATTERED)
			continue;
		if (s->into == NULL)
			s->into = add_protocol(rows, r);
		ctl_counts_merge(&s->into->counts, &r->counts);
		if (s->into->row.app == NULL)
			s->into->row.app = r->row.app;
		r->is_gone = true;
	}
	g_hash_table_destroy(table);
}

/* --- the report --------------------------------------------------------------------------------- */

static GPtrArray *all_rows(const struct ctl_unknown *u)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
	GHashTableIter iter;
	gpointer value;
	guint n = 0;

	add_hosts(rows, &u->hosts);
	add_servers(rows, &u->servers);
	g_hash_table_iter_init(&iter, u->protocols.by_key);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct ctl_group *g = value;

		(void)add_row(rows, g, g->name, &g->counts);
	}
	g_ptr_array_sort(rows, compare_rows);
	join_scattered(rows, u->all.bytes);
	g_ptr_array_sort(rows, compare_rows);
	while (n < rows->len && !((const struct made_row *)rows->pdata[n])->is_gone)
		n++;
	g_ptr_array_set_size(rows, (gint)n);
	return rows;
}

/* No flow has two: an estimate need not say so. */
static uint64_t subscribers_of(const struct ctl_counts *counts)
{
	return MIN(ctl_distinct_count(&counts->subscribers), counts->flows);
}

static struct ctl_unknown_sum sum_of(const struct ctl_counts *counts)
{
	return (struct ctl_unknown_sum){.bytes = counts->bytes,
		.flows = counts->flows,
		.weak_bytes = counts->weak_bytes,
		.subscribers = subscribers_of(counts)};
}

GPtrArray *ctl_unknown_report(const struct ctl_unknown *u, size_t n_rows,
	struct ctl_unknown_sum *ret_others, struct ctl_unknown_sum *ret_all)
{
	GPtrArray *rows = all_rows(u);
	struct ctl_counts others = {0};

	ctl_counts_merge(&others, &u->others);
	for (guint i = (guint)MIN(n_rows, rows->len); i < rows->len; i++)
		ctl_counts_merge(&others, &((const struct made_row *)rows->pdata[i])->counts);
	g_ptr_array_set_size(rows, (gint)MIN(n_rows, rows->len));
	for (guint i = 0; i < rows->len; i++) {
		struct made_row *r = rows->pdata[i];

		r->row.bytes = r->counts.bytes;
		r->row.flows = r->counts.flows;
		r->row.weak_bytes = r->counts.weak_bytes;
		r->row.subscribers = subscribers_of(&r->counts);
	}
	*ret_others = sum_of(&others);
	*ret_all = sum_of(&u->all);
	ctl_distinct_clear(&others.subscribers);
	return rows;
}
