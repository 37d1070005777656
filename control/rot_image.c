// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_image.h"

#include "control/rot_state.h"

#include <errno.h>
#include <string.h>

enum {
	VERSION = 1,
	KEPT = 256, // networks and names with hours
	KEPT_HOURS = CTL_ROT_DAY * (CTL_ROT_WEEK + 2), // the last day, and the week before it
	TEXT_MAX = 256,
	HOUR_MAX = 1 << 21, // the year 2209, as nanoseconds an int64_t
};
static const uint64_t HOURLY_MAX = 1ULL << 50; // bytes: sums of what is read stay numbers
static const uint64_t BYTES_MAX = 1ULL << 56; // of all else
static const uint64_t HOUR_NS = 3600ULL * 1000000000;

/* --- hours ------------------------------------------------------------------------------------ */

/* Up to `newest`, oldest first, without the zeros in front. */
static void pack_series(struct ctl_pack *out, const struct ctl_rot_series *s)
{
	uint64_t n = MIN(KEPT_HOURS, s->newest);

	while (n > 0 && ctl_rot_series_at(s, s->newest - n + 1) == 0)
		n--;
	ctl_pack_u64(out, s->newest);
	ctl_pack_u64(out, n);
	for (; n > 0; n--)
		ctl_pack_u64(out, MIN(ctl_rot_series_at(s, s->newest - n + 1), HOURLY_MAX));
}

static void unpack_series(struct ctl_unpack *in, struct ctl_rot_series *ret)
{
	const uint64_t newest = ctl_unpack_max(in, HOUR_MAX);

	for (uint64_t n = ctl_unpack_max(in, MIN(CTL_ROT_HOURS, newest)); n > 0 && !in->is_bad; n--)
		ctl_rot_series_add(ret, newest - n + 1, ctl_unpack_max(in, HOURLY_MAX));
}

/* --- networks and names with most bytes -------------------------------------------------------- */

struct kept {
	const void *key; // address or domain
	const struct ctl_rot_series *bytes;
	uint64_t sum;
};

static gint most_first(gconstpointer a, gconstpointer b)
{
	const struct kept *x = a, *y = b;

	return x->sum != y->sum ? (x->sum < y->sum ? 1 : -1) : 0;
}

static void keep(GArray *all, const void *key, const struct ctl_rot_series *bytes)
{
	const struct kept kept = {key, bytes, ctl_rot_lately(bytes)};

	g_array_append_val(all, kept);
}

static void cut(GArray *all)
{
	g_array_sort(all, most_first);
	g_array_set_size(all, MIN(all->len, KEPT));
}

static void pack_addr(struct ctl_pack *out, const struct dp_addr *addr)
{
	ctl_pack_bytes(out, addr->b, sizeof(addr->b));
}

static struct dp_addr unpack_addr(struct ctl_unpack *in)
{
	struct dp_addr addr = {0};
	size_t len;
	const uint8_t *bytes = ctl_unpack_bytes(in, &len);

	if (in->is_bad || len != sizeof(addr.b))
		in->is_bad = true;
	else
		memcpy(addr.b, bytes, sizeof(addr.b));
	return addr;
}

static void pack_histories(const struct ctl_rot *rot, struct ctl_pack *out)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct kept));
	GHashTableIter iter;
	gpointer data;

	g_hash_table_iter_init(&iter, rot->nets);
	while (g_hash_table_iter_next(&iter, NULL, &data)) {
		const struct rot_net *net = data;

		if (net->unknown != NULL)
			keep(all, &net->addr, net->unknown);
	}
	cut(all);
	ctl_pack_u64(out, all->len);
	for (guint i = 0; i < all->len; i++) {
		pack_addr(out, g_array_index(all, struct kept, i).key);
		pack_series(out, g_array_index(all, struct kept, i).bytes);
	}
}

/* Of networks that no app uses any more, because the app is not what it was, they are dropped. */
static void unpack_histories(struct ctl_rot *rot, struct ctl_unpack *in)
{
	for (uint64_t n = ctl_unpack_max(in, KEPT); n > 0 && !in->is_bad; n--) {
		const struct dp_addr addr = unpack_addr(in);
		struct rot_net *net = g_hash_table_lookup(rot->nets, &addr);
		struct ctl_rot_series *series = g_new0(struct ctl_rot_series, 1);

		unpack_series(in, series);
		if (net == NULL || net->unknown != NULL) {
			g_free(series);
			continue;
		}
		net->unknown = series;
		rot->n_histories++;
	}
}

