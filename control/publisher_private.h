// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the files of the publisher share: one object, one thread.
 *
 *   publisher.c          stages: asking, sending, draining; the rhythm; life and end
 *   publisher_call.c     entries on their way: one call of the script each some of them
 *   publisher_confirm.c  when what is in the stream counts as delivered
 *   publisher_stream.c   the stream as found, and the operator's choice
 *   publisher_trim.c     consumer groups and the length of the stream
 *   publisher_json.c     what `show` says */

#include "control/publisher.h"
#include "control/publisher_groups.h"
#include "control/publisher_resume.h"
#include "control/redis_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_SHA1_HEX = 40,
	CTL_REDIS_NUMBER_MAX = 24, // decimal text of 64 bits
	CTL_REDIS_ID_MAX = 48, // "ms-n"
	CTL_CALLS_MAX = 16, // calls of the script in flight; start value
	CTL_CALL_ENTRIES = 64, // entries a call; start value: tests/bench/publish
	CTL_CALL_BYTES = 512 * 1024, // of their events, unless one alone is larger
};

enum ctl_publisher_stage {
	CTL_STAGE_DOWN, // no connection
	CTL_STAGE_ASKING, // script, stream end, counters, heartbeat are on their way
	CTL_STAGE_FULL, // nothing can be written: the stream is trimmed, then it is tried again
	CTL_STAGE_SETTING, // the counters are being set to what the operator chose
	CTL_STAGE_OPEN, // entries may be sent
	CTL_STAGE_DRAINING, // the server has forgotten the script: wait, then ask again
};

/* How an answer of the script becomes an acknowledgement. */
enum ctl_confirm_way {
	CTL_WAY_REPLY, // at once: nothing more was asked for, or it implies the sync
	CTL_WAY_WAIT, // replicas
	CTL_WAY_WAITAOF, // the append-only file, Redis 7.2
	CTL_WAY_UNPROVEN, // nothing is acknowledged; `cause` says what is missing
};

struct ctl_publisher_confirm {
	enum ctl_confirm_way way;
	bool is_asked; // WAIT or WAITAOF is on its way
	uint64_t n_covered; // entries sent before it (ctl_publisher.n_sent_ever)
	int64_t short_since_us; // monotonic; answers have been too few since then, 0 = not
	// What Redis said of its file, as far as it has answered.
	bool has_aof, syncs_always, syncs_while_rewriting;
	char cause[160]; // of UNPROVEN, "" = not known yet
};

struct ctl_publisher_trim {
	GArray *groups; // struct ctl_stream_group, as of the last look
	uint64_t length; // of the stream then
	size_t i_pending; // groups up to this one have told their pending entries
	bool is_looking; // questions are on their way
	bool is_unread; // alarm: the length cannot be held without losing unread entries
	char unread_group[CTL_GROUP_NAME_MAX]; // of which group
	bool was_unread; // and the look before said so of the same: now they may be trimmed
	bool is_old_told; // this Redis cannot trim by id
	char full[160]; // in stage FULL: the refusal
	uint64_t n_trimmed, n_trimmed_unread;
};

struct ctl_publisher {
	struct event_base *base; // borrowed
	struct ctl_publisher_config config;
	struct ctl_redis_link *link;
	struct event *rhythm; // heartbeat, groups, trimming
	char *stream_key, *counters_key, *heartbeat_key, *channel_all, *channel_type;

	enum ctl_publisher_stage stage;
	char sha[CTL_SHA1_HEX + 1]; // of the script, as the server tells
	struct ctl_stream_end asked; // while asking
	struct ctl_stream_end end; // as of the last time that was answered
	bool is_end_known; // it ever was
	enum ctl_stream_verdict verdict; // on it
	enum ctl_stream_choice choice; // of the operator, until it is carried out
	enum ctl_stream_verdict chosen_on; // what it was chosen for

	// What the stream will have when everything sent is in.
	uint64_t tip_sequence;
	char tip_writer[CTL_WRITER_MAX];
	bool tip_exists;

	unsigned calls[CTL_CALLS_MAX]; // entries of each call in flight, oldest at calls_head
	size_t calls_head, n_calls;
	size_t n_sent; // entries 0.. of the outbox that are on their way or in the stream
	size_t n_in; // of these: in the stream, and not acknowledged yet
	uint64_t n_sent_ever, n_acked_ever; // since the connection is up
	struct ctl_publisher_confirm confirm;
	struct ctl_publisher_trim trim;
	bool has_asked_twice; // the script was lost right after it was loaded

	uint64_t n_published; // added by us
	uint64_t n_duplicates; // there already
	uint64_t n_unannounced; // in the stream, but a channel refused
	uint64_t n_lost_by_redis; // acknowledged earlier, not there any more
	uint64_t lost_told_for; // acknowledged sequence at which that was found
	char last_id[CTL_REDIS_ID_MAX]; // of the last acknowledged one
};

/* Give the connection up because of this error reply, and try again later. */
void ctl_publisher_refuse(struct ctl_publisher *publisher, const char *error);

/* The same for a reply that is not what Redis answers to this command. */
void ctl_publisher_refuse_odd(struct ctl_publisher *publisher, const char *command);

/* Ask the server how it is, from the start. Connected, nothing in flight. */
void ctl_publisher_ask(struct ctl_publisher *publisher);

/* While draining: ask again when the last answer is in. */
void ctl_publisher_drained(struct ctl_publisher *publisher);

/* The stream is as it should be: entries may go. */
void ctl_publisher_open(struct ctl_publisher *publisher);

/* Send what is ready, as far as the window reaches. */
void ctl_publisher_pump(struct ctl_publisher *publisher);

/* publisher_call.c: send the next entries of the outbox, at least one is ready; returns how many.
 * _set: make the counters say base (no entries), the stream being as it was found. */
size_t ctl_publisher_call(struct ctl_publisher *publisher);
void ctl_publisher_call_set(struct ctl_publisher *publisher, uint64_t base);

/* The n oldest entries are delivered. */
void ctl_publisher_acknowledge(struct ctl_publisher *publisher, size_t n);

/* publisher_confirm.c. ask: on a new connection. entries: n more are in the stream. sent: something
 * was written, of which a confirmation is due. look: in the rhythm. */
void ctl_publisher_confirm_ask(struct ctl_publisher *publisher);
void ctl_publisher_confirm_entries(struct ctl_publisher *publisher, size_t n);
void ctl_publisher_confirm_sent(struct ctl_publisher *publisher);
void ctl_publisher_confirm_look(struct ctl_publisher *publisher);

/* publisher_stream.c: the stream's end is known. True when entries may go at once; else it was
 * refused, or something is on its way that opens. */
bool ctl_publisher_stream_found(struct ctl_publisher *publisher);

/* publisher_trim.c. look: ask for the groups, then trim. full: the same where the server has refused a
 * write for want of memory, before the connection is given up for that; false when nothing may go. */
void ctl_publisher_trim_init(struct ctl_publisher *publisher);
void ctl_publisher_trim_fini(struct ctl_publisher *publisher);
void ctl_publisher_trim_down(struct ctl_publisher *publisher);
void ctl_publisher_trim_look(struct ctl_publisher *publisher);
bool ctl_publisher_trim_full(struct ctl_publisher *publisher, const char *error);
