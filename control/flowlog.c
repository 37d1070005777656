// SPDX-License-Identifier: BSD-3-Clause
#include "control/flowlog.h"

#include "classifier/ndpi.h"
#include "control/evidence.h"
#include "dataplane/hash.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

enum { HOSTS_BYTES = 65536 }; // of names at a time: start value

/* What is kept of a note: less than half of it. */
struct flow {
	struct dp_addr src, dst, endpoint;
	uint64_t packets[2], bytes[2]; // [0] src to dst
	uint64_t first_ns, last_ns;
	uint64_t tick;
	const char *host, *alias; // of the log's
	uint32_t app;
	uint16_t tag;
	uint16_t sport, dport;
	uint16_t ndpi_master, ndpi_app;
	uint8_t l4_proto, evidence, effort;
	bool is_syn_start, has_ech;
};

struct ctl_flowlog {
	GArray *flows; // struct flow: of complete ticks; merged and sorted once sealed
	GArray *open; // struct flow: of ticks that are not complete yet
	GStringChunk *hosts; // each once
	GHashTable *sums; // app -> struct app_sum, owned: of flows that are not kept apart
	size_t n_kept; // 0: all
	size_t n_summed;
};

struct app_sum {
	const char *name;
	uint64_t flows, packets, bytes;
};

struct ctl_flowlog *ctl_flowlog_new(void)
{
	struct ctl_flowlog *log = g_new0(struct ctl_flowlog, 1);

	log->flows = g_array_new(FALSE, FALSE, sizeof(struct flow));
	log->open = g_array_new(FALSE, FALSE, sizeof(struct flow));
	log->hosts = g_string_chunk_new(HOSTS_BYTES);
	log->sums = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return log;
}

void ctl_flowlog_free(struct ctl_flowlog *log)
{
	if (log == NULL)
		return;
	g_array_free(log->flows, TRUE);
	g_array_free(log->open, TRUE);
	g_string_chunk_free(log->hosts);
	g_hash_table_destroy(log->sums);
	g_free(log);
}

