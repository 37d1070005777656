// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Triggers between their decision and their delivery: numbered, serialised once, in order, durable.
 *
 * The engine pushes what a tick decides; sealing the tick sorts that by (time, subject, rule) and
 * enters it. An entry gets its numbers and its Redis entry id at entry and keeps them whatever
 * happens to the connection or the process, so a resend is refused by Redis as a duplicate. The one
 * reader (the publisher) peeks at entries from the oldest on and acknowledges them; until then they
 * stay.
 *
 * With a store, a seal puts the entries and the numbers given last into the tick's batch; they
 * become ready when that batch is committed. The store is the authority: a new one begins at 1 at
 * once, and nothing waits for Redis. When the stream in Redis turns out to be further than that,
 * ctl_outbox_renumber() moves everything that waits behind it.
 *
 * Without a store, entries wait unnumbered until ctl_outbox_resume() tells how far the stream is,
 * and are gone with the process.
 *
 * Memory holds the oldest memory_max entries; the others stand in the store only and are read from
 * there, a slice at a time, when their turn comes.
 *
 * The bound is hard and nothing is dropped silently: when queue_max entries wait, the newest
 * trigger is refused, counted and an alarm is logged once. Refused ones have no number, so there is
 * no gap in the stream. Control thread only; reads the wall clock for entry ids and (live)
 * recordedtime, nothing else depends on it.
 *
 * In the store an entry's key is its number in this store, from 1, and never changes; what is said
 * outside is that plus a shift, kept with the numbers given last in CTL_META_OUTBOX. So renumbering
 * is one small value, however many entries wait (outbox_entry.h has the bytes). */

#include "control/batch.h"
#include "control/store.h"
#include "control/trigger.h"
#include "control/trigger_file.h"
#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>

struct ctl_outbox;

enum {
	CTL_OUTBOX_MEMORY_MAX = 65536, // entries in memory, default
	CTL_OUTBOX_MEMORY_BYTES = 64 << 20, // and never more bytes than this
};

struct ctl_outbox_config {
	size_t queue_max; // entries, > 0: memory and store together
	struct ctl_store *store; // borrowed until the outbox is freed; NULL = in memory only
	size_t memory_max; // entries in memory (with a store); 0 = CTL_OUTBOX_MEMORY_MAX
	uint64_t n_retained; // delivered entries that stay in the store, for ctl_outbox_rewind
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
	size_t n_types; // <= CTL_OUTBOX_TYPES_MAX (outbox_entry.h)
};

struct ctl_outbox_stats {
	uint64_t n_entered; // sealed and accepted, since start
	uint64_t n_refused; // the queue was full
	uint64_t n_acked;
	uint64_t acked_sequence; // of the last acknowledged one, or what the mark told
	uint64_t last_sequence; // given last
	size_t n_waiting; // entered and not acknowledged, in memory or not
	size_t n_in_store; // of these: not in memory
	size_t n_uncommitted; // of these: the store has not committed them yet
	size_t n_max; // most that ever waited
	bool is_full; // alarm state: set by a refusal, cleared at 3/4 of queue_max
	uint64_t oldest_wall_ns; // when the oldest waiting one was entered; 0 = none waits
};

struct ctl_outbox *ctl_outbox_new(const struct ctl_outbox_config *config);
void ctl_outbox_free(struct ctl_outbox *outbox);

/* What the store has: numbers, writer, and the entries that were not acknowledged, which are ready
 * at once. With a trigger file: it is cut to what the store knows of it. Needs a store; called
 * before anything is pushed or sealed. An empty store is fine: numbers begin at 1. Returns 0, or
 * -errno with a sentence. */
[[nodiscard]] int ctl_outbox_restore(struct ctl_outbox *outbox, struct dp_err *reterr);

/* Is a ctl_trigger_fn; ctx is the outbox. */
void ctl_outbox_push(void *ctx, struct ctl_trigger *given);

