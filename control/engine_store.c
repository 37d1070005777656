// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_store.h"

#include "control/cycle.h"
#include "control/engine_format.h"
#include "control/engine_state.h"
#include "control/profile_image.h"

#include <string.h>
#include <time.h>

// Start values: what a restart has to read behind the images, against how often images are written.
#define ROUND_NS (60 * CTL_SECOND_NS)
enum {
	ROUND_TICKS = 30,
	JOURNAL_BYTES = 4 << 20, // of a value, about: a reload may change everybody in one tick
};

static void pack_count(struct ctl_pack *pack, const char *name, uint64_t count)
{
	ctl_pack_text(pack, name);
	ctl_pack_u64(pack, count);
}

static void pack_counts(const struct ctl_engine *engine, struct ctl_pack *pack)
{
	GHashTableIter rules, reasons;
	gpointer rule, by_reason, name, count;
	size_t opened = ctl_pack_open(pack, CTL_ENGINE_TRIGGERS);

	g_hash_table_iter_init(&rules, engine->n_triggers);
	while (g_hash_table_iter_next(&rules, &name, &count))
		pack_count(pack, name, *(const uint64_t *)count);
	ctl_pack_close(pack, opened);
	g_hash_table_iter_init(&rules, engine->n_suppressed);
	while (g_hash_table_iter_next(&rules, &rule, &by_reason)) {
		opened = ctl_pack_open(pack, CTL_ENGINE_SUPPRESSED);
		ctl_pack_text(pack, rule);
		g_hash_table_iter_init(&reasons, by_reason);
		while (g_hash_table_iter_next(&reasons, &name, &count))
			pack_count(pack, name, *(const uint64_t *)count);
		ctl_pack_close(pack, opened);
	}
}

static void put_meta(struct ctl_engine *engine, struct ctl_batch *batch)
{
	struct ctl_pack pack = {0};
	size_t opened = ctl_pack_open(&pack, CTL_ENGINE_NODE);

	ctl_pack_u64(&pack, engine->now_ns);
	ctl_pack_u64(&pack, engine->born_ns);
	ctl_pack_u64(&pack, engine->n_profiles);
	ctl_pack_u64(&pack, engine->sums.n_seen);
	ctl_pack_u64(&pack, engine->sums.n_unbound);
	ctl_pack_f64(&pack, engine->sums.n_lost);
	ctl_pack_u64(&pack, engine->other_bytes[0]);
	ctl_pack_u64(&pack, engine->other_bytes[1]);
	ctl_pack_u64(&pack, engine->sums.n_unclassified);
	ctl_pack_close(&pack, opened);
	opened = ctl_pack_open(&pack, CTL_ENGINE_NAMING);
	ctl_pack_text(&pack, engine->naming);
	ctl_pack_close(&pack, opened);
	pack_counts(engine, &pack);
	ctl_batch_put(batch, CTL_TABLE_META, CTL_META_ENGINE, pack.data, pack.len);
	ctl_pack_fini(&pack);
}

static void pack_profile(struct ctl_engine *engine, struct ctl_profile *profile,
	struct ctl_seal *seal, struct ctl_pack *pack)
{
	const size_t opened = ctl_pack_open(pack, CTL_TICK_PROFILE);

	ctl_pack_u64(pack, profile->id);
	ctl_profile_pack_changes(profile, seal, pack);
	ctl_pack_close(pack, opened);
	ctl_idset_add(&engine->unwritten, profile->id);
}

/* What is packed, behind what the journal has. */
static void put_journal(struct ctl_engine *engine, uint64_t end_ns, struct ctl_batch *batch)
{
	struct ctl_pack *pack = &engine->packed;

	if (pack->len == 0)
		return;
	// What a reload changes behind a tick must not take the tick's place.
	engine->journal_ns = MAX(end_ns, engine->journal_ns + 1);
	ctl_batch_put(batch, CTL_TABLE_JOURNAL, engine->journal_ns, pack->data, pack->len);
	ctl_pack_clear(pack);
}

static void put_image(struct ctl_engine *engine, uint64_t id, uint64_t end_ns,
	struct ctl_seal *seal, struct ctl_batch *batch)
{
	struct ctl_pack *pack = &engine->packed;

	ctl_pack_clear(pack);
	ctl_profile_pack_image(ctl_engine_profile(engine, id), end_ns, seal, pack);
	ctl_batch_put(batch, CTL_TABLE_PROFILES, id, pack->data, pack->len);
	ctl_idset_remove(&engine->round.todo, id);
	ctl_idset_remove(&engine->unwritten, id);
}

/* Those that began anew, since their images could not be read, get images that can. */
static void put_unreadable(
	struct ctl_engine *engine, uint64_t end_ns, struct ctl_seal *seal, struct ctl_batch *batch)
{
	struct ctl_idset *ids = &engine->unreadable.ids;

