// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_diff.h"

#include "control/dict.h"
#include "control/distinct.h"
#include "control/evidence.h"
#include "control/flowlog.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { EXAMPLES_MAX = 3 };

/* What rules see of a flow's app; borrowed of the flow, or owned. */
struct side {
	const char *app, *category, *tag, *strength; // tag and strength NULL: none
};

/* What else is counted of a flow. */
struct seen {
	uint64_t bytes;
	const struct dp_addr *endpoint;
	const char *host; // "": none; borrowed
	const char *l4; // likewise
	uint16_t port; // the server's; 0: there is none
};

struct sums {
	uint64_t flows, bytes;
	struct ctl_distinct subscribers;
};

struct change {
	struct side before, after; // owned
	struct sums sums;
	char *examples[EXAMPLES_MAX]; // owned; the first ones that are different
};

struct ctl_flow_diff {
	const struct ctl_domains *domains;
	GHashTable *changes; // struct change, its own key
	struct sums all, changed;
	struct change *rest; // owned; NULL: there were not too many
};

static guint hash_text(const char *text)
{
	return text != NULL ? g_str_hash(text) : 0;
}

static guint hash_side(const struct side *s)
{
	return ((hash_text(s->app) * 31 + hash_text(s->category)) * 31 + hash_text(s->tag)) * 31 +
		hash_text(s->strength);
}

static guint hash_change(gconstpointer data)
{
	const struct change *c = data;

	return hash_side(&c->before) * 31 + hash_side(&c->after);
}

static bool is_same_side(const struct side *a, const struct side *b)
{
	return g_strcmp0(a->app, b->app) == 0 && g_strcmp0(a->category, b->category) == 0 &&
		g_strcmp0(a->tag, b->tag) == 0 && g_strcmp0(a->strength, b->strength) == 0;
}

static gboolean is_same_change(gconstpointer a, gconstpointer b)
{
	const struct change *x = a, *y = b;

	return is_same_side(&x->before, &y->before) && is_same_side(&x->after, &y->after);
}

static struct side side_copy(const struct side *s)
{
	return (struct side){
		g_strdup(s->app), g_strdup(s->category), g_strdup(s->tag), g_strdup(s->strength)};
}

static void side_clear(struct side *s)
{
	g_free((char *)s->app);
	g_free((char *)s->category);
	g_free((char *)s->tag);
	g_free((char *)s->strength);
}

static void change_free(void *data)
{
	struct change *c = data;

	side_clear(&c->before);
	side_clear(&c->after);
	ctl_distinct_clear(&c->sums.subscribers);
	for (size_t i = 0; i < EXAMPLES_MAX; i++)
		g_free(c->examples[i]);
	g_free(c);
}

struct ctl_flow_diff *ctl_flow_diff_new(const struct ctl_domains *domains)
{
	struct ctl_flow_diff *diff = g_new0(struct ctl_flow_diff, 1);

	diff->domains = domains;
	diff->changes = g_hash_table_new_full(hash_change, is_same_change, NULL, change_free);
	return diff;
}

void ctl_flow_diff_free(struct ctl_flow_diff *diff)
{
	if (diff == NULL)
		return;
	g_hash_table_destroy(diff->changes);
	if (diff->rest != NULL)
		change_free(diff->rest);
	ctl_distinct_clear(&diff->all.subscribers);
	ctl_distinct_clear(&diff->changed.subscribers);
	g_free(diff);
}

/* --- of a flow's line ------------------------------------------------------------------------- */

/* NULL: absent or empty. */
static const char *text_of(const json_t *flow, const char *key)
{
	const char *text = json_string_value(json_object_get(flow, key));

	return text == NULL || *text == '\0' ? NULL : text;
}

/* NULL: nothing tells the app. */
static const char *strength_of(const char *evidence)
{
	if (g_strcmp0(evidence, "address") == 0 || g_strcmp0(evidence, "port") == 0)
		return "weak";
	return evidence == NULL || strcmp(evidence, "none") == 0 ? NULL : "strong";
}

static struct side side_of(const json_t *flow)
{
	return (struct side){text_of(flow, "app"), text_of(flow, "category"), text_of(flow, "tag"),
		strength_of(text_of(flow, "evidence"))};
}

static uint64_t bytes_of(const json_t *flow)
{
	const json_t *bytes = json_object_get(flow, "bytes");

	return (uint64_t)json_integer_value(json_array_get(bytes, 0)) +
		(uint64_t)json_integer_value(json_array_get(bytes, 1));
}

/* "10.0.0.7", "2001:db8:1:2::/64" */
static bool endpoint_of(const json_t *flow, struct dp_prefix *ret)
{
	const char *endpoint = text_of(flow, "endpoint");

	return endpoint != NULL && dp_prefix_parse(endpoint, ret) == 0;
}

