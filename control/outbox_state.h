// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Inside of the outbox: what outbox.c (queue) and outbox_store.c (what is on disk) share. */

#include "control/outbox.h"
#include "control/outbox_entry.h"

#include <glib.h>

/* An entry in memory, one block with its texts. */
struct ctl_outbox_slot {
	struct ctl_outbox_entry entry; // as it is said
	uint64_t number, typenumber; // as it is stored
	uint64_t wall_ns; // when it was entered
	size_t open_len; // of the event before its numbers
	char texts[]; // subject, NUL, event with numbers, NUL
};

/* Entries up to `up_to` become durable with batch `serial`. */
struct ctl_outbox_sealed {
	uint64_t serial; // CTL_OUTBOX_UNSEALED: the next one
	uint64_t up_to; // number
	uint64_t wall_ns; // when the oldest of them was entered
};
#define CTL_OUTBOX_UNSEALED UINT64_MAX

struct ctl_outbox {
	struct ctl_outbox_config config;
	struct ctl_outbox_numbers numbers;
	bool has_mark; // numbers can be said
	GPtrArray *batch; // struct ctl_trigger *, owned: the open tick

	// The oldest n_memory of what waits; with a store the others are there.
	struct ctl_outbox_slot **ring; // n_slots (a power of two), owned, oldest at head
	size_t n_slots, head, n_memory, memory_bytes;

	uint64_t committed; // number up to which the store has them; without one, of the last
	GArray *sealed; // struct ctl_outbox_sealed, oldest first: what is not committed
	uint64_t cut; // number up to which the store was told to forget
	bool is_changed; // CTL_META_OUTBOX is to be put
	bool is_unreadable; // alarm state: the store's next entry cannot be read
	struct ctl_pack pack; // to write with

	void (*ready_fn)(void *ctx);
	void *ready_ctx;
	struct ctl_outbox_stats stats; // its counters; the rest is filled in when asked
};

static inline uint64_t ctl_outbox_acked(const struct ctl_outbox *outbox)
{
	return outbox->numbers.given.all.acked;
}

static inline uint64_t ctl_outbox_last(const struct ctl_outbox *outbox)
{
	return outbox->numbers.given.all.last;
}

static inline size_t ctl_outbox_n_waiting(const struct ctl_outbox *outbox)
{
	return (size_t)(ctl_outbox_last(outbox) - ctl_outbox_acked(outbox));
}

static inline struct ctl_outbox_slot *ctl_outbox_slot_at(const struct ctl_outbox *outbox, size_t i)
{
	return outbox->ring[(outbox->head + i) & (outbox->n_slots - 1)];
}

/* There is room in memory for another one. The first one always finds it, however large. */
bool ctl_outbox_has_memory(const struct ctl_outbox *outbox);

/* Append a copy to what is in memory. type: interned. */
void ctl_outbox_remember(
	struct ctl_outbox *outbox, const struct ctl_outbox_stored *stored, const char *type);

/* Forget what is in memory; it stands in the store, or the batches on their way there. */
void ctl_outbox_forget(struct ctl_outbox *outbox);

/* Tell the reader, when something is ready. */
void ctl_outbox_tell_ready(struct ctl_outbox *outbox);

/* The entry id of this number, which had id_ms-id_n at entry, as of the renumbering in force. */
void ctl_outbox_say_id(
	const struct ctl_outbox *outbox, uint64_t number, uint64_t *id_ms, uint64_t *id_n);

/* When the oldest waiting entry was entered; 0 = none waits. */
uint64_t ctl_outbox_oldest_wall(const struct ctl_outbox *outbox);

/* Put an entry just numbered into batch. */
void ctl_outbox_put(
	struct ctl_outbox *outbox, struct ctl_batch *batch, const struct ctl_outbox_stored *stored);

/* Put what else changed, and note what becomes durable with the batch. wall_ns: of this seal. */
void ctl_outbox_put_numbers(struct ctl_outbox *outbox, struct ctl_batch *batch, uint64_t wall_ns);

/* Read the next slice when memory has room for it. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_outbox_refill(struct ctl_outbox *outbox, struct dp_err *reterr);

/* The same; a failure is alarmed once, and reading tried again with the next commit. */
void ctl_outbox_refill_or_alarm(struct ctl_outbox *outbox);
