// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A restart behind which all sleep: five subscribers and a stranger, each with 1000 bytes. */

#include "tests/unit/engine_rig.h"

enum { N_SEEN = 5 }; // of the subscribers, ids 1..; and the stranger behind them
#define STRANGER "10.20.1.200"
#define ASLEEP_ALL "1 2 3 4 5 6 "

struct world {
	struct engine_rig rig;
	struct fixture f;
	uint64_t now_ns; // end of the last tick
};

/* Some have watched something, which is over, and nothing is left in the journal. Then a restart. */
void world_open(struct world *w, const char *facts);
void world_close(struct world *w);

/* One record in a tick of its own. */
void world_use(struct world *w, const char *endpoint, const char *app, uint64_t n_bytes);
void world_save(struct world *w, bool everything);
void world_restart(struct world *w, const char *rules, const char *facts);

/* Who sleeps: ids in order, a blank behind each. */
void assert_asleep(const struct world *w, const char *expected);

/* Bytes down of a usage report. */
long sum_bytes(json_t *usage);
long bytes_of(const struct world *w, const char *identifier); // -1: nothing is known
long bytes_of_all(const struct world *w);

/* What the store says of the profile by now, by a restart. */
void assert_kept(struct world *w, const char *facts, const char *identifier, long n_bytes);