/* The port of the side that is not the endpoint. */
static uint16_t server_port(const json_t *flow, const struct dp_prefix *endpoint)
{
	const char *src = text_of(flow, "src");
	struct dp_addr addr;
	const bool is_sent = src != NULL && dp_addr_parse(src, &addr) == 0 &&
		dp_prefix_contains(endpoint, &addr);

	return (uint16_t)json_integer_value(json_object_get(flow, is_sent ? "dport" : "sport"));
}

/* Of a name its domain, for what stands before may say who somebody is: "*.films.example". Else where the server
 * listens, "udp:51820"; of what has no ports "icmp". Owned by the caller. */
static char *example_of(const struct ctl_flow_diff *diff, const struct seen *seen)
{
	struct ctl_domain domain;

	ctl_domain_read(diff->domains, seen->host, &domain);
	if (domain.kind == CTL_DOMAIN_OWN)
		return g_strdup_printf(
			"%s%s", domain.domain_off > 0 ? "*." : "", domain.name + domain.domain_off);
	return seen->port == 0 ? g_strdup(seen->l4)
			       : g_strdup_printf("%s:%u", seen->l4, seen->port);
}

/* --- in --------------------------------------------------------------------------------------- */

/* What packets make of a flow, whatever the catalogue. */
static bool is_same_flow(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"src", "sport", "dst", "dport", "l4", "endpoint",
		"packets", "bytes", "first_ns", "last_ns"};

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const json_t *value = json_object_get(a, keys[i]);

		if (value == NULL || !json_equal(value, json_object_get(b, keys[i])))
			return false;
	}
	return true;
}

static void sum_up(struct sums *sums, const struct seen *seen)
{
	sums->flows++;
	sums->bytes += seen->bytes;
	ctl_distinct_add(&sums->subscribers, seen->endpoint);
}

static void keep_example(struct change *c, char *example)
{
	for (size_t i = 0; i < EXAMPLES_MAX; i++) {
		if (c->examples[i] == NULL) {
			c->examples[i] = example;
			return;
		}
		if (strcmp(c->examples[i], example) == 0)
			break;
	}
	g_free(example);
}

static struct change *change_of(
	struct ctl_flow_diff *diff, const struct side *before, const struct side *after)
{
	const struct change key = {.before = *before, .after = *after};
	struct change *c = g_hash_table_lookup(diff->changes, &key);

	if (c != NULL)
		return c;
	if (g_hash_table_size(diff->changes) >= CTL_FLOW_DIFF_CHANGES_MAX) {
		if (diff->rest == NULL)
			diff->rest = g_new0(struct change, 1);
		return diff->rest;
	}
	c = g_new0(struct change, 1);
	c->before = side_copy(before);
	c->after = side_copy(after);
	g_hash_table_add(diff->changes, c);
	return c;
}

/* Returns whether it changes. */
static bool hold(struct ctl_flow_diff *diff, const struct side *was, const struct side *becomes,
	const struct seen *seen)
{
	struct change *c;

	sum_up(&diff->all, seen);
	if (is_same_side(was, becomes))
		return false;
	sum_up(&diff->changed, seen);
	c = change_of(diff, was, becomes);
	sum_up(&c->sums, seen);
	if (c->examples[EXAMPLES_MAX - 1] == NULL)
		keep_example(c, example_of(diff, seen));
	return true;
}

int ctl_flow_diff_add(struct ctl_flow_diff *diff, const json_t *before, const json_t *after,
	struct dp_err *reterr)
{
	const struct side was = side_of(before), becomes = side_of(after);
	struct dp_prefix endpoint;
	const char *host;

	if (!is_same_flow(before, after) || !endpoint_of(after, &endpoint) || was.app == NULL ||
		becomes.app == NULL)
		return dp_fail(reterr, EPROTO,
			"flow %" PRIu64
			" is not the same in both runs: a fault of this program, for both see "
			"the same packets",
			diff->all.flows + 1);
	host = text_of(after, "host");
	return hold(diff, &was, &becomes,
		&(struct seen){.bytes = bytes_of(after),
			.endpoint = &endpoint.addr,
			.host = host != NULL ? host : "",
			.l4 = text_of(after, "l4"),
			.port = server_port(after, &endpoint)});
}

/* NULL instead of "". */
static const char *unless_empty(const char *text)
{
	return *text != '\0' ? text : NULL;
}

/* Of an app that the catalogue has not any more, the name at least. */
static struct side side_of_decision(
	const struct cls_catalogue *catalogue, const struct cls_decision *d)
{
	const bool is_known = strcmp(cls_app_name(catalogue, d->app), "?") != 0;

	return (struct side){ctl_dict_app_name(catalogue, d->app),
		is_known ? unless_empty(cls_app_category(catalogue, d->app)) : NULL,
		d->tag != DP_TAG_NONE ? unless_empty(cls_tag_name(catalogue, d->tag)) : NULL,
		d->evidence == DP_EVIDENCE_NONE		      ? NULL
			: ctl_evidence_is_strong(d->evidence) ? "strong"
							      : "weak"};
}