static void pack_names(const struct ctl_rot *rot, struct ctl_pack *out)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct kept));
	GHashTableIter iter;
	gpointer data;

	g_hash_table_iter_init(&iter, rot->names);
	while (g_hash_table_iter_next(&iter, NULL, &data))
		keep(all, ((const struct rot_name *)data)->domain,
			&((const struct rot_name *)data)->bytes);
	cut(all);
	ctl_pack_u64(out, all->len);
	for (guint i = 0; i < all->len; i++) {
		ctl_pack_text(out, g_array_index(all, struct kept, i).key);
		pack_series(out, g_array_index(all, struct kept, i).bytes);
	}
}

static void unpack_names(struct ctl_rot *rot, struct ctl_unpack *in)
{
	for (uint64_t n = ctl_unpack_max(in, KEPT); n > 0 && !in->is_bad; n--) {
		struct rot_name *name = g_new0(struct rot_name, 1);

		name->domain = ctl_unpack_text(in, TEXT_MAX);
		unpack_series(in, &name->bytes);
		if (name->domain == NULL || g_hash_table_contains(rot->names, name->domain))
			ctl_rot_name_free(name);
		else
			g_hash_table_insert(rot->names, name->domain, name);
	}
}

/* --- apps ------------------------------------------------------------------------------------- */

/* Those with less than half of what is asked of a network (control/rot_judge.c) are met again. */
static bool is_worth_it(const struct rot_app *app, const struct rot_used *used)
{
	enum { PART = 200 };

	return used->bytes - used->missed >= app->bytes / PART;
}

static void pack_app(struct ctl_pack *out, const struct rot_app *app)
{
	uint64_t n = 0;

	ctl_pack_u64(out, app->id);
	ctl_pack_bytes(out, &app->mark, sizeof(app->mark)); // a hash, so no small number
	ctl_pack_u64(out, app->since);
	ctl_pack_u64(out, MIN(app->bytes, BYTES_MAX));
	for (int i = 0; i < CTL_ROT_DAYS; i++)
		ctl_pack_u64(out, app->n_endpoints[i]);
	pack_series(out, &app->named);
	for (int i = 0; i < app->n_nets; i++)
		n += is_worth_it(app, &app->nets[i]);
	ctl_pack_u64(out, n);
	for (int i = 0; i < app->n_nets; i++) {
		if (!is_worth_it(app, &app->nets[i]))
			continue;
		pack_addr(out, &app->nets[i].net->addr);
		ctl_pack_u64(out, app->nets[i].net->since);
		ctl_pack_u64(out, MIN(app->nets[i].bytes, BYTES_MAX));
		ctl_pack_u64(out, MIN(app->nets[i].missed, BYTES_MAX));
	}
}

static uint64_t unpack_mark(struct ctl_unpack *in)
{
	uint64_t mark = 0;
	size_t len;
	const uint8_t *bytes = ctl_unpack_bytes(in, &len);

	if (in->is_bad || len != sizeof(mark))
		in->is_bad = true;
	else
		memcpy(&mark, bytes, sizeof(mark));
	return mark;
}

static void unpack_net(struct ctl_rot *rot, struct rot_app *app, struct ctl_unpack *in)
{
	const struct dp_addr addr = unpack_addr(in);
	struct rot_used used = {.net = ctl_rot_net_get(rot, &addr, ctl_unpack_max(in, HOUR_MAX))};

	used.bytes = ctl_unpack_max(in, BYTES_MAX);
	used.missed = ctl_unpack_max(in, used.bytes);
	app->nets[app->n_nets++] = used;
}

static void unpack_app(struct ctl_rot *rot, struct ctl_unpack *in)
{
	const uint32_t id = (uint32_t)ctl_unpack_max(in, UINT32_MAX);
	const uint64_t mark = unpack_mark(in);
	struct rot_app *app;

	if (id < DP_APP_FIRST || g_hash_table_contains(rot->apps, GUINT_TO_POINTER(id)))
		in->is_bad = true;
	if (in->is_bad)
		return;
	app = ctl_rot_app_new(rot, id, ctl_unpack_max(in, HOUR_MAX));
	app->bytes = ctl_unpack_max(in, BYTES_MAX);
	for (int i = 0; i < CTL_ROT_DAYS; i++)
		app->n_endpoints[i] = (uint32_t)ctl_unpack_max(in, UINT32_MAX);
	unpack_series(in, &app->named);
	for (uint64_t n = ctl_unpack_max(in, ROT_NETS_MAX); n > 0 && !in->is_bad; n--)
		unpack_net(rot, app, in);
	if (mark != app->mark)
		ctl_rot_app_remove(rot, app);
}

