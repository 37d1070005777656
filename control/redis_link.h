// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One connection to Redis that comes back: resolve, connect, authenticate, select, time out, retry.
 *
 * Whoever owns a link (the publisher) is told when the connection is up, sends commands, and is
 * told when it is gone; everything unanswered is then unanswered for ever and the owner decides
 * what to send again. Never blocks: names are resolved by libevent, timeouts are its timers. Retries
 * double deterministically from retry_min to retry_max and start again after ctl_redis_link_progress.
 * Logs each change of state once. Thread of the event base only. */

#include "control/config.h"
#include "control/redis_state.h"
#include "dataplane/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct redisReply;
struct ctl_redis_link;

struct ctl_redis_link_ops {
	/* Authenticated, database selected. The owner may send; it calls ctl_redis_link_ready when
	 * it knows that it can work. */
	void (*up)(void *ctx);
	/* The connection is gone and so are all replies. The link retries on its own. */
	void (*down)(void *ctx);
	bool is_quiet; // changes of state are not logged: another link to the same server does
};

/* A kind of command: its reply handler. Static, compared by nobody. */
struct ctl_redis_call {
	/* reply: borrowed for the call. Not called when the connection goes first. */
	void (*reply)(void *ctx, const struct redisReply *reply);
};

/* config and ops are borrowed until free. Ignores SIGPIPE for the process, since hiredis writes
 * to sockets that may be gone. The first attempt starts at once. */
[[nodiscard]] int ctl_redis_link_new(struct event_base *base, const struct ctl_redis_config *config,
	const struct ctl_redis_link_ops *ops, void *ctx, struct ctl_redis_link **ret_link,
	struct dp_err *reterr);
void ctl_redis_link_free(struct ctl_redis_link *link);

/* argv: n_args strings, copied. Replies come in order. Does nothing when the connection is gone. */
void ctl_redis_link_send(struct ctl_redis_link *link, const struct ctl_redis_call *call, int n_args,
	const char *const *argv);

/* The owner can work: state READY. */
void ctl_redis_link_ready(struct ctl_redis_link *link);

/* A write was accepted: the next failure starts again at retry_min. */
void ctl_redis_link_progress(struct ctl_redis_link *link);

/* Give the connection up because of what the server said, and try again later. down() is not
 * called: the owner knows. */
void ctl_redis_link_fail(
	struct ctl_redis_link *link, enum ctl_redis_state state, const char *cause);

/* The same, and the connection stays: it works, but not as it should. */
void ctl_redis_link_hold(
	struct ctl_redis_link *link, enum ctl_redis_state state, const char *cause);

/* Make the next attempt now, if one is being waited for. */
void ctl_redis_link_now(struct ctl_redis_link *link);

enum ctl_redis_state ctl_redis_link_state(const struct ctl_redis_link *link);

/* What the last refusal said; "" = there was none. */
const char *ctl_redis_link_cause(const struct ctl_redis_link *link);

/* "Redis at 127.0.0.1:6379 is unreachable (connection refused): is it running …?", one sentence
 * with the remedy; in state READY "Redis at … is ready". */
void ctl_redis_link_sentence(const struct ctl_redis_link *link, char *ret_text, size_t size);

/* Adds state, since, endpoint, connects, last_error to object. */
void ctl_redis_link_json(const struct ctl_redis_link *link, json_t *object);