void ctl_flowlog_keep(struct ctl_flowlog *log, size_t n_flows)
{
	log->n_kept = n_flows;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static gint compare_flows(gconstpointer a, gconstpointer b)
{
	const struct flow *x = a;
	const struct flow *y = b;
	int r = compare_u64(x->first_ns, y->first_ns);

	if (r == 0)
		r = dp_addr_cmp(&x->src, &y->src);
	if (r == 0)
		r = dp_addr_cmp(&x->dst, &y->dst);
	if (r == 0)
		r = compare_u64(x->sport, y->sport);
	if (r == 0)
		r = compare_u64(x->dport, y->dport);
	if (r == 0)
		r = compare_u64(x->l4_proto, y->l4_proto);
	return r != 0 ? r : compare_u64(x->last_ns, y->last_ns);
}

/* The later part of a flow that fell silent for longer than its life span. */
static void merge_into(struct flow *to, const struct flow *from)
{
	const bool is_turned = dp_addr_cmp(&to->src, &from->src) != 0 || to->sport != from->sport;

	for (int dir = 0; dir < 2; dir++) {
		to->packets[dir] += from->packets[is_turned ? !dir : dir];
		to->bytes[dir] += from->bytes[is_turned ? !dir : dir];
	}
	if (from->last_ns > to->last_ns)
		to->last_ns = from->last_ns;
	to->has_ech |= from->has_ech;
	to->effort = (uint8_t)MIN(UINT8_MAX, to->effort + from->effort);
}

static uint64_t hash_side(const struct dp_addr *addr, uint16_t port)
{
	return dp_hash_mix(dp_hash_mix(dp_addr_half_be(addr, 0), dp_addr_half_be(addr, 1)), port);
}

/* Of the 5-tuple, whichever side sent first. */
static uint64_t hash_of(const struct flow *f)
{
	return dp_hash_mix(
		hash_side(&f->src, f->sport) + hash_side(&f->dst, f->dport), f->l4_proto);
}

static bool is_side(
	const struct dp_addr *a, uint16_t a_port, const struct dp_addr *b, uint16_t b_port)
{
	return a_port == b_port && dp_addr_cmp(a, b) == 0;
}

static bool is_same_tuple(const struct flow *x, const struct flow *y)
{
	if (x->l4_proto != y->l4_proto)
		return false;
	return (is_side(&x->src, x->sport, &y->src, y->sport) &&
		       is_side(&x->dst, x->dport, &y->dst, y->dport)) ||
		(is_side(&x->src, x->sport, &y->dst, y->dport) &&
			is_side(&x->dst, x->dport, &y->src, y->sport));
}

/* The latest part of each 5-tuple among flows: its index + 1, 0 in a free slot. Open addressing. */
struct latest {
	uint32_t *slots; // owned
	uint32_t mask;
};

static struct latest latest_new(guint n_flows)
{
	uint32_t n = 16;

	while (n < 2 * (uint64_t)n_flows)
		n *= 2;
	return (struct latest){.slots = g_new0(uint32_t, n), .mask = n - 1};
}

/* Where that of f's 5-tuple stands, or belongs. */
static uint32_t *latest_of(
	const struct latest *latest, const struct flow *flows, const struct flow *f)
{
	uint32_t i = (uint32_t)hash_of(f) & latest->mask;

	while (latest->slots[i] != 0 && !is_same_tuple(&flows[latest->slots[i] - 1], f))
		i = (i + 1) & latest->mask;
	return &latest->slots[i];
}

/* Sort, and join the parts of each flow. Doing so again after more notes of later ticks gives what
 * doing so once would have given. */
static void merge(struct ctl_flowlog *log)
{
	const struct latest latest = latest_new(log->flows->len);
	struct flow *flows = (struct flow *)(void *)log->flows->data;
	guint kept = 0;

	g_array_sort(log->flows, compare_flows);
	for (guint i = 0; i < log->flows->len; i++) {
		uint32_t *const before = latest_of(&latest, flows, &flows[i]);

		if (*before > 0 && !flows[i].is_syn_start) {
			merge_into(&flows[*before - 1], &flows[i]);
			continue;
		}
		flows[kept++] = flows[i];
		*before = kept;
	}
	g_array_set_size(log->flows, kept);
	g_free(latest.slots);
}

static void sum_up(GHashTable *sums, const struct flow *f)
{
	struct app_sum *sum = g_hash_table_lookup(sums, GUINT_TO_POINTER(f->app));

	if (sum == NULL) {
		sum = g_new0(struct app_sum, 1);
		g_hash_table_insert(sums, GUINT_TO_POINTER(f->app), sum);
	}
	sum->flows++;
	sum->packets += f->packets[0] + f->packets[1];
	sum->bytes += f->bytes[0] + f->bytes[1];
}

static gint ended_last_first(gconstpointer a, gconstpointer b)
{
	const struct flow *x = a;
	const struct flow *y = b;
	const int r = compare_u64(y->last_ns, x->last_ns);

	return r != 0 ? r : compare_flows(a, b);
}

/* Twice as many as are kept may gather, so that the sorting is shared by many notes. */
static void let_go(struct ctl_flowlog *log)
{
	if (log->n_kept == 0 || log->flows->len <= 2 * log->n_kept)
		return;
	merge(log);
	if (log->flows->len <= log->n_kept)
		return;
	g_array_sort(log->flows, ended_last_first);
	for (guint i = (guint)log->n_kept; i < log->flows->len; i++)
		sum_up(log->sums, &g_array_index(log->flows, struct flow, i));
	log->n_summed += log->flows->len - log->n_kept;
	g_array_set_size(log->flows, (guint)log->n_kept);
}

void ctl_flowlog_tick(struct ctl_flowlog *log, uint64_t tick)
{
	struct flow *open = (struct flow *)(void *)log->open->data;
	guint kept = 0;

	for (guint i = 0; i < log->open->len; i++) {
		if (open[i].tick <= tick)
			g_array_append_val(log->flows, open[i]);
		else
			open[kept++] = open[i];
	}
	g_array_set_size(log->open, kept);
	let_go(log);
}

/* NULL: nobody will read it. */
static const char *keep_name(struct ctl_flowlog *log, const char *name)
{
	return log->n_kept == 0 ? g_string_chunk_insert_const(log->hosts, name) : NULL;
}

/* host, alias: borrowed for its life. */
static struct flow flow_of(const struct dp_record *note, const char *host, const char *alias)
{
	const struct dp_note *n = &note->note;

	return (struct flow){.src = n->src,
		.dst = n->dst,
		.endpoint = note->endpoint,
		.packets = {n->packets[0], n->packets[1]},
		.bytes = {n->bytes[0], n->bytes[1]},
		.first_ns = n->first_ns,
		.last_ns = n->last_ns,
		.tick = note->tick,
		.host = host,
		.alias = alias,
		.app = note->app,
		.tag = note->tag,
		.sport = n->sport,
		.dport = n->dport,
		.ndpi_master = n->ndpi_master,
		.ndpi_app = n->ndpi_app,
		.l4_proto = n->l4_proto,
		.evidence = note->evidence,
		.effort = n->effort,
		.is_syn_start = n->is_syn_start,
		.has_ech = n->has_ech};
}

void ctl_flowlog_add(struct ctl_flowlog *log, const struct dp_record *note)
{
	const struct dp_note *n = &note->note;

	if (n->why != DP_NOTE_END)
		return;

	const struct flow flow = flow_of(note, keep_name(log, n->host), keep_name(log, n->alias));

	g_array_append_val(log->open, flow);
	if (log->n_kept > 0 && log->open->len > 2 * log->n_kept)
		ctl_flowlog_tick(log, UINT64_MAX);
}

void ctl_flowlog_seal(struct ctl_flowlog *log)
{
	ctl_flowlog_tick(log, UINT64_MAX);
	merge(log);
}

size_t ctl_flowlog_count(const struct ctl_flowlog *log)
{
	return log->flows->len + log->n_summed;
}

size_t ctl_flowlog_summed(const struct ctl_flowlog *log)
{
	return log->n_summed;
}

static const char *evidence_name(uint8_t evidence)
{
	static const char *const names[DP_EVIDENCE_COUNT] = {
		"none", "sni", "quic", "http", "cert", "dns", "payload", "address", "port"};

	return evidence < DP_EVIDENCE_COUNT ? names[evidence] : "none";
}

const char *ctl_l4_name(uint8_t proto, char buf[static CTL_L4_NAME_MAX])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_IGMP:
		return "igmp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_GRE:
		return "gre";
	case IPPROTO_ESP:
		return "esp";
	case IPPROTO_AH:
		return "ah";
	case 89: // RFC 2328 A.1
		return "ospf";
	default:
		(void)snprintf(buf, CTL_L4_NAME_MAX, "ip-%u", proto);
		return buf;
	}
}

