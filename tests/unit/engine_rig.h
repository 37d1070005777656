// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* An engine (engine_fixture.h) whose ticks go into a real store in a folder of its own. */

#include "control/engine_read.h"
#include "control/engine_store.h"
#include "tests/unit/engine_fixture.h"

struct engine_rig {
	char *folder;
	struct ctl_store *store;
	struct ctl_seal *seal;
	uint64_t serial; // of the batch given last
};

void engine_rig_open(struct engine_rig *rig);
void engine_rig_close(struct engine_rig *rig);

/* As control does behind a tick: journal, sweep, give; and wait until it is durable. Returns how
 * many images the batch has. */
size_t engine_rig_save(struct engine_rig *rig, struct ctl_engine *engine, uint64_t end_ns,
	uint64_t budget_ns, bool everything);

/* Into a new engine of the fixture's, which says what the store had; returns the watermark. */
uint64_t engine_rig_restart(struct engine_rig *rig, struct fixture *f);

/* The same, but nobody sleeps: all images are read before anything else is done with them. */
uint64_t engine_rig_restart_awake(struct engine_rig *rig, struct fixture *f);

/* Keys of a table that the store has. */
size_t engine_rig_count(struct engine_rig *rig, enum ctl_table table);

/* Put one value there, as no engine would. */
void engine_rig_put(
	struct engine_rig *rig, enum ctl_table table, uint64_t key, const void *value, size_t len);

/* All that an engine remembers, as text that is the same for equal engines. */
char *engine_text(const struct engine_rig *rig, const struct ctl_engine *engine);

enum { RIG_PERSONS = 40 };
#define RIG_UNLIMITED UINT64_MAX
#define RIG_RULES \
	"  - {id: s, detect: app_session, class: upsell, purpose: marketing, gap: 10min, " \
	"start_after: 0s, min_bytes: 0B}\n" \
	"  - {id: c, detect: competitor, class: retention, purpose: retention, min_days: 1}\n" \
	"  - {id: n, detect: near_cap, class: upsell, purpose: marketing, cooldown: 1h}\n"

/* RIG_PERSONS subscribers at 10.20.1.1 and on, but for the first n_left_out. Owned by the caller. */
char *rig_facts(int n_left_out, const char *cap);

/* Traffic of any kind, of subscribers and strangers; the same for the same seed. */
struct traffic {
	uint32_t seed;
	uint64_t now_ns;
};

/* A number below n. */
uint32_t traffic_draw(struct traffic *t, uint32_t n);

/* The next tick of it into each of the engines. Returns its end. */
uint64_t traffic_play(struct traffic *t, struct fixture *const *fixtures, size_t n_fixtures);

/* One record for each of the first n subscribers, in one tick; then the store's part. Returns the
 * images that were written. */
size_t rig_touch(struct engine_rig *rig, struct fixture *f, uint64_t end_ns, int n_persons,
	uint64_t budget_ns);