static void pack_apps(const struct ctl_rot *rot, struct ctl_pack *out)
{
	GHashTableIter iter;
	gpointer app;

	ctl_pack_u64(out, g_hash_table_size(rot->apps));
	g_hash_table_iter_init(&iter, rot->apps);
	while (g_hash_table_iter_next(&iter, NULL, &app))
		pack_app(out, app);
}

/* --- findings --------------------------------------------------------------------------------- */

static void pack_row(struct ctl_pack *out, const struct ctl_unknown_row *row)
{
	int n = 0;

	ctl_pack_u64(out, row->kind);
	ctl_pack_u64(out, row->bytes);
	ctl_pack_u64(out, row->flows);
	ctl_pack_u64(out, row->subscribers);
	ctl_pack_u64(out, row->port);
	ctl_pack_u64(out, row->is_shared);
	ctl_pack_text(out, row->what);
	ctl_pack_text(out, row->domain != NULL ? row->domain : "");
	ctl_pack_text(out, row->l4 != NULL ? row->l4 : "");
	ctl_pack_text(out, row->proto);
	while (n < CTL_UNKNOWN_EXAMPLES && row->examples[n] != NULL)
		n++;
	ctl_pack_u64(out, (uint64_t)n);
	for (int i = 0; i < n; i++)
		ctl_pack_text(out, row->examples[i]);
}

/* What a host's row cannot do without is a domain, and what a server's cannot is a protocol. */
static void unpack_row(struct rot_finding *f, struct ctl_unpack *in)
{
	struct ctl_unknown_row *row = g_new0(struct ctl_unknown_row, 1);

	g_ptr_array_add(f->rows, row);
	row->kind = (uint8_t)ctl_unpack_max(in, CTL_UNKNOWN_SERVER);
	row->bytes = ctl_unpack_max(in, BYTES_MAX);
	row->flows = ctl_unpack_max(in, BYTES_MAX);
	row->subscribers = ctl_unpack_max(in, BYTES_MAX);
	row->port = (uint16_t)ctl_unpack_max(in, UINT16_MAX);
	row->is_shared = ctl_unpack_bool(in);
	row->what = ctl_unpack_text(in, TEXT_MAX);
	row->domain = ctl_unpack_text(in, TEXT_MAX);
	row->l4 = ctl_unpack_text(in, TEXT_MAX);
	row->proto = ctl_unpack_text(in, TEXT_MAX);
	for (uint64_t i = 0, n = ctl_unpack_max(in, CTL_UNKNOWN_EXAMPLES); i < n && !in->is_bad;
		i++)
		row->examples[i] = ctl_unpack_text(in, TEXT_MAX);
	// A host's name ends in its domain.
	if (!in->is_bad && row->kind == CTL_UNKNOWN_HOST)
		in->is_bad = row->domain[0] == '\0' || !g_str_has_suffix(row->what, row->domain);
	if (row->kind != CTL_UNKNOWN_HOST)
		g_clear_pointer(&row->domain, g_free);
}

static void pack_finding(struct ctl_pack *out, const struct rot_finding *f)
{
	ctl_pack_u64(out, f->app_id);
	ctl_pack_text(out, f->app);
	ctl_pack_text(out, f->category);
	ctl_pack_u64(out, f->since);
	ctl_pack_u64(out, f->said_ns);
	ctl_pack_u64(out, f->over_ns);
	ctl_pack_u64(out, f->over);
	ctl_pack_u64(out, f->before_bytes);
	ctl_pack_u64(out, f->now_bytes);
	ctl_pack_u64(out, f->unknown_bytes);
	ctl_pack_u64(out, f->has_names);
	ctl_pack_u64(out, f->rows->len);
	for (guint i = 0; i < f->rows->len; i++)
		pack_row(out, f->rows->pdata[i]);
	ctl_pack_u64(out, f->networks->len - 1);
	for (guint i = 0; i + 1 < f->networks->len; i++)
		ctl_pack_text(out, f->networks->pdata[i]);
}

