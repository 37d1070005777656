// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_build.h"

#include <errno.h>

static void set_hosts(const struct ctl_app *app, struct ctl_dict *tag_ids, GArray *hosts)
{
	for (guint i = 0; i < app->host_defs->len; i++) {
		const struct ctl_app_host *host = &g_array_index(
			app->host_defs, struct ctl_app_host, i);
		struct cls_host_def def = {.host = host->host, .tag = DP_TAG_NONE};
		uint32_t tag;

		if (host->tag != NULL && ctl_dict_id(tag_ids, host->tag, &tag) == 0)
			def.tag = (uint16_t)tag;
		g_array_append_val(hosts, def);
	}
}

/* Hosts of all apps lie in one array: it must not grow after the first definition points into it. */
static GArray *hosts_new(const GPtrArray *apps)
{
	guint n = 0;

	for (guint i = 0; i < apps->len; i++)
		n += ((const struct ctl_app *)apps->pdata[i])->host_defs->len;
	return g_array_sized_new(FALSE, FALSE, sizeof(struct cls_host_def), n);
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

int ctl_apps_build(const struct ctl_yaml *doc, const GPtrArray *apps, struct ctl_dict *app_ids,
	struct ctl_dict *tag_ids, struct cls_catalogue **ret_catalogue)
{
	g_autoptr(GArray) hosts = hosts_new(apps);
	g_autofree struct cls_app_def *defs = g_new0(struct cls_app_def, apps->len);
	g_autofree const char **tags = NULL;
	struct dp_err err;
	size_t n_tags;
	int rc;

	for (guint i = 0; i < apps->len; i++) {
		const struct ctl_app *app = apps->pdata[i];
		const guint begin = hosts->len;

		defs[i] = (struct cls_app_def){.name = app->name,
			.category = app->category,
			.ndpi = (const char *const *)app->ndpi,
			.nets = (const struct dp_prefix *)app->net_defs->data,
			.n_nets = app->net_defs->len,
			.ports = (const struct cls_port_def *)app->port_defs->data,
			.n_ports = app->port_defs->len};
		set_hosts(app, tag_ids, hosts);
		defs[i].n_hosts = hosts->len - begin;
		if (defs[i].n_hosts > 0) // an array without elements has no memory either
			defs[i].hosts = &g_array_index(hosts, struct cls_host_def, begin);
		if (ctl_dict_id(app_ids, app->name, &defs[i].id) < 0)
			return -ENOSPC; // has_room was asked before
	}
	tags = tag_names(tag_ids, &n_tags);
	rc = cls_catalogue_new(defs, apps->len, tags, n_tags, ret_catalogue, &err);
	if (rc < 0)
		ctl_mistake(doc->mistakes, doc->file, 0, 0, "%s", err.text);
	return rc;
}
