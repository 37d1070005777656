// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_build.h"

#include <errno.h>

static void app_clear(void *data)
{
	ctl_options_fini(ctl_app_options, data);
}

struct ctl_apps_raw *ctl_apps_raw_new(struct ctl_mistakes *mistakes)
{
	struct ctl_apps_raw *raw = g_new0(struct ctl_apps_raw, 1);

	raw->apps = g_array_new(FALSE, FALSE, sizeof(struct ctl_app));
	g_array_set_clear_func(raw->apps, app_clear);
	raw->ndpi = g_ptr_array_new();
	raw->hosts = ctl_hosts_new(mistakes);
	raw->nets = g_array_new(FALSE, FALSE, sizeof(struct dp_prefix));
	raw->ports = g_array_new(FALSE, FALSE, sizeof(struct cls_port_def));
	raw->texts = g_ptr_array_new_with_free_func(g_free);
	return raw;
}

void ctl_apps_raw_free(struct ctl_apps_raw *raw)
{
	if (raw == NULL)
		return;
	g_array_unref(raw->apps);
	g_ptr_array_unref(raw->ndpi);
	ctl_hosts_free(raw->hosts);
	g_array_unref(raw->nets);
	g_array_unref(raw->ports);
	g_ptr_array_unref(raw->texts);
	g_free(raw);
}

static const struct ctl_app *app_at(const struct ctl_apps_raw *raw, guint i)
{
	return &g_array_index(raw->apps, struct ctl_app, i);
}

static void check_room(
	const struct ctl_yaml *doc, const struct ctl_dict *ids, size_t n_new, const char *what)
{
	if (!ctl_dict_has_room(ids, n_new))
		ctl_mistake(doc->mistakes, doc->file, 0, 0,
			"%zu new names of %s, expected at most %zu: %zu are taken, and a name keeps its "
			"number as long as the store lives",
			n_new, what, ctl_dict_room(ids), ctl_dict_count(ids));
}

void ctl_apps_check_room(const struct ctl_yaml *doc, const struct ctl_apps_raw *raw,
	const struct ctl_dict *app_ids, const struct ctl_dict *tag_ids)
{
	size_t n_apps = 0, n_tags = 0;

	for (guint i = 0; i < raw->apps->len; i++)
		n_apps += !ctl_dict_has(app_ids, app_at(raw, i)->name);
	for (guint i = 0; i < raw->hosts->tags->len; i++)
		n_tags += !ctl_dict_has(tag_ids, raw->hosts->tags->pdata[i]);
	check_room(doc, app_ids, n_apps, "apps");
	check_room(doc, tag_ids, n_tags, "tags");
}

/* From numbers of the file to those of the process. */
static int number_tags(struct ctl_hosts *hosts, struct ctl_dict *tag_ids)
{
	g_autofree uint16_t *ids = g_new0(uint16_t, hosts->tags->len + 1);

	ids[0] = DP_TAG_NONE;
	for (guint i = 0; i < hosts->tags->len; i++) {
		uint32_t id;

		if (ctl_dict_id(tag_ids, hosts->tags->pdata[i], &id) < 0)
			return -ENOSPC;
		ids[i + 1] = (uint16_t)id;
	}
	for (guint i = 0; i < hosts->defs->len; i++) {
		struct cls_host_def *def = &g_array_index(hosts->defs, struct cls_host_def, i);

		def->tag = ids[def->tag];
	}
	return 0;
}

static const char **tag_names(const struct ctl_dict *tag_ids, size_t *ret_n)
{
	const uint32_t end = ctl_dict_end(tag_ids);
	const char **names = g_new0(const char *, end);

	names[DP_TAG_NONE] = "";
	for (uint32_t id = DP_TAG_NONE + 1; id < end; id++)
		names[id] = ctl_dict_name(tag_ids, id);
	*ret_n = end;
	return names;
}

/* An array that got no element has no memory either. */
#define ELEMENTS(array, type, begin, n) ((n) > 0 ? &g_array_index(array, type, begin) : NULL)

static struct cls_app_def app_def(const struct ctl_apps_raw *raw, const struct ctl_app *app)
{
	return (struct cls_app_def){
		.name = app->name,
		.category = app->category,
		.ndpi = (const char *const *)raw->ndpi->pdata + app->ndpi_begin,
		.hosts = ELEMENTS(
			raw->hosts->defs, struct cls_host_def, app->host_begin, app->n_hosts),
		.n_hosts = app->n_hosts,
		.nets = ELEMENTS(raw->nets, struct dp_prefix, app->net_begin, app->n_nets),
		.n_nets = app->n_nets,
		.ports = ELEMENTS(raw->ports, struct cls_port_def, app->port_begin, app->n_ports),
		.n_ports = app->n_ports,
	};
}

int ctl_apps_build(const struct ctl_yaml *doc, struct ctl_apps_raw *raw, struct ctl_dict *app_ids,
	struct ctl_dict *tag_ids, struct cls_catalogue **ret_catalogue)
{
	g_autofree struct cls_app_def *defs = g_new0(struct cls_app_def, raw->apps->len);
	g_autofree const char **tags = NULL;
	struct dp_err err;
	size_t n_tags;
	int rc;

	ctl_hosts_settle(raw->hosts);
	for (guint i = 0; i < raw->apps->len; i++) {
		defs[i] = app_def(raw, app_at(raw, i));
		if (ctl_dict_id(app_ids, defs[i].name, &defs[i].id) < 0)
			return -ENOSPC; // the room was checked before
	}
	if (number_tags(raw->hosts, tag_ids) < 0)
		return -ENOSPC; // likewise
	tags = tag_names(tag_ids, &n_tags);
	rc = cls_catalogue_new(defs, raw->apps->len, tags, n_tags, ret_catalogue, &err);
	if (rc < 0)
		ctl_mistake(doc->mistakes, doc->file, 0, 0, "%s", err.text);
	return rc;
}
