// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How a connection to Redis is, in words for people: state, since when, why, what to do.
 *
 * Knows no socket and no hiredis. One owner, no locking. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ctl_redis_state {
	CTL_REDIS_CONNECTING, // since the start: nothing known yet
	CTL_REDIS_READY,
	CTL_REDIS_UNREACHABLE, // refused, unknown name, no answer, lost
	CTL_REDIS_LOADING, // reads its data set
	CTL_REDIS_READONLY, // is a replica
	CTL_REDIS_FULL, // maxmemory reached
	CTL_REDIS_DENIED, // password or rights
	CTL_REDIS_UNSAFE, // refuses writes: cannot persist them, or lacks replicas
	CTL_REDIS_CONFLICT, // the stream is not as we left it
	CTL_REDIS_FAILING, // any other error reply
	CTL_REDIS_STATE_COUNT,
};

/* "connecting" ... as `wirecue show redis` prints them. */
extern const char *const ctl_redis_state_names[CTL_REDIS_STATE_COUNT];

/* What an error reply (without its '-') means. */
enum ctl_redis_state ctl_redis_state_of(const char *error);

struct ctl_redis_status {
	enum ctl_redis_state state;
	uint64_t since_ns; // wall clock of the last change of state
	char cause[160]; // of the last failure, "" = none yet
	uint64_t n_connects;
	bool is_quiet; // nothing is logged
};

void ctl_redis_status_init(struct ctl_redis_status *status);

/* A change of state is logged, and so is a new cause of the same state.
 * cause: NULL for READY; endpoint: for the log. */
void ctl_redis_status_set(struct ctl_redis_status *status, enum ctl_redis_state state,
	const char *cause, const char *endpoint, uint64_t retry_ms);

/* A connection was established (which is not yet READY). */
void ctl_redis_status_connected(struct ctl_redis_status *status);

/* "Redis at 127.0.0.1:6379 is unreachable (Connection refused): …remedy". */
void ctl_redis_status_sentence(
	const struct ctl_redis_status *status, const char *endpoint, char *ret_text, size_t size);

/* Adds state, since, endpoint, connects, last_error to object. */
void ctl_redis_status_json(
	const struct ctl_redis_status *status, const char *endpoint, json_t *object);