static json_t *flow_json(
	const struct flow *f, const struct cls_catalogue *catalogue, uint8_t ipv6_prefix_len)
{
	char src[DP_ADDR_STRLEN], dst[DP_ADDR_STRLEN], endpoint[DP_ADDR_STRLEN + 4],
		l4[CTL_L4_NAME_MAX];
	char proto[80];

	json_t *flow = json_pack(
		"{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:[I,I], s:[I,I], "
		"s:I, s:I, s:i}",
		"src", dp_addr_format(&f->src, src), "sport", f->sport, "dst",
		dp_addr_format(&f->dst, dst), "dport", f->dport, "l4", ctl_l4_name(f->l4_proto, l4),
		"endpoint", dp_endpoint_format(&f->endpoint, ipv6_prefix_len, endpoint), "app",
		cls_app_name(catalogue, f->app), "category", cls_app_category(catalogue, f->app),
		"proto", cls_proto_name(f->ndpi_master, f->ndpi_app, proto, sizeof(proto)), "host",
		f->host, "evidence", evidence_name(f->evidence), "confidence",
		ctl_evidence_weight(f->evidence), "packets", (json_int_t)f->packets[0],
		(json_int_t)f->packets[1], "bytes", (json_int_t)f->bytes[0],
		(json_int_t)f->bytes[1], "first_ns", (json_int_t)f->first_ns, "last_ns",
		(json_int_t)f->last_ns, "effort", f->effort);

	if (f->alias[0] != '\0')
		(void)json_object_set_new(flow, "alias", json_string(f->alias));
	if (f->tag != DP_TAG_NONE)
		(void)json_object_set_new(
			flow, "tag", json_string(cls_tag_name(catalogue, f->tag)));
	if (f->has_ech)
		(void)json_object_set_new(flow, "ech", json_true());
	return flow;
}

json_t *ctl_flowlog_line(const struct dp_record *note, const struct cls_catalogue *catalogue,
	uint8_t ipv6_prefix_len)
{
	const struct flow flow = flow_of(note, note->note.host, note->note.alias);

	return flow_json(&flow, catalogue, ipv6_prefix_len);
}

int ctl_flowlog_write(const struct ctl_flowlog *log, const struct cls_catalogue *catalogue,
	uint8_t ipv6_prefix_len, FILE *out)
{
	for (guint i = 0; i < log->flows->len; i++) {
		json_t *line = flow_json(
			&g_array_index(log->flows, struct flow, i), catalogue, ipv6_prefix_len);

		if (line == NULL)
			return -ENOMEM;

		const int r = json_dumpf(line, out, JSON_COMPACT);

		json_decref(line);
		if (r != 0 || fputc('\n', out) == EOF)
			return -EIO;
	}
	return fflush(out) == 0 ? 0 : -errno;
}

static gint most_bytes_first(gconstpointer a, gconstpointer b)
{
	const struct app_sum *x = a;
	const struct app_sum *y = b;

	return x->bytes != y->bytes ? compare_u64(y->bytes, x->bytes) : strcmp(x->name, y->name);
}

json_t *ctl_flowlog_apps_json(const struct ctl_flowlog *log, const struct cls_catalogue *catalogue)
{
	GHashTable *by_app = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	json_t *apps = json_array();
	GHashTableIter iter;
	gpointer app, sum;

	g_hash_table_iter_init(&iter, log->sums);
	while (g_hash_table_iter_next(&iter, &app, &sum))
		(void)g_hash_table_insert(by_app, app, g_memdup2(sum, sizeof(struct app_sum)));
	for (guint i = 0; i < log->flows->len; i++)
		sum_up(by_app, &g_array_index(log->flows, struct flow, i));
	g_hash_table_iter_init(&iter, by_app);
	while (g_hash_table_iter_next(&iter, &app, &sum))
		((struct app_sum *)sum)->name = cls_app_name(catalogue, GPOINTER_TO_UINT(app));

	GList *sums = g_list_sort(g_hash_table_get_values(by_app), most_bytes_first);

	for (GList *l = sums; l != NULL; l = l->next) {
		const struct app_sum *s = l->data;

		(void)json_array_append_new(apps,
			json_pack("{s:s, s:I, s:I, s:I}", "app", s->name, "flows",
				(json_int_t)s->flows, "packets", (json_int_t)s->packets, "bytes",
				(json_int_t)s->bytes));
	}
	g_list_free(sums);
	g_hash_table_destroy(by_app);
	return apps;
}
