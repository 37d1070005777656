// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"
#include "control/sig_sessions_state.h"

#include <string.h>

enum {
	IPV4_BITS = 128,
	// Sessions of one name: a node has it for the legs of one subscriber. More would be a list to go through
	// that somebody else made long; they are found by their other side's name.
	SAME_NAME_MAX = 8,
};

static guint handle_hash(gconstpointer p)
{
	const struct ctl_sig_handle *h = p;
	const guint hash = ctl_addr_hash(&h->addr) * 31 +
		(guint)(h->id ^ h->id >> 32) * 2654435761U + h->nsapi;

	return h->text != NULL ? hash ^ ctl_name_hash(h->text) : hash;
}

static gboolean handle_equal(gconstpointer pa, gconstpointer pb)
{
	const struct ctl_sig_handle *a = pa, *b = pb;

	return a->id == b->id && a->proto == b->proto && a->nsapi == b->nsapi &&
		dp_addr_cmp(&a->addr, &b->addr) == 0 && g_strcmp0(a->text, b->text) == 0;
}

static guint teller_hash(gconstpointer p)
{
	return ctl_addr_hash(&((const struct ctl_sig_teller *)p)->addr);
}

static gboolean teller_equal(gconstpointer pa, gconstpointer pb)
{
	const struct ctl_sig_teller *a = pa, *b = pb;

	return a->proto == b->proto && dp_addr_cmp(&a->addr, &b->addr) == 0;
}

void ctl_sig_sessions_table_init(struct ctl_sessions *s)
{
	s->handles = g_hash_table_new(handle_hash, handle_equal);
	s->tellers = g_hash_table_new_full(teller_hash, teller_equal, g_free, NULL);
}

void ctl_sig_sessions_table_fini(struct ctl_sessions *s)
{
	GHashTableIter iter;
	gpointer p;

	g_hash_table_iter_init(&iter, s->tellers);
	while (g_hash_table_iter_next(&iter, &p, NULL)) {
		struct ctl_sig_teller *t = p;
		GList *link;

		while ((link = g_queue_pop_head_link(&t->sessions)) != NULL) {
			struct ctl_sig_session *session = link->data;

			ctl_aliases_put(s->aliases, session->who);
			g_free(session);
		}
	}
	g_hash_table_unref(s->handles);
	g_hash_table_unref(s->tellers);
}

/* Whether the node is the side of the session that the handle is not of. */
static bool is_other_side(const struct ctl_sig_handle *handle, const struct dp_addr *by)
{
	const struct ctl_sig_session *session = handle->session;
	const struct ctl_sig_handle *other = &session->handles[handle == &session->handles[0]];

	return other->session != NULL ? dp_addr_cmp(&other->addr, by) == 0
				      : dp_addr_cmp(&session->teller, by) == 0;
}

struct ctl_sig_session *ctl_sig_session_find(
	const struct ctl_sessions *s, const struct ctl_sig_handle *handle, const struct dp_addr *by)
{
	const struct ctl_sig_handle *first = g_hash_table_lookup(s->handles, handle);

	for (const struct ctl_sig_handle *h = first; h != NULL; h = h->next)
		if (is_other_side(h, by))
			return h->session;
	return first != NULL && first->next == NULL ? first->session : NULL;
}

struct ctl_sig_session *ctl_sig_session_given(
	const struct ctl_sessions *s, const struct ctl_sig_handle *handle, bool is_backbone)
{
	for (const struct ctl_sig_handle *h = g_hash_table_lookup(s->handles, handle); h != NULL;
		h = h->next)
		if (h == &h->session->handles[1] && h->session->is_backbone == is_backbone)
			return h->session;
	return NULL;
}

static struct ctl_sig_teller *teller_get(
	struct ctl_sessions *s, const struct dp_addr *addr, uint8_t proto)
{
	const struct ctl_sig_teller key = {.addr = *addr, .proto = proto};
	struct ctl_sig_teller *t = g_hash_table_lookup(s->tellers, &key);

	if (t == NULL) {
		t = g_new(struct ctl_sig_teller, 1);
		*t = key;
		g_hash_table_add(s->tellers, t);
	}
	return t;
}

struct ctl_sig_session *ctl_sig_session_new(
	struct ctl_sessions *s, const struct ctl_sig *told, const struct dp_addr *teller)
{
	struct ctl_sig_session *session;
	struct ctl_known *who;

	if (s->n_sessions >= s->cfg.n_max) {
		s->stats.refused++;
		return NULL;
	}
	who = ctl_aliases_get(s->aliases, told);
	if (who == NULL)
		return NULL;
	session = g_malloc0(sizeof(*session) + strlen(told->session) + 1);
	memcpy(session->text, told->session, strlen(told->session) + 1);
	session->who = who;
	session->proto = told->proto;
	session->teller = *teller;
	session->by_teller.data = session;
	g_queue_push_tail_link(&teller_get(s, teller, told->proto)->sessions, &session->by_teller);
	s->n_sessions++;
	return session;
}

