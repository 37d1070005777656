// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A store with something of everything in it, made through the real interfaces. The persons are
 * +999…, 00101… and so on; key: that seals them, a file. */

#include "control/seal.h"
#include "control/store.h"

enum {
	STORE_FIXTURE_PROFILES = 100,
	STORE_FIXTURE_RETAINED = 5, // triggers kept of those that are delivered
};

struct store_fixture {
	struct ctl_store *store;
	struct ctl_seal *seal;
	uint64_t serial; // of the batch given last; 0 = none
};

/* Opens the store, which is made when it is missing. Ends the program with a sentence when it
 * cannot. size_max 0: 64 MB. */
void store_fixture_open(
	struct store_fixture *fixture, const char *folder, const char *key, uint64_t size_max);
void store_fixture_close(struct store_fixture *fixture);

/* Give one batch: what a tick changed, one trigger, the numbers given last, the state of the node,
 * the image of one profile, all of them bearing the number of the tick; the first one also names, a
 * gap and every profile. Tick t ends at t seconds after 2026-03-01. */
void store_fixture_tick(struct store_fixture *fixture);

/* Wait until everything given is durable. */
void store_fixture_flush(struct store_fixture *fixture);
