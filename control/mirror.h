// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Mirrors what is known of each subscriber to Redis, for whoever decides about a contact:
 *
 *   PREFIXusage:{SUBJECT}      hash: bytes by cycle, node, app and direction
 *   PREFIXprofile:{SUBJECT}    hash: what to know before a contact (hashes.h, docs/hashes.md)
 *   PREFIXmirror:{NODE}        key: a token of this process and when it was set, so that a Redis
 *                              that has lost something is noticed
 *
 * All values are absolute: writing twice does no harm, and nothing waits here but the set of who
 * has changed. On a connection of its own, so that triggers never wait behind it. Thread of the
 * event base only; at most 2 ms a turn. */

#include "control/config.h"
#include "control/engine.h"
#include "control/redis_state.h"
#include "dataplane/err.h"

#include <jansson.h>
#include <stddef.h>

enum {
	CTL_MIRROR_WINDOW = 512, // writes in flight; start value
	CTL_MIRROR_TURN_MS = 20,
	CTL_MIRROR_MARK_S = 10, // how often at least Redis is asked whether it still has everything
};

struct event_base;
struct ctl_mirror;

struct ctl_mirror_config {
	const struct ctl_redis_config *redis; // borrowed until free
	const char *node; // borrowed until free
	struct ctl_engine *engine; // borrowed until free; the mirror is the one who publishes it
};

/* Connects at once and for ever; Redis need not be there. Returns -EINVAL for a URL that is none. */
[[nodiscard]] int ctl_mirror_new(struct event_base *base, const struct ctl_mirror_config *config,
	struct ctl_mirror **ret_mirror, struct dp_err *reterr);
void ctl_mirror_free(struct ctl_mirror *mirror); // NULL is fine

/* The engine has a new configuration: everybody is looked at again. */
void ctl_mirror_reload(struct ctl_mirror *mirror);

enum ctl_redis_state ctl_mirror_state(const struct ctl_mirror *mirror);

/* Subscribers whose hashes are behind, and names that are to be removed. */
uint64_t ctl_mirror_n_waiting(const struct ctl_mirror *mirror);

/* Adds hashes_state, hashes_written, hashes_waiting to object, for `show redis`. */
void ctl_mirror_json(const struct ctl_mirror *mirror, json_t *object);