static void unname(struct ctl_sessions *s, struct ctl_sig_handle *handle)
{
	struct ctl_sig_handle *before;

	if (handle->session == NULL)
		return;
	before = g_hash_table_lookup(s->handles, handle);
	if (before == handle && handle->next == NULL) {
		g_hash_table_remove(s->handles, handle);
	} else if (before == handle) {
		g_hash_table_replace(s->handles, handle->next, handle->next);
	} else {
		while (before->next != handle)
			before = before->next;
		before->next = handle->next;
	}
	handle->session = NULL;
}

void ctl_sig_session_name(struct ctl_sessions *s, struct ctl_sig_session *session,
	unsigned int side, const struct ctl_sig_handle *handle)
{
	struct ctl_sig_handle *own = &session->handles[side];
	unsigned int n = 0;

	unname(s, own);
	for (const struct ctl_sig_handle *h = g_hash_table_lookup(s->handles, handle); h != NULL;
		h = h->next)
		n++;
	if (n == SAME_NAME_MAX)
		return;
	*own = *handle;
	own->session = session;
	if (own->text != NULL)
		own->text = session->text;
	own->next = g_hash_table_lookup(s->handles, own);
	g_hash_table_replace(s->handles, own, own);
}

static void session_free(struct ctl_sessions *s, struct ctl_sig_session *session)
{
	struct ctl_sig_teller *t = teller_get(s, &session->teller, session->proto);

	unname(s, &session->handles[0]);
	unname(s, &session->handles[1]);
	g_queue_unlink(&t->sessions, &session->by_teller);
	if (g_queue_is_empty(&t->sessions))
		g_hash_table_remove(s->tellers, t);
	ctl_aliases_put(s->aliases, session->who);
	s->n_sessions--;
	g_free(session);
}

void ctl_sig_session_end(
	struct ctl_sessions *s, struct ctl_sig_session *session, bool is_leg, uint64_t now_ns)
{
	if (session->has_ipv4)
		ctl_bindings_release(
			s->bindings, &session->ipv4, IPV4_BITS, session->claim4, is_leg, now_ns);
	if (session->has_ipv6)
		ctl_bindings_release(s->bindings, &session->ipv6, session->ipv6_len,
			session->claim6, is_leg, now_ns);
	session_free(s, session);
}

void ctl_sig_sessions_end_of(
	struct ctl_sessions *s, const struct dp_addr *teller, uint8_t proto, uint64_t now_ns)
{
	const struct ctl_sig_teller key = {.addr = *teller, .proto = proto};
	struct ctl_sig_teller *t;

	// It goes with the last of them.
	while ((t = g_hash_table_lookup(s->tellers, &key)) != NULL)
		ctl_sig_session_end(s, g_queue_peek_head(&t->sessions), false, now_ns);
}

static void take_addresses(struct ctl_sig_session *session, const struct ctl_sig *told)
{
	if (told->has_ipv4) {
		session->has_ipv4 = true;
		session->ipv4 = told->ipv4;
	}
	if (told->has_ipv6) {
		session->has_ipv6 = true;
		session->ipv6 = told->ipv6;
		session->ipv6_len = told->ipv6_len;
	}
}

/* What it had at another address before is over. */
static void release_others(struct ctl_sessions *s, struct ctl_sig_session *session,
	const struct ctl_sig *told, uint64_t now_ns)
{
	if (session->has_ipv4 && told->has_ipv4 && dp_addr_cmp(&session->ipv4, &told->ipv4) != 0) {
		ctl_bindings_release(
			s->bindings, &session->ipv4, IPV4_BITS, session->claim4, false, now_ns);
		session->claim4 = 0;
	}
	if (session->has_ipv6 && told->has_ipv6 &&
		(session->ipv6_len != told->ipv6_len ||
			dp_addr_cmp(&session->ipv6, &told->ipv6) != 0)) {
		ctl_bindings_release(s->bindings, &session->ipv6, session->ipv6_len,
			session->claim6, false, now_ns);
		session->claim6 = 0;
	}
}

void ctl_sig_session_claim(struct ctl_sessions *s, struct ctl_sig_session *session,
	const struct ctl_sig *told, uint64_t from_ns)
{
	const enum ctl_sig_proto proto = (enum ctl_sig_proto)session->proto;

	uint64_t claim;

	release_others(s, session, told, from_ns);
	take_addresses(session, told);
	// One that was lost keeps its number, so that it is known for an older one.
	if (session->has_ipv4) {
		claim = ctl_bindings_claim(s->bindings, &session->ipv4, IPV4_BITS, session->who,
			proto, from_ns, session->claim4);
		session->claim4 = claim != 0 ? claim : session->claim4;
	}
	if (session->has_ipv6) {
		claim = ctl_bindings_claim(s->bindings, &session->ipv6, session->ipv6_len,
			session->who, proto, from_ns, session->claim6);
		session->claim6 = claim != 0 ? claim : session->claim6;
	}
}

void ctl_sig_session_tell(struct ctl_sessions *s, const struct ctl_sig_session *session,
	const struct ctl_sig *told, uint64_t now_ns)
{
	if (session->claim4 != 0)
		ctl_bindings_tell(
			s->bindings, &session->ipv4, IPV4_BITS, session->claim4, told, now_ns);
	if (session->claim6 != 0)
		ctl_bindings_tell(s->bindings, &session->ipv6, session->ipv6_len, session->claim6,
			told, now_ns);
}
