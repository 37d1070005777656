// SPDX-License-Identifier: BSD-3-Clause
#include "control/facts_yaml.h"

#include "control/facts_options.h"
#include "control/facts_person.h"
#include "control/yaml_options.h"

#include <errno.h>
#include <string.h>

struct claim {
	struct ctl_claim claim;
	struct ctl_place place;
};

struct loader {
	struct ctl_told_reader reader;
	GPtrArray *docs; // struct ctl_yaml *, kept to the end: places point into them
	GPtrArray *told; // struct ctl_told_person *, by id - 1
	GHashTable *identifiers; // "msisdn:..." -> struct ctl_told_person *
	GHashTable *plans; // id -> node, borrowed from the documents
	GHashTable *plan_docs; // id -> document
	GArray *claims; // struct claim
};

/* One identifier of an entry. */
struct identifier {
	const char *kind;
	size_t entry_off, person_off, place_off;
};

static const struct identifier identifiers[] = {
	{"msisdn", offsetof(struct ctl_told_entry, msisdn), offsetof(struct ctl_person, msisdn),
		offsetof(struct ctl_told_person, msisdn)},
	{"imsi", offsetof(struct ctl_told_entry, imsi), offsetof(struct ctl_person, imsi),
		offsetof(struct ctl_told_person, imsi)},
	{"account", offsetof(struct ctl_told_entry, account), offsetof(struct ctl_person, account),
		offsetof(struct ctl_told_person, account)},
};

static char **text_at(void *base, size_t off)
{
	return (char **)((char *)base + off);
}

static struct ctl_place *place_of(const struct identifier *id, struct ctl_told_person *told)
{
	return (struct ctl_place *)((char *)told + id->place_off);
}

static struct ctl_told_person *person_new(struct loader *l)
{
	struct ctl_told_person *told = g_new0(struct ctl_told_person, 1);

	told->person = g_new0(struct ctl_person, 1);
	g_ptr_array_add(l->reader.facts->persons, told->person);
	g_ptr_array_add(l->told, told);
	told->person->id = l->told->len;
	return told;
}

/* The person that an earlier file told of, by any identifier; a new one if there is none. */
static struct ctl_told_person *person_of(
	struct loader *l, const struct ctl_yaml_node *map, struct ctl_told_entry *entry)
{
	const struct ctl_yaml *doc = l->reader.doc;
	struct ctl_told_person *told = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(identifiers); i++) {
		const struct identifier *id = &identifiers[i];
		const char *value = *text_at(entry, id->entry_off);
		g_autofree char *key = value == NULL ? NULL : ctl_identifier(id->kind, value);
		struct ctl_told_person *found = key == NULL
			? NULL
			: g_hash_table_lookup(l->identifiers, key);
		const struct ctl_place *place;

		if (found == NULL)
			continue;
		place = place_of(id, found);
		if (found->last_doc == doc)
			ctl_yaml_mistake(doc, ctl_yaml_get(map, id->kind),
				"%s, expected each subscriber once in a file; this one is also at %s:%u:%u",
				id->kind, doc->path, found->last_entry->line,
				found->last_entry->column);
		else if (told != NULL && told != found)
			ctl_yaml_mistake(doc, ctl_yaml_get(map, id->kind),
				"%s, expected the identifiers of one subscriber; this one belongs to "
				"another at %s:%u:%u",
				id->kind, place->doc->path, place->node->line, place->node->column);
		else
			told = found;
	}
	return told != NULL ? told : person_new(l);
}

/* Give the person the identifiers it does not have yet. */
static void merge_identifiers(struct loader *l, const struct ctl_yaml_node *map,
	struct ctl_told_entry *entry, struct ctl_told_person *told)
{
	for (size_t i = 0; i < G_N_ELEMENTS(identifiers); i++) {
		const struct identifier *id = &identifiers[i];
		char **value = text_at(entry, id->entry_off);
		char **own = text_at(told->person, id->person_off);
		struct ctl_place *place = place_of(id, told);

		if (*value == NULL)
			continue;
		if (*own != NULL && strcmp(*own, *value) != 0)
			ctl_yaml_mistake(l->reader.doc, ctl_yaml_get(map, id->kind),
				"%s, expected the same as at %s:%u:%u, where this subscriber has one",
				id->kind, place->doc->path, place->node->line, place->node->column);
		if (*own != NULL)
			continue;
		*place = (struct ctl_place){l->reader.doc, ctl_yaml_get(map, id->kind)};
		g_hash_table_insert(l->identifiers, ctl_identifier(id->kind, *value), told);
		*own = g_steal_pointer(value);
	}
}

