// SPDX-License-Identifier: BSD-3-Clause
#include "control/aliases.h"

#include "control/addr_hash.h"

#include <string.h>

struct ctl_aliases {
	size_t n_max, n;
	uint64_t n_ids; // given
	GHashTable *by_imsi, *by_msisdn, *by_account; // the subscriber's own text -> the subscriber
};

struct ctl_aliases *ctl_aliases_new(size_t n_max)
{
	struct ctl_aliases *a = g_new0(struct ctl_aliases, 1);

	a->n_max = n_max;
	a->by_imsi = g_hash_table_new(ctl_name_hash, g_str_equal);
	a->by_msisdn = g_hash_table_new(ctl_name_hash, g_str_equal);
	a->by_account = g_hash_table_new(ctl_name_hash, g_str_equal);
	return a;
}

void ctl_aliases_free(struct ctl_aliases *a)
{
	if (a == NULL)
		return;
	g_hash_table_unref(a->by_imsi);
	g_hash_table_unref(a->by_msisdn);
	g_hash_table_unref(a->by_account);
	g_free(a);
}

static void forget(GHashTable *table, const struct ctl_known *known, const char *name)
{
	if (name[0] != '\0' && g_hash_table_lookup(table, name) == known)
		g_hash_table_remove(table, name);
}

/* From now on the name is this subscriber's. `own` is its copy of it. */
static void learn(GHashTable *table, struct ctl_known *known, char *own, const char *name)
{
	if (name[0] == '\0')
		return;
	if (strcmp(own, name) != 0) {
		forget(table, known, own);
		memcpy(own, name, strlen(name) + 1);
	}
	g_hash_table_replace(table, own, known); // another one's copy goes as the key, too
}

/* Who it is, surest name first; NULL when nobody is known by it. */
static struct ctl_known *find(const struct ctl_aliases *a, const struct ctl_sig *sig)
{
	struct ctl_known *known;

	if (sig->imsi[0] != '\0') {
		known = g_hash_table_lookup(a->by_imsi, sig->imsi);
		if (known != NULL || sig->msisdn[0] == '\0')
			return known;
		known = g_hash_table_lookup(a->by_msisdn, sig->msisdn);
		return known != NULL && known->imsi[0] == '\0' ? known : NULL;
	}
	if (sig->msisdn[0] != '\0')
		return g_hash_table_lookup(a->by_msisdn, sig->msisdn);
	return sig->account[0] != '\0' ? g_hash_table_lookup(a->by_account, sig->account) : NULL;
}

struct ctl_known *ctl_aliases_get(struct ctl_aliases *a, const struct ctl_sig *sig)
{
	struct ctl_known *known = find(a, sig);

	if (sig->imsi[0] == '\0' && sig->msisdn[0] == '\0' && sig->account[0] == '\0')
		return NULL;
	if (known == NULL) {
		if (a->n == a->n_max)
			return NULL;
		known = g_malloc0(sizeof(*known) + strlen(sig->account) + 1);
		known->id = ++a->n_ids;
		a->n++;
		memcpy(known->account, sig->account, strlen(sig->account) + 1);
		if (known->account[0] != '\0')
			g_hash_table_replace(a->by_account, known->account, known);
	}
	learn(a->by_imsi, known, known->imsi, sig->imsi);
	learn(a->by_msisdn, known, known->msisdn, sig->msisdn);
	return ctl_known_ref(known);
}

struct ctl_known *ctl_known_ref(struct ctl_known *known)
{
	known->n_refs++;
	return known;
}

void ctl_aliases_put(struct ctl_aliases *a, struct ctl_known *known)
{
	if (known == NULL || --known->n_refs > 0)
		return;
	forget(a->by_imsi, known, known->imsi);
	forget(a->by_msisdn, known, known->msisdn);
	forget(a->by_account, known, known->account);
	a->n--;
	g_free(known);
}

size_t ctl_aliases_count(const struct ctl_aliases *a)
{
	return a->n;
}
