// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Triggers between their decision and their delivery: numbered, serialised once, in order.
 *
 * The engine pushes what a tick decides; sealing the tick sorts that by (time, subject, rule) and
 * enters it. An entry gets its numbers and its Redis entry id at entry and keeps them whatever
 * happens to the connection, so a resend is refused by Redis as a duplicate. The one reader (the
 * publisher) peeks at entries from the oldest on and acknowledges them; until then they stay.
 *
 * Where the numbers of the stream are not known yet (no store, Redis not reached since the start),
 * entries wait unnumbered until ctl_outbox_resume() tells how far the stream is.
 *
 * The bound is hard and nothing is dropped silently: when queue_max entries wait, the newest
 * trigger is refused, counted and an alarm is logged once. Refused ones have no number, so there is
 * no gap in the stream. Control thread only; reads the wall clock for entry ids and (live)
 * recordedtime, nothing else depends on it. */

#include "control/trigger.h"
#include "control/trigger_file.h"

#include <stdbool.h>
#include <stddef.h>

struct ctl_outbox;

struct ctl_outbox_config {
	size_t queue_max; // entries, > 0
	bool is_replay; // recordedtime = time
	bool is_published; // false: nobody reads entries, only the file gets them (--no-redis)
	struct ctl_trigger_file *file; // borrowed until the outbox is freed; NULL = none
	uint64_t (*wall_ns)(void); // NULL = CLOCK_REALTIME; tests give their own
};

/* Read-only for the reader. Entry ids and sequences grow strictly. */
struct ctl_outbox_entry {
	uint64_t id_ms, id_n; // Redis entry id "ms-n"
	uint64_t sequence, typesequence;
	const char *type; // for ever
	const char *subject; // as long as the entry
	const char *event; // JSON text, event_len bytes, NUL-terminated; as long as the entry
	size_t event_len;
};

/* How far a stream is: what the next entry follows. */
struct ctl_outbox_mark {
	uint64_t id_ms, id_n; // last generated entry id, 0-0 = none
	uint64_t sequence;
	const struct ctl_outbox_type_mark {
		const char *type;
		uint64_t typesequence;
	} * types;
	size_t n_types;
};

struct ctl_outbox_stats {
	uint64_t n_entered; // sealed and accepted, since start
	uint64_t n_refused; // the queue was full
	uint64_t n_acked;
	uint64_t acked_sequence; // of the last acknowledged one, or what the mark told
	size_t n_waiting; // entered and not acknowledged
	size_t n_max; // most that ever waited
	bool is_full; // alarm state: set by a refusal, cleared at 3/4 of queue_max
	uint64_t oldest_wall_ns; // when the oldest waiting one was entered; 0 = none waits
};

struct ctl_outbox *ctl_outbox_new(const struct ctl_outbox_config *config);
void ctl_outbox_free(struct ctl_outbox *outbox);

/* Is a ctl_trigger_fn; ctx is the outbox. */
void ctl_outbox_push(void *ctx, struct ctl_trigger *given);

/* The tick is complete: sort and enter what was pushed since the last seal. Called once a tick. */
void ctl_outbox_seal(struct ctl_outbox *outbox);

/* Continue behind mark (borrowed for the call). Once; has_mark tells whether that was done. */
void ctl_outbox_resume(struct ctl_outbox *outbox, const struct ctl_outbox_mark *mark);
bool ctl_outbox_has_mark(const struct ctl_outbox *outbox);

/* Who gives these numbers: a random name, as long as the memory of what was given. So a reader of the
 * stream can tell our numbers from another writer's. */
const char *ctl_outbox_writer(const struct ctl_outbox *outbox);

/* fn is called after entries became ready, from seal or resume. One reader; NULL takes it off. */
void ctl_outbox_on_ready(struct ctl_outbox *outbox, void (*fn)(void *ctx), void *ctx);

/* Entries that may be published now; i = 0 is the oldest. The pointer is borrowed until the entry
 * is acknowledged. */
size_t ctl_outbox_n_ready(const struct ctl_outbox *outbox);
const struct ctl_outbox_entry *ctl_outbox_peek(const struct ctl_outbox *outbox, size_t i);

/* The n oldest are delivered; n <= n_ready. */
void ctl_outbox_ack(struct ctl_outbox *outbox, size_t n);

struct ctl_outbox_stats ctl_outbox_stats(const struct ctl_outbox *outbox);