	for (uint64_t id = ctl_idset_next(ids, 1); id != UINT64_MAX;
		id = ctl_idset_next(ids, id + 1)) {
		ctl_idset_remove(ids, id);
		put_image(engine, id, end_ns, seal, batch);
	}
}

void ctl_engine_journal(
	struct ctl_engine *engine, uint64_t end_ns, struct ctl_seal *seal, struct ctl_batch *batch)
{
	struct ctl_idset *changed = &engine->changed;
	struct ctl_pack *pack = &engine->packed;

	ctl_pack_clear(pack);
	for (uint64_t id = ctl_idset_next(changed, 1); id != UINT64_MAX;
		id = ctl_idset_next(changed, id + 1)) {
		pack_profile(engine, ctl_engine_peek(engine, id), seal, pack);
		ctl_idset_remove(changed, id);
		if (pack->len >= JOURNAL_BYTES)
			put_journal(engine, end_ns, batch);
	}
	for (guint i = 0; i < engine->forgotten->len; i++) {
		const uint64_t id = g_array_index(engine->forgotten, uint64_t, i);
		const size_t opened = ctl_pack_open(pack, CTL_TICK_FORGOTTEN);

		ctl_pack_u64(pack, id);
		ctl_pack_close(pack, opened);
		ctl_batch_delete(batch, CTL_TABLE_PROFILES, id);
	}
	g_array_set_size(engine->forgotten, 0);
	put_journal(engine, end_ns, batch);
	put_unreadable(engine, MAX(end_ns, engine->journal_ns), seal, batch);
	put_meta(engine, batch);
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); // cannot fail for this clock
	return (uint64_t)t.tv_sec * CTL_SECOND_NS + (uint64_t)t.tv_nsec;
}

/* What is unwritten now is to be written by the end of the round; what changes meanwhile is for the
 * next one. */
static void round_begin(struct ctl_engine *engine, uint64_t end_ns)
{
	struct ctl_round *round = &engine->round;
	const struct ctl_idset empty = round->todo;

	round->todo = engine->unwritten;
	engine->unwritten = empty;
	round->began_ns = MAX(end_ns, engine->journal_ns);
	round->slice = round->todo.n_ids / ROUND_TICKS + 1;
	round->next_id = 1;
	round->is_under_way = true;
}

/* Returns whether the round is complete. */
static bool round_go_on(struct ctl_engine *engine, uint64_t end_ns, uint64_t n_images_max,
	uint64_t until_ns, struct ctl_seal *seal, struct ctl_batch *batch)
{
	struct ctl_round *round = &engine->round;
	uint64_t n_images = 0;

	for (;;) {
		round->next_id = ctl_idset_next(&round->todo, round->next_id);
		if (round->next_id == UINT64_MAX)
			return true;
		if (n_images == n_images_max || (n_images > 0 && clock_ns() >= until_ns))
			return false;
		put_image(engine, round->next_id, end_ns, seal, batch);
		n_images++;
	}
}

static void round_end(struct ctl_engine *engine, struct ctl_batch *batch)
{
	engine->round.is_under_way = false;
	ctl_batch_cut(batch, CTL_TABLE_JOURNAL, engine->round.began_ns);
}

/* Everything that is not in an image yet, and nothing left of the journal. */
static void write_all(
	struct ctl_engine *engine, uint64_t end_ns, struct ctl_seal *seal, struct ctl_batch *batch)
{
	if (engine->round.is_under_way) {
		engine->round.next_id = 1;
		(void)round_go_on(engine, end_ns, UINT64_MAX, UINT64_MAX, seal, batch);
	}
	round_begin(engine, end_ns);
	(void)round_go_on(engine, end_ns, UINT64_MAX, UINT64_MAX, seal, batch);
	round_end(engine, batch);
}

void ctl_engine_sweep(struct ctl_engine *engine, uint64_t end_ns, uint64_t budget_ns,
	bool everything, struct ctl_seal *seal, struct ctl_batch *batch)
{
	struct ctl_round *round = &engine->round;
	const uint64_t now_ns = clock_ns();

	end_ns = MAX(end_ns, engine->journal_ns);
	if (everything) {
		write_all(engine, end_ns, seal, batch);
		return;
	}
	if (round->began_ns == 0)
		round->began_ns = end_ns;
	if (!round->is_under_way && end_ns >= round->began_ns + ROUND_NS)
		round_begin(engine, end_ns);
	if (round->is_under_way &&
		round_go_on(engine, end_ns, round->slice,
			now_ns + MIN(budget_ns, UINT64_MAX - now_ns), seal, batch))
		round_end(engine, batch);
}
