// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How far the stream in Redis is, from the replies to XINFO STREAM and HGETALL, and whether that is
 * where the outbox left it. Pure. */

#include "control/outbox.h"

#include <glib.h>
#include <stdbool.h>

struct redisReply;

enum { CTL_WRITER_MAX = 40 };

struct ctl_stream_end {
	struct ctl_outbox_mark mark; // types borrows from type_marks
	bool exists; // the stream does, though it may be empty
	bool has_counters; // the hash exists and was used
	char writer[CTL_WRITER_MAX]; // who moved the counters last, "" = nobody
	uint64_t n_entries; // in the stream now
	GArray *type_marks; // struct ctl_outbox_type_mark, its names are owned
};

void ctl_stream_end_init(struct ctl_stream_end *end);
void ctl_stream_end_fini(struct ctl_stream_end *end);

/* Read one reply into end; both may come from a hostile or foreign server. An absent stream
 * (error "ERR no such key") is an empty one. Return 0, or -EBADMSG when it is not what Redis
 * answers. Error replies other than that are the caller's. */
[[nodiscard]] int ctl_stream_end_info(struct ctl_stream_end *end, const struct redisReply *reply);
[[nodiscard]] int ctl_stream_end_counters(
	struct ctl_stream_end *end, const struct redisReply *reply);

/* What the outbox has given to this stream, as far as it knows. */
struct ctl_stream_ours {
	bool has_mark; // numbers are known
	bool is_fresh; // of a store that has never delivered: it may be as new as the stream is old
	const char *writer; // borrowed
	uint64_t acked, given; // last sequence acknowledged; last one given to an entry
};

enum ctl_stream_verdict {
	CTL_STREAM_FITS, // between acknowledged and given
	CTL_STREAM_ADOPT, // nothing of ours is anywhere: continue it
	CTL_STREAM_UNCOUNTED, // entries, but no counters: nobody knows which number comes next
	CTL_STREAM_GONE, // the counters are there, the stream is not
	CTL_STREAM_BEHIND, // less than was acknowledged
	CTL_STREAM_AHEAD, // more than was given
};

enum ctl_stream_choice {
	CTL_CHOICE_NONE,
	CTL_CHOICE_RESEND, // what the stream has lost, as far as it is kept
	CTL_CHOICE_CONTINUE, // behind what was acknowledged, or behind what the stream has
};

enum ctl_stream_verdict ctl_stream_judge(
	const struct ctl_stream_end *end, const struct ctl_stream_ours *ours);
