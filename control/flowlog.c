// SPDX-License-Identifier: BSD-3-Clause
#include "control/flowlog.h"

#include "classifier/ndpi.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

struct ctl_flowlog {
	GArray *flows; // struct dp_record: of complete ticks; merged and sorted once sealed
	GArray *open; // struct dp_record: of ticks that are not complete yet
	GHashTable *sums; // app -> struct app_sum, owned: of flows that are not kept apart
	size_t n_kept; // 0: all
	size_t n_summed;
};

struct app_sum {
	const char *name;
	uint64_t flows, packets, bytes;
};

/* A 5-tuple with its sides in a fixed order: the key under which flows are merged. */
struct tuple_key {
	struct dp_addr lo, hi;
	uint16_t lo_port, hi_port;
	uint16_t l4_proto;
	uint8_t pad[2];
};
static_assert(sizeof(struct tuple_key) == 40, "hashed as bytes");

struct ctl_flowlog *ctl_flowlog_new(void)
{
	struct ctl_flowlog *log = g_new0(struct ctl_flowlog, 1);

	log->flows = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	log->open = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	log->sums = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return log;
}

void ctl_flowlog_free(struct ctl_flowlog *log)
{
	if (log == NULL)
		return;
	g_array_free(log->flows, TRUE);
	g_array_free(log->open, TRUE);
	g_hash_table_destroy(log->sums);
	g_free(log);
}

void ctl_flowlog_keep(struct ctl_flowlog *log, size_t n_flows)
{
	log->n_kept = n_flows;
}

static bool is_reversed(const struct dp_note *n)
{
	const int r = dp_addr_cmp(&n->src, &n->dst);

	return r > 0 || (r == 0 && n->sport > n->dport);
}

static struct tuple_key key_of(const struct dp_note *n)
{
	if (is_reversed(n))
		return (struct tuple_key){.lo = n->dst,
			.hi = n->src,
			.lo_port = n->dport,
			.hi_port = n->sport,
			.l4_proto = n->l4_proto};
	return (struct tuple_key){.lo = n->src,
		.hi = n->dst,
		.lo_port = n->sport,
		.hi_port = n->dport,
		.l4_proto = n->l4_proto};
}

static guint key_hash(gconstpointer p)
{
	const uint8_t *b = p;
	guint h = 2166136261U; // FNV-1a

	for (size_t i = 0; i < sizeof(struct tuple_key); i++)
		h = (h ^ b[i]) * 16777619U;
	return h;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(struct tuple_key)) == 0;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static gint compare_flows(gconstpointer a, gconstpointer b)
{
	const struct dp_note *x = &((const struct dp_record *)a)->note;
	const struct dp_note *y = &((const struct dp_record *)b)->note;
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
static void merge_into(struct dp_record *to, const struct dp_record *from)
{
	const bool is_turned = dp_addr_cmp(&to->note.src, &from->note.src) != 0 ||
		to->note.sport != from->note.sport;

	for (int dir = 0; dir < 2; dir++) {
		to->note.packets[dir] += from->note.packets[is_turned ? !dir : dir];
		to->note.bytes[dir] += from->note.bytes[is_turned ? !dir : dir];
	}
	if (from->note.last_ns > to->note.last_ns)
		to->note.last_ns = from->note.last_ns;
	to->note.effort = (uint8_t)MIN(UINT8_MAX, to->note.effort + from->note.effort);
}

/* Sort, and join the parts of each flow. Doing so again after more notes of later ticks gives what
 * doing so once would have given. */
static void merge(struct ctl_flowlog *log)
{
	GHashTable *last = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
	struct dp_record *flows = (struct dp_record *)(void *)log->flows->data;
	guint kept = 0;

	g_array_sort(log->flows, compare_flows);
	for (guint i = 0; i < log->flows->len; i++) {
		const struct tuple_key key = key_of(&flows[i].note);
		// Index + 1, so that NULL means none.
		const guint before = GPOINTER_TO_UINT(g_hash_table_lookup(last, &key));

		if (before > 0 && !flows[i].note.is_syn_start) {
			merge_into(&flows[before - 1], &flows[i]);
			continue;
		}
		flows[kept++] = flows[i];
		g_hash_table_replace(last, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(kept));
	}
	g_array_set_size(log->flows, kept);
	g_hash_table_destroy(last);
}

static void sum_up(GHashTable *sums, const struct dp_record *r)
{
	struct app_sum *sum = g_hash_table_lookup(sums, GUINT_TO_POINTER(r->app));

	if (sum == NULL) {
		sum = g_new0(struct app_sum, 1);
		g_hash_table_insert(sums, GUINT_TO_POINTER(r->app), sum);
	}
	sum->flows++;
	sum->packets += r->note.packets[0] + r->note.packets[1];
	sum->bytes += r->note.bytes[0] + r->note.bytes[1];
}

static gint ended_last_first(gconstpointer a, gconstpointer b)
{
	const struct dp_note *x = &((const struct dp_record *)a)->note;
	const struct dp_note *y = &((const struct dp_record *)b)->note;
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
		sum_up(log->sums, &g_array_index(log->flows, struct dp_record, i));
	log->n_summed += log->flows->len - log->n_kept;
	g_array_set_size(log->flows, (guint)log->n_kept);
}

void ctl_flowlog_tick(struct ctl_flowlog *log, uint64_t tick)
{
	struct dp_record *open = (struct dp_record *)(void *)log->open->data;
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

void ctl_flowlog_add(struct ctl_flowlog *log, const struct dp_record *note)
{
	if (note->note.why != DP_NOTE_END)
		return;
	g_array_append_val(log->open, *note);
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

static const char *l4_name(uint8_t proto, char buf[16])
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
		(void)snprintf(buf, 16, "ip-%u", proto);
		return buf;
	}
}

static json_t *flow_json(
	const struct dp_record *r, const struct cls_catalogue *catalogue, uint8_t ipv6_prefix_len)
{
	const struct dp_note *n = &r->note;
	char src[DP_ADDR_STRLEN], dst[DP_ADDR_STRLEN], endpoint[DP_ADDR_STRLEN + 4], l4[16];
	char proto[80];

	return json_pack(
		"{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[I,I], s:[I,I], "
		"s:I, s:I, s:i}",
		"src", dp_addr_format(&n->src, src), "sport", n->sport, "dst",
		dp_addr_format(&n->dst, dst), "dport", n->dport, "l4", l4_name(n->l4_proto, l4),
		"endpoint", dp_endpoint_format(&r->endpoint, ipv6_prefix_len, endpoint), "app",
		cls_app_name(catalogue, r->app), "category", cls_app_category(catalogue, r->app),
		"proto", cls_proto_name(n->ndpi_master, n->ndpi_app, proto, sizeof(proto)), "host",
		n->host, "evidence", evidence_name(r->evidence), "packets",
		(json_int_t)n->packets[0], (json_int_t)n->packets[1], "bytes",
		(json_int_t)n->bytes[0], (json_int_t)n->bytes[1], "first_ns",
		(json_int_t)n->first_ns, "last_ns", (json_int_t)n->last_ns, "effort", n->effort);
}

int ctl_flowlog_write(const struct ctl_flowlog *log, const struct cls_catalogue *catalogue,
	uint8_t ipv6_prefix_len, FILE *out)
{
	for (guint i = 0; i < log->flows->len; i++) {
		json_t *line = flow_json(&g_array_index(log->flows, struct dp_record, i), catalogue,
			ipv6_prefix_len);

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
		sum_up(by_app, &g_array_index(log->flows, struct dp_record, i));
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
