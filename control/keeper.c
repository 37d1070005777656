// SPDX-License-Identifier: BSD-3-Clause
#include "control/keeper.h"

#include "control/dict.h"
#include "control/engine_store.h"
#include "control/log.h"
#include "control/rot_image.h"
#include "control/seal.h"
#include "control/utc.h"

#include <errno.h>
#include <glib.h>
#include <sched.h>
#include <string.h>
#include <time.h>

enum {
	BACKLOG_BATCHES =
		64, // ticks; start value: a disk that stalls for a minute holds nothing up
	THREADS_MAX = 8, // that read profiles at a restart
};
static const size_t BACKLOG_BYTES = 256 << 20;
static const uint64_t IDLE_NS =
	200000000; // without a tick, before the outbox gets a batch of its own
// Of a tick; 10 ms is what the control loop may stand still at most.
static const uint64_t KEEP_NS = 8000000; // journal and images
static const uint64_t IMAGES_MIN_NS = 1000000, IMAGES_MAX_NS = 5000000;

struct ctl_keeper {
	struct ctl_store *store;
	struct ctl_seal *seal;
	struct ctl_gaps *gaps;
	struct ctl_engine *engine; // borrowed
	struct ctl_outbox *outbox; // borrowed
	struct ctl_rot *rot; // borrowed; NULL: nothing of it is kept
	uint64_t rot_hours; // that were over when it was kept last
	uint32_t n_apps, n_tags; // one behind the last id that the store has
	uint64_t serial; // of the last batch given
	uint64_t watermark_ns; // restored
	uint64_t end_ns; // of the last tick given
	uint64_t stopped_ns; // receiving ended then, event time; 0 = it has not
	uint64_t given_ns; // CLOCK_MONOTONIC: when a batch was given last
	uint64_t n_unreadable; // profiles that were complained of
};

void ctl_keeper_number_names(const char *store_path)
{
	struct ctl_dict *const apps = ctl_dict_apps(), *const tags = ctl_dict_tags();

	if (ctl_dict_end(apps) == DP_APP_FIRST && ctl_dict_end(tags) == DP_TAG_NONE + 1)
		ctl_store_dictionaries(store_path, apps, tags);
}

static int open_seal(
	struct ctl_keeper *keeper, const struct ctl_config *config, struct dp_err *reterr)
{
	// A key that is made anew opens no old seal: only an empty store may begin with one.
	const bool is_new = ctl_store_was_unused(keeper->store);
	const int r = ctl_seal_open_key(config->store.key_file, is_new, &keeper->seal, reterr);

	if (r == -ENOENT && !is_new)
		return dp_fail(reterr, ENOENT,
			"the key file '%s' is missing, and the store has profiles that it sealed: put it "
			"back from your copy, or begin anew in another folder (store.path)",
			config->store.key_file);
	return r;
}

int ctl_keeper_open(
	const struct ctl_config *config, struct ctl_keeper **ret_keeper, struct dp_err *reterr)
{
	const struct ctl_store_config sc = {
		.path = config->store.path,
		.node = config->node,
		.tick_ns = config->tick_ns,
		.size_max = config->store.size_max,
		.backlog_max = BACKLOG_BATCHES,
		.backlog_bytes_max = BACKLOG_BYTES,
	};
	struct ctl_keeper *keeper = g_new0(struct ctl_keeper, 1);
	int r;

	keeper->gaps = ctl_gaps_new();
	r = ctl_store_open(&sc, &keeper->store, reterr);
	if (r == 0)
		r = open_seal(keeper, config, reterr);
	if (r < 0) {
		ctl_keeper_close(keeper);
		return r;
	}
	*ret_keeper = keeper;
	return 0;
}

void ctl_keeper_close(struct ctl_keeper *keeper)
{
	if (keeper == NULL)
		return;
	ctl_store_close(keeper->store);
	ctl_seal_free(keeper->seal);
	ctl_gaps_free(keeper->gaps);
	g_free(keeper);
}

struct ctl_store *ctl_keeper_store(struct ctl_keeper *keeper)
{
	return keeper->store;
}

static unsigned n_threads(void)
{
	cpu_set_t set;
	const int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return (unsigned)CLAMP(n, 1, THREADS_MAX);
}

struct names {
	const struct ctl_dict *dict;
	uint32_t end; // one behind the last id
};

static int take_name(void *ctx, uint64_t id, const void *value, size_t len)
{
	struct names *names = ctx;
	const char *known = id < UINT32_MAX ? ctl_dict_name(names->dict, (uint32_t)id) : NULL;

	if (known == NULL || strlen(known) != len || memcmp(known, value, len) != 0)
		return -ESTALE;
	names->end = (uint32_t)id + 1;
	return 0;
}

