// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What outlives the process, wired: after each tick the engine's changes, the triggers it decided
 * and a slice of images go into one batch; what the store has committed may be published.
 *
 * Without a store there is no keeper, and a restart forgets. Control thread only. */

#include "control/config.h"
#include "control/engine.h"
#include "control/gaps.h"
#include "control/outbox.h"
#include "control/store.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_keeper;

/* Gives apps and tags the numbers that the store in this folder knows them by, before the process
 * gives any: for ctl_config_overrides.number_names. Later calls change nothing. */
void ctl_keeper_number_names(const char *store_path);

/* Open config->store and its key. Before the EAL starts: a store is examined in a child process. */
[[nodiscard]] int ctl_keeper_open(
	const struct ctl_config *config, struct ctl_keeper **ret_keeper, struct dp_err *reterr);
/* Does not wait: what is not committed is lost. NULL is fine. */
void ctl_keeper_close(struct ctl_keeper *keeper);

/* For the outbox, which reads what waits on disk. */
struct ctl_store *ctl_keeper_store(struct ctl_keeper *keeper);

/* Fill a new engine and a new outbox; borrowed until close. */
[[nodiscard]] int ctl_keeper_restore(struct ctl_keeper *keeper, struct ctl_engine *engine,
	struct ctl_outbox *outbox, struct dp_err *reterr);

struct ctl_rot;

/* Fill a new one, and keep what it remembers from here on, whenever an hour of event time is over and at a stop in
 * order; borrowed until close. An image that is none is logged, and it begins anew. */
[[nodiscard]] int ctl_keeper_restore_rot(
	struct ctl_keeper *keeper, struct ctl_rot *rot, struct dp_err *reterr);

/* Event time everything before which was committed before this start; 0 = nothing was. */
uint64_t ctl_keeper_watermark(const struct ctl_keeper *keeper);

/* The same of now. */
uint64_t ctl_keeper_committed(const struct ctl_keeper *keeper);

/* Receiving ends in order: nothing is seen from now_ns on. Kept by the flush that follows. */
void ctl_keeper_stopping(struct ctl_keeper *keeper, uint64_t now_ns);

/* Nothing was seen from the last stop, or else from the watermark, until now_ns. */
void ctl_keeper_gap(struct ctl_keeper *keeper, uint64_t now_ns);

/* A new configuration is in force: its store.size, when it is larger, counts from here on. */
void ctl_keeper_reload(struct ctl_keeper *keeper, const struct ctl_config *config);

/* May a tick be worked? False while the store cannot commit: then nobody may take from workers. */
bool ctl_keeper_has_room(const struct ctl_keeper *keeper);

/* The engine has worked a tick: make it durable, with its triggers. Seals the outbox. */
void ctl_keeper_tick(struct ctl_keeper *keeper, uint64_t end_ns);

/* Readable when something was committed; ctl_keeper_heard hands it to the outbox. */
int ctl_keeper_fd(const struct ctl_keeper *keeper);
void ctl_keeper_heard(struct ctl_keeper *keeper);

/* The same, and what the outbox wants kept though no tick came. Called often. */
void ctl_keeper_tend(struct ctl_keeper *keeper);

/* Everything into images, what was acknowledged out of the outbox, and wait for the disk. False
 * when it did not take it within timeout_ns. */
[[nodiscard]] bool ctl_keeper_flush(struct ctl_keeper *keeper, uint64_t timeout_ns);

/* What is begun or changed there goes with the next tick. */
struct ctl_gaps *ctl_keeper_gaps(const struct ctl_keeper *keeper);