/* The tick is complete: sort and enter what was pushed since the last seal. Called once a tick, and
 * whenever ctl_outbox_has_news().
 *
 * batch: borrowed for the call; NULL if and only if there is no store. It gets the entries, what
 * changed since the last seal (numbers, acknowledgements, a renumbering), and cuts off entries that
 * need not be kept any more. Give it to the store; entries become ready by ctl_outbox_committed().
 * The lines of the trigger file are with the kernel when this returns. */
void ctl_outbox_seal(struct ctl_outbox *outbox, struct ctl_batch *batch);

/* A seal would write something, though nothing was pushed: acknowledgements or a renumbering. The
 * latter holds all entries back until it is committed; so where no tick comes (a replay that waits
 * for Redis, a clean stop) seal a batch of its own. */
bool ctl_outbox_has_news(const struct ctl_outbox *outbox);

/* Batches up to serial are durable: what was sealed into them may be published. */
void ctl_outbox_committed(struct ctl_outbox *outbox, uint64_t serial);

/* Without a store: continue behind mark (borrowed for the call). Once. has_mark tells whether the
 * numbers are known: always, with a store. */
void ctl_outbox_resume(struct ctl_outbox *outbox, const struct ctl_outbox_mark *mark);
bool ctl_outbox_has_mark(const struct ctl_outbox *outbox);

/* With a store: nothing from it was ever acknowledged and it was never renumbered, so it does not
 * know what the stream was before it. A stream that is further and was brought there by another
 * writer than ctl_outbox_writer() is then the one to continue, without asking. */
bool ctl_outbox_is_fresh(const struct ctl_outbox *outbox);

/* Everything that waits, and all that comes, gets numbers and entry ids behind mark (borrowed for the
 * call). With a store, nothing is ready until a later seal's batch is committed; entries peeked
 * at before are not valid any more. Not while entries are in flight. What was delivered before
 * cannot be sent again: it had other numbers. */
void ctl_outbox_renumber(struct ctl_outbox *outbox, const struct ctl_outbox_mark *mark);

/* Send again from sequence + 1 on: delivered entries that are kept wait again, with the numbers and
 * ids they had. Entries peeked at before are not valid any more. Not while entries are in flight.
 * Returns 0; -ENOENT when sequence + 1 is not kept any more, with a sentence that names what is;
 * -EINVAL when sequence was not delivered yet; or what reading the store failed with. */
[[nodiscard]] int ctl_outbox_rewind(
	struct ctl_outbox *outbox, uint64_t sequence, struct dp_err *reterr);

/* Sequence of the oldest entry that is kept, delivered or not; of the next one when there is none. */
uint64_t ctl_outbox_oldest_kept(const struct ctl_outbox *outbox);

/* Who gives these numbers: a random name, as long as the memory of what was given: of the store, or
 * of the process without one. So a reader of the stream can tell our numbers from another writer's. */
const char *ctl_outbox_writer(const struct ctl_outbox *outbox);

/* fn is called after entries became ready, from seal, committed, resume or rewind. One reader; NULL
 * takes it off. */
void ctl_outbox_on_ready(struct ctl_outbox *outbox, void (*fn)(void *ctx), void *ctx);

/* Entries that may be published now; i = 0 is the oldest. Those in memory only: more may become
 * ready by an acknowledgement, which may read the next ones from the store. The pointer is borrowed
 * until the entry is acknowledged. */
size_t ctl_outbox_n_ready(const struct ctl_outbox *outbox);
const struct ctl_outbox_entry *ctl_outbox_peek(const struct ctl_outbox *outbox, size_t i);

/* Entry id of one that waits, by its sequence, in memory or not. Returns 0; -ENOENT when the store has
 * not committed it: nobody was told of it under this number; or what reading the store failed with,
 * with a sentence. */
[[nodiscard]] int ctl_outbox_id(struct ctl_outbox *outbox, uint64_t sequence, uint64_t *ret_ms,
	uint64_t *ret_n, struct dp_err *reterr);

/* The n oldest are delivered; n <= n_ready. Durable with the next seal. */
void ctl_outbox_ack(struct ctl_outbox *outbox, size_t n);

struct ctl_outbox_stats ctl_outbox_stats(const struct ctl_outbox *outbox);
