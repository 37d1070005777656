// SPDX-License-Identifier: BSD-3-Clause
#include "control/dict.h"

#include "classifier/catalogue.h"

#include "dataplane/record.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>

struct ctl_dict {
	pthread_mutex_t lock; // of what follows; a name stays where it is for ever
	GHashTable *ids; // name -> id
	GPtrArray *names; // [id - first], owned
	uint32_t first, last;
};

struct ctl_dict *ctl_dict_new(uint32_t first, uint32_t last)
{
	struct ctl_dict *dict = g_new0(struct ctl_dict, 1);

	(void)pthread_mutex_init(&dict->lock, NULL); // cannot fail with these arguments
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
	(void)pthread_mutex_destroy(&dict->lock);
	g_free(dict);
}

/* Who only asks takes the lock as well. */
static void lock(const struct ctl_dict *dict)
{
	(void)pthread_mutex_lock(&((struct ctl_dict *)(uintptr_t)dict)->lock);
}

static void unlock(const struct ctl_dict *dict)
{
	(void)pthread_mutex_unlock(&((struct ctl_dict *)(uintptr_t)dict)->lock);
}

bool ctl_dict_has(const struct ctl_dict *dict, const char *name)
{
	bool has;

	lock(dict);
	has = g_hash_table_contains(dict->ids, name);
	unlock(dict);
	return has;
}

size_t ctl_dict_count(const struct ctl_dict *dict)
{
	size_t n;

	lock(dict);
	n = dict->names->len;
	unlock(dict);
	return n;
}

static size_t room(const struct ctl_dict *dict)
{
	return (size_t)dict->last - dict->first + 1 - dict->names->len;
}

size_t ctl_dict_room(const struct ctl_dict *dict)
{
	size_t left;

	lock(dict);
	left = room(dict);
	unlock(dict);
	return left;
}

bool ctl_dict_has_room(const struct ctl_dict *dict, size_t n)
{
	return n <= ctl_dict_room(dict);
}

static int id_of(struct ctl_dict *dict, const char *name, uint32_t *ret_id)
{
	void *known;
	char *copy;
	uint32_t id;

	if (g_hash_table_lookup_extended(dict->ids, name, NULL, &known)) {
		*ret_id = GPOINTER_TO_UINT(known);
		return 0;
	}
	if (room(dict) == 0)
		return -ENOSPC;
	id = dict->first + dict->names->len;
	copy = g_strdup(name);
	g_ptr_array_add(dict->names, copy);
	g_hash_table_insert(dict->ids, copy, GUINT_TO_POINTER(id));
	*ret_id = id;
	return 0;
}

int ctl_dict_id(struct ctl_dict *dict, const char *name, uint32_t *ret_id)
{
	int r;

	lock(dict);
	r = id_of(dict, name, ret_id);
	unlock(dict);
	return r;
}

const char *ctl_dict_name(const struct ctl_dict *dict, uint32_t id)
{
	const char *name = NULL;

	lock(dict);
	if (id >= dict->first && id - dict->first < dict->names->len)
		name = dict->names->pdata[id - dict->first];
	unlock(dict);
	return name;
}

uint32_t ctl_dict_end(const struct ctl_dict *dict)
{
	uint32_t end;

	lock(dict);
	end = dict->first + dict->names->len;
	unlock(dict);
	return end;
}

/* Those of the process. */
static struct ctl_dict *apps, *tags;

static void make_dicts(void)
{
	apps = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	tags = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

struct ctl_dict *ctl_dict_apps(void)
{
	(void)pthread_once(&once, make_dicts); // cannot fail with these arguments
	return apps;
}

struct ctl_dict *ctl_dict_tags(void)
{
	(void)pthread_once(&once, make_dicts);
	return tags;
}

const char *ctl_dict_app_name(const struct cls_catalogue *catalogue, uint32_t app)
{
	const char *name = ctl_dict_name(ctl_dict_apps(), app);

	return name != NULL ? name : cls_app_name(catalogue, app);
}
