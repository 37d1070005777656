// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Delivers the outbox to Redis: each trigger into the stream and both channels in one server-side
 * step, in order, without gaps, not twice.
 *
 *   PREFIXtriggers:{0}             stream: fields event, type, subject; the delivery
 *   PREFIXtriggers                 channel: every event
 *   PREFIXtrigger:TYPE             channel: the events of one type
 *   PREFIXsequence:{0}             hash: `sequence` and `type:TYPE`, the last numbers in the stream,
 *                                  and `writer`, who gave them
 *   PREFIXheartbeat:{NODE}         JSON, every 10 s, lives 30 s
 *
 * The script compares the counters with what the sender believes before it adds anything, so the
 * server refuses whatever would be out of order, and answers a resend with "have it". Nothing is
 * ever skipped: what cannot be delivered stays first in the outbox and is tried again.
 *
 * Thread of the event base only; never blocks it. */

#include "control/config.h"
#include "control/outbox.h"
#include "control/redis_state.h"
#include "dataplane/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_PUBLISHER_WINDOW = 256, // triggers in flight; start value
	CTL_HEARTBEAT_S = 10,
	CTL_HEARTBEAT_TTL_S = 30,
};

struct event_base;
struct ctl_publisher;

/* Fields of the heartbeat that the publisher does not know (watermark, coverage): adds them to
 * object. */
typedef void ctl_heartbeat_fn(void *ctx, json_t *object);

struct ctl_publisher_config {
	const struct ctl_redis_config *redis; // borrowed until free
	const char *node; // borrowed until free
	struct ctl_outbox *outbox; // borrowed until free; the publisher is its reader
	ctl_heartbeat_fn *heartbeat; // NULL: no heartbeat is written (replay)
	void *heartbeat_ctx;
};

/* Connects at once and for ever; Redis need not be there. Returns -EINVAL for a URL that is none. */
[[nodiscard]] int ctl_publisher_new(struct event_base *base,
	const struct ctl_publisher_config *config, struct ctl_publisher **ret_publisher,
	struct dp_err *reterr);

/* What was not acknowledged stays in the outbox. */
void ctl_publisher_free(struct ctl_publisher *publisher);

/* Run the event base until every entry of the outbox is acknowledged or timeout_ns have passed.
 * Not from inside the loop. Returns how many are left. */
size_t ctl_publisher_flush(struct ctl_publisher *publisher, uint64_t timeout_ns);

enum ctl_redis_state ctl_publisher_state(const struct ctl_publisher *publisher);

/* One sentence: how Redis is and what to do about it. */
void ctl_publisher_sentence(const struct ctl_publisher *publisher, char *ret_text, size_t size);

/* One record for `show redis`; owned by the caller. */
json_t *ctl_publisher_json(const struct ctl_publisher *publisher);
