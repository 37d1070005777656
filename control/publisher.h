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
 * The script takes many entries at once and compares the counters with what the sender believes
 * before it adds anything, so the server refuses whatever would be out of order, and answers a resend
 * with "have it". Nothing is ever skipped: what cannot be delivered stays first in the outbox and is
 * tried again. An entry is acknowledged when redis.confirm is met.
 *
 * At each connection the stream's end is compared with the outbox. Behind what was acknowledged, or
 * ahead of what was given: state CONFLICT, and nothing is published until somebody chooses.
 *
 * Thread of the event base only; never blocks it. */

#include "control/config.h"
#include "control/outbox.h"
#include "control/publisher_resume.h"
#include "control/redis_state.h"
#include "dataplane/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_HEARTBEAT_S = 10, // and the length of the stream is looked after
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

/* One record for `show stream`: how the stream and the outbox stand to each other, and in state
 * CONFLICT what each choice would do. Owned by the caller. */
json_t *ctl_publisher_stream_json(const struct ctl_publisher *publisher);

/* The operator's choice in state CONFLICT, by user id uid; carried out as soon as Redis answers. Returns
 * 0 and the sentence what it does, or -EINVAL and the sentence why not. */
[[nodiscard]] int ctl_publisher_choose(struct ctl_publisher *publisher,
	enum ctl_stream_choice choice, uint64_t uid, char *ret_text, size_t size);