static void merge_zone(struct loader *l, const struct ctl_yaml_node *map,
	struct ctl_told_entry *entry, struct ctl_told_person *told)
{
	const struct ctl_yaml_node *zone = ctl_yaml_get(map, "zone");

	if (entry->zone == NULL || !ctl_told_once(&l->reader, &told->zone, zone, "zone"))
		return;
	told->person->zone = g_steal_pointer(&entry->zone);
	(void)ctl_facts_zone(l->reader.facts, told->person->zone); // so that it is made only once
}

static void merge_segments(struct ctl_told_entry *entry, struct ctl_person *p)
{
	const guint n_old = p->segments == NULL ? 0 : g_strv_length(p->segments);
	const guint n_new = entry->segments == NULL ? 0 : g_strv_length(entry->segments);

	if (n_new == 0)
		return;
	p->segments = g_renew(char *, p->segments, n_old + n_new + 1);
	for (guint i = 0; i <= n_new; i++) // with the NULL
		p->segments[n_old + i] = entry->segments[i];
	g_clear_pointer(&entry->segments, g_free); // its texts were given away
}

/* RFC 4291 2.5.4: a subscriber has a prefix. Only the one form that can be an endpoint is right. */
static bool endpoint_parse(
	const struct ctl_told_reader *r, const struct ctl_yaml_node *node, struct dp_addr *ret_addr)
{
	const unsigned want = r->env->ipv6_prefix_len;
	struct dp_prefix prefix;

	if (dp_prefix_parse(node->text, &prefix) == 0 &&
		prefix.len == (dp_addr_is_v4(&prefix.addr) ? 128 : want)) {
		*ret_addr = prefix.addr;
		return true;
	}
	ctl_yaml_mistake(r->doc, node,
		"address, expected an IPv4 address or an IPv6 prefix /%u (endpoints.ipv6_prefix)",
		want);
	return false;
}

static void read_address(
	struct loader *l, const struct ctl_told_person *told, const struct ctl_yaml_node *node)
{
	const struct ctl_told_reader *r = &l->reader;
	const struct ctl_yaml_node *address = node;
	struct ctl_told_address interval = {0};
	struct claim c = {.place = {r->doc, node}, .claim.person = told->person->id};

	if (node->kind == CTL_YAML_MAP) {
		ctl_yaml_options(r->doc, node,
			&(struct ctl_yaml_part){ctl_told_address_options, &interval}, 1, NULL);
		address = interval.address == NULL ? NULL : ctl_yaml_get(node, "address");
	} else if (!ctl_yaml_is(r->doc, node, CTL_YAML_SCALAR, "expected an address")) {
		return;
	}
	if (interval.until_ns != 0 && interval.until_ns <= interval.since_ns)
		ctl_yaml_mistake(
			r->doc, ctl_yaml_get(node, "until"), "until, expected a time after since");
	else if (address != NULL && endpoint_parse(r, address, &c.claim.addr)) {
		c.claim.since_ns = interval.since_ns;
		c.claim.until_ns = interval.until_ns;
		g_array_append_val(l->claims, c);
	}
	ctl_options_fini(ctl_told_address_options, &interval);
}

static void read_addresses(
	struct loader *l, const struct ctl_told_person *told, const struct ctl_yaml_node *list)
{
	if (!ctl_yaml_is(l->reader.doc, list, CTL_YAML_LIST, "expected a list of addresses"))
		return;
	for (CTL_YAML_EACH(address, list))
		read_address(l, told, address);
}

