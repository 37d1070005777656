// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How far the stream in Redis is, from the replies to XINFO STREAM and HGETALL. Pure. */

#include "control/outbox.h"

#include <glib.h>
#include <stdbool.h>

struct redisReply;

struct ctl_stream_end {
	struct ctl_outbox_mark mark; // types borrows from type_marks
	bool has_counters; // the hash exists and was used
	char writer[40]; // who moved the counters last, "" = nobody
	uint64_t n_entries; // in the stream now
	GArray *type_marks; // struct ctl_outbox_type_mark, its names are interned
};

void ctl_stream_end_init(struct ctl_stream_end *end);
void ctl_stream_end_fini(struct ctl_stream_end *end);

/* Read one reply into end; both may come from a hostile or foreign server. An absent stream
 * (error "ERR no such key") is an empty one. Return 0, or -EBADMSG when it is not what Redis
 * answers. Error replies other than that are the caller's. */
[[nodiscard]] int ctl_stream_end_info(struct ctl_stream_end *end, const struct redisReply *reply);
[[nodiscard]] int ctl_stream_end_counters(
	struct ctl_stream_end *end, const struct redisReply *reply);