static int take_names(struct ctl_keeper *keeper, enum ctl_table table, const struct ctl_dict *dict,
	uint32_t *ret_end, struct dp_err *reterr)
{
	struct names names = {.dict = dict};
	const int r = ctl_store_read(keeper->store, table, 0, take_name, &names, reterr);

	*ret_end = names.end;
	// They were read before the store was locked, when another process may still have written.
	if (r == -ESTALE)
		return dp_fail(reterr, ESTALE,
			"the store has got other names of apps or tags while this process started, "
			"expected no other process to use it meanwhile: start again");
	return r;
}

/* Which names the store has: those behind them go with the next batch. A number that means another app
 * here than there would credit it with what the other one was used for. */
static int count_names(struct ctl_keeper *keeper, struct dp_err *reterr)
{
	int r = take_names(keeper, CTL_TABLE_APPS, ctl_dict_apps(), &keeper->n_apps, reterr);

	if (r == 0)
		r = take_names(keeper, CTL_TABLE_TAGS, ctl_dict_tags(), &keeper->n_tags, reterr);
	return r;
}

int ctl_keeper_restore(struct ctl_keeper *keeper, struct ctl_engine *engine,
	struct ctl_outbox *outbox, struct dp_err *reterr)
{
	int r = count_names(keeper, reterr);

	keeper->engine = engine;
	keeper->outbox = outbox;
	if (r == 0)
		r = ctl_store_read(
			keeper->store, CTL_TABLE_GAPS, 0, ctl_gaps_load, keeper->gaps, reterr);
	if (r == 0)
		r = ctl_engine_restore(engine, keeper->store, keeper->seal, n_threads(),
			&keeper->watermark_ns, reterr);
	if (r == 0)
		r = ctl_outbox_restore(outbox, reterr);
	keeper->end_ns = keeper->watermark_ns;
	return r;
}

static int take_rot(void *ctx, uint64_t, const void *value, size_t len)
{
	if (ctl_rot_unpack(ctx, value, len) < 0)
		ctl_log(CTL_LOG_WARNING, "rot_unreadable",
			CTL_TEXT("cause", "it is of another version, or damaged"),
			CTL_TEXT("consequence", "the rot alarm learns anew, for three days"));
	return 0;
}

int ctl_keeper_restore_rot(struct ctl_keeper *keeper, struct ctl_rot *rot, struct dp_err *reterr)
{
	const int r = ctl_store_get(
		keeper->store, CTL_TABLE_META, CTL_META_ROT, take_rot, rot, reterr);

	keeper->rot = rot;
	keeper->rot_hours = ctl_rot_hours(rot);
	return r == -ENOENT ? 0 : r;
}

static void keep_rot(struct ctl_keeper *keeper, bool everything, struct ctl_batch *batch)
{
	struct ctl_pack pack = {0};

	if (keeper->rot == NULL || (ctl_rot_hours(keeper->rot) == keeper->rot_hours && !everything))
		return;
	keeper->rot_hours = ctl_rot_hours(keeper->rot);
	ctl_rot_pack(keeper->rot, &pack);
	ctl_batch_put(batch, CTL_TABLE_META, CTL_META_ROT, pack.data, pack.len);
	ctl_pack_fini(&pack);
}

uint64_t ctl_keeper_watermark(const struct ctl_keeper *keeper)
{
	return keeper->watermark_ns;
}

uint64_t ctl_keeper_committed(const struct ctl_keeper *keeper)
{
	return ctl_store_watermark(keeper->store);
}

static void put_names(struct ctl_batch *batch, enum ctl_table table, const struct ctl_dict *dict,
	uint32_t first, uint32_t *n)
{
	const uint32_t end = ctl_dict_end(dict);

	for (uint32_t id = MAX(*n, first); id < end; id++) {
		const char *name = ctl_dict_name(dict, id);

		ctl_batch_put(batch, table, id, name, strlen(name));
	}
	*n = end;
}

static struct ctl_batch *batch_begin(struct ctl_keeper *keeper, uint64_t end_ns)
{
	struct ctl_batch *batch = ctl_batch_new(++keeper->serial, end_ns);

	put_names(batch, CTL_TABLE_APPS, ctl_dict_apps(), DP_APP_FIRST, &keeper->n_apps);
	put_names(batch, CTL_TABLE_TAGS, ctl_dict_tags(), DP_TAG_NONE + 1, &keeper->n_tags);
	return batch;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void give(struct ctl_keeper *keeper, struct ctl_batch *batch)
{
	keeper->given_ns = monotonic_ns();
	ctl_store_give(keeper->store, batch);
}

void ctl_keeper_stopping(struct ctl_keeper *keeper, uint64_t now_ns)
{
	keeper->stopped_ns = now_ns;
}

/* The last tick may reach behind a stop in order, which is noted as a gap without a length. */
static struct ctl_gap gap_until(const struct ctl_keeper *keeper, uint64_t now_ns)
{
	struct ctl_gap gap = {.from_ns = keeper->watermark_ns, .cause = "wirecue was not running"};
	const size_t n = ctl_gaps_count(keeper->gaps);

