// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"
#include "control/facts_build.h"

#include <stdlib.h>
#include <string.h>

const char *const ctl_line_kind_names[] = {"consumer", "m2m", "corporate", "staff", "test", NULL};
const char *const ctl_hold_kind_names[] = {"complaint", "bill_shock", "do_not_contact", NULL};

/* Who holds an address from an instant on, until the next holding of the same address. */
struct ctl_holding {
	uint64_t since_ns;
	const struct ctl_person *person; // NULL: nobody, or more than one
	bool is_ambiguous;
};

/* The holdings of one address: the first one begins at 0. */
struct ctl_holder {
	struct dp_addr addr;
	uint32_t begin, n;
};

static void plan_clear(void *plan)
{
	g_free(((struct ctl_plan *)plan)->id);
}

struct ctl_facts *ctl_facts_new(void)
{
	struct ctl_facts *facts = g_new0(struct ctl_facts, 1);

	facts->persons = g_ptr_array_new_with_free_func(ctl_person_free);
	facts->plans = g_array_new(FALSE, FALSE, sizeof(struct ctl_plan));
	g_array_set_clear_func(facts->plans, plan_clear);
	facts->by_address = g_hash_table_new(ctl_addr_hash, ctl_addr_equal);
	facts->by_identifier = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	facts->zones = g_hash_table_new_full(
		g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_time_zone_unref);
	facts->is_static = true;
	return facts;
}

void ctl_facts_free(struct ctl_facts *facts)
{
	if (facts == NULL)
		return;
	g_hash_table_unref(facts->by_address);
	g_hash_table_unref(facts->by_identifier);
	g_ptr_array_unref(facts->persons);
	g_array_unref(facts->plans);
	g_hash_table_unref(facts->zones);
	g_free(facts->holders);
	g_free(facts->holdings);
	g_free(facts);
}

void ctl_person_free(void *data)
{
	struct ctl_person *p = data;

	for (size_t i = 0; i < p->n_buckets; i++) {
		g_free(p->buckets[i].id);
		g_free(p->buckets[i].zone);
		g_strfreev(p->buckets[i].apps);
	}
	for (size_t i = 0; i < p->n_consents; i++)
		g_free(p->consents[i].purpose);
	for (size_t i = 0; i < p->n_holds; i++)
		g_free(p->holds[i].topic);
	g_free(p->buckets);
	g_free(p->consents);
	g_free(p->holds);
	g_free(p->past);
	g_strfreev(p->own_services);
	g_strfreev(p->zero_rated);
	g_strfreev(p->segments);
	g_free(p->msisdn);
	g_free(p->imsi);
	g_free(p->account);
	g_free(p->plan);
	g_free(p->zone);
	g_free(p);
}

GTimeZone *ctl_facts_zone(struct ctl_facts *facts, const char *name)
{
	GTimeZone *tz = g_hash_table_lookup(facts->zones, name);

	if (tz != NULL)
		return tz;
	tz = g_time_zone_new_identifier(name);
	if (tz != NULL)
		g_hash_table_insert(facts->zones, g_strdup(name), tz);
	return tz;
}

char *ctl_identifier(const char *kind, const char *value)
{
	return g_strconcat(kind, ":", value, NULL);
}

static void index_person(struct ctl_facts *facts, struct ctl_person *person)
{
	if (person->msisdn != NULL)
		g_hash_table_insert(
			facts->by_identifier, ctl_identifier("msisdn", person->msisdn), person);
	if (person->imsi != NULL)
		g_hash_table_insert(
			facts->by_identifier, ctl_identifier("imsi", person->imsi), person);
	if (person->account != NULL)
		g_hash_table_insert(
			facts->by_identifier, ctl_identifier("account", person->account), person);
}

/* Begin or end of a claim. */
struct edge {
	uint64_t t_ns;
	uint64_t person;
	int32_t step; // +1, -1
};

static int edge_cmp(const void *pa, const void *pb)
{
	const struct edge *a = pa, *b = pb;

	return (a->t_ns > b->t_ns) - (a->t_ns < b->t_ns);
}

/* The persons whose claims cover the sweep's instant: how many, and the xor of their ids, which is
 * the person when there is one. So a step costs the same however many there are. */
struct cover {
	uint32_t *n_claims; // by person id: how many claims of that person
	size_t n_persons;
	uint64_t id_xor;
};

static void cover_step(struct cover *c, const struct edge *e)
{
	uint32_t *n = &c->n_claims[e->person];
	const bool was_in = *n > 0;

	*n += (uint32_t)e->step;
	if (was_in == (*n > 0))
		return;
	c->id_xor ^= e->person;
	c->n_persons += was_in ? (size_t)-1 : 1;
}

static void holding_append(const struct ctl_facts *facts, GArray *holdings, guint begin,
	uint64_t t_ns, const struct cover *c)
{
	struct ctl_holding h = {.since_ns = t_ns, .is_ambiguous = c->n_persons > 1};
	const struct ctl_holding *last = NULL;

	if (c->n_persons == 1)
		h.person = facts->persons->pdata[c->id_xor - 1];
	if (holdings->len > begin)
		last = &g_array_index(holdings, struct ctl_holding, holdings->len - 1);
	if (last != NULL && last->person == h.person && last->is_ambiguous == h.is_ambiguous)
		return;
	g_array_append_val(holdings, h);
}