static void read_entry(struct loader *l, const struct ctl_yaml_node *map)
{
	static const char *const others[] = {
		"addresses", "plan", "line", "consent", "holds", "cycle_history", NULL};
	struct ctl_told_reader *r = &l->reader;
	struct ctl_told_entry entry = {0};
	struct ctl_told_person *told;

	ctl_yaml_options(
		r->doc, map, &(struct ctl_yaml_part){ctl_told_entry_options, &entry}, 1, others);
	if (map->kind != CTL_YAML_MAP)
		return;
	if (ctl_yaml_get(map, "msisdn") == NULL && ctl_yaml_get(map, "imsi") == NULL &&
		ctl_yaml_get(map, "account") == NULL)
		ctl_yaml_mistake(r->doc, map,
			"a subscriber without identifier, expected msisdn, imsi or account");
	told = person_of(l, map, &entry);
	merge_identifiers(l, map, &entry, told);
	told->last_doc = r->doc;
	told->last_entry = map;
	merge_zone(l, map, &entry, told);
	merge_segments(&entry, told->person);
	read_addresses(l, told, ctl_yaml_get(map, "addresses"));
	ctl_told_plan(r, told, ctl_yaml_get(map, "plan"));
	ctl_told_line(r, told, ctl_yaml_get(map, "line"));
	ctl_told_consent(r, told, ctl_yaml_get(map, "consent"));
	ctl_told_holds(r, told, ctl_yaml_get(map, "holds"));
	ctl_told_cycles(r, told, ctl_yaml_get(map, "cycle_history"));
	ctl_options_fini(ctl_told_entry_options, &entry);
}

static void read_offer(struct loader *l, const struct ctl_yaml_node *map)
{
	const struct ctl_yaml *doc = l->reader.doc;
	const struct ctl_yaml_node *id = ctl_yaml_get(map, "id"), *first;
	struct ctl_told_plan told = {0};
	struct ctl_plan plan;

	ctl_yaml_options(doc, map, &(struct ctl_yaml_part){ctl_told_plan_options, &told}, 1, NULL);
	if (told.id == NULL || told.cap == NULL)
		goto out;
	first = g_hash_table_lookup(l->plans, told.id);
	if (first != NULL) {
		ctl_yaml_mistake(doc, id, "id, expected each plan once; it is also at %s:%u:%u",
			((const struct ctl_yaml *)g_hash_table_lookup(l->plan_docs, told.id))->path,
			first->line, first->column);
		goto out;
	}
	g_hash_table_insert(l->plans, (void *)id->text, (void *)id);
	g_hash_table_insert(l->plan_docs, (void *)id->text, (void *)doc);
	plan = (struct ctl_plan){g_steal_pointer(&told.id), ctl_told_cap(told.cap)};
	g_array_append_val(l->reader.facts->plans, plan);
out:
	ctl_options_fini(ctl_told_plan_options, &told);
}

static void read_file_facts(struct loader *l, const struct ctl_yaml_node *root)
{
	static const char *const others[] = {"plans", "subscribers", NULL};
	struct ctl_facts *facts = l->reader.facts;
	struct ctl_told_file file = {0};

	ctl_yaml_options(l->reader.doc, root, &(struct ctl_yaml_part){ctl_told_file_options, &file},
		1, others);
	if (!file.is_static && root->kind == CTL_YAML_MAP && ctl_yaml_get(root, "as_of") == NULL)
		ctl_yaml_missing(l->reader.doc, root, "as_of",
			"expected a time such as 2026-03-01T00:00:00Z, or static: true");
	if (!file.is_static) {
		if (facts->is_static || file.as_of_ns < facts->as_of_ns)
			facts->as_of_ns = file.as_of_ns;
		facts->is_static = false;
	}
	ctl_options_fini(ctl_told_file_options, &file);
}

static void read_doc(struct loader *l)
{
	const struct ctl_yaml *doc = l->reader.doc;
	const struct ctl_yaml_node *root = doc->root, *plans, *subscribers;

	if (root == NULL) {
		ctl_mistake(doc->mistakes, doc->file, 1, 1,
			"nothing, expected the keys 'plans' or 'subscribers'");
		return;
	}
	read_file_facts(l, root);
	plans = ctl_yaml_get(root, "plans");
	if (ctl_yaml_is(doc, plans, CTL_YAML_LIST, "expected a list of plans"))
		for (CTL_YAML_EACH(plan, plans))
			read_offer(l, plan);
	subscribers = ctl_yaml_get(root, "subscribers");
	if (ctl_yaml_is(doc, subscribers, CTL_YAML_LIST, "expected a list of subscribers"))
		for (CTL_YAML_EACH(entry, subscribers))
			read_entry(l, entry);
}

static int claim_cmp(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;
	const int r = dp_addr_cmp(&a->claim.addr, &b->claim.addr);

	if (r != 0)
		return r;
	if (a->claim.since_ns != b->claim.since_ns)
		return a->claim.since_ns < b->claim.since_ns ? -1 : 1;
	if (a->claim.until_ns != b->claim.until_ns)
		return a->claim.until_ns < b->claim.until_ns ? -1 : 1;
	return (a->claim.person > b->claim.person) - (a->claim.person < b->claim.person);
}

