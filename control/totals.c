// SPDX-License-Identifier: BSD-3-Clause
#include "control/totals.h"

#include "control/dict.h"

#include <glib.h>

struct sum {
	uint32_t app;
	int64_t bytes[2],
		packets; // [0] up, [1] down; a move takes from undecided what was counted there
	uint64_t flows;
};

struct ctl_totals {
	GHashTable *by_app; // app -> struct sum, owned
};

struct ctl_totals *ctl_totals_new(void)
{
	struct ctl_totals *t = g_new0(struct ctl_totals, 1);

	t->by_app = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return t;
}

void ctl_totals_free(struct ctl_totals *t)
{
	if (t == NULL)
		return;
	g_hash_table_destroy(t->by_app);
	g_free(t);
}

static struct sum *sum_of(struct ctl_totals *t, uint32_t app)
{
	struct sum *s = g_hash_table_lookup(t->by_app, GUINT_TO_POINTER(app));

	if (s == NULL) {
		s = g_new0(struct sum, 1);
		s->app = app;
		g_hash_table_insert(t->by_app, GUINT_TO_POINTER(app), s);
	}
	return s;
}

void ctl_totals_add(struct ctl_totals *t, const struct dp_record *records, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct dp_usage *u = &records[i].usage;
		const int64_t packets = (int64_t)(u->packets[0] + u->packets[1]);
		struct sum *s;

		if (records[i].kind != DP_RECORD_USAGE && records[i].kind != DP_RECORD_MOVE)
			continue;
		s = sum_of(t, records[i].app);
		s->bytes[0] += (int64_t)u->bytes[0];
		s->bytes[1] += (int64_t)u->bytes[1];
		s->packets += packets;
		s->flows += u->n_new_flows;
		if (records[i].kind != DP_RECORD_MOVE)
			continue;
		s = sum_of(t, DP_APP_UNDECIDED);
		s->bytes[0] -= (int64_t)u->bytes[0];
		s->bytes[1] -= (int64_t)u->bytes[1];
		s->packets -= packets;
	}
}

static int64_t bytes_of(const struct sum *s)
{
	return s->bytes[0] + s->bytes[1];
}

static gint most_bytes_first(gconstpointer a, gconstpointer b)
{
	const struct sum *x = a;
	const struct sum *y = b;

	if (bytes_of(x) != bytes_of(y))
		return bytes_of(x) > bytes_of(y) ? -1 : 1;
	return x->app < y->app ? -1 : x->app > y->app;
}

/* NULL: what has no app has none. */
static const char *category_of(const struct cls_catalogue *catalogue, uint32_t app)
{
	const char *category = cls_app_category(catalogue, app);

	return *category != '\0' ? category : NULL;
}

json_t *ctl_totals_json(const struct ctl_totals *t, const struct cls_catalogue *catalogue)
{
	GList *sums = g_list_sort(g_hash_table_get_values(t->by_app), most_bytes_first);
	json_t *apps = json_array();

	for (GList *l = sums; l != NULL; l = l->next) {
		const struct sum *s = l->data;

		if (s->packets == 0 && s->flows == 0)
			continue;
		(void)json_array_append_new(apps,
			json_pack("{s:s, s:s?, s:I, s:I, s:I, s:I, s:I}", "app",
				ctl_dict_app_name(catalogue, s->app), "category",
				category_of(catalogue, s->app), "bytes", (json_int_t)bytes_of(s),
				"packets", (json_int_t)s->packets, "flows", (json_int_t)s->flows,
				"up_bytes", (json_int_t)s->bytes[0], "down_bytes",
				(json_int_t)s->bytes[1]));
	}
	g_list_free(sums);
	return apps;
}
