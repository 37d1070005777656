// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"
#include "control/sig_sessions_state.h"

#include <string.h>

enum { GONE_MAX = 65536 }; // start value
static const uint64_t GONE_NS = 300ULL *
	1000000000; // longer than a server repeats for; start value

struct gone {
	struct dp_addr teller;
	uint64_t time_ns;
	GList link; // in the queue, oldest first
	char session[];
};

static guint gone_hash(gconstpointer p)
{
	const struct gone *g = p;

	return ctl_addr_hash(&g->teller) * 31 + ctl_name_hash(g->session);
}

static gboolean gone_equal(gconstpointer pa, gconstpointer pb)
{
	const struct gone *a = pa, *b = pb;

	return dp_addr_cmp(&a->teller, &b->teller) == 0 && strcmp(a->session, b->session) == 0;
}

void ctl_sig_gone_init(struct ctl_sessions *s)
{
	s->gone = g_hash_table_new_full(gone_hash, gone_equal, g_free, NULL);
	g_queue_init(&s->gone_order);
}

void ctl_sig_gone_fini(struct ctl_sessions *s)
{
	g_hash_table_unref(s->gone);
}

static struct gone *gone_new(const struct dp_addr *teller, const char *session, uint64_t time_ns)
{
	const size_t size = strlen(session) + 1;
	struct gone *g = g_malloc(sizeof(*g) + size);

	*g = (struct gone){.teller = *teller, .time_ns = time_ns};
	g->link.data = g;
	memcpy(g->session, session, size);
	return g;
}

/* Those that are old enough, and the oldest where there is no room. */
static void forget(struct ctl_sessions *s, uint64_t now_ns)
{
	GList *oldest;

	while ((oldest = g_queue_peek_head_link(&s->gone_order)) != NULL) {
		struct gone *g = oldest->data;

		if (g_hash_table_size(s->gone) < GONE_MAX && now_ns - g->time_ns < GONE_NS)
			break;
		g_queue_unlink(&s->gone_order, oldest);
		(void)g_hash_table_remove(s->gone, g); // frees it
	}
}

void ctl_sig_gone_add(
	struct ctl_sessions *s, const struct dp_addr *teller, const char *session, uint64_t now_ns)
{
	struct gone *g;

	if (ctl_sig_gone_has(s, teller, session, now_ns))
		return;
	g = gone_new(teller, session, now_ns);
	g_queue_push_tail_link(&s->gone_order, &g->link);
	(void)g_hash_table_add(s->gone, g);
}

bool ctl_sig_gone_has(
	struct ctl_sessions *s, const struct dp_addr *teller, const char *session, uint64_t now_ns)
{
	g_autofree struct gone *key = gone_new(teller, session, now_ns);

	forget(s, now_ns);
	return g_hash_table_contains(s->gone, key);
}