/* Two persons on one address for ever are a slip: nobody would ever be bound. Bounded overlaps
 * happen in exports and only make that time ambiguous. */
static void check_claims(const struct loader *l)
{
	for (guint i = 1; i < l->claims->len; i++) {
		const struct claim *a = &g_array_index(l->claims, struct claim, i - 1);
		const struct claim *b = a + 1;

		if (a->claim.until_ns != 0 || b->claim.until_ns != 0 ||
			a->claim.since_ns != b->claim.since_ns ||
			a->claim.person == b->claim.person ||
			dp_addr_cmp(&a->claim.addr, &b->claim.addr) != 0)
			continue;
		ctl_yaml_mistake(b->place.doc, b->place.node,
			"address, expected one subscriber at a time; another one has it at %s:%u:%u",
			a->place.doc->path, a->place.node->line, a->place.node->column);
	}
}

static void seal(struct loader *l)
{
	g_autofree struct ctl_claim *claims = g_new(struct ctl_claim, l->claims->len);

	for (guint i = 0; i < l->claims->len; i++)
		claims[i] = g_array_index(l->claims, struct claim, i).claim;
	for (guint i = 0; i < l->told->len; i++)
		ctl_told_finish(&l->reader, l->told->pdata[i]);
	ctl_facts_seal(l->reader.facts, claims, l->claims->len);
}

static void doc_free(void *doc)
{
	ctl_yaml_free(doc);
}

static void loader_init(struct loader *l, const struct ctl_told_env *env)
{
	*l = (struct loader){.reader = {.facts = ctl_facts_new(), .env = env}};
	l->docs = g_ptr_array_new_with_free_func(doc_free);
	l->told = g_ptr_array_new_with_free_func(g_free);
	l->identifiers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	l->plans = g_hash_table_new(g_str_hash, g_str_equal);
	l->plan_docs = g_hash_table_new(g_str_hash, g_str_equal);
	l->claims = g_array_new(FALSE, FALSE, sizeof(struct claim));
}

static void loader_fini(struct loader *l)
{
	ctl_facts_free(l->reader.facts);
	g_array_unref(l->claims);
	g_hash_table_unref(l->plans);
	g_hash_table_unref(l->plan_docs);
	g_hash_table_unref(l->identifiers);
	g_ptr_array_unref(l->told);
	g_ptr_array_unref(l->docs);
}

static void add_doc(struct loader *l, struct ctl_yaml *doc)
{
	g_ptr_array_add(l->docs, doc);
	l->reader.doc = doc;
	read_doc(l);
}

/* Hand out the facts unless anything was reported since n_before. */
static int loader_finish(struct loader *l, struct ctl_mistakes *mistakes, size_t n_before,
	struct ctl_facts **ret_facts)
{
	int r = -EINVAL;

	g_array_sort(l->claims, claim_cmp);
	check_claims(l);
	if (ctl_mistakes_count(mistakes) == n_before) {
		seal(l);
		*ret_facts = g_steal_pointer(&l->reader.facts);
		r = 0;
	}
	loader_fini(l);
	return r;
}

int ctl_told_load(const char *const *paths, const struct ctl_told_env *env,
	struct ctl_mistakes *mistakes, struct ctl_facts **ret_facts)
{
	const size_t n_before = ctl_mistakes_count(mistakes);
	struct loader l;

	loader_init(&l, env);
	for (; *paths != NULL; paths++) {
		struct ctl_yaml *doc;

		if (ctl_yaml_load(*paths, true, mistakes, &doc) == 0)
			add_doc(&l, doc);
	}
	return loader_finish(&l, mistakes, n_before, ret_facts);
}

int ctl_told_parse(const char *name, const char *text, size_t len, const struct ctl_told_env *env,
	struct ctl_mistakes *mistakes, struct ctl_facts **ret_facts)
{
	const size_t n_before = ctl_mistakes_count(mistakes);
	struct ctl_yaml *doc;
	struct loader l;

	loader_init(&l, env);
	if (ctl_yaml_parse(name, text, len, true, mistakes, &doc) == 0)
		add_doc(&l, doc);
	return loader_finish(&l, mistakes, n_before, ret_facts);
}