	if (n > 0 &&
		ctl_gaps_at(keeper->gaps, n - 1)->to_ns ==
			ctl_gaps_at(keeper->gaps, n - 1)->from_ns)
		gap = *ctl_gaps_at(keeper->gaps, n - 1);
	gap.to_ns = now_ns;
	return gap;
}

void ctl_keeper_gap(struct ctl_keeper *keeper, uint64_t now_ns)
{
	const struct ctl_gap gap = gap_until(keeper, now_ns);
	struct ctl_batch *batch;
	char from[CTL_UTC_MAX];

	if (keeper->watermark_ns == 0 || now_ns <= gap.from_ns)
		return;
	batch = batch_begin(keeper, keeper->end_ns);
	ctl_gaps_add(keeper->gaps, &gap, batch);
	give(keeper, batch);
	ctl_utc_format(gap.from_ns, from);
	ctl_log(CTL_LOG_WARNING, "gap", CTL_TEXT("cause", gap.cause), CTL_TEXT("since", from),
		CTL_COUNT("seconds", (gap.to_ns - gap.from_ns) / 1000000000),
		CTL_TEXT("consequence", "nothing of that time is counted"));
}

void ctl_keeper_reload(struct ctl_keeper *keeper, const struct ctl_config *config)
{
	ctl_store_grow(keeper->store, config->store.size_max);
}

bool ctl_keeper_has_room(const struct ctl_keeper *keeper)
{
	return ctl_store_has_room(keeper->store);
}

/* The journal has to be; images get what it has left of the time. */
static uint64_t images_ns(uint64_t begin_ns)
{
	const uint64_t used_ns = monotonic_ns() - begin_ns;

	return CLAMP(KEEP_NS - MIN(used_ns, KEEP_NS), IMAGES_MIN_NS, IMAGES_MAX_NS);
}

/* Of each tick once, however many they are. */
static void complain_of_unreadable(struct ctl_keeper *keeper)
{
	struct dp_err why;
	const uint64_t n = ctl_engine_n_unreadable(keeper->engine, &why);

	if (n == keeper->n_unreadable)
		return;
	ctl_log(CTL_LOG_ERR, "profile_unreadable", CTL_TEXT("what", "images"),
		CTL_COUNT("count", n - keeper->n_unreadable), CTL_COUNT("total", n),
		CTL_TEXT("cause", why.text),
		CTL_TEXT("consequence", "what was known of them is lost, they begin anew"));
	keeper->n_unreadable = n;
}

static void give_tick(struct ctl_keeper *keeper, uint64_t end_ns, bool everything)
{
	const uint64_t begin_ns = monotonic_ns();
	struct ctl_batch *batch = batch_begin(keeper, end_ns);

	ctl_engine_journal(keeper->engine, end_ns, keeper->seal, batch);
	ctl_outbox_seal(keeper->outbox, batch);
	ctl_gaps_save(keeper->gaps, batch);
	keep_rot(keeper, everything, batch);
	if (everything && keeper->stopped_ns != 0)
		ctl_gaps_add(keeper->gaps,
			&(struct ctl_gap){.from_ns = keeper->stopped_ns,
				.to_ns = keeper->stopped_ns,
				.cause = "wirecue was stopped"},
			batch);
	ctl_engine_sweep(
		keeper->engine, end_ns, images_ns(begin_ns), everything, keeper->seal, batch);
	complain_of_unreadable(keeper);
	keeper->end_ns = end_ns;
	give(keeper, batch);
}

void ctl_keeper_tick(struct ctl_keeper *keeper, uint64_t end_ns)
{
	give_tick(keeper, end_ns, false);
}

int ctl_keeper_fd(const struct ctl_keeper *keeper)
{
	return ctl_store_fd(keeper->store);
}

void ctl_keeper_heard(struct ctl_keeper *keeper)
{
	ctl_store_heard(keeper->store);
	ctl_outbox_committed(keeper->outbox, ctl_store_committed(keeper->store));
}

void ctl_keeper_tend(struct ctl_keeper *keeper)
{
	struct ctl_batch *batch;

	ctl_keeper_heard(keeper);
	if (!ctl_outbox_has_news(keeper->outbox) || !ctl_keeper_has_room(keeper) ||
		monotonic_ns() - keeper->given_ns < IDLE_NS)
		return;
	// No tick: the journal of the last one stays as it is.
	batch = batch_begin(keeper, keeper->end_ns);
	ctl_outbox_seal(keeper->outbox, batch);
	give(keeper, batch);
}

bool ctl_keeper_flush(struct ctl_keeper *keeper, uint64_t timeout_ns)
{
	give_tick(keeper, keeper->end_ns, true);
	if (!ctl_store_flush(keeper->store, timeout_ns))
		return false;
	ctl_keeper_heard(keeper);
	return true;
}

struct ctl_gaps *ctl_keeper_gaps(const struct ctl_keeper *keeper)
{
	return keeper->gaps;
}
