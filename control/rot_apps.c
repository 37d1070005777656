// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_state.h"

#include <string.h>

enum {
	V4_NETWORK_BITS = 96 + 24,
	V6_NETWORK_BITS = 48, // what a site is given (RFC 6177)
	FADE = 8, // one part in so many a day
	LET_GO = 8, // likewise of apps, when there are too many
};

/* --- networks --------------------------------------------------------------------------------- */

struct dp_addr ctl_rot_network_of(const struct dp_addr *server)
{
	const unsigned int bits = dp_addr_is_v4(server) ? V4_NETWORK_BITS : V6_NETWORK_BITS;
	struct dp_addr network = *server;

	memset(&network.b[bits / 8], 0, sizeof(network.b) - bits / 8);
	return network;
}

void ctl_rot_net_free(void *data)
{
	struct rot_net *net = data;

	g_free(net->unknown);
	g_free(net);
}

struct rot_net *ctl_rot_net_get(struct ctl_rot *rot, const struct dp_addr *addr, uint64_t since)
{
	struct rot_net *net = g_hash_table_lookup(rot->nets, addr);

	if (net == NULL) {
		net = g_new0(struct rot_net, 1);
		net->addr = *addr;
		net->since = since;
		g_hash_table_insert(rot->nets, &net->addr, net);
	}
	net->n_users++;
	return net;
}

void ctl_rot_net_put(struct ctl_rot *rot, struct rot_net *net)
{
	if (--net->n_users > 0)
		return;
	rot->n_histories -= net->unknown != NULL;
	g_hash_table_remove(rot->nets, &net->addr);
}

static struct rot_used *least_used(struct rot_app *app)
{
	struct rot_used *least = &app->nets[0];

	for (int i = 1; i < app->n_nets; i++) {
		if (app->nets[i].bytes < least->bytes)
			least = &app->nets[i];
	}
	return least;
}

void ctl_rot_app_use(struct ctl_rot *rot, struct rot_app *app, const struct dp_addr *server,
	uint64_t hour, uint64_t bytes)
{
	const struct dp_addr addr = ctl_rot_network_of(server);
	const struct rot_net *known = g_hash_table_lookup(rot->nets, &addr);
	struct rot_used *used;

	for (int i = 0; known != NULL && i < app->n_nets; i++) {
		if (app->nets[i].net == known) {
			app->nets[i].bytes += bytes;
			return;
		}
	}
	if (app->n_nets < ROT_NETS_MAX) {
		used = &app->nets[app->n_nets++];
		*used = (struct rot_used){.bytes = bytes};
	} else {
		used = least_used(app);
		ctl_rot_net_put(rot, used->net);
		used->missed = used->bytes;
		used->bytes += bytes;
	}
	used->net = ctl_rot_net_get(rot, &addr, hour);
}

/* --- apps ------------------------------------------------------------------------------------- */

struct rot_app *ctl_rot_app_new(struct ctl_rot *rot, uint32_t id, uint64_t since)
{
	struct rot_app *app = g_new0(struct rot_app, 1);

	app->id = id;
	app->since = since;
	app->mark = cls_app_mark(rot->catalogue, id);
	g_hash_table_insert(rot->apps, GUINT_TO_POINTER(id), app);
	return app;
}

void ctl_rot_app_free(void *data)
{
	struct rot_app *app = data;

	ctl_distinct_clear(&app->endpoints);
	g_free(app);
}

void ctl_rot_app_remove(struct ctl_rot *rot, struct rot_app *app)
{
	if (app->suspect != NULL)
		ctl_rot_suspect_end(rot, app->suspect);
	for (int i = 0; i < app->n_nets; i++)
		ctl_rot_net_put(rot, app->nets[i].net);
	g_hash_table_remove(rot->apps, GUINT_TO_POINTER(app->id));
}

struct rot_app *ctl_rot_app_of(struct ctl_rot *rot, uint32_t id, uint64_t hour)
{
	struct rot_app *app = g_hash_table_lookup(rot->apps, GUINT_TO_POINTER(id));

	if (app != NULL || g_hash_table_size(rot->apps) >= ROT_APPS_MAX)
		return app;
	return ctl_rot_app_new(rot, id, hour);
}

static gint least_bytes_first(gconstpointer a, gconstpointer b)
{
	const struct rot_app *x = *(struct rot_app *const *)a, *y = *(struct rot_app *const *)b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

void ctl_rot_apps_shrink(struct ctl_rot *rot)
{
	GPtrArray *apps;
	gpointer app;
	GHashTableIter iter;

	if (g_hash_table_size(rot->apps) < ROT_APPS_MAX)
		return;
	apps = g_ptr_array_new();
	g_hash_table_iter_init(&iter, rot->apps);
	while (g_hash_table_iter_next(&iter, NULL, &app)) {
		if (((struct rot_app *)app)->finding == NULL)
			g_ptr_array_add(apps, app);
	}
	g_ptr_array_sort(apps, least_bytes_first);
	for (guint i = 0; i < apps->len / LET_GO; i++)
		ctl_rot_app_remove(rot, apps->pdata[i]);
	g_ptr_array_unref(apps);
}

/* What was long ago counts less. */
void ctl_rot_apps_fade(struct ctl_rot *rot, uint64_t day)
{
	GHashTableIter iter;
	gpointer data;

	g_hash_table_iter_init(&iter, rot->apps);
	while (g_hash_table_iter_next(&iter, NULL, &data)) {
		struct rot_app *app = data;

		app->n_endpoints[day % CTL_ROT_DAYS] = (uint32_t)ctl_distinct_count(
			&app->endpoints);
		ctl_distinct_clear(&app->endpoints);
		app->bytes -= app->bytes / FADE;
		for (int i = 0; i < app->n_nets; i++) {
			app->nets[i].bytes -= app->nets[i].bytes / FADE;
			app->nets[i].missed -= app->nets[i].missed / FADE;
		}
	}
}
