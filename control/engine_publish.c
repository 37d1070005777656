// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_state.h"

/* What a mirror of the profiles asks of the engine: who changed, what ended meanwhile, which names
 * are gone. */

// A reader that stays away for longer loses the oldest: its hashes keep no more either.
enum { CLOSED_MAX = CTL_CYCLES_MAX };

static void closed_free(gpointer newest)
{
	struct ctl_closed *c = newest;

	while (c != NULL) {
		struct ctl_closed *const next = c->next;

		g_free(c);
		c = next;
	}
}

void ctl_engine_publish_init(struct ctl_engine *engine)
{
	engine->closed = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, closed_free);
	g_queue_init(&engine->retired);
}

void ctl_engine_publish_fini(struct ctl_engine *engine)
{
	g_hash_table_unref(engine->closed);
	g_queue_clear_full(&engine->retired, g_free);
}

void ctl_engine_keep_unpublished(struct ctl_engine *engine)
{
	engine->keeps_unpublished = true;
}

uint64_t ctl_engine_now(const struct ctl_engine *engine)
{
	return engine->now_ns;
}

uint64_t ctl_engine_n_ids(const struct ctl_engine *engine)
{
	return engine->n_profiles;
}

static struct ctl_closed *closed_new(const struct ctl_profile *profile)
{
	struct ctl_closed *closed = g_malloc0(
		sizeof(*closed) + profile->n_apps * sizeof(closed->uses[0]));

	closed->cycle = profile->period;
	for (uint32_t i = 0; i < profile->n_slots; i++) {
		const struct ctl_app_use *use = &profile->apps[i];

		if (use->app == UINT32_MAX || ctl_profile_period_bytes(profile, use) == 0)
			continue;
		closed->uses[closed->n_uses++] = (struct ctl_closed_use){
			.app = use->app,
			.bytes = {use->period_bytes[0], use->period_bytes[1]},
		};
	}
	return closed;
}

void ctl_engine_close_period(struct ctl_engine *engine, const struct ctl_profile *profile)
{
	struct ctl_closed *closed, *c;
	gpointer key = NULL, older = NULL;
	unsigned n = 1;

	if (!engine->keeps_unpublished || profile->period.end_ns == 0 ||
		!ctl_idset_has(&engine->unpublished, profile->id))
		return;
	closed = closed_new(profile);
	if (g_hash_table_steal_extended(engine->closed, &profile->id, &key, &older))
		closed->next = older;
	else
		key = g_memdup2(&profile->id, sizeof(profile->id));
	for (c = closed; c->next != NULL && n < CLOSED_MAX; c = c->next)
		n++;
	closed_free(c->next);
	c->next = NULL;
	(void)g_hash_table_insert(engine->closed, key, closed);
}

const struct ctl_closed *ctl_engine_closed(const struct ctl_engine *engine, uint64_t id)
{
	return g_hash_table_lookup(engine->closed, &id);
}

void ctl_engine_drop_closed(struct ctl_engine *engine, uint64_t id, uint64_t start_ns)
{
	struct ctl_closed *c = g_hash_table_lookup(engine->closed, &id);

	if (c == NULL)
		return;
	if (c->cycle.start_ns <= start_ns) {
		(void)g_hash_table_remove(engine->closed, &id);
		return;
	}
	while (c->next != NULL && c->next->cycle.start_ns > start_ns)
		c = c->next;
	closed_free(c->next);
	c->next = NULL;
}

void ctl_engine_retire(struct ctl_engine *engine, const char *subject)
{
	if (engine->keeps_unpublished && subject != NULL)
		g_queue_push_tail(&engine->retired, g_strdup(subject));
}

char *ctl_engine_take_retired(struct ctl_engine *engine)
{
	return g_queue_pop_head(&engine->retired);
}

struct ctl_coverage ctl_engine_coverage(const struct ctl_engine *engine)
{
	const struct ctl_sums *s = &engine->counted;
	const double n_seen = s->n_seen > 0 ? (double)s->n_seen : 1;

	return (struct ctl_coverage){
		.capture_loss = s->n_lost / n_seen,
		.unclassified = (double)s->n_unclassified / n_seen,
		.unbound = (double)s->n_unbound / n_seen,
	};
}