bool ctl_flow_diff_note(struct ctl_flow_diff *diff, const struct dp_record *note,
	const struct cls_catalogue *was, const struct cls_decision *before,
	const struct cls_catalogue *becomes, const struct cls_decision *after)
{
	const struct dp_note *n = &note->note;
	const struct side a = side_of_decision(was, before), b = side_of_decision(becomes, after);
	char l4[CTL_L4_NAME_MAX];

	return hold(diff, &a, &b,
		&(struct seen){.bytes = n->bytes[0] + n->bytes[1],
			.endpoint = &note->endpoint,
			.host = n->host,
			.l4 = ctl_l4_name(n->l4_proto, l4),
			.port = n->server_is_src ? n->sport : n->dport});
}

uint64_t ctl_flow_diff_count(const struct ctl_flow_diff *diff)
{
	return diff->all.flows;
}

/* --- out -------------------------------------------------------------------------------------- */

static int compare_sides(const struct side *a, const struct side *b)
{
	const int by[] = {g_strcmp0(a->app, b->app), g_strcmp0(a->category, b->category),
		g_strcmp0(a->tag, b->tag), g_strcmp0(a->strength, b->strength)};

	for (size_t i = 0; i < G_N_ELEMENTS(by); i++) {
		if (by[i] != 0)
			return by[i];
	}
	return 0;
}

static gint most_bytes_first(gconstpointer a, gconstpointer b)
{
	const struct change *x = a, *y = b;
	int r;

	if (x->sums.bytes != y->sums.bytes)
		return x->sums.bytes > y->sums.bytes ? -1 : 1;
	r = compare_sides(&x->before, &y->before);
	return r != 0 ? r : compare_sides(&x->after, &y->after);
}

static json_t *record_of(const struct change *c)
{
	json_t *examples = json_array();

	for (size_t i = 0; i < EXAMPLES_MAX && c->examples[i] != NULL; i++)
		(void)json_array_append_new(examples, json_string(c->examples[i]));
	return json_pack("{s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:I, s:I, s:I, s:o}",
		"was", c->before.app, "was_category", c->before.category, "was_tag", c->before.tag,
		"was_strength", c->before.strength, "becomes", c->after.app, "category",
		c->after.category, "tag", c->after.tag, "strength", c->after.strength, "flows",
		(json_int_t)c->sums.flows, "bytes", (json_int_t)c->sums.bytes, "subscribers",
		(json_int_t)ctl_distinct_count(&c->sums.subscribers), "examples", examples);
}

void ctl_flow_diff_records(const struct ctl_flow_diff *diff, GPtrArray *ret_records)
{
	GList *changes = g_list_sort(g_hash_table_get_values(diff->changes), most_bytes_first);

	for (const GList *l = changes; l != NULL; l = l->next)
		g_ptr_array_add(ret_records, record_of(l->data));
	g_list_free(changes);
	if (diff->rest != NULL)
		g_ptr_array_add(ret_records, record_of(diff->rest));
}

static struct ctl_flow_diff_sum sum_of(const struct sums *sums)
{
	return (struct ctl_flow_diff_sum){.flows = sums->flows,
		.bytes = sums->bytes,
		.subscribers = ctl_distinct_count(&sums->subscribers),
		.is_estimate = sums->subscribers.is_estimate};
}

struct ctl_flow_diff_totals ctl_flow_diff_totals(const struct ctl_flow_diff *diff)
{
	return (struct ctl_flow_diff_totals){sum_of(&diff->all), sum_of(&diff->changed)};
}

json_t *ctl_flow_diff_totals_json(const struct ctl_flow_diff_totals *t)
{
	return json_pack("{s:{s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I}}", "flows", "all",
		(json_int_t)t->all.flows, "changed", (json_int_t)t->changed.flows, "bytes", "all",
		(json_int_t)t->all.bytes, "changed", (json_int_t)t->changed.bytes, "subscribers",
		"all", (json_int_t)t->all.subscribers, "changed",
		(json_int_t)t->changed.subscribers);
}

/* "7", "about 4021" */
static char *count_of(const struct ctl_flow_diff_sum *sum)
{
	return g_strdup_printf("%s%" PRIu64, sum->is_estimate ? "about " : "", sum->subscribers);
}

char *ctl_flow_diff_sentence(const struct ctl_flow_diff_totals *t)
{
	const struct ctl_flow_diff_sum *all = &t->all, *changed = &t->changed;
	g_autofree char *n_all = count_of(all);
	g_autofree char *n_changed = count_of(changed);

	if (changed->flows == 0)
		return g_strdup_printf("nothing changes: %" PRIu64 " flows, %" PRIu64
				       " bytes, %s subscribers",
			all->flows, all->bytes, n_all);
	return g_strdup_printf("%" PRIu64 " of %" PRIu64 " flows, %" PRIu64 " of %" PRIu64
			       " bytes, %s of %s subscribers change",
		changed->flows, all->flows, changed->bytes, all->bytes, n_changed, n_all);
}
