// SPDX-License-Identifier: BSD-3-Clause
#include "control/bindings.h"

#include "control/addr_hash.h"

#include <string.h>

enum {
	PAST = 3, // holdings kept of each endpoint behind the one in force; start value
	PREFIX_MAX = 128,
};

/* Who held it when. */
struct holding {
	uint64_t from_ns, to_ns;
	struct ctl_known *who; // a reference
};

struct endpoint {
	struct {
		struct dp_addr addr;
		uint8_t len;
	} key;
	uint8_t source;
	bool is_contested; // nobody holds it, and only `source` or a better one is believed
	uint32_t n_claims; // of now
	uint64_t claim; // number of now, of the contested one too; 0: free
	struct holding now; // who NULL: nobody
	struct holding past[PAST]; // newest first
	struct ctl_bound_as as;
	uint64_t as_from_ns; // since when it is like that
	GArray *teids; // struct ctl_sig_end; NULL: none
	GList freed; // in the queue of them while is_freed
	bool is_freed;
};

struct ctl_bindings {
	struct ctl_bindings_config cfg;
	GHashTable *endpoints; // key -> struct endpoint, owned
	GQueue freed; // struct endpoint that nobody holds, longest ago first
	uint32_t n_of_len[PREFIX_MAX + 1]; // endpoints with prefixes of that length
	uint64_t n_claims; // numbers given
	struct ctl_bindings_stats stats;
};

static guint key_hash(gconstpointer p)
{
	const struct endpoint *e = p;

	return ctl_addr_hash(&e->key.addr) * 31 + e->key.len;
}

static gboolean key_equal(gconstpointer pa, gconstpointer pb)
{
	const struct endpoint *a = pa, *b = pb;

	return a->key.len == b->key.len && dp_addr_cmp(&a->key.addr, &b->key.addr) == 0;
}

struct ctl_bindings *ctl_bindings_new(const struct ctl_bindings_config *config)
{
	struct ctl_bindings *b = g_new0(struct ctl_bindings, 1);

	b->cfg = *config;
	b->endpoints = g_hash_table_new(key_hash, key_equal);
	return b;
}

static void drop_as(struct ctl_bound_as *as)
{
	g_clear_pointer(&as->apn, g_ref_string_release);
	g_clear_pointer(&as->uli, g_ref_string_release);
}

static void endpoint_free(struct ctl_bindings *b, struct endpoint *e)
{
	drop_as(&e->as);
	ctl_aliases_put(b->cfg.aliases, e->now.who);
	for (int i = 0; i < PAST; i++)
		ctl_aliases_put(b->cfg.aliases, e->past[i].who);
	if (e->teids != NULL)
		g_array_unref(e->teids);
	g_free(e);
}

void ctl_bindings_free(struct ctl_bindings *b)
{
	GHashTableIter iter;
	gpointer e;

	if (b == NULL)
		return;
	g_hash_table_iter_init(&iter, b->endpoints);
	while (g_hash_table_iter_next(&iter, &e, NULL))
		endpoint_free(b, e);
	g_hash_table_unref(b->endpoints);
	g_free(b);
}

/* --- endpoints -------------------------------------------------------------------------------- */

static void mask(struct dp_addr *addr, uint8_t len)
{
	for (unsigned int i = 0; i < sizeof(addr->b); i++) {
		const unsigned int begin = 8 * i;

		if (begin >= len)
			addr->b[i] = 0;
		else if (len - begin < 8)
			addr->b[i] &= (uint8_t)(0xff << (8 - (len - begin)));
	}
}

/* The packet path knows an IPv6 endpoint by its prefix: what is longer stands for that. */
static struct endpoint key_of(const struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len)
{
	struct endpoint e = {.key = {.addr = *addr, .len = len}};

	if (!dp_addr_is_v4(addr) && len > b->cfg.ipv6_prefix_len)
		e.key.len = b->cfg.ipv6_prefix_len;
	mask(&e.key.addr, e.key.len);
	return e;
}

static struct endpoint *find(const struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len)
{
	const struct endpoint key = key_of(b, addr, len);

	return g_hash_table_lookup(b->endpoints, &key);
}

static void set_freed(struct ctl_bindings *b, struct endpoint *e, bool is_freed)
{
	if (e->is_freed == is_freed)
		return;
	e->is_freed = is_freed;
	if (is_freed)
		g_queue_push_tail_link(&b->freed, &e->freed);
	else
		g_queue_unlink(&b->freed, &e->freed);
}

/* One that nobody holds gives its place, the one that was freed first. */
static bool make_room(struct ctl_bindings *b)
{
	GList *link = g_queue_peek_head_link(&b->freed);
	struct endpoint *e = link != NULL ? link->data : NULL;

	if (g_hash_table_size(b->endpoints) < b->cfg.n_max)
		return true;
	if (e == NULL)
		return false;
	set_freed(b, e, false);
	g_hash_table_remove(b->endpoints, e);
	b->n_of_len[e->key.len]--;
	endpoint_free(b, e);
	return true;
}

