// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"
#include "control/sig_sessions_state.h"

static const uint64_t WAIT_NS = 60ULL * 1000000000; // more than any node repeats for; start value

static guint asked_hash(gconstpointer p)
{
	const struct ctl_sig_asked *a = p;

	return ctl_addr_hash(&a->key.by) * 31 + a->key.seq * 2654435761U;
}

static gboolean asked_equal(gconstpointer pa, gconstpointer pb)
{
	const struct ctl_sig_asked *a = pa, *b = pb;

	return a->key.seq == b->key.seq && a->key.port == b->key.port &&
		a->key.proto == b->key.proto && a->key.kind == b->key.kind &&
		dp_addr_cmp(&a->key.by, &b->key.by) == 0 &&
		dp_addr_cmp(&a->key.of, &b->key.of) == 0;
}

void ctl_sig_asked_init(struct ctl_sessions *s)
{
	s->asked = g_hash_table_new_full(asked_hash, asked_equal, g_free, NULL);
	g_queue_init(&s->asked_order);
}

void ctl_sig_asked_fini(struct ctl_sessions *s)
{
	g_hash_table_unref(s->asked);
}

static void give_up(struct ctl_sessions *s, struct ctl_sig_asked *asked)
{
	g_queue_unlink(&s->asked_order, &asked->link);
	g_hash_table_remove(s->asked, asked); // frees it
	s->stats.unanswered++;
}

/* Of those that waited too long, and the oldest where there is no room. */
static void make_room(struct ctl_sessions *s, uint64_t now_ns)
{
	GList *oldest;

	while ((oldest = g_queue_peek_head_link(&s->asked_order)) != NULL) {
		struct ctl_sig_asked *asked = oldest->data;

		if (g_hash_table_size(s->asked) < CTL_SESSIONS_ASKED_MAX &&
			now_ns - asked->time_ns < WAIT_NS)
			break;
		give_up(s, asked);
	}
}

void ctl_sig_asked_add(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig)
{
	struct ctl_sig_asked key = {.key = {.by = message->src,
					    .of = message->dst,
					    .seq = sig->seq,
					    .port = message->sport,
					    .proto = sig->proto,
					    .kind = sig->kind}};
	struct ctl_sig_asked *asked;

	make_room(s, message->time_ns);
	if (g_hash_table_lookup(s->asked, &key) != NULL)
		return;
	asked = g_new(struct ctl_sig_asked, 1);
	*asked = key;
	asked->time_ns = message->time_ns;
	asked->sig = *sig;
	asked->link = (GList){.data = asked};
	g_queue_push_tail_link(&s->asked_order, &asked->link);
	g_hash_table_add(s->asked, asked);
}

struct ctl_sig_asked *ctl_sig_asked_take(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig)
{
	const struct ctl_sig_asked key = {.key = {.by = message->dst,
						  .of = message->src,
						  .seq = sig->seq,
						  .port = message->dport,
						  .proto = sig->proto,
						  .kind = sig->kind}};
	struct ctl_sig_asked *asked = g_hash_table_lookup(s->asked, &key);

	if (asked == NULL)
		return NULL;
	g_queue_unlink(&s->asked_order, &asked->link);
	(void)g_hash_table_steal(s->asked, asked);
	return asked;
}