/* claims[0..n) are those of one address. */
static void lay_out(const struct ctl_facts *facts, const struct ctl_claim *claims, size_t n,
	struct cover *c, GArray *holdings)
{
	g_autofree struct edge *edges = g_new(struct edge, 2 * n);
	const guint begin = holdings->len;
	size_t n_edges = 0;

	for (size_t i = 0; i < n; i++) {
		edges[n_edges++] = (struct edge){claims[i].since_ns, claims[i].person, 1};
		if (claims[i].until_ns != 0)
			edges[n_edges++] = (struct edge){claims[i].until_ns, claims[i].person, -1};
	}
	qsort(edges, n_edges, sizeof(*edges), edge_cmp);
	if (edges[0].t_ns > 0)
		holding_append(facts, holdings, begin, 0, c);
	for (size_t i = 0; i < n_edges; i++) {
		cover_step(c, &edges[i]);
		if (i + 1 == n_edges || edges[i + 1].t_ns != edges[i].t_ns)
			holding_append(facts, holdings, begin, edges[i].t_ns, c);
	}
	for (size_t i = 0; i < n; i++) // leave it clean for the next address
		c->n_claims[claims[i].person] = 0;
	c->n_persons = 0;
	c->id_xor = 0;
}

static void index_addresses(
	struct ctl_facts *facts, const struct ctl_claim *claims, size_t n_claims)
{
	struct cover cover = {.n_claims = g_new0(uint32_t, facts->persons->len + 1)};
	GArray *holdings = g_array_new(FALSE, FALSE, sizeof(struct ctl_holding));
	size_t n_holders = 0, end;

	facts->holders = g_new(struct ctl_holder, n_claims); // at most: one an address
	for (size_t i = 0; i < n_claims; i = end) {
		struct ctl_holder *holder = &facts->holders[n_holders++];

		for (end = i + 1; end < n_claims; end++)
			if (dp_addr_cmp(&claims[i].addr, &claims[end].addr) != 0)
				break;
		holder->addr = claims[i].addr;
		holder->begin = holdings->len;
		lay_out(facts, claims + i, end - i, &cover, holdings);
		holder->n = holdings->len - holder->begin;
		g_hash_table_insert(facts->by_address, &holder->addr, holder);
	}
	facts->holdings = (struct ctl_holding *)g_array_free(holdings, FALSE);
	g_free(cover.n_claims);
}

static int plan_cmp(const void *pa, const void *pb)
{
	const struct ctl_plan *a = pa, *b = pb;

	// 0 is unlimited: one less is the largest number
	if (a->cap_bytes != b->cap_bytes)
		return a->cap_bytes - 1 < b->cap_bytes - 1 ? -1 : 1;
	return strcmp(a->id, b->id);
}

void ctl_facts_seal(struct ctl_facts *facts, const struct ctl_claim *claims, size_t n_claims)
{
	g_array_sort(facts->plans, plan_cmp);
	for (guint i = 0; i < facts->persons->len; i++)
		index_person(facts, facts->persons->pdata[i]);
	index_addresses(facts, claims, n_claims);
}

const struct ctl_person *ctl_facts_binding(const struct ctl_facts *facts,
	const struct dp_addr *endpoint, uint64_t t_ns, bool *ret_is_ambiguous)
{
	const struct ctl_holder *holder = g_hash_table_lookup(facts->by_address, endpoint);
	const struct ctl_holding *h;
	uint32_t begin = 0, end;

	*ret_is_ambiguous = false;
	if (holder == NULL)
		return NULL;
	h = facts->holdings + holder->begin;
	end = holder->n;
	while (end - begin > 1) { // h[begin].since_ns <= t_ns, h[end] is behind it
		const uint32_t middle = begin + (end - begin) / 2;

		if (h[middle].since_ns <= t_ns)
			begin = middle;
		else
			end = middle;
	}
	*ret_is_ambiguous = h[begin].is_ambiguous;
	return h[begin].person;
}

const struct ctl_person *ctl_facts_credited(const struct ctl_facts *facts,
	const struct dp_addr *endpoint, uint64_t first_ns, uint64_t last_ns, bool *ret_is_one)
{
	bool is_ambiguous[2] = {false, false};
	const struct ctl_person *first = ctl_facts_binding(
		facts, endpoint, first_ns, &is_ambiguous[0]);
	const struct ctl_person *last = first;

	if (last_ns != first_ns)
		last = ctl_facts_binding(facts, endpoint, last_ns, &is_ambiguous[1]);
	*ret_is_one = first == last && !is_ambiguous[0] && !is_ambiguous[1];
	return *ret_is_one ? first : NULL;
}

const struct ctl_person *ctl_facts_find(const struct ctl_facts *facts, const char *identifier)
{
	static const char *const kinds[] = {"msisdn", "imsi", "account"};
	const struct ctl_person *person = g_hash_table_lookup(facts->by_identifier, identifier);

	for (size_t i = 0; person == NULL && i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *full = ctl_identifier(kinds[i], identifier);

		person = g_hash_table_lookup(facts->by_identifier, full);
	}
	return person;
}