/* NULL when there are as many as there may be. */
static struct endpoint *get(struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len)
{
	struct endpoint *e = find(b, addr, len);

	if (e != NULL || !make_room(b))
		return e;
	e = g_new(struct endpoint, 1);
	*e = key_of(b, addr, len);
	e->freed.data = e;
	b->n_of_len[e->key.len]++;
	g_hash_table_add(b->endpoints, e);
	return e;
}

/* --- what becomes of a binding ------------------------------------------------------------------ */

static void say(const struct ctl_bindings *b, const struct endpoint *e, uint64_t to_ns)
{
	const struct ctl_binding binding = {
		.addr = e->key.addr,
		.len = e->key.len,
		.source = e->source,
		.who = e->now.who,
		.as = e->as,
		.teids = e->teids != NULL ? (const struct ctl_sig_end *)(void *)e->teids->data
					  : NULL,
		.n_teids = e->teids != NULL ? e->teids->len : 0,
		.from_ns = e->as_from_ns,
		.to_ns = to_ns,
	};

	if (b->cfg.ended != NULL && to_ns > e->as_from_ns)
		b->cfg.ended(b->cfg.ctx, &binding);
}

static void end(struct ctl_bindings *b, struct endpoint *e, uint64_t now_ns)
{
	if (e->now.who == NULL)
		return;
	e->now.to_ns = MAX(now_ns, e->now.from_ns);
	say(b, e, e->now.to_ns);
	ctl_aliases_put(b->cfg.aliases, e->past[PAST - 1].who);
	memmove(&e->past[1], &e->past[0], (PAST - 1) * sizeof(e->past[0]));
	e->past[0] = e->now;
	e->now = (struct holding){0};
	e->n_claims = 0;
	drop_as(&e->as);
	if (e->teids != NULL)
		g_array_set_size(e->teids, 0);
	b->stats.n_bound--;
}

/* When a claim that is dated from_ns may begin: not within the one before, and not right behind somebody
 * else's. */
static uint64_t begin_at(struct ctl_bindings *b, const struct endpoint *e,
	const struct ctl_known *who, uint64_t from_ns)
{
	const struct holding *before = &e->past[0];
	uint64_t free_ns = before->to_ns;

	if (before->who != NULL && before->who != who) {
		free_ns += b->cfg.guard_ns;
		b->stats.n_guarded += free_ns > from_ns;
	}
	return MAX(from_ns, free_ns);
}

static uint64_t begin(struct ctl_bindings *b, struct endpoint *e, struct ctl_known *who,
	enum ctl_sig_proto source, uint64_t from_ns)
{
	const uint64_t at_ns = begin_at(b, e, who, from_ns);

	e->now = (struct holding){.from_ns = at_ns, .to_ns = UINT64_MAX, .who = ctl_known_ref(who)};
	e->as = (struct ctl_bound_as){0};
	e->as_from_ns = at_ns;
	set_freed(b, e, false);
	e->source = (uint8_t)source;
	e->is_contested = false;
	e->n_claims = 1;
	e->claim = ++b->n_claims;
	b->stats.n_bound++;
	return e->claim;
}

static bool is_believed(
	const struct ctl_bindings *b, const struct endpoint *e, enum ctl_sig_proto source)
{
	return b->cfg.ranks[source] <= b->cfg.ranks[e->source];
}

/* One more session of the same subscriber. */
static uint64_t join(
	const struct ctl_bindings *b, struct endpoint *e, enum ctl_sig_proto source, uint64_t claim)
{
	if (claim != e->claim)
		e->n_claims++;
	if (is_believed(b, e, source))
		e->source = (uint8_t)source;
	return e->claim;
}

uint64_t ctl_bindings_claim(struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len,
	struct ctl_known *who, enum ctl_sig_proto source, uint64_t from_ns, uint64_t claim)
{
	struct endpoint *e = get(b, addr, len);

	if (e == NULL) {
		b->stats.n_refused++;
		return 0;
	}
	if (e->now.who == who)
		return join(b, e, source, claim);
	if (claim != 0 && e->claim != 0 && claim != e->claim)
		return 0; // a younger session has it
	if ((e->now.who != NULL || e->is_contested) && !is_believed(b, e, source)) {
		b->stats.n_contested += !e->is_contested;
		end(b, e, from_ns);
		e->is_contested = true;
		return 0;
	}
	end(b, e, from_ns);
	return begin(b, e, who, source, from_ns);
}

/* --- what else is told --------------------------------------------------------------------------- */

static void take_digits(char *to, const char *from)
{
	if (from[0] != '\0')
		memcpy(to, from, strlen(from) + 1);
}

static void take_text(char **to, const char *from)
{
	if (from[0] == '\0')
		return;
	g_clear_pointer(to, g_ref_string_release);
	*to = g_ref_string_new_intern(from);
}

static bool says(const char *told, const char *known)
{
	return told[0] != '\0' && g_strcmp0(told, known) != 0;
}

