// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot.h"

#include "classifier/ndpi.h"
#include "control/addr_hash.h"
#include "control/mix.h"
#include "control/order.h"
#include "control/rot_state.h"

#include <netinet/in.h>
#include <string.h>

enum { LOST_S = 180 }; // between two processes, that do not make an hour a bad one
static const uint64_t HOUR_NS = 3600ULL * 1000000000;
static const uint64_t S_NS = 1000000000;

/* --- flows ------------------------------------------------------------------------------------ */

static bool is_name(uint8_t evidence)
{
	return evidence >= DP_EVIDENCE_SNI && evidence <= DP_EVIDENCE_DNS;
}

static bool is_without_app(uint32_t app, uint8_t evidence)
{
	return app < DP_APP_FIRST || evidence == DP_EVIDENCE_ADDRESS ||
		evidence == DP_EVIDENCE_PORT;
}

/* Of all that tells two flows apart. */
static uint64_t turn_of(const struct rot_open *o)
{
	const uint64_t words[] = {dp_addr_half(&o->endpoint, 0), dp_addr_half(&o->endpoint, 1),
		dp_addr_half(&o->server, 0), dp_addr_half(&o->server, 1), o->bytes, o->first_ns,
		(uint64_t)o->app << 32 | (uint64_t)o->sport << 16 | o->port,
		(uint64_t)o->l4_proto << 8 | o->evidence};
	uint64_t h = o->hour;

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		h = ctl_mix(h ^ words[i]);
	return h;
}

void ctl_rot_note(struct ctl_rot *rot, const struct dp_record *note)
{
	const struct dp_note *n = &note->note;
	const bool is_src = n->server_is_src;
	struct rot_open o = {.tick = note->tick,
		.hour = n->last_ns / HOUR_NS,
		.endpoint = note->endpoint,
		.server = is_src ? n->src : n->dst,
		.bytes = n->bytes[0] + n->bytes[1],
		.first_ns = n->first_ns,
		.app = note->app,
		.sport = is_src ? n->dport : n->sport,
		.port = is_src ? n->sport : n->dport,
		.ndpi_master = n->ndpi_master,
		.ndpi_app = n->ndpi_app,
		.l4_proto = n->l4_proto,
		.evidence = note->evidence,
		.has_server = !note->is_ambiguous};

	if (n->why != DP_NOTE_END || !rot->options.enabled ||
		(note->tick + 1) * rot->tick_ns <= rot->restored_ns)
		return;
	if (o.has_server && is_without_app(o.app, o.evidence)) {
		const char *name = n->host[0] != '\0' ? n->host : n->alias;

		o.host = *name != '\0' ? g_strdup(name) : NULL;
	}
	g_array_append_val(rot->open, o);
}

static const char *l4_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "other";
}

static void tell_suspects(struct ctl_rot *rot, const struct rot_net *net, const struct rot_open *o)
{
	char proto[80];
	const bool is_weak = o->app >= DP_APP_FIRST;
	const struct ctl_unknown_fact fact = {.host = o->host != NULL ? o->host : "",
		.proto = cls_proto_name(o->ndpi_master, o->ndpi_app, proto, sizeof(proto)),
		.app = is_weak ? cls_app_name(rot->catalogue, o->app) : NULL,
		.l4 = l4_name(o->l4_proto),
		.endpoint = o->endpoint,
		.server = o->server,
		.has_server = true,
		.port = o->port,
		.bytes = o->bytes,
		.flows = 1};

	for (int i = 0; i < ROT_SUSPECTS_MAX; i++) {
		if ((net->suspects >> i & 1) != 0)
			ctl_unknown_add(rot->suspects[i].unknown, &fact);
	}
}

static void add_unknown(struct ctl_rot *rot, const struct rot_open *o, uint64_t hour)
{
	const struct dp_addr addr = ctl_rot_network_of(&o->server);
	struct rot_net *net = g_hash_table_lookup(rot->nets, &addr);

	if (net == NULL)
		return; // nobody's
	if (net->unknown == NULL && rot->n_histories < ROT_HISTORIES_MAX) {
		net->unknown = g_new0(struct ctl_rot_series, 1);
		rot->n_histories++;
	}
	if (net->unknown != NULL)
		ctl_rot_series_add(net->unknown, hour, o->bytes);
	if (o->host != NULL)
		ctl_rot_names_add(rot, o->host, hour, o->bytes);
	if (net->suspects != 0)
		tell_suspects(rot, net, o);
}

