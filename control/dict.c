// SPDX-License-Identifier: BSD-3-Clause
#include "control/dict.h"

#include "classifier/catalogue.h"

#include "dataplane/record.h"

#include <errno.h>
#include <glib.h>

struct ctl_dict {
	GHashTable *ids; // name -> id
	GPtrArray *names; // [id - first], owned
	uint32_t first, last;
};

struct ctl_dict *ctl_dict_new(uint32_t first, uint32_t last)
{
	struct ctl_dict *dict = g_new0(struct ctl_dict, 1);

	dict->ids = g_hash_table_new(g_str_hash, g_str_equal);
	dict->names = g_ptr_array_new_with_free_func(g_free);
	dict->first = first;
	dict->last = last;
	return dict;
}

void ctl_dict_free(struct ctl_dict *dict)
{
	if (dict == NULL)
		return;
	g_hash_table_unref(dict->ids);
	g_ptr_array_unref(dict->names);
	g_free(dict);
}

bool ctl_dict_has(const struct ctl_dict *dict, const char *name)
{
	return g_hash_table_contains(dict->ids, name);
}

size_t ctl_dict_count(const struct ctl_dict *dict)
{
	return dict->names->len;
}

size_t ctl_dict_room(const struct ctl_dict *dict)
{
	return (size_t)dict->last - dict->first + 1 - dict->names->len;
}

bool ctl_dict_has_room(const struct ctl_dict *dict, size_t n)
{
	return n <= ctl_dict_room(dict);
}

int ctl_dict_id(struct ctl_dict *dict, const char *name, uint32_t *ret_id)
{
	void *known;
	char *copy;
	uint32_t id;

	if (g_hash_table_lookup_extended(dict->ids, name, NULL, &known)) {
		*ret_id = GPOINTER_TO_UINT(known);
		return 0;
	}
	if (!ctl_dict_has_room(dict, 1))
		return -ENOSPC;
	id = dict->first + dict->names->len;
	copy = g_strdup(name);
	g_ptr_array_add(dict->names, copy);
	g_hash_table_insert(dict->ids, copy, GUINT_TO_POINTER(id));
	*ret_id = id;
	return 0;
}

const char *ctl_dict_name(const struct ctl_dict *dict, uint32_t id)
{
	if (id < dict->first || id - dict->first >= dict->names->len)
		return NULL;
	return dict->names->pdata[id - dict->first];
}

uint32_t ctl_dict_end(const struct ctl_dict *dict)
{
	return dict->first + dict->names->len;
}

struct ctl_dict *ctl_dict_apps(void)
{
	static struct ctl_dict *apps;

	if (apps == NULL)
		apps = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	return apps;
}

struct ctl_dict *ctl_dict_tags(void)
{
	static struct ctl_dict *tags;

	if (tags == NULL)
		tags = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
	return tags;
}

const char *ctl_dict_app_name(const struct cls_catalogue *catalogue, uint32_t app)
{
	const char *name = ctl_dict_name(ctl_dict_apps(), app);

	return name != NULL ? name : cls_app_name(catalogue, app);
}