/* The message says something else than what is known, or more. */
static bool is_news(const struct ctl_sig *sig, const struct ctl_bound_as *as)
{
	return says(sig->imei, as->imei) || says(sig->mcc_mnc, as->mcc_mnc) ||
		says(sig->apn, as->apn) || says(sig->uli, as->uli) ||
		(sig->rat != 0 && sig->rat != as->rat);
}

static void add_teid(struct endpoint *e, const struct ctl_sig_end *teid)
{
	if (e->teids == NULL)
		e->teids = g_array_new(FALSE, FALSE, sizeof(*teid));
	for (guint i = 0; i < e->teids->len; i++) {
		const struct ctl_sig_end *there = &g_array_index(e->teids, struct ctl_sig_end, i);

		if (there->id == teid->id && dp_addr_cmp(&there->addr, &teid->addr) == 0)
			return;
	}
	if (e->teids->len == CTL_SIG_TEIDS_MAX)
		g_array_remove_index(e->teids, 0); // the oldest
	g_array_append_val(e->teids, *teid);
}

void ctl_bindings_tell(struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len,
	uint64_t claim, const struct ctl_sig *sig, uint64_t now_ns)
{
	struct endpoint *e = find(b, addr, len);

	if (e == NULL || e->now.who == NULL || e->claim != claim)
		return;
	if (is_news(sig, &e->as)) {
		say(b, e, now_ns);
		e->as_from_ns = MAX(e->as_from_ns, now_ns);
	}
	take_digits(e->as.imei, sig->imei);
	take_digits(e->as.mcc_mnc, sig->mcc_mnc);
	take_text(&e->as.apn, sig->apn);
	take_text(&e->as.uli, sig->uli);
	if (sig->rat != 0)
		e->as.rat = sig->rat;
	for (unsigned int i = 0; i < sig->n_teids; i++)
		add_teid(e, &sig->teids[i]);
}

void ctl_bindings_release(struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len,
	uint64_t claim, bool is_leg, uint64_t now_ns)
{
	struct endpoint *e = find(b, addr, len);

	if (e == NULL || claim == 0 || e->claim != claim)
		return;
	if (e->now.who != NULL && is_leg && e->n_claims > 1) {
		e->n_claims--;
		return;
	}
	end(b, e, now_ns);
	e->is_contested = false;
	e->claim = 0;
	set_freed(b, e, true);
}

/* --- questions ------------------------------------------------------------------------------------ */

/* Returns whether the holding is all that there was in that time, or nothing of it: *ret_who. */
static bool is_all_or_none(const struct holding *h, uint64_t first_ns, uint64_t last_ns,
	const struct ctl_known **ret_who)
{
	if (h->who == NULL || last_ns < h->from_ns || first_ns >= h->to_ns)
		return true;
	*ret_who = h->who;
	return h->from_ns <= first_ns && last_ns < h->to_ns;
}

static const struct ctl_known *who_of(
	const struct endpoint *e, uint64_t first_ns, uint64_t last_ns, bool *ret_is_one)
{
	const struct ctl_known *who = NULL;

	*ret_is_one = is_all_or_none(&e->now, first_ns, last_ns, &who);
	for (int i = 0; i < PAST && *ret_is_one && who == NULL; i++)
		*ret_is_one = is_all_or_none(&e->past[i], first_ns, last_ns, &who);
	return *ret_is_one ? who : NULL;
}

/* The endpoint, or the longest prefix that it is in. */
static const struct endpoint *covering(const struct ctl_bindings *b, const struct dp_addr *addr)
{
	const struct endpoint *e = find(b, addr, PREFIX_MAX);

	if (e != NULL || dp_addr_is_v4(addr))
		return e;
	for (unsigned int len = b->cfg.ipv6_prefix_len; len-- > 0;) {
		if (b->n_of_len[len] == 0)
			continue;
		e = find(b, addr, (uint8_t)len);
		if (e != NULL)
			return e;
	}
	return NULL;
}

const struct ctl_known *ctl_bindings_who(const struct ctl_bindings *b,
	const struct dp_addr *endpoint, uint64_t first_ns, uint64_t last_ns, bool *ret_is_one)
{
	const struct endpoint *e = covering(b, endpoint);

	*ret_is_one = true;
	return e != NULL ? who_of(e, first_ns, last_ns, ret_is_one) : NULL;
}

bool ctl_bindings_is_bound(const struct ctl_bindings *b, const struct dp_addr *addr)
{
	const struct endpoint *e = covering(b, addr);

	return e != NULL && e->now.who != NULL;
}

void ctl_bindings_report(const struct ctl_bindings *b, uint64_t now_ns)
{
	GHashTableIter iter;
	gpointer p;

	g_hash_table_iter_init(&iter, b->endpoints);
	while (g_hash_table_iter_next(&iter, &p, NULL)) {
		const struct endpoint *e = p;

		if (e->now.who != NULL)
			say(b, e, now_ns);
	}
}

struct ctl_bindings_stats ctl_bindings_stats(const struct ctl_bindings *b)
{
	struct ctl_bindings_stats stats = b->stats;

	stats.n_endpoints = g_hash_table_size(b->endpoints);
	return stats;
}
