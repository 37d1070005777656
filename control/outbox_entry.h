// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The outbox as bytes, in the store (pack.h). Parts that a reader does not know are skipped.
 *
 *   CTL_TABLE_OUTBOX, key: number of the entry
 *     part 1   number, typenumber, wall_ns, id_ms, id_n
 *     part 2   type            part 3   subject
 *     part 4   event: a JSON object, without its numbers
 *
 *   CTL_META_OUTBOX
 *     part 1   counts over all: last, acked, shift
 *     part 2   each type: name, last, acked, shift
 *     part 3   last entry id, oldest kept number, is nothing known of the stream before
 *     part 4   renumbered entries: first and last number, entry id of the first
 *     part 5   writer
 *     part 6   lines of the trigger file; part 7 each type: name, lines of it
 *
 * An entry is said as number + shift. Pure; any thread. */

#include "control/numbering.h"
#include "control/pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_OUTBOX_TYPE_MAX = 63, // bytes, as in struct ctl_trigger
	CTL_OUTBOX_SUBJECT_MAX = 127,
	CTL_OUTBOX_EVENT_MAX = 1 << 20,
	CTL_OUTBOX_WRITER_MAX = 39,
	CTL_OUTBOX_TYPES_MAX = 512, // of ours, a few dozen; and of those that a stream had before
};
#define CTL_OUTBOX_NUMBER_MAX (1ULL << 53) // so that sums of them cannot overflow

/* Not NUL-terminated, no NUL in it. */
struct ctl_outbox_text {
	const char *at;
	size_t len;
};

struct ctl_outbox_stored {
	uint64_t number, typenumber; // from 1
	uint64_t wall_ns; // when it was entered
	uint64_t id_ms, id_n; // as given at entry; renumbered ones have another (below)
	struct ctl_outbox_text type, subject, event; // borrowed
};

/* Append to pack. */
void ctl_outbox_entry_pack(struct ctl_pack *pack, const struct ctl_outbox_stored *entry);

/* Returns 0, or -EBADMSG when it is not an entry; the texts of *ret_entry are in data. */
[[nodiscard]] int ctl_outbox_entry_unpack(
	const void *data, size_t len, struct ctl_outbox_stored *ret_entry);

/* What outlives the entries. */
struct ctl_outbox_numbers {
	struct ctl_numbering given; // to entries
	struct ctl_numbering lines; // to lines of the trigger file, whether there is one or not
	uint64_t last_ms, last_n; // entry id given last
	uint64_t kept; // number of the oldest entry in the store, or of the next one
	bool is_fresh; // nothing acknowledged, nothing known of the stream before
	struct ctl_outbox_moved {
		uint64_t from, to; // numbers; 0, 0 = none
		uint64_t id_ms, id_n; // of the first; the others follow, by one each
	} moved;
	char writer[CTL_OUTBOX_WRITER_MAX + 1];
};

void ctl_outbox_numbers_init(struct ctl_outbox_numbers *numbers);
void ctl_outbox_numbers_fini(struct ctl_outbox_numbers *numbers);

/* Append to pack. */
void ctl_outbox_numbers_pack(struct ctl_pack *pack, const struct ctl_outbox_numbers *numbers);

/* Returns 0, or -EBADMSG when they cannot be; *ret_numbers was initialised, and is to be freed in
 * either case. */
[[nodiscard]] int ctl_outbox_numbers_unpack(
	const void *data, size_t len, struct ctl_outbox_numbers *ret_numbers);
