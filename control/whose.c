// SPDX-License-Identifier: BSD-3-Clause
#include "control/whose.h"

#include "control/addr_hash.h"
#include "control/facts_build.h"
#include "control/subject.h"

#include <string.h>

struct ctl_whose {
	const struct ctl_facts *facts;
	const struct ctl_bindings *bindings;
	bool is_static_first;
	size_t n_max; // people who are met; more stay unbound
	GPtrArray *met; // struct ctl_person, owned
	GHashTable *by_name; // "imsi:…", owned -> of them
};

struct ctl_whose *ctl_whose_new(
	const struct ctl_facts *facts, const struct ctl_binding_options *options)
{
	struct ctl_whose *w = g_new0(struct ctl_whose, 1);

	w->facts = facts;
	w->is_static_first = options->is_static_first;
	w->n_max = options->n_sessions;
	w->met = g_ptr_array_new_with_free_func(ctl_person_free);
	w->by_name = g_hash_table_new_full(ctl_name_hash, g_str_equal, g_free, NULL);
	return w;
}

void ctl_whose_free(struct ctl_whose *w)
{
	if (w == NULL)
		return;
	g_hash_table_unref(w->by_name);
	g_ptr_array_unref(w->met);
	g_free(w);
}

void ctl_whose_set_facts(struct ctl_whose *w, const struct ctl_facts *facts)
{
	w->facts = facts;
}

void ctl_whose_set_bindings(struct ctl_whose *w, const struct ctl_bindings *bindings)
{
	w->bindings = bindings;
}

/* "kind:value" as it is written in one way; "" when it is no such name, or there is none. */
static void make_name(const char *kind, const char *value, char ret_name[CTL_SUBJECT_MAX])
{
	const struct ctl_privacy none = {0}; // the kind is said
	char name[CTL_SUBJECT_MAX];

	ret_name[0] = '\0';
	if (value == NULL || value[0] == '\0')
		return;
	if (g_snprintf(name, sizeof(name), "%s:%s", kind, value) >= (int)sizeof(name))
		return;
	if (ctl_subject_canonical(&none, name, ret_name, NULL) < 0)
		ret_name[0] = '\0';
}

/* The names of somebody in this form. */
struct names {
	char imsi[CTL_SUBJECT_MAX], msisdn[CTL_SUBJECT_MAX], account[CTL_SUBJECT_MAX];
};

static void names_of(
	const char *imsi, const char *msisdn, const char *account, struct names *ret_names)
{
	make_name("imsi", imsi, ret_names->imsi);
	make_name("msisdn", msisdn, ret_names->msisdn);
	make_name("account", account, ret_names->account);
}

static const char *value_of(const char *name)
{
	return name[0] == '\0' ? NULL : strchr(name, ':') + 1;
}

/* A number that the facts know with another SIM may be somebody else's by now. */
static const struct ctl_person *told(const struct ctl_facts *facts, const struct names *n)
{
	const struct ctl_person *person = NULL;

	if (n->imsi[0] != '\0')
		person = ctl_facts_find(facts, n->imsi);
	if (person == NULL && n->msisdn[0] != '\0') {
		person = ctl_facts_find(facts, n->msisdn);
		if (person != NULL && person->imsi != NULL && n->imsi[0] != '\0')
			person = NULL;
	}
	if (person == NULL && n->imsi[0] == '\0' && n->msisdn[0] == '\0' && n->account[0] != '\0')
		person = ctl_facts_find(facts, n->account);
	return person;
}

const struct ctl_person *ctl_whose_find(const struct ctl_whose *w, const char *canonical)
{
	const struct ctl_person *person = ctl_facts_find(w->facts, canonical);

	return person != NULL ? person : g_hash_table_lookup(w->by_name, canonical);
}

static const struct ctl_person *met(const struct ctl_whose *w, const struct names *n)
{
	// By the surest one that there is: who has another SIM is somebody else.
	const char *name = n->imsi[0] != '\0' ? n->imsi
		: n->msisdn[0] != '\0'	      ? n->msisdn
					      : n->account;

	return name[0] == '\0' ? NULL : g_hash_table_lookup(w->by_name, name);
}

const struct ctl_person *ctl_whose_met(
	const struct ctl_whose *w, const char *imsi, const char *msisdn, const char *account)
{
	struct names n;

	names_of(imsi, msisdn, account, &n);
	return met(w, &n);
}

static void name(struct ctl_whose *w, struct ctl_person *person, const char *text)
{
	if (text[0] != '\0')
		(void)g_hash_table_insert(w->by_name, g_strdup(text), person);
}

/* NULL where there are as many as there may be, or no name is sound. */
static const struct ctl_person *meet(struct ctl_whose *w, const struct names *n)
{
	struct ctl_person *person;

	if (w->met->len >= w->n_max ||
		(n->imsi[0] == '\0' && n->msisdn[0] == '\0' && n->account[0] == '\0'))
		return NULL;
	person = g_new0(struct ctl_person, 1);
	person->imsi = g_strdup(value_of(n->imsi));
	person->msisdn = g_strdup(value_of(n->msisdn));
	person->account = g_strdup(value_of(n->account));
	g_ptr_array_add(w->met, person);
	name(w, person, n->imsi);
	name(w, person, n->msisdn);
	name(w, person, n->account);
	return person;
}

static const struct ctl_person *person_of(struct ctl_whose *w, const struct ctl_known *known)
{
	const struct ctl_person *person;
	struct names n;

	names_of(known->imsi, known->msisdn, known->account, &n);
	person = told(w->facts, &n);
	if (person == NULL)
		person = met(w, &n);
	return person != NULL ? person : meet(w, &n);
}

const struct ctl_person *ctl_whose_credited(struct ctl_whose *w, const struct dp_addr *endpoint,
	uint64_t first_ns, uint64_t last_ns, bool *ret_is_one)
{
	const struct ctl_person *person = ctl_facts_credited(
		w->facts, endpoint, first_ns, last_ns, ret_is_one);
	const struct ctl_known *known;
	bool is_one;

	if (w->bindings == NULL || (person != NULL && w->is_static_first))
		return person;
	known = ctl_bindings_who(w->bindings, endpoint, first_ns, last_ns, &is_one);
	if (known == NULL && is_one)
		return person; // signalling says nothing
	*ret_is_one = is_one;
	return known != NULL ? person_of(w, known) : NULL;
}
