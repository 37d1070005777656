// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_state.h"

#include <string.h>

void ctl_rot_name_free(void *data)
{
	struct rot_name *name = data;

	g_free(name->domain);
	g_free(name);
}

void ctl_rot_names_add(struct ctl_rot *rot, const char *host, uint64_t hour, uint64_t bytes)
{
	struct rot_name *name;
	struct ctl_domain d;

	ctl_domain_read(rot->domains, host, &d);
	if (d.kind == CTL_DOMAIN_NONE)
		return;
	name = g_hash_table_lookup(rot->names, d.name + d.domain_off);
	if (name == NULL) {
		if (g_hash_table_size(rot->names) >= 2 * ROT_NAMES_MAX)
			return; // until the hour is over
		name = g_new0(struct rot_name, 1);
		name->domain = g_strdup(d.name + d.domain_off);
		g_hash_table_insert(rot->names, name->domain, name);
	}
	ctl_rot_series_add(&name->bytes, hour, bytes);
}

/* A name and how much it weighs, to sort by. */
struct weight {
	const struct rot_name *name;
	uint64_t bytes;
};

static gint most_first(gconstpointer a, gconstpointer b)
{
	const struct weight *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->name->domain, y->name->domain);
}

void ctl_rot_names_shrink(struct ctl_rot *rot)
{
	GHashTableIter iter;
	gpointer data;
	GArray *all;

	if (g_hash_table_size(rot->names) <= ROT_NAMES_MAX)
		return;
	all = g_array_new(FALSE, FALSE, sizeof(struct weight));
	g_hash_table_iter_init(&iter, rot->names);
	while (g_hash_table_iter_next(&iter, NULL, &data)) {
		const struct weight w = {data, ctl_rot_lately(&((struct rot_name *)data)->bytes)};

		g_array_append_val(all, w);
	}
	g_array_sort(all, most_first);
	for (guint i = ROT_NAMES_MAX; i < all->len; i++)
		g_hash_table_remove(rot->names, g_array_index(all, struct weight, i).name->domain);
	g_array_unref(all);
}