static void add_named(struct ctl_rot *rot, const struct rot_open *o, uint64_t hour)
{
	struct rot_app *app = ctl_rot_app_of(rot, o->app, hour);

	if (app == NULL)
		return;
	ctl_rot_series_add(&app->named, hour, o->bytes);
	ctl_distinct_add(&app->endpoints, &o->endpoint);
	app->bytes += o->bytes;
	ctl_rot_app_use(rot, app, &o->server, hour, o->bytes);
}

static void add(struct ctl_rot *rot, const struct rot_open *o)
{
	// What comes too late counts for the oldest hour that is open.
	const uint64_t hour = MAX(o->hour, rot->hour);

	ctl_rot_series_add(&rot->all, hour, o->bytes);
	if (!o->has_server)
		return;
	if (is_without_app(o->app, o->evidence))
		add_unknown(rot, o, hour);
	else if (is_name(o->evidence))
		add_named(rot, o, hour);
}

/* A radix sort has to have something to sort. Returns where they are. */
static const struct ctl_order *sort(struct ctl_order *turns, size_t n)
{
	enum { FEW = 32 };

	if (n > FEW)
		return ctl_order_sort(turns, turns + n, n, 1);
	for (size_t i = 1; i < n; i++) {
		const struct ctl_order turn = turns[i];
		size_t at = i;

		for (; at > 0 && turns[at - 1].words[0] > turn.words[0]; at--)
			turns[at] = turns[at - 1];
		turns[at] = turn;
	}
	return turns;
}

/* Flows of ticks before `tick`, in an order that does not depend on who told them first. */
static void add_all(struct ctl_rot *rot, uint64_t tick)
{
	struct rot_open *open = (struct rot_open *)(void *)rot->open->data;
	g_autofree struct ctl_order *turns = g_new(struct ctl_order, 2 * rot->open->len + 1);
	const struct ctl_order *sorted;
	size_t n = 0;
	guint kept = 0;

	for (guint i = 0; i < rot->open->len; i++) {
		if (open[i].tick < tick)
			turns[n++] = (struct ctl_order){.words = {turn_of(&open[i]), i}};
	}
	sorted = sort(turns, n);
	for (size_t i = 0; i < n; i++) {
		struct rot_open *o = &open[sorted[i].words[1]];

		add(rot, o);
		g_free(o->host);
	}
	for (guint i = 0; i < rot->open->len; i++) {
		if (open[i].tick >= tick)
			open[kept++] = open[i];
	}
	g_array_set_size(rot->open, kept);
}

/* --- hours ------------------------------------------------------------------------------------ */

static void close_hour(struct ctl_rot *rot, uint64_t end_ns)
{
	const uint64_t hour = rot->hour;
	const enum rot_hour is = ctl_rot_judge_hour(rot, hour);

	rot->hours[hour % CTL_ROT_HOURS] = (uint8_t)is;
	rot->hour++;
	if (is == ROT_HOUR_GOOD)
		ctl_rot_judge(rot, end_ns);
	if (rot->hour % CTL_ROT_DAY == 0)
		ctl_rot_apps_fade(rot, hour / CTL_ROT_DAY);
	ctl_rot_names_shrink(rot);
	ctl_rot_apps_shrink(rot);
}

void ctl_rot_tick(struct ctl_rot *rot, uint64_t end_ns)
{
	const uint64_t begin_hour = (end_ns - MIN(end_ns, rot->tick_ns)) / HOUR_NS;
	const uint64_t late_ns = ROT_LATE_S * S_NS;

	if (!rot->options.enabled)
		return;
	if (end_ns <= rot->restored_ns) {
		rot->is_behind = true;
		return;
	}
	if (rot->end_ns == rot->restored_ns && !rot->is_behind)
		rot->broken = rot->end_ns + LOST_S * S_NS < end_ns ? begin_hour : 0;
	rot->end_ns = end_ns;
	if (rot->hour == 0)
		rot->first = rot->hour = begin_hour;
	add_all(rot, rot->open->len > ROT_OPEN_MAX ? UINT64_MAX : end_ns / rot->tick_ns);
	if (begin_hour > rot->hour + CTL_ROT_HOURS) { // nothing is left of what was
		memset(rot->hours, ROT_HOUR_NONE, sizeof(rot->hours));
		rot->first = rot->hour = begin_hour;
	}
	while (end_ns >= late_ns && (rot->hour + 1) * HOUR_NS <= end_ns - late_ns)
		close_hour(rot, end_ns);
}