static void unpack_finding(struct ctl_rot *rot, struct ctl_unpack *in)
{
	struct rot_finding *f = ctl_rot_finding_new(
		rot, &(struct rot_app){.id = (uint32_t)ctl_unpack_max(in, UINT32_MAX)});

	g_ptr_array_add(rot->findings, f);
	g_free(f->app);
	g_free(f->category);
	f->app = ctl_unpack_text(in, TEXT_MAX);
	f->category = ctl_unpack_text(in, TEXT_MAX);
	f->since = ctl_unpack_max(in, HOUR_MAX);
	f->said_ns = ctl_unpack_max(in, HOUR_MAX * HOUR_NS);
	f->over_ns = ctl_unpack_max(in, HOUR_MAX * HOUR_NS);
	f->over = (uint8_t)ctl_unpack_max(in, CTL_ROT_CHANGED);
	f->before_bytes = ctl_unpack_max(in, INT64_MAX);
	f->now_bytes = ctl_unpack_max(in, INT64_MAX);
	f->unknown_bytes = ctl_unpack_max(in, INT64_MAX);
	f->has_names = ctl_unpack_bool(in);
	for (uint64_t n = ctl_unpack_max(in, ROT_FINDING_ROWS); n > 0 && !in->is_bad; n--)
		unpack_row(f, in);
	g_ptr_array_set_size(f->networks, 0);
	for (uint64_t n = ctl_unpack_max(in, ROT_FINDING_NETS); n > 0 && !in->is_bad; n--)
		g_ptr_array_add(f->networks, ctl_unpack_text(in, TEXT_MAX));
	g_ptr_array_add(f->networks, NULL);
}

/* Those that are current belong to an app, unless it is not any more what it was. */
static void settle_findings(struct ctl_rot *rot)
{
	for (guint i = 0; i < rot->findings->len; i++) {
		struct rot_finding *f = rot->findings->pdata[i];
		struct rot_app *app = g_hash_table_lookup(rot->apps, GUINT_TO_POINTER(f->app_id));

		if (f->over != CTL_ROT_CURRENT)
			continue;
		if (app != NULL && app->finding == NULL)
			app->finding = f;
		else
			ctl_rot_finding_over(rot, f, rot->end_ns, CTL_ROT_CHANGED);
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

void ctl_rot_pack(const struct ctl_rot *rot, struct ctl_pack *out)
{
	ctl_pack_u64(out, VERSION);
	ctl_pack_u64(out, rot->end_ns);
	ctl_pack_u64(out, rot->hour);
	ctl_pack_u64(out, rot->first);
	ctl_pack_bytes(out, rot->hours, sizeof(rot->hours));
	pack_series(out, &rot->all);
	pack_apps(rot, out);
	pack_histories(rot, out);
	pack_names(rot, out);
	ctl_pack_u64(out, rot->findings->len);
	for (guint i = 0; i < rot->findings->len; i++)
		pack_finding(out, rot->findings->pdata[i]);
}

static void unpack_hours(struct ctl_rot *rot, struct ctl_unpack *in)
{
	size_t len;
	const uint8_t *hours = ctl_unpack_bytes(in, &len);

	if (in->is_bad || len != sizeof(rot->hours)) {
		in->is_bad = true;
		return;
	}
	for (size_t i = 0; i < len; i++)
		rot->hours[i] = MIN(hours[i], ROT_HOUR_GOOD);
}

static void clear(struct ctl_rot *rot)
{
	GHashTableIter iter;
	gpointer app;

	g_hash_table_iter_init(&iter, rot->apps);
	while (g_hash_table_iter_next(&iter, NULL, &app))
		((struct rot_app *)app)->n_nets = 0; // these go as a whole
	g_hash_table_remove_all(rot->apps);
	g_hash_table_remove_all(rot->nets);
	g_hash_table_remove_all(rot->names);
	g_ptr_array_set_size(rot->findings, 0);
	rot->n_histories = 0;
	rot->all = (struct ctl_rot_series){0};
	memset(rot->hours, 0, sizeof(rot->hours));
	rot->end_ns = rot->hour = rot->first = 0;
}

static void unpack_all(struct ctl_rot *rot, struct ctl_unpack *in)
{
	in->is_bad |= ctl_unpack_u64(in) != VERSION;
	rot->end_ns = ctl_unpack_max(in, HOUR_MAX * HOUR_NS);
	rot->hour = ctl_unpack_max(in, rot->end_ns / HOUR_NS);
	rot->first = ctl_unpack_max(in, rot->hour);
	unpack_hours(rot, in);
	unpack_series(in, &rot->all);
	for (uint64_t n = ctl_unpack_max(in, ROT_APPS_MAX); n > 0 && !in->is_bad; n--)
		unpack_app(rot, in);
	unpack_histories(rot, in);
	unpack_names(rot, in);
	for (uint64_t n = ctl_unpack_max(in, ROT_FINDINGS_MAX); n > 0 && !in->is_bad; n--)
		unpack_finding(rot, in);
}

int ctl_rot_unpack(struct ctl_rot *rot, const void *data, size_t len)
{
	struct ctl_unpack in = ctl_unpack_of(data, len);

	unpack_all(rot, &in);
	if (in.is_bad || ctl_unpack_has_more(&in)) {
		clear(rot);
		return -EBADMSG;
	}
	rot->restored_ns = rot->end_ns;
	settle_findings(rot);
	return 0;
}