/* --- life ------------------------------------------------------------------------------------- */

struct ctl_rot *ctl_rot_new(const struct ctl_rot_options *options, uint64_t tick_ns,
	struct ctl_domains *domains, const struct ctl_gaps *gaps, ctl_rot_said_fn *said, void *ctx)
{
	struct ctl_rot *rot = g_new0(struct ctl_rot, 1);

	rot->options = *options;
	rot->tick_ns = tick_ns;
	rot->domains = domains;
	rot->gaps = gaps;
	rot->said = said;
	rot->ctx = ctx;
	rot->open = g_array_new(FALSE, FALSE, sizeof(struct rot_open));
	rot->apps = g_hash_table_new_full(NULL, NULL, NULL, ctl_rot_app_free);
	rot->nets = g_hash_table_new_full(ctl_addr_hash, ctl_addr_equal, NULL, ctl_rot_net_free);
	rot->names = g_hash_table_new_full(ctl_name_hash, g_str_equal, NULL, ctl_rot_name_free);
	rot->findings = g_ptr_array_new_with_free_func(ctl_rot_finding_free);
	return rot;
}

void ctl_rot_free(struct ctl_rot *rot)
{
	if (rot == NULL)
		return;
	for (guint i = 0; i < rot->open->len; i++)
		g_free(g_array_index(rot->open, struct rot_open, i).host);
	g_array_unref(rot->open);
	for (int i = 0; i < ROT_SUSPECTS_MAX; i++)
		ctl_unknown_free(rot->suspects[i].unknown);
	g_ptr_array_unref(rot->findings);
	g_hash_table_destroy(rot->names);
	g_hash_table_destroy(rot->apps);
	g_hash_table_destroy(rot->nets);
	ctl_domains_close(rot->domains);
	g_free(rot);
}

void ctl_rot_set_options(struct ctl_rot *rot, const struct ctl_rot_options *options)
{
	rot->options = *options;
}

/* Findings that the catalogue in force settles. */
static void settle(struct ctl_rot *rot)
{
	for (guint i = 0; i < rot->findings->len; i++) {
		struct rot_finding *f = rot->findings->pdata[i];

		if (f->over == CTL_ROT_CURRENT && ctl_rot_finding_is_known(rot, f))
			ctl_rot_finding_over(rot, f, rot->end_ns, CTL_ROT_KNOWN);
	}
}

void ctl_rot_catalogue(struct ctl_rot *rot, const struct cls_catalogue *catalogue)
{
	g_autoptr(GPtrArray) changed = g_ptr_array_new();
	GHashTableIter iter;
	gpointer data;

	rot->catalogue = catalogue;
	settle(rot);
	g_hash_table_iter_init(&iter, rot->apps);
	while (g_hash_table_iter_next(&iter, NULL, &data)) {
		if (cls_app_mark(catalogue, ((struct rot_app *)data)->id) !=
			((struct rot_app *)data)->mark)
			g_ptr_array_add(changed, data);
	}
	for (guint i = 0; i < changed->len; i++) {
		struct rot_app *app = changed->pdata[i];

		if (app->finding != NULL)
			ctl_rot_finding_over(rot, app->finding, rot->end_ns, CTL_ROT_CHANGED);
		ctl_rot_app_remove(rot, app);
	}
}

uint64_t ctl_rot_hours(const struct ctl_rot *rot)
{
	return rot->hour;
}

struct ctl_rot_status ctl_rot_status(const struct ctl_rot *rot)
{
	const uint64_t oldest = MAX(
		rot->first, rot->hour > CTL_ROT_HOURS ? rot->hour - CTL_ROT_HOURS : 0);

	return (struct ctl_rot_status){
		.is_learning = rot->hour - rot->first < (CTL_ROT_DAYS_MIN + 1) * CTL_ROT_DAY,
		.since_ns = oldest * HOUR_NS,
		.n_apps = g_hash_table_size(rot->apps),
		.n_networks = g_hash_table_size(rot->nets)};
}

size_t ctl_rot_n_current(const struct ctl_rot *rot)
{
	size_t n = 0;

	for (guint i = 0; i < rot->findings->len; i++)
		n += ((const struct rot_finding *)rot->findings->pdata[i])->over == CTL_ROT_CURRENT;
	return n;
}
